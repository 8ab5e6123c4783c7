//! The binary as a person or a script meets it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

fn ferry(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FERRY_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A file in a directory of its own, which goes with the value.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn new(test: &str, contents: &str) -> Self {
        // Two tests may choose one name, and run at the same time.
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("command-line").join(name);
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let path = directory.join("ferry.toml");
        std::fs::write(&path, contents).expect("a file in it");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _removed = self.0.parent().map(std::fs::remove_dir_all);
    }
}

#[test]
fn alone_it_shows_its_help() {
    let output = ferry(&[]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for part in ["serve", "check", "Examples:", "Exit codes:"] {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
}

#[test]
fn the_help_of_serve_needs_no_manual() {
    let output = ferry(&["serve", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for part in ["--listen", "unix:///PATH", "--memory", "--tls-client-ca", "SIGHUP", "Exit codes:", "FERRY_"]
    {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    assert_eq!(ferry(&["sevre"]).status.code(), Some(2));
    assert_eq!(ferry(&["serve", "--listn", "x"]).status.code(), Some(2));
}

#[test]
fn a_right_file_is_summed_up() {
    let file = ConfigFile::new("right", "[[listener]]\naddress = \"tcp://127.0.0.1:1884\"\n");
    let output = ferry(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = text(&output.stdout);
    assert!(summary.starts_with(&format!("{}: OK\n", file.path())), "{summary}");
    assert!(summary.contains("tcp://127.0.0.1:1884"), "{summary}");
    assert!(summary.contains("\nstorage "), "{summary}");
}

#[test]
fn a_wrong_file_is_exit_code_1_with_every_problem() {
    let file = ConfigFile::new("wrong", "[limits]\nconections_max = 1\nreceive_maximum = 0\n");
    let output = ferry(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("ferry.toml:2:1: limits.conections_max: unknown key"), "{error}");
    assert!(error.contains("did you mean \"connections_max\"?"), "{error}");
    assert!(error.contains("ferry.toml:3:1: limits.receive_maximum: 0 is out of range"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let output = ferry(&["check", "/nowhere/ferry.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere/ferry.toml: the file cannot be read"), "{output:?}");
}

#[test]
fn serve_refuses_what_it_cannot_do_and_says_how_to_go_on() {
    let cases: [(&[&str], &str); 4] = [
        (&["--listen", "tcp://0.0.0.0:0"], "or start with --allow-anonymous"),
        (&["--data", "/dev/null/ferry"], "or name another directory with --data DIR"),
        (&["--listen", "mqtt://localhost"], "write tcp://"),
        (&["--shards", "many"], "allowed: 1 to 1024, or \"auto\""),
    ];
    for (flags, expected) in cases {
        let output = ferry(&[&["serve"], flags].concat());
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(text(&output.stderr).contains(expected), "{flags:?}: {}", text(&output.stderr));
    }
}

#[test]
fn why_names_the_line_that_decides() {
    let acl =
        ConfigFile::new("why-acl", "topic read open/#\nuser ada\ntopic house/#\ntopic deny house/safe\n");
    let config = ConfigFile::new("why", &format!("[authorization]\nacl_file = \"{}\"\n", acl.path()));
    let why = |arguments: &[&str]| {
        let output = ferry(&[&["why", "--config", config.path()], arguments].concat());
        (output.status.code(), text(&output.stdout).replace(acl.path(), "acl"))
    };
    let ada = |action, topic| why(&["--user", "ada", action, topic]);
    assert_eq!(ada("publish", "house/door"), (Some(0), "allowed: acl:3: topic house/#\n".into()));
    assert_eq!(ada("publish", "house/safe"), (Some(1), "denied: acl:4: topic deny house/safe\n".into()));
    assert_eq!(ada("receive", "open/x"), (Some(1), "denied: acl: no rule allows it\n".into()));
    assert_eq!(why(&["receive", "open/x"]), (Some(0), "allowed: acl:1: topic read open/#\n".into()));
    assert_eq!(ada("publish", "$SYS/x"), (Some(1), "denied: only the broker publishes below $SYS\n".into()));
    assert_eq!(ada("subscribe", "#").0, Some(0));
}

#[test]
fn mistakes_in_an_acl_file_have_their_line() {
    let acl = ConfigFile::new("wrong-acl", "user ada\ntopic raed house/#\n");
    let config = ConfigFile::new("wrong", &format!("[authorization]\nacl_file = \"{}\"\n", acl.path()));
    // 1 would say that it is denied.
    for (arguments, code) in
        [(["check", config.path()].as_slice(), 1), (&["why", "--config", config.path(), "publish", "x"], 2)]
    {
        let output = ferry(arguments);
        assert_eq!(output.status.code(), Some(code));
        let expected = format!("{}:2:1: authorization.acl_file: \"raed\" is not read", acl.path());
        assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    }
}

#[test]
fn why_names_the_rule_that_decides() {
    let rules = ConfigFile::new(
        "why-rules",
        r##"[roles]
operator = ["ada"]

[[rule]]
deny = "subscribe"
topic = "house/safe"

[[rule]]
allow = "all"
topic = "house/#"
role = "operator"
maximum_qos = 1
retain = false

[[rule]]
allow = "publish"
topic = "devices/${client_id}"
address = "10.0.0.0/8"
"##,
    );
    let config = ConfigFile::new("why-own", &format!("[authorization]\nrules_file = \"{}\"\n", rules.path()));
    let why = |arguments: &[&str]| {
        let output = ferry(&[&["why", "--config", config.path()], arguments].concat());
        (output.status.code(), text(&output.stdout).replace(rules.path(), "rules").replace('\n', ""))
    };
    let house = "rules:8: allow all, topic house/#, role operator, maximum QoS 1, not retained";
    let safe = "rules:4: deny subscribe, topic house/safe";
    let ada = |arguments: &[&str]| why(&[&["--user", "ada"], arguments].concat());
    assert_eq!(ada(&["publish", "house/door"]), (Some(0), format!("allowed: {house}")));
    assert_eq!(
        ada(&["--qos", "2", "publish", "house/door"]),
        (Some(1), format!("denied: {house} (the QoS is above that)"))
    );
    assert_eq!(
        ada(&["--retain", "publish", "house/door"]),
        (Some(1), format!("denied: {house} (and this would be retained)"))
    );
    assert_eq!(
        ada(&["subscribe", "house/+"]),
        (Some(1), format!("denied: {safe} (the filter reaches house/safe)"))
    );
    assert_eq!(
        ada(&["subscribe", "$share/g/house/door"]),
        (Some(0), format!("allowed: {house} (QoS 1 is granted at most)"))
    );
    assert_eq!(
        ada(&["subscribe", "garden/+"]),
        (Some(1), "denied: rules: no rule matches garden/x, which the filter reaches".into())
    );
    assert_eq!(why(&["receive", "house/door"]), (Some(1), "denied: rules: no rule matches".into()));
    let device = |address| why(&["--client-id", "d7", "--address", address, "publish", "devices/d7"]);
    let own = "allowed: rules:15: allow publish, topic devices/${client_id}, address 10.0.0.0/8";
    assert_eq!(device("10.1.2.3"), (Some(0), own.into()));
    assert_eq!(device("192.0.2.1:5000").0, Some(1));
}

#[test]
fn check_finds_mistakes_in_rules() {
    let rules = ConfigFile::new("wrong-rules", "[[rule]]\nallow = \"all\"\ntopc = \"a\"\n");
    let config =
        ConfigFile::new("wrong-own", &format!("[authorization]\nrules_file = \"{}\"\n", rules.path()));
    let output = ferry(&["check", config.path()]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    let expected = format!("{}:3:1: authorization.rules_file: unknown key \"topc\"", rules.path());
    assert!(errors.contains(&expected) && errors.contains("help: did you mean \"topic\"?"), "{errors}");
    let block = "[[rule]]\nallow = \"all\"\ntopic = \"a/#\"\n";
    let rules = ConfigFile::new("hidden-rules", &format!("{block}{block}"));
    let config =
        ConfigFile::new("hidden-own", &format!("[authorization]\nrules_file = \"{}\"\n", rules.path()));
    let output = ferry(&["check", config.path()]);
    assert_eq!(output.status.code(), Some(0));
    let expected = format!("{}:4:1: authorization.rules_file: this rule never decides", rules.path());
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
}
