//! What the process of a client is told, and what it answers.

use std::fmt;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::library::Library;
use crate::scenario::Role;

/// Published to, and subscribed to.
pub(crate) const TOPIC: &str = "bench/building/7/temperature";

/// Published with QoS 1 at the end, so that everything before it has arrived.
pub(crate) const LAST_TOPIC: &str = "bench/last";

/// Of each message.
pub(crate) const PAYLOAD_BYTES: usize = 64;

/// The first argument of a process that is a client.
const CLIENT: &str = "client";

/// What one client has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) role: Role,
    pub(crate) qos: u8,
    pub(crate) messages: u64,
    /// Publishing: messages that are on their way at the same time.
    pub(crate) window: usize,
    /// Of the broker, on this machine.
    pub(crate) port: u16,
}

/// What it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) messages: u64,
    /// Of all threads, in the program and in the system.
    pub(crate) processor_nanoseconds: u64,
    pub(crate) nanoseconds: u64,
    /// The most memory that the process ever had (`VmHWM`).
    pub(crate) resident_kibibytes_peak: u64,
}

/// Measures from its beginning.
pub(crate) struct Stopwatch {
    processor_nanoseconds: u64,
    started_at: Instant,
}

impl Work {
    /// What [`arguments`](Self::arguments) has made, if these are the arguments of a client.
    pub(crate) fn parse(arguments: &[String]) -> Option<(Library, Self)> {
        let [CLIENT, library, role, qos, messages, window, port] =
            arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let work = Self {
            role: Role::find(role)?,
            qos: qos.parse().ok()?,
            messages: messages.parse().ok()?,
            window: window.parse().ok()?,
            port: port.parse().ok()?,
        };
        Some((Library::find(library)?, work))
    }

    /// For the process of a client.
    pub(crate) fn arguments(&self, library: Library) -> [String; 7] {
        let Self { role, qos, messages, window, port } = self;
        [
            CLIENT.to_owned(),
            library.name().to_owned(),
            role.name().to_owned(),
            qos.to_string(),
            messages.to_string(),
            window.to_string(),
            port.to_string(),
        ]
    }
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { processor_nanoseconds: processor_nanoseconds(), started_at: Instant::now() }
    }

    pub(crate) fn stop(&self, work: &Work) -> Result<Spent, String> {
        let processor_nanoseconds = processor_nanoseconds() - self.processor_nanoseconds;
        let nanoseconds = u64::try_from(self.started_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        let resident_kibibytes_peak = peak.ok_or("there is no VmHWM in /proc/self/status")?;
        Ok(Spent { messages: work.messages, processor_nanoseconds, nanoseconds, resident_kibibytes_peak })
    }
}

impl Spent {
    /// What a process has printed: nanoseconds of the processor, nanoseconds, KiB.
    pub(crate) fn parse(line: &str, messages: u64) -> Result<Self, String> {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [processor_nanoseconds, nanoseconds, resident_kibibytes_peak] = numbers[..] else {
            return Err(format!("the client says {line:?}"));
        };
        Ok(Self { messages, processor_nanoseconds, nanoseconds, resident_kibibytes_peak })
    }

    pub(crate) fn processor_microseconds_per_message(&self) -> f64 {
        self.processor_nanoseconds as f64 / 1e3 / self.messages as f64
    }

    pub(crate) fn messages_per_second(&self) -> f64 {
        self.messages as f64 * 1e9 / self.nanoseconds as f64
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.processor_nanoseconds, self.nanoseconds, self.resident_kibibytes_peak)
    }
}

fn processor_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}
