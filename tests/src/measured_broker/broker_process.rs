use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::contender::Kind;
use super::{Contender, ProcessFigures};
use crate::broker::free_port;
use crate::ferry::ScratchDirectory;

/// How long a broker may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

/// A broker's process; dropped, it is stopped.
pub struct BrokerProcess {
    child: Child,
    port: u16,
    _directory: ScratchDirectory,
}

impl BrokerProcess {
    /// Starts a broker and waits until it listens.
    ///
    /// # Errors
    /// It is not there, or does not listen in time.
    pub fn start(contender: &Contender) -> Result<Self, String> {
        let program = &contender.program;
        let port = free_port()?;
        // A directory of its own: Ferry wakes when something happens next to its configuration.
        let directory = ScratchDirectory::new();
        let file = directory.write("broker.conf", &contender.configuration(port));
        let mut command = Command::new(program);
        match contender.kind {
            Kind::Ferry => command.args(["serve", "--memory", "--shards", "1", "--config"]).arg(file),
            Kind::Mosquitto => command.arg("-c").arg(file),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let process = Self { child, port, _directory: directory };
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
