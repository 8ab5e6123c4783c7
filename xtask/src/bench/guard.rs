//! Brokers and load generators do not outlive the bench, however it ends.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::descendants::end_with_descendants;
use crate::Outcome;

/// The task of `cargo xtask` that a guard is.
pub(crate) const TASK: &str = "bench-guard";

const ATTEMPTS: usize = 500;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// A process that ends what is left when this one is gone: nobody can catch SIGKILL. It is told by the end of its standard
/// input, and belongs to a process group of its own, since Ctrl-C is for all of the group that the terminal is with.
pub(super) struct Guard {
    child: Child,
    /// None: it has been told that all is over.
    input: Option<ChildStdin>,
}

/// A process that a guard knows of, until this is dropped.
pub(super) struct Guarded<'a> {
    guard: &'a Guard,
    pid: u32,
}

impl Guard {
    /// Starts a guard that also removes a directory in the end.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(directory: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("starting what guards the bench: {error}");
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg(TASK).arg(directory).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.process_group(0).spawn().map_err(failed)?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Ends a process, its descendants and its process group when the bench is gone.
    pub(super) fn keep(&self, pid: u32) -> Guarded<'_> {
        self.tell('+', pid);
        Guarded { guard: self, pid }
    }

    fn tell(&self, what: char, pid: u32) {
        if let Some(mut input) = self.input.as_ref() {
            // If it is gone, only an interrupted bench leaves anything.
            let _ = writeln!(input, "{what}{pid}");
        }
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.guard.tell('-', self.pid);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// What a guard does: `arguments` is its directory, and standard input says which processes come and go.
///
/// # Errors
/// Without a directory.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let [directory] = arguments else { return Err(format!("{TASK} is for cargo xtask bench itself")) };
    let mut kept: Vec<u32> = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (what, pid) = line.split_at(line.len().min(1));
        let Ok(pid) = pid.parse() else { continue };
        match what {
            "+" => kept.push(pid),
            _ => kept.retain(|other| *other != pid),
        }
    }
    kept.into_iter().for_each(end_with_descendants);
    remove(Path::new(directory));
    Ok(())
}

/// Removes a directory, also if those that were killed still put something into it.
fn remove(directory: &Path) {
    for _ in 0..ATTEMPTS {
        if std::fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            return;
        }
        std::thread::sleep(BETWEEN_ATTEMPTS);
    }
}
