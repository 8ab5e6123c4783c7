use std::collections::VecDeque;

use crate::{Delivery, DropReason, Dropped, Timestamp};

/// What happens to a copy for which a session's queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OverflowPolicy {
    /// The publisher is told 0x97 (Quota exceeded); the copy is not queued.
    RejectPublisher,
    /// The oldest queued copies make room.
    #[default]
    DropOldest,
    /// The new copy is discarded.
    DropNewest,
    /// The new copy is discarded and the receiver, too slow, is disconnected.
    DisconnectReceiver,
}

/// How much one session's queue may hold. What has been sent and awaits its acknowledgement is not in the
/// queue; that is limited by the Receive Maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages.
    pub queue_messages_max: usize,
    /// Bytes, in the sense of [`Delivery::size_bytes`].
    pub queue_bytes_max: usize,
    /// What happens when one of the two is reached.
    pub overflow: OverflowPolicy,
    /// Whether QoS 0 copies wait too, instead of being discarded at once.
    pub queue_qos0: bool,
}

/// Copies that wait for their turn, in order, each a reference of 48 bytes to a shared body.
#[derive(Debug)]
pub(crate) struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    qos0_len: u32,
    /// Not later than the first expiry of what is queued, so that most sweeps end before they begin.
    first_expiry: Timestamp,
}

/// Capacity, in messages, that an empty queue keeps. More is given back at once, less by [`Queue::shrink`].
const EMPTY_CAPACITY_MAX: usize = 64;

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { deliveries: VecDeque::new(), bytes: 0, qos0_len: 0, first_expiry: Timestamp::NEVER }
    }

    pub(crate) fn len(&self) -> usize {
        self.deliveries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_qos0(&self) -> bool {
        self.qos0_len > 0
    }

    pub(crate) fn front(&self) -> Option<&Delivery> {
        self.deliveries.front()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// Which limit one more copy of `size_bytes` would break.
    pub(crate) fn overflow(&self, size_bytes: usize, limits: &QueueLimits) -> Option<DropReason> {
        if self.deliveries.len() >= limits.queue_messages_max {
            Some(DropReason::QueueFull)
        } else if self.bytes.saturating_add(size_bytes) > limits.queue_bytes_max {
            Some(DropReason::QueueBytesFull)
        } else {
            None
        }
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.size_bytes();
        self.qos0_len += u32::from(delivery.qos == ferry_codec::QoS::AtMostOnce);
        self.first_expiry = self.first_expiry.min(delivery.message.expires_at.unwrap_or(Timestamp::NEVER));
        self.deliveries.push_back(delivery);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.forget(&delivery);
        self.release_when_empty();
        Some(delivery)
    }

    /// Removes what has expired `[MQTT-3.3.2-5]`.
    pub(crate) fn drop_expired(&mut self, now: Timestamp, on_drop: &mut dyn FnMut(Dropped)) {
        if now < self.first_expiry {
            return;
        }
        self.retain(|delivery| !delivery.message.is_expired(now), DropReason::Expired, on_drop);
        let expiries = self.deliveries.iter().filter_map(|delivery| delivery.message.expires_at);
        self.first_expiry = expiries.min().unwrap_or(Timestamp::NEVER);
    }

    /// Removes what `keep` refuses; the others stay in order.
    pub(crate) fn retain(
        &mut self,
        mut keep: impl FnMut(&Delivery) -> bool,
        reason: DropReason,
        on_drop: &mut dyn FnMut(Dropped),
    ) {
        // Once around: each copy is taken from the front and either put back behind or dropped.
        for _ in 0..self.deliveries.len() {
            let Some(delivery) = self.deliveries.pop_front() else { break };
            if keep(&delivery) {
                self.deliveries.push_back(delivery);
            } else {
                self.forget(&delivery);
                on_drop(Dropped::new(delivery, reason));
            }
        }
        self.release_when_empty();
    }

    /// Gives back memory that is not in use.
    pub(crate) fn shrink(&mut self) {
        self.deliveries.shrink_to_fit();
    }

    fn forget(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.size_bytes();
        self.qos0_len -= u32::from(delivery.qos == ferry_codec::QoS::AtMostOnce);
    }

    fn release_when_empty(&mut self) {
        if self.deliveries.is_empty() {
            self.first_expiry = Timestamp::NEVER;
            if self.deliveries.capacity() > EMPTY_CAPACITY_MAX {
                self.deliveries = VecDeque::new();
            }
        }
    }
}
