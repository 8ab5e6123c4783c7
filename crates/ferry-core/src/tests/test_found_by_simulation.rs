//! Seeds of ferry-sim that failed, as scripts.

use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::Publish;

use super::harness::*;
use crate::*;

/// A client identifier that lives on `shard` of two.
fn client_of(shard: u16) -> String {
    (0..).map(|n| format!("c{n}")).find(|name| home_shard(name, 2) == ShardId(shard)).unwrap()
}

/// Makes durable what one shard has recorded.
fn commit_shard(broker: &mut Broker, shard: usize) {
    let (due, later) =
        std::mem::take(&mut broker.tickets).into_iter().partition(|(other, _)| *other == shard);
    broker.tickets = later;
    for (_, ticket) in due as Vec<(usize, Ticket)> {
        broker.handle(shard, Event::Committed { ticket });
    }
}

#[test]
fn a_repeated_qos2_publish_waits_for_the_copies_on_other_shards() {
    // The receipts of the first PUBLISH name a connection that is gone; PUBREC for the second one [MQTT-4.3.3-8] was
    // sent at once, and a crash would have lost an acknowledged message.
    let mut broker =
        Broker::with_shards(2, Arc::new(AllowAll), |config| config.durability = Durability::Recorded);
    let (publisher_id, subscriber_id) = (client_of(0), client_of(1));
    let subscriber = broker.connect(&resume(&subscriber_id));
    broker.subscribe(subscriber, "t", 2);
    let publisher = broker.connect(&resume(&publisher_id));
    broker.read(publisher);

    broker.commits = false;
    broker.publish(publisher, "t", 2, 1, "x");
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), [""; 0]);
    broker.cut(publisher);

    let publisher = broker.connect(&resume(&publisher_id));
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), ["CONNACK 0x00 present"]);
    let again = Publish { topic: "t", payload: b"x", dup: true, ..Publish::default() };
    broker.publish_packet(publisher, 2, 1, again);
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), [""; 0]);
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBREC 1"]);
}

#[test]
fn a_3x_client_is_not_held_to_a_receive_maximum_it_cannot_know() {
    // Receive Maximum is told in the CONNACK of 5.0 only [MQTT-3.3.4-7]; a 3.1.1 client that sent again what it had
    // in flight was disconnected each time, and never got rid of it.
    let mut broker = Broker::with(|config| {
        config.receive_maximum = NonZeroU16::MIN;
        config.durability = Durability::Recorded;
    });
    let client = broker.connect(&ferry_codec::Connect { protocol_version: V311, ..connect("c") });
    broker.read(client);
    let subscriber = broker.connect(&resume("durable"));
    broker.subscribe(subscriber, "t", 1);
    broker.commits = false;
    for id in 1..=3 {
        broker.publish(client, "t", 1, id, "x");
    }
    assert!(!broker.is_closed(client));
    broker.commit();
    assert_eq!(broker.read(client).len(), 3);
}
