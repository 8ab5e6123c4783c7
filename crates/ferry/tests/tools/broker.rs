use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::program::Scratch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ferry,
    Mosquitto,
}

/// A broker of its own, killed at the end.
pub(crate) struct Broker {
    process: Child,
    port: String,
    _directory: Scratch,
}

impl Kind {
    /// Mosquitto where it is installed.
    pub(crate) fn installed() -> Vec<Self> {
        let found = Command::new("mosquitto").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_ok() {
            return vec![Self::Ferry, Self::Mosquitto];
        }
        eprintln!("SKIPPED: Mosquitto is not installed; `cargo xtask test-tools` installs it");
        vec![Self::Ferry]
    }
}

impl Broker {
    pub(crate) fn start(kind: Kind) -> Self {
        match kind {
            Kind::Ferry => Self::ferry("tcp://127.0.0.1:0", &[]),
            // Between the choice of a port and the start somebody else may take it.
            Kind::Mosquitto => Self::mosquitto(""),
        }
    }

    /// Ferry with this listener and these options.
    pub(crate) fn ferry(listen: &str, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--memory", "--listen", listen]).args(options).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut port = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("://127.0.0.1:") {
                port = rest.chars().take_while(char::is_ascii_digit).collect();
            }
            if line.starts_with("process ") {
                break;
            }
        }
        // Whatever else it says is read, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(!port.is_empty(), "the broker does not say where it listens");
        Self { process, port, _directory: Scratch::new() }
    }

    /// Mosquitto with these lines of configuration besides.
    pub(crate) fn mosquitto(lines: &str) -> Self {
        std::iter::repeat_with(|| Self::try_mosquitto(lines)).flatten().next().expect("it starts")
    }

    fn try_mosquitto(lines: &str) -> Option<Self> {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let port = port.port().to_string();
        let directory = Scratch::new();
        // Started by root it would give up the right to read the file.
        let text =
            format!("user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n{lines}\n");
        let file = directory.write("mosquitto.conf", text.as_bytes());
        let mut command = Command::new("mosquitto");
        command.args(["-v", "-c", &file]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it is installed");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let is_running = lines.any(|line| line.contains(" running"));
        std::thread::spawn(move || lines.for_each(drop));
        let broker = Self { process, port, _directory: directory };
        is_running.then_some(broker)
    }

    pub(crate) fn port(&self) -> &str {
        &self.port
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}
