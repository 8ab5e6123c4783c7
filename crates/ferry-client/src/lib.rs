//! An MQTT client.

mod message;
pub mod session;

pub use ferry_codec::{ProtocolVersion, QoS, ReasonCode, RetainHandling, SubscriptionOptions};
pub use message::{Message, Properties};
pub use session::*;
