//! The PROXY protocol in front of the other transports.

use std::io::{Read, Write};

use ferry_net::{HandshakeReason, ListenerOptions, PeerAddress, Transport};

use crate::certificates::Authority;
use crate::server::{accept, client, echo, ipv4, join, listen, read_exactly, run};
use crate::tls::{connect, listener_options};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 49153 1883\r\n";
/// TCP over IPv4, and the client's certificate name verified by the proxy.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1f\xc0\0\x02\x01\xc6\x33\x64\x02\xc0\x01\x07\x5b\
    \x20\0\x10\x03\0\0\0\0\x22\0\x08sensor-7";
const V2_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn required() -> ListenerOptions {
    ListenerOptions { proxy_protocol: true, ..ListenerOptions::default() }
}

#[test]
fn the_header_tells_the_client() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        for (header, told) in [(V1, true), (V2, true), (V2_LOCAL, false), (b"PROXY UNKNOWN\r\n", false)] {
            let client = client(ipv4(&listener), move |mut socket| {
                // Cut in the middle of the header, and the packet comes with the second half.
                let (first, second) = header.split_at(7);
                socket.write_all(first).expect("writes");
                socket.write_all(&[second, b"\xc0\0"].concat()).expect("writes");
                let mut received = [0; 2];
                socket.read_exact(&mut received).expect("reads");
                assert_eq!(&received, b"\xc0\0");
                socket.local_addr().expect("an address")
            });
            let stream = accept(&listener, &required()).await.expect("a stream");
            let peer = stream.peer().clone();
            echo(stream).await;
            let proxy = PeerAddress::Ip(join(client).await);
            let source = PeerAddress::Ip("192.0.2.1:49153".parse().expect("an address"));
            let expected = if told { (source, Some(proxy)) } else { (proxy, None) };
            assert_eq!((peer.address, peer.proxied_by.map(|proxy| *proxy)), expected);
            let common_name = peer.proxy_tls.and_then(|tls| tls.common_name);
            assert_eq!(common_name.as_deref(), (header == V2).then_some("sensor-7"));
        }
    });
}

#[test]
fn the_header_comes_before_tls() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = ListenerOptions {
            proxy_protocol: true,
            ..listener_options(&authority.options(), Transport::Tls)
        };
        let config = authority.client_config(None);
        let client = client(ipv4(&listener), |mut socket| {
            socket.write_all(V2).expect("writes");
            let mut client = connect(socket, config);
            client.write_all(b"\xc0\0").expect("writes");
            client.read_exact(&mut [0; 2]).expect("reads");
        });
        let stream = accept(&listener, &options).await.expect("a stream");
        assert_eq!(stream.peer().address.to_string(), "192.0.2.1:49153");
        assert!(stream.peer().tls.is_some() && stream.peer().proxy_tls.is_some());
        echo(stream).await;
        join(client).await;
    });
}

#[test]
fn the_header_comes_on_unix_sockets_too() {
    run(async {
        let directory = crate::certificates::Directory::new();
        let path = directory.path("proxy.sock");
        let listener = listen(&format!("unix://{}", path.display()));
        let client = std::thread::spawn(move || {
            let mut socket = std::os::unix::net::UnixStream::connect(path).expect("connects");
            socket.write_all(&[V1, b"\xc0"].concat()).expect("writes");
            socket.read_exact(&mut [0]).expect("reads");
        });
        let stream = accept(&listener, &required()).await.expect("a stream");
        assert_eq!(stream.peer().address.to_string(), "192.0.2.1:49153");
        assert!(matches!(
            stream.peer().proxied_by.as_deref(),
            Some(PeerAddress::Unix { process_id: Some(_), .. })
        ));
        echo(stream).await;
        join(client).await;
    });
}

#[test]
fn connections_without_a_good_header_end() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        for (bytes, reason) in [
            (&b"\x10\x0c\0\x04MQTT\x05\x02\0\x3c\0"[..], HandshakeReason::ProxyMissing),
            (b"\x16\x03\x01\0\x05", HandshakeReason::ProxyMissing),
            (b"PROXY TCP4 1.2.3.4\r\n", HandshakeReason::ProxyMalformed),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", HandshakeReason::ProxyMalformed),
            (b"PROXY TCP4", HandshakeReason::Disconnected),
        ] {
            let client = client(ipv4(&listener), move |mut socket| {
                socket.write_all(bytes).expect("writes");
                socket.shutdown(std::net::Shutdown::Write).expect("shuts down");
                socket.read_to_end(&mut Vec::new()).expect("an orderly end")
            });
            let error = accept(&listener, &required()).await.expect_err("no stream");
            assert_eq!(error.reason, reason, "{error}");
            assert_eq!(join(client).await, 0, "nothing is answered");
        }
    });
}

#[test]
fn a_failure_after_the_header_names_the_client() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |mut socket| {
            socket.write_all(&[V1, b"\x16\x03\x01"].concat()).expect("writes");
            socket.read_to_end(&mut Vec::new()).expect("an orderly end")
        });
        let error = accept(&listener, &required()).await.expect_err("no stream");
        assert_eq!(error.reason, HandshakeReason::TlsOnPlain);
        assert!(error.to_string().starts_with("192.0.2.1:49153: "), "{error}");
        join(client).await;
    });
}

#[test]
fn bytes_after_the_header_are_read_first() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |mut socket| {
            socket.write_all(&[V1, b"0123456789"].concat()).expect("writes");
            socket.read_to_end(&mut Vec::new()).expect("an end")
        });
        let mut stream = accept(&listener, &required()).await.expect("a stream");
        assert!(stream.has_buffered_input());
        assert_eq!(read_exactly(&mut stream, 10, 3).await, b"0123456789");
        assert!(!stream.has_buffered_input());
        drop(stream);
        join(client).await;
    });
}
