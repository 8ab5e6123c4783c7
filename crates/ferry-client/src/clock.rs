use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferry_session::Timestamp;
use tokio::time::Instant;

/// The time of a session: that of the system when the client was made, and then it never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Timestamp,
    started_at: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Timestamp(milliseconds(since_epoch)), started_at: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.origin.plus_milliseconds(milliseconds(self.started_at.elapsed()))
    }

    /// When it will be that late; `None` if never.
    pub(crate) fn instant(&self, at: Timestamp) -> Option<Instant> {
        if at.is_never() {
            return None;
        }
        // Rounded up: waking before the deadline would be in vain.
        let delay = Duration::from_millis(at.milliseconds_since(self.origin));
        self.started_at.checked_add(delay)
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number that nobody can foretell, from the system's random numbers.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
