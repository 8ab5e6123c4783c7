//! How much memory the process has, and how much it may have.

use std::fs;

/// Of what there is at most, so much may be used before the broker is short of memory.
const PERCENT_MAX: u64 = 90;

/// Bytes of the process that are in memory; `None` where the system does not tell it so.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmRSS:")
}

/// Bytes beyond which the process is likely to be ended by the system soon: most of what its control group may have, or of what the
/// machine has. `None` where the system does not tell it so.
pub(crate) fn sensible_bytes_max() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemTotal:"));
    let of_group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|groups| group_bytes_max(&groups));
    let bytes = [machine, of_group].into_iter().flatten().min()?;
    Some(bytes / 100 * PERCENT_MAX)
}

/// The least of the limits of a control group (version 2) and of those that it is in. In a container its own is shown as
/// the root.
fn group_bytes_max(groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut bytes_max: Option<u64> = None;
    let mut path = Some(path);
    while let Some(group) = path {
        let file = format!("/sys/fs/cgroup/{group}/memory.max");
        let limit = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        bytes_max = [bytes_max, limit].into_iter().flatten().min();
        path = match group.rsplit_once('/') {
            Some((parent, _)) => Some(parent),
            None if group.is_empty() => None,
            None => Some(""),
        };
    }
    bytes_max
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_less_than_it_may() {
        let (has, may) = (resident_bytes().expect("Linux"), sensible_bytes_max().expect("Linux"));
        assert!(has > 100_000 && has < may, "{has} of {may}");
    }

    #[test]
    fn a_group_that_is_not_there_has_no_limit() {
        assert_eq!(group_bytes_max("0::/no-such-group/within-another\n"), group_bytes_max("0::/\n"));
        assert_eq!(group_bytes_max("1:memory:/x\n"), None);
    }
}
