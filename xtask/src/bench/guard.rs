//! Brokers and load generators do not outlive the bench, however it ends.

use std::io::{BufRead, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::descendants::end_with_descendants;
use crate::Outcome;

/// The task of `cargo xtask` that a guard is.
pub(crate) const TASK: &str = "bench-guard";

/// What a guard says when it is ready.
const READY: u8 = b'\n';

/// What a guard is told: a process was started, it is gone, and the bench ends by itself.
const STARTED: char = '+';
const GONE: char = '-';
const ENDED: char = '.';

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
        command.arg(TASK).arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.process_group(0).spawn().map_err(failed)?;
        let input = child.stdin.take();
        if let Some(mut output) = child.stdout.take() {
            output.read_exact(&mut [0]).map_err(failed)?;
        }
        Ok(Self { child, input })
    }

    /// Ends a process, its descendants and its process group when the bench is gone.
    pub(super) fn keep(&self, pid: u32) -> Guarded<'_> {
        self.tell(STARTED, pid);
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
        self.guard.tell(GONE, self.pid);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tell(ENDED, 0);
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
    // Who ends the bench by its name, xtask, does not mean the guard. Where this is not possible, it has that name too.
    let _ = std::fs::write("/proc/self/comm", TASK);
    let mut output = std::io::stdout();
    let told = output.write_all(&[READY]).and_then(|()| output.flush());
    told.map_err(|error| format!("saying that the guard is ready: {error}"))?;
    let directory = Path::new(directory);
    let (mut kept, mut has_ended): (Vec<u32>, bool) = (Vec::new(), false);
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut rest = line.chars();
        let what = rest.next();
        let Ok(pid) = rest.as_str().parse() else { continue };
        match what {
            Some(STARTED) => kept.push(pid),
            Some(GONE) => kept.retain(|other| *other != pid),
            Some(ENDED) => has_ended = true,
            _ => {}
        }
    }
    if !has_ended {
        kept.extend(working_in(directory));
    }
    kept.into_iter().for_each(end_with_descendants);
    remove(directory);
    Ok(())
}

/// Processes whose working directory is this one or in it: what the bench has started works there, also if the bench was
/// killed before it could name it here. None is missed, as standard input ends only when each of them runs its program.
fn working_in(directory: &Path) -> Vec<u32> {
    // As the system has it.
    let Ok(directory) = directory.canonicalize() else { return Vec::new() };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let works_there = |process: &std::fs::DirEntry| {
        std::fs::read_link(process.path().join("cwd")).is_ok_and(|working| working.starts_with(&directory))
    };
    let pid = |process: std::fs::DirEntry| process.file_name().to_str()?.parse().ok();
    processes.filter(works_there).filter_map(pid).collect()
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
