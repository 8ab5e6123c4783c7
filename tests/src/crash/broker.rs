use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::ferry_binary;

/// How long a broker may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which broker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerChoice {
    /// The `ferry` binary. Killing it loses what it has not handed to the operating system.
    Ferry,
    /// The same broker on a [`LosingDisk`](super::LosingDisk): killing it loses what it has not synced, as a loss of
    /// power does.
    PowerLoss,
}

/// A broker with a data directory; dropped, it is killed.
pub struct CrashBroker {
    child: Child,
    log: PathBuf,
}

impl CrashBroker {
    /// Starts it on this data directory, with more lines for its configuration, and waits until it listens.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(
        choice: BrokerChoice,
        directory: &Path,
        port: u16,
        configuration: &str,
    ) -> Result<Self, String> {
        let shown = |error: std::io::Error| format!("{}: {error}", directory.display());
        let file = directory.with_extension("toml");
        std::fs::write(&file, configuration_text(port, configuration)).map_err(shown)?;
        let log = directory.with_extension("log");
        let log_file = OpenOptions::new().create(true).append(true).open(&log).map_err(shown)?;
        let mut command = match choice {
            BrokerChoice::Ferry => Command::new(ferry_binary()),
            BrokerChoice::PowerLoss => Command::new(power_loss_broker()?),
        };
        command.args(["serve", "--config"]).arg(&file).arg("--data").arg(directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let child =
            command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let mut broker = Self { child, log };
        broker.wait_for(port)?;
        Ok(broker)
    }

    /// SIGKILL: it cannot do anything any more.
    pub fn kill(mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }

    /// Ends it as an operator does.
    ///
    /// # Errors
    /// It does not end, or not well.
    pub fn terminate(mut self) -> Result<(), String> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().map_err(|error| error.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        while sent.success() && Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return if status.success() { Ok(()) } else { Err(self.failure(&status.to_string())) };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(self.failure("the broker does not end"))
    }

    fn wait_for(&mut self, port: u16) -> Result<(), String> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(self.failure(&format!("the broker has ended: {status}")));
            }
            if Instant::now() > deadline {
                return Err(self.failure("the broker does not start"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn failure(&self, what: &str) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("{what}\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for CrashBroker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Nothing is dropped for want of room, and queues are longer than what is kept of them in memory.
fn configuration_text(port: u16, more: &str) -> String {
    format!(
        "[[listener]]\naddress = \"tcp://127.0.0.1:{port}\"\n\
         [limits]\nqueue_messages_max = 10_000_000\nqueue_messages_total_max = 100_000_000\n\
         queue_bytes_max = \"8 GiB\"\nqueue_bytes_total_max = \"64 GiB\"\n\
         [storage]\nqueue_messages_in_memory_max = 20\nsegment_bytes = \"1 MiB\"\n{more}"
    )
}

/// Built by cargo next to this program.
fn power_loss_broker() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = program.ancestors().find(|directory| directory.join(".fingerprint").is_dir());
    let broker = profile.ok_or("not in a directory that cargo builds into")?.join("power-loss-broker");
    if broker.exists() {
        return Ok(broker);
    }
    Err("power-loss-broker is missing: `cargo build --package ferry-tests --bins` builds it".to_owned())
}
