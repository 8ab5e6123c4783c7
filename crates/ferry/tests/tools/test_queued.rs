use crate::broker::{Broker, Kind};
use crate::program::{Scratch, client, done, run};

const QUEUED: usize = 30;

/// A session that has [`QUEUED`] messages for its client.
fn queue(broker: &Broker, session: &[&str], qos: &str) {
    done("sub", broker, &[session, &["-t", "queue", "-q", qos, "-E"]].concat());
    let lines: String = (1..=QUEUED).map(|number| format!("m{number}\n")).collect();
    let outcome = run(&mut client("pub", broker, &["-t", "queue", "-q", qos, "-l"]), lines.as_bytes());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

/// Who takes one message of a session leaves the others to whoever comes next.
#[test]
fn what_was_not_asked_for_stays_with_the_server() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        for (version, qos) in [("311", "1"), ("5", "2")] {
            let mut session = vec!["-i", if version == "5" { "five" } else { "three" }, "-c", "-V", version];
            if version == "5" {
                session.extend(["-x", "600"]);
            }
            queue(&broker, &session, qos);
            let options = [&session[..], &["-t", "queue", "-q", qos, "-C", "1", "-W", "20"]].concat();
            let mut last = 0;
            while last < QUEUED {
                let output = done("sub", &broker, &options);
                let number: usize = output.trim_end().trim_start_matches('m').parse().expect("a number");
                // The server may take the new connection before it has read the acknowledgement on the old one.
                let is_next = number == last + 1 || (last > 0 && number == last);
                assert!(is_next, "{kind:?} {version}: {number} after {last}");
                last = number;
            }
        }
    }
}

#[test]
fn a_second_recording_has_what_the_first_has_left() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let session = ["-i", "recorder", "-c", "-V", "5", "-x", "600"];
        queue(&broker, &session, "1");
        let scratch = Scratch::new();
        let mut found = Vec::new();
        for name in ["first", "second"] {
            let file = scratch.path(name);
            let options = [&[file.as_str()], &session[..], &["-t", "queue", "-q", "1", "-C", "15"]].concat();
            done("record", &broker, &options);
            let payload =
                |line: &str| line.rsplit_once("\"payload\":").map(|(_, payload)| payload.to_owned());
            found.extend(scratch.read(name).lines().filter_map(payload));
        }
        found.dedup();
        let expected: Vec<_> = (1..=QUEUED).map(|number| format!("\"m{number}\"}}")).collect();
        assert_eq!(found, expected, "{kind:?}");
    }
}
