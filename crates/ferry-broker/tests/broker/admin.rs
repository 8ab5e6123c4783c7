//! The admin API: who may use it, what it bears, and what it says.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ferry_broker::config::{AdminRole, Config, Durability, OpenMetrics};
use ferry_broker::{Broker, RunningBroker, StartError};
use ferry_codec::QoS;

use crate::client::Client;
use crate::config;
use crate::http::{Door, tcp_door, unix_door};

/// SHA-256 of `viewer-secret-0123456789`, `operator-secret-0123456789` and `admin-secret-0123456789`.
const HASHES: [(&str, &str); 3] = [
    ("viewer", "1c3442282387a249d1f8a1358125e165dac790f1b2eeda31485aed70ce7e45dc"),
    ("operator", "d99c0a026d545ef70880be60384bf53a9353cd3de2eadcd8de1c01635531c1a5"),
    ("admin", "a7cd7d05af04b66c8920d7fa96841f5c084c569f171ef670f48e2524708c367f"),
];

/// A directory that goes with the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ferry-admin-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// With the API on a port of its own, and a token for each role.
pub(crate) fn with_api() -> Config {
    let mut config = config();
    config.admin.address = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    let tokens =
        HASHES.map(|(role, hash)| format!("{role}-token {role} sha256:{hash}").parse().expect("a token"));
    config.admin.token = tokens.into();
    config
}

fn start(config: Config) -> RunningBroker {
    Broker::start(config).expect("started")
}

pub(crate) fn bearer(role: AdminRole) -> String {
    format!("Authorization: Bearer {}-secret-0123456789", role.name())
}

#[test]
fn a_directory_that_can_have_no_socket_does_not_keep_the_broker_from_starting() {
    let directory = Directory::new("long");
    let mut config = config();
    // Longer than the path of a Unix socket can be.
    config.storage.durability = Durability::Os;
    config.storage.data_directory = Some(directory.0.join("d".repeat(120)));
    let broker = start(config);
    assert!(broker.admin_addresses().is_empty());
    broker.shutdown();
}

fn remedy_of(config: Config) -> String {
    match Broker::start(config) {
        Err(StartError::Config(problems)) => problems.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it has started"),
    }
}

#[test]
fn it_is_off_unless_configured() {
    let broker = start(config());
    assert!(broker.admin_addresses().is_empty());
}

#[test]
fn the_unix_socket_is_in_the_data_directory_and_for_its_owner_only() {
    let directory = Directory::new("socket");
    let mut config = config();
    config.storage.durability = Durability::Os;
    config.storage.data_directory = Some(directory.0.clone());
    let broker = start(config.clone());
    let socket = directory.0.join("admin.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(unix_door(&broker).get("/health").ok()["status"], "ok");
    assert_eq!(unix_door(&broker).get("/ready").ok()["storage"], "writable");
    let metrics = unix_door(&broker).get("/metrics");
    assert!(metrics.body.contains("\nferry_store_writable 1\n"), "{metrics:?}");
    assert!(metrics.body.contains("ferry_store_commit_duration_seconds_bucket{le=\"+Inf\"}"));
    broker.shutdown();
    broker.join();
    assert!(!socket.exists(), "it goes with the broker");
    config.admin.unix_socket = false;
    let broker = start(config);
    assert!(broker.admin_addresses().is_empty() && !socket.exists());
}

#[test]
fn an_address_that_others_can_reach_needs_a_token_and_tls() {
    let mut config = with_api();
    config.admin.address = Some("tcp://0.0.0.0:0".parse().expect("an address"));
    let text = remedy_of(config.clone());
    assert!(text.contains("unencrypted") && text.contains("help: listen on tls://"), "{text}");
    config.admin.token.clear();
    config.admin.unencrypted_allowed = true;
    let text = remedy_of(config.clone());
    assert!(
        text.contains("nobody has a token") && text.contains("help: add a block [[admin.token]]"),
        "{text}"
    );
    config.admin.token = with_api().admin.token;
    assert_eq!(start(config.clone()).admin_addresses().len(), 1);
    config.admin.address = Some("ws://127.0.0.1:0".parse().expect("an address"));
    assert!(remedy_of(config.clone()).contains("is no address for HTTP"));
    config.admin.address = Some("tls://127.0.0.1:0".parse().expect("an address"));
    assert!(remedy_of(config).contains("needs a tls_certificate_file"));
}

#[test]
fn tokens_open_what_their_roles_may() {
    let broker = start(with_api());
    let door = tcp_door(&broker);
    // Those who look after machines need none.
    assert_eq!(door.get("/health").status, 200);
    assert_eq!(door.get("/ready").ok()["status"], "ready");
    assert_eq!(door.get("/metrics").status, 200);
    drop(broker);

    let mut config = with_api();
    config.admin.metrics_without_token = OpenMetrics::No;
    let directory = Directory::new("tokens");
    let file = directory.0.join("secret");
    std::fs::write(&file, "a-secret-in-a-file-0123456789\nmore\n").expect("written");
    config.admin.token.push(format!("from-file viewer {}", file.display()).parse().expect("a token"));
    let broker = start(config);
    let door = tcp_door(&broker);
    let metrics = |header: &str| door.request("GET", "/metrics", &[header], "");
    let problem = metrics("X-Nothing: 1").problem(401);
    assert_eq!(problem["type"], "urn:ferry:problem:token");
    assert!(metrics("X-Nothing: 1").head.contains("www-authenticate: bearer"));
    for wrong in ["Bearer x", "Basic dmlld2VyOng=", "Bearer", "Bearer  ", "Bearer viewer-secret-0123456780"] {
        metrics(&format!("Authorization: {wrong}")).problem(401);
    }
    for role in [AdminRole::Viewer, AdminRole::Operator, AdminRole::Admin] {
        assert_eq!(metrics(&bearer(role)).status, 200, "{role:?}");
    }
    assert_eq!(metrics("authorization: bearer a-secret-in-a-file-0123456789").status, 200);
    // Two of them are one too many.
    let both = [bearer(AdminRole::Viewer), bearer(AdminRole::Admin)];
    door.request("GET", "/metrics", &[&both[0], &both[1]], "").problem(401);
}

#[test]
fn a_short_secret_is_none() {
    let directory = Directory::new("short");
    let file = directory.0.join("secret");
    std::fs::write(&file, "0123456789\n").expect("written");
    let mut config = with_api();
    config.admin.token.push(format!("short viewer {}", file.display()).parse().expect("a token"));
    assert!(remedy_of(config).contains("fewer than 16 characters"));
}

#[test]
fn web_pages_of_others_cannot_reach_it() {
    let broker = start(with_api());
    let door = tcp_door(&broker);
    let health = |host: &str, more: &str| {
        door.raw(
            format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n").as_bytes(),
        )
    };
    assert_eq!(health("localhost:9883", "").status, 200);
    health("rebound.example", "").problem(403);
    health("localhost:9883", "Origin: https://evil.example\r\n").problem(403);
    health("localhost:9883", "Sec-Fetch-Site: cross-site\r\n").problem(403);
    assert_eq!(health("localhost:9883", "Origin: http://localhost:9883\r\n").status, 200);
    door.raw(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").problem(400);
}

#[test]
fn what_is_not_there_is_said() {
    let broker = start(with_api());
    let door = tcp_door(&broker);
    door.get("/nowhere").problem(404);
    let wrong = door.request("POST", "/health", &[], "{}");
    wrong.problem(405);
    assert!(wrong.head.contains("allow: get"), "{wrong:?}");
    door.get("/health?x=1").problem(400);
    let head = door.request("HEAD", "/health", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
}

#[test]
fn what_is_too_much_is_refused() {
    let mut config = with_api();
    config.admin.header_bytes_max = 8192;
    config.admin.body_bytes_max = 1024;
    let broker = start(config);
    let door = tcp_door(&broker);
    let long = format!("X-Long: {}", "x".repeat(9000));
    assert_eq!(door.request("GET", "/health", &[&long], "").status, 431);
    let many: Vec<String> = (0..100).map(|index| format!("X-{index}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(door.request("GET", "/health", &many, "").status, 431);
    let line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    assert!(matches!(door.raw(line.as_bytes()).status, 414 | 431));
    door.request("GET", "/health", &[], &"x".repeat(1025)).problem(413);
    let head =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = format!("{head}400\r\n{0}\r\n400\r\n{0}\r\n0\r\n\r\n", "y".repeat(0x400));
    door.raw(chunks.as_bytes()).problem(413);
    assert_eq!(door.get("/health").status, 200);
}

#[test]
fn what_is_no_http_is_refused() {
    let broker = start(with_api());
    let door = tcp_door(&broker);
    for wrong in [
        "\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        "GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    ] {
        let answer = door.raw(wrong.as_bytes());
        assert!(matches!(answer.status, 0 | 400 | 505), "{wrong:?}: {answer:?}");
    }
    assert_eq!(door.get("/health").status, 200);
}

#[test]
fn who_is_slow_is_given_up() {
    let mut config = with_api();
    config.admin.request_timeout_seconds = 4;
    config.admin.connections_max = 2;
    let broker = start(config);
    let door = tcp_door(&broker);
    // One never ends its headers, the other never its body.
    let mut headers = door.open();
    headers.write_all(b"GET /health HTTP/1.1\r\nHost: local").expect("written");
    let mut body = door.open();
    body.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx")
        .expect("written");
    // Both places are taken: a third one is closed at once.
    let mut third = door.open();
    let _ = third.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(matches!(third.read(&mut [0; 1]), Ok(0) | Err(_)));
    let mut answer = String::new();
    body.read_to_string(&mut answer).expect("an answer and the end");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    headers.read_to_string(&mut answer).expect("the end");
    assert_eq!(door.get("/health").status, 200);
}

#[test]
fn metrics_count_what_clients_do() {
    let mut config = with_api();
    config.server.shards = std::num::NonZeroU16::new(3);
    let broker = start(config);
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for _ in 0..5 {
        publisher.publish("t/1", b"12345678", QoS::AtMostOnce, None);
        subscriber.receive_publish();
    }
    let text = tcp_door(&broker).get("/metrics").body;
    for line in [
        "ferry_shards 3",
        "ferry_clients_connected{protocol_version=\"5.0\"} 2",
        "ferry_clients_connected{protocol_version=\"3.1.1\"} 0",
        "ferry_messages_received_total{qos=\"0\"} 5",
        "ferry_messages_sent_total{qos=\"0\"} 5",
        "ferry_payload_sent_bytes_total 40",
        "ferry_subscriptions{kind=\"plain\"} 1",
        "ferry_packets_received_total{type=\"SUBSCRIBE\"} 1",
        "ferry_messages_dropped_total{reason=\"queue_full\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    drop(publisher);
    promtool_likes(&text);
}

/// Prometheus's own judgement, where it is installed (Debian: prometheus).
fn promtool_likes(metrics: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.stdout(Stdio::piped()).spawn() else {
        return eprintln!("promtool is not installed: its judgement is NOT asked");
    };
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(metrics.as_bytes()).expect("written");
    drop(input);
    let judged = promtool.wait_with_output().expect("promtool");
    let words = [judged.stdout, judged.stderr].concat();
    assert!(judged.status.success() && words.is_empty(), "{}", String::from_utf8_lossy(&words));
}

#[test]
fn a_reload_changes_tokens_and_the_end_closes_everything() {
    let mut broker = start(with_api());
    let door = tcp_door(&broker);
    let mut changed = broker.config().clone();
    changed.admin.metrics_without_token = OpenMetrics::No;
    changed.admin.token.retain(|token| token.role == AdminRole::Viewer);
    broker.reload(changed).expect("reloaded");
    door.get("/metrics").problem(401);
    assert_eq!(door.request("GET", "/metrics", &[&bearer(AdminRole::Viewer)], "").status, 200);
    door.request("GET", "/metrics", &[&bearer(AdminRole::Admin)], "").problem(401);
    broker.shutdown();
    assert_eq!(door.get("/ready").status, 503);
    let Door::Tcp(address) = door else { panic!("no port") };
    broker.join();
    assert!(std::net::TcpStream::connect(address).is_err());
}
