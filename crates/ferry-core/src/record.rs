use std::num::NonZeroU64;
use std::sync::Arc;

use ferry_codec::{PacketId, QoS, SubscriptionOptions};
use ferry_router::{RouteTable, ShardId, ShareGroupId};
use ferry_session::{Delivery, Message, StoredCopy, StoredWill, SubscriptionIdList, Timestamp};

use crate::shared_subscription::group_of;

/// Names one batch of records: counts up from 1, one for each turn that had any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What an acknowledgement means: the stronger one is the greater one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// It lives in memory; no acknowledgement waits for anything.
    #[default]
    Memory,
    /// What outlives a connection is with the operating system before it is acknowledged: it survives the end of the
    /// process.
    Os,
    /// What outlives a connection is on the disk before it is acknowledged: it survives a loss of power.
    Fsync,
}

impl Durability {
    /// The name in the configuration and for clients.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Fsync => "fsync",
        }
    }

    /// Whether there is a store at all.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self > Self::Memory
    }
}

/// Names a session in the store: never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(pub NonZeroU64);

/// One change of what must survive a restart. Emitted only where there is a store, and only for sessions that
/// outlive their connection.
///
/// The records of one batch are in the order in which things happened, and so are batches of one shard: what they
/// say, one after the other, is the state. A session consists of what came after its `Session` and is not over:
///
/// - `Subscribed` until `Unsubscribed`, the last one for each number.
/// - Copies that it is owed, each named by its sequence number: `Queued`, then `Sent`, then perhaps `Released`, until
///   `Dropped` or `Completed`. A number is higher than those of all copies before it. So in ascending order they are:
///   those that are `Released` the PUBRELs to send again, though in their own order, those that are `Sent` the
///   PUBLISH packets to send again with DUP set, the others the queue. The packet identifier given out last is that of the highest one that was
///   `Sent`.
/// - `Received` until `ReceivedReleased`: the QoS 2 packet identifiers whose PUBLISH must not be routed again.
/// - The last `Will` until `WillGone`.
///
/// A session that was connected when the broker stopped has lost its connection then: its expiry and the delay of
/// its will begin with the restart.
#[derive(Clone, Debug)]
pub enum Record {
    /// A session exists, with nothing in it if it is new. Again for each change of these values.
    Session {
        /// Its name.
        session: SessionNumber,
        /// Its owner.
        client_id: Arc<str>,
        /// The name that permissions go by.
        user_name: Option<Arc<str>>,
        /// Seconds after the end of the connection; `u32::MAX` is never.
        expiry_interval_seconds: u32,
        /// When its last connection closed: from then count the expiry interval and the delay of the will, which
        /// does not wait longer than the session. `None` while the client is connected.
        disconnected_at: Option<Timestamp>,
    },
    /// A session is over, and everything in it.
    SessionEnded {
        /// The session.
        session: SessionNumber,
    },
    /// A subscription was made or replaced.
    Subscribed {
        /// The session.
        session: SessionNumber,
        /// The number of the subscription in its session.
        number: u64,
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
        session: SessionNumber,
        /// The number of the subscription in its session.
        number: u64,
    },
    /// A copy of a message is owed to a session.
    Queued {
        /// The session.
        session: SessionNumber,
        /// The copy's number within the session.
        sequence: u64,
        /// The message.
        message: Arc<Message>,
        /// QoS of this copy.
        qos: QoS,
        /// RETAIN flag of this copy.
        retain: bool,
        /// Subscription Identifiers of this copy.
        subscription_ids: SubscriptionIdList,
        /// The shared subscription through which it came, as `$share/group/filter`: if the session ends, another
        /// member may get it.
        shared_subscription: Option<Box<str>>,
        /// The identifier, if it is sent at once: then there is no `Sent`.
        packet_id: Option<PacketId>,
    },
    /// A copy that was queued got a packet identifier and is sent from now on.
    Sent {
        /// The session.
        session: SessionNumber,
        /// The copy.
        sequence: u64,
        /// The identifier.
        packet_id: PacketId,
        /// QoS of the copy.
        qos: QoS,
    },
    /// A copy was discarded or given to another session, whether it had been sent or not.
    Dropped {
        /// The session.
        session: SessionNumber,
        /// The copy, and what the store has of it.
        copy: StoredCopy,
    },
    /// PUBREC came: PUBREL is owed instead of PUBLISH.
    Released {
        /// The session.
        session: SessionNumber,
        /// The copy, and what the store has of it: its message is not needed any more.
        copy: StoredCopy,
        /// The identifier.
        packet_id: PacketId,
        /// Counts up in the order of the PUBREL packets.
        order: u64,
    },
    /// The exchange is complete.
    Completed {
        /// The session.
        session: SessionNumber,
        /// The copy, and what the store has of it.
        copy: StoredCopy,
    },
    /// A QoS 2 PUBLISH of the client was taken and waits for PUBREL.
    Received {
        /// The session.
        session: SessionNumber,
        /// The client's identifier.
        packet_id: PacketId,
    },
    /// PUBREL came.
    ReceivedReleased {
        /// The session.
        session: SessionNumber,
        /// The client's identifier.
        packet_id: PacketId,
    },
    /// The will of the present connection; it replaces any other.
    Will {
        /// The session.
        session: SessionNumber,
        /// The will, with its delay; its message expiry counts from its publication.
        will: Box<StoredWill>,
    },
    /// The will was published or deleted.
    WillGone {
        /// The session.
        session: SessionNumber,
    },
    /// A message is on its way to another shard, whose copies are recorded in another batch than what this shard
    /// promises because of it.
    Forwarded {
        /// Its name.
        number: u64,
        /// Where it goes.
        to: ShardId,
        /// Of how many shards.
        shard_count: u16,
        /// For one member of this shared subscription, as `$share/group/filter`, on whichever shard.
        shared_subscription: Option<Box<str>>,
        /// The message.
        message: Arc<Message>,
    },
    /// A message from another shard has arrived: this batch has its copies.
    ForwardedArrived {
        /// Its name.
        number: u64,
    },
    /// The retained message of its topic. Retained messages belong to no session and no shard: their records are in
    /// [`Shared::append_retained`](crate::Shared::append_retained).
    Retained {
        /// The name of the topic's retained message, whichever it is.
        number: u64,
        /// The message.
        message: Arc<Message>,
    },
    /// A topic has no retained message any more.
    RetainedCleared {
        /// The name of the topic's retained message.
        number: u64,
    },
}

/// The record of a copy that is owed from now on; with its packet identifier if it is sent at once.
pub(crate) fn queued(
    session: SessionNumber,
    delivery: &Delivery,
    packet_id: Option<PacketId>,
    routes: &RouteTable,
) -> Record {
    let shared_subscription = group_of(delivery).and_then(|group| share_filter(routes, group));
    Record::Queued {
        session,
        sequence: delivery.sequence,
        message: Arc::clone(&delivery.message),
        qos: delivery.qos,
        retain: delivery.retain,
        subscription_ids: delivery.subscription_ids.clone(),
        shared_subscription,
        packet_id,
    }
}

/// A shared subscription as its members write it. Its number is another one after a restart.
pub(crate) fn share_filter(routes: &RouteTable, group: ShareGroupId) -> Option<Box<str>> {
    let (group, filter) = routes.share_name(group)?;
    Some(format!("$share/{group}/{filter}").into())
}
