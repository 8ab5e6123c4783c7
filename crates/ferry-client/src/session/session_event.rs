use ferry_codec::ReasonCode;

use crate::{Connected, Message};

/// What a [`ClientSession`](super::ClientSession) tells its owner.
#[derive(Debug)]
pub enum SessionEvent {
    /// The server has accepted the connection.
    Connected(Box<Connected>),
    /// A message came. If there is a number, it waits for
    /// [`acknowledge`](super::ClientSession::acknowledge) with it.
    Message {
        /// What.
        message: Message,
        /// Its acknowledgement; absent for QoS 0.
        acknowledgement: Option<u64>,
    },
    /// A message of QoS 1 or 2 was acknowledged and discarded: twice as much waits as may, and an answer of the server is
    /// awaited. 3.x only, and only if the session ends with the connection.
    Overflowed {
        /// Its topic.
        topic: String,
    },
    /// What was published under this number is done: the server has it, or has refused it.
    Published {
        /// That of [`publish`](super::ClientSession::publish).
        number: u64,
        /// What the server said.
        outcome: Published,
        /// Its topic, if the server has refused it.
        refused_topic: Option<String>,
    },
    /// What was published under this number was not delivered, and never will be.
    NotPublished {
        /// That of [`publish`](super::ClientSession::publish).
        number: u64,
        /// Its topic.
        topic: String,
        /// Why.
        reason: NotPublished,
    },
    /// The answer to a SUBSCRIBE.
    Subscribed {
        /// That of [`subscribe`](super::ClientSession::subscribe).
        number: u64,
        /// Those of the SUBSCRIBE.
        filters: Vec<String>,
        /// One for each filter.
        reason_codes: Vec<ReasonCode>,
        /// The server's words.
        reason_string: Option<String>,
        /// Whether it was sent again because the server had lost the session.
        again: bool,
    },
    /// The answer to an UNSUBSCRIBE.
    Unsubscribed {
        /// That of [`unsubscribe`](super::ClientSession::unsubscribe).
        number: u64,
        /// One for each filter.
        reason_codes: Vec<ReasonCode>,
    },
    /// A re-authentication has succeeded.
    Authenticated,
}

/// What the server said to a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// 0x00, or 0x10 if nobody has subscribed to its topic. From 0x80 the server has refused it.
    pub reason_code: ReasonCode,
    /// Words for people.
    pub reason_string: Option<String>,
    /// More about the reason.
    pub user_properties: Vec<(String, String)>,
}

/// Why a message that was taken was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPublished {
    /// Its Message Expiry Interval passed while it waited.
    Expired,
    /// The server takes no packets of this size `[MQTT-3.2.2-15]`.
    PacketTooLarge,
    /// The server does not support its QoS `[MQTT-3.2.2-11]`.
    QosNotSupported,
    /// The server does not support retained messages `[MQTT-3.2.2-14]`.
    RetainNotSupported,
    /// It was on its way with QoS 2 when the server lost the session: whether it has arrived is not known, and sending
    /// it again might deliver it twice.
    SessionLost,
    /// An outbox that is full made room for newer messages.
    DroppedOldest,
}

impl std::fmt::Display for NotPublished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Expired => "it expired while it waited",
            Self::PacketTooLarge => "the server takes no packets of this size",
            Self::QosNotSupported => "the server does not support this QoS",
            Self::RetainNotSupported => "the server does not support retained messages",
            Self::SessionLost => "the server lost the session while it was on its way",
            Self::DroppedOldest => "newer messages took its place in the outbox",
        })
    }
}
