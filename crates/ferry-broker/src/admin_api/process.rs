use std::time::Duration;

use crate::process_memory::resident_bytes;

/// What the process uses.
pub(super) struct ProcessFigures {
    pub(super) resident_bytes: u64,
    /// Of all its threads, in the system too.
    pub(super) cpu_seconds: f64,
}

impl ProcessFigures {
    /// `None` where the system does not tell it so.
    pub(super) fn read() -> Option<Self> {
        let resident_bytes = resident_bytes()?;
        let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let used = Duration::new(u64::try_from(usage.tv_sec).ok()?, u32::try_from(usage.tv_nsec).ok()?);
        Some(Self { resident_bytes, cpu_seconds: used.as_secs_f64() })
    }
}
