//! Wills (sections 3.1.2.5, 3.1.3.2).

use ferry_codec::{Connect, Disconnect, MessageProperties, Packet, QoS, ReasonCode, UserPropertiesBuf, Will};

use super::harness::*;
use crate::*;

const WILL: Will<'static> = Will {
    topic: "will",
    payload: b"gone",
    qos: QoS::AtMostOnce,
    retain: false,
    delay_interval_seconds: 0,
    properties: MessageProperties {
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: ferry_codec::UserProperties::EMPTY,
    },
};

fn delayed(seconds: u32) -> Will<'static> {
    Will { delay_interval_seconds: seconds, ..WILL }
}

fn with_will(will: Will<'static>) -> Connect<'static> {
    Connect { will: Some(will), ..resume("c") }
}

fn with_watcher() -> (Broker, Client) {
    let mut broker = Broker::new();
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "#", 2);
    (broker, watcher)
}

const PUBLISHED: [&str; 1] = ["PUBLISH will q0 gone"];

#[test]
fn a_will_is_published_when_the_network_breaks() {
    // [MQTT-3.1.2-8] [MQTT3-3.1.2-8] [MQTT-3.1.2-10] [MQTT3-3.1.2-10] [MQTT-3.1.2-7]
    for version in [V31, V311, V5] {
        let (mut broker, watcher) = with_watcher();
        let client = broker.online(&Connect { protocol_version: version, ..with_will(WILL) });
        broker.cut(client);
        assert_eq!(broker.read(watcher), PUBLISHED);
        // Once.
        let client = broker.connect(&Connect { protocol_version: version, will: None, ..with_will(WILL) });
        broker.cut(client);
        assert!(broker.read(watcher).is_empty());
        assert_eq!(broker.counters().wills_published, 1);
    }
}

#[test]
fn a_will_is_deleted_by_disconnect() {
    // [MQTT-3.14.4-3] [MQTT3-3.14.4-3] [MQTT3-3.1.2-12]
    for version in [V311, V5] {
        let (mut broker, watcher) = with_watcher();
        let client = broker.online(&Connect { protocol_version: version, ..with_will(WILL) });
        broker.disconnect(client);
        broker.advance(100);
        assert!(broker.is_closed(client) && broker.read(watcher).is_empty());
    }
}

#[test]
fn any_other_disconnect_keeps_the_will() {
    // Trap 10.
    for code in [ReasonCode::DISCONNECT_WITH_WILL_MESSAGE, ReasonCode::UNSPECIFIED_ERROR] {
        let (mut broker, watcher) = with_watcher();
        let client = broker.online(&with_will(WILL));
        broker.send(client, &Packet::Disconnect(Disconnect::new(code)));
        assert_eq!(broker.read(watcher), PUBLISHED);
    }
}

#[test]
fn a_will_is_published_for_whatever_ends_the_connection() {
    // [MQTT-3.1.2-8]
    let (mut broker, watcher) = with_watcher();
    let malformed = broker.online(&with_will(WILL));
    broker.send_bytes(malformed, &[0xC1, 0]);
    assert_eq!(broker.read(watcher), PUBLISHED);
    let silent = broker.online_with_present(&Connect { keep_alive_seconds: 10, ..with_will(WILL) });
    broker.advance(15);
    assert!(broker.is_closed(silent));
    assert_eq!(broker.read(watcher), PUBLISHED);
    broker.online_with_present(&with_will(WILL));
    broker.handle(
        0,
        Event::Disconnect {
            client_id: "c",
            reason_code: ReasonCode::ADMINISTRATIVE_ACTION,
            reason_string: None,
            server_reference: None,
        },
    );
    assert_eq!(broker.read(watcher), PUBLISHED);
}

#[test]
fn a_delayed_will() {
    // [MQTT-3.1.2-8]
    let (mut broker, watcher) = with_watcher();
    let client = broker.online(&with_will(delayed(30)));
    broker.cut(client);
    broker.advance(29);
    assert!(broker.read(watcher).is_empty());
    broker.advance(1);
    assert_eq!(broker.read(watcher), PUBLISHED);
    broker.advance(1000);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn a_delayed_will_is_cancelled_by_coming_back() {
    // [MQTT-3.1.3-9]
    let (mut broker, watcher) = with_watcher();
    let client = broker.online(&with_will(delayed(30)));
    broker.cut(client);
    broker.advance(29);
    broker.online_again("c");
    broker.advance(100);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn a_will_that_was_due_is_not_cancelled() {
    let (mut broker, watcher) = with_watcher();
    let client = broker.online(&with_will(delayed(30)));
    broker.cut(client);
    // The timer is late.
    broker.now = broker.now.plus_seconds(30);
    broker.online_again("c");
    assert_eq!(broker.read(watcher), PUBLISHED);
    broker.advance(100);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn a_delayed_will_does_not_wait_for_longer_than_the_session() {
    // [MQTT-3.1.2-8]; trap 10.
    let (mut broker, watcher) = with_watcher();
    let mut packet = with_will(delayed(30));
    packet.properties.session_expiry_interval = Some(10);
    let client = broker.online(&packet);
    broker.cut(client);
    broker.advance(10);
    assert_eq!(broker.read(watcher), PUBLISHED);
    packet.properties.session_expiry_interval = Some(0);
    let client = broker.online(&packet);
    broker.cut(client);
    assert_eq!(broker.read(watcher), PUBLISHED);
    // Ended by Clean Start.
    let client = broker.online(&with_will(delayed(30)));
    broker.cut(client);
    broker.online(&connect("c"));
    assert_eq!(broker.read(watcher), PUBLISHED);
    broker.advance(100);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn wills_on_takeover() {
    // Trap 9: sent if there is no delay, or the old session ends with its connection, or Clean Start.
    for (delay, expiry, clean_start, published) in [
        (0, NEVER, false, true),
        (30, NEVER, false, false),
        (30, NEVER, true, true),
        (30, 0, false, true),
        (0, 0, true, true),
    ] {
        let (mut broker, watcher) = with_watcher();
        let mut packet = with_will(delayed(delay));
        packet.properties.session_expiry_interval = Some(expiry);
        broker.online(&packet);
        let new = broker.connect(&Connect { clean_start, ..resume("c") });
        assert!(broker.read(new)[0].starts_with("CONNACK 0x00"));
        broker.advance(100);
        let expected: &[&str] = if published { &PUBLISHED } else { &[] };
        assert_eq!(broker.read(watcher), expected, "{delay} {expiry} {clean_start}");
    }
}

#[test]
fn retain_and_qos_of_a_will() {
    // [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT3-3.1.2-16] [MQTT3-3.1.2-17]
    for retain in [false, true] {
        let (mut broker, watcher) = with_watcher();
        let client = broker.online(&with_will(Will { qos: qos(2), retain, ..WILL }));
        broker.cut(client);
        assert_eq!(broker.read(watcher), ["PUBLISH will q2 id=1 gone"]);
        assert_eq!(broker.shards[0].shared.retained.len(), usize::from(retain));
    }
}

#[test]
fn properties_of_a_will() {
    // [MQTT-3.1.3-10]; trap 10: the expiry begins with the publication.
    let mut user_properties = UserPropertiesBuf::new();
    for pair in [("b", "1"), ("a", "2"), ("b", "1")] {
        user_properties.push(pair.0, pair.1);
    }
    let properties = MessageProperties {
        message_expiry_interval: Some(60),
        content_type: Some("text"),
        user_properties: user_properties.as_user_properties(),
        ..MessageProperties::default()
    };
    let (mut broker, watcher) = with_watcher();
    let will = Will { properties, delay_interval_seconds: 100, ..WILL };
    let client = broker.online(&Connect { will: Some(will), ..resume("c") });
    broker.cut(client);
    broker.advance(100);
    let seen = broker.read_with(watcher, |packet| {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        publish.properties == properties
    });
    assert_eq!(seen, [true]);
}

#[test]
fn a_refused_connect_has_no_will() {
    // Trap 10.
    let (mut broker, watcher) = with_watcher();
    broker.accepts = false;
    let client = broker.connect(&with_will(WILL));
    broker.authenticated(
        client,
        AuthOutcome::Reject {
            reason_code: ReasonCode::NOT_AUTHORIZED,
            reason_string: None,
            server_reference: None,
            detail: None,
        },
    );
    let client = broker.connect(&with_will(WILL));
    broker.cut(client);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn a_will_that_may_not_be_published() {
    struct Rules;
    impl Authorizer for Rules {
        fn may_publish(&self, identity: &Identity, topic: &str, _: QoS, _: bool) -> bool {
            topic != "will" || &*identity.client_id != "c"
        }
        fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
            true
        }
    }
    let mut broker = Broker::with_rules(Rules);
    for (version, code) in [(V5, "CONNACK 0x87"), (V311, "CONNACK 0x87")] {
        let client = broker.connect(&Connect { protocol_version: version, ..with_will(WILL) });
        assert_eq!(broker.read(client), [code]);
    }
    // Rights that change later count too.
    let mut broker = Broker::new();
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "#", 0);
    let client = broker.online(&with_will(WILL));
    let config = std::sync::Arc::default();
    broker.handle(0, Event::Reload { config, authorizer: std::sync::Arc::new(Rules) });
    broker.cut(client);
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn a_client_may_get_its_own_will() {
    let mut broker = Broker::new();
    let client = broker.online(&with_will(Will { qos: qos(1), ..WILL }));
    broker.subscribe(client, "will", 1);
    broker.cut(client);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH will q1 id=1 gone"]);
}

#[test]
fn a_chain_of_wills_is_no_recursion() {
    // Each will fills a queue of one, whose slow reader is disconnected and has a will.
    let mut broker = Broker::with(|config| {
        config.overflow_policy = OverflowPolicy::DisconnectReceiver;
        config.queue_messages_max = 1;
        config.inflight_messages_max = std::num::NonZeroU16::MIN;
    });
    let names: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let mut clients = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let topic = format!("w/{}", number + 1);
        let will = Will { topic: &topic, qos: qos(1), ..WILL };
        let client = broker.online(&Connect { will: Some(will), ..connect(name) });
        broker.subscribe(client, &format!("w/{number}"), 1);
        broker.publish(client, &format!("w/{number}"), 1, 1, "");
        broker.publish(client, &format!("w/{number}"), 1, 2, "");
        clients.push(client);
    }
    broker.cut(clients[0]);
    assert!(clients.iter().all(|client| broker.is_closed(*client)));
    assert_eq!(broker.counters().wills_published, 500);
}
