//! What may stand on the command line of a client: with Ferry's and Mosquitto's the same comes out.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::broker::{Broker, Kind};
use crate::program::{Running, client, done, ferry, keep_last, retained, run};

fn words(line: &[u8]) -> impl Iterator<Item = OsString> {
    line.split(|byte| *byte == b' ').map(|word| OsStr::from_bytes(word).to_owned())
}

/// Options of `pub` with words that look like something else, and bytes that are no text; with how it ends.
const PUBLISH: &[(&[u8], i32)] = &[
    (b"-m x -D publish user-property u -5", 0),
    (b"-m x -D publish content-type -t", 0),
    (b"-m x -D PUBLISH Content-Type text", 0),
    (b"-m x -D publish correlation-data \xFF\xFE", 0),
    (b"-m x -D publish response-topic -D -D publish user-property a b", 0),
    (b"-m x --will-topic -w --will-payload \xFF", 0),
    (b"-m \xFF\xFE", 0),
    (b"-m x -u ada -P \xFF", 0),
    (b"-m -D", 0),
    (b"-m x -D publish content-type \xFF", 1),
    (b"-m x -u \xFF", 1),
    (b"-m x -D publish user-property u", 1),
    (b"-m x -c -i ", 1),
    (b"-m x -h ada@localhost", 1),
    (b"-m x -h mqtt://localhost", 1),
];

#[test]
fn words_are_taken_as_they_are() {
    let with_mosquitto = Kind::installed().contains(&Kind::Mosquitto);
    let broker = Broker::start(Kind::Ferry);
    keep_last(&broker, &[]);
    let published = |mut command: Command, line: &[u8]| {
        command.args(["-h", "127.0.0.1", "-p", broker.port(), "-t", "a", "-r", "-q", "1", "-V", "5"]);
        let outcome = run(command.args(words(line)).env("XDG_CONFIG_HOME", "/nonexistent"), b"");
        let retained = retained(client("sub", &broker, &["-t", "a", "-V", "5", "-F", "%x|%C|%D|%R|%P"]));
        done("pub", &broker, &["-t", "a", "-n", "-r", "-q", "1"]);
        (outcome, retained)
    };
    for (line, code) in PUBLISH {
        let what = String::from_utf8_lossy(line);
        let mut ours = ferry();
        ours.arg("pub");
        let (outcome, retained) = published(ours, line);
        assert_eq!(outcome.code, Some(if *code == 0 { 0 } else { 2 }), "{what}: {outcome:?}");
        if with_mosquitto {
            let (theirs, their_retained) = published(Command::new("mosquitto_pub"), line);
            assert_eq!(theirs.code, Some(*code), "{what}: {theirs:?}");
            assert_eq!(retained, their_retained, "{what}");
        }
        assert_eq!(retained.is_empty(), *code != 0, "{what}: {retained}");
    }
}

/// A URL takes part of what `-h` and the others say.
#[test]
fn urls_have_a_scheme_in_any_case() {
    let broker = Broker::start(Kind::Ferry);
    for scheme in ["MQTT", "tcp", "mqtt"] {
        let url = format!("{scheme}://ada:secret@127.0.0.1:{}/kept", broker.port());
        let outcome = run(ferry().args(["pub", "-L", &url, "-m", "x", "-q", "1"]), b"");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    let websocket = Broker::ferry("ws://127.0.0.1:0", &[]);
    let url = format!("WS://ada:secret@127.0.0.1:{}/mqtt", websocket.port());
    let outcome = run(ferry().args(["pub", "-L", &url, "-m", "x", "-q", "1", "-t", "a"]), b"");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

/// All letters of strftime, and what is none; digits may differ, as time goes on.
#[test]
fn times_are_printed_as_in_the_locale_c() {
    if !Kind::installed().contains(&Kind::Mosquitto) {
        return;
    }
    let broker = Broker::start(Kind::Ferry);
    done("pub", &broker, &["-t", "a", "-m", "x", "-r", "-q", "1"]);
    let letters: String = ('!'..='~').filter(|letter| *letter != '@').map(|l| format!("@{l}|")).collect();
    for zone in ["UTC", "America/New_York", "Asia/Kolkata"] {
        for format in [letters.as_str(), "@z @Z @F @H"] {
            let options = ["-h", "127.0.0.1", "-p", broker.port(), "-t", "a", "-C", "1", "-F", format];
            let mut ours = ferry();
            ours.arg("sub");
            let [ours, theirs] = [ours, Command::new("mosquitto_sub")].map(|mut command| {
                command.args(options).env("TZ", zone).env("XDG_CONFIG_HOME", "/nonexistent");
                let output = run(&mut command, b"").output;
                let is_exact = format != letters;
                output.replace(|digit: char| !is_exact && digit.is_ascii_digit(), "0")
            });
            assert_eq!(ours, theirs, "{zone}");
        }
    }
}

#[test]
fn what_is_interrupted_ends_as_interrupted() {
    let broker = Broker::start(Kind::Ferry);
    for (kind, options) in [
        ("pub", ["-t", "a", "-m", "x", "--repeat", "2", "--repeat-delay", "1000", "-d"].as_slice()),
        ("rr", &["-t", "a", "-m", "x", "-e", "silence", "-d"]),
    ] {
        for signal in ["-INT", "-TERM"] {
            let mut running = Running::start(&mut client(kind, &broker, options));
            running.wait_for("connected");
            running.signal(signal);
            let outcome = running.end();
            assert_eq!(outcome.code, Some(130), "{kind}: {outcome:?}");
            assert!(outcome.error.contains("error: stopped before the end"), "{kind}: {outcome:?}");
        }
    }
}

#[test]
fn wrong_command_lines_end_with_2() {
    for (line, words) in [
        ("pub -t  -m x", "the topic is empty"),
        ("pub -t a/# -m x", "+ and # are for subscribing"),
        ("pub -L http://h/a -m x", "the scheme is none of"),
        ("pub -t a -m x -c", "say which with -i"),
        ("pub -t a -m x -D connect x y", "there is no such property"),
        ("pub -t a -m x --unix /run/s --proxy socks5://h:1", "cannot be used with"),
        ("sub -t a/#/b", "is not a topic filter"),
        ("sub -t a -W 0", "not a time above 0"),
        ("rr -t a/+ -e b -m x", "+ and # are for subscribing"),
        ("rr -t a -e b/+ -m x", "+ and # are for subscribing"),
        ("record -t # -h a@b /nonexistent/x", "with -u"),
        ("replay -L mqtt://h/topic /nonexistent/x", "topics come from the recording"),
        ("pub -t a -m x --cafile /nonexistent/x", "/nonexistent/x: "),
        ("pub -t a -m x --capath /nonexistent/x", "/nonexistent/x: "),
        ("pub -t a -m x --cafile /dev/null", "/dev/null: there is no certificate in it"),
        ("pub -t a -m x --tls-use-os-certs --cert /nonexistent/x --key /nonexistent/x", "/nonexistent/x: "),
        ("pub -t a -m x --cert /nonexistent/x", "--key"),
        ("pub -t a -m x --tls-version tlsv1", "not safe"),
        ("pub -t a -m x --proxy ftp://h", "the scheme is none of"),
        ("pub -t a -m x -A nowhere.invalid", "neither an address"),
        ("pub -t a -m x --name-server nowhere", "not the address of a name server"),
        ("pub -t a -m x -V mqttv5 -p 0", "not in 1..=65535"),
        ("pub -t a -m x -P secret", "a password needs a user name"),
        ("pub -t a -m x --auth-method MD5", "not a method"),
        ("pub -t a -m x --ciphers all", "--ciphers: "),
        ("pub -t a -m x -x 5 -V mqttv311", "-x needs MQTT 5.0"),
        ("pub -t a -m x --will-payload x", "--will-topic"),
        ("pub -t a -m x --will-topic a/#", "--will-topic: \"a/#\": + and # are for subscribing"),
        ("pub -t a -m x --will-topic w --will-payload LONG", "--will-payload: there are 65536 bytes"),
        ("sub -t a -u LONG", "-u: there are 65536 bytes"),
        ("rr -t a -e b -m x -u me -P LONG", "-P: there are 65536 bytes"),
        ("pub -t a -m x -D publish content-type LONG", "-D publish content-type: there are 65536 bytes"),
        (
            "record -t a -D subscribe user-property n LONG /nonexistent/x",
            "-D subscribe user-property: there are",
        ),
        ("pub -t a -m x --rate 0", "not a number of messages per second"),
        ("pub -t a -m {nothing} --template", "{nothing} means nothing"),
        ("pub -t a -l --repeat 2", "cannot be used with"),
        ("pub -t a --files x --repeat 2", "cannot be used with"),
        ("pub --json-lines --repeat 2", "cannot be used with"),
        ("pub -t a", "required"),
        ("sub -t a --random-filter 101", "not a number from 0.1 to 100"),
        ("sub -t a -F %Z", "%Z"),
        ("sub -t a --retain-handling soon", "invalid value 'soon'"),
        ("sub -t a -R --retained-only", "cannot be used with"),
        ("sub -t a -T a/#/b", "is not a topic filter"),
        ("rr -t a -m x", "-e"),
        ("replay --speed 0 /nonexistent/x", "--speed"),
        ("top -t a/#/b", "is not a topic filter"),
        ("ctl --admin ftp://h status", "ftp://h"),
        ("bench", "<SCENARIO>"),
    ] {
        let long = "x".repeat(65_536);
        let arguments = line.split(' ').map(|word| if word == "LONG" { long.as_str() } else { word });
        let outcome = run(ferry().args(arguments), b"");
        assert_eq!(outcome.code, Some(2), "{line}: {outcome:?}");
        assert!(outcome.error.contains(words), "{line}: {outcome:?}");
    }
}

#[test]
fn the_time_of_waiting_may_have_a_fraction() {
    let broker = Broker::start(Kind::Ferry);
    let outcome = run(&mut client("sub", &broker, &["-t", "a", "-W", "0.1"]), b"");
    assert_eq!(outcome.code, Some(27), "{outcome:?}");
}

#[test]
fn retained_messages_come_as_retain_handling_says() {
    let broker = Broker::start(Kind::Ferry);
    done("pub", &broker, &["-t", "a", "-m", "kept", "-r", "-q", "1"]);
    let session = ["-t", "a", "-i", "me", "-c", "-C", "1", "-d", "--retain-handling"];
    for (when, expected) in [("new", "kept\n"), ("new", "live\n"), ("always", "kept\n"), ("never", "live\n")]
    {
        let mut subscriber = Running::start(&mut client("sub", &broker, &[&session[..], &[when]].concat()));
        subscriber.wait_for("subscribed");
        if expected == "live\n" {
            done("pub", &broker, &["-t", "a", "-m", "live", "-q", "1"]);
        }
        assert_eq!(subscriber.end().output, expected, "{when}");
    }
}
