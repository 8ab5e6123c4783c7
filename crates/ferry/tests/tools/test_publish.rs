use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::broker::{Broker, Kind};
use crate::program::{Running, Scratch, client, done, ferry, run};
use crate::terminal::Terminal;

#[test]
fn templates_are_filled_for_each_message() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let mut command = client("sub", &broker, &["-t", "r/#", "-q", "1", "-v", "-d", "-C", "3"]);
        let mut subscriber = Running::start(&mut command);
        subscriber.wait_for("subscribed");
        let message = r#"{"n":{number},"t":{random:20.5..20.5}}"#;
        done("pub", &broker, &["-t", "r/{number}", "-m", message, "--template", "--repeat", "3", "-q", "1"]);
        let expected = "r/1 {\"n\":1,\"t\":20.5}\nr/2 {\"n\":2,\"t\":20.5}\nr/3 {\"n\":3,\"t\":20.5}\n";
        assert_eq!(subscriber.end().output, expected, "{kind:?}");
    }
}

#[test]
fn a_wrong_template_is_named() {
    let broker = Broker::start(Kind::Ferry);
    let outcome = run(&mut client("pub", &broker, &["-t", "a", "-m", "{nubmer}", "--template"]), b"");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.error.contains("{nubmer} means nothing: one of {number}"), "{outcome:?}");
    let refused = [
        ["-l", "--template"].as_slice(),
        &["-l", "--repeat", "2"],
        &["--files", "a", "--repeat", "2"],
        &["-m", "x", "--skip-bad-lines"],
        &["-m", "x", "--rate", "0"],
        &["-m", "x", "--rate", "1", "--repeat-delay", "1"],
    ];
    for options in refused {
        let outcome = run(&mut client("pub", &broker, &[&["-t", "a"], options].concat()), b"");
        assert_eq!(outcome.code, Some(2), "{options:?}");
    }
}

#[test]
fn messages_keep_to_their_rate() {
    let broker = Broker::start(Kind::Ferry);
    for options in [["-m", "x", "--repeat", "5", "--rate", "20"].as_slice(), &["-l", "--rate", "20"]] {
        let begun = Instant::now();
        let outcome = run(
            &mut client("pub", &broker, &[&["-t", "a", "-q", "1"], options].concat()),
            b"1\n2\n3\n4\n5\n",
        );
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(begun.elapsed() >= Duration::from_millis(200), "{options:?}");
        assert_eq!(outcome.error, "", "progress is for terminals");
    }
}

#[test]
fn progress_is_shown_on_a_terminal() {
    let broker = Broker::start(Kind::Ferry);
    let options = ["-t", "a", "-m", "0123456789", "--repeat", "30", "--rate", "20"];
    let mut terminal = Terminal::start(&mut client("pub", &broker, &options), 80, 5);
    terminal.wait_until("progress", |screen| {
        screen.contains(" messages, ") && screen.contains(" of 300 bytes, ")
    });
    let (status, output) = terminal.end();
    assert_eq!(status.code(), Some(0));
    assert!(output.ends_with("\r\u{1b}[K"), "the line is gone: {output:?}");
}

/// Before MQTT 5.0 a server has nothing else to say to a message that it does not take.
#[test]
fn what_the_server_answers_by_closing_is_not_sent_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let mut bytes = [0; 64];
            let (mut stream, _) = listener.accept().expect("a connection");
            let _connect = stream.read(&mut bytes).expect("CONNECT");
            stream.write_all(&[0x20, 2, 0, 0]).expect("it takes CONNACK");
            let _publish = stream.read(&mut bytes).expect("PUBLISH");
        }
    });
    let mut command = ferry();
    let outcome =
        run(command.args(["pub", "-h", "127.0.0.1", "-p", &port, "-t", "a", "-m", "x", "-q", "1"]), b"");
    server.join().expect("it has ended");
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert!(outcome.error.contains("closed 3 connections in a row"), "{outcome:?}");
}

/// As with `mosquitto_pub`, which ends with its code for a lost connection.
#[test]
fn a_message_that_is_cut_off_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let server = std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        let (mut stream, _) = listener.accept().expect("a connection");
        let _connect = stream.read(&mut bytes).expect("CONNECT");
        stream.write_all(&[0x20, 2, 0, 0]).expect("it takes CONNACK");
        let _beginning = stream.read(&mut bytes).expect("some of the message");
    });
    let scratch = Scratch::new();
    let large = scratch.write("large", &vec![0; 32 * 1024 * 1024]);
    let mut command = ferry();
    let outcome = run(command.args(["pub", "-h", "127.0.0.1", "-p", &port, "-t", "a", "-f", &large]), b"");
    server.join().expect("it has ended");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.error.contains("1 message of QoS 0 may not have arrived"), "{outcome:?}");
}
