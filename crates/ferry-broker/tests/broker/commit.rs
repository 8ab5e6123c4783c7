use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use ferry_broker::Broker;
use ferry_broker::config::{Config, Durability};
use ferry_codec::{Connect, ConnectProperties, MessageProperties, Packet, QoS, Will};
use ferry_store::{Disk, DiskFile, SimulatedDisk, SimulatedFile};

use crate::client::{Client, connect_packet, id};
use crate::config;

/// A disk that makes things durable when the test lets it.
#[derive(Clone)]
pub(crate) struct GatedDisk {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_shut: bool,
    /// Calls that wait for it.
    waiting: usize,
}

pub(crate) struct GatedFile {
    file: SimulatedFile,
    gate: Arc<Gate>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().expect("not poisoned")
    }

    fn shut(&self, is_shut: bool) {
        self.state().is_shut = is_shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.is_shut).expect("not poisoned");
        state.waiting -= 1;
    }

    fn wait_until_it_holds(&self) {
        let holds_nobody = |state: &mut GateState| !state.is_shut || state.waiting == 0;
        drop(self.changed.wait_while(self.state(), holds_nobody).expect("not poisoned"));
    }
}

/// Opens the gate when it goes: the broker of a test that fails would wait for ever otherwise.
pub(crate) struct GateKeeper(Arc<Gate>);

impl GateKeeper {
    pub(crate) fn shut(&self, is_shut: bool) {
        self.0.shut(is_shut);
    }

    /// What is written from now on waits behind what is held.
    pub(crate) fn wait_until_it_holds(&self) {
        self.0.wait_until_it_holds();
    }
}

impl Drop for GateKeeper {
    fn drop(&mut self) {
        self.shut(false);
    }
}

impl GatedDisk {
    pub(crate) fn new() -> Self {
        Self { disk: SimulatedDisk::new(7), gate: Arc::default() }
    }

    /// To be had after the broker, so that it goes before it.
    pub(crate) fn keeper(&self) -> GateKeeper {
        GateKeeper(Arc::clone(&self.gate))
    }

    fn file(&self, file: SimulatedFile) -> GatedFile {
        GatedFile { file, gate: Arc::clone(&self.gate) }
    }
}

impl Disk for GatedDisk {
    type File = GatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<GatedFile> {
        self.disk.create(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<GatedFile> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl DiskFile for GatedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.file.preallocate(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync_data()
    }
}

/// The configuration of the tests, with a store.
pub(crate) fn durable() -> Config {
    let mut config = config();
    config.storage.durability = Durability::Fsync;
    config.storage.free_bytes_min = 0;
    config
}

/// A client whose session outlives its connections.
pub(crate) fn lasting(
    broker: &ferry_broker::RunningBroker,
    client_id: &str,
    session_present: bool,
) -> Client {
    let mut client = Client::open(broker);
    let properties =
        ConnectProperties { session_expiry_interval: Some(3600), ..ConnectProperties::default() };
    let connect = Connect { properties, clean_start: false, ..connect_packet(client_id) };
    client.send(&Packet::Connect(connect));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.session_present, session_present, "{connack:?}");
    });
    client
}

#[test]
fn a_puback_waits_until_the_copies_of_durable_sessions_are_on_the_disk() {
    let disk = GatedDisk::new();
    let broker = Broker::builder(durable()).disk(disk.clone()).start().expect("started");
    let gate = disk.keeper();
    let mut subscriber = lasting(&broker, "subscriber", false);
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    gate.shut(true);
    publisher.publish("t", b"x", QoS::AtLeastOnce, Some(id(9)));
    // The answer to a later packet that nothing durable depends on comes first.
    publisher.ping();
    gate.shut(false);
    publisher.receive_puback(id(9));
}

#[test]
fn sessions_and_retained_messages_are_there_after_a_restart_with_other_shards() {
    let disk = GatedDisk::new();
    for (shards, payload) in [(1, "first"), (3, "second"), (2, "third")] {
        let mut config = durable();
        config.server.shards = std::num::NonZeroU16::new(shards);
        let broker = Broker::builder(config).disk(disk.clone()).start().expect("started");
        let is_first = payload == "first";
        for client_id in ["a", "b", "c", "d"] {
            let mut subscriber = lasting(&broker, client_id, !is_first);
            if is_first {
                subscriber.subscribe("t/#", QoS::AtLeastOnce);
            } else {
                assert_eq!(subscriber.receive_publish().0, "t/queued");
            }
            subscriber.send(&Packet::Disconnect(Default::default()));
            subscriber.receive_end();
        }
        let mut publisher = Client::connect(&broker, "publisher");
        publisher.publish("t/queued", payload.as_bytes(), QoS::AtLeastOnce, Some(id(1)));
        publisher.receive_puback(id(1));
        broker.shutdown();
        broker.join();
    }
}

#[test]
fn a_will_comes_after_its_delay_though_the_broker_was_down_meanwhile() {
    let disk = GatedDisk::new();
    let broker = Broker::builder(durable()).disk(disk.clone()).start().expect("started");
    let mut subscriber = lasting(&broker, "subscriber", false);
    subscriber.subscribe("will", QoS::ExactlyOnce);
    let mut client = Client::open(&broker);
    let properties =
        ConnectProperties { session_expiry_interval: Some(3600), ..ConnectProperties::default() };
    let will = Will {
        topic: "will",
        payload: b"gone",
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval_seconds: 1,
        properties: MessageProperties::default(),
    };
    let connect = Connect { properties, will: Some(will), ..connect_packet("client") };
    client.send(&Packet::Connect(connect));
    assert!(client.receive_text().contains("Connack"));
    drop((client, subscriber));
    broker.shutdown();
    broker.join();
    let broker = Broker::builder(durable()).disk(disk).start().expect("started");
    let mut subscriber = lasting(&broker, "subscriber", true);
    assert_eq!(subscriber.receive_publish(), ("will".to_owned(), b"gone".to_vec()));
}
