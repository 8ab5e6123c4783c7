//! Less than a processor for each shard, so that two shards and the load generator have enough of two processors.

use std::fs::{read_dir, read_to_string};
use std::process::Command;

/// How much of a processor a shard has.
pub(super) const PERCENT: u64 = 30;

/// How often it has that: short enough that the load generator hardly notices the pauses.
const PERIOD_NANOSECONDS: u64 = 10_000_000;

/// What the names of the threads begin with that are shards.
const SHARD: &str = "ferry-shard";

/// Lets each shard of a broker use [`PERCENT`] of a processor and no more: the system stops it until the next period.
///
/// # Errors
/// When this is not allowed, or the broker has no shards.
pub(super) fn give_to_shards(pid: u32) -> Result<(), String> {
    let tasks = read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let is_shard = |task: &std::fs::DirEntry| {
        read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with(SHARD))
    };
    let shards: Vec<_> = tasks.filter(is_shard).collect();
    if shards.is_empty() {
        return Err(format!("no thread is called {SHARD}"));
    }
    for shard in shards {
        let mut command = Command::new("chrt");
        // What the thread starts is not to be stopped with it.
        command.args(["--deadline", "--reset-on-fork"]);
        command.args(["--sched-runtime", &(PERIOD_NANOSECONDS * PERCENT / 100).to_string()]);
        command.args(["--sched-deadline", &PERIOD_NANOSECONDS.to_string()]);
        command.args(["--sched-period", &PERIOD_NANOSECONDS.to_string()]);
        let output = command.args(["--pid", "0"]).arg(shard.file_name()).output();
        let output = output.map_err(|error| format!("chrt of util-linux: {error}"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("a shard cannot be slowed down, which takes root: {}", words.trim()));
        }
    }
    Ok(())
}
