use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use rcgen::date_time_ymd;

use crate::authority::Authority;
use crate::serving::{Scratch, Serving, error, ferry, run};

/// A listener for clients with a certificate that is not revoked, and the files that it needs.
fn configuration(scratch: &Scratch, authority: &Authority) -> String {
    authority.sign(scratch, "server", 1, |_| {});
    authority.sign(scratch, "alive", 2, |_| {});
    authority.sign(scratch, "stolen", 3, |_| {});
    authority.revoke(scratch, &[]);
    let text = format!(
        "[storage]\ndurability = \"memory\"\n[admin]\naddress = \"tcp://127.0.0.1:0\"\n\
         [[listener]]\naddress = \"tls://127.0.0.1:0\"\nauthentication = [\"certificate\"]\n\
         tls_certificate_file = \"{}\"\ntls_key_file = \"{}\"\ntls_client_certificate = \"required\"\n\
         tls_client_ca_file = \"{}\"\ntls_client_crl_file = \"{}\"\n",
        scratch.path("server.pem"),
        scratch.path("server.key"),
        scratch.path("ca.pem"),
        scratch.path("crl.pem"),
    );
    scratch.write("ferry.toml", &text)
}

/// A command of the binary as a client with this certificate.
fn client(scratch: &Scratch, kind: &str, port: &str, name: &str) -> Command {
    let mut command = ferry();
    command.args([kind, "-h", "127.0.0.1", "-p", port, "--cafile", &scratch.path("ca.pem"), "-t", "a"]);
    command.args(["--cert", &scratch.path(&format!("{name}.pem"))]);
    command.args(["--key", &scratch.path(&format!("{name}.key"))]);
    command
}

fn publish(scratch: &Scratch, port: &str, name: &str, payload: &str) -> Result<(), String> {
    let output = run(client(scratch, "pub", port, name).args(["-q", "1", "-m", payload]));
    if output.status.success() { Ok(()) } else { Err(error(&output)) }
}

/// A subscriber that stays connected.
struct Subscriber {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Subscriber {
    fn start(scratch: &Scratch, port: &str, name: &str) -> Self {
        let mut command = client(scratch, "sub", port, name);
        let mut process =
            command.args(["-q", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("readable");
        line.trim().to_owned()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}

/// The serial number of the certificate that is shown now.
fn shown_serial(scratch: &Scratch, port: &str) -> Option<String> {
    let address = format!("127.0.0.1:{port}");
    let certificate = ["alive.pem", "alive.key"].map(|name| scratch.path(name));
    let mut shown = Command::new("openssl");
    shown.args(["s_client", "-connect", &address, "-cert", &certificate[0], "-key", &certificate[1]]);
    let shown = shown.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let mut read = Command::new("openssl");
    read.args(["x509", "-noout", "-serial"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut read = read.spawn().ok()?;
    read.stdin.take()?.write_all(&shown.stdout).ok()?;
    let mut serial = String::new();
    read.stdout.take()?.read_to_string(&mut serial).ok()?;
    read.wait().ok()?;
    Some(serial.trim().to_owned())
}

fn get(port: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The subscriber is there and has its subscription: it gets what it is sent.
fn wait_until_it_gets(scratch: &Scratch, port: &str, subscriber: &mut Subscriber) {
    // Retained: it may subscribe before or after.
    let output = run(client(scratch, "pub", port, "alive").args(["-q", "1", "-r", "-m", "first"]));
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(subscriber.line(), "first");
}

#[test]
#[cfg(target_os = "linux")]
fn certificates_and_lists_change_and_connections_stay() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let file = configuration(&scratch, &authority);
    let mut serving = Serving::with_file(&file);
    let port = serving.port("listeners", "tls");
    let mut subscribers = ["alive", "stolen"].map(|name| Subscriber::start(&scratch, &port, name));
    subscribers.iter_mut().for_each(|subscriber| wait_until_it_gets(&scratch, &port, subscriber));

    authority.revoke(&scratch, &[3]);
    serving.wait_for(
        "crl.pem has changed: no option is different; certificates, users and rights are loaded again",
    );
    assert!(publish(&scratch, &port, "stolen", "x").is_err());
    serving.wait_for("the client's certificate was not accepted (invalid peer certificate: Revoked)");
    publish(&scratch, &port, "alive", "after the list").expect("it is not revoked");

    if let Some(serial) = shown_serial(&scratch, &port) {
        assert_eq!(serial, "serial=01");
        authority.sign(&scratch, "server", 0x17, |_| {});
        serving.wait_for("no option is different; certificates, users and rights are loaded again");
        assert_eq!(shown_serial(&scratch, &port).as_deref(), Some("serial=17"));
    } else {
        eprintln!("SKIPPED: without openssl the certificate that is shown cannot be seen");
    }
    publish(&scratch, &port, "alive", "after the certificate").expect("it is good");

    for (broken, text) in [("server.key", "no key"), ("crl.pem", "no list"), ("ca.pem", "no authority")] {
        let before = std::fs::read_to_string(scratch.path(broken)).expect("ours");
        scratch.write(broken, text);
        serving.wait_for("the configuration stays as it was");
        let name = scratch.path(broken);
        serving.wait_for(&name);
        // The client reads the authority too.
        scratch.write(broken, &before);
        serving.wait_for("loaded again");
        publish(&scratch, &port, "alive", broken).expect("the old one holds");
    }
    // One of them could not have come back: its certificate is revoked.
    for subscriber in &mut subscribers {
        for expected in ["after the list", "after the certificate", "server.key", "crl.pem", "ca.pem"] {
            let next = std::iter::repeat_with(|| subscriber.line()).find(|line| line != "first");
            assert_eq!(next.as_deref(), Some(expected));
        }
    }
    serving.end("TERM");
}

#[test]
fn an_end_that_is_near_is_told_at_start_by_check_and_in_metrics() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    let file = configuration(&scratch, &authority);
    authority.sign(&scratch, "server", 9, |parameters| {
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 3, 1);
    });
    let warning = "the certificate \"server\" ended on 2021-03-01T00:00:00Z";
    let output = run(ferry().args(["check", &file]));
    assert_eq!(output.status.code(), Some(0));
    assert!(
        error(&output).contains(&format!("{}: {warning}", scratch.path("server.pem"))),
        "{}",
        error(&output)
    );
    assert!(error(&output).contains("renew it: clients refuse one that has ended"), "{}", error(&output));
    let serving = Serving::with_file(&file);
    assert!(serving.said().contains(warning), "{}", serving.said());
    let metrics = get(&serving.port("admin", "tcp"), "/metrics");
    for (metric, name, seconds) in [
        ("ferry_tls_certificate_expiry_timestamp_seconds", "server.pem", "1614556800"),
        ("ferry_tls_certificate_expiry_timestamp_seconds", "ca.pem", "67090118400"),
        ("ferry_tls_revocation_list_expiry_timestamp_seconds", "crl.pem", "4102444800"),
    ] {
        let sample = format!("{metric}{{file=\"{name}\"}} {seconds}");
        assert!(metrics.lines().any(|line| line == sample), "{sample}\n{metrics}");
        let health = get(&serving.port("admin", "tcp"), "/health");
        let file = format!("{{\"ends_at_seconds\":{seconds},\"file\":\"{name}\"}}");
        assert!(health.contains(&file), "{file}\n{health}");
        let directory = scratch.path("");
        let has_it = metrics.contains(&directory) || health.contains(&directory);
        assert!(!has_it, "where files are: {metrics}{health}");
    }
    serving.end("TERM");
}
