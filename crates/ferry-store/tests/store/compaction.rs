//! Room is given back, at a bounded price, and only while something is written anyway.

use ferry_store::{Batch, Disk, FileDisk, Key, Log, LogOptions, SimulatedDisk};

use crate::directory::TemporaryDirectory;
use crate::model::Model;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 64 * 1024,
        preallocate_bytes: 16 * 1024,
        garbage_bytes_min: 32 * 1024,
        unsynced_bytes_max: 1024 * 1024,
        salt: 1,
    }
}

fn open() -> (SimulatedDisk, Log<SimulatedDisk>) {
    let disk = SimulatedDisk::new(9);
    let (log, _) = Log::open(disk.clone(), options()).expect("a new log");
    (disk, log)
}

fn key(item: u64) -> Key {
    Key::new(1 + item % 7, 3, item)
}

fn put(items: impl Iterator<Item = u64>) -> Batch {
    let mut batch = Batch::new();
    items.for_each(|item| batch.put(key(item), &[item as u8; 100]));
    batch
}

fn delete(items: impl Iterator<Item = u64>) -> Batch {
    let mut batch = Batch::new();
    items.for_each(|item| batch.delete(key(item)));
    batch
}

fn commit<D: Disk>(log: &mut Log<D>, batch: Batch) {
    log.append(&[batch]).expect("written");
    log.sync().expect("synced");
}

fn disk_bytes(disk: &SimulatedDisk) -> usize {
    disk.names().iter().filter_map(|name| disk.content(name)).map(|content| content.len()).sum()
}

#[test]
fn a_queue_that_comes_and_goes_takes_little_room() {
    let (disk, mut log) = open();
    for turn in 0..2000 {
        commit(&mut log, put(16 * turn..16 * turn + 16));
        if turn >= 10 {
            commit(&mut log, delete(16 * (turn - 10)..16 * (turn - 9)));
        }
        assert!(disk_bytes(&disk) <= 256 * 1024, "{} bytes in turn {turn}", disk_bytes(&disk));
    }
    let figures = log.figures();
    assert_eq!(figures.live_records, 160);
    let amplification = figures.bytes_written as f64 / figures.bytes_of_records as f64;
    assert!(amplification < 1.7, "{amplification} {figures:?}");
}

#[test]
fn what_stays_is_copied_no_more_than_there_is_garbage() {
    let (_, mut log) = open();
    // A megabyte stays; something else is written over and over.
    for turn in 0..500 {
        commit(&mut log, put(1000 + 16 * turn..1000 + 16 * turn + 16));
    }
    for turn in 0..4000 {
        commit(&mut log, put(turn % 50..turn % 50 + 16));
    }
    let figures = log.figures();
    assert_eq!(figures.live_records, 8000 + 65);
    assert!(figures.total_bytes < 2 * figures.live_bytes + 256 * 1024, "{figures:?}");
    let amplification = figures.bytes_written as f64 / figures.bytes_of_records as f64;
    assert!(amplification < 2.5, "{amplification} {figures:?}");
}

#[test]
fn when_everything_is_deleted_the_files_are_small() {
    let (disk, mut log) = open();
    for turn in 0..500 {
        commit(&mut log, put(16 * turn..16 * turn + 16));
    }
    assert!(disk_bytes(&disk) > 1_000_000);
    for turn in 0..500 {
        commit(&mut log, delete(16 * turn..16 * turn + 16));
    }
    assert_eq!(log.figures().live_records, 0);
    log.close().expect("closed");
    assert!(disk_bytes(&disk) < 128 * 1024, "{}", disk_bytes(&disk));
}

#[test]
fn groups_deleted_at_once_give_their_room_back() {
    let (disk, mut log) = open();
    for turn in 0..500 {
        commit(&mut log, put(16 * turn..16 * turn + 16));
    }
    let mut batch = Batch::new();
    (1..=7).for_each(|group| batch.delete_group(group));
    commit(&mut log, batch);
    commit(&mut log, put(0..1));
    commit(&mut log, put(0..1));
    assert!(disk_bytes(&disk) < 128 * 1024, "{}", disk_bytes(&disk));
    assert_eq!(log.figures().live_records, 1);
}

#[test]
fn one_append_copies_a_bounded_amount() {
    let disk = SimulatedDisk::new(9);
    let options = LogOptions { segment_bytes: 1 << 20, garbage_bytes_min: 1 << 20, ..options() };
    let (mut log, _) = Log::open(disk, options).expect("a new log");
    for turn in 0..2000 {
        commit(&mut log, put(16 * turn..16 * turn + 16));
    }
    let mut written = log.figures().bytes_written;
    // Every other one goes, so that half of each segment has to be copied.
    for item in (0..32_000).step_by(2) {
        commit(&mut log, delete(item..item + 1));
        let now = log.figures().bytes_written;
        assert!(now - written < 128 * 1024, "{} bytes for one delete", now - written);
        written = now;
    }
    assert_eq!(log.figures().live_records, 16_000);
    Model::of(&mut log).expect("readable");
}

#[test]
fn a_quiet_log_does_nothing() {
    let (disk, mut log) = open();
    for turn in 0..100 {
        commit(&mut log, put(16 * (turn % 3)..16 * (turn % 3) + 16));
    }
    let operations = disk.operations();
    for _ in 0..100 {
        log.sync().expect("nothing to do");
        log.append(&[]).expect("nothing to do");
        log.append(&[Batch::new()]).expect("nothing to do");
    }
    assert_eq!(disk.operations(), operations);
    log.close().expect("closed");
    disk.end_process();
    // Nor does it write anything to be started and stopped.
    let before: Vec<_> = disk.names().iter().map(|name| disk.content(name)).collect();
    for _ in 0..10 {
        let (log, _) = Log::open(disk.clone(), options()).expect("opened");
        assert_eq!(log.figures().bytes_written, 0);
        log.close().expect("closed");
        disk.end_process();
    }
    assert_eq!(disk.names().iter().map(|name| disk.content(name)).collect::<Vec<_>>(), before);
}

#[test]
fn what_comes_and_goes_within_a_group_is_not_written() {
    let (_, mut log) = open();
    let body = Key::new(0, 9, 1);
    let mut came = put(0..10);
    came.put_shared(body, &[1; 1000]);
    came.put_referring(key(20), body, b"");
    came.put_referring(key(21), body, b"");
    let mut went = delete(0..9);
    went.delete(key(20));
    went.delete_group(key(21).group);
    log.append(&[came, went]).expect("written");
    let figures = log.figures();
    assert_eq!((figures.records, figures.records_elided), (24, 23));
    assert_eq!(figures.live_records, 1);
    assert!(figures.bytes_written < 300, "{figures:?}");
    // Nothing is left, so nothing is written at all.
    let (came, went) = (put(50..60), delete(50..60));
    let bytes_written = log.figures().bytes_written;
    log.append(&[came, went]).expect("nothing to write");
    assert_eq!(log.figures().bytes_written, bytes_written);
}

#[test]
fn a_value_that_was_written_before_is_deleted_although_it_was_put_again() {
    let (disk, mut log) = open();
    commit(&mut log, put(0..2));
    log.append(&[put(0..2), delete(0..1)]).expect("written");
    log.close().expect("closed");
    disk.end_process();
    let (mut log, _) = Log::open(disk, options()).expect("opened");
    assert_eq!(Model::of(&mut log).expect("readable").values.into_keys().collect::<Vec<_>>(), [key(1)]);
}

#[test]
fn the_same_happens_on_a_real_disk() {
    let directory = TemporaryDirectory::new("compaction");
    let disk = FileDisk::open(directory.path()).expect("free");
    let (mut log, _) = Log::open(disk, options()).expect("a new log");
    for turn in 0..200 {
        log.append(&[put(16 * turn..16 * turn + 16)]).expect("written");
        if turn >= 10 {
            log.append(&[delete(16 * (turn - 10)..16 * (turn - 9))]).expect("written");
        }
    }
    let before = Model::of(&mut log).expect("readable");
    log.close().expect("closed");
    let disk = FileDisk::open(directory.path()).expect("free again");
    let (mut log, report) = Log::open(disk, options()).expect("opened");
    assert_eq!(report.problems, []);
    assert_eq!(Model::of(&mut log).expect("readable"), before);
}
