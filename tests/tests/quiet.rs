//! A broker with durable clients that have nothing to say does not wear out the disk.

use std::process::{Child, Command, Stdio};

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};

const CONFIGURATION: &str = "[storage]\nfree_bytes_min = 0\n[sys]\ninterval_seconds = 1\n";

const CLIENTS: usize = 5;

/// Killed at the end.
struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn mosquitto(ferry: &Ferry, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &ferry.port(Transport::Tcp).to_string()]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What the broker tells of itself, so many times of each topic.
fn told(ferry: &Ferry, topics: &[&str], times: usize) -> Vec<String> {
    let count = (topics.len() * times).to_string();
    let mut command = mosquitto(ferry, "mosquitto_sub", &["-v", "-W", "60", "-C", &count]);
    for topic in topics {
        command.args(["-t", &format!("$SYS/broker/{topic}")]);
    }
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{output:?}");
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_quiet_broker_writes_nothing() {
    let scratch = ScratchDirectory::new();
    let ferry = Ferry::start_on(&scratch.path("data"), CONFIGURATION);
    let _idle: Vec<Idle> = (0..CLIENTS)
        .map(|number| {
            let arguments = ["-c", "-k", "5", "-q", "1", "-i", &format!("idle-{number}"), "-t", "t"];
            Idle(mosquitto(&ferry, "mosquitto_sub", &arguments).spawn().expect("it is installed"))
        })
        .collect();
    while told(&ferry, &["subscriptions/count"], 1) != [format!("$SYS/broker/subscriptions/count {CLIENTS}")]
    {
    }
    let published = mosquitto(&ferry, "mosquitto_pub", &["-q", "1", "-r", "-t", "t", "-m", "x"]).status();
    assert!(published.is_ok_and(|status| status.success()));
    // The figures are those of the time before the acknowledgement, until they come again.
    told(&ferry, &["uptime"], 4);
    let figures = ["store/bytes/written", "store/syncs", "store/messages/written"];
    let (before, written_bytes) = (told(&ferry, &figures, 1), ferry.written_bytes());
    assert!(before.iter().all(|line| !line.ends_with(" 0")), "{before:?}");
    // Longer than the keep alive of the clients.
    told(&ferry, &["uptime"], 8);
    assert_eq!((told(&ferry, &figures, 1), ferry.written_bytes()), (before, written_bytes));
    ferry.stop();
}
