//! The directory of the machine: who may use it, and who may see it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ferry_store::{Batch, FileDisk, Key, Log, LogOptions, OpenError, Problem, ProblemKind, verify};

/// A directory of this test, removed at its end.
pub(crate) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ferry-store-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(directory: &Path) -> Log<FileDisk> {
    let disk = FileDisk::open(directory).expect("free");
    Log::open(disk, LogOptions::default()).expect("opened").0
}

fn batch() -> Batch {
    let mut batch = Batch::new();
    batch.put(Key::new(1, 2, 3), b"value");
    batch
}

#[test]
fn it_is_made_for_the_owner_alone() {
    let temporary = TemporaryDirectory::new("made");
    let directory = temporary.path().join("new").join("data");
    let mut log = open(&directory);
    log.append(&[batch()]).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("log")), 0o700);
    for file in ["LOCK", "FORMAT", "log/00000000000000000001.log"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
}

#[test]
fn two_cannot_use_it_at_once() {
    let temporary = TemporaryDirectory::new("two");
    let log = open(temporary.path());
    for refused in [FileDisk::open(temporary.path()), FileDisk::open_read_only(temporary.path())] {
        match refused {
            Err(error @ OpenError::Locked { .. }) => {
                let expected =
                    format!("{} is in use by process {}", temporary.path().display(), std::process::id());
                assert_eq!(error.to_string(), expected);
            }
            other => panic!("{other:?}"),
        }
    }
    log.close().expect("closed");
    FileDisk::open(temporary.path()).expect("free again");
}

#[test]
fn two_can_look_at_it_at_once() {
    let temporary = TemporaryDirectory::new("look");
    let mut log = open(temporary.path());
    log.append(&[batch()]).expect("written");
    log.close().expect("closed");
    let first = FileDisk::open_read_only(temporary.path()).expect("free");
    let second = FileDisk::open_read_only(temporary.path()).expect("free");
    for disk in [first, second] {
        let (mut log, report) = Log::open_read_only(disk, &mut |_, _| ()).expect("opened");
        assert_eq!(report.live_records, 1);
        assert!(log.append(&[batch()]).is_err());
    }
}

#[test]
fn one_that_cannot_be_written_to_is_named() {
    let temporary = TemporaryDirectory::new("read-only");
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o500)).expect("set");
    match FileDisk::open(temporary.path()) {
        Err(error @ OpenError::ReadOnly { .. }) => {
            assert_eq!(error.to_string(), format!("{} cannot be written to", temporary.path().display()));
        }
        // Root may do everything.
        Ok(_) => assert!(rustix::process::geteuid().is_root()),
        Err(error) => panic!("{error}"),
    }
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o700)).expect("set");
}

#[test]
fn a_file_in_its_place_is_named() {
    let temporary = TemporaryDirectory::new("file");
    let path = temporary.path().join("data");
    fs::write(&path, b"").expect("written");
    let error = FileDisk::open(&path).expect_err("not a directory").to_string();
    assert!(error.starts_with(&format!("cannot create {}/log: ", path.display())), "{error}");
}

#[test]
fn what_was_written_is_found_again() {
    let temporary = TemporaryDirectory::new("again");
    let mut log = open(temporary.path());
    log.append(&[batch()]).expect("written");
    // As if the process had been killed.
    drop(log);
    fs::write(temporary.path().join("log/README"), b"mine").expect("written");
    let disk = FileDisk::open(temporary.path()).expect("free");
    let (mut log, report) = Log::open(disk, LogOptions::default()).expect("opened");
    let foreign =
        Problem { file: "log/README".to_owned(), offset: 0, length: 0, kind: ProblemKind::ForeignFile };
    assert_eq!(report.problems, [foreign]);
    let mut value = Vec::new();
    assert!(log.read(Key::new(1, 2, 3), &mut value).expect("readable"));
    assert_eq!(value, b"value");
    log.close().expect("closed");
    let length = fs::metadata(temporary.path().join("log/00000000000000000001.log")).expect("there").len();
    assert!(length < 256, "what was allocated ahead is given back: {length}");
}

#[test]
fn verifying_says_what_is_wrong_and_changes_nothing() {
    let temporary = TemporaryDirectory::new("verify");
    assert!(matches!(verify(temporary.path(), &mut |_, _| ()), Err(OpenError::Io { .. })));
    let mut log = open(temporary.path());
    log.append(&[batch()]).expect("written");
    assert!(matches!(verify(temporary.path(), &mut |_, _| ()), Err(OpenError::Locked { .. })));
    log.close().expect("closed");
    let report = verify(temporary.path(), &mut |_, _| ()).expect("free");
    assert_eq!((report.live_records, report.groups, report.problem_count), (1, 2, 0));
    let path = temporary.path().join("log/00000000000000000001.log");
    let mut bytes = fs::read(&path).expect("there");
    bytes[100] ^= 1;
    fs::write(&path, &bytes).expect("written");
    for _ in 0..2 {
        let report = verify(temporary.path(), &mut |_, _| ()).expect("free");
        assert!(report.is_damaged());
        assert_eq!(report.problems[0].kind, ProblemKind::DamagedEntries { group: 1 });
    }
    assert_eq!(fs::read(&path).expect("there"), bytes);
}
