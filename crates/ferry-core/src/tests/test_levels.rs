//! What an acknowledgement means, for the broker and for some topics.

use super::harness::*;
use crate::*;

fn with(durability: Durability, by_filter: &[(&str, Durability)]) -> Broker {
    let mut broker = Broker::with(|config| {
        config.durability = durability;
        config.durability_by_filter =
            by_filter.iter().map(|(filter, durability)| ((*filter).into(), *durability)).collect();
    });
    broker.commits = false;
    broker
}

fn online(broker: &mut Broker, client_id: &str, filter: &str) -> Client {
    let client = broker.connect(&resume(client_id));
    broker.commit();
    broker.subscribe(client, filter, 2);
    broker.commit();
    broker.read(client);
    broker.wanted.clear();
    client
}

#[test]
fn with_the_operating_system() {
    let mut broker = with(Durability::Os, &[]);
    let client = broker.connect(&resume("c"));
    assert!(broker.read(client).is_empty());
    broker.write_to_os();
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    assert!(broker.subscribe(client, "t", 1).is_empty());
    broker.write_to_os();
    assert_eq!(broker.read(client), ["SUBACK 60000 [01]"]);
    assert_eq!(broker.wanted, [Durability::Os; 2]);
}

#[test]
fn on_the_disk() {
    let mut broker = with(Durability::Fsync, &[]);
    let client = online(&mut broker, "c", "t");
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 x"]);
    broker.write_to_os();
    assert!(broker.read(publisher).is_empty());
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    // Nobody waits for it to be known that the copy has arrived.
    broker.puback(client, 1);
    assert_eq!(broker.wanted, [Durability::Fsync, Durability::Memory]);
}

#[test]
fn the_first_filter_that_matches_counts() {
    let by_filter = [("a/b", Durability::Os), ("a/#", Durability::Memory)];
    let mut broker = with(Durability::Fsync, &by_filter);
    let client = online(&mut broker, "c", "#");
    broker.cut(client);
    broker.commit();
    broker.records.clear();
    broker.wanted.clear();
    let publisher = broker.client("p");
    broker.publish(publisher, "a/x", 1, 1, "memory");
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    broker.retain(publisher, "a/x", 1, 1, "memory");
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    assert!(broker.records.is_empty());
    broker.publish(publisher, "a/b", 1, 1, "os");
    broker.publish(publisher, "b", 1, 2, "fsync");
    assert_eq!(broker.wanted, [Durability::Os, Durability::Fsync]);
    broker.write_to_os();
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBACK 2"]);
    // What is only in memory is delivered, in its place.
    let client = broker.connect(&resume("c"));
    broker.commit();
    let received = broker.read(client);
    assert_eq!(received.len(), 5);
    for (text, payload) in received[1..].iter().zip(["memory", "memory", "os", "fsync"]) {
        assert!(text.ends_with(payload), "{text}");
    }
    // But it is not there after a crash.
    broker.commit();
    let config = (*broker.shared.config).clone();
    let (mut broker, _) = Broker::restored(1, config, &broker.store.after_crash(0), broker.now);
    let client = broker.connect(&resume("c"));
    assert_eq!(
        broker.read(client),
        ["CONNACK 0x00 present", "PUBLISH a/b q1 id=3 dup os", "PUBLISH b q1 id=4 dup fsync"]
    );
}

#[test]
fn only_some_messages_are_stored() {
    // Sessions are recorded for their sake, but nobody waits for that.
    let mut broker = with(Durability::Memory, &[("orders", Durability::Fsync)]);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    assert_eq!(broker.subscribe(client, "#", 1), ["SUBACK 60000 [01]"]);
    broker.cut(client);
    assert_eq!(broker.wanted, [Durability::Memory; 3]);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    broker.publish(publisher, "orders", 1, 1, "x");
    assert!(broker.read(publisher).is_empty());
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
}

#[test]
fn a_packet_identifier_is_not_forgotten_with_its_message() {
    // [MQTT-4.3.3-10]: the client would take the next message with it for the same one.
    let mut broker = with(Durability::Fsync, &[("memory", Durability::Memory)]);
    let client = online(&mut broker, "c", "#");
    let publisher = broker.client("p");
    broker.publish(publisher, "memory", 2, 1, "x");
    assert_eq!(broker.read(publisher), ["PUBREC 1"]);
    assert!(broker.read(client).is_empty());
    broker.commit();
    assert_eq!(broker.read(client), ["PUBLISH memory q2 id=1 x"]);
    let config = (*broker.shared.config).clone();
    let (mut broker, report) = Broker::restored(1, config, &broker.store.after_crash(0), broker.now);
    assert!(report.flaws.is_empty());
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBREL 1"]);
    broker.publish(client, "t", 2, 1, "y");
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=2 y", "PUBREC 1"]);
    broker.pubcomp(client, 1);
    broker.pubrec(client, 2);
    broker.pubcomp(client, 2);
    broker.pubrel(client, 1);
    assert_eq!(broker.counters().inflight_messages, 0);
}

#[test]
fn a_qos_2_exchange_of_an_unstored_message() {
    let mut broker = with(Durability::Fsync, &[("memory", Durability::Memory)]);
    let client = online(&mut broker, "c", "other");
    broker.records.clear();
    broker.publish(client, "memory", 2, 1, "x");
    broker.pubrel(client, 1);
    assert_eq!(broker.read(client), ["PUBREC 1 0x10", "PUBCOMP 1"]);
    assert!(broker.records.is_empty());
    // One that is not known may have been, and that may not be durable.
    broker.publish(client, "stored", 2, 2, "x");
    broker.commit();
    broker.pubrel(client, 2);
    broker.pubrel(client, 2);
    assert_eq!(broker.read(client), ["PUBREC 2 0x10"]);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBCOMP 2", "PUBCOMP 2 0x92"]);
}

#[test]
fn an_answer_may_need_more_than_its_batch_did() {
    // The first PUBLISH wanted its batch written; what repeats it under another level gets a batch of its own.
    let mut broker = with(Durability::Os, &[("t", Durability::Fsync)]);
    let client = online(&mut broker, "c", "other");
    broker.publish(client, "a", 2, 1, "x");
    assert_eq!(broker.wanted, [Durability::Os]);
    broker.write_to_os();
    assert_eq!(broker.read(client), ["PUBREC 1 0x10"]);
    // An exchange ends with the strongest of all levels.
    broker.pubrel(client, 1);
    assert_eq!(broker.wanted, [Durability::Os, Durability::Fsync]);
    broker.pubrel(client, 1);
    assert_eq!(broker.wanted, [Durability::Os, Durability::Fsync, Durability::Fsync]);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBCOMP 1", "PUBCOMP 1 0x92"]);
}
