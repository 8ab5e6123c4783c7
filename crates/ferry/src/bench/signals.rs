//! Ctrl-C and its like end a run so that it can still say what it has measured.

use std::io;

use ferry_bench::Interruption;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output;

/// Passes Ctrl-C, SIGTERM and the end of the terminal on to a run.
///
/// # Errors
/// The system has no thread or descriptor left.
pub(super) fn pass_on(interruption: Interruption) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let [interrupt, terminate, hangup] = {
        let _in_runtime = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(unless_ignored)
    };
    let (mut interrupt, mut terminate, mut hangup) = (interrupt?, terminate?, hangup?);
    let listen = async move {
        loop {
            tokio::select! {
                Some(()) = next(&mut interrupt) => {}
                Some(()) = next(&mut terminate) => {}
                Some(()) = next(&mut hangup) => {}
                else => return,
            }
            interruption.interrupt();
            if interruption.count() == 1 {
                output::note(
                    "\ninterrupted: a summary comes when what is on its way has come; once more ends it at once",
                );
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || runtime.block_on(listen)).map(drop)
}

/// None: whoever started this wants it to go on whatever comes, as nohup does, and shells for what runs in the background.
fn unless_ignored(kind: SignalKind) -> io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(&status, kind) { Ok(None) } else { signal(kind).map(Some) }
}

fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

async fn next(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_found() {
        let status = "Name:\tx\nSigIgn:\t0000000000000003\nSigCgt:\t0\n";
        assert!(is_ignored(status, SignalKind::hangup()) && is_ignored(status, SignalKind::interrupt()));
        assert!(!is_ignored(status, SignalKind::terminate()) && !is_ignored("", SignalKind::hangup()));
    }
}
