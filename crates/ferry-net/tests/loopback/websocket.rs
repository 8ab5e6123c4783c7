//! MQTT over WebSocket with the client of tungstenite, and with raw bytes where that one is too polite.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use ferry_net::{
    CloseCode, HandshakeLimits, HandshakeReason, Listener, ListenerOptions, Stream, Transport, failure_name,
};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::protocol::frame::coding::CloseCode as Code;
use tungstenite::{Message, WebSocket};

use crate::certificates::Authority;
use crate::server::{
    accept, client, echo, flush, ipv4, join, listen, pattern, read, read_exactly, run, write,
};
use crate::tls::{connect, listener_options};

fn upgrade<S: Read + Write>(socket: S, url: &str, subprotocols: &str) -> (WebSocket<S>, Response) {
    let mut request = url.into_client_request().expect("a request");
    let value = subprotocols.parse().expect("a header");
    request.headers_mut().insert("Sec-WebSocket-Protocol", value);
    tungstenite::client(request, socket).unwrap_or_else(|error| panic!("refused: {error}"))
}

fn websocket<S: Read + Write>(socket: S) -> WebSocket<S> {
    upgrade(socket, "ws://localhost/mqtt", "mqtt").0
}

/// Upgrades by hand and leaves the frames to the test.
fn raw(mut socket: TcpStream) -> TcpStream {
    let request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("writes");
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("reads");
        response.push(byte[0]);
    }
    assert!(response.starts_with(b"HTTP/1.1 101 "));
    socket
}

async fn accepted(listener: &Listener) -> Stream {
    accept(listener, &ListenerOptions::default()).await.expect("a stream")
}

fn echoes<S: Read + Write>(client: &mut WebSocket<S>, length: usize) {
    client.send(Message::binary(pattern(length))).expect("sends");
    let mut received = Vec::new();
    while received.len() < length {
        match client.read().expect("reads") {
            Message::Binary(payload) => received.extend_from_slice(&payload),
            other => panic!("{other:?}"),
        }
    }
    assert!(received == pattern(length), "the bytes are not those that were sent");
}

/// Closes from the client's side; the server must answer with the same code.
fn close<S: Read + Write>(mut client: WebSocket<S>) {
    let frame = tungstenite::protocol::CloseFrame { code: Code::Away, reason: "".into() };
    client.close(Some(frame)).expect("sends");
    let answer = client.read().expect("a close frame");
    assert!(matches!(&answer, Message::Close(Some(frame)) if frame.code == Code::Away), "{answer:?}");
    assert!(matches!(client.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn bytes_go_both_ways() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            // [MQTT-6.0.0-4] [MQTT3-6.0.0-4]: exactly one is chosen from a list.
            let (mut client, response) = upgrade(socket, "ws://localhost/mqtt", "mqttv3.1, mqtt ,chat");
            let chosen: Vec<_> = response.headers().get_all("Sec-WebSocket-Protocol").iter().collect();
            assert_eq!(chosen, ["mqtt"]);
            for length in [1, 125, 126, 65_535, 65_536, 200_000] {
                echoes(&mut client, length);
            }
            close(client);
        });
        let stream = accepted(&listener).await;
        assert_eq!(stream.peer().transport, Transport::Ws);
        echo(stream).await;
        join(client).await;
    });
}

#[test]
fn bytes_go_both_ways_encrypted() {
    run(async {
        let authority = Authority::new();
        let listener = listen("wss://127.0.0.1:0/mqtt");
        let options = listener_options(&authority.options(), Transport::Wss);
        for alpn in [&[][..], &[b"http/1.1".to_vec()], &[b"mqtt".to_vec()]] {
            let mut config = authority.client_config(None);
            config.alpn_protocols = alpn.to_vec();
            let client = client(ipv4(&listener), |socket| {
                let mut client = websocket(connect(socket, config));
                for length in [1, 200, 70_000] {
                    echoes(&mut client, length);
                }
                close(client);
            });
            let stream = accept(&listener, &options).await.expect("a stream");
            let chosen = stream.peer().tls.as_ref().and_then(|tls| tls.alpn.clone());
            assert_eq!(chosen.map(String::into_bytes).as_ref(), alpn.first());
            echo(stream).await;
            join(client).await;
        }
    });
}

#[test]
fn one_write_is_one_frame() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut client = websocket(socket);
            client.send(Message::binary(vec![0xC0, 0])).expect("sends");
            let first = client.read().expect("reads").into_data().len();
            (first, client.read().expect("reads").into_data().len())
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 2, 10).await, [0xC0, 0]);
        write(&mut stream, &pattern(1000)).await;
        write(&mut stream, &pattern(2)).await;
        assert_eq!(join(client).await, (1000, 2));
    });
}

#[test]
fn frames_come_one_byte_at_a_time() {
    // [MQTT-6.0.0-2] [MQTT3-6.0.0-2], trap 36: also the header, and the upgrade request before it.
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            socket.set_nodelay(true).expect("set");
            let mut socket = raw(socket);
            for byte in
                [0x82, 0x82, 0, 0, 0, 0, 0xC0, 0, 0x82, 0x81, 1, 1, 1, 1, 0xC1, 0x89, 0x80, 0, 0, 0, 0]
            {
                socket.write_all(&[byte]).expect("writes");
            }
            let mut received = vec![0; 7];
            socket.read_exact(&mut received).expect("reads");
            received
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 3, 10).await, [0xC0, 0, 0xC0]);
        write(&mut stream, &[0xD0, 0, 0xD0]).await;
        // The pong is sent while the driver waits to read; the client ends when it has come.
        assert_eq!(read(&mut stream, &mut [0; 8]).await.expect("the end"), 0);
        let mut received = join(client).await;
        assert_eq!(received.split_off(5), [0x8A, 0]);
        assert_eq!(received, [0x82, 3, 0xD0, 0, 0xD0]);
    });
}

#[test]
fn fragments_with_a_ping_between_them_are_joined() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut socket = raw(socket);
            let first = [0x02, 0x81, 0, 0, 0, 0, 0xC0];
            let ping = [0x89, 0x82, 0, 0, 0, 0, b'h', b'i'];
            let last = [0x80, 0x81, 0, 0, 0, 0, 0];
            socket.write_all(&[&first[..], &ping, &last].concat()).expect("writes");
            let mut pong = [0; 4];
            socket.read_exact(&mut pong).expect("reads");
            pong
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 2, 100).await, [0xC0, 0]);
        flush(&mut stream).await;
        assert_eq!(join(client).await, [0x8A, 2, b'h', b'i']);
    });
}

#[test]
fn violations_are_answered_with_their_code() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        for (bytes, name, code) in [
            // [MQTT-6.0.0-1] [MQTT3-6.0.0-1]
            (&[0x81, 0x81, 0, 0, 0, 0, b'x'][..], "websocket_text", 1003_u16),
            (&[0x82, 1, 0xC0], "websocket_unmasked", 1002),
            (&[0xC2, 0x80, 0, 0, 0, 0], "websocket_reserved_bits", 1002),
            (&[0x89, 0xFE, 0, 126], "websocket_control_frame", 1002),
            (&[0x80, 0x80], "websocket_fragmentation", 1002),
            (&[0x88, 0x82, 0, 0, 0, 0, 0, 0], "websocket_close_code", 1002),
        ] {
            let good = [0x82, 0x81, 0, 0, 0, 0, 0xC0];
            let client = client(ipv4(&listener), move |socket| {
                let mut socket = raw(socket);
                socket.write_all(&[&good[..], bytes].concat()).expect("writes");
                let mut received = Vec::new();
                socket.read_to_end(&mut received).expect("an orderly end");
                received
            });
            let mut stream = accepted(&listener).await;
            let mut scratch = [0; 100];
            assert_eq!(read(&mut stream, &mut scratch).await.expect("what came before"), 1);
            assert!(stream.has_buffered_input(), "the verdict is still to be told");
            let error = read(&mut stream, &mut scratch).await.expect_err("a violation");
            assert_eq!((error.kind(), failure_name(&error)), (io::ErrorKind::InvalidData, name));
            stream.close(CloseCode::ProtocolError, std::time::Duration::from_secs(10)).await;
            let code = code.to_be_bytes();
            assert_eq!(join(client).await, [0x88, 2, code[0], code[1]], "{name}");
        }
    });
}

#[test]
fn packets_before_a_close_frame_are_answered_before_it() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut socket = raw(socket);
            let packet = [0x82, 0x82, 0, 0, 0, 0, 0xC0, 0];
            let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
            socket.write_all(&[packet, close].concat()).expect("writes");
            let mut received = Vec::new();
            socket.read_to_end(&mut received).expect("an orderly end");
            received
        });
        let mut stream = accepted(&listener).await;
        let mut scratch = [0; 100];
        assert_eq!(read(&mut stream, &mut scratch).await.expect("a packet"), 2);
        write(&mut stream, &[0xD0, 0]).await;
        assert_eq!(read(&mut stream, &mut scratch).await.expect("the end"), 0);
        drop(stream);
        assert_eq!(join(client).await, [0x82, 2, 0xD0, 0, 0x88, 2, 0x03, 0xE8]);
    });
}

#[test]
fn the_server_closes_with_a_code() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut client = websocket(socket);
            client.send(Message::binary(vec![0xC0, 0])).expect("sends");
            assert_eq!(client.read().expect("reads").into_data().len(), 2);
            let code = match client.read().expect("a close frame") {
                Message::Close(Some(frame)) => frame.code,
                other => panic!("{other:?}"),
            };
            assert!(matches!(client.read(), Err(tungstenite::Error::ConnectionClosed)));
            code
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 2, 10).await.len(), 2);
        assert_eq!(stream.try_write(&[]).expect("nothing to write"), 0);
        write(&mut stream, &[0xE0, 0]).await;
        stream.start_close(CloseCode::GoingAway);
        assert_eq!(stream.try_write(b"late").expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
        stream.close(CloseCode::Normal, std::time::Duration::from_secs(10)).await;
        assert_eq!(join(client).await, Code::Away);
    });
}

#[test]
fn a_flood_of_pings_takes_no_memory_and_stops_nothing() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut socket = raw(socket);
            let ping = [&[0x89, 0xFD, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
            socket.write_all(&ping.repeat(50_000)).expect("the server reads all of them");
            socket.write_all(&[0x82, 0x81, 0, 0, 0, 0, 0xC0]).expect("writes");
            // Only now are answers read: there are fewer of them than questions.
            let mut received = Vec::new();
            let mut scratch = [0; 65_536];
            while !received.ends_with(&[0x82, 1, 0xD0]) {
                let length = socket.read(&mut scratch).expect("reads");
                received.extend_from_slice(&scratch[..length]);
            }
            received.len()
        });
        let mut stream = accepted(&listener).await;
        let mut scratch = vec![0; 16 * 1024];
        assert_eq!(read(&mut stream, &mut scratch).await.expect("reads"), 1);
        assert_eq!(scratch[0], 0xC0);
        write(&mut stream, &[0xD0]).await;
        let received = join(client).await;
        assert!(received < 50_000 * 127, "{received}");
    });
}

#[test]
fn writing_to_a_client_that_does_not_read_stops_and_goes_on_in_the_same_frame() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let (resume, wait) = mpsc::channel::<()>();
        let client = client(ipv4(&listener), move |socket| {
            let mut client = websocket(socket);
            client.send(Message::binary(vec![0xC0, 0])).expect("sends");
            client.send(Message::Ping(b"p".to_vec().into())).expect("sends");
            wait.recv().expect("the server is stuck");
            let first = client.read().expect("reads").into_data();
            (first == pattern(16 << 20), client.read().expect("reads"))
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 2, 10).await.len(), 2);
        let all = pattern(16 << 20);
        let mut taken = 0;
        while taken == 0 {
            stream.writable().await.expect("writable");
            while let Ok(length) = stream.try_write(&all[taken..]) {
                taken += length;
            }
        }
        assert!(taken < all.len());
        // A ping in the middle of a frame waits for its end.
        stream.readable().await.expect("readable");
        let error = stream.try_read(&mut [0; 100]).expect_err("only a ping");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        resume.send(()).expect("sent");
        write(&mut stream, &all[taken..]).await;
        let (is_whole, second) = join(client).await;
        assert!(is_whole, "one frame, and not one byte is lost");
        assert_eq!(second, Message::Pong(b"p".to_vec().into()));
    });
}

#[test]
fn a_stream_moves_in_the_middle_of_a_frame() {
    let ((detached, peer), client) = run(async {
        let listener = listen("ws://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut client = websocket(socket);
            echoes(&mut client, 1000);
        });
        let mut stream = accepted(&listener).await;
        assert_eq!(read_exactly(&mut stream, 10, 10).await, pattern(10));
        (stream.into_detached().expect("detaches"), client)
    });
    run(async {
        let mut stream = detached.attach(peer).expect("attaches");
        assert_eq!(read_exactly(&mut stream, 990, 100).await, pattern(1000)[10..]);
        write(&mut stream, &pattern(1000)).await;
        join(client).await;
    });
}

#[test]
fn refused_upgrades_are_answered_and_counted() {
    run(async {
        let listener = listen("ws://127.0.0.1:0/mqtt");
        let limits = HandshakeLimits { upgrade_bytes_max: 300, ..HandshakeLimits::default() };
        let options = ListenerOptions { limits, ..ListenerOptions::default() };
        let upgrade = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let version = "Sec-WebSocket-Version: 13\r\n";
        for (request, status, reason) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "426", HandshakeReason::UpgradeMissing),
            (format!("GET /x HTTP/1.1\r\n{upgrade}{version}\r\n"), "404", HandshakeReason::UpgradePath),
            (format!("GET /mqtt HTTP/1.1\r\n{upgrade}\r\n"), "426", HandshakeReason::UpgradeVersion),
            (
                format!("GET /mqtt HTTP/1.1\r\n{upgrade}{version}\r\n"),
                "400",
                HandshakeReason::UpgradeSubprotocol,
            ),
            (
                format!("POST /mqtt HTTP/1.1\r\n{upgrade}{version}\r\n"),
                "400",
                HandshakeReason::UpgradeMalformed,
            ),
            (
                format!("GET /mqtt HTTP/1.1\r\nCookie: {}", "x".repeat(300)),
                "431",
                HandshakeReason::UpgradeTooLarge,
            ),
            ("\0\0\0\0 garbage".to_owned(), "400", HandshakeReason::UpgradeMalformed),
        ] {
            let client = client(ipv4(&listener), move |mut socket| {
                socket.write_all(request.as_bytes()).expect("writes");
                let mut response = String::new();
                socket.read_to_string(&mut response).expect("an orderly end");
                response
            });
            let error = accept(&listener, &options).await.expect_err("no stream");
            assert_eq!(error.reason, reason, "{error}");
            let response = join(client).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
    });
}

#[test]
fn other_protocols_on_a_websocket_port_are_told_apart() {
    run(async {
        let listener = listen("ws://127.0.0.1:0");
        let limits = HandshakeLimits {
            upgrade_timeout: std::time::Duration::from_millis(1),
            ..HandshakeLimits::default()
        };
        let options = ListenerOptions { limits, ..ListenerOptions::default() };
        for (bytes, reason) in [
            (&b"\x10\x0c\0\x04MQTT\x05\x02\0\x3c\0"[..], HandshakeReason::MqttOnWebSocket),
            (b"\x16\x03\x01\0\x05", HandshakeReason::TlsOnPlain),
            (b"GET /mqtt HTTP/1.1\r\n", HandshakeReason::UpgradeTimeout),
        ] {
            let client = client(ipv4(&listener), move |mut socket| {
                socket.write_all(bytes).expect("writes");
                socket.read_to_end(&mut Vec::new()).expect("an orderly end")
            });
            let error = accept(&listener, &options).await.expect_err("no stream");
            assert_eq!(error.reason, reason, "{error}");
            assert_eq!(join(client).await, 0);
        }
    });
}
