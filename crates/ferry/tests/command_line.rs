//! The binary as a person or a script meets it.

use std::path::PathBuf;
use std::process::{Command, Output};

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
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let path = directory.join("ferry.toml");
        std::fs::write(&path, contents).expect("a file in it");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
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
