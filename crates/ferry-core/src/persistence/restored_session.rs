use std::sync::Arc;

use ferry_codec::PacketId;
use ferry_session::{Delivery, Spilled, StoredParts, StoredWill, Subscription, Timestamp};

use crate::SessionNumber;

/// A session as the store has it, for [`Shard::restore`](crate::Shard::restore) of the home shard of its client.
#[derive(Debug)]
pub struct RestoredSession {
    pub(crate) number: SessionNumber,
    pub(crate) client_id: Arc<str>,
    pub(crate) user_name: Option<Arc<str>>,
    pub(crate) expiry_interval_seconds: u32,
    /// `None`: its client was connected when the broker stopped.
    pub(crate) disconnected_at: Option<Timestamp>,
    /// With their numbers.
    pub(crate) subscriptions: Vec<(u64, Subscription)>,
    pub(crate) will: Option<Box<StoredWill>>,
    /// QoS 2 exchanges of the client that wait for PUBREL.
    pub(crate) received: Vec<PacketId>,
    /// In the order of the re-sends.
    pub(crate) exchanges: Vec<RestoredExchange>,
    /// The packet identifier that was given out last.
    pub(crate) last_packet_id: Option<PacketId>,
    /// What waits and is needed in memory, in order.
    pub(crate) waiting: Vec<RestoredCopy>,
    /// What waits and stays with the store, in order.
    pub(crate) spilled: Vec<Spilled>,
    pub(crate) last_sequence: u64,
}

/// An exchange that was not complete.
#[derive(Debug)]
pub(crate) struct RestoredExchange {
    pub(crate) sequence: u64,
    pub(crate) packet_id: PacketId,
    pub(crate) parts: StoredParts,
    /// What is to be sent again; without it PUBREL is.
    pub(crate) copy: Option<RestoredCopy>,
    /// Among those of its kind.
    pub(crate) order: u64,
}

/// A copy with its message.
#[derive(Debug)]
pub(crate) struct RestoredCopy {
    pub(crate) delivery: Delivery,
    /// The shared subscription through which it came.
    pub(crate) shared_subscription: Option<Box<str>>,
}

impl RestoredSession {
    /// Whose it is: [`home_shard`](crate::home_shard) says where it belongs.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Copies that it is owed.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.exchanges.len() + self.waiting.len() + self.spilled.len()
    }
}
