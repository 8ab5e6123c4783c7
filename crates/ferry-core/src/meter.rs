//! How much has come lately from somebody, whatever connections it came by.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use ferry_session::Timestamp;

/// Meters remembered beyond those of connected clients. Whoever comes when there are as many has one for its connection only.
const REMEMBERED_MAX: usize = 65_536;

/// Below so many, nothing is looked for that could be forgotten.
const SWEEP_MIN: usize = 1_024;

/// Between two searches of a full table.
const SWEEP_INTERVAL_SECONDS: u32 = 1;

const SECOND_MICROSECONDS: u64 = 1_000_000;

/// What has come from a client, a user or an address, by each of its connections on whichever shard.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) connects: Pace,
    pub(crate) publishes: Pace,
    pub(crate) received_bytes: Pace,
    pub(crate) subscribes: Pace,
}

/// When all that has come would have come at an even pace, in microseconds. What was not used of the last period may come at
/// once, and what was too much is made up for by waiting, however large it was. Once that time has passed it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    spread_until_microseconds: AtomicU64,
}

/// So much in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    max: NonZeroU32,
    period_microseconds: u64,
}

impl Rate {
    pub(crate) fn per_second(max: NonZeroU32) -> Self {
        Self { max, period_microseconds: SECOND_MICROSECONDS }
    }

    pub(crate) fn per_minute(max: NonZeroU32) -> Self {
        Self { max, period_microseconds: 60 * SECOND_MICROSECONDS }
    }

    fn time_of(self, amount: u64) -> u64 {
        amount.saturating_mul(self.period_microseconds).div_ceil(u64::from(self.max.get()))
    }

    /// When one more may come.
    fn next(self, spread_until_microseconds: u64, now: Timestamp) -> Timestamp {
        let next = spread_until_microseconds.saturating_add(self.time_of(1));
        now.max(Timestamp(next.saturating_sub(self.period_microseconds).div_ceil(1000)))
    }
}

impl Pace {
    /// Counts `amount`, and tells when one more may come: `now` or later.
    pub(crate) fn charge(&self, amount: usize, rate: Rate, now: Timestamp) -> Timestamp {
        let time = rate.time_of(amount as u64);
        let now_microseconds = now.0.saturating_mul(1000);
        let after = |before: u64| before.max(now_microseconds).saturating_add(time);
        let mut before = self.spread_until_microseconds.load(Ordering::Relaxed);
        // Other shards count here too.
        while let Err(other) = self.spread_until_microseconds.compare_exchange_weak(
            before,
            after(before),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            before = other;
        }
        rate.next(after(before), now)
    }

    /// When one more may come.
    pub(crate) fn next(&self, rate: Rate, now: Timestamp) -> Timestamp {
        let spread_until = self.spread_until_microseconds.load(Ordering::Relaxed);
        rate.next(spread_until.max(now.0.saturating_mul(1000)), now)
    }

    fn says_something(&self, now: Timestamp) -> bool {
        self.spread_until_microseconds.load(Ordering::Relaxed) > now.0.saturating_mul(1000)
    }
}

impl Meter {
    fn says_something(&self, now: Timestamp) -> bool {
        let Self { connects, publishes, received_bytes, subscribes } = self;
        [connects, publishes, received_bytes, subscribes].iter().any(|pace| pace.says_something(now))
    }
}

/// The meters of those that are connected, and of those that were and have used up something since.
///
/// A meter is forgotten when nobody has it and it says nothing any more, which is after at most one period for whoever kept to
/// its rate, and later for others: forgetting never gives anybody anything. When there is no room for more, newcomers are not
/// remembered.
#[derive(Debug)]
pub(crate) struct MeterTable<K> {
    meters: HashMap<K, Arc<Meter>, RandomState>,
    sweep_at: usize,
    swept_at: Timestamp,
    /// The last search has found no room.
    is_full: bool,
}

impl<K: Eq + Hash> MeterTable<K> {
    /// `seed` keys the table.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, seed.rotate_left(13), !seed, 0x2545_F491_4F6C_DD1D);
        let meters = HashMap::with_hasher(hasher);
        Self { meters, sweep_at: SWEEP_MIN, swept_at: Timestamp(0), is_full: false }
    }

    /// The meter of whoever has this key, the one that it had before if that says anything. `None`: there is no room.
    pub(crate) fn meter<Q>(&mut self, key: &Q, now: Timestamp) -> Option<Arc<Meter>>
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(meter) = self.meters.get(key) {
            return Some(Arc::clone(meter));
        }
        if self.meters.len() >= self.sweep_at {
            self.sweep(now);
            if self.is_full {
                return None;
            }
        }
        let meter = Arc::<Meter>::default();
        self.meters.insert(key.into(), Arc::clone(&meter));
        Some(meter)
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.is_full && now < self.swept_at.plus_seconds(SWEEP_INTERVAL_SECONDS) {
            return;
        }
        self.swept_at = now;
        let mut in_use = 0;
        self.meters.retain(|_, meter| {
            let is_in_use = Arc::strong_count(meter) > 1;
            in_use += usize::from(is_in_use);
            is_in_use || meter.says_something(now)
        });
        let most = in_use + REMEMBERED_MAX;
        self.is_full = self.meters.len() >= most;
        self.sweep_at = (2 * self.meters.len()).clamp(SWEEP_MIN, most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn per_second(max: u32) -> Rate {
        Rate::per_second(NonZeroU32::new(max).expect("a limit"))
    }

    #[test]
    fn a_second_at_once_and_then_an_even_pace() {
        let (pace, rate) = (Pace::default(), per_second(10));
        assert!((0..9).all(|_| pace.charge(1, rate, Timestamp(5_000)) == Timestamp(5_000)));
        assert_eq!(pace.charge(1, rate, Timestamp(5_000)), Timestamp(5_100));
        assert_eq!(pace.next(rate, Timestamp(5_000)), Timestamp(5_100));
        assert_eq!(pace.charge(1, rate, Timestamp(5_100)), Timestamp(5_200));
        assert_eq!(pace.charge(1, rate, Timestamp(9_000)), Timestamp(9_000));
    }

    #[test]
    fn what_is_larger_than_a_second_is_waited_for() {
        assert_eq!(Pace::default().charge(61_000, per_second(1_000), Timestamp(0)), Timestamp(60_001));
        assert_eq!(Pace::default().charge(usize::MAX, per_second(1), Timestamp(0)).0, u64::MAX / 1000 - 999);
    }

    #[test]
    fn who_owes_something_is_remembered_and_nobody_else() {
        let mut table = MeterTable::<Arc<str>>::new(1);
        let (rate, now) = (per_second(10), Timestamp(1_000));
        let heavy = table.meter("heavy", now).expect("there is room");
        let owes_until = heavy.publishes.charge(1_000, rate, now);
        drop(heavy);
        let quiet = table.meter("quiet", now).expect("there is room");
        for number in 0..REMEMBERED_MAX * 3 {
            let stranger = table.meter(format!("{number}").as_str(), now);
            if let Some(meter) = stranger {
                meter.publishes.charge(1, rate, now);
            }
        }
        assert!(table.meters.len() <= REMEMBERED_MAX + 1, "{}", table.meters.len());
        assert!(table.meter("another", now).is_none(), "there is no room");
        let found = table.meter("heavy", now).expect("it is not forgotten");
        assert_eq!(found.publishes.next(rate, now), owes_until);
        drop(found);
        let later = Timestamp(3_000);
        assert!(table.meter("another", later).is_some());
        assert_eq!(table.meters.len(), 3, "heavy, quiet, another");
        assert_eq!(quiet.publishes.next(rate, later), later);
    }

    proptest! {
        /// Whoever waits as told gets no more than the rate, with a second's worth at once and the last packet.
        #[test]
        fn never_more_than_allowed(
            per_second_max in 1..2_000_u32,
            amounts in prop::collection::vec(1..500_usize, 1..100),
        ) {
            let (pace, rate) = (Pace::default(), per_second(per_second_max));
            let (mut now, mut passed) = (Timestamp(1_000), 0);
            for amount in amounts {
                // What has come before the packet that was one too many.
                prop_assert!(passed * 1_000 <= u64::from(per_second_max) * (now.0 - 1_000 + 1_000));
                passed += amount as u64;
                now = pace.charge(amount, rate, now);
            }
        }
    }
}
