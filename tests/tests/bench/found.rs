use ferry_bench::plan::Overrides;
use ferry_bench::report::Report;

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
    let allowed = with_fault(Fault::Repeats, 1);
    assert!(allowed.passed() && allowed.total.duplicates == 1, "{:?}", allowed.failures);
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
