use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ferry_codec::{DecodeLimits, Direction, Packet, PacketId, ProtocolVersion, decode, frame_length};

use crate::broker::{Broker, Kind};
use crate::program::{Running, Scratch, client, done, ferry, run};

/// The lines of a recording but the first, without their times.
fn messages(recording: &str) -> Vec<String> {
    let lines = recording.lines().skip(1);
    lines.map(|line| line.split_once(",").expect("a time and more").1.to_owned()).collect()
}

/// Starts `ferry record`, and waits until it does.
fn recorder(broker: &Broker, options: &[&str]) -> Running {
    let mut recorder = Running::start(&mut client("record", broker, options));
    recorder.wait_for("recording ");
    recorder
}

fn publish_all_kinds(broker: &Broker, scratch: &Scratch) {
    let binary = scratch.write("binary", &[0, 255, 10]);
    done("pub", broker, &["-t", "a/plain", "-m", "hello \"you\"", "-q", "1"]);
    done("pub", broker, &["-t", "a/secret", "-m", "x", "-q", "1"]);
    done("pub", broker, &["-t", "a/binary", "-f", &binary, "-q", "2", "-r"]);
    let properties = "-D publish content-type text/plain -D publish user-property a 1 -D publish user-property a 2 \
                      -D publish correlation-data 17 -D publish response-topic re/ply -D publish payload-format-indicator 1";
    let options: Vec<&str> =
        ["-t", "a/properties", "-m", "21.5"].into_iter().chain(properties.split(' ')).collect();
    done("pub", broker, &options);
    done("pub", broker, &["-t", "a/end", "-n"]);
}

const RECORDED: [&str; 5] = [
    r#""topic":"a/before","qos":0,"retain":true,"payload":"kept"}"#,
    r#""topic":"a/plain","qos":1,"retain":false,"payload":"hello \"you\""}"#,
    r#""topic":"a/binary","qos":2,"retain":true,"payload_base64":"AP8K"}"#,
    r#""topic":"a/properties","qos":0,"retain":false,"properties":{"payload_format_indicator":1,"content_type":"text/plain","response_topic":"re/ply","correlation_data":"17","user_properties":[["a","1"],["a","2"]]},"payload":"21.5"}"#,
    r#""topic":"a/end","qos":0,"retain":false,"payload":""}"#,
];

#[test]
fn what_is_recorded_comes_again() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let scratch = Scratch::new();
        done("pub", &broker, &["-t", "a/before", "-m", "kept", "-r"]);
        let first = scratch.path("first");
        let recorder_of_first = recorder(&broker, &[&first, "-t", "a/#", "-T", "a/secret", "-C", "5"]);
        publish_all_kinds(&broker, &scratch);
        let outcome = recorder_of_first.end();
        assert_eq!(outcome.code, Some(0), "{kind:?}: {outcome:?}");
        assert!(outcome.error.starts_with("recorded 5 messages, "), "{outcome:?}");
        let recording = scratch.read("first");
        assert!(recording.starts_with("{\"ferry_record\":1,\"begun\":\"20"), "{recording}");
        assert_eq!(messages(&recording), RECORDED, "{kind:?}");

        let second = scratch.path("second");
        let recorder_of_second = recorder(&broker, &[&second, "-t", "copy/of/#", "-C", "5"]);
        done("replay", &broker, &[&first, "--speed", "max", "--prefix", "copy", "--rewrite", "a=of"]);
        assert_eq!(recorder_of_second.end().code, Some(0));
        let mut expected = RECORDED.map(|line| line.replace("\"topic\":\"a/", "\"topic\":\"copy/of/"));
        let mut found = messages(&scratch.read("second"));
        // Mosquitto passes on a message of QoS 2 when it is released, perhaps after later ones of QoS 0.
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{kind:?}");
    }
}

#[test]
fn a_recording_ends_when_it_is_told_and_goes_on() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let file = scratch.path("file");
    let first = recorder(&broker, &[&file]);
    first.signal("-INT");
    let outcome = first.end();
    assert_eq!(
        (outcome.code, outcome.error.starts_with("recorded 0 messages")),
        (Some(0), true),
        "{outcome:?}"
    );
    assert_eq!(scratch.read("file").lines().count(), 1);

    let refused = run(&mut client("record", &broker, &[&file]), b"");
    assert_eq!(refused.code, Some(1));
    assert!(refused.error.contains("--append writes at its end, --overwrite replaces it"), "{refused:?}");

    let torn = format!("{}{{\"time\":\"2026", scratch.read("file"));
    scratch.write("file", torn.as_bytes());
    let second = recorder(&broker, &[&file, "--append", "-C", "1"]);
    done("pub", &broker, &["-t", "a", "-m", "x"]);
    let outcome = second.end();
    assert_eq!(outcome.code, Some(0));
    assert!(
        outcome.error.contains("; 13 bytes of a torn line at the end of the file were cut off"),
        "{outcome:?}"
    );
    let lines: Vec<String> = scratch.read("file").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].ends_with(r#""topic":"a","qos":0,"retain":false,"payload":"x"}"#), "{lines:?}");

    done("record", &broker, &[&file, "--overwrite", "--for", "0"]);
    assert!(scratch.read("file").lines().count() <= 1);
    assert_eq!(run(&mut client("record", &broker, &["-t", "a/#/b", "-"]), b"").code, Some(2));
}

/// Neither is an empty file left behind, nor is a recording lost.
#[test]
fn without_a_server_files_stay_as_they_are() {
    let scratch = Scratch::new();
    let there = scratch.write("there", SHORT.as_bytes());
    let missing = scratch.path("missing");
    // Nobody listens on port 1.
    for options in [
        vec![missing.as_str()],
        vec![there.as_str(), "--overwrite"],
        vec![there.as_str(), "--append"],
        vec![missing.as_str(), "--append"],
    ] {
        let outcome = run(ferry().args(["record", "-h", "127.0.0.1", "-p", "1"]).args(&options), b"");
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(!std::path::Path::new(&missing).exists(), "{options:?}");
        assert_eq!(scratch.read("there"), SHORT, "{options:?}");
    }
}

/// Six messages of a quarter of a second in all.
const SHORT: &str = r#"{"ferry_record":1}
{"time":"2026-01-01T00:00:00Z","topic":"a/0","payload":"0"}
{"time":"2026-01-01T00:00:00.05Z","topic":"a/1","payload":"1"}
{"topic":"a/2","payload":"2","retain":true,"qos":2}

{"time":"2026-01-01T00:00:00.25Z","topic":"b/3","payload":"3"}
{"tst":"2026-01-01T00:00:00.250000Z+0000","topic":"a/4","qos":1,"retain":0,"payloadlen":1,"mid":7,"payload":"4"}
"#;

#[test]
fn it_is_replayed_at_the_chosen_speed() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let scratch = Scratch::new();
        let file = scratch.write("file", SHORT.as_bytes());
        for (options, milliseconds, count) in [
            (["--speed", "1"].as_slice(), 250, 5),
            (&["--speed", "0.5"], 500, 5),
            (&["--loop=2"], 500, 10),
            (&["--speed", "0.001", "--gap-max", "0.02"], 40, 5),
            (&["--speed", "max", "--loop=3", "-t", "a/#", "-T", "a/0"], 0, 9),
        ] {
            let mut subscriber =
                client("sub", &broker, &["-t", "#", "-q", "2", "-d", "-F", "%p %q", "-R", "-C"]);
            let mut subscriber = Running::start(subscriber.arg(count.to_string()));
            subscriber.wait_for("subscribed");
            let begun = Instant::now();
            done("replay", &broker, &[&[file.as_str()], options].concat());
            assert!(begun.elapsed() >= Duration::from_millis(milliseconds), "{kind:?} {options:?}");
            let outcome = subscriber.end();
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let all = ["0 0", "1 0", "2 2", "3 0", "4 1"];
            let wanted = if count == 9 { &["1 0", "2 2", "4 1"][..] } else { &all[..] };
            let mut expected: Vec<&str> = wanted.iter().copied().cycle().take(count).collect();
            let mut found: Vec<&str> = outcome.output.lines().collect();
            // There is no order between QoS 2 and the others with Mosquitto.
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{kind:?} {options:?}");
        }
    }
}

#[test]
fn lines_that_are_wrong_are_named() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let torn = scratch.write("torn", format!("{SHORT}{{\"time\":\"2026-01-0").as_bytes());
    let outcome = run(&mut client("replay", &broker, &[&torn, "--speed", "max"]), b"");
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.error.contains(&format!("warning: {torn}:8: the last line is torn")), "{outcome:?}");
    assert!(outcome.error.ends_with("published 5 messages\n"), "{outcome:?}");

    let bad = scratch.write("bad", SHORT.replace("\n\n", "\n{\"topic\":\"a\"}\n").as_bytes());
    let outcome = run(&mut client("replay", &broker, &[&bad, "--speed", "max"]), b"");
    assert_eq!(outcome.code, Some(1));
    let expected =
        format!("error: {bad}:5: payload is missing; an empty one is \"payload\":null; correct or delete");
    assert!(outcome.error.contains(&expected), "{outcome:?}");
    let outcome = run(&mut client("replay", &broker, &[&bad, "--speed", "max", "--skip-bad-lines"]), b"");
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.error.ends_with("published 5 messages\n"), "{outcome:?}");

    let outcome = run(&mut client("replay", &broker, &["-", "--speed", "max"]), SHORT.as_bytes());
    assert_eq!((outcome.code, outcome.error.as_str()), (Some(0), "published 5 messages\n"));
    for (options, code) in [
        (&["-", "--loop"][..], 2),
        (&["/nowhere"], 1),
        (&[&torn, "--prefix", "a/#"], 2),
        (&[&torn, "-t", "a#"], 2),
    ] {
        assert_eq!(run(&mut client("replay", &broker, options), b"").code, Some(code), "{options:?}");
    }
    for options in [["--speed", "0"], ["--speed", "fast"], ["--rewrite", "x"], ["--loop=x", "-n"]] {
        let options = [&[torn.as_str()], options.as_slice()].concat();
        assert_eq!(run(&mut client("replay", &broker, &options), b"").code, Some(2), "{options:?}");
    }
}

#[test]
fn a_replay_that_is_stopped_says_so() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let file = scratch.write("file", SHORT.as_bytes());
    for (options, signal, code) in [
        (["--speed", "0.001"].as_slice(), "-INT", 130),
        (&["--speed", "0.001"], "-TERM", 130),
        (&["--speed", "0.001", "--loop"], "-INT", 0),
    ] {
        let mut subscriber = Running::start(&mut client("sub", &broker, &["-t", "#", "-d", "-C", "1"]));
        subscriber.wait_for("subscribed");
        let replay = Running::start(&mut client("replay", &broker, &[&[file.as_str()], options].concat()));
        // The first message is out, the second is not due yet.
        assert_eq!(subscriber.end().output, "0\n");
        replay.signal(signal);
        assert_eq!(replay.end().code, Some(code), "{options:?}");
    }
}

/// A server that does what a test says.
struct Server {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Server {
    /// The next connection, accepted.
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("a connection");
        let mut server = Self { stream, bytes: Vec::new() };
        server.read_packet(|packet| assert!(matches!(packet, Packet::Connect(_))));
        server.write(&[0x20, 3, 0, 0, 0]);
        server
    }

    fn read_packet<R>(&mut self, with: impl FnOnce(&Packet<'_>) -> R) -> R {
        let limits = DecodeLimits::UNLIMITED;
        loop {
            if let Some(length) = frame_length(&self.bytes, &limits).expect("a packet")
                && length <= self.bytes.len()
            {
                let frame: Vec<u8> = self.bytes.drain(..length).collect();
                let packet = decode(&frame, ProtocolVersion::V5, Direction::FromClient, &limits);
                return with(&packet.expect("a packet"));
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer).expect("it can be read");
            assert!(length > 0, "the client is gone");
            self.bytes.extend_from_slice(&buffer[..length]);
        }
    }

    /// The packet identifier of the next PUBLISH.
    fn read_publish(&mut self) -> Option<PacketId> {
        self.read_packet(|packet| match packet {
            Packet::Publish(publish) => publish.packet_id,
            other => panic!("no PUBLISH: {other:?}"),
        })
    }

    fn acknowledge(&mut self, packet_id: Option<PacketId>) {
        let [high, low] = packet_id.expect("QoS 1").get().to_be_bytes();
        self.write(&[0x40, 2, high, low]);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("it can be written");
    }
}

#[test]
fn messages_that_may_be_lost_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let server = std::thread::spawn(move || {
        let mut first = Server::accept(&listener);
        let packet_ids: Vec<_> = (0..6).map(|_| first.read_publish()).collect();
        // The first is there, since the second is; of the next three nobody knows.
        first.acknowledge(packet_ids[1]);
        drop(first);
        let mut second = Server::accept(&listener);
        let again = second.read_publish();
        second.acknowledge(again);
        second.read_packet(|packet| assert!(matches!(packet, Packet::Disconnect(_))));
    });
    let lines: String = (0..6)
        .map(|number| {
            format!("{{\"topic\":\"a\",\"payload\":1,\"qos\":{}}}\n", u8::from(number == 1 || number == 5))
        })
        .collect();
    let mut command = ferry();
    command.args(["replay", "-", "--speed", "max", "-h", "127.0.0.1", "-p", &port]);
    let outcome = run(&mut command, lines.as_bytes());
    server.join().expect("it has ended");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for words in [
        "; perhaps lost: the last 3 messages of QoS 0; trying again in 0.",
        "\npublished 6 messages, of which the server may not have 3 of QoS 0\n",
        "\nerror: the connection was lost meanwhile: 3 messages of QoS 0 may not have arrived; -q 1 repeats them\n",
    ] {
        assert!(outcome.error.contains(words), "{words}: {outcome:?}");
    }
}
