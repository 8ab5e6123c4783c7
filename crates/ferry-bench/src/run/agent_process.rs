use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde::{Deserialize, Serialize};

use super::links::Loops;
use crate::agent::{Order, Word};
use crate::clock::Clock;
use crate::plan::{Credentials, Plan};
use crate::{BenchError, limits};

/// What a process of a run is told first; orders follow, one JSON document on each line.
#[derive(Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) plan: Plan,
    pub(crate) credentials: Credentials,
    pub(crate) clock: Clock,
    pub(crate) process: usize,
}

/// Another process of the same run, seen from the coordinator. Dropped, it is killed if it still runs.
pub(crate) struct AgentProcess {
    child: Child,
    input: ChildStdin,
}

/// Generates load for the coordinator at the other end: one of several processes of a run.
///
/// # Errors
/// The coordinator does not speak as it should, or the event loops cannot start.
pub fn agent(input: impl Read, output: impl Write + Send + 'static) -> Result<(), BenchError> {
    let mut lines = BufReader::new(input).lines();
    let mut next_line = || lines.next()?.ok();
    let broken = |error: serde_json::Error| BenchError::new(format!("an order that cannot be read: {error}"));
    let Some(first) = next_line() else { return Ok(()) };
    let setup: Setup = serde_json::from_str(&first).map_err(broken)?;
    limits::check(&setup.plan)?;
    let (sender, words) = channel::<(usize, Word)>();
    let threads = setup.plan.threads;
    let loops = Loops::start(
        &Arc::new(setup.plan),
        &Arc::new(setup.credentials),
        setup.clock,
        setup.process,
        &sender,
    )?;
    drop(sender);
    let speaker = std::thread::spawn(move || pass_on(&words, threads, output));
    while let Some(line) = next_line() {
        let order = serde_json::from_str(&line).map_err(broken)?;
        loops.tell(&order);
        if matches!(order, Order::Finish { .. }) {
            loops.join();
            // A panic has been reported by the thread itself.
            let _ = speaker.join();
            return Ok(());
        }
    }
    // The coordinator is gone, and with it the run: the loops end with this process.
    Ok(())
}

/// Writes what the loops say, until all of them have said their last word.
fn pass_on(words: &Receiver<(usize, Word)>, loops: usize, mut output: impl Write) {
    let mut finished = 0;
    while finished < loops {
        let Ok(word) = words.recv() else { return };
        finished += usize::from(matches!(word.1, Word::Finished(_)));
        let Ok(mut text) = serde_json::to_string(&word) else { return };
        text.push('\n');
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

impl AgentProcess {
    /// Starts it. What it says comes out of `words`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(
        command: &(PathBuf, Vec<String>),
        setup: &Setup,
        words: &Sender<(usize, Word)>,
    ) -> Result<Self, BenchError> {
        let failed = |error: std::io::Error| BenchError::new(format!("{}: {error}", command.0.display()));
        let mut agent = Command::new(&command.0);
        // Ctrl-C is for the coordinator.
        agent.process_group(0);
        agent.args(&command.1).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = agent.spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::new("a process of the run without pipes"));
        };
        let words = words.clone();
        let worker = setup.process * setup.plan.threads;
        std::thread::spawn(move || {
            let mut finished = false;
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str::<(usize, Word)>(&line) {
                    Ok(word) => {
                        finished |= matches!(word.1, Word::Finished(_));
                        if words.send(word).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        let why = format!("a process of the run says what cannot be read: {error}");
                        let _ = words.send((worker, Word::Failed(why)));
                        return;
                    }
                }
            }
            if !finished {
                // If nobody listens any more, the run is over.
                let _ =
                    words.send((worker, Word::Failed("a process of the run has ended too early".to_owned())));
            }
        });
        let mut process = Self { child, input };
        process.write(setup)?;
        Ok(process)
    }

    /// # Errors
    /// It is gone.
    pub(crate) fn tell(&mut self, order: &Order) -> Result<(), BenchError> {
        self.write(order)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn write(&mut self, document: &impl Serialize) -> Result<(), BenchError> {
        let gone = |error: std::io::Error| BenchError::new(format!("a process of the run is gone: {error}"));
        let mut text = serde_json::to_string(document).map_err(|error| BenchError::new(error.to_string()))?;
        text.push('\n');
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).map_err(gone)
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        // It ends when its last order is done; whatever it still does nobody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
