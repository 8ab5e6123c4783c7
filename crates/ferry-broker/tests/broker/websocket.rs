//! WebSocket listeners: which pages connect, and how connections end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::time::Duration;

use ferry_broker::config::{Config, Listener};
use ferry_broker::{Broker, RunningBroker};

use crate::client::tcp_address;
use crate::config;

fn websocket_config() -> Config {
    let address = "ws://127.0.0.1:0/mqtt".parse().expect("an address");
    Config { listeners: vec![Listener { address, ..Listener::default() }], ..config() }
}

fn start(config: Config) -> RunningBroker {
    Broker::start(config).expect("started")
}

/// Asks for an upgrade; returns the head of the response.
fn upgrade(broker: &RunningBroker, headers: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(tcp_address(broker)).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).expect("written");
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a response");
        response.push(byte[0]);
    }
    (socket, String::from_utf8(response).expect("text"))
}

fn connect(broker: &RunningBroker) -> TcpStream {
    let (socket, response) = upgrade(broker, "");
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    socket
}

/// A masked binary frame; the mask is 0.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short packet");
    [&[0x82, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

/// What comes until the end, without the close frame, and the code of that.
fn end(mut socket: TcpStream) -> (Vec<u8>, u16) {
    let mut received = Vec::new();
    socket.read_to_end(&mut received).expect("an orderly end");
    let Some((before, [0x88, 2, high, low])) = received.split_last_chunk::<4>() else {
        panic!("no close frame at the end of {received:x?}");
    };
    (before.to_vec(), u16::from_be_bytes([*high, *low]))
}

const CONNECT: &[u8] = b"\x10\x10\0\x04MQTT\x05\x02\0\0\0\0\x03abc";
const CONNACK_FRAME: &[u8] = &[0x82];

#[test]
fn pages_of_strangers_cannot_use_the_broker_of_the_own_machine() {
    let broker = start(websocket_config());
    for (origin, status) in [
        ("", "101"),
        ("Origin: http://localhost:3000\r\n", "101"),
        ("Origin: http://127.0.0.1:8083\r\n", "101"),
        ("Origin: https://evil.example\r\n", "403"),
        ("Origin: null\r\n", "403"),
    ] {
        let (_, response) = upgrade(&broker, origin);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {response}");
    }
}

#[test]
fn pages_may_be_named() {
    let answer = |rules: &[&str], origin: &str| {
        let mut config = websocket_config();
        let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
        config.listeners[0].websocket_origins = Some(rules);
        upgrade(&start(config), &format!("Origin: {origin}\r\n")).1
    };
    assert!(answer(&["https://app.example"], "https://app.example").starts_with("HTTP/1.1 101"));
    assert!(answer(&["https://app.example"], "http://localhost").starts_with("HTTP/1.1 403"));
    assert!(answer(&["*"], "https://evil.example").starts_with("HTTP/1.1 101"));
    assert!(answer(&[], "http://localhost").starts_with("HTTP/1.1 403"));
}

/// RFC 6455, section 7.4.1; [MQTT-6.0.0-1].
#[test]
fn violations_of_websocket_are_told_by_their_code() {
    for shards in [1, 2] {
        let mut config = websocket_config();
        config.server.shards = NonZeroU16::new(shards);
        let broker = start(config);
        for (violation, code) in [
            (&[0x81, 0x81, 0, 0, 0, 0, b'x'][..], 1003),
            (&[0x82, 1, 0xC0], 1002),
            (&[0xC2, 0x80, 0, 0, 0, 0], 1002),
        ] {
            let mut early = connect(&broker);
            early.write_all(violation).expect("written");
            assert_eq!(end(early), (vec![], code), "before CONNECT, {shards} shards");
            let mut socket = connect(&broker);
            socket.write_all(&[&frame(CONNECT), violation].concat()).expect("written");
            let (before, found) = end(socket);
            assert!(before.starts_with(CONNACK_FRAME), "{before:x?} {found} {shards} {violation:x?}");
            assert_eq!(found, code, "after CONNECT, {shards} shards");
        }
    }
}

#[test]
fn a_close_frame_is_answered() {
    let broker = start(websocket_config());
    let mut socket = connect(&broker);
    socket
        .write_all(&[&frame(CONNECT)[..], &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9]].concat())
        .expect("written");
    assert_eq!(end(socket).1, 1001);
}

#[test]
fn the_reason_of_the_broker_becomes_a_code() {
    let mut config = websocket_config();
    config.limits.packet_size_bytes_max = 1000;
    config.limits.connect_bytes_max = 1000;
    let broker = start(config);
    for (packets, code) in [
        // DISCONNECT
        (&[0xE0, 0][..], 1000),
        // A second CONNECT [MQTT-3.1.0-2].
        (CONNECT, 1002),
        // Larger than allowed.
        (&[0x30, 0xFF, 0x7F], 1009),
        // A subscription that is not well formed.
        (&[0x82, 0], 1002),
    ] {
        let mut socket = connect(&broker);
        socket.write_all(&[frame(CONNECT), frame(packets)].concat()).expect("written");
        assert_eq!(end(socket).1, code, "{packets:x?}");
    }
    let mut socket = connect(&broker);
    socket.write_all(&frame(CONNECT)).expect("written");
    socket.read_exact(&mut [0; 4]).expect("CONNACK");
    broker.shutdown();
    assert_eq!(end(socket).1, 1001);
}
