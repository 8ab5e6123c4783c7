use std::fs::read_to_string;

use serde::{Deserialize, Serialize};

/// Where load was generated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name for itself.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Physical memory.
    pub memory_bytes: u64,
    /// The system's name, as in `/etc/os-release`.
    pub system: String,
    /// Version of the kernel.
    pub kernel: String,
}

impl Machine {
    /// What this machine says of itself; empty where it says nothing.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kibibytes: u64 = memory.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        Self {
            cpu: after(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes * 1024,
            system: after(&read("/etc/os-release"), "PRETTY_NAME").unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}
