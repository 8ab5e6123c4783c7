//! The libraries, and how a client of each is started.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ::ferry_client::ProtocolVersion;
use ferry_tests::ferry::{Ferry, Transport};

use crate::scenario::{Role, Scenario};
use crate::work::{Spent, Work};
use crate::{feeder, ferry_client, rumqttc_client};

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    Ferry,
    FerryV5,
    Rumqttc,
    PahoC,
    PahoPython,
}

impl Library {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ferry, Self::FerryV5, Self::Rumqttc, Self::PahoC, Self::PahoPython];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ferry => "ferry-client",
            Self::FerryV5 => "ferry-client-v5",
            Self::Rumqttc => "rumqttc",
            Self::PahoC => "paho-c",
            Self::PahoPython => "paho-python",
        }
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|library| library.name() == name)
    }

    /// Lets a client of this library work, in a process of its own.
    pub(crate) fn measure(self, scenario: Scenario, messages: u64, broker: &Ferry) -> Result<Spent, String> {
        let is_slow = self == Self::PahoPython || scenario.window == 1;
        let work = Work {
            role: scenario.role,
            qos: scenario.qos,
            messages: if is_slow { (messages / 10).max(1) } else { messages },
            window: scenario.window,
            port: broker.port(Transport::Tcp),
        };
        let mut command = self.command()?;
        command.args(work.arguments(self)).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.name()))?;
        let stdout = child.stdout.take().ok_or("the client has no output")?;
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let fed = if scenario.role == Role::Subscribe && lines.next().as_deref() == Some("ready") {
            feeder::feed(&work)
        } else {
            Ok(())
        };
        if fed.is_err() {
            let _ended = child.kill();
        }
        let last = lines.last().unwrap_or_default();
        let status = child.wait().map_err(|error| error.to_string())?;
        fed?;
        if !status.success() {
            return Err(format!("{}: {status}", self.name()));
        }
        Spent::parse(&last, work.messages)
    }

    /// Does the work in this process.
    pub(crate) fn do_here(self, work: &Work) -> Result<Spent, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let work = *work;
        // A task of its own: the future of `block_on` is polled only after a look at the sockets.
        let done = match self {
            Self::Ferry => runtime.spawn(ferry_client::work(work, ProtocolVersion::V311)),
            Self::FerryV5 => runtime.spawn(ferry_client::work(work, ProtocolVersion::V5)),
            Self::Rumqttc => runtime.spawn(rumqttc_client::work(work)),
            Self::PahoC | Self::PahoPython => return Err("it is not made of Rust".to_owned()),
        };
        runtime.block_on(done).map_err(|error| error.to_string())?
    }

    fn command(self) -> Result<Command, String> {
        match self {
            Self::Ferry | Self::FerryV5 | Self::Rumqttc => {
                std::env::current_exe().map(Command::new).map_err(|error| error.to_string())
            }
            Self::PahoC => tool("FERRY_BENCH_PAHO_C").map(Command::new),
            Self::PahoPython => {
                let mut command = Command::new(tool("FERRY_TEST_PYTHON")?);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/client_bench.py"));
                Ok(command)
            }
        }
    }
}

fn tool(variable: &str) -> Result<PathBuf, String> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("{variable} is not set; `cargo xtask client-bench` sets it"))
}
