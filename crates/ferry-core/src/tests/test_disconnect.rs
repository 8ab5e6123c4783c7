//! DISCONNECT and the end of the broker (section 3.14).

use std::num::NonZeroU32;

use ferry_codec::{Connect, Disconnect, Packet, ReasonCode, Will};

use super::harness::*;
use crate::*;

fn expiry(seconds: Option<u32>) -> Packet<'static> {
    Packet::Disconnect(Disconnect { session_expiry_interval: seconds, ..Disconnect::default() })
}

#[test]
fn nothing_follows_a_disconnect() {
    // [MQTT-3.14.4-1] [MQTT-3.14.4-2]
    let mut broker = Broker::new();
    let client = broker.client("c");
    let mut bytes = vec![0xE0, 0];
    bytes.extend_from_slice(&[0xC0, 0]);
    broker.send_bytes(client, &bytes);
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn the_session_expiry_may_change() {
    // Trap 8: absent is not 0.
    for (in_connect, changed, alive_after) in [
        (100, None, Some(99)),
        (100, Some(0), None),
        (100, Some(1000), Some(999)),
        (100, Some(NEVER), Some(1_000_000)),
        (NEVER, Some(10), Some(9)),
    ] {
        let mut broker = Broker::new();
        let mut packet = resume("c");
        packet.properties.session_expiry_interval = Some(in_connect);
        let client = broker.online(&packet);
        broker.send(client, &expiry(changed));
        assert_eq!(broker.counters().sessions, usize::from(alive_after.is_some()));
        if let Some(seconds) = alive_after {
            broker.advance(seconds);
            assert_eq!(broker.counters().sessions, 1);
            broker.advance(1);
            assert_eq!(broker.counters().sessions, usize::from(seconds == 1_000_000));
        }
    }
}

#[test]
fn a_session_expiry_out_of_nothing() {
    // U5-075 U5-076; trap 8: the will is published.
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "will", 0);
    let will = Will { topic: "will", ..Will::default() };
    let client = broker.online(&Connect { will: Some(will), ..connect("c") });
    broker.send(client, &expiry(Some(10)));
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
    assert_eq!(broker.read(watcher), ["PUBLISH will q0 "]);
    assert_eq!(broker.counters().sessions, 1);
    // 0 stays 0.
    let client = broker.client("c");
    broker.send(client, &expiry(Some(0)));
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn the_limit_on_expiry_holds_in_disconnect() {
    let mut broker = Broker::with(|config| config.session_expiry_seconds_max = 50);
    let client = broker.online(&resume("c"));
    broker.send(client, &expiry(Some(NEVER)));
    broker.advance(50);
    assert_eq!(broker.counters().sessions, 0);
}

#[test]
fn an_operator_disconnects_a_client() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.handle(
        0,
        Event::Disconnect {
            client_id: "c",
            reason_code: ReasonCode::SERVER_MOVED,
            reason_string: Some("to the new hall"),
            server_reference: Some("hall:1883"),
        },
    );
    broker.read_with(client, |packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::SERVER_MOVED);
        assert_eq!(disconnect.server_reference, Some("hall:1883"));
        assert_eq!(disconnect.reason_string, Some("to the new hall"));
        // [MQTT-3.14.2-2]
        assert_eq!(disconnect.session_expiry_interval, None);
    });
    assert!(broker.is_closed(client));
}

#[test]
fn a_reason_string_gives_way() {
    // [MQTT-3.14.2-3]; it may come although problem information was not asked for [MQTT-3.1.2-29].
    for (maximum, with_reason) in [(None, true), (NonZeroU32::new(30), false)] {
        let mut broker = Broker::new();
        let mut packet = connect("c");
        packet.properties.maximum_packet_size = maximum;
        packet.properties.request_problem_information = Some(false);
        let client = broker.online(&packet);
        broker.send_bytes(client, &[0xC1, 0]);
        broker.read_with(client, |packet| {
            let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
            assert_eq!(disconnect.reason_string.is_some(), with_reason);
        });
    }
}

#[test]
fn no_disconnect_before_connack() {
    // [MQTT-3.14.0-1]
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&connect("c"));
    broker.handle(0, Event::Shutdown { server_reference: None });
    assert_eq!(broker.read(client), ["CONNACK 0x88"]);
    let silent = broker.open(V5);
    broker.handle(0, Event::Shutdown { server_reference: None });
    assert!(broker.read(silent).is_empty() && broker.is_closed(silent));
}

#[test]
fn the_broker_shuts_down() {
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "will/#", 0);
    let v311 = broker.online(&Connect { protocol_version: V311, ..connect("v311") });
    let will = |topic, delay_interval_seconds| Will { topic, delay_interval_seconds, ..Will::default() };
    broker.online(&Connect { will: Some(will("will/1", 0)), ..resume("a") });
    broker.online(&Connect { will: Some(will("will/2", 99)), ..resume("b") });
    let away = broker.online(&Connect { will: Some(will("will/3", 99)), ..resume("c") });
    broker.cut(away);
    broker.handle(0, Event::PublishWills);
    let mut wills = broker.read(watcher);
    wills.sort();
    // Sessions in memory end with the broker, and a will is published when its session ends [MQTT-3.1.2-8].
    assert_eq!(wills, ["PUBLISH will/1 q0 ", "PUBLISH will/2 q0 ", "PUBLISH will/3 q0 "]);
    broker.handle(0, Event::Shutdown { server_reference: Some("other") });
    assert_eq!(broker.read(watcher), ["DISCONNECT 0x8B"]);
    assert!(broker.read(v311).is_empty());
    assert!((0..broker.clients.len()).all(|client| broker.is_closed(client)));
    assert_eq!(broker.counters().wills_published, 3);
    let late = broker.connect(&connect("late"));
    assert_eq!(broker.read(late), ["CONNACK 0x88"]);
}

#[test]
fn delayed_wills_wait_in_the_store() {
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let watcher = broker.client("w");
    broker.subscribe(watcher, "will/#", 0);
    let will = |topic, delay_interval_seconds| Will { topic, delay_interval_seconds, ..Will::default() };
    broker.online(&Connect { will: Some(will("will/1", 0)), ..resume("a") });
    broker.online(&Connect { will: Some(will("will/2", 99)), ..resume("b") });
    broker.handle(0, Event::PublishWills);
    assert_eq!(broker.read(watcher), ["PUBLISH will/1 q0 "]);
}

#[test]
fn who_is_refused_and_why_is_said_for_the_log() {
    let mut broker = Broker::with(|config| config.client_id_bytes_max = 30);
    let garbage = broker.open(V5);
    broker.send_bytes(garbage, b"GET / HTTP/1.1");
    broker.connect(&connect("a client identifier that is too long"));
    let client = broker.client("c");
    broker.send_bytes(client, &[0xC1, 0]);
    broker.client("twin");
    broker.client("twin");
    let silent = broker.open(V5);
    broker.advance(10);
    assert!(broker.is_closed(silent));
    // Those who leave, and those who are sent away because the broker ends, are not refused.
    let leaving = broker.client("leaving");
    broker.disconnect(leaving);
    broker.handle(0, Event::Shutdown { server_reference: None });
    let said = broker.refused_clients.iter().map(|refused| {
        let RefusedClient { client_id, connected, reason_code, detail, .. } = refused;
        (client_id.as_deref(), *connected, reason_code.code(), &**detail)
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            (None, false, 0x82, "the first packet is not CONNECT"),
            (Some("a client identifier that is too long"), false, 0x85, "the client identifier is too long"),
            (Some("c"), true, 0x81, "the flags of the fixed header are wrong"),
            (Some("twin"), true, 0x8E, "another connection uses the client identifier"),
            (None, false, 0x80, "no whole CONNECT in time"),
        ]
    );
}

#[test]
fn reason_codes_are_counted() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let code = ReasonCode::QUOTA_EXCEEDED;
    broker.send(client, &Packet::Disconnect(Disconnect::new(code)));
    assert_eq!(broker.counters().disconnects_received.of(code), 1);
    let client = broker.client("c");
    broker.send(client, &Packet::Connect(connect("c")));
    assert_eq!(broker.counters().refusals.iter().collect::<Vec<_>>(), [(0x82, 1)]);
}

#[test]
fn whoever_takes_over_is_named() {
    // [MQTT-3.1.4-3] [MQTT3-3.1.4-2]
    let mut broker = Broker::new();
    for address in ["192.0.2.7:1", "192.0.2.8:2"] {
        let info = ConnInfo { peer_address: address.into(), ..ConnInfo::default() };
        let client = broker.open_at(V5, 0, info);
        broker.send(client, &Packet::Connect(connect("twin")));
    }
    let refused = &broker.refused_clients[0];
    assert_eq!(&*refused.peer_address, "192.0.2.7:1");
    assert_eq!(refused.taken_over_by.as_deref(), Some("192.0.2.8:2"));
}
