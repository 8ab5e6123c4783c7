//! Every packet, version and malformation as bytes, with the reason code and the statement it is refused with.

use crate::vectors;
use crate::vectors::notation::{Expected, Vector, bytes};
use ferry_codec::{
    DecodeError, DecodeLimits, Direction, Packet, ProtocolVersion, decode, decode_connect, encode,
    encoded_length, frame_length,
};

#[test]
fn connect() {
    check(vectors::connect::FLAGS);
    check(vectors::connect::WILL);
    check(vectors::connect::PROPERTIES);
    check(vectors::connect::PROTOCOL);
    check(vectors::connect::CLIENT_ID);
}

#[test]
fn connack() {
    check(vectors::connack::HEADER);
    check(vectors::connack::PROPERTIES);
}

#[test]
fn publish() {
    check(vectors::publish::HEADER);
    check(vectors::publish::TOPIC);
    check(vectors::publish::PROPERTIES);
}

#[test]
fn acknowledgements() {
    check(vectors::ack::FORM);
    check(vectors::ack::FLAGS);
    check(vectors::ack::REASON_CODES);
    check(vectors::ack::PROPERTIES);
}

#[test]
fn subscribe_and_suback() {
    check(vectors::subscribe::SUBSCRIBE);
    check(vectors::subscribe::FILTER);
    check(vectors::subscribe::SUBACK);
}

#[test]
fn unsubscribe_and_unsuback() {
    check(vectors::unsubscribe::UNSUBSCRIBE);
    check(vectors::unsubscribe::UNSUBACK);
}

#[test]
fn ping_disconnect_auth_and_no_packet() {
    check(vectors::others::PING);
    check(vectors::others::DISCONNECT);
    check(vectors::others::AUTH);
    check(vectors::others::FRAME);
}

/// All rows that fail, not only the first.
fn check(table: &[Vector]) {
    let mut failures = Vec::new();
    for vector in table {
        for version in vector.versions {
            if let Err(failure) = check_vector(vector, *version) {
                failures.push(format!("{:?} in {version}: {}: {failure}", vector.name, vector.packet));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn check_vector(vector: &Vector, version: ProtocolVersion) -> Result<(), String> {
    let frame = bytes(vector.packet);
    check_prefixes(&frame)?;
    let result = measure_and_decode(&frame, version, vector.direction);
    match (vector.expected, result) {
        (Expected::Accepted, Ok(packet)) => check_encoding(&packet, version, &frame),
        (Expected::AcceptedAs(encoded), Ok(packet)) => check_encoding(&packet, version, &bytes(encoded)),
        (Expected::Refused(reason_code, statement), Err(error))
            if (error.reason_code.code(), error.statement) == (reason_code, statement) =>
        {
            Ok(())
        }
        (_, Err(error)) => Err(format!("refused with {error}")),
        (_, Ok(packet)) => Err(format!("accepted: {packet:?}")),
    }
}

/// As a connection does. A CONNECT must come out the same when it is the first packet.
fn measure_and_decode(
    frame: &[u8],
    version: ProtocolVersion,
    direction: Direction,
) -> Result<Packet<'_>, DecodeError> {
    let limits = DecodeLimits::default();
    let result = decode(frame, version, direction, &limits);
    match frame_length(frame, &limits) {
        Ok(length) => assert_eq!(length, Some(frame.len())),
        Err(error) => {
            let reason_code = result.expect_err("measured as bad, decoded as good").reason_code;
            assert_eq!(error.reason_code, reason_code);
        }
    }
    if frame.first().is_some_and(|first| first >> 4 == 1) && direction == Direction::FromClient {
        assert_eq!(decode_connect(frame, &limits).map(Packet::Connect), result);
        if let Ok(Packet::Connect(connect)) = result {
            assert_eq!(connect.protocol_version, version);
        }
    }
    result
}

fn check_encoding(packet: &Packet<'_>, version: ProtocolVersion, expected: &[u8]) -> Result<(), String> {
    let mut encoded = vec![0xAA];
    let length = encode(packet, version, &mut encoded);
    assert_eq!(length, encoded_length(packet, version));
    assert_eq!(length, encoded.len() - 1);
    if encoded.split_first() == Some((&0xAA, expected)) {
        return Ok(());
    }
    Err(format!("encoded as {encoded:02X?} instead of {expected:02X?}"))
}

/// While a packet arrives it is either not yet measured, or measured right, or refused as the whole is.
fn check_prefixes(frame: &[u8]) -> Result<(), String> {
    let limits = DecodeLimits::default();
    let whole = frame_length(frame, &limits);
    for end in 0..frame.len() {
        let prefix = frame_length(&frame[..end], &limits);
        if prefix != Ok(None) && prefix != whole {
            return Err(format!("the first {end} bytes were measured as {prefix:?}"));
        }
    }
    Ok(())
}
