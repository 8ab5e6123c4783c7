use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Connack, ConnackProperties, Packet, QoS, ReasonCode};

use super::rig::{Rig, both, persistent, publish, v5, v311};
use crate::session::{ConnectOptions, Will};
use crate::{Message, ProtocolVersion};

fn connect(options: ConnectOptions) -> String {
    let mut rig = Rig::new(options);
    rig.session.open(rig.now).unwrap();
    let sent = rig.sent();
    assert_eq!(sent.len(), 1, "[MQTT-3.1.0-1], [MQTT3-3.1.0-1]");
    sent.into_iter().next().unwrap()
}

/// [MQTT-3.1.0-1], [MQTT3-3.1.0-1], [MQTT-3.1.3-3], [MQTT-3.1.3-4], [MQTT3-3.1.3-3], [MQTT3-3.1.3-4];
/// without will and credentials: [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-16], [MQTT-3.1.2-18], [MQTT3-3.1.2-11],
/// [MQTT3-3.1.2-13], [MQTT3-3.1.2-15], [MQTT3-3.1.2-18], [MQTT3-3.1.2-20]
#[test]
fn the_first_packet_is_connect() {
    let expected = "id=me clean=1 keep_alive=60 will=- user=- password=- auth=-";
    assert_eq!(connect(v5()), format!("CONNECT v5 {expected}"));
    assert_eq!(connect(v311()), format!("CONNECT v4 {expected}"));
    let v31 = ConnectOptions { protocol_version: ProtocolVersion::V31, ..v5() };
    assert_eq!(connect(v31), format!("CONNECT v3 {expected}"));
}

/// [MQTT-3.1.2-9], [MQTT-3.1.2-12], [MQTT-3.1.2-17], [MQTT-3.1.2-19], [MQTT-3.1.3-1], [MQTT-3.1.3-11], [MQTT-3.1.3-12],
/// [MQTT3-3.1.2-9], [MQTT3-3.1.2-14], [MQTT3-3.1.2-19], [MQTT3-3.1.2-21], [MQTT3-3.1.3-1], [MQTT3-3.1.3-10],
/// [MQTT3-3.1.3-11]
#[test]
fn connect_says_all_that_was_chosen() {
    for options in both() {
        let will = Message::new("gone", "x").qos(QoS::ExactlyOnce).retain(true);
        let version = options.protocol_version.level();
        let options = ConnectOptions {
            will: Some(Will::new(will).delay_seconds(5)),
            user_name: Some("user".to_owned()),
            password: Some(b"secret".to_vec()),
            keep_alive_seconds: 7,
            ..options
        };
        let expected = "id=me clean=1 keep_alive=7 will=gone/2/retain user=user password=secret auth=-";
        assert_eq!(connect(options), format!("CONNECT v{version} {expected}"));
    }
}

/// [MQTT3-3.1.2-22], [MQTT3-3.1.3-7]
#[test]
fn what_version_3_does_not_allow_is_not_said() {
    let options = ConnectOptions { password: Some(b"p".to_vec()), ..v311() };
    assert!(connect(options).ends_with("user= password=p auth=-"));
    let options = ConnectOptions { client_id: String::new(), clean_start: false, ..v311() };
    assert!(connect(options).starts_with("CONNECT v4 id= clean=1"));
    let options = ConnectOptions { password: Some(b"p".to_vec()), ..v5() };
    assert!(connect(options).ends_with("user=- password=p auth=-"));
}

/// [MQTT-3.2.2-4]
#[test]
fn a_session_that_cannot_be_there_ends_the_connection() {
    for options in both() {
        let is_v5 = options.protocol_version == ProtocolVersion::V5;
        let mut rig = Rig::new(options);
        let sent = rig.reconnect(true, ConnackProperties::default());
        assert_eq!(sent, if is_v5 { vec!["DISCONNECT 82".to_owned()] } else { vec![] });
        assert_eq!(rig.close_reason(), "fault 82 MQTT-3.2.2-4");
    }
}

#[test]
fn clean_start_is_for_the_first_connection() {
    let mut rig = Rig::connected(ConnectOptions { session_expiry_interval: 60, ..v5() });
    rig.session.closed();
    rig.session.open(rig.now).unwrap();
    assert!(rig.sent()[0].contains("clean=0"));
    // Without a session to go on with it is said each time.
    for options in [v5(), v311()] {
        let mut rig = Rig::connected(options);
        rig.session.closed();
        rig.session.open(rig.now).unwrap();
        assert!(rig.sent()[0].contains("clean=1"));
    }
}

/// [MQTT-3.1.3-6], [MQTT-3.2.2-16]: the identifier that the server chose is used from then on.
#[test]
fn an_assigned_client_identifier_is_kept() {
    let properties =
        ConnackProperties { assigned_client_identifier: Some("chosen"), ..ConnackProperties::default() };
    let mut rig = Rig::new(ConnectOptions { client_id: String::new(), ..v5() });
    rig.reconnect(false, properties);
    assert_eq!(rig.events(), ["connected chosen present=0"]);
    rig.session.closed();
    rig.session.open(rig.now).unwrap();
    assert!(rig.sent()[0].starts_with("CONNECT v5 id=chosen "));
}

/// [MQTT-3.1.2-20], [MQTT3-3.1.2-23]
#[test]
fn a_quiet_client_sends_pingreq() {
    for options in both() {
        let mut rig = Rig::connected(ConnectOptions { keep_alive_seconds: 10, ..options });
        assert!(rig.pass_seconds(8).is_empty());
        assert_eq!(rig.pass_seconds(1), ["PINGREQ"]);
        rig.says(Packet::Pingresp);
        assert_eq!(rig.pass_seconds(9), ["PINGREQ"]);
        assert!(rig.pass_seconds(10).is_empty());
        assert_eq!(rig.close_reason(), "the server did not answer PINGREQ in time");
    }
}

/// [MQTT-3.1.2-21], [MQTT-3.2.2-21]: and so does U5-083, since nothing is sent before CONNACK.
#[test]
fn the_keep_alive_of_the_server_counts() {
    let properties = ConnackProperties { server_keep_alive: Some(2), ..ConnackProperties::default() };
    let mut rig = Rig::connected_to(v5(), properties);
    assert_eq!(rig.pass_seconds(2), ["PINGREQ"]);
    let off = ConnackProperties { server_keep_alive: Some(0), ..ConnackProperties::default() };
    let mut rig = Rig::connected_to(v5(), off);
    assert!(rig.session.next_deadline().is_never());
    assert!(rig.pass_seconds(100_000).is_empty());
}

/// U5-083: what the server allows is known before anything is sent.
#[test]
fn nothing_is_sent_before_connack() {
    for options in both() {
        let mut rig = Rig::new(options);
        rig.session.open(rig.now).unwrap();
        assert_eq!(rig.sent().len(), 1);
        rig.session.publish(rig.now, Message::new("t", "x")).unwrap();
        rig.session.publish(rig.now, Message::new("t", "x").qos(QoS::AtLeastOnce)).unwrap();
        rig.session.subscribe(rig.now, vec!["t".into()]).unwrap();
        assert!(rig.sent().is_empty());
        rig.pass_seconds(15);
        assert_eq!(rig.close_reason(), "the server did not answer CONNECT in time");
        assert_eq!(rig.reconnect(false, ConnackProperties::default()).len(), 3);
    }
}

#[test]
fn a_refusal_is_told() {
    let mut rig = Rig::new(v5());
    rig.session.open(rig.now).unwrap();
    let properties = ConnackProperties { reason_string: Some("go away"), ..ConnackProperties::default() };
    rig.says(Packet::Connack(Connack { reason_code: ReasonCode::BANNED, properties, ..Connack::default() }));
    assert_eq!(rig.close_reason(), "the server refused the connection: Banned (0x8A): go away");
}

/// U5-084
#[test]
fn nothing_comes_before_connack() {
    let mut rig = Rig::new(v5());
    rig.session.open(rig.now).unwrap();
    rig.sent();
    assert_eq!(rig.says(publish("t", QoS::AtMostOnce, 0)), ["DISCONNECT 82"]);
    assert_eq!(rig.close_reason(), "fault 82 MQTT-3.2.0-1");
    let mut rig = Rig::connected(v5());
    assert_eq!(rig.says(Packet::Connack(Connack::default())), ["DISCONNECT 82"]);
}

#[test]
fn limits_are_said_and_defaults_are_not() {
    let options = ConnectOptions {
        maximum_packet_size: Some(1_000),
        receive_maximum: 5,
        topic_alias_maximum: 0,
        ..persistent(v5())
    };
    let mut rig = Rig::new(options);
    rig.session.open(rig.now).unwrap();
    let mut bytes = Vec::new();
    rig.session.take_output(rig.now, &mut bytes);
    let connect = ferry_codec::decode_connect(&bytes, &ferry_codec::DecodeLimits::UNLIMITED).unwrap();
    assert_eq!(connect.properties.maximum_packet_size, NonZeroU32::new(1_000));
    assert_eq!(connect.properties.receive_maximum, NonZeroU16::new(5));
    assert_eq!(connect.properties.session_expiry_interval, Some(60));
    assert_eq!(connect.properties.topic_alias_maximum, None);
    assert_eq!(connect.properties.request_problem_information, None);
}
