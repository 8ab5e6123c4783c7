use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::authority::Authority;
use crate::serving::{Scratch, Serving, clean, error, ferry, run, set_mode};

/// A port below 1024, where only root may listen.
const PORT: &str = "883";

/// The user that every system has.
const USER: &str = "nobody";

/// Whether these tests can be run: root alone has something to give up.
fn is_root() -> bool {
    let found = rustix::process::geteuid().is_root() && id(&["-u"]).is_some();
    if !found {
        eprintln!("SKIPPED: only root can become another user, and {USER} must be one");
    }
    found
}

/// What `id` says of the user.
fn id(options: &[&str]) -> Option<String> {
    let output = Command::new("id").args(options).arg(USER).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// An address of the loopback network that no other test has.
fn host() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", 64 + LAST.fetch_add(1, Ordering::Relaxed))
}

/// Who a process of this configuration becomes, where its data are, and a listener that needs root.
fn configuration(scratch: &Scratch, host: &str, user: &str, data: &str) -> String {
    let text = format!(
        "[server]\nuser = \"{user}\"\n[storage]\ndata_directory = \"{data}\"\n[[listener]]\naddress = \
         \"tcp://{host}:{PORT}\"\n[[listener]]\naddress = \"unix://{}\"\n",
        scratch.path("mqtt.sock")
    );
    let file = scratch.write(&format!("{user}.toml"), &text);
    // The user reads it again on reload.
    set_mode(&file, 0o644);
    file
}

fn publish(host: &str, payload: &str) {
    let words = ["pub", "-h", host, "-p", PORT, "-t", "a", "-r", "-q", "1", "-m", payload];
    let output = run(ferry().args(words));
    assert!(output.status.success(), "{}", error(&output));
}

fn retained(host: &str) -> String {
    let output = run(ferry().args(["sub", "-h", host, "-p", PORT, "-t", "a", "-C", "1"]));
    assert!(output.status.success(), "{}", error(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The value of one line of the status of a thread, its numbers separated by one space.
fn status(path: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(path).expect("the thread lives");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("Linux tells it").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every thread is that user, in its groups and no other, and without any capability.
#[cfg(target_os = "linux")]
fn assert_has_given_up_everything(process: u32) {
    let (user, group) = (id(&["-u"]).expect("a user"), id(&["-g"]).expect("a group"));
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it lives");
    let paths: Vec<_> = tasks.map(|task| task.expect("a thread").path().join("status")).collect();
    assert!(paths.len() > 1, "only one thread");
    for path in paths {
        assert_eq!(status(&path, "Uid"), [&*user; 4].join(" "));
        assert_eq!(status(&path, "Gid"), [&*group; 4].join(" "));
        assert_eq!(status(&path, "Groups"), id(&["-G"]).expect("groups"));
        for capabilities in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(&path, capabilities), "0".repeat(16), "{capabilities}");
        }
        assert_eq!(status(&path, "NoNewPrivs"), "1");
    }
}

fn assert_is_the_users(path: &str, mode: u32) {
    let metadata = std::fs::symlink_metadata(path).expect(path);
    assert_eq!(metadata.uid().to_string(), id(&["-u"]).expect("a user"), "{path}");
    assert_eq!(metadata.gid().to_string(), id(&["-g"]).expect("a group"), "{path}");
    assert_eq!(metadata.mode() & 0o777, mode, "{path}");
}

#[test]
#[cfg(target_os = "linux")]
fn root_becomes_a_user_once_its_ports_are_bound() {
    if !is_root() {
        return;
    }
    let (scratch, host) = (Scratch::new(), host());
    let data = scratch.path("data");
    let file = configuration(&scratch, &host, USER, &data);
    for round in 0..3 {
        // With groups of root's that must not stay.
        let mut command = clean(Command::new("setpriv"));
        command.args(["--groups", "4,24", env!("CARGO_BIN_EXE_ferry"), "serve", "--config", &file]);
        let serving = Serving::start(command);
        assert!(serving.said().contains("user       nobody (root until the ports were bound)"));
        assert_has_given_up_everything(serving.id());
        if round > 0 {
            assert_eq!(retained(&host), (round - 1).to_string());
        }
        publish(&host, &round.to_string());
        assert_is_the_users(&data, 0o700);
        assert_is_the_users(&format!("{data}/log"), 0o700);
        assert_is_the_users(&format!("{data}/admin.sock"), 0o600);
        assert_is_the_users(&scratch.path("mqtt.sock"), 0o660);
        let said = serving.end(if round == 0 { "KILL" } else { "TERM" });
        assert!(!said.contains("ERROR") && !said.contains("WARN"), "{said}");
    }
}

#[test]
fn a_data_directory_of_roots_becomes_the_users() {
    if !is_root() {
        return;
    }
    let (scratch, host) = (Scratch::new(), host());
    let data = scratch.path("data");
    let serving = Serving::with_file(&configuration(&scratch, &host, "root", &data));
    assert!(serving.said().contains("user       root, as server.user says"), "{}", serving.said());
    publish(&host, "of root");
    serving.end("KILL");
    assert_eq!(std::fs::metadata(&data).expect("made").uid(), 0);
    for managed in ["users", "bans.jsonl"] {
        std::fs::write(format!("{data}/{managed}"), "").expect("root may");
        set_mode(format!("{data}/{managed}"), 0o600);
    }
    let serving = Serving::with_file(&configuration(&scratch, &host, USER, &data));
    assert!(serving.said().contains("belonged to root and is nobody's now"), "{}", serving.said());
    assert_eq!(retained(&host), "of root");
    publish(&host, "of nobody");
    assert_is_the_users(&format!("{data}/LOCK"), 0o600);
    assert_is_the_users(&format!("{data}/users"), 0o600);
    assert_is_the_users(&format!("{data}/bans.jsonl"), 0o600);
    assert_is_the_users(&format!("{data}/log/00000000000000000001.log"), 0o600);
    serving.end("TERM");
}

/// What else is there may be somebody's, and must not be given away.
#[test]
fn a_directory_that_may_not_be_used_is_named_with_a_remedy() {
    if !is_root() {
        return;
    }
    let (scratch, host) = (Scratch::new(), host());
    let data = scratch.path("data");
    std::fs::create_dir(&data).expect("made");
    let other = scratch.write("data/accounts.db", "");
    let file = configuration(&scratch, &host, USER, &data);
    for mode in [0o755, 0o700] {
        set_mode(&data, mode);
        let output = run(ferry().args(["serve", "--config", &file]));
        let said = error(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let named =
            format!("nobody, who root has become, may not read and write in {data} (it belongs to root");
        assert!(said.contains(&named), "{said}");
        assert!(said.contains(&format!("`chown -R nobody: {data}`")), "{said}");
        assert_eq!(std::fs::metadata(&other).expect("there").uid(), 0);
    }
}

#[test]
fn a_user_that_is_not_there_is_named_with_a_remedy() {
    if !is_root() {
        return;
    }
    let (scratch, host) = (Scratch::new(), host());
    let file = configuration(&scratch, &host, "nobody-of-this-name", &scratch.path("data"));
    let output = run(ferry().args(["serve", "--config", &file]));
    let said = error(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot become nobody-of-this-name: there is no such user"), "{said}");
    assert!(said.contains("help: make it with `useradd --system"), "{said}");
    assert!(!Path::new(&scratch.path("data")).exists(), "it was made for nobody");
    let output = run(ferry().args(["check", &file]));
    assert_eq!(output.status.code(), Some(0));
    assert!(error(&output).contains("there is no user nobody-of-this-name on this machine"), "{said}");
}

/// In a container there is nobody else, mostly.
#[test]
fn root_stays_root_where_nobody_is_named_and_says_so() {
    let is_there = Command::new("id").arg("ferry").stderr(Stdio::null()).stdout(Stdio::null()).status();
    if !is_root() || is_there.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is a user ferry");
        return;
    }
    let mut command = ferry();
    command.args(["serve", "--memory", "--listen", "tcp://127.0.0.1:0"]);
    let serving = Serving::start(command);
    assert!(serving.said().contains("runs as root, because there is no user ferry: make it with `useradd"));
    assert!(serving.said().contains("user       root (there is no user ferry)"), "{}", serving.said());
    serving.end("TERM");
}

#[test]
fn who_is_not_root_stays_who_it_is() {
    let as_user = || {
        let mut command = clean(Command::new("setpriv"));
        command.args(["--reuid", USER, "--clear-groups", env!("CARGO_BIN_EXE_ferry")]);
        command
    };
    if !is_root() || !run(as_user().arg("--version")).status.success() {
        eprintln!("SKIPPED: {USER} cannot reach the binary");
        return;
    }
    let mut command = as_user();
    command.args(["serve", "--memory", "--listen", "tcp://127.0.0.1:0"]).env("FERRY_SERVER_USER", "root");
    let serving = Serving::start(command);
    assert!(serving.said().contains("stays nobody: only root can become root"), "{}", serving.said());
    assert!(!serving.said().contains("user       "), "{}", serving.said());
    serving.end("TERM");
}

/// What root could read at the start may be unreadable when it is changed, months later.
#[test]
fn a_key_that_the_user_cannot_read_again_is_named() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    Authority::new(&scratch).sign(&scratch, "server", 2, |_| {});
    let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|name| scratch.path(name));
    set_mode(&certificate, 0o644);
    let text = format!(
        "[server]\nuser = \"{USER}\"\n[storage]\ndurability = \"memory\"\n[[listener]]\naddress = \"tls://127.0.0.1:0\"\n\
         tls_certificate_file = \"{certificate}\"\ntls_key_file = \"{key}\"\n"
    );
    let file = scratch.write("ferry.toml", &text);
    set_mode(&file, 0o644);
    let mut serving = Serving::with_file(&file);
    let warned = format!("{key} was read as root, and nobody may not read it: a reload will fail");
    assert!(serving.said().contains(&warned), "{}", serving.said());
    assert!(!serving.said().contains(&format!("{certificate} was read as root")), "{}", serving.said());
    let port = serving.port("listeners", "tls");
    let publish = || {
        let words = ["pub", "-h", "127.0.0.1", "-p", &port, "--cafile", &ca, "-t", "a", "-q", "1", "-m", "x"];
        let output = run(ferry().args(words));
        assert!(output.status.success(), "{}", error(&output));
    };
    publish();
    serving.signal("HUP");
    serving.wait_for("the configuration stays as it was");
    serving.wait_for(&format!("{key} cannot be read: Permission denied"));
    publish();
    let group = id(&["-g"]).expect("a group");
    assert!(Command::new("chgrp").args([&group, &key]).status().expect("chgrp runs").success());
    set_mode(&key, 0o640);
    serving.signal("HUP");
    serving.wait_for("no option is different; certificates, users and rights are loaded again");
    publish();
    serving.end("TERM");
}
