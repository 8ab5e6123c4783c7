//! A disk that fails or is full while it is used.

use std::io;

use ferry_store::{Batch, Fault, Key, Log, LogOptions, SimulatedDisk};

use crate::model::Model;

fn options() -> LogOptions {
    LogOptions { segment_bytes: 16 * 1024, preallocate_bytes: 4096, ..LogOptions::default() }
}

fn key(item: u64) -> Key {
    Key::new(1, 1, item)
}

fn put(item: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(item), &[item as u8; 200]);
    batch
}

fn items(log: &mut Log<SimulatedDisk>) -> Vec<u64> {
    Model::of(log).expect("readable").values.keys().map(|key| key.item).collect()
}

fn reopened(disk: &SimulatedDisk) -> Vec<u64> {
    let (mut log, report) = Log::open(disk.clone(), options()).expect("opened");
    assert!(!report.is_damaged(), "{:?}", report.problems);
    items(&mut log)
}

#[test]
fn a_failed_sync_is_not_believed_when_it_works_the_next_time() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
        log.append(&[put(1)]).expect("written");
        log.sync().expect("synced");
        log.append(&[put(2)]).expect("written");
        log.append(&[put(3)]).expect("written");
        disk.plan(disk.operations(), Fault::Fails);
        log.sync().expect_err("planned");
        // Reading goes on, and what was written is there.
        assert_eq!(items(&mut log), [1, 2, 3]);
        log.append(&[put(4)]).expect("written elsewhere");
        log.sync().expect("synced elsewhere");
        assert_eq!(items(&mut log), [1, 2, 3, 4]);
        assert_eq!(log.figures().segments, 2);
        disk.restart();
        assert_eq!(reopened(&disk), [1, 2, 3, 4], "seed {seed}");
    }
}

#[test]
fn a_failed_sync_is_outlived_by_a_process_that_comes_after() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
        log.append(&[put(1)]).expect("written");
        log.sync().expect("synced");
        log.append(&[put(2)]).expect("written");
        disk.plan(disk.operations(), Fault::Fails);
        log.sync().expect_err("planned");
        disk.end_process();
        // It is shown to somebody, so it must stay.
        assert_eq!(reopened(&disk), [1, 2]);
        disk.restart();
        assert_eq!(reopened(&disk), [1, 2], "seed {seed}");
    }
}

/// The mark says that all before it is durable; of itself nobody says so yet.
#[test]
fn a_mark_whose_sync_failed_is_not_missed_by_what_comes_after() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
        log.append(&[put(1)]).expect("written");
        log.sync().expect("synced");
        // Writing it succeeds, the sync does not.
        disk.plan(disk.operations() + 1, Fault::Fails);
        log.close().expect_err("planned");
        disk.end_process();
        let (mut log, _) = Log::open(disk.clone(), options()).expect("opened");
        log.append(&[put(2)]).expect("written");
        log.sync().expect("synced");
        log.append(&[put(3)]).expect("written");
        log.sync().expect("synced");
        disk.restart();
        assert_eq!(reopened(&disk), [1, 2, 3], "seed {seed}");
    }
}

#[test]
fn a_failing_disk_is_tried_again_until_it_works() {
    let disk = SimulatedDisk::new(5);
    let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
    log.append(&[put(1)]).expect("written");
    for attempt in 0..40 {
        for operation in 0..4 {
            disk.plan(disk.operations() + operation, Fault::Fails);
        }
        let _ = log.append(&[put(2 + attempt)]);
        let _ = log.sync();
        disk.heal();
    }
    assert!(items(&mut log).contains(&1));
    log.append(&[put(100)]).expect("written");
    log.sync().expect("synced");
    let before = items(&mut log);
    disk.restart();
    assert_eq!(reopened(&disk), before);
}

#[test]
fn a_full_disk_takes_nothing_in_part_and_goes_on_when_there_is_room() {
    let disk = SimulatedDisk::new(5);
    disk.set_capacity_bytes(10_000);
    let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
    let mut written = Vec::new();
    let error = loop {
        let item = written.len() as u64;
        match log.append(&[put(item)]).and_then(|()| log.sync()) {
            Ok(()) => written.push(item),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    // All the room there was has been used.
    assert!(written.len() > 30, "{written:?}");
    assert_eq!(items(&mut log), written);
    assert_eq!(disk.names().len(), 2);
    for _ in 0..10 {
        log.append(&[put(1000)]).expect_err("full");
    }
    disk.set_capacity_bytes(20_000);
    log.append(&[put(1000)]).expect("written");
    log.sync().expect("synced");
    written.push(1000);
    disk.restart();
    assert_eq!(reopened(&disk), written);
}

#[test]
fn deleting_makes_room_on_a_disk_that_is_nearly_full() {
    let disk = SimulatedDisk::new(5);
    let options = LogOptions { garbage_bytes_min: 4096, ..options() };
    let (mut log, _) = Log::open(disk.clone(), options).expect("a new log");
    for item in 0..1000 {
        log.append(&[put(item)]).expect("written");
    }
    log.sync().expect("synced");
    // What is left to keep free for that.
    disk.set_capacity_bytes(log.figures().total_bytes + 64 * 1024);
    for item in 0..1000 {
        let mut batch = Batch::new();
        batch.delete(key(item));
        log.append(&[batch]).and_then(|()| log.sync()).expect("there is room to delete");
    }
    assert!(log.figures().total_bytes < 64 * 1024);
}

#[test]
fn what_has_become_unreadable_is_said_to_be_and_given_up_when_its_segment_goes() {
    let disk = SimulatedDisk::new(5);
    let options = LogOptions { segment_bytes: 4096, garbage_bytes_min: 4096, ..options() };
    let (mut log, _) = Log::open(disk.clone(), options).expect("a new log");
    for item in 0..30 {
        log.append(&[put(item)]).expect("written");
    }
    log.sync().expect("synced");
    disk.flip_bit("log/00000000000000000001.log", 44 + 40 + 100, 1);
    let mut value = Vec::new();
    let error = log.read(key(0), &mut value).expect_err("damaged");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(log.read(key(1), &mut value).expect("not damaged"));
    // Everything else is moved elsewhere by and by.
    for turn in 0..200 {
        log.append(&[put(100 + turn % 2)]).expect("written");
        log.sync().expect("synced");
    }
    assert_eq!(log.figures().records_lost, 1);
    let expected: Vec<u64> = (1..30).chain([100, 101]).collect();
    assert_eq!(items(&mut log), expected);
    disk.restart();
    assert_eq!(reopened(&disk), expected);
}
