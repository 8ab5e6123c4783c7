//! Listeners that a reload opens, changes and closes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferry_broker::config::{AllowAnonymous, Config, Listener};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Packet, QoS};
use ferry_net::ListenAddress;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Client, connect_packet, tcp_address};
use crate::config;

fn listener(address: &str) -> Listener {
    Listener { address: address.parse().expect("an address"), ..Listener::default() }
}

/// Two shards, so that each has its own handle of the sockets.
fn sharded() -> Config {
    let mut config = config();
    config.server.shards = NonZeroU16::new(2);
    config
}

fn reload(broker: &mut RunningBroker, change: impl FnOnce(&mut Vec<Listener>)) -> Vec<String> {
    let mut config = broker.config().clone();
    change(&mut config.listeners);
    let changes = broker.reload(config).expect("reloaded");
    assert!(changes.restart.is_empty(), "{changes:?}");
    changes.live.into_iter().map(|change| change.option).collect()
}

fn local(address: &ListenAddress) -> String {
    address.host_port().expect("TCP").to_string()
}

fn directory(test: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("ferry-reload-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

#[test]
fn listeners_come_and_go_and_connections_stay() {
    let mut broker = Broker::start(sharded()).expect("started");
    let first = local(&broker.local_addresses()[0]);
    let mut before = Client::connect(&broker, "before");
    before.subscribe("t", QoS::AtMostOnce);

    let changes = reload(&mut broker, |listeners| listeners.push(listener("tcp://127.0.0.1:0")));
    assert_eq!(changes, ["listener"]);
    assert_eq!(broker.local_addresses().len(), 2);
    assert_eq!(local(&broker.local_addresses()[0]), first, "the old one is undisturbed");

    // Of two with the same address the first is the one that stays.
    let second = local(&broker.local_addresses()[1]);
    let changes = reload(&mut broker, |listeners| {
        listeners[0] = listener("tcp://localhost:0");
        listeners.remove(1);
    });
    assert_eq!(changes, ["listener", "listener", "listener"]);
    for gone in [&first, &second] {
        assert!(TcpStream::connect(gone.as_str()).is_err(), "{gone} still listens");
    }
    let mut after = Client::connect(&broker, "after");
    after.publish("t", b"x", QoS::AtMostOnce, None);
    assert_eq!(before.receive_publish().1, b"x");
}

#[test]
fn a_port_can_change_its_transport() {
    let mut broker = Broker::start(sharded()).expect("started");
    let mut before = Client::connect(&broker, "before");
    let address = local(&broker.local_addresses()[0]);
    // The port is known only now.
    reload(&mut broker, |listeners| listeners[0] = listener(&format!("ws://{address}")));
    let mut socket = TcpStream::connect(&address).expect("connected");
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    before.ping();
}

#[test]
fn what_cannot_be_opened_leaves_everything_as_it_was() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("bound");
    let _holder = std::net::TcpListener::bind(taken);
    let holder = Broker::start(config()).expect("started");
    let mut broker = Broker::start(config()).expect("started");
    let before = broker.config().clone();
    let mut changed = before.clone();
    changed.limits.connections_max = 7;
    changed.listeners = vec![listener(&format!("tcp://{}", local(&holder.local_addresses()[0])))];
    let problems = broker.reload(changed).expect_err("the port is taken").to_string();
    assert!(problems.contains("is in use by"), "{problems}");
    assert_eq!(broker.config(), &before);
    Client::connect(&broker, "c").ping();
}

#[test]
fn changed_options_of_a_listener_hold_for_new_connections() {
    let mut broker = Broker::start(config()).expect("started");
    let maximum_qos = |client: &mut Client| {
        client.send(&Packet::Connect(connect_packet("q")));
        client.receive(|packet| match packet {
            Packet::Connack(connack) => connack.properties.maximum_qos,
            other => panic!("{other:?}"),
        })
    };
    let mut before = Client::open(&broker);
    assert_eq!(maximum_qos(&mut before), None);
    let changes = reload(&mut broker, |listeners| {
        listeners[0].maximum_qos = QoS::AtMostOnce;
        listeners[0].connections_max = Some(50_000);
    });
    assert_eq!(changes.len(), 2, "{changes:?}");
    // The command has been obeyed when a later one has.
    while maximum_qos(&mut Client::open(&broker)).is_none() {}
    before.receive(|packet| assert!(matches!(packet, Packet::Disconnect(_)), "taken over: {packet:?}"));
    let changes = reload(&mut broker, |listeners| listeners[0].allow_anonymous = AllowAnonymous::Yes);
    assert_eq!(changes.len(), 1, "{changes:?}");
}

#[test]
fn the_file_of_a_unix_socket_goes_with_its_listener() {
    let path = directory("unix").join("ferry.sock");
    let mut with_unix = sharded();
    with_unix.listeners.push(listener(&format!("unix://{}", path.display())));
    let mut broker = Broker::start(with_unix).expect("started");
    assert!(path.exists());
    reload(&mut broker, |listeners| listeners.truncate(1));
    assert!(!path.exists());
    reload(&mut broker, |listeners| listeners.push(listener(&format!("unix://{}", path.display()))));
    assert!(path.exists());
}

struct Certificate {
    directory: PathBuf,
}

impl Certificate {
    fn issue(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(self.file(), made.cert.pem()).expect("written");
        std::fs::write(self.directory.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    }

    fn file(&self) -> PathBuf {
        self.directory.join("chain.pem")
    }

    fn listener(&self) -> Listener {
        Listener {
            tls_certificate_file: Some(self.file()),
            tls_key_file: Some(self.directory.join("key.pem")),
            ..listener("tls://127.0.0.1:0")
        }
    }
}

/// Connects by TLS, trusting only the certificate that is in the file now.
fn connect_tls(broker: &RunningBroker, trusted: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(client, TcpStream::connect(tcp_address(broker)).expect("connected"))
}

const PING: &[u8] = &[0xC0, 0];

fn ping(client: &mut impl ReadWrite) {
    client.write_all(PING).expect("written");
    let mut answer = [0; 2];
    client.read_exact(&mut answer).expect("PINGRESP");
    assert_eq!(answer, [0xD0, 0]);
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn log_in(client: &mut impl ReadWrite) {
    client.write_all(b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01t").expect("the certificate is trusted");
    let mut connack = [0; 4];
    client.read_exact(&mut connack).expect("CONNACK");
    assert_eq!(connack, [0x20, 2, 0, 0]);
}

#[test]
fn new_connections_get_the_new_certificate_and_old_ones_stay() {
    let certificate = Certificate { directory: directory("tls") };
    certificate.issue();
    let mut broker =
        Broker::start(Config { listeners: vec![certificate.listener()], ..config() }).expect("started");
    let mut before = connect_tls(&broker, &certificate.file());
    log_in(&mut before);

    certificate.issue();
    let same = broker.config().clone();
    assert!(broker.reload(same.clone()).expect("reloaded").is_empty());
    let mut after = connect_tls(&broker, &certificate.file());
    after.write_all(PING).expect("the certificate is the new one");
    ping(&mut before);

    std::fs::write(certificate.file(), "not a certificate").expect("written");
    let problems = broker.reload(same).expect_err("no certificate").to_string();
    assert!(problems.contains("tls_certificate_file"), "{problems}");
    ping(&mut before);
}
