//! Sessions: what outlives a connection.

use crate::arena::Arena;
use crate::client::Client;
use crate::line::Line;

/// What makes a session outlive its connection.
fn lasting(arena: &Arena) -> &'static str {
    if arena.is_v5() { "session_expiry=300" } else { "" }
}

fn back(arena: &Arena, id: &str, session_present: u8) -> Client {
    let mut client = arena.connecting(&format!("id={id} clean=0 {}", lasting(arena)));
    // In MQTT 3.1 CONNACK has no such flag.
    let session_present = if arena.version == 3 { 0 } else { session_present };
    client.expect(&format!("connected session_present={session_present}"));
    client
}

/// [MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-4.5.0-1] [MQTT-4.6.0-6] [MQTT3-3.1.2-4] [MQTT3-3.1.2-5] [MQTT3-3.2.2-2] [MQTT3-4.6.0-6]
pub(super) fn queue(arena: &Arena) {
    let mut away = back(arena, "away", 0);
    away.does("subscribe filter=news/# qos=2", "subscribed codes=2");
    away.disconnect();
    let mut publisher = arena.connected("publisher", "");
    for number in 0..20 {
        let qos = 1 + number % 2;
        publisher
            .does(&format!("publish topic=news/{number} payload={number} qos={qos}"), "published reason=0");
    }
    let mut away = back(arena, "away", 1);
    for number in 0..20 {
        let qos = 1 + number % 2;
        // The order is by topic: a library tells QoS 2 messages when PUBREL has come, others sooner.
        let message = away.next("message");
        let told: u32 = message.text("payload").and_then(|text| text.parse().ok()).expect("a number");
        let expected = format!("message topic=news/{told} payload={told} qos={} retain=0", 1 + told % 2);
        assert_eq!(message.to_string(), expected, "instead of {number} with QoS {qos}");
    }
    publisher.does("publish topic=news/live payload=x qos=1", "published reason=0");
    away.expect("message topic=news/live payload=x qos=1 retain=0");
    away.disconnect();
}

/// [MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT3-3.1.2-6] [MQTT3-3.2.2-1]
pub(super) fn clean(arena: &Arena) {
    let mut one = back(arena, "one", 0);
    one.does("subscribe filter=t qos=1", "subscribed codes=1");
    one.disconnect();
    arena.connected("one", "").disconnect();
    let mut one = back(arena, "one", 0);
    one.does("publish topic=t payload=x qos=1", arena.no_matching_subscribers());
    one.disconnect();
}

/// [MQTT-3.1.4-3] [MQTT3-3.1.4-2]
pub(super) fn takeover(arena: &Arena) {
    let mut first = back(arena, "one", 0);
    first.does("subscribe filter=t qos=1", "subscribed codes=1");
    let mut second = back(arena, "one", 1);
    first.expect(if arena.is_v5() { "closed reason=142" } else { "closed" });
    second.does("publish topic=t payload=mine qos=1", "published reason=0");
    second.expect("message topic=t payload=mine qos=1 retain=0");
    second.disconnect();
}

/// [MQTT-3.14.0-1]
pub(super) fn shutdown(arena: &Arena) {
    let mut one = arena.connected("one", "");
    one.does("publish topic=t payload=x qos=1", arena.no_matching_subscribers());
    arena.ferry.terminate();
    one.expect(if arena.is_v5() { "closed reason=139" } else { "closed" });
}

/// [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]
pub(super) fn assigned_id(arena: &Arena) {
    let mut nameless = arena.connecting("clean=1");
    let connected = nameless.next("connected");
    assert!(connected.text("assigned_id").is_some_and(|id| !id.is_empty()), "{connected}");
    nameless.does("subscribe filter=t qos=1", "subscribed codes=1");
    nameless.does("publish topic=t payload=x qos=1", "published reason=0");
    nameless.expect("message topic=t payload=x qos=1 retain=0");
    nameless.disconnect();
}

/// A will tells when a session has ended. [MQTT-3.1.2-23] [MQTT-4.1.0-2]
pub(super) fn expires(arena: &Arena) {
    let mut observer = arena.connected("observer", "");
    observer.does("subscribe filter=will qos=1", "subscribed codes=1");
    let will = "will_topic=will will_payload=over will_qos=1 will_delay=100";
    let mut short = arena.connected("short", &format!("session_expiry=1 {will}"));
    short.does("subscribe filter=t qos=1", "subscribed codes=1");
    short.kill();
    assert_eq!(observer.next("message").text("payload"), Some("over"));
    let mut again = arena.connecting("id=short clean=0");
    let connected: Line = again.next("connected");
    assert_eq!(connected.text("session_present"), Some("0"));
    again.disconnect();
    observer.disconnect();
}
