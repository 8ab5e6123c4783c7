//! Whatever is in the files: a log opens, or says why not; it comes up the same the next time; and it can be used.

use ferry_store::{Batch, Key, Log, LogOptions, OpenError, SimulatedDisk};
use proptest::prelude::*;

use crate::forge::{SALT, forge};
use crate::model::Model;

fn options() -> LogOptions {
    LogOptions { segment_bytes: 4096, preallocate_bytes: 512, salt: SALT, ..LogOptions::default() }
}

fn name(number: u32) -> String {
    format!("log/{number:020}.log")
}

/// Opens what is there, writes to it, and opens it once more. If it is a single file, it must come up the same: with
/// more of them, one may tell about another what is not true, and no longer be needed the next time.
fn check(disk: &SimulatedDisk) -> Result<(), TestCaseError> {
    let is_single = disk.names().len() == 1;
    let (mut log, report) = match Log::open(disk.clone(), options()) {
        Ok(opened) => opened,
        Err(OpenError::WrongVersion { .. }) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let first = Model::of(&mut log).map_err(TestCaseError::fail)?;
    prop_assert_eq!(report.live_records, first.values.len() as u64);
    drop(log);
    disk.end_process();
    let (mut log, again) = Log::open(disk.clone(), options()).expect("opened before");
    let second = Model::of(&mut log).map_err(TestCaseError::fail)?;
    prop_assert!(!is_single || first == second, "{:?}\n{:?}\nthen {:?}\n{:?}", first, report, second, again);
    let key = Key::new(9, 9, 9);
    for turn in 0..200 {
        let mut batch = Batch::new();
        batch.put(key, &[turn; 40]);
        log.append(&[batch])
            .and_then(|()| log.sync())
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    let written = Model::of(&mut log).map_err(TestCaseError::fail)?;
    log.close().map_err(|error| TestCaseError::fail(error.to_string()))?;
    disk.end_process();
    let (mut log, last) = Log::open(disk.clone(), options()).expect("opened before");
    let third = Model::of(&mut log).map_err(TestCaseError::fail)?;
    prop_assert_eq!(third.values.get(&key), written.values.get(&key), "{:?}", last);
    prop_assert!(!is_single || third == written, "{:?}\n{:?}\nthen {:?}\n{:?}", written, again, third, last);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rubbish_is_survived(files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4)) {
        let disk = SimulatedDisk::new(1);
        for (number, file) in (1..).zip(files) {
            disk.plant(&name(number), file);
        }
        check(&disk)?;
    }

    #[test]
    fn forgeries_are_survived(files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..3)) {
        let disk = SimulatedDisk::new(1);
        for (number, file) in (1..).zip(files) {
            disk.plant(&name(number), forge(number, &file));
        }
        check(&disk)?;
    }
}
