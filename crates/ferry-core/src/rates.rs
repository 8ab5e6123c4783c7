//! How fast one client may go. Whoever is faster is read more slowly, so that nothing it has sent is lost.

use std::num::NonZeroU32;

use ferry_session::Timestamp;

use crate::conn::Paused;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, CoreConfig};

/// The type of a PUBLISH in the fixed header (Table 2-1).
const PUBLISH: u8 = 3;

const SECOND_MICROSECONDS: u64 = 1_000_000;

/// What one connection may send in one second, of all that has a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    publishes: Option<Pace>,
    received_bytes: Option<Pace>,
    subscribes: Option<Pace>,
}

/// So much in one second. What was not used of the last second may come at once, and what was too much is made up for
/// by waiting, however large it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pace {
    per_second_max: NonZeroU32,
    /// When all that has come would have come at an even pace.
    spread_until_microseconds: u64,
}

impl Rates {
    /// `None` if nothing has a limit.
    pub(crate) fn new(config: &CoreConfig) -> Option<Box<Self>> {
        let rates = Self {
            publishes: Pace::new(config.publishes_per_second_max),
            received_bytes: Pace::new(config.received_bytes_per_second_max),
            subscribes: Pace::new(config.subscribes_per_second_max),
        };
        let is_limited =
            rates.publishes.is_some() || rates.received_bytes.is_some() || rates.subscribes.is_some();
        is_limited.then(|| Box::new(rates))
    }

    /// A whole packet has come: when the next one may be taken, which is `now` or later.
    fn charge_packet(&mut self, frame: &[u8], now: Timestamp) -> Timestamp {
        let of = |pace: &mut Option<Pace>, amount| pace.as_mut().map_or(now, |pace| pace.charge(amount, now));
        let next = of(&mut self.received_bytes, frame.len());
        let is_publish = frame.first().is_some_and(|first| first >> 4 == PUBLISH);
        if is_publish { next.max(of(&mut self.publishes, 1)) } else { next }
    }
}

impl Pace {
    fn new(per_second_max: u32) -> Option<Self> {
        Some(Self { per_second_max: NonZeroU32::new(per_second_max)?, spread_until_microseconds: 0 })
    }

    /// Counts `amount`, and tells when one more may come.
    fn charge(&mut self, amount: usize, now: Timestamp) -> Timestamp {
        let now_microseconds = now.0.saturating_mul(1000);
        let time_of = |amount: u64| {
            amount.saturating_mul(SECOND_MICROSECONDS).div_ceil(u64::from(self.per_second_max.get()))
        };
        let begin = self.spread_until_microseconds.max(now_microseconds);
        self.spread_until_microseconds = begin.saturating_add(time_of(amount as u64));
        let next = self.spread_until_microseconds.saturating_add(time_of(1));
        now.max(Timestamp(next.saturating_sub(SECOND_MICROSECONDS).div_ceil(1000)))
    }
}

impl Shard {
    /// Reads no further from a client that sends more than it may in a second, until it may again.
    pub(crate) fn limit_rate(&mut self, turn: &mut Turn<'_>, id: ConnId, frame: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(rates) = &mut conn.rates else { return };
        let next = rates.charge_packet(frame, turn.now);
        self.read_again_at(turn, id, next);
    }

    /// The same for the filters that it subscribes to or unsubscribes from.
    pub(crate) fn limit_subscribes(&mut self, turn: &mut Turn<'_>, id: ConnId, filters: usize) {
        let rates = self.conns.get_mut(id).and_then(|conn| conn.rates.as_deref_mut());
        let Some(pace) = rates.and_then(|rates| rates.subscribes.as_mut()) else { return };
        let next = pace.charge(filters, turn.now);
        self.read_again_at(turn, id, next);
    }

    fn read_again_at(&mut self, turn: &mut Turn<'_>, id: ConnId, next: Timestamp) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.is_closing()) else { return };
        if next <= turn.now {
            return;
        }
        conn.rate_limited_until =
            if conn.rate_limited_until.is_never() { next } else { conn.rate_limited_until.max(next) };
        self.counters.rate_pauses += 1;
        self.pause(turn, id, Paused::RATE);
        self.arm_conn(id);
    }

    /// New limits hold for the connections that are there too: no client was told of them.
    pub(crate) fn renew_rates(&mut self, before: &CoreConfig) {
        let rates = Rates::new(&self.config);
        if rates == Rates::new(before) {
            return;
        }
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.session().is_some()) {
                conn.rates.clone_from(&rates);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_at_once_and_then_an_even_pace() {
        let mut pace = Pace::new(10).expect("a limit");
        assert!((0..9).all(|_| pace.charge(1, Timestamp(5_000)) == Timestamp(5_000)));
        assert_eq!(pace.charge(1, Timestamp(5_000)), Timestamp(5_100));
        assert_eq!(pace.charge(1, Timestamp(5_100)), Timestamp(5_200));
        assert_eq!(pace.charge(1, Timestamp(9_000)), Timestamp(9_000));
    }

    #[test]
    fn what_is_larger_than_a_second_is_waited_for() {
        let mut pace = Pace::new(1_000).expect("a limit");
        assert_eq!(pace.charge(61_000, Timestamp(0)), Timestamp(60_001));
        assert_eq!(Pace::new(1).expect("a limit").charge(usize::MAX, Timestamp(0)).0, u64::MAX / 1000 - 999);
        assert_eq!(Pace::new(0), None);
    }

    proptest! {
        /// Whoever waits as told gets no more than the rate, with a second's worth at once and the last packet.
        #[test]
        fn never_more_than_allowed(
            per_second_max in 1..2_000_u32,
            amounts in prop::collection::vec(1..500_usize, 1..100),
        ) {
            let mut pace = Pace::new(per_second_max).expect("a limit");
            let (mut now, mut passed) = (Timestamp(1_000), 0);
            for amount in amounts {
                // What has come before the packet that was one too many.
                prop_assert!(passed * 1_000 <= u64::from(per_second_max) * (now.0 - 1_000 + 1_000));
                passed += amount as u64;
                now = pace.charge(amount, now);
            }
        }
    }
}
