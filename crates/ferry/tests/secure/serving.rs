use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// `ferry serve`, killed at the end.
pub(crate) struct Serving {
    process: Child,
    errors: BufReader<ChildStderr>,
    /// What it has said so far.
    said: String,
}

/// A directory that every user can reach, which goes with the value.
pub(crate) struct Scratch(PathBuf);

/// The binary, without what the environment says to it.
pub(crate) fn ferry() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_ferry")))
}

/// A command that is not told anything about Ferry by the environment.
pub(crate) fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program runs")
}

/// What a program said on standard error.
pub(crate) fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Serving {
    /// Starts it, and waits until it has said what it serves.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let errors = BufReader::new(process.stderr.take().expect("piped"));
        let mut serving = Self { process, errors, said: String::new() };
        while !serving.line().starts_with("process ") {}
        serving
    }

    /// With a configuration file.
    pub(crate) fn with_file(file: &str) -> Self {
        let mut command = ferry();
        command.args(["serve", "--config", file]);
        Self::start(command)
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Reads on until a line has this in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The port of the listener, or of the admin API, that was named with this scheme and 127.0.0.1.
    pub(crate) fn port(&self, title: &str, scheme: &str) -> String {
        let start = format!("{scheme}://127.0.0.1:");
        let line = self.said.lines().find(|line| line.starts_with(title) && line.contains(&start));
        let (_, rest) = line.and_then(|line| line.split_once(&start)).expect("it says where it listens");
        rest.chars().take_while(char::is_ascii_digit).collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Ends it with a signal, and returns everything that it has said.
    pub(crate) fn end(mut self, signal: &str) -> String {
        self.signal(signal);
        while self.errors.read_line(&mut self.said).expect("readable") > 0 {}
        self.process.wait().expect("it ends");
        std::mem::take(&mut self.said)
    }

    fn line(&mut self) -> String {
        let start = self.said.len();
        let length = self.errors.read_line(&mut self.said).expect("readable");
        assert!(length > 0, "ferry has ended:\n{}", self.said);
        self.said[start..].to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It fails if the process has ended, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ferry-secure-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, contents: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("a file in the directory");
        set_mode(&path, 0o600);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn set_mode(path: impl AsRef<Path>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our file");
}
