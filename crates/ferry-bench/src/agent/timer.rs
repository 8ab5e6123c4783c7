use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::BenchError;
use crate::clock::Clock;

/// Wakes an event loop at a time that is exact to microseconds, where the poll itself has milliseconds.
pub(crate) struct Timer {
    descriptor: OwnedFd,
    clock: Clock,
    armed: Option<u64>,
}

impl Timer {
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn new(clock: Clock, registry: &Registry, token: Token) -> Result<Self, BenchError> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let failed = |error: std::io::Error| BenchError::new(format!("a timer: {error}"));
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(|e| failed(e.into()))?;
        registry
            .register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)
            .map_err(failed)?;
        Ok(Self { descriptor, clock, armed: None })
    }

    /// Wakes the loop then, and not at the time that was set before.
    pub(crate) fn set(&mut self, at: Option<u64>) {
        if self.armed == at {
            return;
        }
        self.armed = at;
        let monotonic = at.map_or(0, |at| self.clock.monotonic(at).max(1));
        let value = Timespec {
            tv_sec: (monotonic / 1_000_000_000) as i64,
            tv_nsec: (monotonic % 1_000_000_000) as i64,
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timer = Itimerspec { it_interval: never, it_value: value };
        // It cannot fail: the descriptor is a timer, and the time is in its range.
        let _ = timerfd_settime(&self.descriptor, TimerfdTimerFlags::ABSTIME, &timer);
    }

    /// It has fired. Setting it again also takes back that it has.
    pub(crate) fn fired(&mut self) {
        self.armed = None;
    }
}
