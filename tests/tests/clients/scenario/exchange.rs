//! Messages from one client to another.

use crate::arena::Arena;
use crate::line::Line;

/// Each QoS, from one client to another and back, also to itself.
/// [MQTT-4.3.1-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-3.8.4-1] [MQTT-3.8.4-8] [MQTT3-4.3.1-1] [MQTT3-4.3.2-1] [MQTT3-4.3.3-1]
pub(super) fn every_qos(arena: &Arena) {
    let mut one = arena.connected("one", "");
    let mut other = arena.connected("other", "");
    one.does("subscribe filter=to/one qos=2", "subscribed codes=2");
    other.does("subscribe filter=to/other qos=2", "subscribed codes=2");
    for qos in 0..=2 {
        one.does(&format!("publish topic=to/other payload=ping qos={qos}"), "published reason=0");
        other.expect(&format!("message topic=to/other payload=ping qos={qos} retain=0"));
        other.does(&format!("publish topic=to/one payload=pong qos={qos}"), "published reason=0");
        one.expect(&format!("message topic=to/one payload=pong qos={qos} retain=0"));
        if arena.takes_packets_together() {
            one.does(&format!("publish topic=to/one payload=self qos={qos}"), "published reason=0");
            one.expect(&format!("message topic=to/one payload=self qos={qos} retain=0"));
        }
    }
    one.does("unsubscribe filter=to/one", "unsubscribed");
    other.does("publish topic=to/one payload=late qos=1", arena.no_matching_subscribers());
    other.disconnect();
    one.disconnect();
}

/// [MQTT-3.8.4-8] [MQTT3-3.8.4-6]
pub(super) fn lower_qos(arena: &Arena) {
    let mut publisher = arena.connected("publisher", "");
    for granted in 0..=2 {
        let mut subscriber = arena.connected(&format!("subscriber{granted}"), "");
        subscriber.does(&format!("subscribe filter=t qos={granted}"), &format!("subscribed codes={granted}"));
        for qos in 0..=2 {
            publisher.does(&format!("publish topic=t payload={qos} qos={qos}"), "published reason=0");
            subscriber.expect(&format!("message topic=t payload={qos} qos={} retain=0", granted.min(qos)));
        }
        subscriber.disconnect();
    }
}

/// [MQTT-4.7.3-4] [MQTT3-4.7.3-4]
pub(super) fn payload_sizes(arena: &Arena) {
    let mut one = arena.connected("one", "");
    one.does("subscribe filter=sizes/%C3%A9%20%C3%B6 qos=1", "subscribed codes=1");
    for size in [0_u32, 1, 127, 128, 16_383, 16_384, 300_000] {
        let bytes: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
        let order =
            Line::new("publish").with("topic", "sizes/é ö").with_bytes("payload", &bytes).with("qos", 1);
        one.order_line(&order);
        one.expect("published reason=0");
        let message = one.next("message");
        assert_eq!(message.text("topic"), Some("sizes/é ö"));
        assert!(message.bytes("payload") == Some(&bytes), "{size} bytes came back changed");
    }
    one.disconnect();
}

/// [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT3-4.7.1-2] [MQTT3-4.7.2-1]
pub(super) fn wildcards(arena: &Arena) {
    let mut one = arena.connected("one", "");
    let mut publisher = arena.connected("publisher", "");
    one.does("subscribe filter=+/b/# qos=1", "subscribed codes=1");
    for (topic, matches) in
        [("a/b", true), ("a/b/c/d", true), ("/b/", true), ("a/c", false), ("b", false), ("last/b", true)]
    {
        let published = if matches { "published reason=0" } else { arena.no_matching_subscribers() };
        publisher.does(&format!("publish topic={topic} payload=x qos=1"), published);
        if matches {
            one.expect(&format!("message topic={topic} payload=x qos=1 retain=0"));
        }
    }
    one.disconnect();
    publisher.disconnect();
}
