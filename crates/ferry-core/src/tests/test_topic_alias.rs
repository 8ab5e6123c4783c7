//! Topic aliases (section 3.3.2.3.4).

use std::num::NonZeroU32;

use ferry_codec::{Connect, Packet, Publish, QoS};

use super::harness::*;
use crate::*;

fn aliased(broker: &mut Broker, client: Client, topic: &str, alias: u16, payload: &str) {
    let publish =
        Publish { topic, topic_alias: Some(alias), payload: payload.as_bytes(), ..Publish::default() };
    broker.send(client, &Packet::Publish(publish));
}

fn takes(client_id: &str, maximum: u16) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.topic_alias_maximum = Some(maximum);
    packet
}

#[test]
fn an_alias_stands_for_its_topic() {
    // [MQTT-3.3.2-12]
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "#", 0);
    let client = broker.client("c");
    aliased(&mut broker, client, "a", 1, "1");
    aliased(&mut broker, client, "b", 32, "2");
    aliased(&mut broker, client, "", 1, "3");
    aliased(&mut broker, client, "c", 1, "4");
    aliased(&mut broker, client, "", 1, "5");
    aliased(&mut broker, client, "", 32, "6");
    let received = ["PUBLISH a q0 1", "PUBLISH b q0 2", "PUBLISH a q0 3"];
    assert_eq!(broker.read(watcher)[..3], received);
}

#[test]
fn an_alias_that_is_not_valid() {
    // U5-060 [MQTT-3.3.2-8] [MQTT-3.3.2-9] U5-061 U5-052
    for (topic, alias, code) in [("t", 0, "0x94"), ("t", 33, "0x94"), ("", 1, "0x82")] {
        let mut broker = Broker::new();
        let client = broker.client("c");
        aliased(&mut broker, client, topic, alias, "x");
        assert_eq!(broker.read(client), [format!("DISCONNECT {code}")]);
        assert!(broker.is_closed(client));
    }
    let mut broker = Broker::with(|config| config.topic_alias_maximum = 0);
    let client = broker.client("c");
    aliased(&mut broker, client, "t", 1, "x");
    assert_eq!(broker.read(client), ["DISCONNECT 0x94"]);
    let client = broker.client("c");
    broker.publish(client, "", 0, 0, "x");
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
}

#[test]
fn an_alias_ends_with_its_connection() {
    // [MQTT-3.3.2-7]
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    aliased(&mut broker, client, "t", 1, "x");
    let client = broker.online_again("c");
    aliased(&mut broker, client, "", 1, "x");
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
}

#[test]
fn a_refused_message_defines_its_alias() {
    // Trap 22.
    struct Rules;
    impl Authorizer for Rules {
        fn may_publish(&self, _: &Identity, _: &str, qos: QoS, _: bool) -> bool {
            qos != QoS::AtMostOnce
        }
        fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
            true
        }
    }
    let mut broker = Broker::with_rules(Rules);
    let client = broker.client("c");
    broker.subscribe(client, "t", 0);
    aliased(&mut broker, client, "t", 3, "refused");
    let publish = Publish { topic: "", topic_alias: Some(3), payload: b"x", ..Publish::default() };
    broker.publish_packet(client, 1, 1, publish);
    assert_eq!(broker.read(client), ["PUBLISH t q0 x", "PUBACK 1"]);
}

#[test]
fn the_busiest_topics_get_aliases() {
    // [MQTT-3.1.2-26] [MQTT-3.3.2-11]
    let mut broker = Broker::new();
    let client = broker.online(&takes("c", 1));
    broker.subscribe(client, "#", 1);
    let publisher = broker.client("p");
    for topic in ["busy/topic", "busy/topic", "other/topic"] {
        broker.publish(publisher, topic, 0, 0, "x");
    }
    broker.publish(publisher, "busy/topic", 1, 1, "x");
    assert_eq!(
        broker.read(client),
        [
            "PUBLISH busy/topic alias=1 q0 x",
            "PUBLISH  alias=1 q0 x",
            "PUBLISH other/topic q0 x",
            "PUBLISH  alias=1 q1 id=1 x",
        ]
    );
}

#[test]
fn no_aliases_for_who_takes_none() {
    // [MQTT-3.1.2-27]
    let mut broker = Broker::new();
    for packet in [connect("a"), takes("b", 0), Connect { protocol_version: V311, ..connect("c") }] {
        let client = broker.online(&packet);
        broker.subscribe(client, "long/topic", 0);
        for _ in 0..3 {
            broker.publish(client, "long/topic", 0, 0, "x");
        }
        assert_eq!(broker.read(client), ["PUBLISH long/topic q0 x"; 3]);
        broker.cut(client);
    }
}

#[test]
fn aliases_are_not_kept_for_the_next_connection() {
    // [MQTT-3.3.2-7]; what is sent again has its topic.
    let mut broker = Broker::new();
    let client = broker.online(&takes("c", 4));
    broker.subscribe(client, "long/topic", 1);
    let publisher = broker.client("p");
    for packet_id in [1, 2] {
        aliased(&mut broker, publisher, "long/topic", packet_id, "zero");
        broker.publish(publisher, "long/topic", 1, packet_id, "x");
    }
    broker.read(client);
    let client = broker.connect(&takes("c", 4));
    assert_eq!(
        broker.read(client)[1..],
        ["PUBLISH long/topic alias=1 q1 id=1 dup x", "PUBLISH  alias=1 q1 id=2 dup x"]
    );
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client)[1], "PUBLISH long/topic q1 id=1 dup x");
}

#[test]
fn identifiers_go_with_aliases() {
    let mut broker = Broker::new();
    let client = broker.online(&takes("c", 4));
    broker.subscribe_with(client, "long/topic", ferry_codec::SubscriptionOptions::with_qos(qos(1)), Some(7));
    let publisher = broker.client("p");
    for (level, packet_id) in [(0, 0), (1, 1)] {
        broker.publish(publisher, "long/topic", level, packet_id, "x");
    }
    assert_eq!(
        broker.read(client),
        ["PUBLISH long/topic alias=1 q0 sub=[7] x", "PUBLISH  alias=1 q1 id=1 sub=[7] x"]
    );
}

#[test]
fn an_alias_that_does_not_fit_is_not_established() {
    // [MQTT-3.1.2-24]; trap 22.
    let mut broker = Broker::new();
    let mut packet = takes("c", 4);
    packet.properties.maximum_packet_size = NonZeroU32::new(26);
    let client = broker.online(&packet);
    broker.subscribe(client, "long/topic", 0);
    let publisher = broker.client("p");
    // 2 fixed header, 12 topic, 1 property length: 11 are left, 8 with a new alias.
    for payload in ["12345678901", "1234567890", "12345678", "12345678"] {
        broker.publish(publisher, "long/topic", 0, 0, payload);
    }
    assert_eq!(
        broker.read(client),
        [
            "PUBLISH long/topic q0 12345678901",
            "PUBLISH long/topic q0 1234567890",
            "PUBLISH long/topic alias=3 q0 12345678",
            "PUBLISH  alias=3 q0 12345678",
        ]
    );
}
