//! Start, reload and shutdown.

use std::io;
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferry_broker::config::Listener;
use ferry_broker::{Broker, StartError};
use ferry_codec::{Packet, QoS, ReasonCode};
use ferry_store::{Disk, SimulatedDisk, SimulatedFile};

use crate::client::{Client, id, tcp_address};
use crate::commit::{durable, lasting};
use crate::config;

/// A disk that tries, whenever it is used, whether the broker can be reached.
struct KnockingDisk {
    disk: SimulatedDisk,
    socket: PathBuf,
    tries: Arc<AtomicUsize>,
    let_in: Arc<AtomicUsize>,
}

impl KnockingDisk {
    fn knock(&self) -> &SimulatedDisk {
        self.tries.fetch_add(1, Ordering::SeqCst);
        self.let_in.fetch_add(usize::from(UnixStream::connect(&self.socket).is_ok()), Ordering::SeqCst);
        &self.disk
    }
}

impl Disk for KnockingDisk {
    type File = SimulatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.knock().list()
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        self.knock().create(name)
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        self.knock().open(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.knock().remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.knock().sync_directory()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

#[test]
fn nobody_is_let_in_before_everything_is_restored() {
    let disk = SimulatedDisk::new(7);
    let broker = Broker::builder(durable()).disk(disk.clone()).start().expect("started");
    let mut sleeper = lasting(&broker, "sleeper", false);
    sleeper.subscribe("t", QoS::AtLeastOnce);
    drop(sleeper);
    let mut publisher = Client::connect(&broker, "publisher");
    publisher.publish("t", b"x", QoS::AtLeastOnce, Some(id(1)));
    publisher.receive_puback(id(1));
    broker.shutdown();
    broker.join();

    let socket = std::env::temp_dir().join(format!("ferry-{}.sock", std::process::id()));
    let (tries, let_in) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut config = durable();
    let address = format!("unix://{}", socket.display()).parse().expect("an address");
    config.listeners.push(Listener { address, ..Listener::default() });
    let knocking = KnockingDisk {
        disk: disk.clone(),
        socket: socket.clone(),
        tries: Arc::clone(&tries),
        let_in: Arc::clone(&let_in),
    };
    let broker = Broker::builder(config).disk(knocking).start().expect("started");
    assert!(tries.load(Ordering::SeqCst) > 0);
    assert_eq!(let_in.load(Ordering::SeqCst), 0);
    UnixStream::connect(&socket).expect("now everybody is let in");
    assert_eq!(lasting(&broker, "sleeper", true).receive_publish().0, "t");
}

#[test]
fn a_shutdown_tells_clients_and_frees_the_port() {
    let mut with_reference = config();
    with_reference.server.reference = Some("other.example:1883".into());
    let broker = Broker::start(with_reference).expect("started");
    let address = tcp_address(&broker);
    let mut client = Client::connect(&broker, "c");
    broker.shutdown();
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::SERVER_SHUTTING_DOWN);
        assert_eq!(disconnect.server_reference, Some("other.example:1883"));
    });
    client.receive_end();
    broker.join();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn dropping_a_broker_ends_it() {
    let broker = Broker::start(config()).expect("started");
    let mut client = Client::connect(&broker, "c");
    drop(broker);
    client.receive(|packet| assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?}"));
    client.receive_end();
}

#[test]
fn two_brokers_in_one_process_know_nothing_of_each_other() {
    let brokers = [(); 2].map(|()| Broker::start(config()).expect("started"));
    let mut clients = brokers.each_ref().map(|broker| Client::connect(broker, "same"));
    for client in &mut clients {
        client.subscribe("t", QoS::AtMostOnce);
    }
    clients[0].publish("t", b"x", QoS::AtMostOnce, None);
    assert_eq!(clients[0].receive_publish(), ("t".to_owned(), b"x".to_vec()));
    clients[1].ping();
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let broker = Broker::start(config()).expect("started");
    let mut second = config();
    second.listeners[0].address = broker.local_addresses()[0].clone();
    let Err(StartError::Bind(error)) = Broker::start(second) else { panic!("started twice") };
    assert!(error.to_string().contains("in use"), "{error}");
}

#[test]
fn a_listener_off_loopback_does_not_start_anonymous_unless_told_to() {
    let mut open = config();
    open.listeners[0].address = "tcp://0.0.0.0:0".parse().expect("an address");
    let Err(error) = Broker::start(open.clone()) else { panic!("started") };
    assert!(matches!(error, StartError::Config(_)), "{error}");
    assert!(error.to_string().contains("allow_anonymous = true"), "{error}");
    open.listeners[0].allow_anonymous = ferry_broker::config::AllowAnonymous::Yes;
    Broker::start(open).expect("started");
}

#[test]
fn a_reload_changes_limits_and_names_what_it_cannot_change() {
    let mut broker = Broker::start(config()).expect("started");
    let mut before = Client::connect(&broker, "before");
    let mut changed = broker.config().clone();
    changed.limits.subscriptions_per_session_max = 1;
    changed.server.shards = NonZeroU16::new(7);
    let changes = broker.reload(changed).expect("reloaded");
    assert_eq!(changes.live[0].option, "limits.subscriptions_per_session_max");
    assert_eq!(changes.restart[0].option, "server.shards");
    before.subscribe("a", QoS::AtMostOnce);
    let mut after = Client::connect(&broker, "after");
    after.subscribe("a", QoS::AtMostOnce);
    after.send_bytes(b"\x82\x07\x00\x02\x00\x00\x01b\x00");
    after.receive(|packet| {
        let Packet::Suback(suback) = packet else { panic!("{packet:?}") };
        assert_eq!(suback.reason_codes, [ReasonCode::QUOTA_EXCEEDED.code()]);
    });
}

#[test]
fn sys_topics_are_retained_from_the_start() {
    let mut with_sys = config();
    with_sys.sys.interval_seconds = 3600;
    let broker = Broker::start(with_sys).expect("started");
    let mut client = Client::connect(&broker, "c");
    client.subscribe("$SYS/broker/version", QoS::AtMostOnce);
    let (topic, payload) = client.receive_publish();
    assert_eq!(topic, "$SYS/broker/version");
    assert!(payload.starts_with(b"ferry version "), "{payload:?}");
    client.subscribe("$SYS/broker/drops/queue_full", QoS::AtMostOnce);
    assert_eq!(client.receive_publish().1, b"0");
}

#[test]
fn sys_topics_go_on_while_somebody_listens() {
    let mut with_sys = config();
    with_sys.sys.interval_seconds = 1;
    for shards in [NonZeroU16::MIN, NonZeroU16::MIN.saturating_add(1)] {
        with_sys.server.shards = Some(shards);
        let broker = Broker::start(with_sys.clone()).expect("started");
        let mut client = Client::connect(&broker, "c");
        client.subscribe("$SYS/broker/uptime", QoS::AtMostOnce);
        let uptimes: Vec<Vec<u8>> = (0..3).map(|_| client.receive_publish().1.to_vec()).collect();
        assert!(uptimes[0] != uptimes[1] && uptimes[1] != uptimes[2], "{uptimes:?}");
        // It begins again for one who comes after nobody had listened.
        drop(client);
        let mut client = Client::connect(&broker, "d");
        client.subscribe("$SYS/broker/bytes/received", QoS::AtMostOnce);
        let first = client.receive_publish();
        assert_ne!(first, client.receive_publish());
    }
}

/// Section 4.11.
#[test]
fn an_operator_can_send_a_client_elsewhere() {
    let broker = Broker::start(config()).expect("started");
    let mut client = Client::connect(&broker, "c");
    broker.disconnect("nobody", ReasonCode::ADMINISTRATIVE_ACTION, None, None);
    broker.disconnect("c", ReasonCode::USE_ANOTHER_SERVER, Some("maintenance"), Some("other:1883"));
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::USE_ANOTHER_SERVER);
        assert_eq!(disconnect.reason_string, Some("maintenance"));
        assert_eq!(disconnect.server_reference, Some("other:1883"));
    });
    client.receive_end();
}
