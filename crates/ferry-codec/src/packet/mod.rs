//! One file per kind of control packet. A decoded packet borrows from its frame.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod suback;
mod subscribe;
mod subscription_options;
mod unsuback;
mod unsubscribe;

pub use ack::{Ack, AckKind};
pub use auth::Auth;
pub use connack::{Connack, ConnackProperties};
pub use connect::{Connect, ConnectProperties, Will};
pub use disconnect::Disconnect;
pub use publish::Publish;
pub use suback::Suback;
pub use subscribe::{Subscribe, SubscribeFilter, SubscribeFilters, SubscribeFiltersBuf};
pub use subscription_options::{RetainHandling, SubscriptionOptions};
pub use unsuback::Unsuback;
pub use unsubscribe::{Unsubscribe, UnsubscribeFilters, UnsubscribeFiltersBuf};

/// Any control packet (section 2.1.2), of any protocol version.
#[allow(clippy::large_enum_variant, reason = "lives on the stack for the length of one match")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client asks for a connection (section 3.1).
    Connect(Connect<'a>),
    /// The server's answer to CONNECT (section 3.2).
    Connack(Connack<'a>),
    /// An application message (section 3.3).
    Publish(Publish<'a>),
    /// QoS 1: acknowledgement (section 3.4).
    Puback(Ack<'a>),
    /// QoS 2, second packet (section 3.5).
    Pubrec(Ack<'a>),
    /// QoS 2, third packet (section 3.6).
    Pubrel(Ack<'a>),
    /// QoS 2, fourth and last packet (section 3.7).
    Pubcomp(Ack<'a>),
    /// A client subscribes (section 3.8).
    Subscribe(Subscribe<'a>),
    /// The server's answer to SUBSCRIBE (section 3.9).
    Suback(Suback<'a>),
    /// A client unsubscribes (section 3.10).
    Unsubscribe(Unsubscribe<'a>),
    /// The server's answer to UNSUBSCRIBE (section 3.11).
    Unsuback(Unsuback<'a>),
    /// A client shows that it is alive (section 3.12).
    Pingreq,
    /// The server's answer to PINGREQ (section 3.13).
    Pingresp,
    /// The last packet of a connection (section 3.14).
    Disconnect(Disconnect<'a>),
    /// A step of an enhanced authentication; 5.0 only (section 3.15).
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// The standard's name of the packet, for logs and counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::Connack(_) => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::Puback(_) => "PUBACK",
            Self::Pubrec(_) => "PUBREC",
            Self::Pubrel(_) => "PUBREL",
            Self::Pubcomp(_) => "PUBCOMP",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Suback(_) => "SUBACK",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::Unsuback(_) => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect(_) => "DISCONNECT",
            Self::Auth(_) => "AUTH",
        }
    }
}
