//! When the broker is overloaded, those who are connected are served, and nobody else is let in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ferry_session::Timestamp;

use crate::process_memory::{resident_bytes, sensible_bytes_max};

/// The broker counts as overloaded for so long after the last sign of it.
const RECOVERY_MILLISECONDS: u64 = 1_000;

/// Between two looks at the memory of the process.
const LOOK_INTERVAL_MILLISECONDS: u64 = 500;

/// After the log has told of an overload, it is quiet about others like it for so long.
const QUIET_MILLISECONDS: u64 = 60_000;

/// Whether the broker has more to do than it can, or has no room for more. Shared by all shards, each of which tells of its own
/// delays.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    lag: Delay,
    store_lag: Delay,
    memory: Memory,
    log: Mutex<Log>,
}

/// The limits of [`Overload`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverloadLimits {
    /// Time in which a shard serves each connection that has something for it.
    pub(crate) lag_milliseconds_max: Option<u32>,
    /// Time in which the store catches up.
    pub(crate) store_lag_milliseconds_max: Option<u32>,
    /// Bytes of the process; `None`: most of what it may have.
    pub(crate) memory_bytes_max: Option<u64>,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strain {
    Lag,
    StoreLag,
    Memory,
}

/// A time that is too long, and until when that counts. It begins above the limit and ends below half of it.
#[derive(Debug, Default)]
struct Delay {
    /// 0: there is none.
    milliseconds_max: AtomicU64,
    until: AtomicU64,
}

#[derive(Debug, Default)]
struct Memory {
    /// 0: not known.
    bytes_max: AtomicU64,
    looked_at: AtomicU64,
    is_short: AtomicBool,
}

#[derive(Debug, Default)]
struct Log {
    told: Option<Strain>,
    quiet_until: u64,
}

impl Strain {
    pub(crate) const ALL: [Self; 3] = [Self::Lag, Self::StoreLag, Self::Memory];

    /// The name in metrics and for `/ready`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::StoreLag => "store_lag",
            Self::Memory => "memory",
        }
    }

    /// The option that says how much is too much.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Lag => "limits.overload_lag_milliseconds_max",
            Self::StoreLag => "limits.overload_store_lag_milliseconds_max",
            Self::Memory => "limits.overload_memory_bytes_max",
        }
    }

    /// Why nobody is let in.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Lag => "the broker is overloaded: it is behind with what its clients send",
            Self::StoreLag => "the broker is overloaded: its disk is behind with what is to be stored",
            Self::Memory => "the broker is overloaded: it is short of memory",
        }
    }
}

impl Delay {
    fn set_max(&self, milliseconds_max: Option<u32>) {
        self.milliseconds_max.store(milliseconds_max.map_or(0, u64::from), Ordering::Relaxed);
        if milliseconds_max.is_none() {
            self.until.store(0, Ordering::Relaxed);
        }
    }

    /// Something has taken so long.
    fn took(&self, milliseconds: u64, now: Timestamp) {
        let max = self.milliseconds_max.load(Ordering::Relaxed);
        let is_long = milliseconds > max || milliseconds > max / 2 && self.is_too_long(now);
        if max > 0 && is_long {
            self.until.fetch_max(now.0.saturating_add(RECOVERY_MILLISECONDS), Ordering::Relaxed);
        }
    }

    fn is_too_long(&self, now: Timestamp) -> bool {
        self.until.load(Ordering::Relaxed) > now.0
    }
}

impl Memory {
    /// Looks now and then; between that, it is what it was.
    fn is_short(&self, now: Timestamp) -> bool {
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        if now.0 >= looked_at.saturating_add(LOOK_INTERVAL_MILLISECONDS)
            && self.looked_at.compare_exchange(looked_at, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && let Some(bytes) = resident_bytes()
        {
            self.has(bytes);
        }
        self.is_short.load(Ordering::Relaxed)
    }

    /// It begins at the limit, and ends a twentieth below it.
    fn has(&self, bytes: u64) {
        let max = self.bytes_max.load(Ordering::Relaxed);
        let was_short = self.is_short.load(Ordering::Relaxed);
        let limit = if was_short { max - max / 20 } else { max };
        self.is_short.store(max > 0 && bytes >= limit, Ordering::Relaxed);
    }
}

impl Overload {
    pub(crate) fn new(limits: OverloadLimits) -> Self {
        let overload = Self::default();
        overload.set_limits(limits);
        overload
    }

    pub(crate) fn set_limits(&self, limits: OverloadLimits) {
        self.lag.set_max(limits.lag_milliseconds_max);
        self.store_lag.set_max(limits.store_lag_milliseconds_max);
        let bytes_max = limits.memory_bytes_max.or_else(sensible_bytes_max).unwrap_or(0);
        self.memory.bytes_max.store(bytes_max, Ordering::Relaxed);
        // The next one looks again.
        self.memory.looked_at.store(0, Ordering::Relaxed);
        self.memory.is_short.store(false, Ordering::Relaxed);
    }

    /// A shard has served each connection that had something for it when it began, so long ago.
    pub(crate) fn lap_took(&self, milliseconds: u64, now: Timestamp) {
        self.lag.took(milliseconds, now);
    }

    /// The store has more to write than it should, for so long.
    pub(crate) fn store_is_behind(&self, milliseconds: u64, now: Timestamp) {
        self.store_lag.took(milliseconds, now);
    }

    /// What there is too much of now, if anything. The log tells when that begins and ends.
    pub(crate) fn strain(&self, now: Timestamp) -> Option<Strain> {
        let strain = if self.memory.is_short(now) {
            Some(Strain::Memory)
        } else if self.store_lag.is_too_long(now) {
            Some(Strain::StoreLag)
        } else {
            self.lag.is_too_long(now).then_some(Strain::Lag)
        };
        self.tell(strain, now);
        strain
    }

    fn tell(&self, strain: Option<Strain>, now: Timestamp) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match strain {
            Some(strain) if log.told.is_none() && now.0 >= log.quiet_until => {
                log.told = Some(strain);
                log.quiet_until = now.0.saturating_add(QUIET_MILLISECONDS);
                tracing::warn!(
                    "{} ({}): new clients are refused, those that are connected are served",
                    strain.words(),
                    strain.option()
                );
            }
            None if log.told.take().is_some() => {
                tracing::info!("the broker is not overloaded any more: new clients are let in");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overload(limits: OverloadLimits) -> Overload {
        Overload::new(OverloadLimits { memory_bytes_max: Some(u64::MAX), ..limits })
    }

    #[test]
    fn it_ends_later_than_it_began() {
        let overload =
            overload(OverloadLimits { lag_milliseconds_max: Some(100), ..OverloadLimits::default() });
        let is_lagging = |now| overload.strain(Timestamp(now)) == Some(Strain::Lag);
        overload.lap_took(100, Timestamp(10_000));
        assert!(!is_lagging(10_000));
        overload.lap_took(101, Timestamp(10_000));
        assert!(is_lagging(10_000) && is_lagging(10_999));
        overload.lap_took(51, Timestamp(10_900));
        assert!(is_lagging(11_899), "half the limit is still too long");
        overload.lap_took(50, Timestamp(11_800));
        assert!(!is_lagging(11_900));
        overload.lap_took(51, Timestamp(11_900));
        assert!(!is_lagging(11_900));
    }

    #[test]
    fn without_limits_nothing_is_too_long() {
        let overload = overload(OverloadLimits::default());
        overload.lap_took(1_000_000, Timestamp(5));
        overload.store_is_behind(1_000_000, Timestamp(5));
        assert_eq!(overload.strain(Timestamp(5)), None);
        overload
            .set_limits(OverloadLimits { store_lag_milliseconds_max: Some(5), ..OverloadLimits::default() });
        overload.store_is_behind(6, Timestamp(5));
        assert_eq!(overload.strain(Timestamp(5)), Some(Strain::StoreLag));
    }

    #[test]
    fn memory_has_to_become_a_little_less_than_the_limit() {
        let memory = Memory::default();
        let is_short = |bytes| {
            memory.has(bytes);
            memory.is_short.load(Ordering::Relaxed)
        };
        assert!(!is_short(u64::MAX), "there is no limit");
        memory.bytes_max.store(1_000, Ordering::Relaxed);
        assert!(!is_short(999));
        assert!(is_short(1_000) && is_short(950));
        assert!(!is_short(949) && !is_short(950));
    }
}
