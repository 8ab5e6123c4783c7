//! What is used, and what is reported, when files are not as they were written.

use ferry_store::{Batch, Fault, Key, Log, LogOptions, OpenError, Problem, ProblemKind, SimulatedDisk};

use crate::model::Model;

const FIRST: &str = "log/00000000000000000001.log";
const SECOND: &str = "log/00000000000000000002.log";
const THIRD: &str = "log/00000000000000000003.log";

/// Bytes of the headers of a segment, of a group, and of an entry.
const SEGMENT_HEADER: usize = 44;
const GROUP_HEADER: usize = 40;
const ENTRY_HEADER: usize = 25;

/// Bytes of the groups of these tests: two entries with a value of 100 bytes each.
const ENTRY: usize = ENTRY_HEADER + 100;
const GROUP: usize = GROUP_HEADER + 2 * ENTRY;

fn options() -> LogOptions {
    LogOptions { segment_bytes: 1000, preallocate_bytes: 256, salt: 77, ..LogOptions::default() }
}

fn key(item: u64) -> Key {
    Key::new(1, 1, item)
}

fn open(disk: &SimulatedDisk) -> (Log<SimulatedDisk>, Vec<Problem>) {
    let (log, report) = Log::open(disk.clone(), options()).expect("opened");
    assert_eq!(report.problem_count, report.problems.len() as u64);
    (log, report.problems)
}

/// Groups 1 to `groups`, three in a segment, with the keys 2 * group and 2 * group + 1. Each is synced on its own; the
/// log is not closed.
fn written(groups: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(3);
    let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
    for group in 1..=groups {
        let mut batch = Batch::new();
        batch.put(key(2 * group), &[group as u8; 100]);
        batch.put(key(2 * group + 1), &[group as u8; 100]);
        log.append(&[batch]).expect("written");
        log.sync().expect("synced");
    }
    disk.end_process();
    disk
}

/// Where a group of the first segment begins.
fn group_at(group: usize) -> usize {
    SEGMENT_HEADER + (group - 1) * GROUP
}

fn items(log: &mut Log<SimulatedDisk>) -> Vec<u64> {
    Model::of(log).expect("readable").values.keys().map(|key| key.item).collect()
}

fn problem(file: &str, offset: usize, length: usize, kind: ProblemKind) -> Problem {
    Problem { file: file.to_owned(), offset: offset as u64, length: length as u64, kind }
}

/// Opens it to look and in earnest: both must find the same, and again after the second.
fn check(disk: &SimulatedDisk, expected_items: &[u64], expected: &[Problem]) {
    let names: Vec<_> = disk.names().into_iter().map(|name| (disk.content(&name), name)).collect();
    let (mut log, report) = Log::open_read_only(disk.clone(), &mut |_, _| ()).expect("opened");
    assert_eq!(report.problems, expected);
    assert_eq!(items(&mut log), expected_items);
    assert!(log.append(&[batch_of(1)]).is_err());
    log.close().expect("nothing to do");
    assert_eq!(disk.names().into_iter().map(|name| (disk.content(&name), name)).collect::<Vec<_>>(), names);

    let (mut log, problems) = open(disk);
    assert_eq!(problems, expected);
    assert_eq!(items(&mut log), expected_items);
    for problem in &problems {
        assert!(problem.to_string().contains(&problem.file), "{problem}");
    }
    // It can be written to, and what is written is there afterwards.
    log.append(&[batch_of(999)]).expect("written");
    log.close().expect("closed");
    disk.end_process();
    let (mut log, _) = open(disk);
    let mut with_new = expected_items.to_vec();
    with_new.push(999);
    assert_eq!(items(&mut log), with_new);
}

fn batch_of(item: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(item), b"new");
    batch
}

#[test]
fn an_undamaged_log_has_no_problems() {
    check(&written(4), &[2, 3, 4, 5, 6, 7, 8, 9], &[]);
    check(&written(0), &[], &[]);
}

#[test]
fn a_torn_tail_is_cut_off() {
    for (bytes_of_it, cut) in [(GROUP - 1, GROUP - 1), (GROUP_HEADER + ENTRY, GROUP_HEADER + ENTRY), (5, 5)] {
        let disk = written(3);
        disk.cut(FIRST, group_at(3) + bytes_of_it);
        check(&disk, &[2, 3, 4, 5], &[problem(FIRST, group_at(3), cut, ProblemKind::TornTail { group: 3 })]);
    }
}

#[test]
fn a_bit_of_the_last_group_makes_it_a_torn_tail() {
    for at in [0, 5, GROUP_HEADER, GROUP_HEADER + 4, GROUP_HEADER + 30, GROUP - 1] {
        let disk = written(3);
        disk.flip_bit(FIRST, group_at(3) + at, 3);
        check(
            &disk,
            &[2, 3, 4, 5],
            &[problem(FIRST, group_at(3), GROUP, ProblemKind::TornTail { group: 3 })],
        );
    }
}

#[test]
fn the_last_group_of_a_closed_log_is_known_to_be_durable() {
    let disk = written(3);
    let (log, _) = open(&disk);
    log.close().expect("closed");
    disk.flip_bit(FIRST, group_at(3) + GROUP_HEADER + 30, 3);
    check(
        &disk,
        &[2, 3, 4, 5, 7],
        &[problem(FIRST, group_at(3) + GROUP_HEADER, ENTRY, ProblemKind::DamagedEntries { group: 3 })],
    );
}

#[test]
fn a_bit_of_an_entry_that_was_durable_costs_that_entry() {
    // Checksum, kind, key, and value.
    for at in [0, 8, 12, 20, 60, ENTRY - 1] {
        let disk = written(4);
        disk.flip_bit(FIRST, group_at(2) + GROUP_HEADER + at, 3);
        let damaged = ProblemKind::DamagedEntries { group: 2 };
        check(&disk, &[2, 3, 5, 6, 7, 8, 9], &[problem(FIRST, group_at(2) + GROUP_HEADER, ENTRY, damaged)]);
    }
}

#[test]
fn a_bit_of_the_length_of_an_entry_costs_that_entry() {
    for (at, bit) in [(4, 0), (4, 7), (5, 0), (6, 7), (7, 6)] {
        let disk = written(4);
        disk.flip_bit(FIRST, group_at(2) + GROUP_HEADER + at, bit);
        let damaged = ProblemKind::DamagedEntries { group: 2 };
        check(&disk, &[2, 3, 5, 6, 7, 8, 9], &[problem(FIRST, group_at(2) + GROUP_HEADER, ENTRY, damaged)]);
    }
}

#[test]
fn a_length_that_leads_behind_the_next_entries_costs_one_entry() {
    let disk = SimulatedDisk::new(3);
    let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
    for group in 1..=2 {
        let mut batch = Batch::new();
        // 32 bytes each: 32 with one bit more is the length of two, three or five.
        (0..6).for_each(|item| batch.put(key(10 * group + item), &[1; 32 - ENTRY_HEADER]));
        log.append(&[batch]).expect("written");
        log.sync().expect("synced");
    }
    disk.end_process();
    for bit in 0..8 {
        let disk = copy_of(&disk);
        disk.flip_bit(FIRST, group_at(1) + GROUP_HEADER + 32 + 4, bit);
        assert_eq!(items(&mut open(&disk).0), [10, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25], "bit {bit}");
    }
}

#[test]
fn a_bit_of_a_group_header_costs_no_entry() {
    for at in 0..GROUP_HEADER {
        let disk = written(4);
        disk.flip_bit(FIRST, group_at(2) + at, 3);
        let lost = ProblemKind::LostGroups { first: 2, count: 1 };
        check(&disk, &[2, 3, 4, 5, 6, 7, 8, 9], &[problem(FIRST, group_at(2), GROUP, lost)]);
    }
}

/// What stands in a header where an entry has its length must not lead past entries, whatever is there.
#[test]
fn a_bit_of_a_group_header_costs_no_entry_however_long_the_last_one_is() {
    for last in 0..80 {
        let disk = SimulatedDisk::new(3);
        let (mut log, _) = Log::open(disk.clone(), options()).expect("a new log");
        for group in 1..=2 {
            let mut batch = Batch::new();
            batch.put(key(10 * group), &[1; 50]);
            batch.put(key(10 * group + 1), &[2; 30]);
            batch.put(key(10 * group + 2), &vec![3; last]);
            log.append(&[batch]).expect("written");
            log.sync().expect("synced");
        }
        disk.end_process();
        disk.flip_bit(FIRST, group_at(1) + 30, 3);
        assert_eq!(items(&mut open(&disk).0), [10, 11, 12, 20, 21, 22], "{last} bytes in the last entry");
    }
}

/// Files that are used again may have old bytes behind their last group, if the power failed before they were cut off.
/// Those must not be taken for the group that is damaged in the next file.
#[test]
fn a_bit_of_the_header_of_the_only_group_of_a_file_costs_no_entry() {
    let options = LogOptions { segment_bytes: 2000, garbage_bytes_min: 2048, ..options() };
    let disk = SimulatedDisk::new(4);
    let (mut log, _) = Log::open(disk.clone(), options.clone()).expect("a new log");
    for turn in 0..200_u64 {
        let mut batch = Batch::new();
        batch.put(key(turn % 20), &vec![turn as u8; 100 + turn as usize * 311 % 1700]);
        log.append(&[batch]).expect("written");
        log.sync().expect("synced");
    }
    disk.end_process();
    let whole =
        Model::of(&mut Log::open(copy_of(&disk), options.clone()).expect("opened").0).expect("readable");
    let mut segments: Vec<_> = disk.names().into_iter().filter(|name| name.starts_with("log/")).collect();
    segments.sort();
    // What the last one has is not known to be durable.
    segments.pop();
    assert!(segments.len() > 3, "{segments:?}");
    for name in &segments {
        let mut content = disk.content(name).expect("there");
        let reused_bytes = u32::from_le_bytes(content[36..40].try_into().expect("four bytes"));
        content.resize(content.len().max(reused_bytes as usize), 0xA5);
        disk.plant(name, content);
    }
    for name in segments {
        for at in SEGMENT_HEADER..SEGMENT_HEADER + GROUP_HEADER {
            let damaged = copy_of(&disk);
            damaged.flip_bit(&name, at, 3);
            let (mut log, report) = Log::open(damaged, options.clone()).expect("opened");
            assert_eq!(Model::of(&mut log).expect("readable"), whole, "{name}, {at}: {:?}", report.problems);
        }
    }
}

#[test]
fn a_bit_of_a_segment_header_costs_nothing() {
    for at in 0..SEGMENT_HEADER {
        let disk = written(4);
        disk.flip_bit(FIRST, at, 3);
        let expected = [problem(FIRST, 0, SEGMENT_HEADER, ProblemKind::DamagedSegmentHeader)];
        check(&disk, &[2, 3, 4, 5, 6, 7, 8, 9], &expected);
        // It has been restored.
        let (_, problems) = open(&disk);
        assert_eq!(problems, []);
    }
}

#[test]
fn every_single_bit_of_what_is_durable_costs_one_entry_at_most() {
    let whole = written(5);
    for bit in 0..8 * group_at(4) {
        let disk = copy_of(&whole);
        disk.flip_bit(FIRST, bit / 8, bit as u8);
        let (mut log, problems) = open(&disk);
        assert_eq!(problems.len(), 1, "bit {bit}: {problems:?}");
        assert!(items(&mut log).len() >= 9, "bit {bit}");
    }
}

#[test]
fn a_missing_segment_is_named_and_the_others_are_used() {
    let disk = written(8);
    disk.destroy(SECOND);
    let expected = [
        problem(SECOND, 0, 0, ProblemKind::MissingSegment),
        problem(FIRST, group_at(4), 0, ProblemKind::LostGroups { first: 4, count: 3 }),
    ];
    check(&disk, &[2, 3, 4, 5, 6, 7, 14, 15, 16, 17], &expected);
}

#[test]
fn a_missing_first_segment_is_named() {
    let disk = written(8);
    disk.destroy(FIRST);
    let expected = [problem(FIRST, 0, 0, ProblemKind::MissingSegment)];
    check(&disk, &[8, 9, 10, 11, 12, 13, 14, 15, 16, 17], &expected);
}

#[test]
fn a_truncated_segment_loses_its_end() {
    let disk = written(8);
    disk.cut(FIRST, group_at(3) + GROUP_HEADER + ENTRY + 10);
    let end = group_at(3) + GROUP_HEADER + ENTRY;
    let damaged = ProblemKind::DamagedEntries { group: 3 };
    let expected = [problem(FIRST, end, 10, damaged), problem(FIRST, end + 10, ENTRY - 10, damaged)];
    check(&disk, &[2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], &expected);
}

#[test]
fn a_segment_cut_between_groups_loses_those_after() {
    let disk = written(8);
    disk.cut(FIRST, group_at(2));
    let expected = [problem(FIRST, group_at(2), 0, ProblemKind::LostGroups { first: 2, count: 2 })];
    check(&disk, &[2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], &expected);
}

#[test]
fn an_empty_segment_loses_what_was_in_it() {
    let disk = written(8);
    disk.cut(SECOND, 0);
    let expected = [problem(SECOND, 0, 0, ProblemKind::LostGroups { first: 4, count: 3 })];
    check(&disk, &[2, 3, 4, 5, 6, 7, 14, 15, 16, 17], &expected);
}

#[test]
fn an_empty_last_segment_is_one_that_was_just_begun() {
    let disk = written(3);
    disk.plant(SECOND, Vec::new());
    check(&disk, &[2, 3, 4, 5, 6, 7], &[]);
    let disk = written(3);
    disk.plant(SECOND, vec![0; 5000]);
    check(&disk, &[2, 3, 4, 5, 6, 7], &[]);
}

#[test]
fn a_segment_of_rubbish_is_named() {
    let disk = written(8);
    disk.plant(SECOND, vec![0x93; 5000]);
    let expected = [
        problem(SECOND, 0, 5000, ProblemKind::UnusableSegment),
        problem(SECOND, 5000, 0, ProblemKind::LostGroups { first: 4, count: 3 }),
    ];
    check(&disk, &[2, 3, 4, 5, 6, 7, 14, 15, 16, 17], &expected);
}

#[test]
fn a_segment_in_the_place_of_another_is_not_mistaken_for_it() {
    let disk = written(8);
    disk.plant(SECOND, disk.content(THIRD).expect("there"));
    let (mut log, problems) = open(&disk);
    assert_eq!(items(&mut log), [2, 3, 4, 5, 6, 7, 14, 15, 16, 17]);
    assert!(problems.iter().any(|problem| matches!(problem.kind, ProblemKind::LostGroups { .. })));
}

#[test]
fn foreign_files_are_named_and_left_alone() {
    let disk = written(3);
    for name in ["log/notes.txt", "log/1.log", "log/00000000000000000001.log.bak"] {
        disk.plant(name, b"mine".to_vec());
    }
    let foreign = |name| problem(name, 0, 0, ProblemKind::ForeignFile);
    check(
        &disk,
        &[2, 3, 4, 5, 6, 7],
        &[foreign("log/00000000000000000001.log.bak"), foreign("log/1.log"), foreign("log/notes.txt")],
    );
    assert_eq!(disk.content("log/notes.txt"), Some(b"mine".to_vec()));
}

#[test]
fn a_damaged_or_missing_format_is_restored_from_the_segments() {
    for damage in 0..4 {
        let disk = written(4);
        let format = disk.content("FORMAT").expect("there");
        match damage {
            0 => disk.destroy("FORMAT"),
            1 => disk.plant("FORMAT", Vec::new()),
            2 => disk.flip_bit("FORMAT", 12, 0),
            _ => disk.plant("FORMAT", b"something else".to_vec()),
        }
        check(&disk, &[2, 3, 4, 5, 6, 7, 8, 9], &[problem("FORMAT", 0, 0, ProblemKind::DamagedFormat)]);
        assert_eq!(disk.content("FORMAT"), Some(format));
    }
}

#[test]
fn another_version_is_refused_and_nothing_is_changed() {
    let disk = written(3);
    let text = "ferry-store 2 of the future";
    disk.plant("FORMAT", format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes())).into_bytes());
    let before: Vec<_> = disk.names().iter().map(|name| disk.content(name)).collect();
    let operations = disk.operations();
    match Log::open(disk.clone(), options()) {
        Err(error @ OpenError::WrongVersion { found: 2, expected: 1 }) => {
            assert_eq!(error.to_string(), "the data has format 2, and this program knows only format 1");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened"),
    }
    assert_eq!(disk.operations(), operations);
    assert_eq!(disk.names().iter().map(|name| disk.content(name)).collect::<Vec<_>>(), before);
}

#[test]
fn a_value_that_others_refer_to_takes_them_along() {
    let disk = SimulatedDisk::new(1);
    let (mut log, _) = open(&disk);
    let body = Key::new(0, 9, 1);
    let mut batch = Batch::new();
    batch.put_shared(body, &[7; 75]);
    batch.put_referring(key(1), body, b"first");
    batch.put_referring(key(2), body, b"second");
    batch.put(key(3), b"alone");
    log.append(&[batch]).expect("written");
    log.close().expect("closed");
    disk.end_process();
    disk.flip_bit(FIRST, SEGMENT_HEADER + GROUP_HEADER + 50, 1);
    let (mut log, problems) = open(&disk);
    assert_eq!(items(&mut log), [3]);
    let lost: Vec<_> = problems
        .iter()
        .filter_map(|problem| match problem.kind {
            ProblemKind::LostReference { key } => Some(key.item),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [1, 2]);
}

#[test]
fn a_read_only_disk_is_refused_and_can_be_looked_at() {
    let disk = written(3);
    disk.cut(FIRST, group_at(3) + 100);
    disk.set_read_only(true);
    assert!(matches!(Log::open(disk.clone(), options()), Err(OpenError::Io { .. })));
    let (mut log, _) = Log::open_read_only(disk.clone(), &mut |_, _| ()).expect("opened");
    assert_eq!(items(&mut log), [2, 3, 4, 5]);
}

#[test]
fn what_is_not_there_cannot_be_looked_at() {
    let disk = SimulatedDisk::new(1);
    assert!(matches!(Log::open_read_only(disk.clone(), &mut |_, _| ()), Err(OpenError::Io { .. })));
    assert_eq!(disk.operations(), 0);
}

#[test]
fn a_log_can_be_opened_wherever_the_power_failed_while_it_was_made() {
    for operation in 0..20 {
        let disk = SimulatedDisk::new(operation);
        disk.plan(operation, Fault::PowerFails);
        if let Ok((mut log, _)) = Log::open(disk.clone(), options()) {
            let _ = log.append(&[batch_of(1)]).and_then(|()| log.sync());
        }
        disk.heal();
        disk.restart();
        let (mut log, problems) = open(&disk);
        assert!(problems.iter().all(|problem| matches!(problem.kind, ProblemKind::TornTail { .. })));
        log.append(&[batch_of(2)]).expect("written");
    }
}

#[test]
fn progress_is_told_up_to_the_end() {
    let disk = written(8);
    let mut told = Vec::new();
    Log::open_with_progress(disk, options(), &mut |done, total| told.push((done, total))).expect("opened");
    assert!(told.is_sorted());
    let (done, total) = told.last().copied().expect("told");
    assert_eq!(done, total);
}

/// What a group writes to a file that was a segment before may be durable although the file's new name is not.
#[test]
fn a_reused_file_that_got_its_old_name_back_is_not_mistaken_for_the_end() {
    let options = LogOptions { segment_bytes: 4096, garbage_bytes_min: 2048, ..options() };
    let disk = SimulatedDisk::new(4);
    let (mut log, _) = Log::open(disk.clone(), options.clone()).expect("a new log");
    let mut reuses = 0;
    for turn in 0..200_u64 {
        let before = (disk.names(), Model::of(&mut log).expect("readable"));
        let mut batch = Batch::new();
        batch.put(key(turn % 3), &[turn as u8; 500]);
        log.append(&[batch]).expect("written");
        let new = disk.names().into_iter().find(|name| !before.0.contains(name));
        let old = before.0.iter().find(|name| !disk.names().contains(name));
        if let (Some(new), Some(old)) = (new, old) {
            reuses += 1;
            let copy = copy_of(&disk);
            copy.plant(old, disk.content(&new).expect("there"));
            copy.destroy(&new);
            let (mut log, report) = Log::open(copy, options.clone()).expect("opened");
            assert!(!report.is_damaged(), "{:?}", report.problems);
            assert_eq!(Model::of(&mut log).expect("readable"), before.1);
        }
        log.sync().expect("synced");
    }
    assert!(reuses > 5, "{reuses}");
}

fn copy_of(disk: &SimulatedDisk) -> SimulatedDisk {
    let copy = SimulatedDisk::new(1);
    for name in disk.names() {
        copy.plant(&name, disk.content(&name).expect("there"));
    }
    copy
}
