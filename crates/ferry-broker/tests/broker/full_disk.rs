//! A disk that has no room any more, and then has again.

use ferry_broker::Broker;
use ferry_codec::{Packet, QoS, ReasonCode};
use ferry_store::SimulatedDisk;

use crate::client::{Client, id};
use crate::commit::{durable, lasting};

const MEBIBYTE: u64 = 1 << 20;

/// Publishes something to be kept for a session that is offline.
fn publish(publisher: &mut Client) -> ReasonCode {
    publisher.publish("queued", &[b'x'; 64 * 1024], QoS::AtLeastOnce, Some(id(1)));
    publisher.receive(|packet| {
        let Packet::Puback(ack) = packet else { panic!("{packet:?}") };
        ack.reason_code
    })
}

#[test]
fn what_must_be_kept_is_refused_while_the_disk_is_full_and_all_else_goes_on() {
    let disk = SimulatedDisk::new(7);
    let mut config = durable();
    config.storage.free_bytes_min = 4 * MEBIBYTE;
    config.limits.queue_bytes_max = 1 << 30;
    config.limits.queue_bytes_total_max = 1 << 30;
    let broker = Broker::builder(config).disk(disk.clone()).start().expect("started");
    let mut sleeper = lasting(&broker, "sleeper", false);
    sleeper.subscribe("queued", QoS::AtLeastOnce);
    drop(sleeper);
    let mut publisher = Client::connect(&broker, "publisher");
    assert_eq!(publish(&mut publisher), ReasonCode::SUCCESS);

    disk.set_capacity_bytes(16 * MEBIBYTE);
    let mut kept = 1;
    while publish(&mut publisher) != ReasonCode::QUOTA_EXCEEDED {
        kept += 1;
        assert!(kept < 1000, "the disk has no room for that");
    }
    let mut reader = Client::connect(&broker, "reader");
    reader.subscribe("live", QoS::AtLeastOnce);
    publisher.publish("live", b"x", QoS::AtLeastOnce, Some(id(2)));
    assert_eq!(reader.receive_publish().0, "live");
    publisher.receive_puback(id(2));

    disk.set_capacity_bytes(1 << 40);
    while publish(&mut publisher) == ReasonCode::QUOTA_EXCEEDED {}
    let mut sleeper = lasting(&broker, "sleeper", true);
    for _ in 0..=kept {
        assert_eq!(sleeper.receive_publish().1.len(), 64 * 1024);
    }
    sleeper.ping();
}
