//! What is accepted is encoded and decoded again without a difference.

#![no_main]

use ferry_codec::wire_shape::encode_publish;
use ferry_codec::{
    DecodeLimits, Direction, Packet, ProtocolVersion, StoredProperties, decode, encode, encoded_length,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let limits = DecodeLimits::UNLIMITED;
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
        for direction in [Direction::FromClient, Direction::FromServer] {
            let Ok(packet) = decode(input, version, direction, &limits) else { continue };
            let version = match packet {
                Packet::Connect(connect) => connect.protocol_version,
                _ => version,
            };
            let mut encoded = Vec::new();
            assert_eq!(encode(&packet, version, &mut encoded), encoded.len());
            assert_eq!(encoded_length(&packet, version), encoded.len());
            let again = decode(&encoded, version, direction, &limits);
            match packet {
                // A failure code that 3.1 has no word for becomes QoS 0.
                Packet::Suback(_) if version == ProtocolVersion::V31 => assert!(again.is_ok()),
                _ => assert_eq!(again, Ok(packet)),
            }
            if let Packet::Publish(publish) = packet {
                let mut shape = Vec::new();
                assert_eq!(encode_publish(&publish, version, &mut shape).length, encoded.len());
                assert_eq!(shape, encoded);
                let stored = StoredProperties::new(&publish.properties);
                assert_eq!(StoredProperties::from_bytes(stored.as_bytes().into()), Ok(stored.clone()));
            }
        }
    }
});
