//! `cargo xtask bench`, when it is told to end or killed while a broker runs.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Longer than anything here takes.
const FOREVER: Duration = Duration::from_secs(120);

fn directory(test: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

/// A program that starts a broker by a script, which never answers. Both hold a pipe open as long as they live.
fn never_answering_ferry(directory: &Path) -> (PathBuf, PathBuf) {
    let (program, pipe) = (directory.join("ferry"), directory.join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = serve ] || exit 0\nexec 3> '{}'\necho $$ >&3\nsleep 1000 &\nwait\n",
        pipe.display()
    );
    std::fs::write(&program, script).expect("a script");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    (program, pipe)
}

/// Sends a signal to a bench while its broker starts; it and all it has started end.
fn end_by(test: &str, signal: &str, is_for_the_group: bool) {
    let directory = directory(test);
    let (ferry, pipe) = never_answering_ferry(&directory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "--quick", "--only", "p2p-qos0", "--peer", "Ferry", "--ferry"]).arg(&ferry);
    command.env("CARGO_TARGET_DIR", directory.join("target")).process_group(0);
    let mut bench = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (told, heard) = channel();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(std::fs::File::open(pipe).expect("the pipe"));
        let mut line = String::new();
        let _ = pipe.read_line(&mut line);
        let _ = told.send(line.trim().to_owned());
        // Until nobody can write any more.
        let _ = pipe.read_to_string(&mut line);
        let _ = told.send("all have ended".to_owned());
    });
    let broker = heard.recv_timeout(FOREVER).expect("a broker starts");
    assert!(broker.parse::<u32>().is_ok(), "{broker}");

    let whom = format!("{}{}", if is_for_the_group { "-" } else { "" }, bench.id());
    assert!(Command::new("kill").args([signal, "--", &whom]).status().expect("kill").success());
    assert!(!bench.wait().expect("it ends").success());
    let end = heard.recv_timeout(FOREVER);
    if end.is_err() {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{broker}")]).status();
    }
    end.expect("the broker ends with the bench");
    // Whoever guards the bench has it too.
    let mut words = String::new();
    bench.stderr.take().expect("piped").read_to_string(&mut words).expect("an end");
    let left: Vec<_> = std::fs::read_dir(directory.join("target/bench")).expect("results").collect();
    assert!(left.is_empty(), "{left:?} {words}");
}

#[test]
fn a_signal_to_everybody_at_the_terminal_leaves_nothing() {
    end_by("interrupted-all", "-TERM", true);
}

#[test]
fn a_signal_to_the_bench_alone_leaves_nothing() {
    end_by("interrupted-alone", "-TERM", false);
}

#[test]
fn a_bench_that_is_killed_leaves_nothing() {
    end_by("interrupted-killed", "-KILL", false);
}
