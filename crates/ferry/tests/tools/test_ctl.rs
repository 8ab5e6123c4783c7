//! `ferry ctl` against a running broker.

use std::process::Stdio;

use crate::broker::{Broker, Kind};
use crate::program::{Running, Scratch, client, ferry, run};
use crate::served::Served;
use crate::test_tls;

#[test]
fn a_broker_is_watched_and_managed() {
    let served = Served::start("[limits]\nqueue_messages_max = 77\n");
    let status = served.done(&["status"]);
    assert!(status.contains("clients       0 connected, 0 sessions"), "{status}");
    let mut subscriber = ferry();
    subscriber
        .args(["sub", "-p", &served.port, "-i", "pump 7", "-t", "house/#", "-q", "1", "-d"])
        .stdout(Stdio::null());
    let mut subscriber = Running::start(&mut subscriber);
    subscriber.wait_for("subscribed");
    let clients = served.done(&["clients"]);
    assert!(
        clients.starts_with("CLIENT  USER  ADDRESS") && clients.contains("\npump 7        127.0.0.1:"),
        "{clients}"
    );
    assert!(served.done(&["client", "show", "pump 7"]).contains("  house/#  QoS 1"));
    assert!(served.done(&["--json", "subscriptions"]).starts_with("{\"client_id\":\"pump 7\""));
    served.done(&["publish", "-t", "house/door", "-m", "open", "-r"]);
    assert!(served.done(&["retained", "list", "house/+"]).contains("\nhouse/door  4"));
    assert_eq!(served.done(&["retained", "get", "house/door"]), "open\n");
    assert_eq!(served.done(&["retained", "delete", "house/#"]), "done          deleted 1\n");
    assert_eq!(served.ctl(&["retained", "get", "house/door"]).code, Some(5));
    assert!(served.done(&["listeners"]).contains("tcp://127.0.0.1:"));
    assert_eq!(served.done(&["drops"]), "nothing was dropped\n");
    let talkers = served.done(&["top-talkers"]);
    assert!(talkers.starts_with("CLIENT  BYTES/S") && talkers.contains("\npump 7  "), "{talkers}");
    assert_eq!(served.done(&["slow-subscribers"]), "nothing waits for anybody\n");
    let config = served.done(&["config", "--changed"]);
    assert!(config.contains("limits.queue_messages_max") && config.contains("ferry.toml:2:1"), "{config}");
    assert_eq!(served.done(&["kick", "pump 7", "--reason", "repair"]), "done          disconnected\n");
    assert!(served.ctl(&["sessions", "delete", "nobody"]).error.contains("has no session\n  help: "));
    std::fs::write(served.directory.path("ferry.toml"), "[limits]\nqueue_messages_max = 78\n")
        .expect("written");
    let reloaded = served.done(&["reload"]);
    // The file may have been seen to change before.
    let is_told = reloaded.contains("limits.queue_messages_max is now 78 (was 77)");
    assert!(is_told || reloaded.contains("no option is different"), "{reloaded}");
    std::fs::write(served.directory.path("ferry.toml"), "[limits]\nqueue_messages_max = 0\n")
        .expect("written");
    let wrong = served.ctl(&["reload"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.error.contains("ferry.toml:2:1: limits.queue_messages_max"), "{wrong:?}");
    served.broker.signal("-TERM");
}

#[test]
fn a_client_is_traced() {
    let served = Served::start("");
    let mut command = ferry();
    command.args(["ctl", "trace", "pump7", "--events", "6", "--payload", "--admin"]);
    let mut trace = Running::start(command.arg(served.directory.path("data/admin.sock")));
    trace.wait_for("trace of pump7, which is not connected");
    let mut publish = ferry();
    publish.args(["pub", "-p", &served.port, "-i", "pump7", "-t", "house/door", "-m", "open", "-q", "1"]);
    assert_eq!(run(&mut publish, b"").code, Some(0));
    let outcome = trace.end();
    assert_eq!(outcome.error, "end: as many events as were asked for; 6 events, 0 missed");
    let lines: Vec<&str> = outcome.output.lines().collect();
    for (line, expected) in lines.iter().zip([
        " in  CONNECT ",
        " out CONNACK ",
        " in  PUBLISH     id 1 house/door QoS 1 payload bytes 4 open (",
        " out PUBACK      id 1 ",
        " in  DISCONNECT ",
        " connection closed by ",
    ]) {
        assert!(line.contains(expected), "{outcome:?}");
    }
    assert_eq!((lines.len(), outcome.code), (6, Some(0)));
    let outcome = served.ctl(&["--json", "trace", "pump7", "--seconds", "1"]);
    assert!(
        outcome.output.contains("{\"at_milliseconds\":") && outcome.output.contains("\"end\""),
        "{outcome:?}"
    );
    assert_eq!(outcome.code, Some(0));
    served.broker.signal("-TERM");
}

#[test]
fn a_client_that_was_refused_is_explained() {
    let served = Served::start("[session]\ntakeover_policy = \"any-user\"\n");
    let pump = || {
        let mut command = ferry();
        command.args(["sub", "-p", &served.port, "-i", "pump7", "-t", "t", "-d"]);
        let mut running = Running::start(&mut command);
        running.wait_for("subscribed");
        running
    };
    let why = |client_id: &str| {
        let mut command = ferry();
        command.args(["why", "--client", client_id, "--admin"]).arg(served.directory.path("data/admin.sock"));
        let outcome = run(&mut command, b"");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.output
    };
    assert_eq!(
        why("nobody"),
        "nobody: not connected, without a session\n\
         the broker remembers nothing that was refused to it, nor a message that it lost\n"
    );
    let first = pump();
    let _second = pump();
    first.signal("-KILL");
    let words = why("pump7");
    assert!(words.starts_with("pump7: connected\n"), "{words}");
    assert!(
        words.contains("disconnected 127.0.0.1:") && words.contains("0x8E Session taken over"),
        "{words}"
    );
    served.done(&["kick", "pump7", "--reason", "repair"]);
    assert!(why("pump7").contains("0x98 Administrative action, repair"));
    served.done(&["log", "warn,ferry_broker=debug"]);
    let wrong = served.ctl(&["log", "loud"]);
    assert!(wrong.code == Some(1) && wrong.error.contains("is no level"), "{wrong:?}");
    served.broker.signal("-TERM");
}

#[test]
fn what_is_wrong_is_said_with_its_remedy() {
    let mut nobody = ferry();
    nobody.args(["ctl", "--admin", "/nonexistent/admin.sock", "status"]);
    let outcome = run(&mut nobody, b"");
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.error.contains("no broker: ") && outcome.error.contains("ferry serve"), "{outcome:?}");
    // Not a port for HTTP.
    let broker = Broker::start(Kind::Ferry);
    let mut mqtt = ferry();
    mqtt.args(["ctl", "--admin", &format!("http://127.0.0.1:{}", broker.port()), "status"]);
    assert_eq!(run(&mut mqtt, b"").code, Some(3));
    assert_eq!(
        run(&mut client("sub", &broker, &["-t", "$SYS/broker/version", "-C", "1"]), b"").code,
        Some(0)
    );
    let mut closed = ferry();
    closed.args(["ctl", "--admin", "https://127.0.0.1:1", "status"]);
    let outcome = run(&mut closed, b"");
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.error.contains("is this its admin.address?"), "{outcome:?}");
    for (options, words) in [
        (["--cafile", "/nonexistent/ca.pem", "status"].as_slice(), "/nonexistent/ca.pem: "),
        (&["--cert", "/nonexistent/c.pem", "status"], "--cert and --key belong together"),
        (&["status", "--admin", "/run/admin.sock", "--insecure"], "add --admin https://HOST:PORT"),
        (&["status", "--admin", "ftp://h"], "is not the URL of an admin API"),
    ] {
        let outcome = run(ferry().args(["ctl", "--admin", "https://127.0.0.1:1"]).args(options), b"");
        assert_eq!(outcome.code, Some(2), "{options:?}: {outcome:?}");
        assert!(outcome.error.contains(words), "{options:?}: {outcome:?}");
    }
}

#[test]
fn by_tls_the_broker_must_be_trusted() {
    let files = Scratch::new();
    test_tls::certificates(&files);
    std::fs::write(files.path("token"), "0123456789abcdef0123\n").expect("written");
    let [certificate, key, authority, stranger, token] =
        ["server.pem", "server.key", "authority.pem", "stranger.pem", "token"].map(|name| files.path(name));
    let served = Served::start(&format!(
        "[admin]\naddress = \"tls://127.0.0.1:0\"\ntls_certificate_file = \"{certificate}\"\ntls_key_file = \
         \"{key}\"\n[[admin.token]]\nname = \"t\"\nrole = \"viewer\"\nfile = \"{token}\"\n"
    ));
    let by_address = served.admin.clone().expect("an address");
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let plain = by_address.replace("https://", "http://");
    let status = |admin: &str, options: &[&str]| {
        let mut command = ferry();
        command.args(["ctl", "--admin", admin, "--token-file", &token, "status"]).args(options);
        run(&mut command, b"")
    };
    let trusted = ["--cafile", authority.as_str()];
    let outcome = status(&by_name, &trusted);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // What people read: sizes in their units, and until when certificates are good.
    assert!(outcome.output.contains("certificates  server.pem ends 4096-01-01 00:00 UTC"), "{outcome:?}");
    assert!(outcome.output.contains(" MiB\n"), "{outcome:?}");
    let json = run(
        ferry().args(["ctl", "--json", "--admin", &by_name, "--token-file", &token, "status"]).args(trusted),
        b"",
    );
    assert!(json.output.contains("\"ends_at_seconds\":67090118400"), "{json:?}");
    assert_eq!(status(&by_address, &[trusted.as_slice(), &["--insecure"]].concat()).code, Some(0));
    for (admin, options, words) in [
        (&by_address, trusted.as_slice(), "not valid for name"),
        (&by_name, &["--cafile", &stranger], "UnknownIssuer"),
        (&by_name, &["--cafile", &stranger, "--insecure"], "UnknownIssuer"),
        (&plain, &[], "is no admin API"),
    ] {
        let outcome = status(admin, options);
        assert_eq!(outcome.code, Some(3), "{admin} {options:?}: {outcome:?}");
        assert!(outcome.error.contains(words), "{admin} {options:?}: {outcome:?}");
    }
    served.broker.signal("-TERM");
}

#[test]
fn by_tcp_a_token_is_needed() {
    let secret = Scratch::new();
    std::fs::write(secret.path("token"), "0123456789abcdef0123\n").expect("written");
    let file = format!(
        "[admin]\naddress = \"tcp://127.0.0.1:0\"\n[[admin.token]]\nname = \"t\"\nrole = \"viewer\"\nfile = \"{}\"\n",
        secret.path("token")
    );
    let served = Served::start(&file);
    let config = served.done(&["config", "--changed"]);
    assert!(config.contains("admin.token") && !config.contains("0123456789abcdef0123"), "{config}");
    let admin = served.admin.clone().expect("an address");
    let tcp = |arguments: &[&str]| {
        let mut command = ferry();
        command.args(["ctl", "--admin", &admin]).args(arguments);
        run(&mut command, b"")
    };
    let outcome = tcp(&["status"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(outcome.error.contains("--token-file FILE"), "{outcome:?}");
    let token = secret.path("token");
    assert_eq!(tcp(&["status", "--token-file", &token]).code, Some(0));
    let outcome = tcp(&["--token-file", &token, "reload"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(outcome.error.contains("this needs \"admin\""), "{outcome:?}");
    assert_eq!(tcp(&["--token-file", "/nonexistent/token", "status"]).code, Some(4));
    served.broker.signal("-TERM");
}
