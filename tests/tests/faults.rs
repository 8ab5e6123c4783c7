//! Faults planted in a data directory: each is named, with what to do where something can be done, and everything that is
//! not damaged is served to clients that others wrote.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ferry_tests::broker::ferry_binary;
use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};

/// Topics with a retained message of 60 KiB each: with these segments, they are in several.
const RETAINED: usize = 40;

/// Messages that wait for a session.
const QUEUED: usize = 5;

const CONFIGURATION: &str = "[storage]\nfree_bytes_min = 0\nsegment_bytes = \"1 MiB\"\n";

/// A data directory as `kill -9` leaves it.
struct Original {
    scratch: ScratchDirectory,
}

/// What a broker serves, and what it says.
struct Served {
    retained: BTreeSet<String>,
    log: String,
}

impl Original {
    fn new() -> Self {
        let scratch = ScratchDirectory::new();
        let payload = scratch.write("payload", &"x".repeat(60 * 1024));
        let payload = payload.to_str().expect("UTF-8");
        let ferry = Ferry::start_on(&scratch.path("data"), CONFIGURATION);
        for number in 0..RETAINED {
            let topic = format!("kept/{number}");
            mosquitto(&ferry, "mosquitto_pub", &["-q", "1", "-r", "-t", &topic, "-f", payload]);
        }
        mosquitto(&ferry, "mosquitto_sub", &["-i", "away", "-c", "-q", "2", "-t", "queued", "-E"]);
        for number in 0..QUEUED {
            mosquitto(&ferry, "mosquitto_pub", &["-q", "2", "-t", "queued", "-m", &number.to_string()]);
        }
        ferry.kill();
        let original = Self { scratch };
        assert!(segments(&original.scratch.path("data")).len() > 2);
        original
    }

    /// A copy with a fault in it.
    fn with(&self, fault: impl FnOnce(&Path)) -> PathBuf {
        let copy = self.scratch.path("copy");
        let _none_before = fs::remove_dir_all(&copy);
        fs::create_dir_all(copy.join("log")).expect("made");
        for file in files(&self.scratch.path("data")) {
            fs::copy(self.scratch.path("data").join(&file), copy.join(&file)).expect("copied");
        }
        fault(&copy);
        copy
    }

    /// What a broker makes of a fault. The session is never damaged.
    fn served_with(&self, fault: impl FnOnce(&Path)) -> Served {
        let ferry = Ferry::start_on(&self.with(fault), CONFIGURATION);
        let log = ferry.log();
        let restored = log.lines().find(|line| line.contains("restored 1 sessions")).expect("it says so");
        let before = restored.split(" retained messages").next().expect("it says so");
        let count = before.rsplit(' ').next().expect("a number");
        let arguments = ["-t", "kept/#", "-q", "1", "-F", "%t", "-W", "60", "-C", count];
        let retained = mosquitto(&ferry, "mosquitto_sub", &arguments).lines().map(str::to_owned).collect();
        let queued = ["-i", "away", "-c", "-q", "2", "-t", "queued", "-W", "60", "-C", &QUEUED.to_string()];
        let queued = mosquitto(&ferry, "mosquitto_sub", &queued);
        assert_eq!(queued.lines().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
        mosquitto(&ferry, "mosquitto_pub", &["-q", "1", "-r", "-t", "kept/new", "-m", "x"]);
        ferry.stop();
        Served { retained, log }
    }

    /// What `ferry serve` says when it does not start. It has changed nothing.
    fn refused_with(&self, command: &mut Command, fault: impl FnOnce(&Path)) -> String {
        let copy = self.with(fault);
        let content = |copy: &Path| -> Vec<_> {
            files(copy).into_iter().map(|file| fs::read(copy.join(file)).expect("readable")).collect()
        };
        let before = content(&copy);
        command.args(["serve", "--listen", "tcp://127.0.0.1:0", "--data"]).arg(&copy);
        let Output { status, stderr, .. } = command.output().expect("it runs");
        let told = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(1), "{told}");
        assert_eq!(content(&copy), before);
        told
    }
}

impl Served {
    fn says(&self, text: &str) {
        assert!(self.log.contains(text), "\"{text}\" is missing:\n{}", self.log);
    }

    fn lost(&self) -> usize {
        RETAINED - self.retained.len()
    }
}

/// Runs a program of Mosquitto to its end, and returns what it printed.
fn mosquitto(ferry: &Ferry, program: &str, arguments: &[&str]) -> String {
    let port = ferry.port(Transport::Tcp).to_string();
    let output = Command::new(program).args(["-h", "127.0.0.1", "-p", &port]).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}\n{}", ferry.log());
    String::from_utf8(output.stdout).expect("text")
}

fn files(data: &Path) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("FORMAT")];
    let names = fs::read_dir(data.join("log")).expect("readable");
    files.extend(names.map(|name| Path::new("log").join(name.expect("readable").file_name())));
    files.sort();
    files
}

/// The files of the log, the oldest first.
fn segments(data: &Path) -> Vec<PathBuf> {
    files(data).into_iter().filter(|file| file.starts_with("log")).map(|file| data.join(file)).collect()
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("readable");
    change(&mut bytes);
    fs::write(file, bytes).expect("written");
}

/// Where what was written ends.
fn end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).expect("something") + 1
}

#[test]
fn every_fault_is_named_and_the_rest_is_served() {
    let original = Original::new();
    let intact = original.served_with(|_| ());
    assert_eq!(intact.lost(), 0);
    assert!(!intact.log.contains("WARN") && !intact.log.contains("ERROR"), "{}", intact.log);

    let torn = original.served_with(|data| {
        change(segments(data).last().expect("one"), |bytes| {
            let end = end(bytes);
            bytes.truncate(end);
            bytes.extend(b"torn".repeat(100));
        });
    });
    torn.says("from group ");
    torn.says(" were never made durable: cut off");
    assert_eq!((torn.lost(), torn.log.contains("ERROR")), (0, false));

    let flipped = original.served_with(|data| {
        change(&segments(data)[0], |bytes| bytes[200 * 1024] ^= 0x10);
    });
    flipped.says("log/00000000000000000001.log: ");
    flipped.says(" are damaged and lost");
    flipped.says(" was damaged: what was in the places above is lost, everything else is served");
    assert_eq!(flipped.lost(), 1);

    let truncated = original.served_with(|data| {
        change(&segments(data)[0], |bytes| bytes.truncate(500 * 1024));
    });
    truncated.says("log/00000000000000000001.log: ");
    truncated.says(" groups from ");
    assert!((1..=10).contains(&truncated.lost()), "{}", truncated.lost());

    let missing = original.served_with(|data| fs::remove_file(&segments(data)[1]).expect("removed"));
    missing.says("log/00000000000000000002.log: the file is missing, and what was in it is lost");
    assert!((10..=17).contains(&missing.lost()), "{}", missing.lost());

    let format = original.served_with(|data| change(&data.join("FORMAT"), |bytes| bytes[3] ^= 1));
    format.says("FORMAT: damaged or missing; restored from the log");
    assert_eq!(format.lost(), 0);
}

#[test]
fn what_cannot_be_used_is_left_alone_and_the_remedy_is_told() {
    let original = Original::new();
    let told = original.refused_with(&mut Command::new(ferry_binary()), |data| {
        let text = "ferry-store 7 0000000000000000 aa140d35\n";
        fs::write(data.join("FORMAT"), text).expect("written");
    });
    assert!(told.contains("the data has format 7, and this program knows only format 1"), "{told}");
    assert!(told.contains("help: nothing was changed; use the version of ferry that wrote it"), "{told}");

    let mut command = Command::new(ferry_binary());
    if rustix::process::geteuid().is_root() {
        // Else it may write everywhere.
        command = Command::new("setpriv");
        command.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(ferry_binary());
    }
    let told = original.refused_with(&mut command, |data| {
        for file in files(data) {
            fs::set_permissions(data.join(file), fs::Permissions::from_mode(0o444)).expect("set");
        }
        for directory in [data.join("log"), data.to_owned()] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o555)).expect("set");
        }
    });
    let copy = original.scratch.path("copy");
    assert!(told.contains(&format!("{} cannot be written to", copy.display())), "{told}");
    assert!(told.contains("help: let the user that runs the broker write there"), "{told}");
    // So that it can be removed.
    for directory in [copy.clone(), copy.join("log")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("set");
    }
}
