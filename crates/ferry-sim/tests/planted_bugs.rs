//! Every oracle can fail: each planted bug is caught by the oracle that is there for it, within a few seeds that are
//! clean without the bug.

use ferry_sim::{Options, PlantedBug, run};

/// Seeds that are tried at most for one bug.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=200;

fn options(planted_bug: Option<PlantedBug>) -> Options {
    Options { trouble_seconds: 20, planted_bug, ..Options::default() }
}

/// Plants the bug until `property` is seen to be broken; the seed that showed it must be clean otherwise.
fn is_caught(bug: PlantedBug, property: &str) {
    let caught = SEEDS.into_iter().find(|&seed| {
        let report = run(seed, &options(Some(bug)));
        report.violations.iter().any(|violation| violation.property == property)
    });
    let seed = caught.unwrap_or_else(|| panic!("{bug:?} is not caught by \"{property}\" in {SEEDS:?}"));
    assert_eq!(run(seed, &options(None)).violations, [], "seed {seed} without {bug:?}");
}

#[test]
fn acknowledgements_that_get_lost() {
    is_caught(PlantedBug::DropPuback, "queues drain");
    is_caught(PlantedBug::LeakInflightSlot, "queues drain");
}

#[test]
fn messages_that_come_twice() {
    is_caught(PlantedBug::SkipDeduplication, "exactly once");
    is_caught(PlantedBug::RepeatDelivery, "at most once");
}

#[test]
fn messages_that_get_lost_or_change_places() {
    is_caught(PlantedBug::LoseDelivery, "at least once");
    is_caught(PlantedBug::ReorderDeliveries, "order");
}

#[test]
fn wills_that_come_never_twice_or_though_cancelled() {
    is_caught(PlantedBug::LoseWill, "at least once");
    is_caught(PlantedBug::RepeatWill, "will once");
    is_caught(PlantedBug::PublishCancelledWill, "will once");
}

#[test]
fn promises_before_anything_is_durable() {
    is_caught(PlantedBug::AcknowledgeEarly, "acknowledged after commit");
    is_caught(PlantedBug::LoseRecords, "acknowledged survives");
}

#[test]
fn promises_that_a_restart_does_not_keep() {
    is_caught(PlantedBug::AcknowledgeBeforeSync, "exactly once");
    is_caught(PlantedBug::DropSync, "at least once");
}

#[test]
fn records_that_a_restart_misses() {
    is_caught(PlantedBug::ForgetSubscription, "at least once");
    is_caught(PlantedBug::ForgetWill, "retained last wins");
    is_caught(PlantedBug::ForgetSessionEnd, "session present");
}

#[test]
fn more_than_was_damaged() {
    is_caught(PlantedBug::LoseUndamaged, "recovers");
}

#[test]
fn promises_that_differ_from_topic_to_topic() {
    is_caught(PlantedBug::IgnoreTopicDurability, "acknowledged after commit");
    is_caught(PlantedBug::IgnoreTopicDurability, "retained last wins");
}

#[test]
fn exchanges_that_a_restart_begins_anew() {
    is_caught(PlantedBug::SkipReleased, "exactly once");
    is_caught(PlantedBug::ForgetPacketIds, "exactly once");
    is_caught(PlantedBug::ForgetReceived, "exactly once");
    is_caught(PlantedBug::SendAgainWithoutDup, "at most once");
}

#[test]
fn messages_too_old_or_too_many() {
    is_caught(PlantedBug::IgnoreExpiry, "no expired");
    is_caught(PlantedBug::ExceedReceiveMaximum, "receive maximum");
    is_caught(PlantedBug::IgnoreLimits, "limits");
}

#[test]
fn state_that_is_forgotten_or_doubled() {
    is_caught(PlantedBug::LoseRetained, "retained last wins");
    is_caught(PlantedBug::SendRetainedLate, "retained last wins");
    is_caught(PlantedBug::ForgetSession, "session present");
    is_caught(PlantedBug::DeliverToTwoConnections, "single connection");
}

#[test]
fn packets_that_nobody_should_send() {
    is_caught(PlantedBug::IllegalReasonCode, "well formed");
    is_caught(PlantedBug::TruncatePacket, "well formed");
}

#[test]
fn there_is_a_test_for_each_bug() {
    let tests = include_str!("planted_bugs.rs");
    for bug in PlantedBug::ALL {
        assert!(tests.contains(&format!("is_caught(PlantedBug::{bug:?},")), "{bug:?}");
    }
}
