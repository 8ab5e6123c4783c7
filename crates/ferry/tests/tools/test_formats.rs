use std::process::Command;

use crate::broker::{Broker, Kind};
use crate::program::{Running, Scratch, client, done, ferry, run};

/// Starts `ferry sub`, and waits until it has subscribed.
fn subscriber(broker: &Broker, options: &[&str]) -> Running {
    let mut subscriber = Running::start(&mut client("sub", broker, &[&["-d"], options].concat()));
    subscriber.wait_for("subscribed");
    subscriber
}

#[test]
fn payloads_are_printed_readable() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    for (topic, payload) in [
        ("json", b"{ \"a\" : 2.0 }".as_slice()),
        ("cbor", &[0xA1, 0x61, b'a', 0xF5]),
        ("sparkplug", &[0x08, 0x07, 0x18, 0x01]),
        ("binary", &[0, 255]),
    ] {
        let file = scratch.write(topic, payload);
        done("pub", &broker, &["-t", topic, "-f", &file, "-r", "-q", "1"]);
    }
    for (options, output) in [
        (["-t", "json", "--format", "json"].as_slice(), "{\"a\":2.0}\n"),
        (&["-t", "cbor", "--format", "cbor", "-v"], "cbor {\"a\":true}\n"),
        (&["-t", "cbor", "--format", "cbor", "--pretty"], "{\n\t\"a\":\ttrue\n}\n"),
        (&["-t", "cbor", "--format", "cbor", "-F", "%t|%p|%l"], "cbor|{\"a\":true}|10\n"),
        (&["-t", "sparkplug", "--format", "sparkplug"], "{\"timestamp\":7,\"seq\":1}\n"),
        (&["-t", "binary", "--format", "hex"], "00ff\n"),
        (&["-t", "binary", "--format", "base64"], "AP8=\n"),
    ] {
        assert_eq!(done("sub", &broker, &[options, &["-C", "1"]].concat()), output, "{options:?}");
    }
    let outcome = run(&mut client("sub", &broker, &["-t", "binary", "--format", "json", "-C", "1"]), b"");
    assert_eq!((outcome.code, outcome.output.as_str()), (Some(0), ""));
    assert!(outcome.error.starts_with("error: binary: the payload is not json: "), "{outcome:?}");
}

#[test]
fn payloads_are_published_from_what_is_readable() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let file = scratch.write("hex", b"00 ff\n");
    let json = "{\"topic\":\"a\",\"payload\":{\"b\":[1,2.5]}}\n{\"topic\":\"a\",\"payload\":\"true\"}\n";
    for (options, input, expected) in [
        (["-m", "00fF", "--format", "hex"].as_slice(), "", ["00ff"].as_slice()),
        (&["-m", "AP8=", "--format", "base64"], "", &["00ff"]),
        (&["-m", "{\"b\":[1,2.5]}", "--format", "cbor"], "", &["a1616282 01f94100"]),
        (&["-m", " [1] ", "--format", "json"], "", &["205b315d20"]),
        (&["-f", &file, "--format", "hex"], "", &["00ff"]),
        (&["-s", "--format", "hex"], "0\n0", &["00"]),
        (&["-l", "--format", "hex"], "01\n\n02\n", &["01", "", "02"]),
        (&["--files", &file, &file, "--format", "hex"], "", &["00ff", "00ff"]),
        (&["-m", "0{number}", "--template", "--repeat", "2", "--format", "hex"], "", &["01", "02"]),
        (&["--json-lines", "--format", "cbor"], json, &["a1616282 01f94100", "f5"]),
    ] {
        let count = expected.len().to_string();
        let subscriber = subscriber(&broker, &["-t", "a", "-q", "1", "-F", "%x", "-C", &count]);
        let mut publisher = client("pub", &broker, &["-q", "1", "-V", "mqttv5", "-t", "a"]);
        let outcome = run(publisher.args(options), input.as_bytes());
        assert_eq!(outcome.code, Some(0), "{options:?}: {outcome:?}");
        let expected: Vec<String> = expected.iter().map(|hex| hex.replace(' ', "")).collect();
        assert_eq!(subscriber.end().output.lines().collect::<Vec<_>>(), expected, "{options:?}");
    }
}

#[test]
fn what_is_not_of_the_format_is_not_published() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let file = scratch.write("picture", b"{\n  nothing\n}");
    for (options, input, code, words) in [
        (["-m", "0g", "--format", "hex"].as_slice(), "", 2, "-m: 'g' at character 2 is no hexadecimal digit"),
        (&["-f", &file, "--format", "cbor"], "", 1, "picture: not JSON at line 2, character 3: "),
        (&["-s", "--format", "base64"], "A?==", 1, "standard input: '?' at character 2 is no base64"),
        (&["--files", &file, "--format", "json"], "", 1, "picture: not JSON at line 2"),
        (&["-l", "--format", "json"], "1\n{}\n[\n", 1, "line 3: not JSON at character 1: EOF"),
        (&["-m", "{number}", "--template", "--format", "hex"], "", 1, "message 1: an odd number of"),
        (
            &["--json-lines", "--format", "hex"],
            "{\"payload\":\"x\"}",
            1,
            "line 1: payload: 'x' at character 1",
        ),
        (&["-n", "--format", "hex"], "", 2, "cannot be used with"),
        (&["-m", "x", "--format", "sparkplug"], "", 2, "invalid value 'sparkplug'"),
    ] {
        let outcome = run(client("pub", &broker, &["-t", "a", "-q", "1"]).args(options), input.as_bytes());
        assert_eq!(outcome.code, Some(code), "{options:?}: {outcome:?}");
        assert!(outcome.error.contains(words), "{options:?}: {outcome:?}");
    }
}

/// Messages of an edge node and a device, encoded by protoc's library for Python from the definition of Sparkplug B.
const SPARKPLUG: [(&str, &str); 5] = [
    (
        "spBv1.0/plant/NDATA/north",
        "08e8d795ffbc311211100118e8d795ffbc31200350f9ffffff0f1208100150f8ffffff0f1204100950011802",
    ),
    (
        "spBv1.0/plant/NBIRTH/north",
        "0880d095ffbc3112120a0562645365711880d095ffbc312008580312230a144e6f646520436f6e74726f6c2f5265626972746810001880d095\
         ffbc31200b7000121d0a0a50756d702f4c6576656c10011880d095ffbc31200350fbffffff0f121d0a0950756d702f4e616d6510021880d095\
         ffbc31200c7a056e6f7274681800",
    ),
    ("spBv1.0/plant/DBIRTH/north/oven", "08e4d095ffbc3112160a0b54656d706572617475726510032009650000ac411801"),
    (
        "spBv1.0/plant/NDATA/north",
        "08e8d795ffbc311211100118e8d795ffbc31200350f9ffffff0f1208100150f8ffffff0f1204100950011802",
    ),
    ("spBv1.0/plant/DDATA/north/oven", "08ccd895ffbc3112071003650000b2411803"),
];

/// What is printed for them: a name and a type of data once the BIRTH has come.
const SPARKPLUG_JSON: [&str; 5] = [
    r#"{"timestamp":1700000001000,"metrics":[{"alias":1,"timestamp":1700000001000,"datatype":"Int32","value":-7},{"alias":1,"value":4294967288},{"alias":9,"value":1}],"seq":2}"#,
    r#"{"timestamp":1700000000000,"metrics":[{"name":"bdSeq","timestamp":1700000000000,"datatype":"UInt64","value":3},{"name":"Node Control/Rebirth","alias":0,"timestamp":1700000000000,"datatype":"Boolean","value":false},{"name":"Pump/Level","alias":1,"timestamp":1700000000000,"datatype":"Int32","value":-5},{"name":"Pump/Name","alias":2,"timestamp":1700000000000,"datatype":"String","value":"north"}],"seq":0}"#,
    r#"{"timestamp":1700000000100,"metrics":[{"name":"Temperature","alias":3,"datatype":"Float","value":21.5}],"seq":1}"#,
    r#"{"timestamp":1700000001000,"metrics":[{"name":"Pump/Level","alias":1,"timestamp":1700000001000,"datatype":"Int32","value":-7},{"name":"Pump/Level","alias":1,"value":-8},{"alias":9,"value":1}],"seq":2}"#,
    r#"{"timestamp":1700000001100,"metrics":[{"name":"Temperature","alias":3,"value":22.25}],"seq":3}"#,
];

#[test]
fn metrics_of_sparkplug_are_named_by_their_birth() {
    let broker = Broker::start(Kind::Ferry);
    let options = ["-t", "spBv1.0/#", "--format", "sparkplug", "-q", "1", "-C", "5"];
    let subscriber = subscriber(&broker, &options);
    let scratch = Scratch::new();
    for (topic, hex) in SPARKPLUG {
        let bytes =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"));
        let file = scratch.write("payload", &bytes.collect::<Vec<u8>>());
        done("pub", &broker, &["-t", topic, "-f", &file, "-q", "1"]);
    }
    let outcome = subscriber.end();
    assert_eq!(outcome.output.lines().collect::<Vec<_>>(), SPARKPLUG_JSON);
}

const LINES: &str = r#"{"topic":"a/1","payload":"x","qos":2,"retain":true,"properties":{"content_type":"text/plain","user_properties":[["a","1"],["a","2"]]}}

{"topic":"a/2","payload_base64":"AP8="}
{"payload":{"b": 1.50}}
"#;

#[test]
fn lines_of_json_are_published_and_printed() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let subscriber = subscriber(&broker, &["-t", "a/#", "-q", "2", "--json-lines", "-C", "3"]);
        let mut publisher = client("pub", &broker, &["--json-lines", "-t", "a/default", "-q", "2"]);
        let outcome = run(&mut publisher, LINES.as_bytes());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let outcome = subscriber.end();
        let lines: Vec<&str> =
            outcome.output.lines().map(|line| line.split_once(',').expect("a time").1).collect();
        let expected = [
            r#""topic":"a/1","qos":2,"retain":false,"properties":{"content_type":"text/plain","user_properties":[["a","1"],["a","2"]]},"payload":"x"}"#,
            r#""topic":"a/2","qos":2,"retain":false,"payload_base64":"AP8="}"#,
            r#""topic":"a/default","qos":2,"retain":false,"payload":"{\"b\": 1.50}"}"#,
        ];
        assert_eq!(lines, expected, "{kind:?}");
        // What is printed can be published.
        let outcome = run(&mut client("pub", &broker, &["--json-lines"]), outcome.output.as_bytes());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
}

#[test]
fn a_bad_line_is_named() {
    let broker = Broker::start(Kind::Ferry);
    let input =
        b"{\"topic\":\"a\",\"payload\":\"1\"}\n{\"topic\":\"a\"}\n{\"topic\":\"a\",\"payload\":\"3\"}\n";
    for (options, code, output, error) in [
        (
            ["-q", "1"].as_slice(),
            1,
            "1\nend\n",
            "error: line 2: payload is missing; an empty one is \"payload\":null; the",
        ),
        (&["-q", "1", "--skip-bad-lines"], 0, "1\n3\nend\n", "warning: line 2: payload is missing"),
    ] {
        let subscriber = subscriber(&broker, &["-t", "a", "-C", &output.lines().count().to_string()]);
        let outcome = run(&mut client("pub", &broker, &[&["--json-lines"], options].concat()), input);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.error.starts_with(error), "{outcome:?}");
        done("pub", &broker, &["-t", "a", "-m", "end"]);
        assert_eq!(subscriber.end().output, output);
    }
}

#[test]
fn files_are_messages_and_messages_are_files() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    let files = [scratch.write("one", &[0, 1, 10]), scratch.write("two", b"")];
    let directory = scratch.path("saved");
    let subscriber = subscriber(&broker, &["-t", "a/#", "-q", "1", "--save", &directory, "-C", "3"]);
    done("pub", &broker, &["-t", "a/../b c", "-q", "1", "--files", &files[0], &files[1]]);
    done("pub", &broker, &["-t", "a/x", "-q", "1", "-m", "text"]);
    let outcome = subscriber.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let paths: Vec<&str> = outcome.output.lines().collect();
    for (path, level) in paths.iter().zip(["a/%2E./b%20c/", "a/%2E./b%20c/", "a/x/"]) {
        assert!(path.starts_with(&format!("{directory}/{level}")), "{path}");
    }
    let saved: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    assert_eq!(saved, [&[0, 1, 10][..], b"", b"text"]);
}

#[test]
fn options_come_from_files() {
    let broker = Broker::start(Kind::Ferry);
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("ferry")).expect("a directory");
    let with_files = |arguments: &[&str]| -> Command {
        let mut command = ferry();
        command.env("XDG_CONFIG_HOME", scratch.path("")).args(arguments);
        command
    };
    scratch.write("ferry/client", format!("# where\n-h 127.0.0.1\n--port {}\n", broker.port()).as_bytes());
    scratch.write("ferry/pub", b"-q 1\n-r\n");
    scratch.write("ferry/sub", b"-F %t %p %q\n-C 1\n");
    let published = run(&mut with_files(&["pub", "-t", "a", "-m", "x"]), b"");
    assert_eq!(published.code, Some(0), "{published:?}");
    assert_eq!(run(&mut with_files(&["sub", "-t", "a", "-q", "1"]), b"").output, "a x 1\n");
    let verbose = run(&mut with_files(&["sub", "-t", "a", "-q", "1", "-F", "%q"]), b"");
    assert_eq!(verbose.output, "1\n");
    scratch.write("ferry/sub", b"-F\n");
    let outcome = run(&mut with_files(&["sub", "-t", "a"]), b"");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.error.contains("ferry/sub:1: \"-F\": its value is missing"), "{outcome:?}");
    let outcome = run(&mut with_files(&["sub", "--help"]), b"");
    assert_eq!(outcome.code, Some(0), "help is there nevertheless: {outcome:?}");
}
