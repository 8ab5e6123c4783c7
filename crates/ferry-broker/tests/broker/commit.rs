use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ferry_broker::{Broker, CommitBell};
use ferry_codec::{Connect, ConnectProperties, Packet, QoS};
use ferry_core::{Durability, Record};
use ferry_store::{Store, Ticket};

use crate::client::{Client, connect_packet, id};
use crate::config;

/// Commits when the test says so, as a disk on another thread would.
#[derive(Clone, Default)]
struct Disk {
    appended: Arc<AtomicU64>,
    committed: Arc<AtomicU64>,
    immediate: Arc<AtomicBool>,
    bell: Arc<Mutex<Option<CommitBell>>>,
}

impl Store<Record> for Disk {
    fn append(&mut self, batch: &mut Vec<Record>) -> Ticket {
        assert!(!batch.is_empty());
        batch.clear();
        let ticket = self.appended.fetch_add(1, Ordering::SeqCst) + 1;
        if self.immediate.load(Ordering::SeqCst) {
            self.committed.store(ticket, Ordering::SeqCst);
        }
        Ticket(ticket)
    }

    fn committed(&self) -> Ticket {
        Ticket(self.committed.load(Ordering::SeqCst))
    }
}

impl Disk {
    fn commit_all(&self) {
        self.committed.store(self.appended.load(Ordering::SeqCst), Ordering::SeqCst);
        let bell = self.bell.lock().expect("not poisoned");
        bell.as_ref().expect("the store was made")();
    }
}

#[test]
fn a_puback_waits_until_the_copies_of_durable_sessions_are_committed() {
    let disk = Disk::default();
    disk.immediate.store(true, Ordering::SeqCst);
    let made = disk.clone();
    let broker = Broker::builder(config())
        .store(Durability::Fsync, move |_, bell| {
            *made.bell.lock().expect("not poisoned") = Some(bell);
            Box::new(made.clone())
        })
        .start()
        .expect("started");
    let mut subscriber = Client::open(&broker);
    let properties =
        ConnectProperties { session_expiry_interval: Some(3600), ..ConnectProperties::default() };
    subscriber.send(&Packet::Connect(Connect { properties, ..connect_packet("subscriber") }));
    assert!(subscriber.receive_text().contains("Connack"));
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    disk.immediate.store(false, Ordering::SeqCst);
    publisher.publish("t", b"x", QoS::AtLeastOnce, Some(id(9)));
    // The answer to a later packet that nothing durable depends on comes first.
    publisher.ping();
    disk.commit_all();
    publisher.receive_puback(id(9));
}
