//! The client libraries, and how a client of each is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::client::Hand;
use crate::{rumqttc_v4, rumqttc_v5};

/// What brings the libraries that cargo does not bring.
const REMEDY: &str = "`cargo xtask test-tools` installs it";

/// A client library that others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    PahoPython,
    MqttJs,
    PahoC,
    Rumqttc,
}

impl Library {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PahoPython => "paho_python",
            Self::MqttJs => "mqtt_js",
            Self::PahoC => "paho_c",
            Self::Rumqttc => "rumqttc",
        }
    }

    /// Starts a client that is not connected yet. `version` is the protocol level.
    pub(crate) fn start(self, version: u8) -> Hand {
        match self {
            Self::PahoPython => Hand::process(Command::new(python()).arg(program("python/client.py"))),
            Self::MqttJs => Hand::process(
                Command::new("node").arg(program("javascript/client.js")).env("NODE_PATH", node_modules()),
            ),
            Self::PahoC => Hand::process(&mut Command::new(paho_c())),
            Self::Rumqttc if version == 5 => Hand::thread(rumqttc_v5::run),
            Self::Rumqttc => Hand::thread(rumqttc_v4::run),
        }
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// What `cargo xtask test` names, or the place where `cargo xtask test-tools` puts it.
fn tool(variable: &str, place: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-tools").join(place),
        PathBuf::from,
    );
    assert!(path.exists(), "{} is missing: {REMEDY}", path.display());
    path
}

pub(crate) fn python() -> PathBuf {
    tool("FERRY_TEST_PYTHON", "python/bin/python")
}

fn node_modules() -> PathBuf {
    tool("FERRY_TEST_NODE_MODULES", "node/node_modules")
}

/// The C program, compiled once.
fn paho_c() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("paho-c-client");
        let status = Command::new("cc")
            .args(["-Wall", "-Wextra", "-Werror", "-O1", "-o"])
            .args([&binary, &program("c/client.c")])
            .args(["-lpaho-mqtt3as", "-lpthread"])
            .stdin(Stdio::null())
            .status();
        let compiled = status.is_ok_and(|status| status.success());
        assert!(compiled, "cc cannot compile {}: {REMEDY}", program("c/client.c").display());
        binary
    })
}
