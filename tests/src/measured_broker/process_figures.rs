use std::fs::read_to_string;

/// What Linux tells about a process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFigures(u32);

impl ProcessFigures {
    /// Of the process with this id.
    #[must_use]
    pub fn of(process: u32) -> Self {
        Self(process)
    }

    /// Processor time used so far, in user and kernel mode, by the threads that it has now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn processor_seconds(self) -> Result<f64, String> {
        let nanoseconds = self.of_threads("schedstat", |schedstat| {
            schedstat.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(0)
        })?;
        Ok(nanoseconds as f64 / 1e9)
    }

    /// Memory in use, in bytes, without what the system holds for its sockets.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_bytes(self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.0);
        let status = read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        Ok(field(&status, "VmRSS:") * 1024)
    }

    /// How often its threads have waited for something and been woken, so far.
    ///
    /// # Errors
    /// The process is gone.
    pub fn wakeups(self) -> Result<u64, String> {
        self.of_threads("status", |status| field(status, "\nvoluntary_ctxt_switches:"))
    }

    /// The sum over all threads of what is found in a file of each.
    fn of_threads(self, name: &str, find: impl Fn(&str) -> u64) -> Result<u64, String> {
        let directory = format!("/proc/{}/task", self.0);
        let threads = std::fs::read_dir(&directory).map_err(|error| format!("{directory}: {error}"))?;
        let read = |thread: std::fs::DirEntry| read_to_string(thread.path().join(name)).unwrap_or_default();
        Ok(threads.flatten().map(|thread| find(&read(thread))).sum())
    }
}

fn field(status: &str, name: &str) -> u64 {
    let value = status.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}
