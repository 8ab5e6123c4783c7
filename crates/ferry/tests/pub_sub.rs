//! `ferry pub`, `sub` and `rr` against `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr`: the same options, the same
//! broker, the same output and exit code.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A broker of its own, killed at the end.
struct Broker {
    process: Child,
    port: String,
}

impl Broker {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--memory", "--listen", "tcp://127.0.0.1:0"]).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut port = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("tcp://127.0.0.1:") {
                port = rest.chars().take_while(char::is_ascii_digit).collect();
            }
            if line.starts_with("process ") {
                break;
            }
        }
        // Whatever else it says is read, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(!port.is_empty(), "the broker does not say where it listens");
        Self { process, port }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// Whose clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Mosquitto,
    Ferry,
}

/// What a client printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    output: String,
    code: Option<i32>,
}

impl Side {
    fn command(self, kind: &str, port: &str, options: &[&str]) -> Command {
        let mut command = match self {
            Self::Mosquitto => Command::new(format!("mosquitto_{kind}")),
            Self::Ferry => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
                command.arg(kind);
                command
            }
        };
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        command.env("TZ", "UTC").args(["-h", "127.0.0.1", "-p", port]).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn run(self, kind: &str, port: &str, options: &[&str], input: &str) -> Outcome {
        let mut child = self.command(kind, port, options).spawn().expect("it is installed");
        // A client that does not read is gone already, perhaps.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        let code = output.status.code();
        Outcome { output: String::from_utf8_lossy(&output.stdout).into_owned(), code }
    }
}

fn mosquitto_is_there() -> bool {
    let found = Command::new("mosquitto_sub").arg("--help").stdout(Stdio::null()).status();
    let is_there = found.as_ref().is_ok_and(|status: &ExitStatus| status.code().is_some());
    if !is_there {
        eprintln!("SKIPPED: Mosquitto's clients are not installed; `cargo xtask test-tools` installs them");
    }
    is_there
}

/// What is retained for [`SUBSCRIBE`]: options of `pub`.
const RETAINED: &[&[&str]] = &[
    &["-t", "a/plain", "-m", "hello"],
    &["-t", "a/quoted", "-m", "he\"l/lo \\ é\nx", "-q", "1"],
    &["-t", "a/json", "-m", "{ \"a\" : [1, {\"b\":null,\"e\":{}, \"f\":[]}], \"c\":\"x, y\" }"],
    &[
        "-t",
        "a/properties",
        "-m",
        "21.5",
        "-q",
        "2",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "user-property",
        "unit",
        "celsius",
        "-D",
        "publish",
        "response-topic",
        "re/ply",
        "-D",
        "publish",
        "correlation-data",
        "17",
        "-D",
        "publish",
        "payload-format-indicator",
        "1",
        "-D",
        "publish",
        "user-property",
        "unit",
        "kelvin",
    ],
];

/// Options of `sub` that print what is retained.
const SUBSCRIBE: &[&[&str]] = &[
    &["-t", "a/plain", "-C", "1"],
    &["-t", "a/plain", "-C", "1", "-v"],
    &["-t", "a/plain", "-C", "1", "-N"],
    &["-t", "a/plain", "-C", "1", "-v", "-N"],
    &["-t", "a/plain", "-C", "1", "-V", "31"],
    &["-t", "a/plain", "-C", "1", "-V", "mqttv5"],
    &["-t", "a/plain", "-C", "1", "-i", "me", "-k", "30", "-u", "ada", "-P", "secret"],
    &["-t", "a/plain", "-C", "1", "-I", "prefix-"],
    &["-t", "a/plain", "-C", "1", "--quiet", "--nodelay"],
    &["-t", "a/plain", "-C", "1", "-F", "%t|%20t|%-20t|%3.3t|%.2t|%l|%05l|%-5l|%q|%r|%m|%3m"],
    &["-t", "a/quoted", "-q", "1", "-C", "1", "-F", "%x|%X|%6x|%-60x|%020X|%p|%40p|%-40p|%3p|%m"],
    &["-t", "a/quoted", "-C", "1", "-F", r"%%|@@|\\|\a|\e|\n|\r|\t|\v|@Y"],
    &["-t", "a/json", "-C", "1", "-F", "%l|%q"],
    &["-t", "a/properties", "-C", "1", "-F", "%A|%C|%12C|%-12C|%.3C|%D|%F|%03F|%P|%R|%10R|%S|%04S"],
    &[
        "-V",
        "5",
        "-q",
        "2",
        "-t",
        "a/properties",
        "-C",
        "1",
        "-F",
        "%A|%C|%12C|%-12C|%.3C|%D|%E|%5E|%F|%03F|%P|%R|%10R|%S|%04S",
    ],
    &["-t", "a/plain", "-t", "a/json", "-T", "a/json", "-R", "-C", "1", "-W", "1"],
    &["-t", "a/plain", "--retained-only", "-C", "1"],
    &["-t", "a/plain", "-E"],
    &["-t", "a/plain", "-C", "1", "-V", "5", "--retain-as-published", "-F", "%r"],
    &["-t", "nothing", "-W", "1"],
    &["-t", "nothing", "-W", "1", "--quiet"],
    &["-t", "a/plain", "-C", "1", "-c", "-i", "lasting", "-q", "1"],
    &["-t", "nothing", "-E", "-U", "a/plain"],
    &[
        "-t",
        "a/plain",
        "-C",
        "1",
        "--will-topic",
        "w",
        "--will-payload",
        "x",
        "--will-qos",
        "1",
        "--will-retain",
    ],
];

/// As [`SUBSCRIBE`], but the time and the order of properties differ: what is compared begins behind the time, or is sorted.
const SUBSCRIBE_JSON: &[&[&str]] = &[
    &["-t", "a/plain", "-C", "1", "-F", "%j"],
    &["-t", "a/quoted", "-q", "1", "-C", "1", "-F", "%j"],
    &["-t", "a/quoted", "-C", "1", "-F", "%j", "--pretty"],
    &["-t", "a/json", "-C", "1", "-F", "%J"],
    &["-t", "a/json", "-C", "1", "-F", "%J", "--pretty"],
    &["-V", "5", "-t", "a/properties", "-C", "1", "-F", "%j"],
    &["-V", "5", "-t", "a/properties", "-C", "1", "-F", "%j", "--pretty"],
];

#[test]
fn subscriptions_print_the_same() {
    if !mosquitto_is_there() {
        return;
    }
    let broker = Broker::start();
    for options in RETAINED {
        let options = [options, ["-r"].as_slice()].concat();
        assert_eq!(Side::Ferry.run("pub", &broker.port, &options, "").code, Some(0), "{options:?}");
    }
    // Mosquitto 2.0.11 leaves some out even then.
    let options = ["-t", "a/plain", "-C", "1", "--random-filter", "100"];
    assert_eq!(Side::Ferry.run("sub", &broker.port, &options, "").output, "hello\n");
    for options in SUBSCRIBE {
        let [theirs, ours] =
            [Side::Mosquitto, Side::Ferry].map(|side| side.run("sub", &broker.port, options, ""));
        assert_eq!(ours, theirs, "{options:?}");
    }
    for options in SUBSCRIBE_JSON {
        let [theirs, ours] = [Side::Mosquitto, Side::Ferry].map(|side| {
            let result = side.run("sub", &broker.port, options, "");
            assert_eq!(result.code, Some(0), "{options:?}");
            let (_, behind_time) = result.output.split_once("+0000\"").expect("a time in UTC");
            let mut characters: Vec<char> = behind_time.chars().collect();
            if options.contains(&"a/properties") {
                characters.sort_unstable();
            }
            characters
        });
        assert_eq!(ours, theirs, "{options:?}");
    }
}

/// Options of `pub` and standard input; what comes of each is read by `mosquitto_sub`.
const PUBLISH: &[(&[&str], &str)] = &[
    (&["-t", "p/m", "-m", "one"], ""),
    (&["-t", "p/m", "-m", "one", "-q", "1"], ""),
    (&["-t", "p/m", "-m", "one", "-q", "2", "-V", "mqttv5"], ""),
    (&["-t", "p/m", "-m", "one", "-q", "2", "-V", "31", "-M", "1"], ""),
    (&["-t", "p/m", "-m", "-5"], ""),
    (&["-t", "p/m", "-m", ""], ""),
    (&["-t", "p/n", "-n"], ""),
    (&["-t", "p/s", "-s"], "all of\nit\n"),
    (&["-t", "p/l", "-l", "-q", "1"], "one\n\ntwo\r\nlast"),
    (&["-t", "p/f", "-f", "Cargo.toml"], ""),
    (&["-t", "p/repeat", "-m", "x", "--repeat", "3", "--repeat-delay", "0.01", "-q", "2"], ""),
    (
        &[
            "-t",
            "p/d",
            "-m",
            "x",
            "-D",
            "publish",
            "user-property",
            "a",
            "b",
            "-D",
            "connect",
            "receive-maximum",
            "5",
        ],
        "",
    ),
    (&["-t", "p/x", "-m", "x", "-V", "5", "-x", "5", "-D", "disconnect", "user-property", "a", "b"], ""),
];

/// Options of `pub` that cannot be; Mosquitto's exit code is 1, ours 1 or 2.
const REFUSED: &[&[&str]] = &[
    &["-t", "a"],
    &["-m", "a"],
    &["-t", "a/#", "-m", "a"],
    &["-t", "a", "-m", "x", "-n"],
    &["-t", "a", "-m", "x", "-q", "3"],
    &["-t", "a", "-m", "x", "-V", "4"],
    &["-t", "a", "-m", "x", "-P", "secret"],
    &["-t", "a", "-m", "x", "-c"],
    &["-t", "a", "-m", "x", "--will-payload", "y"],
    &["-t", "a", "-m", "x", "--nonsense"],
    &["-t", "a", "-m", "x", "-i", "a", "-I", "b"],
    &["-t", "a", "-m", "x", "-D", "publish", "nonsense", "3"],
    &["-t", "a", "-m", "x", "-D", "nonsense", "user-property", "a", "b"],
    &["-t", "a", "-f", "no-such-file"],
    &["-t", "a", "-s"],
];

#[test]
fn publications_arrive_the_same() {
    if !mosquitto_is_there() {
        return;
    }
    let broker = Broker::start();
    for (options, input) in PUBLISH {
        let received = [Side::Mosquitto, Side::Ferry].map(|side| {
            let watch = ["-d", "-v", "-t", "p/#", "-t", "end", "-q", "2", "-V", "5", "-F", "%t|%p|%q|%r|%P"];
            let mut watcher = Command::new("stdbuf");
            watcher.args(["-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", &broker.port]).args(watch);
            let mut watcher = watcher.stdout(Stdio::piped()).spawn().expect("it is installed");
            let mut lines =
                BufReader::new(watcher.stdout.take().expect("piped")).lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("Subscribed")).expect("it subscribes");
            let result = side.run("pub", &broker.port, options, input);
            Side::Mosquitto.run("pub", &broker.port, &["-t", "end", "-m", "end", "-q", "2"], "");
            let lines = lines
                .take_while(|line| !line.starts_with("end|"))
                .filter(|line| !line.starts_with("Client "));
            let lines: Vec<String> = lines.collect();
            let _ended = watcher.kill();
            let _status = watcher.wait();
            (result, lines)
        });
        let [theirs, ours] = received;
        assert_eq!(ours, theirs, "{options:?}");
    }
    for options in REFUSED {
        let [theirs, ours] =
            [Side::Mosquitto, Side::Ferry].map(|side| side.run("pub", &broker.port, options, ""));
        assert_eq!(theirs.code, Some(1), "{options:?}");
        assert!(matches!(ours.code, Some(1 | 2)), "{options:?}: {ours:?}");
    }
    for side in [Side::Mosquitto, Side::Ferry] {
        assert_eq!(
            side.run("pub", "1", &["-t", "a", "-m", "x"], "").code,
            Some(1),
            "{side:?}: nobody listens"
        );
    }
}

#[test]
fn requests_are_answered_the_same() {
    if !mosquitto_is_there() {
        return;
    }
    let broker = Broker::start();
    // An answer that is there already: nobody has to be in time.
    Side::Ferry.run("pub", &broker.port, &["-t", "answer", "-m", "42", "-r", "-q", "1"], "");
    for options in [
        ["-t", "ask", "-e", "answer", "-m", "what", "-v"].as_slice(),
        &["-t", "ask", "-e", "answer", "-n", "-F", "%t %p %r", "-V", "311"],
        &["-t", "ask", "-e", "silence", "-m", "what", "-W", "1"],
    ] {
        let [theirs, ours] =
            [Side::Mosquitto, Side::Ferry].map(|side| side.run("rr", &broker.port, options, ""));
        assert_eq!(ours, theirs, "{options:?}");
    }
}

/// A `ferry sub` that has subscribed, and will never get anything.
fn waiting_subscriber(broker: &Broker) -> Child {
    let mut command = Side::Ferry.command("sub", &broker.port, &["-t", "nothing", "-d"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("subscribed")).expect("it subscribes");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn it_ends_when_nobody_reads_and_when_it_is_told() {
    let broker = Broker::start();
    let mut unread = waiting_subscriber(&broker);
    drop(unread.stdout.take());
    assert_eq!(unread.wait().expect("it ends").code(), Some(0));
    for signal in ["-INT", "-TERM"] {
        let mut stopped = waiting_subscriber(&broker);
        let killed = Command::new("kill").args([signal, &stopped.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        assert_eq!(stopped.wait().expect("it ends").code(), Some(0), "{signal}");
    }
}

#[test]
fn it_goes_on_when_nobody_reads_its_errors() {
    let broker = Broker::start();
    let mut command = Side::Ferry.command("sub", &broker.port, &["-t", "a", "-d", "-C", "1"]);
    let mut subscriber = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(subscriber.stderr.take().expect("piped")).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("subscribed")).expect("it subscribes");
    drop(lines);
    Side::Ferry.run("pub", &broker.port, &["-t", "a", "-m", "x", "-q", "1"], "");
    let outcome = subscriber.wait_with_output().expect("it ends");
    assert_eq!((outcome.status.code(), outcome.stdout), (Some(0), b"x\n".to_vec()));
}
