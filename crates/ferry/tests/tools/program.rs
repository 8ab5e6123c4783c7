use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::broker::Broker;

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) output: String,
    pub(crate) error: String,
    pub(crate) code: Option<i32>,
}

/// A program that runs in the background; its standard error is read line by line.
pub(crate) struct Running {
    process: Process,
    errors: Box<dyn Iterator<Item = String>>,
}

/// A child process that does not outlive the value: not even that of a test that fails.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The binary, without what the environment says to it.
pub(crate) fn ferry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").env("TZ", "UTC");
    command
}

/// A command of the binary as a client of a broker.
pub(crate) fn client(kind: &str, broker: &Broker, options: &[&str]) -> Command {
    let mut command = ferry();
    command.arg(kind).args(["-h", "127.0.0.1", "-p", broker.port()]).args(options);
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // One that does not read is gone already, perhaps.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    Outcome {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

/// Runs a client that must do what it is asked.
pub(crate) fn done(kind: &str, broker: &Broker, options: &[&str]) -> String {
    let outcome = run(&mut client(kind, broker, options), b"");
    assert_eq!(outcome.code, Some(0), "{kind} {options:?}: {outcome:?}");
    outcome.output
}

/// What [`retained`] looks for.
const LAST: &str = "behind/all";

/// Has a broker keep the message by which [`retained`] knows that there are no others.
pub(crate) fn keep_last(broker: &Broker, options: &[&str]) {
    done("pub", broker, &[&["-t", LAST, "-m", LAST, "-r", "-q", "1"], options].concat());
}

/// The lines that `ferry sub` prints for what is retained, with a pattern that has the payload at its beginning as `%x` does.
pub(crate) fn retained(mut subscriber: Command) -> String {
    // The filters are answered one after the other.
    subscriber.args(["-q", "2", "-t", LAST]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process(subscriber.spawn().expect("the binary runs"));
    let output = BufReader::new(process.0.stdout.take().expect("piped"));
    let lines = output.split(b'\n').map_while(Result::ok);
    let last: String = LAST.bytes().map(|byte| format!("{byte:02x}")).collect();
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.take_while(|line| !line.starts_with(&last)).collect()
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program runs");
        let errors = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        Self { process: Process(child), errors: Box::new(errors) }
    }

    /// The next line of standard error that has this in it.
    pub(crate) fn next_with(&mut self, part: &str) -> String {
        self.errors.find(|line| line.contains(part)).unwrap_or_else(|| panic!("it never says {part:?}"))
    }

    /// Waits until standard error has a line that begins so.
    pub(crate) fn wait_for(&mut self, beginning: &str) {
        let found = self.errors.find(|line| line.starts_with(beginning));
        assert!(found.is_some(), "it never says {beginning:?}");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.process.0.id().to_string()]).status();
        assert!(killed.is_ok_and(|status: ExitStatus| status.success()));
    }

    /// Waits until it has ended. What it said on standard error after [`wait_for`](Self::wait_for) is in the outcome.
    pub(crate) fn end(mut self) -> Outcome {
        let child = &mut self.process.0;
        drop(child.stdin.take());
        let error: Vec<String> = self.errors.collect();
        let mut output = Vec::new();
        child.stdout.take().expect("piped").read_to_end(&mut output).expect("it can be read");
        Outcome {
            output: String::from_utf8_lossy(&output).into_owned(),
            error: error.join("\n"),
            code: child.wait().expect("it ends").code(),
        }
    }
}

/// A directory of its own, which goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("tools-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("a file in the directory");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file in the directory")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}
