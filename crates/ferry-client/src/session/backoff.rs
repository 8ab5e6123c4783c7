/// How long to wait before each attempt to connect: twice as long each time, with a random part, so that many clients
/// that lost their server together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    delay_min_ms: u64,
    delay_max_ms: u64,
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// Delays between a half and the whole of `delay_min_ms`, then of its double, and so on up to `delay_max_ms`.
    #[must_use]
    pub fn new(delay_min_ms: u64, delay_max_ms: u64, seed: u64) -> Self {
        Self { delay_min_ms, delay_max_ms: delay_max_ms.max(delay_min_ms), attempts: 0, random: seed }
    }

    /// Milliseconds to wait before the next attempt.
    pub fn next_delay_ms(&mut self) -> u64 {
        let doubled =
            1_u64.checked_shl(self.attempts).and_then(|factor| self.delay_min_ms.checked_mul(factor));
        let delay = doubled.unwrap_or(u64::MAX).min(self.delay_max_ms);
        self.attempts = (self.attempts + 1).min(u64::BITS);
        let half = delay / 2;
        half + self.next_random() % (delay - half + 1)
    }

    /// A connection has been good: the next delay is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How many attempts there were since then.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// SplitMix64.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_maximum_and_differ() {
        let mut backoff = Backoff::new(100, 1_000, 1);
        for bound in [100, 200, 400, 800, 1_000, 1_000] {
            let delay = backoff.next_delay_ms();
            assert!((bound / 2..=bound).contains(&delay), "{delay} of {bound}");
        }
        backoff.reset();
        assert!(backoff.next_delay_ms() <= 100);
        let of_another = Backoff::new(1_000, 60_000, 2).next_delay_ms();
        assert_ne!(Backoff::new(1_000, 60_000, 1).next_delay_ms(), of_another);
    }

    #[test]
    fn the_edges() {
        let mut backoff = Backoff::new(1, u64::MAX, 9);
        assert!((0..200).map(|_| backoff.next_delay_ms()).last() > Some(1 << 62));
        assert_eq!(Backoff::new(0, 0, 3).next_delay_ms(), 0);
    }
}
