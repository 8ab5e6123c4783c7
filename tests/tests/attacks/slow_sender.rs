//! Clients that take their time, or all of it: each phase of a connection has its own limit.

use std::time::{Duration, Instant};

use ferry_tests::ferry::Transport;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// Between two bytes of a slow client: less than any time limit.
const INTERVAL: Duration = Duration::from_millis(100);
/// No client may take this long when the limit is a second, however busy the machine.
const LIMIT: Duration = Duration::from_secs(30);

const TIMEOUTS: &str = "connect_timeout_seconds = 1\nhandshake_timeout_seconds = 1";

/// A CONNECT that comes byte by byte (a slow loris) is not waited for.
#[test]
fn a_slow_connect_is_cut_off() {
    let mut arena = Arena::new(TIMEOUTS);
    let connect = packet::connect_with(5, &"c".repeat(1000), 2, 0, &[], &[]);
    let lorises: Vec<Attacker> = (0..100)
        .map(|_| {
            let mut loris = Attacker::open(&arena.ferry, Transport::Tcp);
            loris.send(&connect[..15]);
            loris
        })
        .collect();
    let begin = Instant::now();
    for mut loris in lorises {
        let answer = loris.trickle_until_closed(b'c', INTERVAL, LIMIT);
        assert!(answer.is_empty(), "{answer:02x?}");
    }
    assert!(begin.elapsed() < LIMIT, "100 slow clients took {:?} together", begin.elapsed());
    arena.figures.wait_for("refusals/connect_timeout", 100);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// A listener, what is said first, the byte that then comes again and again, and what is counted.
type Case = (Transport, &'static [u8], Option<u8>, &'static str);

/// The header of a TLS record, and of a client hello of 400 bytes in it.
const CLIENT_HELLO: &[u8] = &[0x16, 3, 1, 1, 0x94, 1, 0, 1, 0x90, 3, 3];

/// Silence, and a slow beginning, on each listener.
#[test]
fn a_handshake_without_an_end_is_cut_off() {
    let cases: &[Case] = &[
        (Transport::Tcp, b"", None, "connect_timeout"),
        (Transport::Unix, b"", None, "connect_timeout"),
        (Transport::Tls, b"", None, "first_byte_timeout"),
        (Transport::WebSocket, b"", None, "first_byte_timeout"),
        (Transport::Tls, CLIENT_HELLO, Some(7), "tls_timeout"),
        (Transport::SecureWebSocket, CLIENT_HELLO, Some(7), "tls_timeout"),
        (Transport::WebSocket, b"GET /mqtt HTTP/1.1\r\nX-Slow: ", Some(b'a'), "upgrade_timeout"),
    ];
    let mut arena = Arena::new(TIMEOUTS);
    let open = |(transport, beginning, byte, _): &Case| {
        let mut loris = Attacker::open(&arena.ferry, *transport);
        loris.send(beginning);
        (loris, *byte)
    };
    let lorises: Vec<(Attacker, Option<u8>)> = cases.iter().map(open).collect();
    for (mut loris, byte) in lorises {
        match byte {
            Some(byte) => loris.trickle_until_closed(byte, INTERVAL, LIMIT),
            None => loris.bytes_until_closed(),
        };
    }
    arena.has_counted(cases.iter().map(|(.., counter)| *counter));
    arena.ends_undisturbed();
}

/// A packet that never ends is no sign of life. [MQTT-3.1.2-22] [MQTT3-3.1.2-24]
#[test]
fn a_slow_publish_does_not_keep_a_connection_alive() {
    let mut arena = Arena::new("");
    for level in [4, 5] {
        let connect = packet::connect_with(level, "attacker", 2, 1, &[], &[]);
        let mut attacker = Attacker::online_with(&arena.ferry, Transport::Tcp, level, &connect);
        attacker.send(&packet::publish(level, 0, 0, "t", &[b'x'; 100_000])[..20]);
        let answer = attacker.trickle_until_closed(b'x', INTERVAL, LIMIT);
        assert_eq!(answer.get(2).copied(), (level == 5).then_some(0x8D), "{answer:02x?}");
    }
    arena.figures.wait_for("refusals/keep_alive_timeout", 2);
    arena.has_refused([0x8D, 0x8D]);
    arena.ends_undisturbed();
}
