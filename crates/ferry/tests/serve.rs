//! `ferry serve` as a process: start, signals, end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

/// CONNECT of MQTT 5.0: clean start, keep alive 60 s, client identifier `c`.
const CONNECT: &[u8] = &[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 0x02, 0, 60, 0, 0, 1, b'c'];

struct Ferry {
    process: Child,
    standard_error: BufReader<ChildStderr>,
    /// Where it listens, as it says itself.
    addresses: Vec<String>,
}

impl Ferry {
    /// Starts it and waits until it has said what it serves.
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
            command.env_remove(name);
        }
        let mut process =
            command.arg("serve").args(arguments).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut ferry = Self {
            standard_error: BufReader::new(process.stderr.take().expect("it is piped")),
            process,
            addresses: Vec::new(),
        };
        loop {
            let line = ferry.line();
            let word = line.split_whitespace().find(|word| word.contains("://"));
            ferry.addresses.extend(word.map(str::to_owned));
            if line.starts_with("process ") {
                return ferry;
            }
        }
    }

    /// The next line of standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.standard_error.read_line(&mut line).expect("readable");
        assert!(length > 0, "ferry has ended");
        line
    }

    /// The next line of standard error that contains `text`.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    fn connect(&self) -> TcpStream {
        let address = self.addresses[0].strip_prefix("tcp://").expect("the first listener is tcp");
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(CONNECT).expect("it reads");
        let connack = packet(&mut stream);
        assert_eq!((connack[0], connack[3]), (0x20, 0), "CONNACK Success");
        stream
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    fn wait(mut self) -> ExitStatus {
        self.process.wait().expect("it ends")
    }
}

impl Drop for Ferry {
    fn drop(&mut self) {
        // It fails if the process has ended, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One packet of less than 128 bytes after its header.
fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).expect("a packet");
    packet.resize(2 + usize::from(packet[1]), 0);
    stream.read_exact(&mut packet[2..]).expect("a whole packet");
    packet
}

fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let ferry = Ferry::start(&["--listen", "tcp://127.0.0.1:0", "--memory"]);
        let mut client = ferry.connect();
        ferry.signal(signal);
        let disconnect = packet(&mut client);
        assert_eq!((disconnect[0], disconnect[2]), (0xE0, 0x8B), "DISCONNECT Server shutting down");
        assert_eq!(client.read(&mut [0]).expect("closed in order"), 0);
        drop(client);
        assert_eq!(ferry.wait().code(), Some(0));
    }
}

#[test]
fn every_listener_is_named_with_its_port() {
    let socket = directory("listeners").join("ferry.sock");
    let unix = format!("unix://{}", socket.display());
    let ferry = Ferry::start(&[
        "--memory",
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "ws://[::1]:0",
        "--listen",
        &unix,
    ]);
    assert_eq!(ferry.addresses.len(), 3);
    assert!(!ferry.addresses[0].ends_with(":0"), "{:?}", ferry.addresses);
    assert!(ferry.addresses[1].starts_with("ws://[::1]:"), "{:?}", ferry.addresses);
    assert_eq!(ferry.addresses[2], unix);
    ferry.signal("TERM");
    assert_eq!(ferry.wait().code(), Some(0));
    assert!(!socket.exists(), "the socket's file is left behind");
}

#[test]
fn sighup_reads_the_configuration_again() {
    let file = directory("reload").join("ferry.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("a file for the test");
    let listener = "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n";
    write(listener);
    let mut ferry = Ferry::start(&["--memory", "--config", file.to_str().expect("UTF-8")]);
    let mut client = ferry.connect();

    write(&format!("{listener}[limits]\nconnections_max = 7\n[server]\nname = \"other\"\n"));
    ferry.signal("HUP");
    let mut lines = [ferry.line(), ferry.line()];
    lines.sort_by_key(|line| !line.contains("limits.connections_max"));
    assert!(lines[0].contains("limits.connections_max is now 7 (was 100000)"), "{lines:?}");
    assert!(lines[1].contains("server.name stays \"ferry\" until a restart"), "{lines:?}");

    write("[limits]\nconections_max = 7\n");
    ferry.signal("HUP");
    while !ferry.line().contains("did you mean \"connections_max\"?") {}

    client.write_all(&[0xC0, 0]).expect("still connected");
    assert_eq!(packet(&mut client), [0xD0, 0], "PINGRESP");
    drop(client);
    ferry.signal("TERM");
    assert_eq!(ferry.wait().code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_change_of_the_file_is_noticed() {
    let directory = directory("watch");
    let file = directory.join("ferry.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("a file for the test");
    let listener = "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n";
    write(listener);
    let mut ferry = Ferry::start(&["--memory", "--config", file.to_str().expect("UTF-8")]);
    let mut client = ferry.connect();

    write(&format!("{listener}{listener}[limits]\nconnections_max = 7\n"));
    let opened = ferry.line_with("listening on tcp://");
    let address = opened.trim_end().rsplit("tcp://").next().expect("an address").to_owned();
    drop(TcpStream::connect(address).expect("the new listener"));
    let line = ferry.line_with("limits.connections_max is now 7 (was 100000)");
    assert!(line.contains("ferry.toml has changed: "), "{line}");

    // As many editors write: a new file takes the place of the old one.
    let new = directory.join("ferry.toml.new");
    std::fs::write(&new, "[limits]\nconections_max = 8\n").expect("a file for the test");
    std::fs::rename(&new, &file).expect("replaced");
    ferry.line_with("the configuration stays as it was");
    ferry.line_with("ferry.toml:2:1: limits.conections_max: unknown key");
    client.write_all(&[0xC0, 0]).expect("still connected");
    assert_eq!(packet(&mut client), [0xD0, 0], "PINGRESP");

    write(&format!("{listener}[limits]\nconnections_max = 9\n"));
    ferry.line_with("limits.connections_max is now 9 (was 7)");
    ferry.line_with("listener is now absent (was tcp://127.0.0.1:0)");
    client.write_all(&[0xC0, 0]).expect("still connected");
    assert_eq!(packet(&mut client), [0xD0, 0], "PINGRESP");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let ferry = Ferry::start(&["--memory", "--listen", "tcp://127.0.0.1:0"]);
    let output = Command::new(env!("CARGO_BIN_EXE_ferry"))
        .args(["serve", "--memory", "--listen", &ferry.addresses[0]])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&ferry.addresses[0]), "{error}");
}

#[test]
fn a_retained_message_outlives_a_restart_and_a_kill() {
    let directory = directory("restart");
    let _none_before = std::fs::remove_dir_all(&directory);
    let data = directory.to_str().expect("UTF-8");
    let arguments = ["--listen", "tcp://127.0.0.1:0", "--data", data];
    for (index, signal) in ["TERM", "KILL", "TERM"].into_iter().enumerate() {
        let ferry = Ferry::start(&arguments);
        let mut client = ferry.connect();
        if index > 0 {
            // SUBSCRIBE to t, and PUBLISH t with RETAIN set.
            client.write_all(&[0x82, 7, 0, 1, 0, 0, 1, b't', 0]).expect("it reads");
            assert_eq!(packet(&mut client)[0], 0x90, "SUBACK");
            let publish = packet(&mut client);
            assert_eq!(
                (publish[0], publish[6]),
                (0x31, b'0' + index as u8 - 1),
                "the message of the last time"
            );
            client.write_all(&[0xA2, 6, 0, 2, 0, 0, 1, b't']).expect("it reads");
            assert_eq!(packet(&mut client)[0], 0xB0, "UNSUBACK");
        }
        client.write_all(&[0x33, 7, 0, 1, b't', 0, 3, 0, b'0' + index as u8]).expect("it reads");
        // With a reason code, for nobody else has subscribed.
        assert_eq!(packet(&mut client)[..4], [0x40, 3, 0, 3], "PUBACK");
        ferry.signal(signal);
        ferry.wait();
    }
}

#[test]
fn a_data_directory_belongs_to_one_broker() {
    let directory = directory("one-broker");
    let data = directory.to_str().expect("UTF-8");
    let ferry = Ferry::start(&["--listen", "tcp://127.0.0.1:0", "--data", data]);
    let output = Command::new(env!("CARGO_BIN_EXE_ferry"))
        .args(["serve", "--listen", "tcp://127.0.0.1:0", "--data", data])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    let expected = format!("{data} is in use by process {}", ferry.process.id());
    assert!(error.contains(&expected) && error.contains("a directory of its own with --data DIR"), "{error}");
}

/// A data directory in which something was retained, and a session waits.
fn data_directory(test: &str) -> PathBuf {
    let directory = directory(test);
    let _none_before = std::fs::remove_dir_all(&directory);
    let data = directory.join("data");
    let ferry = Ferry::start(&["--listen", "tcp://127.0.0.1:0", "--data", data.to_str().expect("UTF-8")]);
    let mut client = ferry.connect();
    client.write_all(&[0x33, 7, 0, 1, b't', 0, 3, 0, 0xFF]).expect("it reads");
    assert_eq!(packet(&mut client)[0], 0x40, "PUBACK");
    ferry.signal("TERM");
    ferry.wait();
    data
}

fn store(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_ferry")).arg("store").args(arguments).output().expect("the binary runs")
}

#[test]
fn a_dump_is_loaded_into_an_empty_directory() {
    let data = data_directory("dump");
    let data = data.to_str().expect("UTF-8");
    let file = format!("{data}.jsonl");
    let copy = format!("{data}-copy");
    assert_eq!(store(&["check", data]).status.code(), Some(0));
    assert_eq!(store(&["dump", data, "--output", &file]).status.code(), Some(0));
    let dump = std::fs::read_to_string(&file).expect("the dump");
    assert!(dump.starts_with("{\"ferry_dump\":2,") && dump.contains("\"payload_base64\":\"/w==\""), "{dump}");
    let output = store(&["load", &copy, "--input", &file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&store(&["dump", &copy]).stdout), dump);
    let output = store(&["load", &copy, "--input", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("name a directory that is empty"), "{output:?}");
    let ferry = Ferry::start(&["--listen", "tcp://127.0.0.1:0", "--data", &copy]);
    let mut client = ferry.connect();
    client.write_all(&[0x82, 7, 0, 1, 0, 0, 1, b't', 0]).expect("it reads");
    assert_eq!(packet(&mut client)[0], 0x90, "SUBACK");
    assert_eq!(packet(&mut client), [0x31, 5, 0, 1, b't', 0, 0xFF]);
}

#[test]
fn a_dump_that_is_not_whole_leaves_no_half_a_directory() {
    let data = data_directory("half");
    let data = data.to_str().expect("UTF-8");
    let dump = String::from_utf8(store(&["dump", data]).stdout).expect("UTF-8");
    let lines: Vec<&str> = dump.lines().collect();
    let file = format!("{data}.jsonl");
    let copy = format!("{data}-copy");
    for (text, expected) in [
        (lines[..lines.len() - 1].join("\n"), "the dump ends before its end"),
        (lines[1..].join("\n"), "line 1 of the dump: not a dump of ferry"),
        (dump.replace("\"qos\":1", "\"qos\":7"), "qos is not 0, 1 or 2"),
    ] {
        std::fs::write(&file, text).expect("written");
        let output = store(&["load", &copy, "--input", &file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(expected), "{error}");
    }
    std::fs::write(&file, &dump).expect("written");
    assert_eq!(store(&["load", &copy, "--input", &file]).status.code(), Some(0));
}

#[test]
fn damage_is_named_and_the_rest_is_served() {
    let data = data_directory("damage");
    let segment = data.join("log/00000000000000000001.log");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let at = bytes.windows(2).rposition(|pair| pair == [b't', 0]).expect("the retained message");
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let output = store(&["check", data.to_str().expect("UTF-8")]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(": DAMAGED") && text.contains("log/00000000000000000001.log: "), "{text}");
    let data = data.to_str().expect("UTF-8");
    let ferry = Ferry::start(&["--listen", "tcp://127.0.0.1:0", "--data", data]);
    drop(ferry.connect());
}
