//! The examples do what they say: each is run against a real broker.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use ferry_client::blocking::{Client, Subscription};
use ferry_client::{ClientOptions, Filter, Message, QoS};

use crate::PATIENCE;
use crate::brokers::{Broker, BrokerKind, Scheme, free_port};
use crate::scratch_directory::ScratchDirectory;

/// A running example; dropped, it is killed.
struct Example {
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    /// `None` if it was not built: `cargo test -p ferry-client` does that, `cargo test --test client` does not.
    fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let test = std::env::current_exe().expect("a path");
        let program = test.ancestors().nth(2).expect("a target directory").join("examples").join(name);
        if !program.exists() {
            assert!(std::env::var_os("FERRY_TEST_NO_SKIP").is_none(), "{} is missing", program.display());
            eprintln!("SKIPPED: {} is not built", program.display());
            return None;
        }
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("a process");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _nobody = sender.send(line);
            }
        });
        Some(Self { child, lines })
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("a child")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Somebody else at the broker.
fn watcher(broker: &Broker, filter: &str) -> (Client, Subscription) {
    let client = ClientOptions::new(&broker.url(Scheme::Tcp))
        .expect("a URL")
        .connect_blocking()
        .expect("a connection");
    let messages = client.subscribe(Filter::new(filter).qos(QoS::ExactlyOnce)).expect("a subscription");
    (client, messages)
}

fn next(messages: &mut Subscription) -> (String, String) {
    let message = messages.recv_timeout(PATIENCE).expect("a message");
    (message.topic.clone(), message.text().expect("UTF-8").to_owned())
}

fn is(topic: &str, text: &str) -> (String, String) {
    (topic.to_owned(), text.to_owned())
}

fn start_ferry() -> (Broker, String) {
    let broker = Broker::start(BrokerKind::Ferry);
    let url = broker.url(Scheme::Tcp);
    (broker, url)
}

#[test]
fn request_response() {
    let (_broker, url) = start_ferry();
    let Some(example) = Example::start("request_response", &[&url]) else { return };
    let lines: Vec<_> = (0..5).map(|_| example.line()).collect();
    assert_eq!(lines, ["1 * 1 = 1", "2 * 2 = 4", "3 * 3 = 9", "4 * 4 = 16", "5 * 5 = 25"]);
    assert!(example.ended().success());
}

#[test]
fn smart_lamp() {
    let (broker, url) = start_ferry();
    let (client, mut messages) = watcher(&broker, "lamp/1/+");
    let command = |text: &str| {
        // Retained, since the lamp may not have subscribed yet.
        client.publish(Message::new("lamp/1/set", text).qos(QoS::AtLeastOnce).retain(true)).unwrap();
    };
    // Until something is said; what is said before has to be one of the others.
    let mut until = |topic: &str, text: &str, others: &[&str]| {
        loop {
            let said = next(&mut messages);
            if said == is(topic, text) {
                return;
            }
            assert!(others.contains(&said.0.as_str()) || said.1 == "1", "{said:?}");
        }
    };
    command("on");
    let Some(lamp) = Example::start("smart_lamp", &[&url]) else { return };
    until("lamp/1/online", "1", &["lamp/1/set"]);
    until("lamp/1/state", "on", &["lamp/1/online"]);
    command("unplug");
    until("lamp/1/state", "off", &["lamp/1/set", "lamp/1/online"]);
    assert!(lamp.ended().success());
    command("on");
    let lamp = Example::start("smart_lamp", &[&url]).expect("as before");
    until("lamp/1/state", "on", &["lamp/1/set", "lamp/1/online"]);
    drop(lamp);
    until("lamp/1/online", "0", &["lamp/1/online"]);
}

#[test]
fn temperature_sensor() {
    let (broker, url) = start_ferry();
    let (_client, mut messages) = watcher(&broker, "sensor/#");
    let Some(_sensor) = Example::start("temperature_sensor", &[&url]) else { return };
    assert_eq!(next(&mut messages), is("sensor/1/status", "here"));
    let reading = messages.recv_timeout(PATIENCE).unwrap();
    assert_eq!((reading.topic.as_str(), reading.text()), ("sensor/1/celsius", Ok("21.0")));
    assert!(reading.properties.unwrap().message_expiry_interval.is_some_and(|seconds| seconds <= 600));
}

#[test]
fn dashboard() {
    let (broker, url) = start_ferry();
    let (client, _messages) = watcher(&broker, "other");
    client.publish(Message::new("sensor/7/celsius", "19.5").qos(QoS::AtLeastOnce).retain(true)).unwrap();
    let Some(dashboard) = Example::start("dashboard", &[&url]) else { return };
    let until = |wanted: &str| while !dashboard.line().starts_with(wanted) {};
    until("--- connected");
    until(&format!("{:40} 19.5", "sensor/7/celsius"));
    client.publish(Message::new("sensor/7/celsius", "20.5")).unwrap();
    until(&format!("{:40} 20.5", "sensor/7/celsius"));
    // So many topics that not all of them are shown.
    for number in 0..1_100 {
        client.publish(Message::new(format!("sensor/many/{number:04}"), "x").qos(QoS::AtLeastOnce)).unwrap();
    }
    client.publish(Message::new("sensor/7/celsius", "21.5").qos(QoS::AtLeastOnce)).unwrap();
    until(&format!("{:40} 21.5", "sensor/7/celsius"));
    client.publish(Message::new("sensor/7/celsius", "22.5").qos(QoS::AtLeastOnce)).unwrap();
    let shown = std::iter::from_fn(|| Some(dashboard.line()).filter(|line| !line.starts_with("---")));
    assert_eq!(shown.filter(|line| line.starts_with("sensor/many/")).count(), 999);
}

#[test]
fn tls_client_certificate() {
    let (broker, _) = start_ferry();
    let (_client, mut messages) = watcher(&broker, "hello");
    let certificates = &broker.certificates;
    let [authority, certificate, key] =
        [&certificates.authority, &certificates.client, &certificates.client_key].map(|path| text(path));
    let url = broker.url(Scheme::TlsWithClientCertificate);
    let arguments = [url.as_str(), &authority, &certificate, &key];
    let Some(example) = Example::start("tls_client_certificate", &arguments) else { return };
    assert!(example.ended().success());
    assert_eq!(next(&mut messages), is("hello", "world"));
    let without = [url.as_str(), &authority, &certificate, &certificate];
    assert!(!Example::start("tls_client_certificate", &without).expect("as before").ended().success());
}

fn text(path: &Path) -> String {
    path.to_str().expect("an ASCII path").to_owned()
}

/// What it publishes while there is no broker survives its end.
#[test]
fn offline_sensor() {
    let directory = ScratchDirectory::new();
    let outbox = directory.path().join("outbox");
    let port = free_port();
    let url = format!("mqtt://127.0.0.1:{port}");
    let arguments = [url.as_str(), outbox.to_str().expect("an ASCII path")];
    let Some(sensor) = Example::start("offline_sensor", &arguments) else { return };
    let deadline = std::time::Instant::now() + PATIENCE;
    while !has_text(&outbox.join("log"), b"sensor/offline") {
        assert!(std::time::Instant::now() < deadline, "nothing is stored");
        std::thread::yield_now();
    }
    drop(sensor);

    let mut config = ferry_broker::config::Config::default();
    config.listeners.truncate(1);
    config.listeners[0].address = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    config.storage.durability = ferry_broker::config::Durability::Memory;
    let _broker = ferry_broker::Broker::start(config).unwrap();
    let watcher = ClientOptions::new(&url).unwrap().connect_blocking().unwrap();
    let mut messages = watcher.subscribe(Filter::new("sensor/offline").qos(QoS::ExactlyOnce)).unwrap();
    let _sensor = Example::start("offline_sensor", &arguments).expect("as before");
    // One of each life.
    assert_eq!([next(&mut messages), next(&mut messages)], [(); 2].map(|()| is("sensor/offline", "0")));
}

/// Whether a file in this directory has these bytes.
fn has_text(directory: &Path, text: &[u8]) -> bool {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths
        .iter()
        .filter_map(|path| std::fs::read(path).ok())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text))
}
