//! Whatever is in the files of a log, it opens, comes up the same the next time, and can be written to.

#![no_main]

#[path = "../../crates/ferry-store/tests/store/forge.rs"]
mod forge;

use std::collections::BTreeMap;

use ferry_store::{Batch, Key, Log, LogOptions, OpenError, SimulatedDisk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, input)) = input.split_first() else { return };
    let disk = SimulatedDisk::new(1);
    for (number, part) in (1..=4).zip(input.split(|byte| *byte == 0xFE)) {
        let bytes = if kind & 1 << number == 0 { forge::forge(number, part) } else { part.to_vec() };
        disk.plant(&format!("log/{number:020}.log"), bytes);
    }
    // With several files, one may tell about another what is not true, and no longer be needed the next time.
    let is_single = disk.names().len() == 1;
    let first = match open(&disk) {
        Ok((_, content)) => content,
        Err(OpenError::WrongVersion { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let (mut log, content) = open(&disk).expect("opened before");
    assert!(!is_single || first == content, "{first:?}\nthen {content:?}");
    let key = Key::new(9, 9, 9);
    for turn in 0..20 {
        let mut batch = Batch::new();
        batch.put(key, &[turn; 400]);
        log.append(&[batch]).and_then(|()| log.sync()).expect("the disk works");
    }
    log.close().expect("the disk works");
    disk.end_process();
    let (_, mut again) = open(&disk).expect("opened before");
    assert_eq!(again.remove(&key), Some(vec![19; 400]));
    assert!(!is_single || again == content, "{content:?}\nthen {again:?}");
});

fn open(disk: &SimulatedDisk) -> Result<(Log<SimulatedDisk>, BTreeMap<Key, Vec<u8>>), OpenError> {
    disk.end_process();
    let options = LogOptions {
        segment_bytes: 4096,
        preallocate_bytes: 512,
        salt: forge::SALT,
        ..LogOptions::default()
    };
    let (mut log, _) = Log::open(disk.clone(), options)?;
    let mut content = BTreeMap::new();
    log.visit(&mut |stored| {
        let mut value = Vec::new();
        stored.read(&mut value)?;
        content.insert(stored.key, value);
        Ok::<(), std::io::Error>(())
    })
    .expect("what is in the index can be read");
    Ok((log, content))
}
