use std::sync::Arc;

use ferry_codec::{PacketId, QoS, SubscriptionOptions};
use ferry_session::{Message, SubscriptionIdList, Timestamp};

/// Names one batch of records: counts up from 1, one for each turn that had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// State lives in memory; nothing is recorded and no acknowledgement waits.
    #[default]
    Memory,
    /// State that outlives a connection is recorded, and acknowledgements wait for the commit.
    Recorded,
}

/// One change of what must survive a restart. Emitted only with [`Durability::Recorded`], and only for sessions
/// that outlive their connection.
#[derive(Clone, Debug)]
pub enum Record {
    /// A session exists, with nothing in it if it is new.
    Session {
        /// Its owner.
        client_id: Arc<str>,
        /// The name that permissions go by.
        user_name: Option<Arc<str>>,
        /// Seconds after the end of the connection; `u32::MAX` is never.
        expiry_interval_seconds: u32,
        /// When it ends; `None` while the client is connected.
        ends_at: Option<Timestamp>,
    },
    /// A session is over, and everything in it.
    SessionEnded {
        /// Its owner.
        client_id: Arc<str>,
    },
    /// A subscription was made or replaced.
    Subscribed {
        /// The session.
        client_id: Arc<str>,
        /// As the client wrote it, with `$share/group/` if it is shared.
        filter: Box<str>,
        /// As granted.
        options: SubscriptionOptions,
        /// The Subscription Identifier.
        subscription_id: Option<u32>,
    },
    /// A subscription is over.
    Unsubscribed {
        /// The session.
        client_id: Arc<str>,
        /// As the client wrote it.
        filter: Box<str>,
    },
    /// A copy of a message is owed to a session.
    Queued {
        /// The session.
        client_id: Arc<str>,
        /// The message.
        message: Arc<Message>,
        /// QoS of this copy.
        qos: QoS,
        /// RETAIN flag of this copy.
        retain: bool,
        /// Subscription Identifiers of this copy.
        subscription_ids: SubscriptionIdList,
    },
    /// The oldest queued copy got a packet identifier and was sent.
    Sent {
        /// The session.
        client_id: Arc<str>,
        /// The identifier.
        packet_id: PacketId,
    },
    /// The oldest queued copy was dropped.
    Dropped {
        /// The session.
        client_id: Arc<str>,
    },
    /// PUBREC came: PUBREL is owed instead of PUBLISH.
    Released {
        /// The session.
        client_id: Arc<str>,
        /// The identifier.
        packet_id: PacketId,
    },
    /// The exchange is complete.
    Completed {
        /// The session.
        client_id: Arc<str>,
        /// The identifier.
        packet_id: PacketId,
    },
    /// A QoS 2 PUBLISH of the client was taken and waits for PUBREL.
    Received {
        /// The session.
        client_id: Arc<str>,
        /// The client's identifier.
        packet_id: PacketId,
    },
    /// PUBREL came.
    ReceivedReleased {
        /// The session.
        client_id: Arc<str>,
        /// The client's identifier.
        packet_id: PacketId,
    },
    /// A will waits.
    Will {
        /// The session.
        client_id: Arc<str>,
        /// The message; its expiry counts from its publication.
        message: Arc<Message>,
        /// Seconds after the end of the connection.
        delay_interval_seconds: u32,
    },
    /// The will was published or deleted.
    WillGone {
        /// The session.
        client_id: Arc<str>,
    },
    /// The retained message of its topic.
    Retained {
        /// The message.
        message: Arc<Message>,
    },
    /// A topic has no retained message any more.
    RetainedCleared {
        /// The topic.
        topic: Box<str>,
    },
}
