//! Acknowledgements of clients (sections 3.4 to 3.7, 4.3).

use ferry_codec::{Ack, Connect, Packet, ReasonCode};

use super::harness::*;

fn with_message(level: u8) -> (Broker, Client) {
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", level);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", level, 1, "x");
    broker.pubrel(publisher, 1);
    assert_eq!(broker.read(client), [format!("PUBLISH t q{level} id=1 x")]);
    (broker, client)
}

#[test]
fn qos_1() {
    // [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT3-4.3.2-1]
    let (mut broker, client) = with_message(1);
    assert_eq!(broker.counters().inflight_messages, 1);
    broker.puback(client, 1);
    assert_eq!(broker.counters().inflight_messages, 0);
    // Once more is harmless.
    broker.puback(client, 1);
    broker.online_again("c");
}

#[test]
fn qos_2() {
    // [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-2.2.1-5] [MQTT3-4.3.3-1]
    let (mut broker, client) = with_message(2);
    broker.pubrec(client, 1);
    assert_eq!(broker.read(client), ["PUBREL 1"]);
    assert_eq!(broker.counters().inflight_messages, 1);
    // A repeated PUBREC is answered again.
    broker.pubrec(client, 1);
    assert_eq!(broker.read(client), ["PUBREL 1"]);
    broker.pubcomp(client, 1);
    assert_eq!(broker.counters().inflight_messages, 0);
    broker.pubcomp(client, 1);
    broker.online_again("c");
}

#[test]
fn a_refusal_completes_the_exchange() {
    // [MQTT-4.4.0-2]; trap 19: and does not close the connection.
    for level in [1, 2] {
        let (mut broker, client) = with_message(level);
        let ack = Ack::new(id(1), ReasonCode::UNSPECIFIED_ERROR);
        broker.send(client, &if level == 1 { Packet::Puback(ack) } else { Packet::Pubrec(ack) });
        assert!(broker.read(client).is_empty() && !broker.is_closed(client));
        assert_eq!(broker.counters().inflight_messages, 0);
        broker.online_again("c");
    }
}

#[test]
fn an_unknown_pubrec() {
    // Section 3.6.2.1: PUBREL says so.
    let (mut broker, client) = with_message(1);
    broker.pubrec(client, 9);
    assert_eq!(broker.read(client), ["PUBREL 9 0x92"]);
    let client = broker.online(&Connect { protocol_version: V311, ..connect("old") });
    broker.pubrec(client, 9);
    assert_eq!(broker.read(client), ["PUBREL 9"]);
}

#[test]
fn an_acknowledgement_of_the_wrong_kind() {
    for (level, wrong) in [(1, 2), (2, 1)] {
        let (mut broker, client) = with_message(level);
        let ack = Ack::new(id(1), ReasonCode::SUCCESS);
        broker.send(client, &if wrong == 1 { Packet::Puback(ack) } else { Packet::Pubrec(ack) });
        assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
        // Nothing is lost by it.
        let client = broker.connect(&resume("c"));
        assert_eq!(broker.read(client)[1], format!("PUBLISH t q{level} id=1 dup x"));
    }
}

#[test]
fn the_two_sides_have_packet_identifiers_of_their_own() {
    // Trap 18.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "t", 2);
    broker.publish(client, "t", 2, 1, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=1 x", "PUBREC 1"]);
    broker.pubrec(client, 1);
    broker.pubrel(client, 1);
    broker.pubcomp(client, 1);
    assert_eq!(broker.read(client), ["PUBREL 1", "PUBCOMP 1"]);
}

#[test]
fn packet_identifiers_in_use_are_skipped() {
    // [MQTT-2.2.1-4] [MQTT3-2.3.1-4]; trap 18.
    let mut broker = Broker::with(|config| {
        config.inflight_messages_max = std::num::NonZeroU16::MAX;
        config.queue_messages_max = 10;
    });
    let client = broker.client("c");
    broker.subscribe(client, "t", 1);
    let publisher = broker.client("p");
    for _ in 0..65_535 {
        broker.publish(publisher, "t", 1, 1, "");
    }
    assert_eq!(broker.counters().inflight_messages, 65_535);
    // All are taken: the next one waits, and nothing spins.
    broker.publish(publisher, "t", 1, 1, "waits");
    assert_eq!(broker.counters().queued_messages, 1);
    assert_eq!(broker.read(client).len(), 65_535);
    broker.puback(client, 777);
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=777 waits"]);
}

#[test]
fn requests_for_silence_are_heard() {
    // [MQTT-3.1.2-29] [MQTT-3.4.2-2] [MQTT-3.7.2-2]
    let mut broker = Broker::new();
    for silent in [false, true] {
        let mut packet = connect("c");
        packet.properties.request_problem_information = Some(!silent);
        let client = broker.online(&packet);
        broker.publish(client, "$SYS/x", 1, 1, "");
        broker.publish(client, "$SYS/x", 2, 2, "");
        broker.pubrel(client, 9);
        broker.pubrec(client, 9);
        let words = broker.read_with(client, |packet| match packet {
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubcomp(ack) | Packet::Pubrel(ack) => {
                ack.reason_string.is_some()
            }
            packet => panic!("{packet:?}"),
        });
        assert_eq!(words, [!silent; 4]);
    }
}
