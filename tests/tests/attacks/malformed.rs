//! Packets that are wrong, one after the other, from clients that are connected and from strangers.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// What is wrong, the bytes, and the reason code in MQTT 5.0.
type Case = (&'static str, &'static [u8], u8);

/// Wrong in every version.
const ALWAYS: &[Case] = &[
    ("packet type 0", &[0x00, 0x00], 0x81),
    ("a header of five bytes", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81),
    ("more than the largest packet", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
    ("PUBLISH with QoS 3", &[0x36, 0x07, 0, 1, b't', 0, 1, 0, 0], 0x81),
    ("PUBLISH with QoS 0 and DUP", &[0x38, 0x04, 0, 1, b't', 0], 0x81),
    ("PUBLISH with packet identifier 0", &[0x32, 0x06, 0, 1, b't', 0, 0, 0], 0x81),
    ("PUBLISH without a packet identifier", &[0x32, 0x03, 0, 1, b't'], 0x81),
    ("PUBLISH with a topic beyond its end", &[0x30, 0x03, 0xFF, 0xFF, b't'], 0x81),
    ("PUBLISH with U+0000 in its topic", &[0x30, 0x04, 0, 1, 0, 0], 0x81),
    ("PUBLISH with half a surrogate pair", &[0x30, 0x06, 0, 3, 0xED, 0xA0, 0x80, 0], 0x81),
    ("PUBLISH with an overlong character", &[0x30, 0x05, 0, 2, 0xC1, 0x81, 0], 0x81),
    ("PUBLISH with a truncated character", &[0x30, 0x04, 0, 1, 0xC3, 0], 0x81),
    ("PUBLISH to a wildcard", &[0x30, 0x06, 0, 3, b'a', b'/', b'#', 0], 0x90),
    ("PUBACK without a packet identifier", &[0x40, 0x00], 0x81),
    ("PUBACK with one byte", &[0x40, 0x01, 0x00], 0x81),
    ("PUBACK with flags", &[0x42, 0x02, 0, 1], 0x81),
    ("PUBREL with the flags of PUBACK", &[0x60, 0x02, 0, 1], 0x81),
    ("SUBSCRIBE without a packet identifier", &[0x82, 0x00], 0x81),
    ("SUBSCRIBE with the flags of PUBLISH", &[0x80, 0x07, 0, 1, 0, 0, 1, b't', 0], 0x81),
    ("UNSUBSCRIBE without a packet identifier", &[0xA2, 0x00], 0x81),
    ("PINGREQ with a body", &[0xC0, 0x01, 0x00], 0x81),
    ("DISCONNECT with flags", &[0xE1, 0x00], 0x81),
    ("a second CONNECT", &[0x10, 0x0D, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, 0, 0], 0x82),
    ("CONNACK from a client", &[0x20, 0x03, 0, 0, 0], 0x82),
    ("SUBACK from a client", &[0x90, 0x04, 0, 1, 0, 0], 0x82),
    ("PINGRESP from a client", &[0xD0, 0x00], 0x82),
];

/// Wrong in MQTT 5.0.
const V5: &[Case] = &[
    ("a length that is not minimal", &[0xC0, 0x80, 0x00], 0x81),
    ("properties beyond the end", &[0x30, 0x04, 0, 1, b't', 0x7F], 0x81),
    ("an unknown property", &[0x30, 0x06, 0, 1, b't', 2, 0x7E, 0], 0x81),
    ("a property of CONNECT in PUBLISH", &[0x30, 0x07, 0, 1, b't', 3, 0x21, 0, 1], 0x81),
    ("an indicator twice", &[0x30, 0x08, 0, 1, b't', 4, 0x01, 1, 0x01, 1], 0x82),
    ("an indicator of 2", &[0x30, 0x06, 0, 1, b't', 2, 0x01, 2], 0x82),
    ("a subscription identifier in PUBLISH", &[0x30, 0x06, 0, 1, b't', 2, 0x0B, 1], 0x82),
    ("a user property that is not UTF-8", &[0x30, 0x0B, 0, 1, b't', 7, 0x26, 0, 1, 0xFF, 0, 1, b'v'], 0x81),
    ("no topic and no alias", &[0x30, 0x03, 0, 0, 0], 0x82),
    ("SUBSCRIBE to nothing", &[0x82, 0x03, 0, 1, 0], 0x82),
    ("SUBSCRIBE with reserved options", &[0x82, 0x07, 0, 1, 0, 0, 1, b't', 0xC0], 0x81),
    ("SUBSCRIBE with subscription identifier 0", &[0x82, 0x09, 0, 1, 2, 0x0B, 0, 0, 1, b't', 0], 0x82),
    ("UNSUBSCRIBE from nothing", &[0xA2, 0x03, 0, 1, 0], 0x82),
    ("PUBACK with a reason code of DISCONNECT", &[0x40, 0x03, 0, 1, 0x8E], 0x82),
    ("AUTH without a method", &[0xF0, 0x02, 0x18, 0], 0x82),
];

/// [MQTT-4.13.1-1] [MQTT3-4.8.0-1]
#[test]
fn a_malformed_packet_ends_the_connection() {
    let mut arena = Arena::new("");
    for level in [4, 5] {
        let cases = ALWAYS.iter().chain(if level == 5 { V5 } else { &[] });
        for (number, (name, bytes, reason_code)) in cases.enumerate() {
            println!("{name}");
            let mut attacker = Attacker::online(&arena.ferry, level, &format!("attacker{number}"));
            attacker.send(bytes);
            attacker.is_disconnected(*reason_code);
        }
    }
    arena.has_refused(ALWAYS.iter().chain(ALWAYS).chain(V5).map(|(_, _, code)| *code));
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// [MQTT-3.1.0-1] [MQTT3-3.1.0-1]
#[test]
fn strangers_get_no_answer() {
    let first_packets: &[&[u8]] = &[
        &[0xC0, 0x00],
        &[0x30, 0x04, 0, 1, b't', 0],
        &[0x00],
        &[0xFF; 100],
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        // A CONNECT of 256 MiB.
        &[0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M', b'Q', b'T', b'T', 5],
        // MQTT 3.1.1, with the reserved flag.
        &[0x10, 0x0C, 0, 4, b'M', b'Q', b'T', b'T', 4, 3, 0, 0, 0, 0],
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ];
    let mut arena = Arena::new("");
    for bytes in first_packets {
        for transport in [Transport::Tcp, Transport::Unix] {
            let mut attacker = Attacker::open(&arena.ferry, transport);
            attacker.send(bytes);
            attacker.is_closed();
        }
    }
    arena.figures.wait_for("refusals/no_connect", 2 * first_packets.len() as u64);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// [MQTT-3.1.2-2] [MQTT3-3.1.2-2]
#[test]
fn another_version_is_refused_with_a_reason() {
    let mut arena = Arena::new("");
    let mut codes = Vec::new();
    for level in [0, 1, 2, 6, 127, 255] {
        let mut attacker = Attacker::open(&arena.ferry, Transport::Tcp);
        attacker.send(&packet::packet(0x10, &[0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0, 0, 0, 0]));
        let answer = attacker.bytes_until_closed();
        let (length, reason_code) = (answer.len(), answer.get(3).copied());
        // Return code 1 of MQTT 3.1.1, or 0x84 of MQTT 5.0.
        assert!(answer.starts_with(&[0x20]) && length >= 4, "level {level}: {answer:02x?}");
        assert!(matches!(reason_code, Some(1 | 0x84)), "level {level}: {answer:02x?}");
        codes.push(0x84);
    }
    arena.has_refused(codes);
    arena.ends_undisturbed();
}

/// What follows the end of a connection is not looked at. [MQTT-3.14.4-2] [MQTT3-3.14.4-2]
#[test]
fn nothing_after_a_fault_counts() {
    let arena = Arena::new("");
    let mut witness = Attacker::online(&arena.ferry, 5, "witness");
    witness.send(&packet::subscribe(5, 1, &[("t", 0)]));
    witness.expect(PacketKind::Suback);
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    let publish = packet::publish(5, 0, 0, "t", b"after");
    attacker.send(&[&[0x00, 0x00][..], &publish.repeat(1000)].concat());
    attacker.is_disconnected(0x81);
    witness.send(packet::PINGREQ);
    witness.expect(PacketKind::Pingresp);
    arena.ends_undisturbed();
}
