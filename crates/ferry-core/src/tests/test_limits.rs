//! Limits that end at the first byte too many, and the memory of what is idle.

use ferry_codec::{Packet, Publish, UserPropertiesBuf};

use super::harness::*;
use crate::*;

#[test]
fn a_packet_above_the_limit() {
    // U5-035; trap 6.
    let mut broker = Broker::with(|config| config.decode.packet_size_max = 200);
    let client = broker.client("c");
    // 3 fixed header, 3 topic, 1 property length.
    let publish = |payload: &[u8]| {
        let mut bytes = Vec::new();
        let packet = Packet::Publish(Publish { topic: "t", payload, ..Publish::default() });
        ferry_codec::encode(&packet, V5, &mut bytes);
        bytes
    };
    let fits = publish(&[b'x'; 193]);
    assert_eq!(fits.len(), 200);
    broker.send_bytes(client, &fits);
    assert!(!broker.is_closed(client));
    // The header is enough to know.
    broker.send_bytes(client, &publish(&[b'x'; 194])[..3]);
    assert_eq!(broker.read(client), ["DISCONNECT 0x95"]);
}

#[test]
fn too_many_user_properties() {
    // Trap 2.
    let mut broker = Broker::with(|config| config.decode.user_properties_max = 2);
    for (count, closed) in [(2, false), (3, true)] {
        let client = broker.client("c");
        let mut properties = UserPropertiesBuf::new();
        (0..count).for_each(|_| properties.push("n", "v"));
        let mut publish = Publish { topic: "t", ..Publish::default() };
        publish.properties.user_properties = properties.as_user_properties();
        broker.send(client, &Packet::Publish(publish));
        assert_eq!(broker.is_closed(client), closed);
    }
}

#[test]
fn too_many_topic_levels() {
    let mut broker = Broker::with(|config| config.decode.topic_levels_max = 3);
    let client = broker.client("c");
    broker.publish(client, "a/b/c", 0, 0, "x");
    assert!(!broker.is_closed(client));
    broker.publish(client, "a/b/c/d", 0, 0, "x");
    assert_eq!(broker.read(client), ["DISCONNECT 0x90"]);
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "a/b/c/#", 0), ["DISCONNECT 0x8F"]);
}

#[test]
fn new_limits_hold_after_a_reload() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let config = CoreConfig { subscriptions_per_session_max: 1, ..CoreConfig::default() };
    broker.handle(
        0,
        Event::Reload { config: std::sync::Arc::new(config), authorizer: std::sync::Arc::new(AllowAll) },
    );
    assert_eq!(broker.subscribe(client, "a", 0), ["SUBACK 60000 [00]"]);
    assert_eq!(broker.subscribe(client, "b", 0), ["SUBACK 60000 [97]"]);
}

#[test]
fn what_a_client_was_told_holds_after_a_reload() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let config = CoreConfig { topic_alias_maximum: 0, ..CoreConfig::default() };
    broker.handle(
        0,
        Event::Reload { config: std::sync::Arc::new(config), authorizer: std::sync::Arc::new(AllowAll) },
    );
    let publish = Publish { topic: "t", topic_alias: Some(32), ..Publish::default() };
    broker.send(client, &Packet::Publish(publish));
    assert!(!broker.is_closed(client));
}

#[test]
fn an_idle_client_costs_little() {
    let conn = size_of::<crate::conn::Conn>();
    let session = size_of::<crate::session::Session>();
    assert!(conn + session < 700, "{conn} {session}");
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let conn = broker.clients[client].conn;
    assert!(broker.shards[0].output(conn).unwrap().is_empty());
    assert_eq!(broker.shards[0].output(conn).unwrap().capacity(), 0);
}

#[test]
fn timers_do_not_pile_up() {
    let mut broker = Broker::new();
    for _ in 0..1000 {
        let mut packet = resume("c");
        packet.keep_alive_seconds = 60;
        packet.properties.session_expiry_interval = Some(1000);
        let client = broker.connect(&packet);
        broker.send(client, &Packet::Pingreq);
        broker.cut(client);
    }
    assert_eq!(broker.shards[0].timers.len(), 1);
}

#[test]
fn counters_know_what_passed() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "t", 1);
    broker.publish(client, "t", 1, 1, "12345");
    broker.puback(client, 1);
    let counters = broker.counters();
    assert_eq!((counters.packets_received[1], counters.packets_sent[2]), (1, 1));
    assert_eq!((counters.packets_received[8], counters.packets_sent[9]), (1, 1));
    assert_eq!((counters.packets_received[3], counters.packets_sent[3]), (1, 1));
    assert_eq!((counters.packets_received[4], counters.packets_sent[4]), (1, 1));
    assert_eq!((counters.publish_bytes_received, counters.publish_bytes_sent), (5, 5));
    assert_eq!((counters.publish_received_by_qos, counters.publish_sent_by_qos), ([0, 1, 0], [0, 1, 0]));
    let received = broker.clients[client].received.len() as u64;
    assert!(counters.bytes_sent > received && counters.bytes_received > 0);
    assert_eq!((counters.connections, counters.clients_connected, counters.clients_connected_max), (1, 1, 1));
}
