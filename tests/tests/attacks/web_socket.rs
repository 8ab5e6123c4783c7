//! Wrong upgrades and wrong frames.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// An upgrade request that is granted, but for the changes that a test makes.
pub(crate) const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";

/// A masked frame, as clients send them.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first_byte];
    match u8::try_from(payload.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A WebSocket whose upgrade was granted.
fn upgraded(arena: &Arena) -> Attacker {
    let mut attacker = Attacker::open(&arena.ferry, Transport::WebSocket);
    attacker.send(UPGRADE.as_bytes());
    let answer = attacker.bytes_until(b"\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    attacker
}

#[test]
fn a_wrong_upgrade_is_refused() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("GET /mqtt ", "GET /other ", "404", "upgrade_path"),
        ("GET /mqtt ", "POST /mqtt ", "4", "upgrade_malformed"),
        ("HTTP/1.1", "HTTP/1.0", "4", "upgrade_malformed"),
        ("Upgrade: websocket\r\n", "", "426", "upgrade_missing"),
        ("Version: 13", "Version: 12", "426", "upgrade_version"),
        ("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: short", "400", "upgrade_malformed"),
        ("Protocol: mqtt", "Protocol: chat", "400", "upgrade_subprotocol"),
        ("Sec-WebSocket-Protocol: mqtt\r\n", "", "400", "upgrade_subprotocol"),
        ("Host: localhost", "Host: localhost\r\nOrigin: https://example.org", "403", "upgrade_origin"),
        ("Host: localhost", "Host localhost", "400", "upgrade_malformed"),
    ];
    let mut arena = Arena::new("");
    for (right, wrong, status, _) in cases {
        println!("{wrong:?}");
        assert!(UPGRADE.contains(right), "{right}");
        let mut attacker = Attacker::open(&arena.ferry, Transport::WebSocket);
        attacker.send(UPGRADE.replace(right, wrong).as_bytes());
        let answer = String::from_utf8(attacker.bytes_until_closed()).expect("an answer in HTTP");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{wrong:?}: {answer}");
    }
    arena.has_counted(cases.iter().map(|(.., counter)| *counter));
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// Headers without an end are not read for ever.
#[test]
fn an_endless_upgrade_is_cut_off() {
    let mut arena = Arena::new("");
    let mut many_headers = Attacker::open(&arena.ferry, Transport::WebSocket);
    many_headers.send(b"GET /mqtt HTTP/1.1\r\n");
    many_headers.send("X-Header: value\r\n".repeat(100_000).as_bytes());
    let mut long_header = Attacker::open(&arena.ferry, Transport::WebSocket);
    long_header.send(b"GET /mqtt HTTP/1.1\r\nX-Header: ");
    long_header.send(&vec![b'x'; 2 << 20]);
    for mut attacker in [many_headers, long_header] {
        attacker.bytes_until_closed();
    }
    arena.figures.wait_for("refusals/upgrade_too_large", 2);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// RFC 6455, sections 5 and 7. [MQTT-6.0.0-1] [MQTT3-6.0.0-1]
#[test]
fn a_wrong_frame_is_answered_by_a_close_frame() {
    let unmasked = [&[0x82, 2][..], packet::PINGREQ].concat();
    let too_long = [&[0x82, 0xFF][..], &[0xFF; 8], &[0; 4]].concat();
    let not_minimal = [&[0x82, 0xFE, 0, 2][..], &[0; 4], packet::PINGREQ].concat();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("text", frame(0x81, b"hello"), 1003, "websocket_text"),
        ("a reserved bit", frame(0xC2, packet::PINGREQ), 1002, "websocket_reserved_bits"),
        ("an unknown opcode", frame(0x83, b""), 1002, "websocket_unknown_opcode"),
        ("an unknown control opcode", frame(0x8F, b""), 1002, "websocket_unknown_opcode"),
        ("no mask", unmasked, 1002, "websocket_unmasked"),
        ("a length of 63 bits and one", too_long, 1002, "websocket_length"),
        ("a length that is not minimal", not_minimal, 1002, "websocket_length"),
        ("a continuation of nothing", frame(0x80, b""), 1002, "websocket_fragmentation"),
        ("a fragmented ping", frame(0x09, b""), 1002, "websocket_control_frame"),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), 1002, "websocket_control_frame"),
        ("half a close code", frame(0x88, &[3]), 1002, "websocket_close_code"),
        ("a close code of nobody's", frame(0x88, &[0, 1]), 1002, "websocket_close_code"),
    ];
    let mut arena = Arena::new("");
    for (name, bytes, close_code, _) in &cases {
        println!("{name}");
        let mut attacker = upgraded(&arena);
        attacker.send(&frame(0x82, &packet::connect(5, "attacker")));
        attacker.bytes_until(&[0x20]);
        attacker.send(bytes);
        let answer = attacker.bytes_until_closed();
        let close = [&[0x88, 2][..], &close_code.to_be_bytes()].concat();
        assert!(answer.ends_with(&close), "{name}: {answer:02x?}");
    }
    arena.has_counted(cases.iter().map(|(.., counter)| *counter));
    arena.leaves_nothing(2, 2);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// A frame that announces more than any packet may have is read as it comes, and only the packets in it count.
#[test]
fn a_frame_of_many_tebibytes_takes_no_memory() {
    let arena = Arena::new("");
    let mut attacker = upgraded(&arena);
    attacker.send(&frame(0x82, &packet::connect(5, "attacker")));
    attacker.bytes_until(&[0x20]);
    // With a mask of zeros, so that what follows is payload as it stands.
    attacker.send(&[&[0x82, 0xFF][..], &(1_u64 << 45).to_be_bytes(), &[0; 4]].concat());
    (0..64).for_each(|_| attacker.send(&packet::publish(5, 0, 0, "t", &[b'x'; 100_000])));
    attacker.send(packet::PINGREQ);
    attacker.bytes_until(&[0xD0, 0]);
    // Too large a packet in it ends the connection, after DISCONNECT in a frame of its own.
    attacker.send(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
    let answer = attacker.bytes_until_closed();
    assert_eq!(answer.get(2..5).map(|packet| (packet[0], packet[2])), Some((0xE0, 0x95)), "{answer:02x?}");
    arena.took_at_most(6);
    arena.ends_undisturbed();
}

/// Pings that are never read answers to do not pile up.
#[test]
fn a_flood_of_pings_takes_no_memory() {
    let arena = Arena::new("");
    let mut attacker = upgraded(&arena);
    attacker.send(&frame(0x82, &packet::connect(5, "attacker")));
    attacker.bytes_until(&[0x20]);
    let pings = frame(0x89, &[b'x'; 125]).repeat(8 * 1024);
    attacker.send_while_taken(&pings, 32);
    arena.took_at_most(8);
    let mut other = Attacker::online(&arena.ferry, 5, "other");
    other.send(packet::PINGREQ);
    other.expect(PacketKind::Pingresp);
    arena.ends_undisturbed();
}
