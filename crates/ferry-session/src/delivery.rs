use std::num::NonZeroU32;
use std::sync::Arc;

use ferry_codec::QoS;
use smallvec::SmallVec;

use crate::{DropReason, Message};

/// The Subscription Identifiers a copy carries. Up to four cost no allocation, and no more room than one.
pub type SubscriptionIdList = SmallVec<[u32; 4]>;

/// What the store has of one copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoredParts {
    /// The copy itself, as it was queued; with the packet id, if it got that at once.
    pub copy: bool,
    /// How far its exchange has come.
    pub sent: bool,
}

/// Names a copy in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoredCopy {
    /// [`Delivery::sequence`].
    pub sequence: u64,
    /// What of it is there.
    pub parts: StoredParts,
}

impl StoredParts {
    /// Whether the store has anything of the copy.
    #[must_use]
    pub const fn any(self) -> bool {
        self.copy || self.sent
    }
}

/// One copy of a message owed to one session: 48 bytes, whatever the size of the body it shares.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The shared body.
    pub message: Arc<Message>,
    /// The Subscription Identifiers of the matching subscriptions, in no particular order `[MQTT-3.3.4-3]`.
    pub subscription_ids: SubscriptionIdList,
    /// Its place among all copies that its session was ever owed, from 1: the name by which a store knows it. Given
    /// by the [`Sender`](crate::Sender) that takes the copy, 0 before.
    pub sequence: u64,
    /// For a copy that came through a shared subscription: the caller's key of it, so that another member can
    /// get the copy if this session ends.
    pub shared_subscription: Option<NonZeroU32>,
    /// The lower of the published and the granted QoS `[MQTT-3.8.4-8]`.
    pub qos: QoS,
    /// The RETAIN flag this copy is sent with, see [`Subscription::retain_flag`](crate::Subscription::retain_flag).
    pub retain: bool,
    /// What the store has of it.
    pub stored: StoredParts,
}

impl Delivery {
    /// A copy without Subscription Identifiers that came through a non-shared subscription.
    #[must_use]
    pub fn new(message: Arc<Message>, qos: QoS, retain: bool) -> Self {
        Self {
            message,
            subscription_ids: SubscriptionIdList::new(),
            sequence: 0,
            shared_subscription: None,
            qos,
            retain,
            stored: StoredParts::default(),
        }
    }

    /// Its name in the store.
    #[must_use]
    pub fn stored_copy(&self) -> StoredCopy {
        StoredCopy { sequence: self.sequence, parts: self.stored }
    }

    /// Bytes this copy counts for in a queue: those of the body, although it is shared, and those of the
    /// reference. So the sum over all queues is an upper bound of the memory held by them.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.message.size_bytes()
    }
}

/// A copy that was not delivered, and why: goes to the drop ledger.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The copy; absent if only the store had it.
    pub delivery: Option<Delivery>,
    /// Its name in the store.
    pub stored: StoredCopy,
    /// Why it was discarded.
    pub reason: DropReason,
}

impl Dropped {
    /// The topic of the message; empty if only the store has it.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.delivery.as_ref().map_or("", |delivery| &delivery.message.topic)
    }

    pub(crate) fn new(delivery: Delivery, reason: DropReason) -> Self {
        Self { stored: delivery.stored_copy(), delivery: Some(delivery), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_copy_takes_forty_eight_bytes() {
        assert_eq!(size_of::<Delivery>(), 48);
        assert_eq!(size_of::<Option<Delivery>>(), 48);
    }
}
