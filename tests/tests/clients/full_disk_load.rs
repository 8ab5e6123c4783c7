//! A dump that is loaded where there is too little room for it: nothing of it stays that a broker could serve.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ferry_tests::broker::ferry_binary;
use libtest_mimic::{Failed, Trial};

use crate::small_disk::SmallDisk;

const KIBIBYTE: u64 = 1 << 10;

const DISK_MEBIBYTES: u32 = 24;

/// More than any of these has room for.
const DUMP_BYTES: usize = 6 << 20;

/// Room that there is: none, for a directory, for its first files, for a part.
const ROOM_KIBIBYTES: [u64; 6] = [0, 4, 12, 64, 1_024, 4_096];

/// One that cannot be run here says why in its place.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = Trial::test("full_disk::nothing_stays_of_a_dump_without_room", nothing_stays);
    vec![match SmallDisk::mount(1).err() {
        None => trial,
        Some(why) => trial.with_kind(format!("skipped: no mount of our own: {why}")).with_ignored_flag(true),
    }]
}

fn nothing_stays() -> Result<(), Failed> {
    let disk = SmallDisk::mount(DISK_MEBIBYTES)?;
    let (data, dump) = (disk.path("data"), dump());
    for kibibytes in ROOM_KIBIBYTES {
        disk.leave_free(kibibytes * KIBIBYTE);
        let output = store("load", &data, dump.as_bytes());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kibibytes} KiB: {error}");
        assert!(error.contains("No space left on device") && error.contains("\n  help: "), "{error}");
        assert_eq!(files(&data), Vec::<String>::new(), "{kibibytes} KiB: {error}");
        assert_eq!(store("check", &data, b"").status.code(), Some(1));
    }
    disk.leave_free(20 * KIBIBYTE * KIBIBYTE);
    let loaded = store("load", &data, dump.as_bytes());
    assert!(loaded.status.success(), "{loaded:?}");
    let again = store("dump", &data, b"");
    assert_eq!(String::from_utf8_lossy(&again.stdout).lines().count(), dump.lines().count());
    Ok(())
}

fn store(what: &str, directory: &Path, input: &[u8]) -> Output {
    let mut command = Command::new(ferry_binary());
    command.args(["store", what]).arg(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // One that stops reading has said why.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

/// What a load has put there, if anything; its lock and its directories are nothing.
fn files(data: &Path) -> Vec<String> {
    let entries =
        [data.to_owned(), data.join("log")].map(|path| std::fs::read_dir(path).into_iter().flatten());
    let names = entries.into_iter().flatten().map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| !["log", "LOCK"].contains(&name.as_str())).collect()
}

/// With something of what operators manage, and retained messages.
fn dump() -> String {
    let mut dump = String::from("{\"ferry_dump\":2}\n{\"kind\":\"ban\",\"client_id\":\"pump\"}\n");
    let payload = "x".repeat(1 << 16);
    let messages = DUMP_BYTES / payload.len();
    for number in 0..messages {
        dump.push_str(&format!(
            "{{\"kind\":\"retained\",\"number\":{number},\"topic\":\"t/{number}\",\"payload\":\"{payload}\",\"qos\":1,\
             \"retain\":true,\"received_at\":1}}\n"
        ));
    }
    dump + &format!("{{\"kind\":\"end\",\"entries\":{}}}\n", messages + 1)
}
