//! Every field of every packet with the value that its bytes say: a round trip would not notice if two fields
//! of one type changed places in both directions.

use std::num::{NonZeroU16, NonZeroU32};

use crate::vectors::notation::{CLIENT, SERVER, bytes};
use ferry_codec::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, DecodeLimits, Direction, Disconnect,
    MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, Suback,
    SubscribeFilter, SubscriptionIds, SubscriptionOptions, Unsuback, UserPropertiesBuf, Will, decode,
};

/// Decodes a packet of 5.0 and compares.
fn check(packet: &str, direction: Direction, expected: &Packet<'_>) {
    check_version(packet, ProtocolVersion::V5, direction, expected);
}

fn check_version(packet: &str, version: ProtocolVersion, direction: Direction, expected: &Packet<'_>) {
    assert_eq!(decode(&bytes(packet), version, direction, &DecodeLimits::default()).as_ref(), Ok(expected));
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

/// `[MQTT-3.3.2-18]`, `[MQTT-3.1.3-10]`: names may repeat and the order stays.
#[test]
fn user_properties_keep_their_order() {
    let frame = bytes("30 .. <t> {26 <k1><1> 01 01 26 <k2><2> 26 <k1><3> 03 <c> 26 <><>} 'hi'");
    let packet = decode(&frame, ProtocolVersion::V5, CLIENT, &DecodeLimits::default());
    let Ok(Packet::Publish(publish)) = packet else { panic!("{packet:?}") };
    let user_properties = publish.properties.user_properties;
    let pairs: Vec<_> = user_properties.iter().collect();
    assert_eq!(pairs, [("k1", "1"), ("k2", "2"), ("k1", "3"), ("", "")]);
    assert_eq!((user_properties.count(), user_properties.is_empty()), (4, false));
    let again: UserPropertiesBuf = user_properties.iter().collect();
    assert_eq!(again.as_user_properties(), user_properties);
    assert_eq!(again.as_user_properties().encoded_length(), user_properties.encoded_length());
}

#[test]
fn connect() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let expected = Connect {
        protocol_version: ProtocolVersion::V5,
        bridge: false,
        clean_start: true,
        keep_alive_seconds: 60,
        client_id: "id",
        will: Some(Will {
            topic: "w/t",
            payload: b"bye",
            qos: QoS::ExactlyOnce,
            retain: true,
            delay_interval_seconds: 10,
            properties: MessageProperties {
                payload_format_indicator: Some(true),
                message_expiry_interval: Some(20),
                content_type: Some("text"),
                response_topic: Some("r/t"),
                correlation_data: Some(b"x"),
                user_properties: user_properties.as_user_properties(),
            },
        }),
        user_name: Some("me"),
        password: Some(b"\xFF\x00"),
        properties: ConnectProperties {
            session_expiry_interval: Some(u32::MAX),
            receive_maximum: NonZeroU16::new(2),
            maximum_packet_size: NonZeroU32::new(3),
            topic_alias_maximum: Some(4),
            request_response_information: Some(true),
            request_problem_information: Some(false),
            authentication_method: Some("m"),
            authentication_data: Some(b"d"),
            user_properties: user_properties.as_user_properties(),
        },
    };
    check(
        "10 .. <MQTT> 05 F6 003C
         { 11 FFFFFFFF 21 0002 27 00000003 22 0004 19 01 17 00 26 <k><v> 15 <m> 16 <d> } <id>
         { 18 0000000A 01 01 02 00000014 03 <text> 08 <r/t> 09 <x> 26 <k><v> } <w/t> <bye> <me> 0002 FF00",
        CLIENT,
        &Packet::Connect(expected),
    );
}

#[test]
fn connect_of_a_bridge() {
    let expected = Connect {
        protocol_version: ProtocolVersion::V31,
        bridge: true,
        clean_start: false,
        keep_alive_seconds: 65_535,
        client_id: "id",
        will: None,
        user_name: Some("me"),
        password: None,
        properties: ConnectProperties::default(),
    };
    let packet = "10 .. <MQIsdp> 83 80 FFFF <id> <me>";
    check_version(packet, ProtocolVersion::V31, CLIENT, &Packet::Connect(expected));
}

#[test]
fn connack() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let properties = ConnackProperties {
        session_expiry_interval: Some(1),
        receive_maximum: NonZeroU16::new(2),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: NonZeroU32::new(3),
        assigned_client_identifier: Some("auto"),
        topic_alias_maximum: Some(4),
        reason_string: Some("why"),
        user_properties: user_properties.as_user_properties(),
        wildcard_subscription_available: Some(false),
        subscription_identifiers_available: Some(true),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(5),
        response_information: Some("r/"),
        server_reference: Some("other"),
        authentication_method: Some("m"),
        authentication_data: Some(b"d"),
    };
    check(
        "20 .. 01 00 { 11 00000001 21 0002 24 01 25 00 27 00000003 12 <auto> 22 0004 1F <why> 26 <k><v>
         28 00 29 01 2A 00 13 0005 1A <r/> 1C <other> 15 <m> 16 <d> }",
        SERVER,
        &Packet::Connack(Connack { session_present: true, reason_code: ReasonCode::SUCCESS, properties }),
    );
}

#[test]
fn connack_before_5() {
    for (return_code, reason_code) in [
        ("00", ReasonCode::SUCCESS),
        ("01", ReasonCode::UNSUPPORTED_PROTOCOL_VERSION),
        ("02", ReasonCode::CLIENT_IDENTIFIER_NOT_VALID),
        ("03", ReasonCode::SERVER_UNAVAILABLE),
        ("04", ReasonCode::BAD_USER_NAME_OR_PASSWORD),
        ("05", ReasonCode::NOT_AUTHORIZED),
    ] {
        let expected = Packet::Connack(Connack { reason_code, ..Connack::default() });
        check_version(&format!("20 02 00 {return_code}"), ProtocolVersion::V311, SERVER, &expected);
    }
}

#[test]
fn publish() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let expected = Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_id: PacketId::new(0x0102),
        topic: "a/b",
        topic_alias: Some(7),
        properties: MessageProperties {
            payload_format_indicator: Some(false),
            message_expiry_interval: Some(0),
            content_type: Some("c"),
            response_topic: Some("r"),
            correlation_data: Some(b""),
            user_properties: user_properties.as_user_properties(),
        },
        subscription_ids: SubscriptionIds::from_slice(&[1, 268_435_455]),
        payload: b"hi",
    };
    check(
        "3B .. <a/b> 0102 {0B 01 01 00 02 00000000 03 <c> 08 <r> 09 <> 26 <k><v> 23 0007 0B FFFFFF7F} 'hi'",
        SERVER,
        &Packet::Publish(expected),
    );
}

#[test]
fn acknowledgements() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let ack = Ack {
        packet_id: id(0x0102),
        reason_code: ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        reason_string: Some("why"),
        user_properties: user_properties.as_user_properties(),
    };
    check("62 .. 0102 92 {1F <why> 26 <k><v>}", CLIENT, &Packet::Pubrel(ack));
    check("70 .. 0102 92 {1F <why> 26 <k><v>}", CLIENT, &Packet::Pubcomp(ack));
    let ack = Ack { reason_code: ReasonCode::NOT_AUTHORIZED, ..ack };
    check("40 .. 0102 87 {1F <why> 26 <k><v>}", CLIENT, &Packet::Puback(ack));
    check("50 .. 0102 87 {1F <why> 26 <k><v>}", CLIENT, &Packet::Pubrec(ack));
    // MQTT-3.4.2-1: left out, it is success.
    check("40 02 0102", CLIENT, &Packet::Puback(Ack::new(id(0x0102), ReasonCode::SUCCESS)));
}

#[test]
fn subscribe() {
    let frame = bytes("82 .. 0102 {0B 8001 26 <k><v>} <a/b> 1D <#> 22");
    let packet = decode(&frame, ProtocolVersion::V5, CLIENT, &DecodeLimits::default());
    let Ok(Packet::Subscribe(subscribe)) = packet else { panic!("{packet:?}") };
    assert_eq!((subscribe.packet_id, subscribe.subscription_id), (id(0x0102), Some(128)));
    assert_eq!(subscribe.user_properties.iter().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!((subscribe.filters.len(), subscribe.filters.is_empty()), (2, false));
    let first = SubscriptionOptions {
        maximum_qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::SendIfNew,
    };
    let second = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..SubscriptionOptions::with_qos(QoS::ExactlyOnce)
    };
    let filters: Vec<_> = subscribe.filters.iter().collect();
    assert_eq!(
        filters,
        [SubscribeFilter { filter: "a/b", options: first }, SubscribeFilter { filter: "#", options: second }]
    );
}

/// Every byte is either options that give the byte again, or none `[MQTT-3.8.3-5]`, `U5-069`, `U5-070`.
#[test]
fn subscription_options() {
    for byte in 0..=u8::MAX {
        let valid = byte & 0xC0 == 0 && byte & 0x03 != 3 && byte >> 4 != 3;
        assert_eq!(
            SubscriptionOptions::from_byte(byte).map(SubscriptionOptions::to_byte),
            valid.then_some(byte)
        );
    }
}

#[test]
fn suback_and_unsuback() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let suback = Suback {
        packet_id: id(0x0102),
        reason_codes: &[0, 1, 2, 0x87],
        reason_string: Some("why"),
        user_properties: user_properties.as_user_properties(),
    };
    check("90 .. 0102 {1F <why> 26 <k><v>} 00 01 02 87", SERVER, &Packet::Suback(suback));
    let unsuback = Unsuback {
        packet_id: suback.packet_id,
        reason_codes: &[0, 0x11],
        reason_string: Some("why"),
        user_properties: suback.user_properties,
    };
    check("B0 .. 0102 {1F <why> 26 <k><v>} 00 11", SERVER, &Packet::Unsuback(unsuback));
}

#[test]
fn unsubscribe() {
    let frame = bytes("A2 .. 0102 {26 <k><v>} <a/b> <$share/g/#>");
    let packet = decode(&frame, ProtocolVersion::V5, CLIENT, &DecodeLimits::default());
    let Ok(Packet::Unsubscribe(unsubscribe)) = packet else { panic!("{packet:?}") };
    assert_eq!(unsubscribe.packet_id, id(0x0102));
    assert_eq!(unsubscribe.user_properties.iter().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!(unsubscribe.filters.iter().collect::<Vec<_>>(), ["a/b", "$share/g/#"]);
    assert_eq!((unsubscribe.filters.len(), unsubscribe.filters.is_empty()), (2, false));
}

#[test]
fn disconnect_and_auth() {
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let disconnect = Disconnect {
        reason_code: ReasonCode::DISCONNECT_WITH_WILL_MESSAGE,
        session_expiry_interval: Some(10),
        reason_string: Some("why"),
        user_properties: user_properties.as_user_properties(),
        server_reference: Some("other"),
    };
    check("E0 .. 04 {11 0000000A 1F <why> 26 <k><v> 1C <other>}", CLIENT, &Packet::Disconnect(disconnect));
    check("E0 00", CLIENT, &Packet::Disconnect(Disconnect::default()));
    let auth = Auth {
        reason_code: ReasonCode::CONTINUE_AUTHENTICATION,
        authentication_method: Some("m"),
        authentication_data: Some(b"d"),
        reason_string: Some("why"),
        user_properties: user_properties.as_user_properties(),
    };
    check("F0 .. 18 {15 <m> 16 <d> 1F <why> 26 <k><v>}", SERVER, &Packet::Auth(auth));
}
