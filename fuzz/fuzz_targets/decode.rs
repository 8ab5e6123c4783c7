//! A stream of any bytes is taken apart as a connection would: nothing panics, nothing is read past the end.

#![no_main]

use ferry_codec::{
    DecodeLimits, Direction, Packet, ProtocolVersion, decode, decode_connect, frame_length, peek_topic,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, mut input)) = input.split_first() else { return };
    let mut version = match choice & 3 {
        0 => ProtocolVersion::V31,
        1 => ProtocolVersion::V311,
        _ => ProtocolVersion::V5,
    };
    let direction = if choice & 4 == 0 { Direction::FromClient } else { Direction::FromServer };
    let limits = DecodeLimits { reject_control_characters: choice & 8 != 0, ..DecodeLimits::UNLIMITED };
    while let Ok(Some(length)) = frame_length(input, &limits) {
        let Some((frame, rest)) = input.split_at_checked(length) else { return };
        let connect = decode_connect(frame, &limits);
        let peeked = peek_topic(input, &limits);
        match decode(frame, version, direction, &limits) {
            Ok(Packet::Connect(second)) => {
                assert_eq!(connect, Ok(second));
                version = second.protocol_version;
            }
            Ok(Packet::Publish(publish)) => {
                assert_eq!(peeked, Some((length, Some(publish.topic).filter(|topic| !topic.is_empty()))));
            }
            Ok(packet) => drop(format!("{packet:?}")),
            Err(error) => drop(error.to_string()),
        }
        input = rest;
    }
});
