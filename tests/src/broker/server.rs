//! The real `ferry` binary, started for a test and stopped with it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long a broker may take to listen.
const START_MAX: Duration = Duration::from_secs(60);

/// A running broker; dropped, it is stopped.
pub struct Server {
    child: Child,
    port: u16,
    _configuration: ScratchFile,
}

impl Server {
    /// Starts `ferry serve` in memory, listening on a TCP port that the system chooses, with these lines of `ferry.toml`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(configuration: &[String]) -> Result<Self, String> {
        Self::start_with(configuration, &[])
    }

    /// As [`Server::start`], with lines of the `[[listener]]` block.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(configuration: &[String], listener: &[String]) -> Result<Self, String> {
        let mut command = Command::new(ferry_binary());
        let text = [configuration, &listener_block(), listener].concat().join("\n");
        let file = ScratchFile::new("toml", &text)?;
        command.args(["serve", "--memory", "--config"]).arg(file.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", ferry_binary().display()))?;
        let told = child.stderr.take().map(port_told);
        let mut server = Self { child, port: 0, _configuration: file };
        let port = told.and_then(|told| told.recv_timeout(START_MAX).ok());
        server.port = port.ok_or("ferry does not say where it listens")?;
        Ok(server)
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id, to send signals to.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the broker has ended by itself, at most a minute.
    ///
    /// # Errors
    /// When it is still running.
    pub fn wait(&mut self) -> Result<std::process::ExitStatus, String> {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("ferry did not end".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn listener_block() -> [String; 2] {
    ["[[listener]]".to_owned(), "address = \"tcp://127.0.0.1:0\"".to_owned()]
}

/// Passes on what a broker prints, and tells the first port in it: that of its listener.
fn port_told(stderr: ChildStderr) -> Receiver<u16> {
    let (port, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let address = line.split_once("tcp://").map(|(_, rest)| rest);
            let digits = address.and_then(|address| address.split([':', ' ']).nth(1));
            if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
                let _known = port.send(number);
            }
            eprintln!("{line}");
        }
    });
    told
}

/// A port that nothing listens on now.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// The `ferry` binary: named by `FERRY_TEST_BINARY`, else built once next to this test.
///
/// # Panics
/// When cargo cannot build it.
pub fn ferry_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("FERRY_TEST_BINARY") {
        Some(path) => path.into(),
        None => build_ferry(),
    })
}

fn build_ferry() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().find(|directory| directory.join(".fingerprint").is_dir());
    let profile = profile.expect("a test is in a directory that cargo builds into");
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--package", "ferry"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "cargo build --package ferry: {status}");
    profile.join("ferry")
}

/// A file that is removed when dropped.
pub struct ScratchFile(PathBuf);

impl ScratchFile {
    /// Writes a file with a name of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(extension: &str, text: &str) -> Result<Self, String> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("ferry-test-{}-{number}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
