//! The real `ferry` binary, started for a test and stopped with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a broker may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// A running broker; dropped, it is stopped.
pub struct Server {
    child: Child,
    port: u16,
    _configuration: ScratchFile,
}

impl Server {
    /// Starts `ferry serve` in memory, listening on a free TCP port, with these lines of `ferry.toml`.
    ///
    /// # Errors
    /// When it does not start; what it printed.
    pub fn start(configuration: &[String]) -> Result<Self, String> {
        Self::start_with(configuration, &[], |_| Vec::new())
    }

    /// As [`Server::start`], with lines of the `[[listener]]` block, and more arguments, made from the port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(
        configuration: &[String],
        listener: &[String],
        arguments: impl FnOnce(u16) -> Vec<String>,
    ) -> Result<Self, String> {
        let port = free_port()?;
        let mut command = Command::new(ferry_binary());
        let text = [configuration, &listener_block(port), listener].concat().join("\n");
        let file = ScratchFile::new("toml", &text)?;
        command.args(["serve", "--memory", "--config"]).arg(file.path());
        command.args(arguments(port)).stdout(Stdio::null()).stderr(Stdio::inherit()).stdin(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", ferry_binary().display()))?;
        let mut server = Self { child, port, _configuration: file };
        server.wait_for_port(port)?;
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

    /// Waits until the broker has ended by itself, at most 20 seconds.
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

    /// Waits until something listens on a port of this broker.
    ///
    /// # Errors
    /// When the broker has ended, or does not listen within 20 seconds.
    pub fn wait_for_port(&mut self, port: u16) -> Result<(), String> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("ferry ended at its start: {status}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("ferry does not listen on port {port}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn listener_block(port: u16) -> [String; 2] {
    ["[[listener]]".to_owned(), format!("address = \"tcp://127.0.0.1:{port}\"")]
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
        let port = free_port()?;
        let name = format!("ferry-test-{}-{port}.{extension}", std::process::id());
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
