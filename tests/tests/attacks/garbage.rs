//! One protocol where another is spoken.

use ferry_tests::ferry::Transport;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// The header of a TLS record and of a client hello.
const CLIENT_HELLO: &[u8] = &[0x16, 0x03, 0x01, 0x00, 0xC8, 0x01, 0x00, 0x00, 0xC4, 0x03, 0x03];

/// A name, the listener, the bytes, what is counted.
type Case = (&'static str, Transport, Vec<u8>, &'static str);

#[test]
fn the_wrong_protocol_is_refused_and_named() {
    let connect = packet::connect(5, "lost");
    let get = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let proxy = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec();
    let cases: Vec<Case> = vec![
        ("TLS on plain MQTT", Transport::Tcp, CLIENT_HELLO.to_vec(), "tls_on_plain"),
        ("TLS on a Unix socket", Transport::Unix, CLIENT_HELLO.to_vec(), "tls_on_plain"),
        ("TLS on WebSocket", Transport::WebSocket, CLIENT_HELLO.to_vec(), "tls_on_plain"),
        ("HTTP on plain MQTT", Transport::Tcp, get.clone(), "http_on_mqtt"),
        ("HTTP on TLS", Transport::Tls, get.clone(), "http_on_tls"),
        ("HTTP on secure WebSocket", Transport::SecureWebSocket, get, "http_on_tls"),
        ("MQTT on TLS", Transport::Tls, connect.clone(), "mqtt_on_tls"),
        ("MQTT on secure WebSocket", Transport::SecureWebSocket, connect.clone(), "mqtt_on_tls"),
        ("MQTT on WebSocket", Transport::WebSocket, connect, "mqtt_on_websocket"),
        ("PROXY on plain MQTT", Transport::Tcp, proxy.clone(), "proxy_unexpected"),
        ("PROXY on TLS", Transport::Tls, proxy.clone(), "proxy_unexpected"),
        ("PROXY on WebSocket", Transport::WebSocket, proxy, "proxy_unexpected"),
        ("garbage on TLS", Transport::Tls, vec![0xAA; 500], "tls_garbage"),
        (
            "a TLS record that is too long",
            Transport::Tls,
            [&[0x16, 3, 1, 0xFF, 0xFF][..], &[0; 70_000]].concat(),
            "tls_garbage",
        ),
        ("garbage on WebSocket", Transport::WebSocket, b"\x01\x02\x03\r\n\r\n".to_vec(), "upgrade_malformed"),
    ];
    let mut arena = Arena::new("");
    for (name, transport, bytes, _) in &cases {
        println!("{name}");
        let mut attacker = Attacker::open(&arena.ferry, *transport);
        attacker.send(bytes);
        let answer = attacker.bytes_until_closed();
        assert!(!answer.starts_with(&[0x20]), "{name} is answered by CONNACK");
    }
    arena.has_counted(cases.iter().map(|(.., counter)| *counter));
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// A handshake of TLS that never ends is not read for ever.
#[test]
fn an_endless_tls_handshake_is_cut_off() {
    let mut arena = Arena::new("");
    let mut attacker = Attacker::open(&arena.ferry, Transport::Tls);
    // Records of 16 KiB that are parts of one client hello of 16 MiB.
    let first = [&[0x16, 3, 1, 0x40, 0, 1, 0xFF, 0xFF, 0xFF][..], &vec![0; 16_380]].concat();
    attacker.send(&first);
    for _ in 0..64 {
        attacker.send(&[&[0x16, 3, 1, 0x40, 0][..], &vec![0; 16_384]].concat());
    }
    attacker.bytes_until_closed();
    arena.has_counted(["tls_garbage"]);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}
