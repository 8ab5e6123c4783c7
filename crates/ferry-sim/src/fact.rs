//! What the oracles are told.

use ferry_codec::{PacketId, QoS};
use ferry_core::{Durability, Record, Ticket};
use ferry_router::ShardId;
use ferry_session::{Message, Timestamp};

use crate::journal::{Journal, MessageId};
use crate::network::LinkId;

/// One thing that happened where the broker meets the world. "Took" and "sent" are the broker's.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    /// The broker told a client that it is connected.
    Connected { client: usize, link: LinkId, receive_maximum: u16 },
    /// The broker let go of a connection, or the network told it that the connection is gone.
    Gone { client: usize, link: LinkId },
    /// CONNACK said something else about the session than the model knows.
    WrongSessionPresent { client: usize, told: bool },
    /// The session of a client is over, or nobody can know whether it is.
    SessionLost { client: usize },
    /// A subscription is in force for sure: SUBACK was sent.
    Granted { client: usize, filter: &'a str },
    /// The broker took a SUBSCRIBE.
    Subscribing { client: usize },
    /// The broker took an UNSUBSCRIBE.
    Unsubscribing { client: usize, filter: &'a str },
    /// The broker took a PUBLISH. `message` is `None` for an empty payload; `is_repeated`: QoS 2, and it has it already;
    /// not `is_certain`: perhaps it has it already; `is_whole`: then it was refused, or is not published again.
    Published {
        topic: &'a str,
        message: Option<MessageId>,
        retain: bool,
        is_repeated: bool,
        is_certain: bool,
        is_whole: bool,
    },
    /// The broker sent PUBACK or PUBREC for a PUBLISH.
    Acknowledged { client: usize, packet_id: PacketId, message: Option<MessageId>, is_success: bool },
    /// A will has to be published now.
    WillDue { message: MessageId },
    /// A will must never be published.
    WillCancelled { message: MessageId },
    /// Nobody can know whether a will is published.
    WillUncertain { message: MessageId },
    /// The broker sent a PUBLISH.
    Sent { client: usize, link: LinkId, copy: Copy },
    /// The broker took the acknowledgement that ends an exchange it had begun.
    Settled { link: LinkId, packet_id: PacketId },
    /// A client got a PUBLISH; `is_new`: its application sees it, it is not a QoS 2 packet that it has already.
    Delivered { client: usize, copy: Copy, is_new: bool },
    /// A shard recorded a change under the ticket.
    Recorded { shard: ShardId, ticket: Ticket, record: &'a Record },
    /// A shard was told that the ticket and all before it are as durable as that.
    Committed { shard: ShardId, ticket: Ticket, durability: Durability },
    /// The broker's process has ended and another one begins.
    Crashed { survival: Survival },
    /// The store takes no more than it must, or is well again.
    StoreHealth { writable: bool },
    /// A start did not find what it should have found.
    BadRecovery { what: String },
    /// What the broker holds after a turn.
    Load { output_bytes: usize, queued_messages: usize, queued_bytes: usize, retained: usize },
    /// The broker is busy without getting anywhere.
    Standstill { what: String },
    /// A client got something that no client should get.
    Misbehaved { client: usize, what: String },
}

/// What of the past a restart must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Survival {
    /// The weakest promise that survives this end of the process.
    pub(crate) weakest: Durability,
    /// Of what is promised that much, what happened before this time, even if nobody was told.
    pub(crate) durable_through: Timestamp,
}

impl Survival {
    /// The process goes on.
    pub(crate) fn of_all(durable_through: Timestamp) -> Self {
        Self { weakest: Durability::Memory, durable_through }
    }

    /// What was promised so must survive if it happened before the time returned, or if somebody was told; `None` if
    /// nothing needs to.
    pub(crate) fn of(self, durability: Durability) -> Option<Timestamp> {
        (durability >= self.weakest).then_some(self.durable_through)
    }
}

/// One copy of a message, as it was in a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) message: Option<MessageId>,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) qos: QoS,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) expiry_seconds: Option<u32>,
}

impl Fact<'_> {
    /// For the trace; `None` if it is of no interest there.
    pub(crate) fn line(&self, journal: &Journal) -> Option<String> {
        match self {
            Self::Load { .. } => None,
            Self::Recorded { shard, ticket, record } => {
                Some(format!("Recorded {} {} {}", shard.0, ticket.0, record_line(record, journal)))
            }
            fact => Some(format!("{fact:?}")),
        }
    }
}

/// A record without the bytes of its message.
fn record_line(record: &Record, journal: &Journal) -> String {
    let identify = |message: &Message| journal.identify(&message.payload);
    match record {
        Record::Queued { session, sequence, message, qos, packet_id, .. } => {
            let message = format!("{:?} {}", identify(message), message.topic);
            format!("Queued {session:?} {sequence} {message} {qos:?} {packet_id:?}")
        }
        Record::Retained { number, message } => {
            format!("Retained {number} {:?} {}", identify(message), message.topic)
        }
        record => format!("{record:?}"),
    }
}
