use std::collections::VecDeque;

use crate::{Delivery, DropReason, Dropped, StoredCopy, StoredParts, Timestamp};

/// What remains in memory of a queued copy that only the store has: 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spilled {
    /// [`Delivery::sequence`].
    pub sequence: u64,
    /// When its Message Expiry Interval passes; [`Timestamp::NEVER`] if it has none.
    pub expires_at: Timestamp,
    /// [`Delivery::size_bytes`], for the limits of the queue.
    pub size_bytes: u32,
}

impl Spilled {
    pub(crate) fn new(delivery: &Delivery) -> Self {
        Self {
            sequence: delivery.sequence,
            expires_at: delivery.message.expires_at.unwrap_or(Timestamp::NEVER),
            size_bytes: u32::try_from(delivery.size_bytes()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn dropped(self, reason: DropReason) -> Dropped {
        let parts = StoredParts { copy: true, sent: false };
        Dropped { delivery: None, stored: StoredCopy { sequence: self.sequence, parts }, reason }
    }
}

/// The copies of one queue that only the store has, in order.
#[derive(Debug, Default)]
pub(crate) struct SpilledQueue {
    copies: VecDeque<Spilled>,
    bytes: usize,
    /// Some are being read back.
    loading: bool,
}

impl SpilledQueue {
    pub(crate) fn len(&self) -> usize {
        self.copies.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.copies.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn front(&self) -> Option<&Spilled> {
        self.copies.front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Spilled> {
        self.copies.iter()
    }

    pub(crate) fn push(&mut self, spilled: Spilled) {
        self.bytes += spilled.size_bytes as usize;
        self.copies.push_back(spilled);
    }

    pub(crate) fn pop(&mut self) -> Option<Spilled> {
        let spilled = self.copies.pop_front()?;
        self.bytes -= spilled.size_bytes as usize;
        Some(spilled)
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Spilled> {
        let at = self.copies.binary_search_by_key(&sequence, |spilled| spilled.sequence).ok()?;
        let spilled = self.copies.remove(at)?;
        self.bytes -= spilled.size_bytes as usize;
        Some(spilled)
    }

    pub(crate) fn take_expired(&mut self, now: Timestamp) -> Vec<Spilled> {
        let (copies, bytes) = (&mut self.copies, &mut self.bytes);
        let mut expired = Vec::new();
        copies.retain(|spilled| {
            let is_expired = spilled.expires_at <= now;
            if is_expired {
                *bytes -= spilled.size_bytes as usize;
                expired.push(*spilled);
            }
            !is_expired
        });
        expired
    }

    /// The sequence numbers of the first ones, at least one; `None` while others are being read.
    pub(crate) fn begin_load(&mut self, messages_max: usize, bytes_max: usize) -> Option<Vec<u64>> {
        if self.loading {
            return None;
        }
        let mut bytes = 0_usize;
        let fits = |spilled: &&Spilled| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(spilled.size_bytes as usize);
            is_first || bytes <= bytes_max
        };
        let sequences = self.copies.iter().take(messages_max.max(1)).take_while(fits);
        let sequences = sequences.map(|spilled| spilled.sequence).collect();
        self.loading = true;
        Some(sequences)
    }

    pub(crate) fn end_load(&mut self) {
        self.loading = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_of_a_copy_takes_twenty_four_bytes() {
        assert_eq!(size_of::<Spilled>(), 24);
    }
}
