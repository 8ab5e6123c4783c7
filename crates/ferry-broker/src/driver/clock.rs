use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ferry_session::Timestamp;

/// The time the core sees: the wall clock at start plus what the monotonic clock has counted since. It never
/// goes back and never jumps, whatever is done to the wall clock while the broker runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: Timestamp,
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started_at: Timestamp(whole_milliseconds(since_epoch)), started: Instant::now() }
    }

    pub(crate) fn now(self) -> Timestamp {
        Timestamp(self.started_at.0.saturating_add(whole_milliseconds(self.started.elapsed())))
    }

    /// As [`now`](Self::now), in nanoseconds since 1970.
    pub(crate) fn nanoseconds(self) -> u64 {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.started_at.0.saturating_mul(1_000_000).saturating_add(elapsed)
    }

    /// When the monotonic clock will show `timestamp`; `None` when that is further off than it can count.
    pub(crate) fn instant(self, timestamp: Timestamp) -> Option<Instant> {
        let after_start = timestamp.0.saturating_sub(self.started_at.0);
        self.started.checked_add(Duration::from_millis(after_start))
    }

    pub(crate) fn uptime(self) -> Duration {
        self.started.elapsed()
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_shows_its_timestamp() {
        let clock = Clock::start();
        let later = Timestamp(clock.started_at.0 + 1500);
        assert_eq!(clock.instant(later), Some(clock.started + Duration::from_millis(1500)));
    }

    #[test]
    fn times_before_the_start_are_the_start() {
        let clock = Clock::start();
        assert_eq!(clock.instant(Timestamp(0)), Some(clock.started));
    }
}
