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

/// The bench and those of its children that have its name.
fn by_name(bench: u32) -> Vec<String> {
    let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("it runs");
    let children = std::fs::read_to_string(format!("/proc/{bench}/task/{bench}/children")).expect("it runs");
    let bench = bench.to_string();
    let namesakes = children.split_whitespace().filter(|child| name(child) == name(&bench));
    namesakes.map(str::to_owned).chain([bench.clone()]).collect()
}

/// Sends a signal to a bench, or to whoever is named besides, while its broker starts; it and all it has started end.
fn end_by(test: &str, signal: &str, whom: impl Fn(u32) -> Vec<String>) {
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

    assert!(
        Command::new("kill").args([signal, "--"]).args(whom(bench.id())).status().expect("kill").success()
    );
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
    end_by("interrupted-all", "-TERM", |bench| vec![format!("-{bench}")]);
}

#[test]
fn a_signal_to_the_bench_alone_leaves_nothing() {
    end_by("interrupted-alone", "-TERM", |bench| vec![bench.to_string()]);
}

#[test]
fn a_bench_that_is_killed_leaves_nothing() {
    end_by("interrupted-killed", "-KILL", |bench| vec![bench.to_string()]);
}

/// As `pkill -KILL xtask` does, but to this bench only.
#[test]
fn a_bench_that_is_killed_by_its_name_leaves_nothing() {
    end_by("interrupted-name", "-KILL", by_name);
}
