use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Nanoseconds since a run began, the same in all processes of the run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Clock {
    origin_nanoseconds: u64,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self { origin_nanoseconds: nanoseconds(ClockId::Monotonic) }
    }

    #[inline]
    pub(crate) fn now(self) -> u64 {
        nanoseconds(ClockId::Monotonic).saturating_sub(self.origin_nanoseconds)
    }

    pub(crate) fn now_seconds(self) -> f64 {
        self.now() as f64 / 1e9
    }

    /// A time of this clock as the system's monotonic clock has it.
    pub(crate) fn monotonic(self, nanoseconds: u64) -> u64 {
        self.origin_nanoseconds.saturating_add(nanoseconds)
    }
}

/// Seconds of a plan as nanoseconds.
pub(crate) fn from_seconds(seconds: f64) -> u64 {
    // Plans have no negative times, and the conversion saturates.
    (seconds * 1e9) as u64
}

/// Processor time of all threads of this process.
pub(crate) fn process_cpu_seconds() -> f64 {
    nanoseconds(ClockId::ProcessCPUTime) as f64 / 1e9
}

#[inline]
fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Both parts of these clocks are never negative.
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}
