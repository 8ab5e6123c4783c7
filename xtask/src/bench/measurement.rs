use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::broker_process::BrokerProcess;
use super::guard::Guard;
use super::peer::Need;

/// What all runs of one broker in one scenario came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Measurement {
    /// Results of `ferry bench --json`.
    pub(super) runs: Vec<Value>,
    /// Why there are none, or less than wanted.
    pub(super) why_not: Option<String>,
}

impl Measurement {
    /// What was wrong with runs, the first of each kind; empty if everything was delivered as it must be.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = Vec::new();
        let told = self.runs.iter().filter_map(|run| run["failures"].as_array()).flatten();
        let told = told.map(|failure| failure.as_str().unwrap_or_default().to_owned());
        // QoS 0 allows it, but there is nothing to compare then.
        let delivered_nothing = |run: &&Value| {
            run["total"]["delivered"] == 0 && run["total"]["expected"].as_u64().is_some_and(|count| count > 0)
        };
        let nothing = self.runs.iter().filter(delivered_nothing).map(|_| "nothing was delivered".to_owned());
        for failure in told.chain(nothing) {
            // Numbers and topics differ from run to run.
            let kind = |text: &str| -> Vec<String> {
                let words = text.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
                words.map(str::to_owned).collect()
            };
            if failures.iter().all(|other| kind(other) != kind(&failure)) {
                failures.push(failure);
            }
        }
        failures
    }
}

/// A run that takes longer than this, besides its seconds, is given up: the broker cannot do it.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long an idle broker is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// Loads a broker.
///
/// # Errors
/// Why there is no result: what `ferry bench` says, or that it took too long.
pub(super) fn load(
    ferry: &Path,
    broker: &BrokerProcess<'_>,
    need: Need,
    arguments: &[String],
    directory: &Path,
    guard: &Guard,
) -> Result<Value, String> {
    let json = directory.join("result.json");
    let _ = std::fs::remove_file(&json);
    let scheme = if need.tls { "mqtts" } else { "mqtt" };
    let mut command = Command::new(ferry);
    command.arg("bench").args(arguments).arg("--url").arg(format!("{scheme}://127.0.0.1:{}", broker.port));
    for pid in broker.pids() {
        command.args(["--pid", &pid.to_string()]);
    }
    command.arg("--json").arg(&json).stdin(Stdio::null()).stdout(Stdio::null());
    let log = directory.join("bench.log");
    let stderr = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let child = command.stderr(stderr).current_dir(directory).process_group(0).spawn();
    let mut child = child.map_err(|error| format!("{}: {error}", ferry.display()))?;
    let guarded = guard.keep(child.id());
    let ended = await_end(&mut child);
    drop(guarded);
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    if !ended {
        return Err(format!("no result after {} s", PATIENCE.as_secs()));
    }
    // With failures there is a result too; they are in it.
    let Ok(text) = std::fs::read_to_string(&json) else {
        // The error comes first, then perhaps what to do; before it there may be progress.
        let lines = || said.lines().filter(|line| !line.trim().is_empty());
        let error = lines().find_map(|line| line.strip_prefix("error: ")).or_else(|| lines().next_back());
        return Err(error.unwrap_or("ferry bench gave no result").to_owned());
    };
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", json.display()))
}

/// Watches a broker that has nothing to do.
pub(super) fn watch(broker: &BrokerProcess<'_>, seconds_max: Option<f64>) -> Value {
    let time = seconds_max.map_or(WATCHED, Duration::from_secs_f64);
    broker.settle();
    let before = broker.wakeups();
    std::thread::sleep(time);
    let wakeups = broker.wakeups().saturating_sub(before) as f64 * WATCHED.as_secs_f64() / time.as_secs_f64();
    json!({ "failures": [], "watched": { "resident_bytes": broker.resident_bytes(), "wakeups": wakeups.round() } })
}

/// False: it took too long, and was ended.
fn await_end(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            _ => return true,
        }
    }
}
