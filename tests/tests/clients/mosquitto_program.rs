//! One of Mosquitto's programs, running.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

const REMEDY: &str = "`cargo xtask test-tools` installs it";

/// A program and the lines that it prints; dropped, it is killed.
pub(crate) struct MosquittoProgram {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl MosquittoProgram {
    /// Starts it. Its lines come at once, although a pipe takes them.
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let mut buffered_by_line = Command::new("stdbuf");
        buffered_by_line.arg("-oL").arg(&program).args(command.get_args());
        buffered_by_line.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = buffered_by_line
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", program.display()));
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _unwanted = sender.send(line);
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that starts like this; others are passed over.
    pub(crate) fn wait_for(&mut self, start: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line \"{start}...\" comes, only:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// The next line that starts like this must be this one.
    pub(crate) fn expect(&mut self, start: &str, line: &str) {
        assert_eq!(self.wait_for(start), line);
    }

    /// It cannot say DISCONNECT.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for MosquittoProgram {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Runs a program to its end, which must be a success, and returns what it printed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let program = command.get_program().to_owned();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: {REMEDY}", program.display()));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}
