//! The memory of a process, as Linux tells it.

/// A process to look at, or none.
pub(crate) struct ResidentMemory(Option<u32>);

impl ResidentMemory {
    pub(crate) fn new(process: Option<u32>) -> Self {
        Self(process)
    }

    /// Bytes that are really there (`VmRSS`), without what the system holds for its sockets.
    pub(crate) fn bytes(&self) -> Result<Option<u64>, String> {
        let Some(process) = self.0 else { return Ok(None) };
        let path = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kibibytes.map(|kibibytes| Some(kibibytes * 1024)).ok_or(format!("{path} has no VmRSS"))
    }
}
