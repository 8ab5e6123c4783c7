//! PUBLISH to clients (sections 3.3, 4.3, 4.6, 4.9).

use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Ack, Connect, MessageProperties, Packet, Publish, ReasonCode, SubscriptionOptions};

use super::harness::*;
use crate::*;

fn sized(client_id: &str, maximum: u32) -> Connect<'_> {
    let mut packet = connect(client_id);
    packet.properties.maximum_packet_size = NonZeroU32::new(maximum);
    packet
}

#[test]
fn the_qos_is_the_lower_one() {
    // [MQTT-3.8.4-8] [MQTT3-3.8.4-6]
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    for granted in 0..=2 {
        let client = broker.client("c");
        broker.subscribe(client, "t", granted);
        for published in 0..=2 {
            broker.publish(publisher, "t", published, u16::from(published) * 100 + u16::from(granted), "");
            let level = granted.min(published);
            let received = broker.read(client);
            assert!(received[0].starts_with(&format!("PUBLISH t q{level}")), "{received:?}");
        }
    }
}

#[test]
fn the_retain_flag_of_a_live_message() {
    // [MQTT-3.3.1-12] [MQTT-3.3.1-13] [MQTT3-3.3.1-9]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "off", 2);
    let as_published = SubscriptionOptions { retain_as_published: true, ..Default::default() };
    broker.subscribe_with(client, "on", as_published, None);
    for topic in ["off", "on"] {
        broker.retain(client, topic, 0, 0, "r");
        broker.publish(client, topic, 0, 0, "x");
    }
    assert_eq!(
        broker.read(client),
        ["PUBLISH off q0 r", "PUBLISH off q0 x", "PUBLISH on q0 retain r", "PUBLISH on q0 x"]
    );
}

#[test]
fn a_subscriber_gets_no_more_than_receive_maximum() {
    // [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]
    let mut broker = Broker::new();
    let mut packet = connect("c");
    packet.properties.receive_maximum = NonZeroU16::new(2);
    let client = broker.online(&packet);
    broker.subscribe(client, "t", 2);
    for packet_id in 1..=4 {
        broker.publish(client, "t", 1 + (packet_id % 2) as u8, packet_id, &packet_id.to_string());
    }
    let publishes = |received: Vec<String>| -> Vec<String> {
        received.into_iter().filter(|line| line.starts_with("PUBLISH")).collect()
    };
    assert_eq!(publishes(broker.read(client)), ["PUBLISH t q2 id=1 1", "PUBLISH t q1 id=2 2"]);
    // QoS 0 and everything else flows [MQTT-3.3.4-10] [MQTT-4.9.0-3].
    broker.publish(client, "t", 0, 0, "zero");
    broker.send(client, &Packet::Pingreq);
    assert_eq!(broker.read(client), ["PUBLISH t q0 zero", "PINGRESP"]);
    // PUBREC does not give the place back, PUBCOMP does; trap 15.
    broker.pubrec(client, 1);
    assert_eq!(broker.read(client), ["PUBREL 1"]);
    broker.pubcomp(client, 1);
    assert_eq!(broker.read(client), ["PUBLISH t q2 id=3 3"]);
    // So does a refusal.
    broker.send(client, &Packet::Pubrec(Ack::new(id(3), ReasonCode::UNSPECIFIED_ERROR)));
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=4 4"]);
    assert_eq!(broker.drops(DropReason::RejectedByReceiver), 1);
}

#[test]
fn the_servers_own_window_holds() {
    let mut broker = Broker::with(|config| config.inflight_messages_max = NonZeroU16::new(1).unwrap());
    let client = broker.client("c");
    broker.subscribe(client, "t", 1);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "a");
    broker.publish(publisher, "t", 1, 2, "b");
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 a"]);
    assert_eq!((broker.counters().inflight_messages, broker.counters().queued_messages), (1, 1));
    broker.puback(client, 1);
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=2 b"]);
}

#[test]
fn messages_keep_their_order() {
    // [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT3-4.6.0-6]
    let mut broker = Broker::with(|config| config.inflight_messages_max = NonZeroU16::new(3).unwrap());
    let client = broker.client("c");
    broker.subscribe(client, "t", 1);
    let publisher = broker.client("p");
    for packet_id in 1..=20_u16 {
        broker.publish(publisher, "t", 1, packet_id, &packet_id.to_string());
    }
    let mut payloads = Vec::new();
    loop {
        let received = broker.read(client);
        if received.is_empty() {
            break;
        }
        for line in received {
            let mut words = line.rsplit(' ');
            payloads.push(words.next().unwrap().to_owned());
            let packet_id = words.next().unwrap().strip_prefix("id=").unwrap().parse().unwrap();
            broker.puback(client, packet_id);
        }
    }
    assert_eq!(payloads, (1..=20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn overlapping_subscriptions_once() {
    // [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT3-3.3.5-1]; trap 24.
    let mut broker = Broker::new();
    let client = broker.client("c");
    let options = |level| SubscriptionOptions::with_qos(qos(level));
    broker.subscribe_with(client, "a/#", options(0), Some(10));
    broker.subscribe_with(client, "a/+", options(2), Some(20));
    broker.subscribe_with(client, "a/b", options(1), None);
    let other = broker.client("other");
    broker.subscribe_with(other, "#", options(1), Some(99));
    let publisher = broker.client("p");
    broker.publish(publisher, "a/b", 2, 1, "x");
    assert_eq!(broker.read(client), ["PUBLISH a/b q2 id=1 sub=[10, 20] x"]);
    // Never the identifiers of others (U5-059).
    assert_eq!(broker.read(other), ["PUBLISH a/b q1 id=1 sub=[99] x"]);
}

#[test]
fn overlapping_subscriptions_each() {
    // [MQTT-3.3.4-5]
    let mut broker = Broker::with(|config| config.overlapping_subscriptions = OverlappingSubscriptions::Each);
    let client = broker.client("c");
    broker.subscribe_with(client, "a/#", SubscriptionOptions::default(), Some(10));
    broker.subscribe_with(client, "a/+", SubscriptionOptions::default(), Some(20));
    broker.publish(client, "a/b", 0, 0, "x");
    let mut received = broker.read(client);
    received.sort();
    assert_eq!(received, ["PUBLISH a/b q0 sub=[10] x", "PUBLISH a/b q0 sub=[20] x"]);
}

#[test]
fn identifiers_wait_in_the_queue_with_the_message() {
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe_with(client, "t", SubscriptionOptions::with_qos(qos(1)), Some(268_435_455));
    broker.cut(client);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client)[1], "PUBLISH t q1 id=1 sub=[268435455] x");
}

#[test]
fn many_subscribers_with_identifiers_of_their_own() {
    let mut broker = Broker::new();
    let clients: Vec<_> = (1..=30)
        .map(|number| {
            let client = broker.client(&number.to_string());
            let options = SubscriptionOptions::with_qos(qos((number % 2) as u8));
            broker.subscribe_with(client, "t", options, Some(number));
            client
        })
        .collect();
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    for (number, client) in (1..).zip(clients) {
        let line = if number % 2 == 0 {
            format!("PUBLISH t q0 sub=[{number}] x")
        } else {
            format!("PUBLISH t q1 id=1 sub=[{number}] x")
        };
        assert_eq!(broker.read(client), [line]);
    }
}

#[test]
fn no_local() {
    // [MQTT-3.8.3-3]
    let mut broker = Broker::new();
    let client = broker.client("c");
    let options = SubscriptionOptions { no_local: true, ..Default::default() };
    broker.subscribe_with(client, "t", options, None);
    broker.publish(client, "t", 0, 0, "own");
    let other = broker.client("other");
    broker.publish(other, "t", 0, 0, "other");
    assert_eq!(broker.read(client), ["PUBLISH t q0 other"]);
}

#[test]
fn a_bridge_of_3_1_1() {
    let mut broker = Broker::new();
    let bridge = broker.online(&Connect { protocol_version: V311, bridge: true, ..connect("b") });
    broker.subscribe(bridge, "t", 0);
    broker.retain(bridge, "t", 0, 0, "own");
    let other = broker.client("other");
    broker.retain(other, "t", 0, 0, "other");
    assert_eq!(broker.read(bridge), ["PUBLISH t q0 retain other"]);
}

#[test]
fn a_packet_too_large_for_one_subscriber() {
    // [MQTT-3.1.2-24] [MQTT-3.1.2-25]; trap 21, and trap 6: the fixed header counts.
    let mut broker = Broker::new();
    let small = broker.online(&sized("small", 20));
    let large = broker.client("large");
    for client in [small, large] {
        broker.subscribe(client, "t", 1);
    }
    let publisher = broker.client("p");
    // 2 fixed header, 3 topic, 2 packet identifier, 1 properties.
    broker.publish(publisher, "t", 1, 1, "123456789012");
    broker.publish(publisher, "t", 1, 2, "1234567890123");
    broker.publish(publisher, "t", 0, 0, "123456789012345");
    broker.publish(publisher, "t", 1, 3, "next");
    assert_eq!(broker.read(small), ["PUBLISH t q1 id=1 123456789012", "PUBLISH t q1 id=2 next"]);
    assert_eq!(broker.read(large).len(), 4);
    assert_eq!(broker.drops(DropReason::PacketTooLarge), 2);
    assert_eq!(broker.counters().inflight_messages, 4 + 1);
}

#[test]
fn a_packet_too_large_on_resume() {
    // Trap 21: it counts as delivered and blocks nothing.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, &"x".repeat(100));
    broker.publish(publisher, "t", 1, 2, "small");
    let mut packet = resume("c");
    packet.properties.maximum_packet_size = NonZeroU32::new(60);
    let client = broker.connect(&packet);
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 small"]);
    assert_eq!(broker.counters().inflight_messages, 1);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 dup small"]);
}

fn expiring(seconds: u32, payload: &'static str) -> Publish<'static> {
    let properties = MessageProperties { message_expiry_interval: Some(seconds), ..Default::default() };
    Publish { topic: "t", payload: payload.as_bytes(), properties, ..Publish::default() }
}

#[test]
fn messages_expire_while_they_wait() {
    // [MQTT-3.3.2-5] [MQTT-3.3.2-6]; trap 20.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    broker.cut(client);
    let publisher = broker.client("p");
    for (packet_id, seconds) in [(1, 5), (2, 60)] {
        broker.publish_packet(publisher, 1, packet_id, expiring(seconds, "x"));
    }
    broker.publish(publisher, "t", 1, 3, "for ever");
    broker.advance(20);
    let client = broker.connect(&resume("c"));
    assert_eq!(
        broker.read(client),
        ["CONNACK 0x00 present", "PUBLISH t q1 id=1 expiry=40 x", "PUBLISH t q1 id=2 for ever"]
    );
    assert_eq!(broker.drops(DropReason::Expired), 1);
}

#[test]
fn what_was_sent_does_not_expire() {
    // [MQTT-4.3.3-7] [MQTT-4.3.3-13]; trap 20.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    let publisher = broker.client("p");
    broker.publish_packet(publisher, 2, 1, expiring(5, "a"));
    broker.publish_packet(publisher, 2, 2, expiring(5, "b"));
    broker.read(client);
    broker.pubrec(client, 1);
    broker.cut(client);
    broker.advance(10);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBREL 1", "PUBLISH t q2 id=2 dup expiry=0 b"]);
    broker.pubcomp(client, 1);
    broker.pubrec(client, 2);
    assert_eq!(broker.read(client), ["PUBREL 2"]);
}

#[test]
fn qos_0_is_not_kept_for_who_is_away() {
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    broker.cut(client);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 0, 0, "x");
    assert_eq!(broker.drops(DropReason::Qos0Offline), 1);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present"]);
}

#[test]
fn a_receiver_without_permission() {
    struct Rules;
    impl Authorizer for Rules {
        fn may_publish(&self, _: &Identity, _: &str, _: ferry_codec::QoS, _: bool) -> bool {
            true
        }
        fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
            true
        }
        fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
            topic != "secret" || &*identity.client_id == "chief"
        }
        fn restricts_receiving(&self) -> bool {
            true
        }
    }
    let mut broker = Broker::with_rules(Rules);
    let chief = broker.client("chief");
    let clerk = broker.client("clerk");
    for client in [chief, clerk] {
        broker.subscribe(client, "#", 1);
    }
    for (level, packet_id) in [(0, 0), (1, 1)] {
        broker.publish(chief, "secret", level, packet_id, "x");
    }
    assert_eq!(broker.read(chief).len(), 3);
    assert!(broker.read(clerk).is_empty());
    assert_eq!(broker.drops(DropReason::NotAuthorized), 2);
}

#[test]
fn versions_are_translated() {
    let mut broker = Broker::new();
    let v31 = broker.online(&Connect { protocol_version: V31, ..connect("a") });
    let v311 = broker.online(&Connect { protocol_version: V311, ..connect("b") });
    for client in [v31, v311] {
        broker.subscribe(client, "t", 2);
    }
    let v5 = broker.client("c");
    broker.publish_packet(v5, 2, 1, expiring(60, "x"));
    for client in [v31, v311] {
        assert_eq!(broker.clients[client].received, [0x34, 6, 0, 1, b't', 0, 1, b'x']);
    }
}
