//! TLS with pre-shared keys: our clients and Mosquitto's, against our broker and Mosquitto's.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use crate::broker::{Broker, Kind};
use crate::program::{Outcome, Running, Scratch, ferry, run};
use crate::test_tls;

const KEYS: &str = "# the keys of a test\npump-7:00112233445566778899aabbccddeeff\nvalve:1ab\nzeros:000102\n";

/// Identities and keys that are tried, and whether they are right.
const TRIALS: [(&str, &str, bool); 9] = [
    ("pump-7", "00112233445566778899aabbccddeeff", true),
    ("pump-7", "00112233445566778899AABBCCDDEEFF", true),
    ("pump-7", "112233445566778899aabbccddeeff", false),
    ("pump-7", "1ab", false),
    ("valve", "1ab", true),
    ("valve", "01ab", true),
    ("zeros", "000102", true),
    ("zeros", "0102", false),
    ("pump-8", "00112233445566778899aabbccddeeff", false),
];

const VERSIONS: [&[&str]; 3] = [&[], &["--tls-version", "tlsv1.2"], &["--tls-version", "tlsv1.3"]];

/// Ferry with pre-shared keys, whose log can be read.
struct Ferry {
    running: Running,
    port: String,
}

impl Ferry {
    fn start(scratch: &Scratch, scheme: &str, more: &str) -> Self {
        let keys = scratch.write("keys", KEYS.as_bytes());
        let path = if scheme == "wss" { "/mqtt" } else { "" };
        let text = format!(
            "[[listener]]\naddress = \"{scheme}://127.0.0.1:0{path}\"\ntls_psk_file = \"{keys}\"\n{more}"
        );
        let file = scratch.write("ferry.toml", text.as_bytes());
        let mut running = Running::start(ferry().args(["serve", "--memory", "--config", &file]));
        let line = running.next_with("://127.0.0.1:");
        let (_, rest) = line.split_once("://127.0.0.1:").expect("an address");
        let port = rest.chars().take_while(char::is_ascii_digit).collect();
        running.wait_for("process ");
        Self { running, port }
    }

    /// The next line of the log that has this in it.
    fn line_with(&mut self, part: &str) -> String {
        self.running.next_with(part)
    }
}

/// A client that publishes once, and waits for the acknowledgement.
fn publish(program: Command, port: &str, topic: &str, options: &[&str]) -> Outcome {
    let mut program = program;
    program.args(["-h", "127.0.0.1", "-p", port, "-t", topic, "-m", "x", "-q", "1"]).args(options);
    run(&mut program, b"")
}

fn ours() -> Command {
    let mut command = ferry();
    command.arg("pub");
    command
}

fn theirs() -> Command {
    let mut command = Command::new("mosquitto_pub");
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command
}

#[test]
fn keys_are_as_with_mosquitto() {
    let scratch = Scratch::new();
    let ferry = Ferry::start(&scratch, "tls", "");
    let with_mosquitto = Kind::installed().contains(&Kind::Mosquitto);
    let mosquitto = with_mosquitto.then(|| {
        let keys = scratch.path("keys");
        Broker::mosquitto(&format!("psk_hint hint\npsk_file {keys}\nuse_identity_as_username true"))
    });
    let ports = [Some(ferry.port.as_str()), mosquitto.as_ref().map(Broker::port)];
    for port in ports.into_iter().flatten() {
        for version in VERSIONS {
            for (identity, key, is_right) in TRIALS {
                let options = [version, &["--psk-identity", identity, "--psk", key]].concat();
                let what = format!("{options:?} to {port}");
                let outcome = publish(ours(), port, "a", &options);
                assert_eq!(outcome.code, Some(if is_right { 0 } else { 1 }), "{what}: {outcome:?}");
                assert!(!outcome.error.contains(key), "{what}: {outcome:?}");
                if with_mosquitto {
                    let outcome = publish(theirs(), port, "a", &options);
                    assert_eq!(outcome.code == Some(0), is_right, "mosquitto_pub {what}: {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn all_clients_have_keys() {
    let scratch = Scratch::new();
    for (scheme, options) in [("tls", &[][..]), ("wss", &["--ws"])] {
        let ferry_broker = Ferry::start(&scratch, scheme, "");
        let place = ["-h", "127.0.0.1", "-p", &ferry_broker.port, "--psk-identity", "valve", "--psk", "1ab"];
        let said = |kind: &str, words: &[&str]| {
            let outcome = run(ferry().arg(kind).args(place).args(options).args(words), b"");
            assert_eq!(outcome.code, Some(0), "{kind} {words:?}: {outcome:?}");
            outcome.output
        };
        let large = scratch.write("large", &vec![b'x'; 1_500_000]);
        said("pub", &["-t", "a", "-f", &large, "-r", "-q", "1"]);
        assert_eq!(said("sub", &["-t", "a", "-C", "1", "-F", "%l"]), "1500000\n");
        said("pub", &["-t", "b", "-m", "answer", "-r", "-q", "1"]);
        if scheme == "tls" && Kind::installed().contains(&Kind::Mosquitto) {
            let mut theirs = Command::new("mosquitto_sub");
            theirs.env("XDG_CONFIG_HOME", "/nonexistent").args(place);
            let outcome = run(theirs.args(["-t", "#", "-C", "2", "-F", "%t %l"]), b"");
            let mut lines: Vec<&str> = outcome.output.lines().collect();
            // Retained messages of different topics come in any order.
            lines.sort_unstable();
            assert_eq!(lines, ["a 1500000", "b 6"], "{outcome:?}");
        }
        assert_eq!(said("rr", &["-t", "c", "-e", "b", "-n"]), "answer\n");
    }
}

/// Nobody else can have the name, whatever the CONNECT says; and the log tells what the client does not learn.
#[test]
fn the_identity_is_the_user_name() {
    let scratch = Scratch::new();
    let rights = scratch.write("rights", b"user valve\ntopic readwrite of/valve\n");
    let broker = Ferry::start(&scratch, "tls", &format!("[authorization]\nacl_file = \"{rights}\"\n"));
    let port = broker.port.clone();
    let valve = ["-V", "mqttv5", "--psk-identity", "valve", "--psk", "1ab", "-u", "somebody", "-P", "else"];
    let pump = ["-V", "mqttv5", "--psk-identity", "zeros", "--psk", "000102", "-u", "valve", "-P", "else"];
    assert_eq!(publish(ours(), &port, "of/valve", &valve).code, Some(0));
    assert_eq!(publish(ours(), &port, "of/valve", &pump).code, Some(0x87));
    for (identity, words) in
        [("valve", "not the key of the identity \"valve\""), ("nobody", "no identity \"nobody\"")]
    {
        // Of one broker the log says only how often the same happened again.
        let mut broker = Ferry::start(&scratch, "tls", "");
        let wrong = ["--psk-identity", identity, "--psk", "0badcafe"];
        let outcome = publish(ours(), &broker.port, "of/valve", &wrong);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.error.contains("does not take the identity or its pre-shared key"), "{outcome:?}");
        let line = broker.line_with(words);
        assert!(!line.contains("1ab") && !line.contains("badcafe"), "{line}");
    }
}

#[test]
fn a_listener_can_ask_for_a_password_too() {
    let scratch = Scratch::new();
    let made = run(ferry().args(["passwd", "-b", "-c", &scratch.path("users"), "ada", "secret"]), b"");
    assert_eq!(made.code, Some(0), "{made:?}");
    let users = scratch.path("users");
    let more =
        format!("authentication = [\"password_file\"]\n[authentication]\npassword_file = \"{users}\"\n");
    let broker = Ferry::start(&scratch, "tls", &more);
    let key = ["--psk-identity", "valve", "--psk", "1ab"];
    let with = |words: &[&str]| publish(ours(), &broker.port, "a", &[&key[..], words].concat()).code;
    assert_eq!(with(&["-u", "ada", "-P", "secret"]), Some(0));
    assert_eq!(with(&["-u", "ada", "-P", "wrong"]), Some(4));
    assert_eq!(with(&[]), Some(5));
}

#[test]
fn a_change_of_the_file_counts_at_once() {
    let scratch = Scratch::new();
    let mut broker = Ferry::start(&scratch, "tls", "");
    let port = broker.port.clone();
    let with = |key: &str| publish(ours(), &port, "a", &["--psk-identity", "valve", "--psk", key]).code;
    let mut open = Running::start(
        ferry().args(["sub", "-h", "127.0.0.1", "-p", &port, "-t", "open", "-d", "-C", "1"]).args([
            "--psk-identity",
            "valve",
            "--psk",
            "1ab",
        ]),
    );
    open.next_with("subscribed");
    scratch.write("keys", b"valve:2ab\n");
    broker.line_with("are loaded again");
    assert_eq!((with("1ab"), with("2ab")), (Some(1), Some(0)));
    // What is wrong changes nothing.
    scratch.write("keys", b"valve:3ab\nvalve\n");
    broker.line_with("stays as it was");
    assert!(broker.line_with("line 2: there is no colon").contains("tls_psk_file"));
    assert_eq!((with("3ab"), with("2ab")), (Some(1), Some(0)));
    // Open connections stay.
    assert_eq!(publish(ours(), &port, "open", &["--psk-identity", "valve", "--psk", "2ab"]).code, Some(0));
    assert_eq!(open.end().output, "x\n");
}

#[test]
fn options_are_as_with_mosquitto_pub() {
    let (scratch, with_certificate) = test_tls::broker_and_certificates();
    let authority = scratch.path("authority.pem");
    let with_mosquitto = Kind::installed().contains(&Kind::Mosquitto);
    for (options, words) in [
        (&["--psk", "1ab"][..], "--psk-identity"),
        (&["--psk", "1ab", "--psk-identity", "valve", "--cafile", &authority], "--cafile"),
        (&["--psk", "1ab", "--psk-identity", "valve", "--capath", "/tmp"], "--capath"),
        (&["--psk", "1zz", "--psk-identity", "valve"], "hexadecimal"),
        (&["--psk"], "--psk"),
        // A server with a certificate is none that has the key.
        (&["--psk", "1ab", "--psk-identity", "valve"], "TLS"),
        (&["--psk", "1ab", "--psk-identity", "valve", "--tls-version", "tlsv1.3"], "certificate"),
        (&["--psk", "1ab", "--psk-identity", "valve", "--insecure"], "TLS"),
    ] {
        let outcome = publish(ours(), with_certificate.port(), "a", options);
        assert!(matches!(outcome.code, Some(1 | 2)), "{options:?}: {outcome:?}");
        assert!(outcome.error.contains(words) && !outcome.error.contains("1zz"), "{options:?}: {outcome:?}");
        // Without a file of authorities it does not look at the certificate.
        if with_mosquitto && words != "TLS" && words != "certificate" {
            let outcome = publish(theirs(), with_certificate.port(), "a", options);
            assert_ne!(outcome.code, Some(0), "{options:?}: {outcome:?}");
        }
    }
    // Mosquitto's client goes on without TLS.
    let outcome = publish(ours(), with_certificate.port(), "a", &["--psk-identity", "valve"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn the_wrong_kind_of_client_is_named() {
    let scratch = Scratch::new();
    let mut broker = Ferry::start(&scratch, "tls", "");
    let port = broker.port.clone();
    let outcome = publish(ours(), &port, "a", &["--tls-use-os-certs"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    broker.line_with("no TLS version or parameter in common");
    let mut socket = TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).expect("connects");
    socket.write_all(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0").expect("written");
    broker.line_with("an MQTT client without TLS on a TLS listener");
}
