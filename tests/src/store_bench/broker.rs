use std::fs::read_to_string;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::{ferry_binary, free_port};

/// How long a broker may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(600);

/// A broker to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreBrokerKind {
    /// This one, with `durability = "fsync"`.
    Ferry,
    /// This one, with `durability = "os"`.
    FerryOs,
    /// Mosquitto, which writes a snapshot of everything at every change.
    Mosquitto,
}

impl StoreBrokerKind {
    /// The name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ferry => "Ferry (fsync)",
            Self::FerryOs => "Ferry (os)",
            Self::Mosquitto => "Mosquitto",
        }
    }

    /// Where its program is, if it is there.
    #[must_use]
    pub fn program(self) -> Option<&'static Path> {
        match self {
            Self::Ferry | Self::FerryOs => Some(ferry_binary()),
            Self::Mosquitto => ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
                .map(Path::new)
                .into_iter()
                .find(|path| path.exists()),
        }
    }

    /// Nothing is dropped for want of room.
    fn configuration(self, port: u16, directory: &Path) -> String {
        let directory = directory.display();
        let durability = if self == Self::FerryOs { "os" } else { "fsync" };
        match self {
            Self::Ferry | Self::FerryOs => format!(
                "[[listener]]\naddress = \"tcp://127.0.0.1:{port}\"\n[limits]\nconnects_per_second_max = 1_000_000\n\
                 connections_max = 1_000_000\nqueue_messages_max = 10_000_000\nqueue_bytes_max = \"16 GiB\"\n\
                 queue_messages_total_max = 100_000_000\nqueue_bytes_total_max = \"16 GiB\"\n\
                 retained_messages_max = 10_000_000\nretained_bytes_max = \"16 GiB\"\nsessions_max = 10_000_000\n\
                 [storage]\ndurability = \"{durability}\"\ndata_directory = \"{directory}\"\n"
            ),
            Self::Mosquitto => format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 0\n\
                 max_queued_messages 0\nuser root\npersistence true\npersistence_location {directory}/\n\
                 autosave_interval 1\nautosave_on_changes true\n"
            ),
        }
    }
}

/// A broker's process with a data directory; dropped, it is killed.
pub struct StoreBroker {
    child: Child,
    port: u16,
}

impl StoreBroker {
    /// Starts a broker on this directory and waits until it listens; also says how long that took.
    ///
    /// # Errors
    /// It is not there, or does not listen in time.
    pub fn start(kind: StoreBrokerKind, directory: &Path) -> Result<(Self, Duration), String> {
        let program = kind.program().ok_or_else(|| format!("{} is not installed", kind.name()))?;
        let shown = |error: std::io::Error| format!("{}: {error}", directory.display());
        std::fs::create_dir_all(directory).map_err(shown)?;
        let port = free_port()?;
        let file = directory.with_extension("conf");
        std::fs::write(&file, kind.configuration(port, directory)).map_err(shown)?;
        let mut command = Command::new(program);
        match kind {
            StoreBrokerKind::Ferry | StoreBrokerKind::FerryOs => {
                command.args(["serve", "--config"]).arg(&file)
            }
            StoreBrokerKind::Mosquitto => command.arg("-c").arg(&file),
        };
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let mut broker = Self { child, port };
        while TcpStream::connect(broker.address()).is_err() {
            if let Ok(Some(status)) = broker.child.try_wait() {
                return Err(format!("{} has ended: {status}", program.display()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} does not listen", program.display()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok((broker, begun.elapsed()))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Ends it as an operator does, and says how long that took.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().map_err(|error| error.to_string())?;
        while begun.elapsed() < PATIENCE {
            if self.child.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Ok(begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("the broker does not end".to_owned())
    }

    /// Memory in use, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_bytes(&self) -> Result<u64, String> {
        Ok(self.figure("status", "VmRSS:")? * 1024)
    }

    /// Bytes that it has made the system write, so far.
    ///
    /// # Errors
    /// The process is gone.
    pub fn written_bytes(&self) -> Result<u64, String> {
        self.figure("io", "write_bytes:")
    }

    fn figure(&self, file: &str, name: &str) -> Result<u64, String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        let text = read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| format!("{path} has no {name}"))
    }
}

impl Drop for StoreBroker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
