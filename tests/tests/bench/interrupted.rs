use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use ferry_bench::plan::{Overrides, resolve};
use ferry_bench::report::Report;
use ferry_bench::{BenchError, Environment, Progress, run};
use ferry_tests::broker::{Server, ferry_binary, free_port};
use ferry_tests::ferry::ScratchDirectory;

use crate::overrides;

/// Longer than anybody waits for a test.
const FOREVER: f64 = 10_000.0;

/// A run that is interrupted as soon as it is so far.
fn interrupted_when(
    scenario: &str,
    overrides: &Overrides,
    is_far_enough: impl Fn(&Progress) -> bool,
) -> Result<Report, BenchError> {
    let environment = Environment::default();
    let interruption = environment.interruption.clone();
    run(resolve(scenario, overrides).expect("a plan"), environment, &mut |progress| {
        if interruption.count() == 0 && is_far_enough(progress) {
            interruption.interrupt();
        }
    })
}

fn server() -> Server {
    Server::start(&[]).expect("ferry starts")
}

#[test]
fn what_was_measured_before_an_interruption_is_verified() {
    let server = server();
    for (qos, rate) in [(0, Some(200.0)), (1, None)] {
        let long = Overrides {
            publishers: Some(5),
            threads: Some(2),
            warm_up_seconds: Some(0.0),
            duration_seconds: Some(FOREVER),
            qos: Some(qos),
            rate,
            ..overrides(server.port())
        };
        let far = |progress: &Progress| progress.phase == "measure" && progress.delivered > 100;
        let report = interrupted_when("p2p", &long, far).expect("a result");
        assert!(report.interrupted && report.passed(), "{:?}", report.failures);
        assert!(report.latency.count > 0 && report.total.sent > 100);
        assert_eq!(report.total.delivered, report.total.sent);
        assert!(
            report.notes.iter().any(|note| note.contains("of 10000.0 s were measured")),
            "{:?}",
            report.notes
        );
    }
}

#[test]
fn connections_that_are_held_can_be_interrupted() {
    let server = server();
    let long =
        Overrides { subscribers: Some(5), duration_seconds: Some(FOREVER), ..overrides(server.port()) };
    let report = interrupted_when("conn", &long, |progress| progress.phase == "hold").expect("a result");
    assert!(report.interrupted && report.passed());
    assert_eq!(report.connect.connected, 5);
}

#[test]
fn what_cannot_be_verified_is_not_called_lost() {
    let server = server();
    let long = Overrides {
        publishers: Some(2),
        subscribers: Some(2),
        topics: Some(2),
        offline_messages: Some(4_000_000_000),
        ..overrides(server.port())
    };
    let far = |progress: &Progress| progress.phase == "publish" && progress.sent > 0;
    let report = interrupted_when("offline", &long, far).expect("a result");
    assert!(report.interrupted && report.total.lost == 0, "{:?}", report.failures);
    assert!(report.notes.iter().any(|note| note.contains("messages are not verified")), "{:?}", report.notes);
}

#[test]
fn a_run_that_only_connects_has_no_result() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let long = Overrides { connect_seconds_max: Some(FOREVER), ..overrides(port) };
    let error = interrupted_when("p2p", &long, |progress| progress.phase == "connect").unwrap_err();
    assert!(error.to_string().contains("interrupted in the phase connect, 0 of 100 clients"), "{error}");
}

/// The program against somebody who never answers, when all its processes have begun. Whoever has its standard error has
/// not ended.
fn program_and_its_errors(signal: &str) -> (Option<i32>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let mut command = Command::new(ferry_binary());
    command.args(["bench", "conn", "--subscribers", "3", "--processes", "3", "--port", &port]);
    command.args(["--connect-timeout", "10000"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut bench = command.spawn().expect("ferry bench");
    // One asks for the version, the others are the clients of the processes.
    let _connections: Vec<_> = listener.incoming().take(4).collect();
    let killed = Command::new("kill").args([signal, &bench.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let code = bench.wait().expect("an end").code();
    let mut errors = String::new();
    bench.stderr.take().expect("piped").read_to_string(&mut errors).expect("text");
    (code, errors)
}

#[test]
fn a_signal_ends_all_processes_with_an_exit_code_of_its_own() {
    let (code, errors) = program_and_its_errors("-TERM");
    assert_eq!(code, Some(130), "{errors}");
    assert!(errors.contains("error: interrupted in the phase connect"), "{errors}");
}

#[test]
fn processes_end_with_a_run_that_is_killed() {
    let (code, errors) = program_and_its_errors("-KILL");
    assert_eq!((code, errors.as_str()), (None, ""));
}

#[test]
fn a_broker_that_was_started_for_a_run_ends_with_it() {
    let directory = ScratchDirectory::new();
    let pipe = directory.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    // It holds the pipe open as long as it lives.
    let broker = format!("sh -c 'echo begun >&3; exec sleep 1000' 3> {}", pipe.display());
    let mut command = Command::new(ferry_binary());
    command.args(["bench", "p2p", "--kill-broker", &broker]);
    command.args(["--port", &free_port().expect("a port").to_string()]);
    let mut bench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ferry bench");
    let mut pipe = BufReader::new(std::fs::File::open(pipe).expect("the pipe"));
    let mut line = String::new();
    pipe.read_line(&mut line).expect("a line");
    let killed = Command::new("kill").args(["-TERM", &bench.id().to_string()]).status();
    assert!(line == "begun\n" && killed.expect("kill").success());
    assert_eq!(bench.wait().expect("an end").code(), Some(130));
    pipe.read_to_string(&mut line).expect("the end of the broker");
}
