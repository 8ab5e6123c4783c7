//! `ferry bench` against `ferry serve`, and what can be done with its results.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A broker on a port of its own; dropped, it is killed.
struct Broker {
    child: Child,
    url: String,
}

impl Broker {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.args(["serve", "--memory", "--listen", "tcp://127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("tcp://")?.1.to_owned()));
        // Nobody must wait for a reader of its log.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.expect("it tells where it listens");
        let end = address.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(address.len());
        Self { child, url: format!("mqtt://{}", &address[..end]) }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory(test: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench").join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

fn bench(directory: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    command.current_dir(directory).arg("bench").args(line.split_whitespace());
    command.output().expect("the binary runs")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_run_has_a_summary_a_document_and_a_page() {
    let at = directory("run");
    let broker = Broker::start();
    let line = format!(
        "p2p --url {} --publishers 2 --qos 1 --warm-up 0 --duration 0.5 --json one.json --html one.html",
        broker.url
    );
    let output = bench(&at, &line);
    let summary = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{summary}{}", String::from_utf8_lossy(&output.stderr));
    assert!(summary.contains(" 0 lost, 0 duplicates, 0 out of order, 0 corrupt"), "{summary}");
    let result: serde_json::Value = serde_json::from_str(&text(&at.join("one.json"))).expect("JSON");
    assert_eq!(result["failures"], serde_json::json!([]));
    assert_eq!(result["total"]["delivered"], result["total"]["sent"]);
    assert!(result["broker_cost"]["cpu_seconds"].is_f64(), "the broker is found by its port: {result}");
    assert!(text(&at.join("one.html")).contains("class=\"verdict good\""));

    std::fs::copy(at.join("one.json"), at.join("two.json")).expect("a copy");
    let output = bench(&at, "report one.json two.json --html both.html");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = text(&at.join("both.html"));
    assert!(page.contains("<th>one</th><th>two</th>"));
    assert_eq!(page.matches("class=\"verdict good\"").count(), 4, "above, and with each run's details");

    let output = bench(&at, "report one.json two.json");
    let summaries = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && summaries.contains("one: p2p") && summaries.contains("two: p2p"));
}

#[test]
fn what_is_no_result_is_refused() {
    let at = directory("refused");
    std::fs::write(at.join("other.json"), "{}").expect("a file");
    for (line, code, words) in [
        ("report other.json", 1, "other.json: this is not a result of ferry bench --json"),
        ("report none.json", 1, "none.json: No such file"),
        ("report", 2, "<FILE>..."),
        ("", 2, "<SCENARIO>"),
        ("p2p report", 2, "report"),
        ("p2p --pid 4294967295", 1, "--pid 4294967295: there is no such process"),
        ("p3p", 2, "there is no scenario"),
        ("p2p --qos 3", 2, "--qos is 0, 1 or 2"),
        ("p2p --rate -1", 2, "--rate is more than 0"),
        ("p2p --ramp -1", 2, "--ramp are more than 0"),
        ("conn --rate 5", 2, "--rate: there is no schedule here"),
        ("p2p --port 1 --json none/x.json", 1, "none/x.json: No such file"),
        ("p2p --port 1 --json y.json --html .", 1, ".: is a directory"),
        ("p2p --port 1 --json other.json", 1, "Connection refused"),
    ] {
        let output = bench(&at, line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        assert!(error.contains(words), "{line}: {error}");
    }
    assert!(!at.join("y.json").exists(), "nothing was measured");
    assert_eq!(text(&at.join("other.json")), "{}", "an older result is there until there is a new one");
}
