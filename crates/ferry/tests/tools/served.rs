//! A broker of `ferry serve`, which `ferry ctl` manages.

use std::process::Command;

use crate::program::{Outcome, Running, Scratch, ferry, run};

/// A broker with a data directory, and the command line that reaches its socket.
pub(crate) struct Served {
    pub(crate) broker: Running,
    pub(crate) directory: Scratch,
    pub(crate) port: String,
    /// The URL of its API, if it has an address.
    pub(crate) admin: Option<String>,
}

impl Served {
    pub(crate) fn start(file: &str) -> Self {
        let directory = Scratch::new();
        std::fs::write(directory.path("ferry.toml"), file).expect("written");
        Self::start_in(directory)
    }

    /// With the configuration and the data that are there.
    pub(crate) fn start_in(directory: Scratch) -> Self {
        let mut command = ferry();
        command.args(["serve", "--listen", "tcp://127.0.0.1:0", "--data"]).arg(directory.path("data"));
        command.arg("--config").arg(directory.path("ferry.toml"));
        let has_address = directory.read("ferry.toml").contains("address = ");
        let mut broker = Running::start(&mut command);
        let line = broker.next_with("tcp://127.0.0.1:");
        let port = line.rsplit("127.0.0.1:").next().unwrap_or_default();
        let port = port.chars().take_while(char::is_ascii_digit).collect();
        let admin = has_address.then(|| broker.next_with("admin "));
        let admin = admin.map(|line| {
            let url = line.replace("admin", "").trim().replace("tcp://", "http://");
            url.replace("tls://", "https://")
        });
        broker.wait_for("process ");
        Self { broker, directory, port, admin }
    }

    /// Kills the broker and starts it again in the same directory.
    pub(crate) fn after_kill(self) -> Self {
        let Self { broker, directory, .. } = self;
        broker.signal("-KILL");
        drop(broker);
        Self::start_in(directory)
    }

    /// Stops the broker; its data stays.
    pub(crate) fn stop(self) -> Scratch {
        self.broker.signal("-TERM");
        assert_eq!(self.broker.end().code, Some(0));
        self.directory
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) -> Outcome {
        self.ctl_with_input(arguments, b"")
    }

    pub(crate) fn ctl_with_input(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        run(&mut self.ctl_command(arguments), input)
    }

    pub(crate) fn ctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = ferry();
        command.arg("ctl").arg("--admin").arg(self.directory.path("data/admin.sock")).args(arguments);
        command
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let outcome = self.ctl(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome.output
    }

    /// Publishes with the program of Mosquitto.
    pub(crate) fn mosquitto_pub(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &self.port, "-m", "x"]).args(arguments);
        run(&mut command, b"")
    }
}
