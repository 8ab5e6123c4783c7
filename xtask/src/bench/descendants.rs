//! Processes that other processes have started.

use std::fs::{read_dir, read_to_string};
use std::process::{Command, Stdio};

/// A process and all that descend from it.
pub(super) fn with_descendants(pid: u32) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut next = 0;
    while let Some(pid) = pids.get(next).copied() {
        pids.extend(children(pid));
        next += 1;
    }
    pids
}

/// Kills a process that leads a process group, the group, and its descendants in other groups.
pub(super) fn end_with_descendants(pid: u32) {
    let mut command = Command::new("kill");
    command.args(["-KILL", "--", &format!("-{pid}")]);
    command.args(with_descendants(pid).iter().map(u32::to_string));
    // Some of them may have ended by themselves.
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |task: std::fs::DirEntry| read_to_string(task.path().join("children")).unwrap_or_default();
    let numbers = |text: String| -> Vec<u32> {
        text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    };
    tasks.map(of).flat_map(numbers).collect()
}
