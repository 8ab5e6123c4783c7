use std::path::PathBuf;

use serde_json::{Value, json};

use super::document::document;
use super::measurement::Measurement;
use super::options::Options;
use super::peer::Peer;
use super::scenario::{Group, SCENARIOS};
use super::suite::{Broker, Results, Row, Suite};
use crate::progress::run as run_command;
use crate::workspace::{cargo, target_directory};

fn options(line: &str) -> Result<Options, String> {
    Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// A result of `ferry bench` with this figure.
fn run(microseconds: f64, failures: &[&str]) -> Value {
    json!({
        "failures": failures,
        "started_at_unix_seconds": 1_700_000_000,
        "machine": { "cpu": "Some|CPU", "cpus": 2, "memory_bytes": 8_589_934_592_u64, "system": "Debian", "kernel": "6.1" },
        "broker_cost": { "cpu_microseconds_per_delivered_message": microseconds },
        "phases": [{ "name": "measure", "delivered_per_second": 1e6 / microseconds }],
        "total": { "lost": 0, "expected": 10 },
    })
}

fn measured(values: &[f64], failures: &[&str]) -> Option<Measurement> {
    let runs = values.iter().map(|value| run(*value, failures)).collect();
    Some(Measurement { runs, why_not: None })
}

/// QoS 0 and QoS 2, where one peer loses messages and another has no QoS 2.
fn results() -> Results {
    let wanted = ["Ferry", "Mosquitto", "NATS"];
    let peers = Peer::all().unwrap().into_iter().filter(|peer| wanted.contains(&peer.name.as_str()));
    let broker = |peer| Broker { peer, program: PathBuf::new(), version: "1.2.3".to_owned() };
    let scenario = |id: &str| SCENARIOS.iter().find(|scenario| scenario.id == id).unwrap();
    let why_not = Some("no QoS 2".to_owned());
    let rows = vec![
        Row {
            scenario: scenario("p2p-qos0"),
            measurements: vec![
                measured(&[0.5, 0.2, 0.3], &[]),
                measured(&[6.0], &[]),
                measured(&[0.1], &["3 copies of acknowledged messages are lost"]),
            ],
            command: "ferry bench p2p".to_owned(),
        },
        Row {
            scenario: scenario("p2p-qos2"),
            measurements: vec![
                measured(&[2.0], &[]),
                measured(&[10.0], &[]),
                Some(Measurement { runs: Vec::new(), why_not }),
            ],
            command: "ferry bench p2p --qos 2".to_owned(),
        },
    ];
    Results {
        brokers: peers.map(broker).collect(),
        rows,
        runs: 3,
        seconds: 5.0,
        load_before: "0.1".to_owned(),
    }
}

#[test]
fn the_table_tells_medians_targets_and_what_was_lost() {
    let text = document(&results(), "cargo xtask bench --runs 3");
    for line in [
        "| 50 to 50, 16 B, QoS 0 | broker CPU per message | 0.3 µs | 6 µs | 0.1 µs † | 20× | ≤ 0.4 µs, ≤ ½ of the best peer | yes |",
        "| 50 to 50, 16 B, QoS 2 | broker CPU per message | 2 µs | 10 µs | cannot | 5× | ≤ 1.1 µs, ≤ ½ of the best peer | **no** |",
        "| Processor | 2 × Some\\|CPU |",
        "| Date | 2023-11-14 |",
        "- † NATS, 50 to 50, 16 B, QoS 0: 3 copies of acknowledged messages are lost",
        "- NATS, 50 to 50, 16 B, QoS 2: no QoS 2",
        "ferry bench p2p --qos 2",
        "| Mosquitto | 1.2.3, a version that this has not been tried with | Debian package `mosquitto` |",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains("Two shards") && !text.contains("durable store"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("| 50")) {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 9, "{line}");
    }
}

#[test]
fn who_loses_messages_meets_no_target() {
    let mut results = results();
    results.rows[0].measurements[0] = measured(&[0.1], &["5 copies are lost"]);
    let text = document(&results, "x");
    assert!(text.contains("0.1 µs † | 6 µs"), "{text}");
    let line = text.lines().find(|line| line.starts_with("| 50 to 50, 16 B, QoS 0 ")).unwrap();
    assert!(line.ends_with("| **no** |"), "{line}");
}

#[test]
fn who_delivers_nothing_is_not_whole_at_any_qos() {
    let runs = vec![json!({ "failures": [], "total": { "delivered": 0, "expected": 10 } })];
    let measurement = Measurement { runs, why_not: None };
    assert_eq!(measurement.failures(), ["nothing was delivered"]);
    let runs =
        vec![json!({ "failures": ["2 lost", "3 lost", "gone"], "total": { "delivered": 0, "expected": 0 } })];
    assert_eq!(Measurement { runs, why_not: None }.failures(), ["2 lost", "gone"]);
}

#[test]
fn only_a_complete_run_replaces_the_document() {
    assert_eq!(options("--runs 2").unwrap().document().as_deref(), Some("docs/benchmarks.md"));
    for part in ["--quick", "--only p2p", "--peer Mosquitto", "--ferry ferry"] {
        assert_eq!(options(part).unwrap().document(), None, "{part}");
    }
    assert_eq!(options("--quick --output x.md").unwrap().document().as_deref(), Some("x.md"));
    assert_eq!(
        options("--only p2p --runs 2").unwrap().shown(),
        "cargo xtask bench --runs 2 --seconds 5 --only p2p"
    );
    for wrong in ["--runs", "--runs 0", "--runs x", "--fast"] {
        assert!(options(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn scenarios_have_names_of_their_own_and_sizes_for_a_quick_look() {
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        assert!(!SCENARIOS[..index].iter().any(|other| other.id == scenario.id), "{}", scenario.id);
        assert!(!scenario.figures.is_empty());
    }
    let wildcard = SCENARIOS.iter().find(|scenario| scenario.id == "wildcard").unwrap();
    let quick = wildcard.arguments(1.0, true).join(" ");
    assert_eq!(quick, "wildcard --topics 10000 --warm-up 1 --duration 1");
    assert!(Group::Durable.has(Some(super::peer::Part::Durable)) && !Group::Durable.has(None));
}

/// Ferry itself, for a second.
#[test]
fn a_tiny_run_measures_ferry() {
    let ferry = std::env::var_os("FERRY_TEST_BINARY").map_or_else(
        || {
            run_command(cargo().args(["build", "--quiet", "--package", "ferry"])).unwrap();
            target_directory().join("debug/ferry")
        },
        PathBuf::from,
    );
    let options = options("--quick --only p2p-qos1").unwrap();
    let peers = Peer::all().unwrap().into_iter().filter(|peer| peer.name == "Ferry").collect();
    let results = Suite::new(&options, peers, ferry).unwrap().run().unwrap();
    let scratch = target_directory().join(format!("bench/run-{}", std::process::id()));
    assert!(!scratch.exists(), "{}", scratch.display());
    let row = &results.rows[0];
    let measurement = row.measurements[0].as_ref().unwrap();
    assert_eq!((&measurement.why_not, measurement.failures()), (&None, Vec::new()));
    assert!(row.medians(0)[0].is_some_and(|cost| cost > 0.0), "{measurement:?}");
    assert!(document(&results, "x").contains("| 50 to 50, 16 B, QoS 1 | broker CPU per message |"));
}
