use std::collections::VecDeque;

use crate::on_use::Unused;
use crate::spilled::{Spilled, SpilledQueue};
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
    /// Messages in memory: more are kept by the store alone, if it has them, until their turn comes.
    pub queue_messages_in_memory_max: usize,
    /// Bytes of the messages in memory.
    pub queue_bytes_in_memory_max: usize,
}

/// Copies that wait for their turn, in the order of their sequence numbers. Each is in memory, a reference of 48 bytes
/// to a shared body, or was left to the store, and then 24 bytes remain of it.
#[derive(Debug)]
pub(crate) struct Queue {
    deliveries: VecDeque<Delivery>,
    /// What was left to the store; some of it may come before, between or behind the others.
    spilled: Option<Box<SpilledQueue>>,
    /// Of all copies.
    bytes: usize,
    qos0_len: u32,
    /// Not later than the first expiry of what is queued, so that most sweeps end before they begin.
    first_expiry: Timestamp,
}

/// The copy whose turn it is.
pub(crate) enum Front<'a> {
    InMemory(&'a Delivery),
    Spilled(&'a Spilled),
}

/// Capacity, in messages, that an empty queue keeps. More is given back at once, less by [`Queue::shrink`].
const EMPTY_CAPACITY_MAX: usize = 64;

impl Unused for Queue {
    const UNUSED: &'static Self = &Self::new();

    fn new() -> Self {
        Self::new()
    }
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            deliveries: VecDeque::new(),
            spilled: None,
            bytes: 0,
            qos0_len: 0,
            first_expiry: Timestamp::NEVER,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.deliveries.len() + self.spilled_len()
    }

    pub(crate) fn spilled_len(&self) -> usize {
        self.spilled.as_ref().map_or(0, |spilled| spilled.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.spilled.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_qos0(&self) -> bool {
        self.qos0_len > 0
    }

    pub(crate) fn front(&self) -> Option<Front<'_>> {
        let spilled = self.spilled.as_ref().and_then(|spilled| spilled.front());
        match (self.deliveries.front(), spilled) {
            (Some(delivery), Some(spilled)) if spilled.sequence < delivery.sequence => {
                Some(Front::Spilled(spilled))
            }
            (Some(delivery), _) => Some(Front::InMemory(delivery)),
            (None, spilled) => spilled.map(Front::Spilled),
        }
    }

    /// The copies in memory.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// What was left to the store.
    pub(crate) fn spilled(&self) -> impl Iterator<Item = &Spilled> {
        self.spilled.iter().flat_map(|spilled| spilled.iter())
    }

    /// Which limit one more copy of `size_bytes` would break.
    pub(crate) fn overflow(&self, size_bytes: usize, limits: &QueueLimits) -> Option<DropReason> {
        if self.len() >= limits.queue_messages_max {
            Some(DropReason::QueueFull)
        } else if self.bytes.saturating_add(size_bytes) > limits.queue_bytes_max {
            Some(DropReason::QueueBytesFull)
        } else {
            None
        }
    }

    /// Appends a copy, whose sequence number is the highest. It is left to the store if that has it, and there is no
    /// room in memory or what is ahead of it was left there too.
    pub(crate) fn push(&mut self, delivery: Delivery, limits: &QueueLimits) {
        let size_bytes = delivery.size_bytes();
        let bytes_in_memory = self.bytes - self.spilled.as_ref().map_or(0, |spilled| spilled.bytes());
        let is_full = self.deliveries.len() >= limits.queue_messages_in_memory_max
            || bytes_in_memory.saturating_add(size_bytes) > limits.queue_bytes_in_memory_max;
        // A copy of a shared subscription may have to go to another member at once.
        let may_spill = delivery.stored.copy && delivery.shared_subscription.is_none();
        if may_spill && (is_full || self.spilled.is_some()) {
            self.push_spilled(Spilled::new(&delivery));
        } else {
            self.push_in_memory(delivery);
        }
    }

    pub(crate) fn push_in_memory(&mut self, delivery: Delivery) {
        self.count(&delivery);
        self.deliveries.push_back(delivery);
    }

    /// Appends what the store has.
    pub(crate) fn push_spilled(&mut self, spilled: Spilled) {
        self.bytes += spilled.size_bytes as usize;
        self.first_expiry = self.first_expiry.min(spilled.expires_at);
        self.spilled.get_or_insert_default().push(spilled);
    }

    /// Takes out the copy whose turn it is, if it is in memory.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        if let Some(Front::Spilled(_)) = self.front() {
            return None;
        }
        let delivery = self.deliveries.pop_front()?;
        self.forget(&delivery);
        self.release_when_empty();
        Some(delivery)
    }

    /// Discards the copy whose turn it is.
    pub(crate) fn drop_front(&mut self, reason: DropReason) -> Option<Dropped> {
        if let Some(delivery) = self.pop() {
            return Some(Dropped::new(delivery, reason));
        }
        let spilled = self.spilled.as_mut()?.pop()?;
        self.forget_spilled(&spilled);
        Some(spilled.dropped(reason))
    }

    /// Removes what has expired `[MQTT-3.3.2-5]`.
    pub(crate) fn drop_expired(&mut self, now: Timestamp, on_drop: &mut dyn FnMut(Dropped)) {
        if now < self.first_expiry {
            return;
        }
        self.retain(|delivery| !delivery.message.is_expired(now), DropReason::Expired, on_drop);
        if let Some(mut spilled) = self.spilled.take() {
            let expired = spilled.take_expired(now);
            self.spilled = Some(spilled);
            for spilled in expired {
                self.forget_spilled(&spilled);
                on_drop(spilled.dropped(DropReason::Expired));
            }
        }
        let expiries = self.deliveries.iter().filter_map(|delivery| delivery.message.expires_at);
        let expiries = expiries.chain(self.spilled().map(|spilled| spilled.expires_at));
        self.first_expiry = expiries.min().unwrap_or(Timestamp::NEVER);
    }

    /// Removes what `keep` refuses of the copies in memory; the others stay in order.
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

    /// The next copies to be read back from the store, unless some are on their way or enough are in memory in front
    /// of them.
    pub(crate) fn begin_load(&mut self, messages_max: usize, bytes_max: usize) -> Option<Vec<u64>> {
        let spilled = self.spilled.as_mut()?;
        let first = spilled.front()?.sequence;
        let in_front = self.deliveries.partition_point(|delivery| delivery.sequence < first);
        if in_front > messages_max / 4 {
            return None;
        }
        spilled.begin_load(messages_max, bytes_max)
    }

    /// What was asked for has come, or has not.
    pub(crate) fn end_load(&mut self) {
        if let Some(spilled) = &mut self.spilled {
            spilled.end_load();
        }
    }

    /// Discards a copy that was left to the store.
    pub(crate) fn drop_spilled(&mut self, sequence: u64, reason: DropReason) -> Option<Dropped> {
        let spilled = self.spilled.as_mut()?.remove(sequence)?;
        self.forget_spilled(&spilled);
        Some(spilled.dropped(reason))
    }

    /// A copy was read back; `None` if it could not be. Returns what is dropped because of that.
    pub(crate) fn loaded(&mut self, sequence: u64, delivery: Option<Delivery>) -> Option<Dropped> {
        let spilled = self.spilled.as_mut()?.remove(sequence)?;
        self.forget_spilled(&spilled);
        let Some(delivery) = delivery else { return Some(spilled.dropped(DropReason::Lost)) };
        self.count(&delivery);
        let at = self.deliveries.partition_point(|other| other.sequence < sequence);
        self.deliveries.insert(at, delivery);
        None
    }

    /// Gives back memory that is not in use.
    pub(crate) fn shrink(&mut self) {
        self.deliveries.shrink_to_fit();
    }

    /// Forgets what was left to the store; returns how many copies that are.
    pub(crate) fn clear_spilled(&mut self) -> usize {
        let spilled = self.spilled.take();
        self.bytes -= spilled.as_ref().map_or(0, |spilled| spilled.bytes());
        spilled.map_or(0, |spilled| spilled.len())
    }

    fn count(&mut self, delivery: &Delivery) {
        self.bytes += delivery.size_bytes();
        self.qos0_len += u32::from(delivery.qos == ferry_codec::QoS::AtMostOnce);
        self.first_expiry = self.first_expiry.min(delivery.message.expires_at.unwrap_or(Timestamp::NEVER));
    }

    fn forget(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.size_bytes();
        self.qos0_len -= u32::from(delivery.qos == ferry_codec::QoS::AtMostOnce);
    }

    fn forget_spilled(&mut self, spilled: &Spilled) {
        self.bytes -= spilled.size_bytes as usize;
        if self.spilled.as_ref().is_some_and(|spilled| spilled.is_empty()) {
            self.spilled = None;
        }
        self.release_when_empty();
    }

    fn release_when_empty(&mut self) {
        if self.deliveries.is_empty() {
            if self.spilled.is_none() {
                self.first_expiry = Timestamp::NEVER;
            }
            if self.deliveries.capacity() > EMPTY_CAPACITY_MAX {
                self.deliveries = VecDeque::new();
            }
        }
    }
}
