//! Dumps that are not as they were written: nothing of them is loaded.

use std::path::{Path, PathBuf};

use ferry_broker::store_tools::{self, DumpOptions, StoreToolError};
use ferry_store::{FileDisk, OpenError};

const SECRET: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";

/// One line of every kind that operators manage, and a retained message.
const LINES: [&str; 8] = [
    r#"{"ferry_dump":2,"written_by":"0.1.0"}"#,
    r#"{"kind":"decoy_secret","secret_base64":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="}"#,
    r#"{"kind":"user","name":"ada","is_disabled":false,"hash":"SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,
    r#"{"kind":"ban","address":"198.51.100.0/24","user":"eve","client_id":"c","until_milliseconds":32503680000000,"reason":"it floods","automatic":true}"#,
    r#"{"kind":"group","name":"kids","description":"small","users":["ben"]}"#,
    r#"{"kind":"role","name":"guest","description":"","rules":["[[rule]]","allow = \"publish\"","topic = \"guests/#\""],"users":["ada"],"groups":["kids"]}"#,
    r#"{"kind":"retained","number":1,"topic":"house/door","payload":"open","qos":1,"retain":true,"received_at":5}"#,
    r#"{"kind":"end","entries":6}"#,
];

/// Removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ferry-store-load-{name}-{}", std::process::id()));
        let _none_before = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// The names of all files in it but the lock.
    fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        for path in [self.0.clone(), self.0.join("log")] {
            let entries = std::fs::read_dir(path).into_iter().flatten();
            names.extend(
                entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")),
            );
        }
        names.retain(|name| !["log", "LOCK"].contains(&name.as_str()));
        names.sort_unstable();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn load(directory: &Path, dump: &[u8]) -> Result<u64, StoreToolError> {
    store_tools::load(directory, &mut &*dump, &mut |_| ())
}

fn dump(directory: &Path) -> String {
    let mut lines = Vec::new();
    let report = store_tools::dump(directory, DumpOptions::default(), &mut lines, &mut |_, _| ());
    assert_eq!(report.expect("a dump").unreadable, Vec::<String>::new());
    String::from_utf8(lines).expect("text")
}

/// The words of the error, which name no secret; nothing is left of the dump.
#[track_caller]
fn refused(directory: &Directory, dump: &[u8]) -> String {
    let words = load(&directory.0, dump).expect_err("wrong").to_string();
    assert_eq!(directory.files(), Vec::<String>::new(), "{words}");
    assert!(words.contains("\n  help: nothing was loaded; "), "{words}");
    assert!(!words.contains(&SECRET[..8]) && !words.contains("AAAA"), "{words}");
    words
}

#[test]
fn what_was_loaded_is_dumped_again() {
    let directory = Directory::new("whole");
    let text = LINES.join("\n") + "\n";
    assert_eq!(load(&directory.0, text.as_bytes()).expect("loaded"), 6);
    let again = dump(&directory.0);
    let members = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    assert_eq!(again.lines().map(members).collect::<Vec<_>>(), LINES.map(members));
    let checked = store_tools::check(&directory.0, &mut |_, _| ()).expect("readable");
    assert!(!checked.is_damaged());
    assert!(checked.to_string().contains("\nmanaged    1 users, 1 bans, 1 roles, 1 groups"), "{checked}");
    assert!(matches!(load(&directory.0, text.as_bytes()), Err(StoreToolError::NotEmpty)));
    assert_eq!(dump(&directory.0), again);
}

#[test]
fn a_dump_of_the_first_version_has_the_log_only() {
    let directory = Directory::new("old");
    let text = format!("{{\"ferry_dump\":1}}\n{}\n{{\"kind\":\"end\",\"entries\":1}}\n", LINES[6]);
    assert_eq!(load(&directory.0, text.as_bytes()).expect("loaded"), 1);
    assert_eq!(directory.files(), ["00000000000000000001.log", "FORMAT"]);
    assert!(dump(&directory.0).contains("house/door"));
    let newer = text.replace("\"ferry_dump\":1", "\"ferry_dump\":3");
    let other = Directory::new("newer");
    let words = refused(&other, newer.as_bytes());
    assert!(words.contains("line 1 of the dump: dumps of version 3 are not known, only up to 2"), "{words}");
}

/// A line, what is replaced in it by what, and what the error says.
const WRONG: [(usize, &str, &str, &str); 27] = [
    (1, "c2Vj", "c2V", "secret_base64 is not 32 bytes in base64"),
    (1, "secret_base64", "secret", "\"secret\" is not known; there are secret_base64"),
    (2, "SCRAM-SHA-256$4096", "$5$", "hash of user \"ada\": "),
    (2, "\"name\":\"ada\"", "\"name\":\"a:a\"", "name: a user name in a password file has 1 to 65,535 bytes"),
    (2, "\"name\":\"ada\",", "", "name is missing"),
    (2, "\"name\":\"ada\"", "\"name\":7", "name is not a text"),
    (2, "false", "\"no\"", "is_disabled is not true or false"),
    (2, "\"is_disabled\":false,", "", "is_disabled is missing"),
    (2, "is_disabled", "disabled", "\"disabled\" is not known; there are name, hash, is_disabled"),
    (3, "198.51.100.0/24", "198.51.100.0/33", "address: "),
    (3, "\"198.51.100.0/24\"", "1", "address is no text"),
    (3, "32503680000000", "\"2999\"", "until_milliseconds is no whole number"),
    (3, "\"user\"", "\"users\"", "\"users\" is not known; there are address, user, client_id"),
    (3, ",\"automatic\":true", ",\"kind\":\"role\"", "unknown member"),
    (4, "\"kids\"", "\"the kids\"", "\"the kids\" is no name of a role or group"),
    (4, "\"ben\"", "1", "users is no list of texts"),
    (4, "\"kids\"", "\"others\"", "there is no group \"kids\""),
    (5, "allow", "alow", "rules of role \"guest\", line "),
    (5, "guests/#", "guests/#/x", "rules of role \"guest\", line "),
    (5, "\"groups\"", "\"group\"", "unknown member \"group\""),
    (5, "\"role\"", "\"roll\"", "there is no kind \"roll\""),
    (6, "house/door", "house/#", "topic"),
    (6, "\"qos\":1", "\"qos\":3", "qos is not 0, 1 or 2"),
    (6, "{", "[", "this is not JSON in column "),
    (6, "\"open\"", "\"op\u{0}n\"", "this is not JSON in column "),
    (6, "{\"kind\"", "{\"kind\":\"ban\",\"none\"", "\"none\" is not known"),
    (7, "6", "5", "there should be 5 entries, and there are 6"),
];

#[test]
fn a_wrong_line_is_named_with_its_field_and_nothing_is_loaded() {
    let directory = Directory::new("wrong");
    for (line, from, to, expected) in WRONG {
        let mut lines: Vec<String> = LINES.map(str::to_owned).to_vec();
        assert!(lines[line].contains(from), "{from}");
        lines[line] = lines[line].replacen(from, to, 1);
        let words = refused(&directory, (lines.join("\n") + "\n").as_bytes());
        assert!(words.starts_with("line ") && words.contains(expected), "{to}: {words}");
        // A group that is missing is missed by its role.
        let number = if expected.contains("there is no group") { line + 2 } else { line + 1 };
        assert!(words.starts_with(&format!("line {number} of the dump: ")), "{to}: {words}");
    }
    // Not UTF-8.
    let bytes = LINES.join("\n").replace("open", "\u{80}").into_bytes();
    let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0xC2).collect();
    assert!(refused(&directory, &bytes).contains("line 7 of the dump: this is not JSON"));
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let directory = Directory::new("twice");
    for (line, words) in [
        (2, "the user \"ada\" is there twice"),
        (4, "the group \"kids\" is there twice"),
        (5, "the role \"guest\" is there twice"),
    ] {
        let mut lines = LINES.to_vec();
        lines.insert(line + 1, LINES[line]);
        let error = refused(&directory, lines.join("\n").as_bytes());
        assert!(error.contains(words) && error.starts_with(&format!("line {} ", line + 2)), "{error}");
    }
}

#[test]
fn more_bans_than_a_broker_takes_are_refused() {
    let directory = Directory::new("bans");
    let mut text = LINES[0].to_owned();
    for number in 0..10_001 {
        text.push_str(&format!("\n{{\"kind\":\"ban\",\"client_id\":\"{number}\"}}"));
    }
    let words = refused(&directory, text.as_bytes());
    assert!(words.starts_with("line 10002 of the dump: there are 10000 bans already"), "{words}");
}

#[test]
fn what_is_not_a_whole_dump_is_refused_wherever_it_ends() {
    let directory = Directory::new("cut");
    let text = LINES.join("\n") + "\n";
    // The last line may be without its end.
    let lengths = (0..text.len() - 1).step_by(23).chain(LINES.iter().scan(0, |at, line| {
        *at += line.len() + 1;
        (*at < text.len()).then_some(*at)
    }));
    for length in lengths {
        refused(&directory, &text.as_bytes()[..length]);
    }
    let words = refused(&directory, (text.clone() + &text).as_bytes());
    assert!(words.starts_with("line 8 of the dump: there is more behind the end"), "{words}");
    for other in [b"\x28\xB5\x2F\xFD compressed".as_slice(), b"{}\n", b"[]\n", b"\n", b"7", &[0; 1 << 20]] {
        assert!(refused(&directory, other).starts_with("line 1 of the dump: not a dump of ferry"));
    }
    assert!(load(&directory.0, &text.as_bytes()[..text.len() - 1]).is_ok());
}

#[test]
fn a_load_that_was_stopped_is_known_by_all_who_look() {
    let directory = Directory::new("stopped");
    let disk = FileDisk::open_to_load(&directory.0).expect("opened");
    disk.begin_load().expect("written");
    drop(disk);
    for name in ["users.new", "roles.json", "FORMAT", "log/00000000000000000001.log"] {
        std::fs::write(directory.0.join(name), "half").expect("written");
    }
    assert!(matches!(FileDisk::open(&directory.0), Err(OpenError::HalfLoaded { .. })));
    assert!(matches!(FileDisk::open_read_only(&directory.0), Err(OpenError::HalfLoaded { .. })));
    assert!(store_tools::check(&directory.0, &mut |_, _| ()).is_err());
    // To load again begins anew.
    refused(&directory, LINES[0].as_bytes());
    let disk = FileDisk::open_to_load(&directory.0).expect("opened");
    disk.begin_load().expect("written");
    drop(disk);
    assert_eq!(load(&directory.0, LINES.join("\n").as_bytes()).expect("loaded"), 6);
    assert!(FileDisk::open(&directory.0).is_ok());
}
