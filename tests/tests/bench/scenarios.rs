use std::process::Command;

use ferry_bench::plan::{Overrides, Protocol};
use ferry_bench::report::Report;
use ferry_tests::broker::{Server, ferry_binary};

use crate::{bench, overrides};

fn server() -> Server {
    Server::start(&["[limits]".to_owned(), "connects_per_second_max = 1_000_000".to_owned()])
        .expect("ferry starts")
}

/// Everything that was sent has come, once and in order.
fn assert_complete(report: &Report) {
    assert_eq!(report.failures, Vec::<String>::new());
    let total = report.total;
    assert!(total.sent > 0 && total.expected > 0, "{total:?}");
    assert_eq!((total.delivered, total.lost), (total.expected, 0), "{total:?}");
    assert_eq!((total.duplicates, total.reordered, total.corrupt), (0, 0, 0));
    assert!(report.latency.count > 0 && report.latency.p50_microseconds > 0.0);
    let measured = report.phases.iter().find(|phase| phase.name == "measure").expect("a measured phase");
    assert_eq!(report.latency.count, measured.counts.delivered);
}

#[test]
fn p2p_with_every_quality_of_service_and_version() {
    let server = server();
    for qos in 0..=2 {
        for protocol in [Protocol::V311, Protocol::V5] {
            let small = Overrides {
                publishers: Some(5),
                qos: Some(qos),
                protocol: Some(protocol),
                window: Some(10),
                ..overrides(server.port())
            };
            let report = bench("p2p", &small);
            assert_complete(&report);
            assert!(report.latency_is_queueing && report.connect.connected == 10);
            let acknowledged = if qos == 0 { 0 } else { report.total.sent };
            assert_eq!(report.total.acknowledged, acknowledged);
            assert_eq!(report.acknowledgement.count > 0, qos > 0);
        }
    }
}

#[test]
fn publishers_whom_nobody_hears_are_not_held_up() {
    let server = server();
    let unheard = Overrides {
        publishers: Some(1),
        subscribers: Some(0),
        payload_bytes: Some(1_000),
        ..overrides(server.port())
    };
    let report = bench("p2p", &unheard);
    assert!(report.passed(), "{:?}", report.failures);
    // One batch is 64 KiB; the next one used to come after a second.
    assert!(report.total.sent > 200, "{:?}", report.total);
}

#[test]
fn with_a_rate_the_schedule_is_kept() {
    let server = server();
    let small = Overrides { rate: Some(200.0), publishers: Some(5), ..overrides(server.port()) };
    let report = bench("p2p", &small);
    assert_complete(&report);
    assert!(!report.latency_is_queueing);
    // 5 publishers, 0.3 s.
    assert!((295..=305).contains(&report.total.sent), "{:?}", report.total);
    assert!(report.send_lag.count > 0);
}

#[test]
fn fan_out_to_several_event_loops() {
    let server = server();
    let small = Overrides {
        subscribers: Some(20),
        threads: Some(2),
        qos: Some(1),
        window: Some(2),
        ..overrides(server.port())
    };
    let report = bench("fanout", &small);
    assert_complete(&report);
    assert_eq!(report.total.expected, 20 * report.total.sent);
}

#[test]
fn a_shared_subscription_gives_each_message_to_one() {
    let server = server();
    let report = bench("sharedsub-20-3-20-2K", &Overrides { threads: Some(2), ..overrides(server.port()) });
    assert_complete(&report);
    assert_eq!(report.total.expected, report.total.sent);
}

#[test]
fn wildcards_match_what_they_should() {
    let server = server();
    let small = Overrides {
        publishers: Some(3),
        subscribers: Some(4),
        topics: Some(300),
        payload_bytes: Some(1_000),
        window: Some(10),
        ..overrides(server.port())
    };
    let report = bench("wildcard", &small);
    assert_complete(&report);
    assert_eq!(report.connect.subscriptions, 300);
}

#[test]
fn everything_at_once() {
    let server = server();
    let report = bench("mixed", &Overrides { threads: Some(2), ..overrides(server.port()) });
    assert_complete(&report);
}

#[test]
fn connections_are_held_and_come_back() {
    let server = server();
    let small = Overrides {
        subscribers: Some(50),
        source_addresses: Some("127.0.0.0/28".to_owned()),
        broker_pids: vec![server.id()],
        ..overrides(server.port())
    };
    for scenario in ["conn", "idle", "storm"] {
        let rounds = (scenario == "storm").then_some(2);
        let report = bench(scenario, &Overrides { rounds, ..small.clone() });
        assert_eq!(report.failures, Vec::<String>::new());
        assert_eq!((report.connect.connected, report.connect.subscriptions), (50, 50));
        assert!(report.broker_cost.is_some_and(|cost| cost.resident_bytes_connected > 0));
        let storms = if scenario == "storm" { 2 } else { 0 };
        assert_eq!(report.storms.iter().map(|storm| storm.connected).collect::<Vec<_>>(), vec![50; storms]);
    }
}

#[test]
fn messages_wait_for_clients_that_are_away() {
    let server = server();
    let small = Overrides {
        publishers: Some(3),
        subscribers: Some(10),
        topics: Some(10),
        offline_messages: Some(20),
        ..overrides(server.port())
    };
    let report = bench("offline", &small);
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!((report.total.sent, report.total.delivered), (200, 200));
}

#[test]
fn retained_messages_are_looked_up_and_removed() {
    let server = server();
    let small = Overrides {
        publishers: Some(3),
        subscribers: Some(2),
        topics: Some(2_500),
        ..overrides(server.port())
    };
    for _ in 0..2 {
        let report = bench("retained", &small);
        assert_eq!(report.failures, Vec::<String>::new());
        let found: Vec<_> =
            report.lookups.iter().map(|lookup| (lookup.subscriptions, lookup.delivered)).collect();
        // Both by #; and three groups of at most a thousand, each once.
        assert_eq!(found, [(2, 5_000), (3, 2_500)]);
    }
}

#[test]
fn a_broker_that_is_not_there_is_an_error() {
    let plan = ferry_bench::plan::resolve("p2p", &overrides(1)).expect("a plan");
    let error = ferry_bench::run(plan, ferry_bench::Environment::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("mqtt://127.0.0.1:1"), "{error}");
}

#[test]
fn the_program_runs_several_processes_and_writes_its_result() {
    let server = server();
    let file = std::env::temp_dir().join(format!("ferry-bench-{}.json", std::process::id()));
    let mut command = Command::new(ferry_binary());
    command.args([
        "bench",
        "p2p",
        "--publishers",
        "6",
        "--processes",
        "2",
        "--threads",
        "2",
        "--qos",
        "1",
        "--window",
        "10",
    ]);
    command.args(["--duration", "0.3", "--warm-up", "0.1", "--port", &server.port().to_string(), "--json"]);
    let output = command.arg(&file).output().expect("ferry bench");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("12 of 12 clients") && text.contains("0 lost"), "{text}");
    let report: Report = serde_json::from_slice(&std::fs::read(&file).expect("a result")).expect("JSON");
    std::fs::remove_file(&file).expect("the result");
    assert_complete(&report);
    assert_eq!((report.plan.processes, report.plan.threads), (2, 2));
}

#[test]
fn a_broker_that_is_killed_loses_nothing_that_was_acknowledged() {
    let port = ferry_tests::broker::free_port().expect("a port");
    let data = ferry_tests::ferry::ScratchDirectory::new();
    let command = format!(
        "{} serve --listen tcp://127.0.0.1:{port} --data {}",
        ferry_binary().display(),
        data.path("data").display()
    );
    let small = Overrides {
        publishers: Some(3),
        qos: Some(2),
        rate: Some(100.0),
        duration_seconds: Some(2.0),
        kill_broker: Some(command),
        kill_interval_seconds: Some(0.5),
        drain_seconds_max: Some(20.0),
        ..overrides(port)
    };
    let report = bench("p2p", &small);
    assert_complete(&report);
    assert!(!report.kills.is_empty());
    assert!(report.kills.iter().all(|kill| kill.delivering_after_seconds.is_some()), "{:?}", report.kills);
}
