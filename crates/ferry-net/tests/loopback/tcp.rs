//! Plain TCP: addresses, readiness, closing, moving between runtimes.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use ferry_net::{
    BindOptions, BoundListener, CloseCode, HandshakeLimits, HandshakeReason, ListenAddress, ListenerOptions,
    PeerAddress, Transport,
};

use crate::server::{
    accept, client, echo, ipv4, join, listen, pattern, port, read, read_exactly, run, write,
};

fn echoes(mut socket: TcpStream, length: usize) {
    let sent = pattern(length);
    let mut writer = socket.try_clone().expect("a second handle");
    let to_send = sent.clone();
    let writing = std::thread::spawn(move || writer.write_all(&to_send).expect("writes"));
    let mut received = vec![0; length];
    socket.read_exact(&mut received).expect("reads");
    writing.join().expect("written");
    assert!(received == sent, "the bytes are not those that were sent");
}

#[test]
fn bytes_go_both_ways() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let address = socket.local_addr().expect("an address");
            echoes(socket, 3_000_000);
            address
        });
        let stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        let peer = stream.peer().clone();
        echo(stream).await;
        assert_eq!(peer.address, PeerAddress::Ip(join(client).await));
        assert_eq!((peer.transport, peer.proxied_by), (Transport::Tcp, None));
    });
}

#[test]
fn every_address_means_ipv6_and_ipv4() {
    run(async {
        for text in ["tcp://*:0", "tcp://[::]:0"] {
            let listener = listen(text);
            let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port(&listener)));
            for address in [ipv4(&listener), ipv6] {
                let client = client(address, |socket| echoes(socket, 10));
                let stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
                let shown = stream.peer().address.ip().expect("not a Unix socket");
                assert_eq!(shown.is_ipv4(), address.is_ipv4(), "IPv4 is shown as IPv4: {shown}");
                echo(stream).await;
                join(client).await;
            }
        }
    });
}

#[test]
fn a_host_name_means_all_its_addresses() {
    run(async {
        let listener = listen("tcp://localhost:0");
        let addresses = ("localhost", port(&listener));
        for address in std::net::ToSocketAddrs::to_socket_addrs(&addresses).expect("resolves") {
            let client = client(address, |socket| echoes(socket, 10));
            echo(accept(&listener, &ListenerOptions::default()).await.expect("a stream")).await;
            join(client).await;
        }
    });
}

#[test]
fn one_ipv6_address_leaves_the_ipv4_port_free() {
    run(async {
        let ipv6 = listen("tcp://[::1]:0");
        let ipv4: ListenAddress = format!("tcp://127.0.0.1:{}", port(&ipv6)).parse().expect("an address");
        // Someone else may have the port, but not we.
        match BoundListener::bind(&ipv4, &BindOptions::default()) {
            Ok(_) => {}
            Err(error) => {
                let ours = format!("(process {})", std::process::id());
                assert!(!error.to_string().contains(&ours), "{error}");
            }
        }
    });
}

#[test]
fn an_address_in_use_names_who_has_it() {
    run(async {
        let first = listen("tcp://127.0.0.1:0");
        let error = BoundListener::bind(first.address(), &BindOptions::default()).expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        let address = first.address().to_string();
        let process = format!("(process {})", std::process::id());
        let remedy = format!("stop it with `kill {}`", std::process::id());
        for part in [&address, &process, &remedy] {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn an_address_of_another_machine_is_explained() {
    let address = "tcp://192.0.2.1:0".parse().expect("an address");
    let error = BoundListener::bind(&address, &BindOptions::default()).expect_err("not ours");
    assert!(error.to_string().contains("no interface of this machine has this address"), "{error}");
    let address = "tcp://no-such-host.invalid:0".parse().expect("an address");
    let error = BoundListener::bind(&address, &BindOptions::default()).expect_err("no address");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn clones_of_a_listener_share_its_connections() {
    run(async {
        let address = "tcp://127.0.0.1:0".parse().expect("an address");
        let bound = BoundListener::bind(&address, &BindOptions::default()).expect("a free port");
        let clone = bound.try_clone().expect("a clone");
        drop(bound);
        let listener = clone.attach().expect("registers");
        let client = client(ipv4(&listener), |socket| echoes(socket, 10));
        echo(accept(&listener, &ListenerOptions::default()).await.expect("a stream")).await;
        join(client).await;
    });
}

#[test]
fn a_stream_moves_to_another_runtime_with_what_it_holds() {
    let (to_other, from_first) = mpsc::channel();
    let client = run(async move {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| echoes(socket, 100_000));
        let mut stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        assert!(stream.has_buffered_input(), "the first bytes were looked at");
        assert_eq!(read_exactly(&mut stream, 1, 1).await, pattern(1));
        to_other.send(stream.into_detached().expect("detaches")).expect("sent");
        client
    });
    run(async {
        let (detached, peer) = from_first.recv().expect("received");
        let mut stream = detached.attach(peer).expect("attaches");
        write(&mut stream, &pattern(1)).await;
        echo(stream).await;
        join(client).await;
    });
}

#[test]
fn the_last_words_arrive_although_input_is_unread() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |mut socket| {
            socket.write_all(&pattern(100_000)).expect("writes");
            socket.shutdown(std::net::Shutdown::Write).expect("shuts down");
            let mut received = Vec::new();
            socket.read_to_end(&mut received).expect("no reset");
            received
        });
        let mut stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        write(&mut stream, b"bye").await;
        stream.close(CloseCode::Normal, Duration::from_secs(10)).await;
        assert_eq!(join(client).await, b"bye");
    });
}

#[test]
fn writing_to_a_client_that_does_not_read_stops() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let (done, wait) = mpsc::channel::<()>();
        let client = client(ipv4(&listener), move |mut socket| {
            socket.write_all(b"\x10").expect("writes");
            wait.recv().expect_err("the test is done");
        });
        let mut stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        let chunk = pattern(1 << 20);
        let mut taken = 0;
        while taken == 0 {
            stream.writable().await.expect("writable");
            while let Ok(length) = stream.try_write(&chunk) {
                taken += length;
            }
        }
        assert_eq!(stream.try_write(&chunk).expect_err("full").kind(), io::ErrorKind::WouldBlock);
        assert!(!stream.wants_write(), "nothing is kept here");
        drop(done);
        join(client).await;
    });
}

#[test]
fn nothing_is_written_after_the_close() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        let client = client(ipv4(&listener), |mut socket| {
            socket.write_all(b"\x10").expect("writes");
            socket.read(&mut [0]).expect("an end")
        });
        let mut stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        stream.start_close(CloseCode::Normal);
        assert!(stream.wants_write());
        let error = stream.try_write(b"late").expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        crate::server::flush(&mut stream).await;
        assert_eq!(join(client).await, 0);
        let mut scratch = [0; 8];
        assert_eq!(read(&mut stream, &mut scratch).await.expect("the first byte"), 1);
        assert_eq!(read(&mut stream, &mut scratch).await.expect("the end"), 0);
    });
}

#[test]
fn other_protocols_on_a_plain_port_are_told_apart() {
    run(async {
        let listener = listen("tcp://127.0.0.1:0");
        for (first, reason) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], HandshakeReason::TlsOnPlain),
            (b"GET /mqtt HTTP/1.1\r\nHost: a\r\n\r\n", HandshakeReason::HttpOnMqtt),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n", HandshakeReason::ProxyUnexpected),
            (b"\r\n\r\n\0\r\nQUIT\n", HandshakeReason::ProxyUnexpected),
            (b"", HandshakeReason::Disconnected),
        ] {
            let client = client(ipv4(&listener), move |mut socket| {
                socket.write_all(first).expect("writes");
                socket.shutdown(std::net::Shutdown::Write).expect("shuts down");
                let mut answer = String::new();
                socket.read_to_string(&mut answer).expect("an answer");
                answer
            });
            let error = accept(&listener, &ListenerOptions::default()).await.expect_err("no stream");
            assert_eq!(error.reason, reason);
            assert!(error.to_string().contains(reason.hint()), "{error}");
            let answer = join(client).await;
            assert_eq!(
                answer.starts_with("HTTP/1.1 400 "),
                reason == HandshakeReason::HttpOnMqtt,
                "{answer}"
            );
        }
    });
}

#[test]
fn a_silent_client_is_not_waited_for() {
    run(async {
        // Without a handshake there is nothing to wait for, and the driver has its own limit.
        let listener = listen("ws://127.0.0.1:0/mqtt");
        let (short, default) = (Duration::from_millis(1), HandshakeLimits::default());
        for limits in [
            HandshakeLimits { first_byte_timeout: short, ..default },
            HandshakeLimits { total_timeout: short, ..default },
        ] {
            let client = client(ipv4(&listener), |mut socket| socket.read(&mut [0]).expect("an end"));
            let options = ListenerOptions { limits, ..ListenerOptions::default() };
            let error = accept(&listener, &options).await.expect_err("no stream");
            assert_eq!(error.reason, HandshakeReason::FirstByteTimeout);
            assert_eq!(join(client).await, 0);
        }
    });
}
