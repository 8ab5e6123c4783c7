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
