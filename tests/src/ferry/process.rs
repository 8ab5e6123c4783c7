use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Certificates, ScratchDirectory};
use crate::broker::ferry_binary;
use crate::measured_broker::ProcessFigures;

/// How long the broker may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the listeners that a broker under test has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// MQTT directly on TCP.
    Tcp,
    /// On TLS.
    Tls,
    /// On TLS, with a certificate of the client.
    TlsWithClientCertificate,
    /// On a WebSocket.
    WebSocket,
    /// On a WebSocket on TLS.
    SecureWebSocket,
    /// On a Unix socket.
    Unix,
}

impl Transport {
    /// All of them, in the order of the broker's listeners.
    pub const ALL: [Self; 6] = [
        Self::Tcp,
        Self::Tls,
        Self::TlsWithClientCertificate,
        Self::WebSocket,
        Self::SecureWebSocket,
        Self::Unix,
    ];

    /// The name of a test on it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsWithClientCertificate => "tls_with_client_certificate",
            other => other.scheme(),
        }
    }

    /// The name in a listener's address.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls | Self::TlsWithClientCertificate => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
            Self::Unix => "unix",
        }
    }
}

/// What a broker has printed.
#[derive(Debug, Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

/// A running broker with one listener of each kind; dropped, it is killed.
#[derive(Debug)]
pub struct Ferry {
    child: Child,
    log: Arc<Log>,
    ports: Vec<u16>,
    ports_told: Receiver<u16>,
    directory: ScratchDirectory,
    /// What its listeners and their clients use.
    pub certificates: Certificates,
}

impl Ferry {
    /// Starts `ferry serve`, in memory, with these lines of `ferry.toml`; the system chooses the ports.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(configuration: &str) -> Self {
        Self::start_with(configuration, &["--memory".as_ref()])
    }

    /// As [`Ferry::start`], but with a data directory.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_on(data: &Path, configuration: &str) -> Self {
        Self::start_with(configuration, &["--data".as_ref(), data.as_os_str()])
    }

    fn start_with(configuration: &str, arguments: &[&OsStr]) -> Self {
        let directory = ScratchDirectory::new();
        let certificates = Certificates::new(&directory);
        let text = format!("{configuration}\n{}", listeners(&directory, &certificates));
        let file = directory.write("ferry.toml", &text);
        let mut command = Command::new(ferry_binary());
        command.arg("serve").args(arguments).arg("--config").arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if rustix::process::geteuid().is_root() {
            // The files of a test are its own, whatever users the machine has.
            command.env("FERRY_SERVER_USER", "root");
        }
        let mut child = command.spawn().expect("the binary is there");
        let log = Arc::<Log>::default();
        let (addresses, ports_told) = mpsc::channel();
        let stderr = child.stderr.take().expect("piped");
        watch(stderr, Arc::clone(&log), move |line| {
            if let Some(at) = line.find("://") {
                let _unwanted = addresses.send(port(&line[at + 3..]));
            }
        });
        let mut ferry = Self { child, log, ports: Vec::new(), ports_told, directory, certificates };
        for _ in Transport::ALL {
            match ferry.ports_told.recv_timeout(PATIENCE) {
                Ok(port) => ferry.ports.push(port),
                Err(_) => panic!("ferry does not start:\n{}", ferry.log()),
            }
        }
        ferry
    }

    /// The port of a listener; 0 for the Unix socket.
    ///
    /// # Panics
    /// Never: each transport has a listener.
    #[must_use]
    pub fn port(&self, transport: Transport) -> u16 {
        let at = Transport::ALL.iter().position(|other| *other == transport);
        self.ports[at.expect("all transports are listed")]
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn address(&self, transport: Transport) -> String {
        format!("127.0.0.1:{}", self.port(transport))
    }

    /// The path of the Unix socket.
    #[must_use]
    pub fn unix_socket(&self) -> PathBuf {
        self.directory.path("socket")
    }

    /// All that it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has printed this.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_log(&self, expected: &str) {
        let text = self.log.text.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing = |text: &mut String| !text.contains(expected);
        let waited = self.log.grown.wait_timeout_while(text, PATIENCE, is_missing);
        let (text, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "ferry does not say \"{expected}\":\n{text}");
    }

    /// Bytes of memory that are really there (`VmRSS`).
    ///
    /// # Panics
    /// When the broker has ended.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most that [`Ferry::resident_bytes`] has ever been (`VmHWM`).
    ///
    /// # Panics
    /// When the broker has ended.
    #[must_use]
    pub fn resident_bytes_peak(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// What the system tells about it.
    #[must_use]
    pub fn figures(&self) -> ProcessFigures {
        ProcessFigures::of(self.child.id())
    }

    /// Bytes that it has made the system write to a disk (`write_bytes`).
    ///
    /// # Panics
    /// When the broker has ended.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        let path = format!("/proc/{}/io", self.child.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{path} has no write_bytes"))
    }

    fn status_bytes(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kibibytes.unwrap_or_else(|| panic!("{path} has no {field}")) * 1024
    }

    /// Sends SIGTERM.
    ///
    /// # Panics
    /// When there is no `kill`.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -TERM");
    }

    /// SIGKILL: it cannot do anything any more.
    pub fn kill(self) {
        drop(self);
    }

    /// Stops it as an operator does: SIGTERM, exit status 0, and no panic in the log.
    ///
    /// # Panics
    /// When it does not end like that.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        let log = self.log();
        assert!(status.success(), "{status}\n{log}");
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Its end closes the pipe of the log, and then nothing more can come.
        while self.ports_told.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        match self.ports_told.try_recv() {
            Err(TryRecvError::Disconnected) => self.child.wait().expect("it is our child"),
            _ => panic!("ferry does not end:\n{}", self.log()),
        }
    }
}

impl Drop for Ferry {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- ferry's log ----\n{}", self.log());
        }
    }
}

/// One listener of each kind, in the order of [`Transport::ALL`].
fn listeners(directory: &ScratchDirectory, certificates: &Certificates) -> String {
    let mut text = String::new();
    for transport in Transport::ALL {
        let address = match transport {
            Transport::Unix => format!("unix://{}", directory.path("socket").display()),
            Transport::WebSocket | Transport::SecureWebSocket => {
                format!("{}://127.0.0.1:0/mqtt", transport.scheme())
            }
            _ => format!("{}://127.0.0.1:0", transport.scheme()),
        };
        let _ = writeln!(text, "[[listener]]\naddress = \"{address}\"\nallow_anonymous = true");
        if matches!(transport.scheme(), "tls" | "wss") {
            let (chain, key) = (certificates.server.display(), certificates.server_key.display());
            let _ = writeln!(text, "tls_certificate_file = \"{chain}\"\ntls_key_file = \"{key}\"");
        }
        if transport == Transport::TlsWithClientCertificate {
            let authority = certificates.authority.display();
            let _ =
                writeln!(text, "tls_client_ca_file = \"{authority}\"\ntls_client_certificate = \"required\"");
        }
    }
    text
}

/// Keeps what comes line by line.
fn watch(
    stream: impl std::io::Read + Send + 'static,
    log: Arc<Log>,
    mut each_line: impl FnMut(&str) + Send + 'static,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = log.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
            drop(text);
            log.grown.notify_all();
            each_line(&line);
        }
    });
}

/// The port in `HOST:PORT...`, or 0.
fn port(address: &str) -> u16 {
    let digits = address.rsplit(':').next().unwrap_or_default();
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}
