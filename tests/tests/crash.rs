//! A broker that is killed under real clients; `cargo xtask crash` does more of the same.

use ferry_tests::crash::{BrokerChoice, CrashOptions, run};

/// Built before the tests of this package are.
const _: &str = env!("CARGO_BIN_EXE_power-loss-broker");

fn options(broker: BrokerChoice, rounds: u32) -> CrashOptions {
    let durability = "fsync".to_owned();
    CrashOptions { rounds, seed: 1, broker, durability, shards: 1, keep: None, tell: |_| () }
}

#[test]
fn kills_lose_nothing_acknowledged_and_repeat_no_qos_2_message() {
    let report = run(&options(BrokerChoice::Ferry, 5)).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.acknowledged > 0 && report.received > report.acknowledged, "{report:?}");
}

#[test]
fn losses_of_power_lose_nothing_acknowledged_and_repeat_no_qos_2_message() {
    let report = run(&options(BrokerChoice::PowerLoss, 5)).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.acknowledged > 0 && report.received > report.acknowledged, "{report:?}");
}

/// Without the wait for the sync the test above must fail.
#[test]
fn acknowledgements_that_do_not_wait_for_the_sync_are_found_out() {
    let options = CrashOptions { durability: "os".to_owned(), ..options(BrokerChoice::PowerLoss, 10) };
    let found = run(&options).expect_err("something acknowledged is lost");
    println!("{found}");
}
