//! What this process may open: files, and ports to connect from.

use std::fs::read_to_string;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::BenchError;
use crate::plan::{Plan, Scheme};
use crate::transport::Addresses;

/// Files besides connections: standard streams, polls, timers, `/proc`, libraries.
const OTHER_FILES: u64 = 64;

/// Ports that Linux gives to outgoing connections, if it does not say.
const PORTS_DEFAULT: u64 = 28_232;

/// Raises the limit of open files as far as it goes, and looks whether it is enough.
///
/// # Errors
/// It is not, or there are not enough ports; the text says what to do.
pub(crate) fn check(plan: &Plan) -> Result<(), BenchError> {
    let clients = (plan.publishers() + plan.subscribers()) as u64;
    check_files(clients.div_ceil(plan.processes.max(1) as u64), open_files_max())?;
    if plan.target.scheme == Scheme::Unix {
        return Ok(());
    }
    let sources = Addresses::of(plan)?.source_count() as u64;
    check_ports(clients, sources, ports())
}

fn open_files_max() -> u64 {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    // A refusal leaves the limit as it was.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn check_files(clients: u64, limit: u64) -> Result<(), BenchError> {
    let needed = clients + OTHER_FILES;
    if needed <= limit {
        return Ok(());
    }
    let processes = needed.div_ceil(limit.saturating_sub(OTHER_FILES).max(1));
    Err(BenchError::new(format!(
        "{clients} clients in a process need {needed} open files, and it may have {limit}: raise the limit (ulimit -n \
         {needed}), or use --processes {processes} or more"
    )))
}

fn check_ports(clients: u64, sources: u64, ports: u64) -> Result<(), BenchError> {
    let available = ports.saturating_mul(sources);
    if clients <= available {
        return Ok(());
    }
    Err(BenchError::new(format!(
        "{clients} clients need as many ports, and {sources} address(es) have {available}: use more addresses, as \
         --source-addresses 127.0.0.0/24 if the broker is on this machine, or widen net.ipv4.ip_local_port_range"
    )))
}

fn ports() -> u64 {
    let text = read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_whitespace().filter_map(|bound| bound.parse::<u64>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(first), Some(last)) if last >= first => last - first + 1,
        _ => PORTS_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_enough_says_what_to_do() {
        assert!(check_files(900, 1_024).is_ok());
        let error = check_files(20_000, 10_000).unwrap_err().to_string();
        assert!(error.contains("ulimit -n 20064") && error.contains("--processes 3"), "{error}");
        assert!(check_ports(28_000, 1, 28_232).is_ok());
        let error = check_ports(50_000, 1, 28_232).unwrap_err().to_string();
        assert!(error.contains("--source-addresses"), "{error}");
        assert!(check_ports(50_000, 2, 28_232).is_ok());
    }
}
