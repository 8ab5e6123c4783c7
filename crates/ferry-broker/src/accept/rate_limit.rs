use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ferry_session::Timestamp;

/// So many per second, for all threads together. What was not used in the last second may come at once.
///
/// Kept as one number: the time at which everything allowed so far would have come if it had been evenly spread
/// (the "generic cell rate algorithm").
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second_max: AtomicU32,
    spread_until_microseconds: AtomicU64,
}

const SECOND_MICROSECONDS: u64 = 1_000_000;

impl RateLimit {
    pub(crate) fn new(per_second_max: u32) -> Self {
        Self { per_second_max: AtomicU32::new(per_second_max), spread_until_microseconds: AtomicU64::new(0) }
    }

    pub(crate) fn set_max(&self, per_second_max: u32) {
        self.per_second_max.store(per_second_max, Ordering::Relaxed);
    }

    /// Whether one more may come now.
    pub(crate) fn allows(&self, now: Timestamp) -> bool {
        let now = now.0.saturating_mul(1000);
        let share = SECOND_MICROSECONDS / u64::from(self.per_second_max.load(Ordering::Relaxed).max(1));
        self.spread_until_microseconds
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                let next = until.max(now).saturating_add(share);
                (next <= now.saturating_add(SECOND_MICROSECONDS)).then_some(next)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limit: &RateLimit, now: u64, tries: usize) -> usize {
        (0..tries).filter(|_| limit.allows(Timestamp(now))).count()
    }

    #[test]
    fn a_second_has_its_share_and_no_more() {
        let limit = RateLimit::new(100);
        assert_eq!(allowed(&limit, 5_000, 1000), 100);
        assert_eq!(allowed(&limit, 5_500, 1000), 50);
        assert_eq!(allowed(&limit, 5_500, 1000), 0);
        assert_eq!(allowed(&limit, 60_000, 1000), 100);
    }

    #[test]
    fn one_per_second() {
        let limit = RateLimit::new(1);
        assert_eq!(allowed(&limit, 1_000, 3), 1);
        assert_eq!(allowed(&limit, 1_999, 3), 0);
        assert_eq!(allowed(&limit, 2_000, 3), 1);
    }
}
