use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ProcessFigures;
use crate::broker::{ScratchFile, ferry_binary, free_port};

/// How long a broker may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

/// A broker to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerKind {
    /// This one.
    Ferry,
    /// The one that Debian has.
    Mosquitto,
}

impl BrokerKind {
    /// The name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ferry => "Ferry",
            Self::Mosquitto => "Mosquitto",
        }
    }

    /// Where its program is, if it is there.
    #[must_use]
    pub fn program(self) -> Option<&'static Path> {
        match self {
            Self::Ferry => Some(ferry_binary()),
            Self::Mosquitto => ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
                .map(Path::new)
                .into_iter()
                .find(|path| path.exists()),
        }
    }

    /// A configuration under which it can do its best: nothing is dropped, nothing waits.
    fn configuration(self, port: u16) -> String {
        match self {
            Self::Ferry => format!(
                "[[listener]]\naddress = \"tcp://127.0.0.1:{port}\"\n[limits]\nconnects_per_second_max = 1_000_000\n"
            ),
            Self::Mosquitto => format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n\
                 max_inflight_messages 0\nmax_queued_messages 0\n"
            ),
        }
    }
}

/// A broker's process; dropped, it is stopped.
pub struct BrokerProcess {
    child: Child,
    port: u16,
    _configuration: ScratchFile,
}

impl BrokerProcess {
    /// Starts a broker and waits until it listens.
    ///
    /// # Errors
    /// It is not there, or does not listen in time.
    pub fn start(kind: BrokerKind) -> Result<Self, String> {
        let program = kind.program().ok_or_else(|| format!("{} is not installed", kind.name()))?;
        let port = free_port()?;
        let file = ScratchFile::new("conf", &kind.configuration(port))?;
        let mut command = Command::new(program);
        match kind {
            BrokerKind::Ferry => command.args(["serve", "--memory", "--config"]).arg(file.path()),
            BrokerKind::Mosquitto => command.arg("-c").arg(file.path()),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let process = Self { child, port, _configuration: file };
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(process.address()).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{} does not listen", program.display()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(process)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What the system tells about it.
    #[must_use]
    pub fn figures(&self) -> ProcessFigures {
        ProcessFigures::of(self.child.id())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
