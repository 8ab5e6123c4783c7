//! What the system knows about processes: time, memory, context switches, and who listens on a port.

use std::fs::{read_dir, read_link, read_to_string};

use crate::report::Usage;

/// Clock ticks per second in `/proc`, a constant of Linux' interface (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// State LISTEN in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// What these processes have used since they began; those that are gone count nothing.
pub(crate) fn usage(pids: &[u32]) -> Usage {
    let mut sum = Usage::default();
    for pid in pids {
        let one = usage_of(*pid);
        sum.cpu_seconds += one.cpu_seconds;
        sum.resident_bytes += one.resident_bytes;
        sum.voluntary_context_switches += one.voluntary_context_switches;
        sum.involuntary_context_switches += one.involuntary_context_switches;
    }
    sum
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn exists(pid: u32) -> bool {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state comes after the name, which may contain anything. Z and X have ended, and nobody has asked how.
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !matches!(rest.trim_start().chars().next(), None | Some('Z' | 'X')))
}

/// What was used between two samples, with the memory of the second.
pub(crate) fn between(before: Usage, after: Usage) -> Usage {
    Usage {
        cpu_seconds: (after.cpu_seconds - before.cpu_seconds).max(0.0),
        resident_bytes: after.resident_bytes,
        voluntary_context_switches: after
            .voluntary_context_switches
            .saturating_sub(before.voluntary_context_switches),
        involuntary_context_switches: after
            .involuntary_context_switches
            .saturating_sub(before.involuntary_context_switches),
    }
}

/// The processes on this machine that listen on a TCP port; empty if they cannot be found.
pub(crate) fn listening_on(port: u16) -> Vec<u32> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = read_to_string(table).unwrap_or_default();
        inodes.extend(text.lines().filter_map(|line| listening_inode(line, port)));
    }
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let Ok(entries) = read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| has_open(*pid, &links)).collect()
}

fn usage_of(pid: u32) -> Usage {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The fields after the name, which may contain anything: state is the 3rd, utime the 14th, stime the 15th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut usage = Usage {
        cpu_seconds: ticks / TICKS_PER_SECOND,
        resident_bytes: field(&status, "VmRSS:") * 1024,
        ..Usage::default()
    };
    for thread in read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let status = read_to_string(thread.path().join("status")).unwrap_or_default();
        usage.voluntary_context_switches += field(&status, "\nvoluntary_ctxt_switches:");
        usage.involuntary_context_switches += field(&status, "\nnonvoluntary_ctxt_switches:");
    }
    usage
}

fn field(status: &str, name: &str) -> u64 {
    let value = status.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn listening_inode(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_whitespace().skip(1);
    let (_, local_port) = fields.next()?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let is_it = state == LISTEN && u16::from_str_radix(local_port, 16).ok()? == port;
    fields.nth(5).filter(|_| is_it)?.parse().ok()
}

fn has_open(pid: u32, links: &[String]) -> bool {
    let Ok(descriptors) = read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        let target = read_link(descriptor.path()).unwrap_or_default();
        links.iter().any(|link| target.as_os_str() == link.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_listener_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listening_on(listener.local_addr().unwrap().port()), [std::process::id()]);
    }

    #[test]
    fn a_process_that_has_ended_is_not_there() {
        assert!(exists(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!exists(pid));
    }

    #[test]
    fn a_process_uses_something() {
        let usage = usage(&[std::process::id()]);
        assert!(usage.resident_bytes > 100_000 && usage.voluntary_context_switches > 0);
    }
}
