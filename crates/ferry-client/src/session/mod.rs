//! One MQTT session of a client as a pure state machine, for MQTT 3.1, 3.1.1 and 5.0.
//!
//! It knows no socket, clock or thread: what happened goes in together with the time, bytes and [`SessionEvent`]s come out.
//! It outlives its connections.
//!
//! ```text
//!   open, receive(bytes), closed, tick         +--- ClientSession ---+    take_output: bytes to send
//!   publish, subscribe, unsubscribe,     --->  | Sender   Receiver   | -> next_event
//!   acknowledge, disconnect, re_authenticate   | subscriptions  ping |    close_reason: close the connection
//!                                              +---------------------+    next_deadline: call tick
//! ```

mod acknowledgements;
mod auth;
mod auth_mechanism;
mod backoff;
mod client_session;
mod close_reason;
mod connack;
mod connect;
mod connect_options;
mod connected;
mod disconnect;
mod filter;
mod invalid_value;
mod output;
mod ping_timer;
mod publish;
mod receive;
mod received_publish;
mod record;
mod session_event;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod unconfirmed;

pub use auth_mechanism::AuthMechanism;
pub use backoff::Backoff;
pub use client_session::ClientSession;
pub use close_reason::{CloseReason, Fault, ServerReason};
pub use connect_options::{ConnectOptions, OutgoingOverflow, Will};
pub use connected::Connected;
pub use disconnect::DisconnectOptions;
pub use filter::{Filter, IntoFilters};
pub use invalid_value::InvalidValue;
pub use publish::PublishRefused;
pub use record::{Record, StoredMessage, StoredSession};
pub use session_event::{NotPublished, Published, SessionEvent};
pub use subscribe::SubscribeRefused;

pub use ferry_codec::PacketId;
pub use ferry_session::{Message as QueuedMessage, Timestamp};
