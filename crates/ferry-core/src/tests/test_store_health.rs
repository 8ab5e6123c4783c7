//! A store that takes nothing that can be refused.

use ferry_codec::Connect;

use super::harness::*;
use crate::*;

/// A durable subscriber to `t`, and a store that is full.
fn full(shards: u16) -> Broker {
    let mut broker = Broker::with_shards(shards, std::sync::Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
        config.durability_by_filter = vec![("memory".into(), Durability::Memory)];
    });
    let client = broker.online(&resume("durable"));
    broker.subscribe(client, "#", 1);
    broker.publish(client, "t", 1, 9, "stored before");
    broker.read(client);
    broker.cut(client);
    set(&mut broker, false);
    broker
}

fn set(broker: &mut Broker, writable: bool) {
    for shard in 0..broker.shards.len() {
        broker.handle(shard, Event::StoreHealth { writable });
    }
}

fn v311(client_id: &str) -> Connect<'_> {
    Connect { protocol_version: V311, ..connect(client_id) }
}

/// A client identifier at home on the other shard than the durable subscriber, if there are two.
fn elsewhere(shards: u16) -> String {
    let home = home_shard("durable", shards);
    (0..).map(|n| format!("p{n}")).find(|name| shards == 1 || home_shard(name, shards) != home).unwrap()
}

#[test]
fn a_publisher_is_told() {
    for shards in [1, 2] {
        let mut broker = full(shards);
        let publisher = broker.client(&elsewhere(shards));
        broker.publish(publisher, "t", 1, 1, "x");
        broker.publish(publisher, "t", 2, 2, "x");
        assert_eq!(broker.read(publisher), ["PUBACK 1 0x97", "PUBREC 2 0x97"]);
        broker.publish(publisher, "memory", 1, 3, "x");
        broker.publish(publisher, "t", 0, 0, "x");
        assert_eq!(broker.read(publisher), ["PUBACK 3"]);
        set(&mut broker, true);
        broker.publish(publisher, "t", 2, 2, "x");
        assert_eq!(broker.read(publisher), ["PUBREC 2"]);
    }
}

#[test]
fn nobody_gets_what_is_refused() {
    let mut broker = full(1);
    let other = broker.client("other");
    broker.subscribe(other, "t", 1);
    broker.publish(other, "t", 1, 1, "x");
    assert_eq!(broker.read(other), ["PUBACK 1 0x97"]);
}

#[test]
fn retained_messages_are_refused() {
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let client = broker.client("c");
    broker.retain(client, "t", 1, 1, "old");
    broker.retain(client, "u", 1, 1, "old");
    broker.read(client);
    set(&mut broker, false);
    broker.retain(client, "t", 1, 1, "new");
    assert_eq!(broker.read(client), ["PUBACK 1 0x97"]);
    // Taking one away makes room.
    broker.retain(client, "u", 1, 1, "");
    assert_eq!(broker.read(client), ["PUBACK 1 0x10"]);
    assert_eq!(broker.shared.retained.len(), 1);
    // What was retained is not wrong: nobody could be told otherwise.
    broker.retain(client, "t", 0, 0, "newest");
    assert_eq!((broker.shared.retained.len(), broker.counters().retained_refused), (0, 1));
}

#[test]
fn a_3_x_publisher_is_not_answered() {
    // [MQTT3-4.6.0-2]: nor is what follows, until it sends all of it again.
    for shards in [1, 2] {
        let mut broker = full(shards);
        let name = elsewhere(shards);
        let publisher = broker.online(&v311(&name));
        broker.publish(publisher, "t", 1, 1, "1");
        broker.publish(publisher, "memory", 1, 2, "2");
        broker.publish(publisher, "t", 2, 3, "3");
        broker.pubrel(publisher, 7);
        assert_eq!(broker.read(publisher), ["PUBCOMP 7"]);
        assert!(!broker.is_closed(publisher));
        set(&mut broker, true);
        assert!(broker.is_closed(publisher));
        let publisher = broker.online(&v311(&name));
        for (packet_id, level) in [(1, 1), (2, 1), (3, 2)] {
            broker.publish(publisher, "t", level, packet_id, "x");
        }
        assert_eq!(broker.read(publisher), ["PUBACK 1", "PUBACK 2", "PUBREC 3"]);
    }
}

#[test]
fn an_answer_that_is_withheld_late_does_not_end_the_next_exchange_with_its_packet_identifier() {
    // The client uses an identifier that is not free yet [MQTT3-2.3.1-2].
    let mut broker = full(1);
    set(&mut broker, true);
    let resumed = Connect { clean_start: false, ..v311("c") };
    let publisher = broker.online(&resumed);
    broker.commits = false;
    broker.publish(publisher, "t", 1, 2, "first");
    set(&mut broker, false);
    broker.publish(publisher, "t", 2, 1, "refused");
    set(&mut broker, true);
    broker.publish(publisher, "t", 2, 1, "x");
    broker.commits = true;
    broker.commit();
    assert!(broker.is_closed(publisher));
    let publisher = broker.connect(&resumed);
    broker.publish(publisher, "t", 2, 1, "x");
    assert_eq!(broker.read(publisher), ["CONNACK 0x00 present", "PUBREC 1"]);
    let subscriber = broker.connect(&resume("durable"));
    let received = broker.read(subscriber);
    assert_eq!(received.iter().filter(|text| text.ends_with(" x")).count(), 1, "{received:?}");
}

#[test]
fn a_3_x_session_takes_its_messages_as_new_ones() {
    for shards in [1, 2] {
        let mut broker = full(shards);
        let name = elsewhere(shards);
        let resumed = Connect { clean_start: false, ..v311(&name) };
        let publisher = broker.online(&resumed);
        broker.publish(publisher, "t", 2, 3, "x");
        set(&mut broker, true);
        assert!(broker.is_closed(publisher));
        let publisher = broker.connect(&resumed);
        broker.publish(publisher, "t", 2, 3, "x");
        assert_eq!(broker.read(publisher), ["CONNACK 0x00 present", "PUBREC 3"]);
        let subscriber = broker.connect(&resume("durable"));
        let received = broker.read(subscriber);
        assert_eq!(received.iter().filter(|text| text.ends_with(" x")).count(), 1);
    }
}

#[test]
fn what_was_stored_is_delivered() {
    let mut broker = full(1);
    let client = broker.connect(&resume("durable"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 dup stored before"]);
    broker.puback(client, 1);
    assert_eq!(broker.subscribe(client, "another", 1), ["SUBACK 60000 [01]"]);
}

#[test]
fn retained_messages_wait_for_the_store() {
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let client = broker.online(&resume("c"));
    broker.retain(client, "t", 1, 1, "x");
    broker.read(client);
    set(&mut broker, false);
    assert_eq!(broker.subscribe(client, "#", 1), ["SUBACK 60000 [01]"]);
    set(&mut broker, true);
    broker.tick();
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 retain x"]);
}
