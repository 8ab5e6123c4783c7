//! A small load: what a broker's processor time per delivered message is, next to another broker.

mod broker_process;
mod packets;
mod scenario;
mod traffic;

pub use broker_process::{BrokerKind, BrokerProcess};
pub use scenario::{SCENARIOS, Scenario};
pub use traffic::{Idle, Measured, idle, measure};
