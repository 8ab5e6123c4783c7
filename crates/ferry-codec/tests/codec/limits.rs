//! Every limit of `DecodeLimits`, just below and just above, and what no limit may let through.

use crate::vectors::notation::{CLIENT, bytes};
use ferry_codec::{
    DecodeError, DecodeLimits, MessageProperties, Packet, ProtocolVersion, ReasonCode, UnsupportedVersion,
    decode, decode_connect, encode, frame_length,
};

const LIMITS: DecodeLimits = DecodeLimits::UNLIMITED;

fn decode_v5<'a>(frame: &'a [u8], limits: &DecodeLimits) -> Result<Packet<'a>, DecodeError> {
    decode(frame, ProtocolVersion::V5, CLIENT, limits)
}

fn refusal(frame: &[u8], limits: &DecodeLimits) -> Option<ReasonCode> {
    decode_v5(frame, limits).err().map(|error| error.reason_code)
}

/// README trap 6: the limit counts the fixed header; the largest packet is 268,435,455 bytes and 5 more.
#[test]
fn packet_size_max() {
    let limits = DecodeLimits { packet_size_max: 100, ..LIMITS };
    assert_eq!(frame_length(&[0x30, 98], &limits), Ok(Some(100)));
    let error = frame_length(&[0x30, 99], &limits).unwrap_err();
    assert_eq!((error.reason_code, error.statement), (ReasonCode::PACKET_TOO_LARGE, "U5-035"));
    assert_eq!(frame_length(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], &LIMITS), Ok(Some(268_435_460)));
    assert!(frame_length(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], &DecodeLimits::default()).is_err());
}

/// What is wrong with the fixed header is seen before the rest of the packet has arrived.
#[test]
fn frame_length_is_early() {
    let reason_code = |input: &[u8]| frame_length(input, &LIMITS).map_err(|error| error.reason_code.code());
    assert_eq!(reason_code(&[]), Ok(None));
    assert_eq!(reason_code(&[0x30]), Ok(None));
    assert_eq!(reason_code(&[0x30, 0xFF, 0xFF, 0xFF]), Ok(None));
    assert_eq!(reason_code(&[0x00]), Err(0x81));
    assert_eq!(reason_code(&[0x36]), Err(0x81)); // MQTT-3.3.1-4
    assert_eq!(reason_code(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Err(0x81));
    assert_eq!(reason_code(&[0x30, 0x80, 0x80, 0x80, 0x80]), Err(0x81));
}

#[test]
fn frame_must_be_one_packet() {
    for frame in [&[][..], &[0xC0], &[0xC0, 1], &[0xC0, 0, 0xC0, 0], &[0xC0, 0x80]] {
        assert_eq!(refusal(frame, &LIMITS), Some(ReasonCode::MALFORMED_PACKET), "{frame:?}");
    }
}

#[test]
fn user_properties_max() {
    let frame = bytes("30 .. <t> {26 <k><v> 01 00 26 <k><v> 26 <k><v>} 'hi'");
    assert_eq!(refusal(&frame, &DecodeLimits { user_properties_max: 3, ..LIMITS }), None);
    let limits = DecodeLimits { user_properties_max: 2, ..LIMITS };
    assert_eq!(refusal(&frame, &limits), Some(ReasonCode::QUOTA_EXCEEDED));
    // Each section counts for itself.
    let frame = bytes("10 .. <MQTT> 05 06 0000 {26 <k><v> 26 <k><v>} <id> {26 <k><v> 26 <k><v>} <w> <b>");
    assert_eq!(refusal(&frame, &limits), None);
}

/// README trap 2: a section of a million user properties, or of subscription identifiers, takes time in
/// proportion to its length (a test in proportion to its square would not end), and no memory.
#[test]
fn a_million_user_properties() {
    let mut packet = Vec::new();
    let pairs: ferry_codec::UserPropertiesBuf = (0..1_000_000).map(|_| ("", "")).collect();
    let publish = ferry_codec::Publish {
        topic: "t",
        properties: MessageProperties { user_properties: pairs.as_user_properties(), ..Default::default() },
        ..Default::default()
    };
    encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut packet);
    let Ok(Packet::Publish(decoded)) = decode_v5(&packet, &LIMITS) else { panic!("refused") };
    assert_eq!(decoded.properties.user_properties.count(), 1_000_000);
    assert_eq!(decoded.properties.user_properties.iter().count(), 1_000_000);
    assert_eq!(refusal(&packet, &DecodeLimits::default()), Some(ReasonCode::QUOTA_EXCEEDED));
}

#[test]
fn topic_levels_max() {
    let limits = DecodeLimits { topic_levels_max: 3, ..LIMITS };
    assert_eq!(refusal(&bytes("30 .. <a/b/c> {}"), &limits), None);
    assert_eq!(refusal(&bytes("30 .. <a/b/c/> {}"), &limits), Some(ReasonCode::TOPIC_NAME_INVALID));
    assert_eq!(refusal(&bytes("82 .. 0001 {} <a/+/#> 00"), &limits), None);
    assert_eq!(refusal(&bytes("82 .. 0001 {} <$share/g/a/+/#> 00"), &limits), None);
    assert_eq!(
        refusal(&bytes("82 .. 0001 {} <a/b/c/d> 00"), &limits),
        Some(ReasonCode::TOPIC_FILTER_INVALID)
    );
}

/// `[MQTT-4.7.3-3]`: 65,535 bytes is also the most that the length in front can say.
#[test]
fn topic_bytes_max() {
    let limits = DecodeLimits { topic_bytes_max: 4, ..LIMITS };
    assert_eq!(refusal(&bytes("30 .. <a/bc> {}"), &limits), None);
    assert_eq!(refusal(&bytes("30 .. <a/bcd> {}"), &limits), Some(ReasonCode::TOPIC_NAME_INVALID));
    assert_eq!(refusal(&bytes("82 .. 0001 {} <a/bc> 00"), &limits), None);
    assert_eq!(refusal(&bytes("82 .. 0001 {} <a/bcd> 00"), &limits), Some(ReasonCode::TOPIC_FILTER_INVALID));
    let longest = bytes(&format!("30 .. <{}> {{}}", "x".repeat(65_535)));
    assert_eq!(refusal(&longest, &LIMITS), None);
}

/// `U5-003`: by default such characters are accepted.
#[test]
fn reject_control_characters() {
    let limits = DecodeLimits { reject_control_characters: true, ..LIMITS };
    for text in ["01", "1F", "7F", "C280", "C29F", "EFBFBE", "EFBFBF", "EFB790", "F09FBFBE"] {
        let length = format!("00{:02X}", text.len() / 2);
        for packet in [
            format!("30 .. {length} {text} {{}}"),
            format!("30 .. <t> {{03 {length} {text}}}"),
            format!("30 .. <t> {{26 <k> {length} {text}}}"),
            format!("82 .. 0001 {{}} {length} {text} 00"),
            format!("10 .. <MQTT> 05 82 0000 {{}} <id> {length} {text}"),
            format!("10 .. <MQTT> 05 02 0000 {{}} {length} {text}"),
        ] {
            let frame = bytes(&packet);
            assert_eq!(refusal(&frame, &LIMITS), None, "{packet}");
            let error = decode_v5(&frame, &limits).unwrap_err();
            assert_eq!((error.reason_code.code(), error.statement), (0x81, "U5-003"), "{packet}");
        }
    }
    assert_eq!(refusal(&bytes("30 .. < ~é🦀> {}"), &limits), None);
    assert_eq!(refusal(&bytes("30 .. 0003 EFBBBF {}"), &limits), None); // U+FEFF [MQTT-1.5.4-3]
}

/// `[MQTT-3.1.0-1]`, `[MQTT3-3.1.0-1]`.
#[test]
fn first_packet_must_be_connect() {
    for packet in ["C0 00", "30 .. <a/b> {} 'hi'", "82 .. 000A {} <a/b> 00", "E0 00", "20 02 00 00"] {
        let error = decode_connect(&bytes(packet), &LIMITS).unwrap_err();
        assert_eq!((error.reason_code, error.statement), (ReasonCode::PROTOCOL_ERROR, "MQTT-3.1.0-1"));
    }
}

/// An answer to a refused CONNECT is written in the version of the CONNECT.
#[test]
fn version_of_a_refused_connect() {
    let refuse = |packet: &str| decode_connect(&bytes(packet), &LIMITS).unwrap_err();
    let version = |packet: &str| refuse(packet).protocol_version;
    assert_eq!(version("10 .. <MQTT> 05 03 0000 {} <id>"), Some(ProtocolVersion::V5));
    assert_eq!(version("10 .. <MQTT> 04 03 0000 <id>"), Some(ProtocolVersion::V311));
    assert_eq!(version("10 .. <MQIsdp> 03 02 0000 <>"), Some(ProtocolVersion::V31));
    assert_eq!(version("10 .. <MQTT>"), None);

    let unsupported = |packet: &str| refuse(packet).unsupported_version.unwrap();
    let level_6 = unsupported("10 .. <MQTT> 06 02 0000 {} <id>");
    assert_eq!(level_6, UnsupportedVersion { protocol_name_known: true, level: 6 });
    assert_eq!(level_6.answer_version(), Some(ProtocolVersion::V5));
    assert_eq!(unsupported("10 .. <MQTT> 03 02").answer_version(), Some(ProtocolVersion::V311)); // MQTT3-3.1.2-2
    assert_eq!(unsupported("10 .. <MQTX> 05 02").answer_version(), None);
    assert_eq!(version("10 .. <MQTT> 06 02 0000 {} <id>"), None);
}

/// `U5-053`, `U5-022`.
#[test]
fn payload_format() {
    let valid = |indicator, payload: &[u8]| {
        MessageProperties { payload_format_indicator: indicator, ..Default::default() }
            .payload_format_is_valid(payload)
    };
    assert!(valid(Some(true), "é".as_bytes()));
    assert!(!valid(Some(true), &[0xFF]));
    assert!(valid(Some(false), &[0xFF]));
    assert!(valid(None, &[0xFF]));
}

#[test]
fn errors_say_what_is_wrong() {
    let error = decode_v5(&bytes("30 .. <> {} 'hi'"), &LIMITS).unwrap_err();
    let text = "0x82 Protocol Error: neither a topic name nor a topic alias [U5-052]";
    assert_eq!(error.to_string(), text);
    let error = decode_v5(&[0xC0, 1, 0], &LIMITS).unwrap_err();
    assert_eq!(error.to_string(), "0x81 Malformed Packet: bytes follow the last field of the packet");
}
