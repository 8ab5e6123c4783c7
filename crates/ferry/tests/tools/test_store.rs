//! `ferry store` with what operators manage at run time.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::program::{Outcome, Process, Scratch, ferry, run};
use crate::served::Served;

const CONFIG: &str = "[authentication]\nusers = true\n[authorization]\nroles = true\n";

/// Of `mosquitto_pub`, for return code 4 and 5: bad user name or password, not authorized.
const WRONG_PASSWORD: Option<i32> = Some(4);
const BANNED: Option<i32> = Some(5);

fn store(arguments: &[&str], input: &[u8]) -> Outcome {
    run(ferry().arg("store").args(arguments), input)
}

/// A broker with users, bans, roles and groups.
fn managed_broker() -> Served {
    let served = Served::start(CONFIG);
    let users = [("ada", "argon2id"), ("ben", "scram-sha-256"), ("cid", "argon2id")];
    for (user, hash) in users {
        let added = served.ctl_with_input(&["users", "add", "-H", hash, user], b"secret\n");
        assert_eq!(added.code, Some(0), "{added:?}");
    }
    let rules = b"# At home\n[[rule]]\nallow = \"publish\"\ntopic = \"house/#\"\n";
    let set = ["roles", "set", "family", "--rules", "-", "--description", "at \"home\""];
    assert_eq!(served.ctl_with_input(&set, rules).code, Some(0));
    for arguments in [
        ["users", "disable", "cid"].as_slice(),
        &["groups", "set", "kids", "--description", "small"],
        &["groups", "add", "kids", "ben"],
        &["roles", "grant", "family", "ada", "--group", "kids"],
        &["bans", "add", "--client-id", "pump", "--for", "2h", "--reason", "it floods"],
        &["bans", "add", "--address", "198.51.100.0/24", "--user", "ada"],
        &["publish", "-t", "house/door", "-m", "open", "-r"],
    ] {
        served.done(arguments);
    }
    served
}

/// All that an operator sees of it.
fn seen(served: &Served) -> Vec<String> {
    let lists = [
        ["users", "list"].as_slice(),
        &["bans", "list"],
        &["groups", "list"],
        &["roles", "list"],
        &["roles", "show", "family"],
        &["retained", "get", "house/door"],
    ];
    let sorted = |text: String| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    lists.iter().map(|list| sorted(served.done(list))).collect()
}

/// What `mosquitto_pub` ends with, and whether it was told that it may not.
fn publishes(served: &Served, options: &[&str]) -> (Option<i32>, bool) {
    let outcome = served.mosquitto_pub(&[&["-V", "mqttv5", "-q", "1"], options].concat());
    (outcome.code, outcome.error.contains("Not authorized"))
}

#[test]
fn a_dump_is_the_whole_broker() {
    let served = managed_broker();
    let before = seen(&served);
    let original = served.stop();
    let (data, backup) = (original.path("data"), original.path("backup.jsonl"));
    let checked = store(&["check", &data], b"");
    assert!(checked.output.contains("\nmanaged    3 users, 2 bans, 1 roles, 1 groups"), "{checked:?}");
    let dumped = store(&["dump", &data, "--output", &backup], b"");
    assert_eq!(dumped.code, Some(0), "{dumped:?}");
    assert!(dumped.error.contains("with the hashes of the passwords of 3 users: keep them secret"));
    let mode = std::fs::metadata(&backup).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let copy = Scratch::new();
    copy.write("ferry.toml", CONFIG.as_bytes());
    let loaded = store(&["load", &copy.path("data"), "--input", &backup], b"");
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    for name in ["users", "bans.jsonl", "roles.json"] {
        let mode =
            std::fs::metadata(copy.path(&format!("data/{name}"))).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(store(&["dump", &copy.path("data")], b"").output, original.read("backup.jsonl"));

    let served = Served::start_in(copy);
    assert_eq!(seen(&served), before);
    let as_ada = ["-u", "ada", "-P", "secret", "-t", "house/door"];
    assert_eq!(publishes(&served, &as_ada), (Some(0), false));
    assert_eq!(publishes(&served, &["-u", "ada", "-P", "secret", "-t", "garden"]), (Some(0), true));
    assert_eq!(publishes(&served, &["-u", "ben", "-P", "secret", "-t", "house/door"]), (Some(0), false));
    let code = |options: &[&str]| served.mosquitto_pub(options).code;
    assert_eq!(code(&["-u", "ada", "-P", "other", "-t", "house/door"]), WRONG_PASSWORD);
    assert_eq!(code(&["-u", "cid", "-P", "secret", "-t", "house/door"]), WRONG_PASSWORD, "disabled");
    assert_eq!(code(&[as_ada.as_slice(), &["-i", "pump"]].concat()), BANNED);
    let mut scram = ferry();
    scram.args(["pub", "-p", &served.port, "--auth-method", "SCRAM-SHA-256", "-u", "ben", "-P", "secret"]);
    assert!(scram.args(["-t", "house/x", "-m", "x"]).status().expect("it runs").success());
    served.stop();
}

#[test]
fn users_can_be_left_out_and_nothing_is_overwritten() {
    let original = managed_broker().stop();
    let data = original.path("data");
    let dumped = store(&["dump", &data, "--without-users"], b"");
    assert!(dumped.code == Some(0) && !dumped.error.contains("secret"), "{dumped:?}");
    for secret in ["argon2", "SCRAM", "decoy_secret", "secret_base64"] {
        assert!(!dumped.output.contains(secret), "{secret}");
    }
    let copy = Scratch::new();
    copy.write("ferry.toml", CONFIG.as_bytes());
    let loaded = store(&["load", &copy.path("data")], dumped.output.as_bytes());
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    assert!(!std::fs::exists(copy.path("data/users")).expect("known"));
    let served = Served::start_in(copy);
    assert_eq!(served.done(&["users", "list"]), "USER  PASSWORD  STATE  ROLES\n");
    assert!(served.done(&["roles", "list"]).contains("\nfamily  1      ada    kids"));
    let copy = served.stop();
    // A directory that is used already, be it by a single file.
    for name in ["data", "other"] {
        std::fs::create_dir_all(copy.path("other")).expect("made");
        copy.write("other/roles.json", b"{}");
        let refused = store(&["load", &copy.path(name)], dumped.output.as_bytes());
        assert_eq!(refused.code, Some(1));
        assert!(refused.error.contains("the directory has data of a broker in it\n  help: "), "{refused:?}");
    }
    assert_eq!(copy.read("other/roles.json"), "{}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_dumped() {
    let original = managed_broker().stop();
    let data = original.path("data");
    let users = original.read("data/users");
    original.write("data/users", b"ada:secret\n");
    for arguments in [["check", &data], ["dump", &data]] {
        let outcome = store(&arguments, b"");
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let said = format!("{}{}", outcome.error, outcome.output);
        assert!(said.contains("/users: line 1: user \"ada\": ") && !said.contains("secret"), "{said}");
        assert!(arguments[0] == "check" || outcome.output.contains("\"kind\":\"role\""), "{said}");
    }
    // Without the users their file is not read.
    assert_eq!(store(&["dump", &data, "--without-users"], b"").code, Some(0));
    original.write("data/users", users.as_bytes());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let dumped = ferry().args(["store", "dump", &data]).stdout(full).output().expect("it runs");
    assert_eq!(dumped.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&dumped.stderr).contains("the dump: No space left on device"));
}

/// Lines of a dump with messages of so many bytes in all.
fn large_dump(bytes: usize) -> String {
    let mut dump = String::from("{\"ferry_dump\":2}\n{\"kind\":\"ban\",\"client_id\":\"pump\"}\n");
    let payload = "x".repeat(1 << 16);
    let messages = bytes >> 16;
    for number in 0..messages {
        dump.push_str(&format!(
            "{{\"kind\":\"retained\",\"number\":{number},\"topic\":\"t/{number}\",\"payload\":\"{payload}\",\"qos\":1,\
             \"retain\":true,\"received_at\":1}}\n"
        ));
    }
    dump.push_str(&format!("{{\"kind\":\"end\",\"entries\":{}}}\n", messages + 1));
    dump
}

#[test]
fn a_load_that_is_killed_is_not_served() {
    let scratch = Scratch::new();
    scratch.write("ferry.toml", b"");
    let data = scratch.path("data");
    let dump = large_dump(8 << 20);
    let mut command = ferry();
    command.args(["store", "load", &data]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut load = Process(command.spawn().expect("it runs"));
    // The pipe takes less than that: the most of it has been read.
    let mut input = load.0.stdin.take().expect("piped");
    input.write_all(&dump.as_bytes()[..4 << 20]).expect("taken");
    load.0.kill().expect("killed");
    load.0.wait().expect("it ends");
    let help = "load the dump again with `ferry store load`";
    let serve = ["serve", "--listen", "tcp://127.0.0.1:0", "--data", &data];
    for arguments in [serve.as_slice(), &["store", "check", &data], &["store", "dump", &data]] {
        let outcome = run(ferry().args(arguments), b"");
        assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
        let words = "has a dump that was not loaded to its end";
        assert!(outcome.error.contains(words) && outcome.error.contains(help), "{outcome:?}");
    }
    // Another attempt begins anew, whether it succeeds or not.
    let cut = store(&["load", &data], &dump.as_bytes()[..6 << 20]);
    assert!(cut.code == Some(1) && cut.error.contains("it ends in the middle"), "{cut:?}");
    assert_eq!(left(&data), ["LOCK", "log"]);
    let loaded = store(&["load", &data], dump.as_bytes());
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    let served = Served::start_in(scratch);
    assert_eq!(served.mosquitto_pub(&["-i", "pump", "-t", "t"]).code, BANNED);
    assert_eq!(served.done(&["--json", "retained", "list"]).lines().count(), 128);
    served.stop();
}

/// The names in a directory, and in its log, in order.
fn left(directory: &str) -> Vec<String> {
    let mut names = Vec::new();
    for path in [directory.to_owned(), format!("{directory}/log")] {
        let entries = std::fs::read_dir(path).expect("a directory");
        names
            .extend(entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    names
}
