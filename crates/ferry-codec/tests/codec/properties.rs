//! Properties that hold for every packet, and for every string of bytes that is none.

use crate::arbitrary::owned::{self, packet, publish};
use crate::arbitrary::{text, topic_filter, topic_name, version};
use ferry_codec::wire_shape::{encode_publish, encoded_publish_length, set_dup, set_qos, set_retain};
use ferry_codec::{
    DecodeLimits, Direction, MessageProperties, Packet, PacketId, ProtocolVersion, QoS, StoredProperties,
    decode, decode_connect, encode, encoded_length, frame_length, peek_topic, topic,
};
use proptest::prelude::*;

fn encoded(packet: &owned::Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = packet.with(|lent| encode(lent, packet.version, &mut bytes));
    assert_eq!(length, bytes.len());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Encoding and decoding loses nothing [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18],
    /// [MQTT-3.3.2-20], [MQTT-3.1.3-10], and adds nothing.
    #[test]
    fn round_trip(packet in packet()) {
        let bytes = encoded(&packet);
        let limits = DecodeLimits::UNLIMITED;
        prop_assert_eq!(frame_length(&bytes, &limits), Ok(Some(bytes.len())));
        let decoded = decode(&bytes, packet.version, packet.direction, &limits);
        packet.with(|lent| {
            prop_assert_eq!(&decoded, &Ok(*lent));
            prop_assert_eq!(encoded_length(lent, packet.version), bytes.len());
            if let Packet::Connect(connect) = lent {
                prop_assert_eq!(decode_connect(&bytes, &limits), Ok(*connect));
            }
            let topic = match lent {
                Packet::Publish(publish) => Some(publish.topic).filter(|topic| !topic.is_empty()),
                _ => None,
            };
            prop_assert_eq!(peek_topic(&bytes, &limits), Some((bytes.len(), topic)));
            prop_assert_eq!(peek_topic(&bytes[..bytes.len() - 1], &limits), None);
            Ok(())
        })?;
    }

    /// The next packet in the buffer changes nothing.
    #[test]
    fn length_of_the_first_packet(packet in packet(), rest in proptest::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = encoded(&packet);
        let length = bytes.len();
        bytes.extend(rest);
        prop_assert_eq!(frame_length(&bytes, &DecodeLimits::UNLIMITED), Ok(Some(length)));
    }

    /// U5-035, U5-013: the limit counts the whole packet, its fixed header included.
    #[test]
    fn packet_size_max(packet in packet()) {
        let bytes = encoded(&packet);
        let packet_size_max = u32::try_from(bytes.len()).unwrap();
        let limits = DecodeLimits { packet_size_max, ..DecodeLimits::UNLIMITED };
        prop_assert_eq!(frame_length(&bytes, &limits), Ok(Some(bytes.len())));
        let limits = DecodeLimits { packet_size_max: packet_size_max - 1, ..limits };
        prop_assert_eq!(frame_length(&bytes, &limits).map_err(|error| error.reason_code.code()), Err(0x95));
        // Known as soon as the length is.
        prop_assert!(frame_length(&bytes[..bytes.len().min(5)], &limits).is_err());
    }

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64), version in version()) {
        decode_every_way(&bytes, version);
    }

    /// The rest of the packet is what the fixed header says, so that the decoders see it.
    #[test]
    fn arbitrary_body(
        first in any::<u8>(),
        body in proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(2), any::<u8>()], 0..64),
        version in version(),
    ) {
        let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
        bytes.extend(body);
        decode_every_way(&bytes, version);
    }

    /// Bytes changed, taken out and put in, with and without the Remaining Length put right.
    #[test]
    fn mutated_packet(
        packet in packet(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
        repair in any::<bool>(),
    ) {
        let mut bytes = encoded(&packet);
        for (index, byte, change) in changes {
            if bytes.is_empty() {
                break;
            }
            let index = index.index(bytes.len());
            match change {
                0 => bytes[index] = byte,
                1 => bytes[index] ^= 1 << (byte & 7),
                2 => bytes.insert(index, byte),
                _ => drop(bytes.remove(index)),
            }
        }
        if repair {
            bytes = with_right_length(&bytes);
        }
        decode_every_way(&bytes, packet.version);
    }

    /// Every beginning of a packet, with the Remaining Length put right: each field cut at each place.
    #[test]
    fn cut_packet(packet in packet()) {
        let bytes = encoded(&packet);
        for end in 1..bytes.len().min(200) {
            decode_every_way(&with_right_length(&bytes[..end]), packet.version);
        }
    }

    #[test]
    fn wire_shape(packet in publish(), packet_id in 1..=u16::MAX, alias in 1..=u16::MAX, retain in any::<bool>()) {
        packet.with(|lent| {
            let Packet::Publish(publish) = lent else { return Ok(()) };
            let mut shape = vec![0xAA];
            let layout = encode_publish(publish, packet.version, &mut shape);
            prop_assert_eq!(&shape[1..], encoded(&packet));
            prop_assert_eq!(layout.length, shape.len() - 1);
            prop_assert_eq!(encoded_publish_length(publish, packet.version), layout.length);

            // Patching is the same as encoding what it was patched to.
            let mut patched = *publish;
            let shape = &mut shape[1..];
            layout.set_packet_id(shape, PacketId::new(packet_id).unwrap());
            layout.set_topic_alias(shape, alias);
            set_retain(shape, retain);
            patched.retain = retain;
            patched.topic_alias = patched.topic_alias.map(|_| alias);
            if publish.qos != QoS::AtMostOnce {
                set_dup(shape, true);
                set_qos(shape, QoS::ExactlyOnce);
                patched.dup = true;
                patched.qos = QoS::ExactlyOnce;
                patched.packet_id = PacketId::new(packet_id);
            }
            let mut expected = Vec::new();
            encode(&Packet::Publish(patched), packet.version, &mut expected);
            prop_assert_eq!(shape, expected.as_slice());
            Ok(())
        })?;
    }

    #[test]
    fn stored_properties(packet in publish()) {
        packet.with(|lent| {
            let Packet::Publish(publish) = lent else { return Ok(()) };
            let stored = StoredProperties::new(&publish.properties);
            let forwarded = MessageProperties { message_expiry_interval: None, ..publish.properties };
            prop_assert_eq!(stored.properties(), forwarded);
            prop_assert_eq!(stored.is_empty(), forwarded == MessageProperties::default());
            prop_assert_eq!(StoredProperties::from_bytes(stored.as_bytes().into()), Ok(stored.clone()));
            let mut with_expiry = Vec::new();
            publish.properties.encode_into(&mut with_expiry);
            prop_assert_eq!(MessageProperties::decode(&with_expiry), Ok(publish.properties));
            Ok(())
        })?;
    }

    #[test]
    fn stored_properties_from_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
        if let Ok(stored) = StoredProperties::from_bytes(bytes.into()) {
            let _ = stored.properties();
        }
    }

    /// Every filter and name that the strategies make is valid, and the two matchers agree.
    #[test]
    fn topic_match(filter in topic_filter(), name in topic_name()) {
        let limits = DecodeLimits::UNLIMITED;
        prop_assert_eq!(topic::validate_topic_filter(&filter, &limits), Ok(()));
        prop_assert_eq!(topic::validate_topic_name(&name, &limits), Ok(()));
        let filter = topic::parse_shared(&filter).unwrap().map_or(filter.as_str(), |shared| shared.filter);
        prop_assert_eq!(topic::matches(filter, &name), naive_match(filter, &name), "{} {}", filter, name);
    }

    /// A filter made from a name by putting wildcards into it matches it.
    #[test]
    fn topic_generalised(name in topic_name(), plus in any::<u8>(), cut in of_levels()) {
        prop_assume!(!name.starts_with('$'));
        let mut levels: Vec<&str> = name.split('/').collect();
        for (index, level) in levels.iter_mut().enumerate() {
            if plus & 1_u8.rotate_left(u32::try_from(index).unwrap()) != 0 {
                *level = "+";
            }
        }
        prop_assert!(topic::matches(&levels.join("/"), &name));
        levels.truncate(cut);
        levels.push("#");
        prop_assert!(topic::matches(&levels.join("/"), &name));
    }

    #[test]
    fn topic_of_any_text(name in text()) {
        let limits = DecodeLimits::UNLIMITED;
        let valid = !name.is_empty() && !name.contains(['+', '#']);
        prop_assert_eq!(topic::validate_topic_name(&name, &limits).is_ok(), valid);
        // Any valid name is a filter that matches it and nothing else, unless it looks like a shared one.
        if valid && !name.starts_with("$share/") {
            prop_assert_eq!(topic::validate_topic_filter(&name, &limits), Ok(()));
            prop_assert!(topic::matches(&name, &name));
        }
    }
}

fn of_levels() -> impl Strategy<Value = usize> {
    0..4_usize
}

/// Neither panics nor accepts what it cannot encode again.
fn decode_every_way(bytes: &[u8], version: ProtocolVersion) {
    let limits = DecodeLimits::UNLIMITED;
    let _ = frame_length(bytes, &limits);
    let _ = peek_topic(bytes, &limits);
    let _ = decode_connect(bytes, &limits);
    for direction in [Direction::FromClient, Direction::FromServer] {
        let Ok(packet) = decode(bytes, version, direction, &limits) else { continue };
        let version = match packet {
            Packet::Connect(connect) => connect.protocol_version,
            _ => version,
        };
        let mut again = Vec::new();
        encode(&packet, version, &mut again);
        let decoded = decode(&again, version, direction, &limits);
        // A failure code that 3.1 has no word for becomes QoS 0; all else is the same.
        if !matches!(packet, Packet::Suback(_)) {
            assert_eq!(decoded, Ok(packet), "{bytes:02X?}");
        }
    }
}

fn with_right_length(bytes: &[u8]) -> Vec<u8> {
    let Some((first, rest)) = bytes.split_first() else { return Vec::new() };
    let header = rest.iter().take(4).take_while(|byte| **byte >= 0x80).count() + 1;
    let body = rest.get(header..).unwrap_or_default();
    let mut bytes = vec![*first];
    let mut length = body.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(body);
    bytes
}

/// Section 4.7 read as a recursion over characters, without any notion of levels.
fn naive_match(filter: &str, topic: &str) -> bool {
    fn rest(filter: &[u8], topic: &[u8]) -> bool {
        match (filter, topic) {
            ([b'#'], _) | ([b'/', b'#'], []) => true,
            ([b'+', filter @ ..], [byte, topic_rest @ ..]) if *byte != b'/' => {
                rest(filter, topic) || rest([b"+", filter].concat().as_slice(), topic_rest)
            }
            ([b'+', filter @ ..], topic) => rest(filter, topic),
            ([left, filter @ ..], [right, topic @ ..]) => left == right && rest(filter, topic),
            ([], []) => true,
            _ => false,
        }
    }
    // [MQTT-4.7.2-1].
    let wildcard_first = filter.starts_with(['+', '#']);
    !(wildcard_first && topic.starts_with('$')) && rest(filter.as_bytes(), topic.as_bytes())
}
