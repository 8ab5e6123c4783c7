//! Steps with a number, a duration and a result, so that one sees where a long task is.

use std::process::Command;
use std::time::Instant;

use crate::Outcome;

/// The steps of a task: each is announced, timed, and its failure remembered.
pub(crate) struct Progress {
    total: usize,
    done: usize,
    /// Name and message.
    failed: Vec<(String, String)>,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, done: 0, failed: Vec::new() }
    }

    /// Runs one step; a failure is printed and does not keep the next steps from running.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Outcome) {
        self.done += 1;
        println!("[{}/{}] {name}", self.done, self.total);
        let start = Instant::now();
        let outcome = run();
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("[{}/{}] {name}: ok ({seconds:.1} s)", self.done, self.total),
            Err(message) => {
                println!("[{}/{}] {name}: FAILED ({seconds:.1} s)\n{message}", self.done, self.total);
                self.failed.push((name.to_owned(), message));
            }
        }
    }

    /// # Errors
    /// What the failed steps said, once more: much may have been shown since.
    pub(crate) fn finish(self) -> Outcome {
        if self.failed.is_empty() {
            println!("all {} steps passed", self.total);
            return Ok(());
        }
        let names: Vec<_> = self.failed.iter().map(|(name, _)| name.as_str()).collect();
        let summary = format!("{} of {} steps failed: {}", names.len(), self.total, names.join(", "));
        let messages = self.failed.iter().map(|(name, message)| format!("{name}: {message}"));
        Err(messages.chain([summary]).collect::<Vec<_>>().join("\n\n"))
    }
}

/// Runs a command with its output shown.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Runs a command and shows its output only when it fails.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub(crate) fn run_quietly(command: &mut Command) -> Outcome {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}\n{stdout}{stderr}", shown(command), output.status))
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
