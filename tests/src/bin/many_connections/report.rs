//! How figures are printed, and where they come from.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ferry_tests::measured_broker::ProcessFigures;

/// A running broker and its process, if that is known.
#[derive(Clone, Copy)]
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    pub(crate) process: Option<ProcessFigures>,
}

/// What a broker has used up to some moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    at: Instant,
    used: Option<Used>,
}

#[derive(Clone, Copy)]
struct Used {
    resident_bytes: u64,
    processor_seconds: f64,
    wakeups: u64,
}

/// What it has used between two of them.
pub(crate) struct Spent {
    pub(crate) duration: Duration,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) processor_seconds: Option<f64>,
    pub(crate) wakeups: Option<u64>,
}

impl Broker {
    pub(crate) fn snapshot(&self) -> Result<Snapshot, String> {
        let used = |process: ProcessFigures| {
            Ok::<_, String>(Used {
                resident_bytes: process.resident_bytes()?,
                processor_seconds: process.processor_seconds()?,
                wakeups: process.wakeups()?,
            })
        };
        Ok(Snapshot { used: self.process.map(used).transpose()?, at: Instant::now() })
    }

    pub(crate) fn since(&self, before: Snapshot) -> Result<Spent, String> {
        let now = self.snapshot()?;
        let both = before.used.zip(now.used);
        Ok(Spent {
            duration: now.at - before.at,
            resident_bytes: both.map(|(a, b)| b.resident_bytes.saturating_sub(a.resident_bytes)),
            processor_seconds: both.map(|(a, b)| b.processor_seconds - a.processor_seconds),
            wakeups: both.map(|(a, b)| b.wakeups.saturating_sub(a.wakeups)),
        })
    }
}

impl Spent {
    /// One line about `count` of something.
    pub(crate) fn print_each(&self, what: &str, count: usize) {
        let seconds = self.duration.as_secs_f64();
        print!("  {what:<44}{:>9.0} a second", count as f64 / seconds);
        if let Some(processor_seconds) = self.processor_seconds {
            print!("{:>9.2} µs of processor time each", processor_seconds * 1e6 / count as f64);
        }
        println!();
    }

    /// One line about the memory for each of `count`, without what is their own.
    pub(crate) fn print_bytes_each(&self, what: &str, count: usize, own_bytes: usize) {
        if let Some(bytes) = self.resident_bytes {
            let own = if own_bytes > 0 { format!(", over {own_bytes} of its own") } else { String::new() };
            println!(
                "  {what:<44}{:>9} bytes each{own}",
                (bytes / count as u64).saturating_sub(own_bytes as u64)
            );
        }
    }
}

pub(crate) fn line(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<44}{value:>9}");
}
