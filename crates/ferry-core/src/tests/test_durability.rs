//! What is recorded, and which answers wait for it.

use ferry_codec::{Connect, Packet, Publish, Will};

use super::harness::*;
use crate::*;

fn recorded() -> Broker {
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    broker.commits = false;
    broker
}

/// The names of the records since the last call.
fn records(broker: &mut Broker) -> Vec<String> {
    let name = |record: Record| {
        let text = format!("{record:?}");
        text.split([' ', '{']).next().unwrap().to_owned()
    };
    std::mem::take(&mut broker.records).into_iter().map(name).collect()
}

fn online(broker: &mut Broker, connect: &Connect<'_>) -> Client {
    let client = broker.connect(connect);
    broker.commit();
    broker.read(client);
    broker.records.clear();
    client
}

#[test]
fn nothing_waits_in_memory() {
    let mut broker = Broker::new();
    broker.commits = false;
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    broker.retain(client, "t", 2, 1, "x");
    broker.cut(client);
    assert!(broker.records.is_empty() && broker.tickets.is_empty());
}

#[test]
fn a_session_that_ends_with_its_connection_is_not_recorded() {
    let mut broker = recorded();
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "t", 2), ["SUBACK 60000 [02]"]);
    broker.publish(client, "t", 2, 1, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=1 x", "PUBREC 1"]);
    assert!(broker.records.is_empty());
}

#[test]
fn connack_waits() {
    // [MQTT-3.2.0-1]: and nothing else comes before it.
    let mut broker = recorded();
    let client = broker.connect(&resume("c"));
    broker.send(client, &Packet::Pingreq);
    assert!(broker.read(client).is_empty());
    assert_eq!(records(&mut broker), ["Session"]);
    broker.commit();
    assert_eq!(broker.read(client), ["CONNACK 0x00", "PINGRESP"]);
}

#[test]
fn suback_and_unsuback_wait() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    assert!(broker.subscribe(client, "t", 1).is_empty());
    assert_eq!(records(&mut broker), ["Subscribed"]);
    broker.commit();
    assert_eq!(broker.read(client), ["SUBACK 60000 [01]"]);
    assert!(broker.unsubscribe(client, "t").is_empty());
    assert_eq!(records(&mut broker), ["Unsubscribed"]);
    broker.commit();
    assert_eq!(broker.read(client), ["UNSUBACK 60001 [00]"]);
    // There is nothing to record.
    assert_eq!(broker.unsubscribe(client, "t"), ["UNSUBACK 60001 [11]"]);
}

#[test]
fn puback_waits_for_the_copies_of_durable_sessions() {
    let mut broker = recorded();
    let subscriber = online(&mut broker, &resume("s"));
    broker.subscribe(subscriber, "t", 1);
    broker.commit();
    broker.read(subscriber);
    broker.records.clear();
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    // The subscriber has it already.
    assert_eq!(broker.read(subscriber), ["PUBLISH t q1 id=1 x"]);
    assert_eq!(records(&mut broker), ["Queued"]);
    // QoS 0 and PINGREQ wait for nothing, but answers keep their order.
    broker.publish(publisher, "nobody", 1, 2, "y");
    broker.send(publisher, &Packet::Pingreq);
    assert_eq!(broker.read(publisher), ["PINGRESP"]);
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBACK 1", "PUBACK 2 0x10"]);
    broker.puback(subscriber, 1);
    assert_eq!(records(&mut broker), ["Completed"]);
}

#[test]
fn a_retained_message_is_durable_before_its_puback() {
    let mut broker = recorded();
    let client = broker.client("c");
    broker.retain(client, "t", 1, 1, "x");
    assert_eq!(records(&mut broker), ["Retained"]);
    assert!(broker.read(client).is_empty());
    broker.commit();
    assert_eq!(broker.read(client), ["PUBACK 1 0x10"]);
    broker.retain(client, "t", 1, 1, "");
    assert_eq!(records(&mut broker), ["RetainedCleared"]);
}

#[test]
fn qos_2_identifiers_are_durable() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    broker.publish(client, "t", 2, 1, "x");
    broker.publish(client, "t", 2, 1, "x");
    assert_eq!(records(&mut broker), ["Received"]);
    assert!(broker.read(client).is_empty());
    broker.commit();
    // The repeated one was not answered before the first was durable.
    assert_eq!(broker.read(client), ["PUBREC 1 0x10", "PUBREC 1"]);
    broker.pubrel(client, 1);
    broker.pubrel(client, 1);
    assert_eq!(records(&mut broker), ["ReceivedReleased"]);
    assert!(broker.read(client).is_empty());
    broker.commit();
    assert_eq!(broker.read(client), ["PUBCOMP 1", "PUBCOMP 1 0x92"]);
}

#[test]
fn the_sending_side_is_recorded() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    broker.subscribe(client, "t", 2);
    broker.commit();
    broker.cut(client);
    broker.records.clear();
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 2, 1, "x");
    assert_eq!(records(&mut broker), ["Queued"]);
    let client = broker.connect(&resume("c"));
    assert_eq!(records(&mut broker), ["Session"]);
    broker.commit();
    // The client must not know a message by a packet identifier that stands for another one after a restart.
    assert_eq!(broker.read(client), ["CONNACK 0x00 present"]);
    assert_eq!(records(&mut broker), ["Sent"]);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=1 x"]);
    // [MQTT-4.3.3-6]: after PUBREL the PUBLISH must not be sent again, not even after a restart.
    broker.pubrec(client, 1);
    broker.pubrec(client, 1);
    assert!(broker.read(client).is_empty());
    assert_eq!(records(&mut broker), ["Released"]);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBREL 1", "PUBREL 1"]);
    broker.pubcomp(client, 1);
    assert_eq!(records(&mut broker), ["Completed"]);
}

#[test]
fn a_qos_2_publish_waits_for_its_packet_identifier() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    broker.subscribe(client, "t", 2);
    broker.commit();
    broker.read(client);
    broker.records.clear();
    let publisher = broker.client("p");
    for level in [2, 1, 0] {
        broker.publish(publisher, "t", level, u16::from(level), "x");
    }
    assert_eq!(records(&mut broker), ["Queued", "Queued"]);
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=2 x", "PUBLISH t q0 x"]);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=1 x"]);
    // It may have been sent before, as far as the broker knows later.
    broker.publish(publisher, "t", 2, 3, "y");
    broker.cut(client);
    broker.commit();
    let client = broker.connect(&resume("c"));
    broker.commit();
    assert_eq!(
        broker.read(client)[1..],
        ["PUBLISH t q2 id=1 dup x", "PUBLISH t q1 id=2 dup x", "PUBLISH t q2 id=3 dup y"]
    );
}

#[test]
fn who_asks_for_more_than_the_store_takes_is_not_read() {
    let mut broker = recorded();
    broker.clients.reserve(1);
    let client = online(&mut broker, &resume("c"));
    for _ in 0..100_000 {
        broker.subscribe(client, "t", 0);
        if broker.clients[client].paused {
            break;
        }
    }
    assert!(broker.clients[client].paused && !broker.is_closed(client));
    // It is not the client's fault, however long it takes.
    broker.advance(1000);
    assert!(!broker.is_closed(client));
    broker.commit();
    broker.send(client, &Packet::Pingreq);
    assert_eq!(broker.read(client).last().unwrap(), "PINGRESP");
}

#[test]
fn wills_and_ends_are_recorded() {
    let mut broker = recorded();
    let will = Will { topic: "w", delay_interval_seconds: 5, ..Will::default() };
    let mut packet = Connect { will: Some(will), ..resume("c") };
    packet.properties.session_expiry_interval = Some(10);
    let client = broker.connect(&packet);
    assert_eq!(records(&mut broker), ["Session", "Will"]);
    broker.commit();
    broker.cut(client);
    assert_eq!(records(&mut broker), ["Session"]);
    broker.advance(5);
    assert_eq!(records(&mut broker), ["WillGone"]);
    broker.advance(5);
    assert_eq!(records(&mut broker), ["SessionEnded"]);
    let client = broker.connect(&packet);
    broker.commit();
    broker.records.clear();
    broker.disconnect(client);
    assert_eq!(records(&mut broker), ["WillGone", "Session"]);
}

#[test]
fn an_answer_to_a_closed_connection_is_forgotten() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    broker.publish(client, "t", 2, 1, "x");
    broker.cut(client);
    broker.commit();
    // The PUBLISH is known when its client comes back [MQTT-4.3.3-10].
    let client = broker.connect(&resume("c"));
    broker.publish(client, "t", 2, 1, "x");
    broker.commit();
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBREC 1"]);
}

#[test]
fn tickets_count_turns_with_records() {
    let mut broker = recorded();
    let client = online(&mut broker, &resume("c"));
    for number in 0..3 {
        broker.publish(client, "t", 2, number + 1, "x");
        broker.publish(client, "t", 0, 0, "x");
    }
    let tickets: Vec<_> = broker.tickets.iter().map(|(_, ticket)| ticket.0).collect();
    assert_eq!(tickets, [2, 3, 4]);
    // One commit stands for all before it.
    broker.tickets.drain(..2);
    broker.commit();
    assert_eq!(broker.read(client).len(), 3);
}

#[test]
fn a_refusal_that_waits_does_not_end_the_next_exchange_with_its_packet_identifier() {
    // The client uses an identifier that is not free yet [MQTT-2.2.1-4]. What it published was refused, and nobody has
    // it; what it publishes next is a message that others get, once [MQTT-4.3.3-10].
    let mut broker = recorded();
    let subscriber = online(&mut broker, &resume("s"));
    broker.subscribe(subscriber, "t", 2);
    broker.commit();
    broker.read(subscriber);
    let client = online(&mut broker, &resume("c"));
    broker.publish(client, "t", 1, 2, "first");
    broker.publish(client, "$SYS/x", 2, 1, "refused");
    broker.publish(client, "t", 2, 1, "x");
    broker.commit();
    assert_eq!(broker.read(client), ["PUBACK 2", "PUBREC 1 0x87", "PUBREC 1"]);
    let again = Publish { topic: "t", payload: b"x", dup: true, ..Publish::default() };
    broker.publish_packet(client, 2, 1, again);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBREC 1"]);
    broker.pubrel(client, 1);
    broker.commit();
    assert_eq!(broker.read(client), ["PUBCOMP 1"]);
    assert_eq!(broker.read(subscriber), ["PUBLISH t q1 id=1 first", "PUBLISH t q2 id=2 x"]);
}
