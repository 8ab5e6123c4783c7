use crate::Timestamp;

/// A token bucket: at most `burst` at once and `per_second` in the long run.
///
/// Counts in thousandths of a token, so that no time is lost to rounding however often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    per_second: u32,
    burst: u32,
    millitokens: u64,
    refilled_at: Timestamp,
}

impl Quota {
    /// A full bucket. A `burst` of 0 is taken as 1: such a bucket would never let anything pass.
    #[must_use]
    pub fn new(per_second: u32, burst: u32, now: Timestamp) -> Self {
        let burst = burst.max(1);
        Self { per_second, burst, millitokens: u64::from(burst) * 1000, refilled_at: now }
    }

    /// Takes `amount` tokens if they are there. More than `burst` is taken as `burst`.
    pub fn take(&mut self, amount: u32, now: Timestamp) -> bool {
        self.refill(now);
        let Some(rest) = self.millitokens.checked_sub(self.wanted(amount)) else { return false };
        self.millitokens = rest;
        true
    }

    /// The moment at which `take(amount)` succeeds if nothing else is taken until then;
    /// [`Timestamp::NEVER`] if nothing is ever refilled.
    #[must_use]
    pub fn available_at(&self, amount: u32, now: Timestamp) -> Timestamp {
        let mut refilled = *self;
        refilled.refill(now);
        let missing = refilled.wanted(amount).saturating_sub(refilled.millitokens);
        if missing == 0 {
            return now;
        }
        if self.per_second == 0 {
            return Timestamp::NEVER;
        }
        refilled.refilled_at.plus_milliseconds(missing.div_ceil(u64::from(self.per_second)))
    }

    fn wanted(&self, amount: u32) -> u64 {
        u64::from(amount.min(self.burst)) * 1000
    }

    fn refill(&mut self, now: Timestamp) {
        // One token per second is one millitoken per millisecond.
        let gained = now.milliseconds_since(self.refilled_at).saturating_mul(u64::from(self.per_second));
        self.millitokens = self.millitokens.saturating_add(gained).min(u64::from(self.burst) * 1000);
        self.refilled_at = self.refilled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut quota = Quota::new(2, 3, Timestamp(0));
        assert!((0..3).all(|_| quota.take(1, Timestamp(0))));
        assert!(!quota.take(1, Timestamp(0)));
        assert_eq!(quota.available_at(1, Timestamp(0)), Timestamp(500));
        assert!(!quota.take(1, Timestamp(499)));
        assert!(quota.take(1, Timestamp(500)));
        assert_eq!(quota.available_at(3, Timestamp(500)), Timestamp(2_000));
    }

    #[test]
    fn the_edges() {
        let mut never = Quota::new(0, 0, Timestamp(0));
        assert!(never.take(1, Timestamp(0)));
        assert_eq!(never.available_at(1, Timestamp(9)), Timestamp::NEVER);
        let mut large = Quota::new(u32::MAX, u32::MAX, Timestamp(0));
        assert!(large.take(u32::MAX, Timestamp(0)));
        assert!(large.take(u32::MAX, Timestamp::NEVER));
        // More than the burst is possible when the bucket is full.
        assert!(Quota::new(1, 5, Timestamp(0)).take(9, Timestamp(0)));
    }

    proptest! {
        /// However it is asked, no more passes than burst and rate allow, and what `available_at` says is so.
        #[test]
        fn never_more_than_allowed(
            per_second in 0..2_000_u32,
            burst in 1..50_u32,
            asks in prop::collection::vec((0..700_u64, 1..5_u32), 0..200),
        ) {
            let mut quota = Quota::new(per_second, burst, Timestamp(0));
            let (mut now, mut passed) = (Timestamp(0), 0);
            for (wait, amount) in asks {
                now = now.plus_milliseconds(wait);
                let available_at = quota.available_at(amount, now);
                let taken = quota.take(amount, now);
                prop_assert_eq!(taken, available_at <= now);
                passed += if taken { u64::from(amount.min(burst)) } else { 0 };
                prop_assert!(passed * 1_000 <= u64::from(burst) * 1_000 + now.0 * u64::from(per_second));
                if !taken && !available_at.is_never() {
                    prop_assert!(quota.clone().take(amount, available_at));
                    prop_assert!(!quota.clone().take(amount, Timestamp(available_at.0 - 1)));
                }
            }
        }
    }
}
