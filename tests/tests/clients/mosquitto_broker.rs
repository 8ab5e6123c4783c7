//! Mosquitto's broker, to compare with.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use ferry_tests::ferry::ScratchDirectory;

/// A running broker of Mosquitto; dropped, it is killed.
pub(crate) struct MosquittoBroker {
    process: Child,
    port: u16,
    _directory: ScratchDirectory,
}

impl MosquittoBroker {
    /// Starts one with a listener and these lines of configuration. `None`, and a word about it, where there is none.
    pub(crate) fn start(configuration: &str) -> Option<Self> {
        loop {
            // Mosquitto does not take port 0. Between this and its start somebody else may take the port.
            let port =
                TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
            if let Started::Running(broker) = Self::start_on(port.port(), configuration)? {
                return Some(broker);
            }
        }
    }

    fn start_on(port: u16, configuration: &str) -> Option<Started> {
        let directory = ScratchDirectory::new();
        // Started as root it becomes nobody or its own user, who may not read our files.
        let file = directory.write(
            "mosquitto.conf",
            &format!("user root\nlistener {port} 127.0.0.1\nlog_dest stderr\n{configuration}\n"),
        );
        let mut command = Command::new("mosquitto");
        command
            .arg("-v")
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                eprintln!("skipped: mosquitto does not run here: {error}");
                return None;
            }
        };
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut said = String::new();
        let running = lines.by_ref().any(|line| {
            said.push_str(&line);
            said.push('\n');
            line.contains(" running")
        });
        // It would wait if nobody read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let broker = Self { process, port, _directory: directory };
        if running {
            return Some(Started::Running(broker));
        }
        assert!(said.contains("Address already in use"), "{said}");
        Some(Started::PortTaken)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

enum Started {
    Running(MosquittoBroker),
    PortTaken,
}

impl Drop for MosquittoBroker {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}
