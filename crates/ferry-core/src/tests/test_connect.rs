use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use ferry_codec::{Connect, Packet, Publish, QoS, Will};

use super::harness::*;
use crate::*;

#[test]
fn a_client_connects() {
    let mut broker = Broker::new();
    let client = broker.connect(&connect("c"));
    // [MQTT-3.1.4-5] [MQTT-3.2.2-3]
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    assert_eq!(broker.counters().clients_connected, 1);
    // [MQTT-3.12.4-1]
    broker.send(client, &Packet::Pingreq);
    assert_eq!(broker.read(client), ["PINGRESP"]);
}

#[test]
fn all_versions_connect() {
    // [MQTT3-3.1.4-4] [MQTT3-3.2.0-1]
    for version in [V31, V311, V5] {
        let mut broker = Broker::new();
        let client = broker.connect(&Connect { protocol_version: version, ..connect("c") });
        assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    }
}

#[test]
fn the_connack_tells_what_the_server_offers() {
    let mut broker = Broker::with(|config| {
        config.maximum_qos = QoS::AtLeastOnce;
        config.retain_available = false;
        config.wildcard_subscription_available = false;
        config.shared_subscription_available = false;
        config.subscription_identifiers_available = false;
        config.keep_alive_seconds_max = Some(60);
        config.session_expiry_seconds_max = 100;
        config.connack_user_properties = vec![("durability".into(), "memory".into())];
        config.response_information_prefix = Some("reply/".into());
    });
    let mut packet = resume("c");
    packet.properties.request_response_information = Some(true);
    let client = broker.connect(&packet);
    broker.read_with(client, |packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        let properties = &connack.properties;
        // [MQTT-3.2.2-9]
        assert_eq!(properties.maximum_qos, Some(QoS::AtLeastOnce));
        assert_eq!(properties.retain_available, Some(false));
        assert_eq!(properties.wildcard_subscription_available, Some(false));
        assert_eq!(properties.shared_subscription_available, Some(false));
        assert_eq!(properties.subscription_identifiers_available, Some(false));
        // [MQTT-3.2.2-21]
        assert_eq!(properties.server_keep_alive, Some(60));
        assert_eq!(properties.session_expiry_interval, Some(100));
        assert_eq!(properties.receive_maximum, NonZeroU16::new(1024));
        assert_eq!(properties.maximum_packet_size, NonZeroU32::new(1_048_576));
        assert_eq!(properties.topic_alias_maximum, Some(32));
        assert_eq!(properties.response_information, Some("reply/c"));
        assert_eq!(properties.user_properties.iter().collect::<Vec<_>>(), [("durability", "memory")]);
        assert_eq!(properties.assigned_client_identifier, None);
        // [MQTT-4.12.0-6]
        assert_eq!(properties.authentication_method, None);
    });
}

#[test]
fn response_information_only_on_request() {
    // [MQTT-3.1.2-28]
    let mut broker = Broker::with(|config| config.response_information_prefix = Some("reply/".into()));
    let client = broker.connect(&connect("c"));
    broker.read_with(client, |packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.properties.response_information, None);
        // [MQTT-3.2.2-22]: the client's own keep alive is not repeated.
        assert_eq!(connack.properties.server_keep_alive, None);
    });
}

#[test]
fn an_empty_client_identifier_is_replaced() {
    // [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]; trap 32: in 5.0 without a clean start too.
    let mut broker = Broker::new();
    let mut names = Vec::new();
    for clean_start in [true, false] {
        let client = broker.connect(&Connect { clean_start, ..resume("") });
        let assigned = broker.read_with(client, |packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            assert!(!connack.session_present);
            connack.properties.assigned_client_identifier.map(str::to_owned)
        });
        names.push(assigned[0].clone().unwrap());
    }
    assert_ne!(names[0], names[1]);
    // [MQTT-3.1.3-5]
    assert!(
        names.iter().all(|name| name.len() <= 23 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    );
    let back = broker.connect(&resume(&names[1]));
    assert_eq!(broker.read(back), ["CONNACK 0x00 present"]);
}

#[test]
fn an_assigned_client_identifier_has_its_home_here() {
    let mut broker = Broker::with_shards(4, Arc::new(AllowAll), |_| {});
    for shard in 0..4 {
        let client = broker.open_at(V5, shard, ConnInfo::default());
        broker.send(client, &Packet::Connect(connect("")));
        let conn = broker.clients[client].conn;
        let client_id = broker.shards[shard].client_id(conn).unwrap();
        assert_eq!(usize::from(home_shard(client_id, 4).0), shard);
    }
}

#[test]
fn an_empty_client_identifier_in_3() {
    // [MQTT3-3.1.3-7] [MQTT3-3.1.3-8]
    let mut broker = Broker::new();
    let accepted = broker.connect(&Connect { protocol_version: V311, ..connect("") });
    assert_eq!(broker.read(accepted), ["CONNACK 0x00"]);
    for refused in [
        Connect { protocol_version: V311, clean_start: false, ..connect("") },
        Connect { protocol_version: V31, ..connect("") },
    ] {
        let client = broker.connect(&refused);
        assert_eq!(broker.read(client), ["CONNACK 0x85"]);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn a_long_client_identifier_is_refused() {
    // [MQTT-3.1.3-8] [MQTT3-3.1.3-9]
    let mut broker = Broker::with(|config| config.client_id_bytes_max = 30);
    for version in [V311, V5] {
        let client = broker.connect(&Connect { protocol_version: version, ..connect(&"x".repeat(31)) });
        assert_eq!(broker.read(client), ["CONNACK 0x85"]);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn the_first_packet_must_be_connect() {
    // [MQTT-3.1.0-1] [MQTT3-3.1.0-1]; trap 3: no answer at all.
    let mut broker = Broker::new();
    for bytes in
        [&[0xC0, 0][..], &[0x30, 3, 0, 1, b'a'], b"GET / HTTP/1.1\r\n", &[0x16, 3, 1], &[0xE0, 0], &[0]]
    {
        let client = broker.open(V5);
        broker.send_bytes(client, bytes);
        assert!(broker.is_closed(client) && broker.clients[client].received.is_empty(), "{bytes:?}");
    }
    assert_eq!(broker.counters().connects_ignored, 6);
}

#[test]
fn a_malformed_connect() {
    let reserved_flag = |level| [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', level, 3, 0, 0, 0, 0, 0];
    let mut broker = Broker::new();
    // [MQTT-3.1.2-3] [MQTT-3.1.4-1]: 5.0 may be told.
    let client = broker.open(V5);
    broker.send_bytes(client, &reserved_flag(5));
    assert_eq!(broker.read(client), ["CONNACK 0x81"]);
    assert!(broker.is_closed(client));
    // [MQTT3-3.1.2-3] [MQTT3-3.1.4-1]: 3.1.1 is not.
    let client = broker.open(V311);
    broker.send_bytes(client, &reserved_flag(4));
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn an_unknown_protocol() {
    let mut broker = Broker::new();
    let packet = |name: &[u8], level| {
        let mut packet = vec![0x10, name.len() as u8 + 8, 0, name.len() as u8];
        packet.extend_from_slice(name);
        packet.extend_from_slice(&[level, 2, 0, 0, 0, 0]);
        packet
    };
    // [MQTT-3.1.2-2]
    let client = broker.open(V5);
    broker.send_bytes(client, &packet(b"MQTT", 6));
    assert_eq!(broker.read(client), ["CONNACK 0x84"]);
    // [MQTT3-3.1.2-2]
    let client = broker.open(V311);
    broker.send_bytes(client, &packet(b"MQTT", 2));
    assert_eq!(broker.clients[client].received, [0x20, 2, 0, 1]);
    // [MQTT-3.1.2-1] [MQTT3-3.1.2-1]
    let client = broker.open(V5);
    broker.send_bytes(client, &packet(b"MQXX", 5));
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn a_listener_may_serve_some_versions_only() {
    let mut broker = Broker::new();
    let listener = Arc::new(ListenerPolicy { v311_allowed: false, ..ListenerPolicy::default() });
    for (version, code) in [(V311, "CONNACK 0x84"), (V5, "CONNACK 0x00"), (V31, "CONNACK 0x00")] {
        let info = ConnInfo { listener: Arc::clone(&listener), ..ConnInfo::default() };
        let client = broker.open_at(version, 0, info);
        broker.send(client, &Packet::Connect(Connect { protocol_version: version, ..connect("c") }));
        assert_eq!(broker.read(client), [code]);
    }
}

#[test]
fn a_second_connect_is_a_protocol_error() {
    // [MQTT-3.1.0-2] [MQTT3-3.1.0-2] [MQTT-3.2.0-2]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.send(client, &Packet::Connect(connect("c")));
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
    assert!(broker.is_closed(client));
    let client = broker.online(&Connect { protocol_version: V311, ..connect("c") });
    broker.send(client, &Packet::Connect(Connect { protocol_version: V311, ..connect("c") }));
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn no_connect_in_time() {
    let mut broker = Broker::new();
    let silent = broker.open(V5);
    let slow = broker.open(V5);
    broker.advance(5);
    // Half a packet is nothing.
    broker.send_bytes(slow, &[0x10, 20, 0, 4, b'M']);
    broker.advance(4);
    assert!(!broker.is_closed(silent));
    broker.advance(1);
    assert!(broker.is_closed(silent) && broker.is_closed(slow));
    assert_eq!(broker.counters().connect_timeouts, 2);
    assert_eq!(broker.counters().connections, 0);
}

#[test]
fn a_connect_may_come_byte_by_byte() {
    let mut broker = Broker::new();
    let client = broker.open(V5);
    let mut bytes = Vec::new();
    ferry_codec::encode(&Packet::Connect(connect("c")), V5, &mut bytes);
    for byte in bytes {
        broker.send_bytes(client, &[byte]);
    }
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn a_huge_connect_is_not_waited_for() {
    let mut broker = Broker::with(|config| config.connect_bytes_max = 1000);
    let client = broker.open(V5);
    broker.send_bytes(client, &[0x10, 0xFF, 0xFF, 0x03]);
    assert!(broker.is_closed(client) && broker.read(client).is_empty());
}

#[test]
fn packets_behind_connect_wait_for_the_judgement() {
    // Trap 13.
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.open(V5);
    let mut bytes = Vec::new();
    ferry_codec::encode(&Packet::Connect(connect("c")), V5, &mut bytes);
    let publish = Publish { topic: "t", qos: qos(1), packet_id: Some(id(9)), ..Publish::default() };
    ferry_codec::encode(&Packet::Publish(publish), V5, &mut bytes);
    broker.send_bytes(client, &bytes);
    broker.send(client, &Packet::Pingreq);
    assert!(broker.clients[client].paused && broker.read(client).is_empty());
    broker.authenticated(
        client,
        AuthOutcome::Accept { user_name: None, data: None, until: Timestamp::NEVER, grants: None },
    );
    assert_eq!(broker.read(client), ["CONNACK 0x00", "PUBACK 9 0x10", "PINGRESP"]);
}

#[test]
fn packets_behind_a_refused_connect_are_not_processed() {
    // [MQTT-3.1.4-6] [MQTT3-3.1.4-5]
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "#", 0);
    broker.accepts = false;
    for version in [V5, V311] {
        let client = broker.open(version);
        broker.send(client, &Packet::Connect(Connect { protocol_version: version, ..connect("c") }));
        broker.publish(client, "t", 0, 0, "x");
        broker.authenticated(
            client,
            AuthOutcome::Reject {
                reason_code: ferry_codec::ReasonCode::NOT_AUTHORIZED,
                reason_string: Some("no".into()),
                server_reference: None,
                detail: None,
            },
        );
        // [MQTT-3.2.2-7] [MQTT3-3.2.2-5] [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT3-3.2.2-4]
        assert_eq!(broker.read(client), ["CONNACK 0x87"]);
        assert!(broker.is_closed(client));
    }
    assert!(broker.read(watcher).is_empty());
    assert_eq!(broker.shards[0].sessions().count(), 1);
}

#[test]
fn a_return_code_that_3_does_not_have_is_not_sent() {
    // [MQTT3-3.2.2-6]
    let mut broker = Broker::with(|config| config.maximum_qos = QoS::AtLeastOnce);
    let will = Will { topic: "w", qos: qos(2), ..Will::default() };
    for (version, answer) in [(V5, vec!["CONNACK 0x9B"]), (V311, vec![])] {
        let packet = Connect { protocol_version: version, will: Some(will), ..connect("c") };
        let client = broker.connect(&packet);
        // [MQTT-3.2.2-12]
        assert_eq!(broker.read(client), answer);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn a_retained_will_that_is_not_supported() {
    // [MQTT-3.2.2-13]
    let mut broker = Broker::with(|config| config.retain_available = false);
    let will = Will { topic: "w", retain: true, ..Will::default() };
    let client = broker.connect(&Connect { will: Some(will), ..connect("c") });
    assert_eq!(broker.read(client), ["CONNACK 0x9A"]);
    assert!(broker.is_closed(client));
}

#[test]
fn keep_alive_is_one_and_a_half_times() {
    // [MQTT-3.1.2-22] [MQTT3-3.1.2-24]
    for version in [V5, V311] {
        let mut broker = Broker::new();
        let client =
            broker.online(&Connect { protocol_version: version, keep_alive_seconds: 10, ..connect("c") });
        broker.advance(14);
        broker.send(client, &Packet::Pingreq);
        broker.read(client);
        broker.advance(14);
        assert!(!broker.is_closed(client));
        // Half a packet does not count, and neither does what is sent to it.
        broker.send_bytes(client, &[0xC0]);
        broker.advance(1);
        assert!(broker.is_closed(client));
        let expected: &[&str] = if version == V5 { &["DISCONNECT 0x8D"] } else { &[] };
        assert_eq!(broker.read(client), expected);
        assert_eq!(broker.counters().keep_alive_timeouts, 1);
    }
}

#[test]
fn without_keep_alive_silence_is_for_ever() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.advance(10_000_000);
    assert!(!broker.is_closed(client));
}

#[test]
fn the_servers_keep_alive_holds_for_5_0_only() {
    // [MQTT-3.2.2-21]; trap 31.
    let mut broker = Broker::with(|config| config.keep_alive_seconds_max = Some(20));
    let v5 = broker.client("a");
    let v311 = broker.online(&Connect { protocol_version: V311, ..connect("b") });
    broker.advance(30);
    assert!(broker.is_closed(v5) && !broker.is_closed(v311));
}

#[test]
fn a_connack_that_is_too_large_is_not_sent() {
    // [MQTT-3.1.2-24] [MQTT-3.2.2-19]
    let mut broker = Broker::with(|config| config.client_id_bytes_max = 5);
    let mut packet = connect("too-long");
    packet.properties.maximum_packet_size = NonZeroU32::new(6);
    let client = broker.connect(&packet);
    // Without its reason string it fits.
    assert_eq!(broker.read(client), ["CONNACK 0x85"]);
    packet.properties.maximum_packet_size = NonZeroU32::new(4);
    let client = broker.connect(&packet);
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
    let mut packet = connect("c");
    packet.properties.maximum_packet_size = NonZeroU32::new(10);
    let client = broker.connect(&packet);
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
    assert_eq!(broker.counters().clients_connected, 0);
}

#[test]
fn user_properties_of_the_connack_give_way() {
    // [MQTT-3.2.2-20]
    let mut broker =
        Broker::with(|config| config.connack_user_properties = vec![("n".into(), "v".repeat(100).into())]);
    let mut packet = connect("c");
    packet.properties.maximum_packet_size = NonZeroU32::new(50);
    let client = broker.connect(&packet);
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn too_many_connects_a_second() {
    let mut broker = Broker::with(|config| config.connects_per_second_max = 2);
    let answers: Vec<_> = (0..3)
        .map(|number| {
            let client = broker.connect(&connect(&number.to_string()));
            broker.read(client).remove(0)
        })
        .collect();
    assert_eq!(answers, ["CONNACK 0x00", "CONNACK 0x00", "CONNACK 0x9F"]);
    broker.advance(1);
    broker.client("later");
}

#[test]
fn a_connection_is_handed_over_before_its_connect() {
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |_| {});
    let client = broker.open_at(V5, 0, ConnInfo::default());
    broker.advance(7);
    let conn = broker.clients[client].conn;
    let info = broker.shards[0].hand_over(conn).unwrap();
    broker.clients[client].closed = true;
    assert!(broker.shards[0].output(conn).is_none());
    assert_eq!(broker.shards[0].counters().connections, 0);
    let client = broker.open_at(V5, 1, info);
    // Its time goes on.
    broker.advance(3);
    assert!(broker.is_closed(client));
}

#[test]
fn the_first_packet_tells_the_home() {
    let limits = ferry_codec::DecodeLimits::default();
    let mut bytes = Vec::new();
    ferry_codec::encode(&Packet::Connect(connect("some-client")), V5, &mut bytes);
    let home = |bytes: &[u8]| first_packet_home(bytes, &limits, 8);
    assert_eq!(home(&bytes[..bytes.len() - 1]), FirstPacketHome::Unknown);
    assert_eq!(home(&bytes), FirstPacketHome::Shard(home_shard("some-client", 8)));
    assert_eq!(home(b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n"), FirstPacketHome::Any);
    let mut bytes = Vec::new();
    ferry_codec::encode(&Packet::Connect(connect("")), V5, &mut bytes);
    assert_eq!(home(&bytes), FirstPacketHome::Any);
}
