//! PUBLISH from clients (section 3.3, 4.3).

use std::num::NonZeroU16;

use ferry_codec::{Connect, MessageProperties, Packet, Publish, QoS, ReasonCode, UserPropertiesBuf};

use super::harness::*;
use crate::*;

/// Nobody may publish below `secret/`.
struct Secret;

impl Authorizer for Secret {
    fn may_publish(&self, _: &Identity, topic: &str, _: QoS, _: bool) -> bool {
        !topic.starts_with("secret/")
    }
    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }
}

#[test]
fn each_qos_has_its_answer() {
    // [MQTT-3.3.4-1] [MQTT3-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-2.2.1-5]
    for version in [V31, V311, V5] {
        let mut broker = Broker::new();
        let watcher = broker.client("w");
        broker.subscribe(watcher, "t", 2);
        let client = broker.online(&Connect { protocol_version: version, ..connect("c") });
        broker.publish(client, "t", 0, 0, "a");
        assert!(broker.read(client).is_empty());
        broker.publish(client, "t", 1, 7, "b");
        assert_eq!(broker.read(client), ["PUBACK 7"]);
        broker.publish(client, "t", 2, 8, "c");
        assert_eq!(broker.read(client), ["PUBREC 8"]);
        broker.pubrel(client, 8);
        assert_eq!(broker.read(client), ["PUBCOMP 8"]);
        assert_eq!(broker.read(watcher), ["PUBLISH t q0 a", "PUBLISH t q1 id=1 b", "PUBLISH t q2 id=2 c"]);
    }
}

#[test]
fn nobody_has_subscribed() {
    let mut broker = Broker::new();
    for (version, suffix) in [(V5, " 0x10"), (V311, "")] {
        let client = broker.online(&Connect { protocol_version: version, ..connect("c") });
        broker.publish(client, "t", 1, 1, "x");
        broker.publish(client, "t", 2, 2, "x");
        assert_eq!(broker.read(client), [format!("PUBACK 1{suffix}"), format!("PUBREC 2{suffix}")]);
    }
    assert_eq!(broker.counters().publish_unmatched, 4);
}

#[test]
fn a_repeated_qos_1_message_is_a_new_one() {
    // [MQTT-4.3.2-5] [MQTT3-4.3.2-2]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "t", 0);
    for _ in 0..2 {
        let publish = Publish { topic: "t", dup: true, payload: b"x", ..Publish::default() };
        broker.publish_packet(client, 1, 3, publish);
    }
    // [MQTT-3.3.1-3] [MQTT-3.3.1-2] [MQTT3-3.3.1-3]: DUP is not passed on.
    assert_eq!(broker.read(client), ["PUBLISH t q0 x", "PUBACK 3", "PUBLISH t q0 x", "PUBACK 3"]);
}

#[test]
fn a_repeated_qos_2_message_is_not_routed_again() {
    // [MQTT-4.3.3-10] [MQTT3-4.3.3-2]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "t", 0);
    for _ in 0..3 {
        broker.publish(client, "t", 2, 3, "x");
    }
    assert_eq!(broker.read(client), ["PUBLISH t q0 x", "PUBREC 3", "PUBREC 3", "PUBREC 3"]);
}

#[test]
fn an_unknown_pubrel() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.pubrel(client, 3);
    assert_eq!(broker.read(client), ["PUBCOMP 3 0x92"]);
    let client = broker.online(&Connect { protocol_version: V311, ..connect("c") });
    broker.pubrel(client, 3);
    assert_eq!(broker.read(client), ["PUBCOMP 3"]);
}

#[test]
fn a_packet_identifier_in_use() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "t", 0);
    broker.publish(client, "t", 2, 3, "two");
    broker.publish(client, "t", 1, 3, "one");
    assert_eq!(broker.read(client), ["PUBLISH t q0 two", "PUBREC 3", "PUBACK 3 0x91"]);
}

#[test]
fn no_permission() {
    // Trap 30.
    let mut broker = Broker::with_rules(Secret);
    let watcher = broker.client("w");
    broker.subscribe(watcher, "#", 0);
    let v5 = broker.client("c5");
    for (level, packet_id) in [(0, 0), (1, 1), (2, 2), (2, 2)] {
        broker.publish(v5, "secret/x", level, packet_id, "x");
    }
    // [MQTT-4.3.3-9]: a refused PUBREC ends the exchange.
    assert_eq!(broker.read(v5), ["PUBACK 1 0x87", "PUBREC 2 0x87", "PUBREC 2 0x87"]);
    broker.pubrel(v5, 2);
    assert_eq!(broker.read(v5), ["PUBCOMP 2 0x92"]);
    // [MQTT3-3.3.5-2]
    let v311 = broker.online(&Connect { protocol_version: V311, ..connect("c3") });
    broker.publish(v311, "secret/x", 1, 1, "x");
    broker.publish(v311, "secret/x", 2, 2, "x");
    broker.pubrel(v311, 2);
    assert_eq!(broker.read(v311), ["PUBACK 1", "PUBREC 2", "PUBCOMP 2"]);
    assert!(broker.read(watcher).is_empty());
    assert_eq!(broker.counters().publish_refused, 6);
}

#[test]
fn a_3_client_without_permission_may_be_disconnected() {
    // [MQTT3-3.3.5-2]
    let mut broker = Broker::with_shards(1, std::sync::Arc::new(Secret), |config| {
        config.denied_v3_publish = DeniedPublish::Close;
    });
    let client = broker.online(&Connect { protocol_version: V311, ..connect("c") });
    broker.publish(client, "secret/x", 1, 1, "x");
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn nobody_publishes_below_sys_but_the_broker() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "$SYS/#", 0);
    broker.publish(client, "$SYS/broker/uptime", 1, 1, "fake");
    assert_eq!(broker.read(client), ["PUBACK 1 0x87"]);
    broker.handle(
        0,
        Event::Publish(ServerPublish {
            topic: "$SYS/broker/uptime",
            payload: b"12",
            qos: qos(0),
            retain: true,
            properties: MessageProperties::default(),
        }),
    );
    assert_eq!(broker.read(client), ["PUBLISH $SYS/broker/uptime q0 12"]);
    let late = broker.client("late");
    assert_eq!(broker.subscribe(late, "$SYS/#", 0)[1], "PUBLISH $SYS/broker/uptime q0 retain 12");
}

#[test]
fn more_than_receive_maximum() {
    // [MQTT-3.3.4-7] [MQTT-4.9.0-2]; trap 15: 0x93 and not a refused PUBREC.
    let mut broker = Broker::with(|config| config.receive_maximum = NonZeroU16::new(2).unwrap());
    let client = broker.client("c");
    broker.publish(client, "t", 2, 1, "x");
    broker.publish(client, "t", 2, 2, "x");
    // QoS 1 and 2 share the quota; QoS 0 is free of it [MQTT-4.9.0-3].
    broker.publish(client, "t", 0, 0, "x");
    broker.read(client);
    broker.publish(client, "t", 1, 3, "x");
    assert_eq!(broker.read(client), ["DISCONNECT 0x93"]);
    assert!(broker.is_closed(client));
}

#[test]
fn receive_maximum_may_be_a_wish() {
    let mut broker = Broker::with(|config| {
        config.receive_maximum = NonZeroU16::new(1).unwrap();
        config.receive_maximum_strict = false;
    });
    let client = broker.client("c");
    broker.publish(client, "t", 2, 1, "x");
    broker.publish(client, "t", 2, 2, "x");
    assert_eq!(broker.read(client), ["PUBREC 1 0x10", "PUBREC 2 0x10"]);
    assert_eq!(broker.counters().receive_maximum_excesses, 1);
}

#[test]
fn endless_qos_2_without_pubrel() {
    // Trap 16: over many connections, as each has its own Receive Maximum.
    let mut broker = Broker::with(|config| {
        config.receive_maximum = NonZeroU16::new(2).unwrap();
        config.qos2_awaiting_release_max = 3;
    });
    let client = broker.online(&resume("c"));
    broker.publish(client, "t", 2, 1, "x");
    broker.publish(client, "t", 2, 2, "x");
    let client = broker.connect(&resume("c"));
    broker.publish(client, "t", 2, 3, "x");
    broker.publish(client, "t", 2, 4, "x");
    assert_eq!(broker.read(client)[1..], ["PUBREC 3 0x10", "PUBREC 4 0x97"]);
    // 3.x cannot be told [MQTT3-4.8.0-2].
    let old = Connect { protocol_version: V311, clean_start: false, ..resume("c") };
    let client = broker.connect(&old);
    broker.publish(client, "t", 2, 5, "x");
    assert_eq!(broker.read(client), ["CONNACK 0x00 present"]);
    assert!(broker.is_closed(client));
}

#[test]
fn a_qos_that_is_not_supported() {
    // U5-031 [MQTT-3.2.2-11]
    let mut broker = Broker::with(|config| config.maximum_qos = QoS::AtLeastOnce);
    for (version, answer) in [(V5, vec!["DISCONNECT 0x9B"]), (V311, vec![])] {
        let client = broker.online(&Connect { protocol_version: version, ..connect("c") });
        broker.publish(client, "t", 2, 1, "x");
        assert_eq!(broker.read(client), answer);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn retain_that_is_not_supported() {
    // U5-033 [MQTT-3.2.2-14]
    let mut broker = Broker::with(|config| config.retain_available = false);
    let v5 = broker.client("a");
    broker.retain(v5, "t", 0, 0, "x");
    assert_eq!(broker.read(v5), ["DISCONNECT 0x9A"]);
    let v311 = broker.online(&Connect { protocol_version: V311, ..connect("b") });
    broker.subscribe(v311, "t", 0);
    broker.retain(v311, "t", 0, 0, "x");
    assert_eq!(broker.read(v311), ["PUBLISH t q0 x"]);
    assert!(broker.shards[0].shared.retained.is_empty());
}

#[test]
fn a_payload_that_is_not_what_it_says() {
    // U5-053
    let mut broker = Broker::with(|config| config.payload_format_check = true);
    let client = broker.client("c");
    broker.subscribe(client, "t", 0);
    let properties = MessageProperties { payload_format_indicator: Some(true), ..Default::default() };
    for (level, packet_id) in [(0, 0), (1, 1), (2, 2)] {
        let publish = Publish { topic: "t", payload: b"\xFF", properties, ..Publish::default() };
        broker.publish_packet(client, level, packet_id, publish);
    }
    assert_eq!(broker.read(client), ["PUBACK 1 0x99", "PUBREC 2 0x99"]);
    let mut relaxed = Broker::new();
    let client = relaxed.client("c");
    relaxed.subscribe(client, "t", 0);
    let publish = Publish { topic: "t", payload: b"\xFF", properties, ..Publish::default() };
    relaxed.publish_packet(client, 0, 0, publish);
    assert_eq!(relaxed.read(client).len(), 1);
}

#[test]
fn properties_are_forwarded_unaltered() {
    // [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
    let mut user_properties = UserPropertiesBuf::new();
    for (name, value) in [("b", "1"), ("a", "2"), ("b", "1"), ("", "")] {
        user_properties.push(name, value);
    }
    let properties = MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(10),
        content_type: Some("text"),
        response_topic: Some("reply"),
        correlation_data: Some(&[0, 1]),
        user_properties: user_properties.as_user_properties(),
    };
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    let online = broker.client("online");
    broker.subscribe(online, "t", 0);
    let later = broker.online(&resume("later"));
    broker.subscribe(later, "t", 1);
    broker.cut(later);
    broker.publish_packet(publisher, 1, 1, Publish { topic: "t", properties, ..Publish::default() });
    let later = broker.connect(&resume("later"));
    for client in [online, later] {
        let publishes = broker.read_with(client, |packet| match packet {
            Packet::Publish(publish) => {
                assert_eq!(publish.properties, properties);
                1
            }
            _ => 0,
        });
        assert_eq!(publishes.iter().sum::<u32>(), 1);
    }
}

#[test]
fn a_packet_that_only_a_server_sends() {
    let mut broker = Broker::new();
    for packet in [&[0xD0, 0][..], &[0x20, 3, 0, 0, 0], &[0x90, 4, 0, 1, 0, 0], &[0xB0, 4, 0, 1, 0, 0]] {
        let client = broker.client("c");
        broker.send_bytes(client, packet);
        assert_eq!(broker.read(client), ["DISCONNECT 0x82"], "{packet:?}");
        assert!(broker.is_closed(client));
    }
}

#[test]
fn a_malformed_packet_ends_the_connection() {
    // [MQTT-4.13.1-1] [MQTT3-4.8.0-1]; others are not disturbed.
    let mut broker = Broker::new();
    let other = broker.client("other");
    for (bytes, code) in [
        (&[0x36, 5, 0, 1, b't', 0, 1][..], 0x81),
        (&[0x30, 5, 0, 2, 0xC3, 0x28, 0], 0x81),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81),
        (&[0x30, 4, 0, 1, b'#', 0], 0x90),
        (&[0xC1, 0], 0x81),
    ] {
        let client = broker.client("c");
        broker.send_bytes(client, bytes);
        assert_eq!(broker.read(client), [format!("DISCONNECT 0x{code:02X}")], "{bytes:?}");
        assert!(broker.is_closed(client));
        assert!(broker.counters().refusals.of(ReasonCode::new(code)) > 0);
    }
    broker.send(other, &Packet::Pingreq);
    assert_eq!(broker.read(other), ["PINGRESP"]);
}
