use std::net::TcpListener;
use std::process::Command;

use ferry_bench::plan::{Overrides, resolve};
use ferry_bench::report::Report;
use ferry_bench::{Environment, run};
use ferry_tests::broker::Server;

use crate::faulty_broker::{Fault, start};
use crate::{bench, overrides};

/// One publisher that sends 1,000 messages a second for 0.3 seconds.
fn with_fault(fault: Fault, qos: u8) -> Report {
    let one =
        Overrides { publishers: Some(1), rate: Some(1_000.0), qos: Some(qos), ..overrides(start(fault)) };
    let short = Overrides { drain_seconds_max: Some(2.0), ..one };
    bench("p2p", &short)
}

#[test]
fn a_right_broker_passes() {
    for qos in [0, 1] {
        let report = with_fault(Fault::None, qos);
        assert!(report.passed(), "{:?}", report.failures);
        assert_eq!((report.total.sent, report.total.delivered), (300, 300));
    }
}

#[test]
fn loss_is_a_failure_unless_it_is_allowed() {
    let allowed = with_fault(Fault::Loses, 0);
    assert!(allowed.passed() && allowed.total.lost == 1, "{:?}", allowed.failures);
    let report = with_fault(Fault::Loses, 1);
    assert_eq!((report.total.lost, report.total.lost_acknowledged, report.total.delivered), (1, 1, 299));
    assert!(!report.passed());
}

#[test]
fn a_duplicate_is_a_failure_unless_it_is_allowed() {
    let report = with_fault(Fault::Repeats, 0);
    assert_eq!((report.total.duplicates, report.total.delivered, report.passed()), (1, 300, false));
    assert_eq!(report.total.duplicates_forbidden, 1);
    let allowed = with_fault(Fault::Repeats, 1);
    assert!(allowed.passed() && allowed.total.duplicates == 1, "{:?}", allowed.failures);
    assert_eq!(allowed.total.duplicates_forbidden, 0);
}

#[test]
fn disorder_is_a_failure() {
    let report = with_fault(Fault::Swaps, 0);
    assert_eq!((report.total.reordered, report.total.lost, report.passed()), (1, 0, false));
}

#[test]
fn damage_is_a_failure() {
    let report = with_fault(Fault::Damages, 1);
    assert_eq!((report.total.corrupt, report.total.lost, report.passed()), (1, 1, false));
}

#[test]
fn lost_connections_are_counted() {
    let report = with_fault(Fault::Closes, 0);
    assert!(!report.passed() && report.total.delivered == 50);
    let told = report.failures.iter().any(|failure| failure.starts_with("lost connections: 1 ("));
    assert!(told, "{:?}", report.failures);
}

#[test]
fn a_broker_that_never_answers_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // More than are opened at the same time.
    for clients in [3, 1_000] {
        let small =
            Overrides { subscribers: Some(clients), connect_seconds_max: Some(0.5), ..overrides(port) };
        let plan = resolve("conn", &small).expect("a plan");
        let error = run(plan, Environment::default(), &mut |_| {}).unwrap_err().to_string();
        let words = format!("{clients} of {clients} clients are not connected: no answer in 0.5 s");
        assert!(error.contains(&words), "{error}");
    }
}

#[test]
fn a_broker_that_takes_no_more_messages_does_not_stop_the_run() {
    let small = Overrides {
        publishers: Some(1),
        subscribers: Some(1),
        topics: Some(1),
        offline_messages: Some(1_000),
        window: Some(10),
        drain_seconds_max: Some(1.0),
        ..overrides(start(Fault::Ignores))
    };
    let report = bench("offline", &small);
    assert!(
        report.failures.contains(&"the broker stopped to take messages".to_owned()),
        "{:?}",
        report.failures
    );
    assert!(report.total.acknowledged == 0 && report.total.sent > 0);
}

#[test]
fn a_broker_that_ends_costs_an_unknown_amount() {
    let server = Server::start(&[]).expect("ferry starts");
    let small = Overrides {
        publishers: Some(1),
        rate: Some(100.0),
        drain_seconds_max: Some(1.0),
        broker_pids: vec![server.id()],
        ..overrides(server.port())
    };
    let plan = resolve("p2p", &small).expect("a plan");
    let mut is_killed = false;
    let report = run(plan, Environment::default(), &mut |progress| {
        if progress.delivered > 0 && !std::mem::replace(&mut is_killed, true) {
            let _ = Command::new("kill").args(["-KILL", &server.id().to_string()]).status();
        }
    });
    let report = report.expect("a result");
    assert!(is_killed && !report.passed());
    assert_eq!(report.broker_cost.and_then(|cost| cost.cpu_microseconds_per_delivered_message), None);
    assert!(report.notes.iter().any(|note| note.contains("process has ended")), "{:?}", report.notes);
}

#[test]
fn a_limit_of_connections_is_named_as_a_reason() {
    let limit = ["[limits]", "connects_per_second_max = 5"].map(str::to_owned);
    let server = Server::start(&limit).expect("ferry starts");
    let report = bench("conn", &Overrides { subscribers: Some(100), ..overrides(server.port()) });
    assert!(!report.passed() && report.connect.connected > 0, "{:?}", report.failures);
    assert!(report.notes.iter().any(|note| note.contains("--connect-rate")), "{:?}", report.notes);
}
