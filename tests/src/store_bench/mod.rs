//! What durable acknowledgements cost, next to Mosquitto with a snapshot at every change.

mod broker;
mod client;
mod packets;
mod scenario;
mod state;

pub use broker::{StoreBroker, StoreBrokerKind};
pub use scenario::{Acknowledged, Audience, Drained, Queued, acknowledged, drained, queued};
pub use state::{Restart, restart};
