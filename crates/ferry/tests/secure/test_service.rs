use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::serving::{Scratch, Serving, error, ferry, run};

const UNIT: &str = include_str!("../../../../packaging/systemd/ferry.service");

/// What the service manager is told next.
fn told(socket: &UnixDatagram) -> String {
    let mut state = [0; 256];
    let length = socket.recv(&mut state).expect("it is told something");
    String::from_utf8_lossy(&state[..length]).into_owned()
}

#[test]
fn the_service_manager_is_told_when_clients_are_served_and_when_no_more() {
    let scratch = Scratch::new();
    let path = scratch.path("notify");
    let name = format!("ferry-secure-{}", std::process::id());
    let named = SocketAddr::from_abstract_name(&name).expect("a name");
    for (socket, address) in [
        (UnixDatagram::bind(&path).expect("a socket"), path),
        (UnixDatagram::bind_addr(&named).expect("a socket"), format!("@{name}")),
    ] {
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        let file = scratch.write("ferry.toml", "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n");
        let mut command = ferry();
        command.args(["serve", "--memory", "--config", &file]).env("NOTIFY_SOCKET", address);
        let serving = Serving::start(command);
        assert_eq!(told(&socket), "READY=1");
        serving.signal("HUP");
        let reloading = told(&socket);
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("it reloads");
        assert!(since.parse::<u64>().is_ok_and(|microseconds| microseconds > 0), "{reloading}");
        assert_eq!(told(&socket), "READY=1");
        serving.signal("TERM");
        assert_eq!(told(&socket), "STOPPING=1");
    }
}

#[test]
fn the_watchdog_hears_that_all_is_well_while_it_is() {
    let scratch = Scratch::new();
    let path = scratch.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let file = scratch.write("ferry.toml", "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n");
    let serving = |process: Option<&str>| {
        let mut command = ferry();
        command.args(["serve", "--memory", "--config", &file]).env("NOTIFY_SOCKET", &path);
        command.env("WATCHDOG_USEC", "200000");
        if let Some(process) = process {
            command.env("WATCHDOG_PID", process);
        }
        Serving::start(command)
    };
    // Before it starts: what it has said since then waits for a test that is late.
    let begun = Instant::now();
    let watched = serving(None);
    assert_eq!(told(&socket), "READY=1");
    (0..10).for_each(|_| assert_eq!(told(&socket), "WATCHDOG=1"));
    assert!(begun.elapsed() >= Duration::from_millis(890), "not more often than each 100 ms");
    // One that does not run says nothing.
    watched.signal("STOP");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    let mut state = [0; 256];
    while socket.recv(&mut state).is_ok() {}
    watched.signal("CONT");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    assert_eq!(told(&socket), "WATCHDOG=1");
    watched.signal("TERM");
    while told(&socket) != "STOPPING=1" {}
    // Another process is meant.
    let other = serving(Some("1"));
    assert_eq!(told(&socket), "READY=1");
    other.signal("TERM");
    assert_eq!(told(&socket), "STOPPING=1");
}

/// The unit is one that systemd understands, with little that could be taken from it still.
#[test]
fn systemd_understands_the_unit_and_finds_little_exposed() {
    let version = Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: systemd-analyze is not installed");
        return;
    }
    let scratch = Scratch::new();
    let unit = UNIT.replace("/usr/bin/ferry", env!("CARGO_BIN_EXE_ferry"));
    let unit = scratch.write("ferry.service", &unit);
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no", &unit]));
    assert!(verified.status.success(), "{}", error(&verified));
    assert!(!error(&verified).contains("ferry.service"), "{}", error(&verified));
    // 14 is 1.4 of 10; more would be a way in that was not there.
    let judged = ["security", "--offline=true", "--threshold=20", &unit];
    let judged = run(Command::new("systemd-analyze").args(judged));
    let words = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{words}{}", error(&judged));
}
