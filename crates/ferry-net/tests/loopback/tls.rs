//! TLS with a client of rustls: data both ways, what is known of the client, reload.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ferry_net::{
    ClientCertificates, CloseCode, HandshakeReason, ListenerOptions, TlsAcceptor, TlsOptions, TlsVersion,
    Transport,
};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::certificates::Authority;
use crate::server::{
    accept, client, echo, flush, ipv4, join, listen, pattern, read, read_exactly, run, write,
};

pub(crate) type Client = StreamOwned<ClientConnection, TcpStream>;

/// The client's side of TLS; the handshake is done by its first read or write.
pub(crate) fn connect(socket: TcpStream, config: ClientConfig) -> Client {
    let name = "localhost".try_into().expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), socket)
}

pub(crate) fn listener_options(tls: &TlsOptions, transport: Transport) -> ListenerOptions {
    let acceptor = TlsAcceptor::new(tls, transport).expect("usable certificates");
    ListenerOptions { tls: Some(Arc::new(acceptor)), ..ListenerOptions::default() }
}

fn echoes(mut client: Client, length: usize) -> Client {
    client.write_all(&pattern(length)).expect("writes");
    let mut received = vec![0; length];
    client.read_exact(&mut received).expect("reads");
    assert!(received == pattern(length), "the bytes are not those that were sent");
    client
}

#[test]
fn bytes_go_both_ways_with_either_version() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        for (version, supported) in
            [(TlsVersion::V12, &rustls::version::TLS12), (TlsVersion::V13, &rustls::version::TLS13)]
        {
            let mut config = authority.client_config_of(supported);
            config.alpn_protocols = vec![b"h2".to_vec(), b"mqtt".to_vec()];
            let client = client(ipv4(&listener), |socket| {
                let mut client = echoes(connect(socket, config), 40_000);
                client.conn.send_close_notify();
                client.flush().expect("flushes");
                client.read(&mut [0]).expect("the server says close_notify")
            });
            let stream = accept(&listener, &options).await.expect("a stream");
            let tls = stream.peer().tls.clone().expect("TLS");
            assert_eq!((tls.version, tls.alpn.as_deref()), (version, Some("mqtt")));
            assert_eq!(tls.server_name.as_deref(), Some("localhost"));
            assert!(tls.cipher_suite.is_some());
            assert_eq!((tls.certificates.len(), tls.common_name), (0, None));
            echo(stream).await;
            assert_eq!(join(client).await, 0);
        }
    });
}

#[test]
fn large_transfers_both_ways_at_once() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let client = client(ipv4(&listener), |socket| {
            let mut client = connect(socket, config);
            for _ in 0..50 {
                client = echoes(client, 60_000);
            }
        });
        echo(accept(&listener, &options).await.expect("a stream")).await;
        join(client).await;
    });
}

#[test]
fn decrypted_bytes_wake_although_the_socket_is_silent() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let client = client(ipv4(&listener), |socket| {
            let mut client = connect(socket, config);
            client.write_all(&pattern(1000)).expect("writes");
            client.read_exact(&mut [0]).expect("the answer");
        });
        let mut stream = accept(&listener, &options).await.expect("a stream");
        // Read in portions of 7 bytes, waiting before each: were a wake-up lost, the test would hang.
        let mut bytes = Vec::new();
        let mut scratch = [0; 7];
        while bytes.len() < 1000 {
            stream.readable().await.expect("readable");
            match stream.try_read(&mut scratch) {
                Ok(length) => bytes.extend_from_slice(&scratch[..length]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            assert_eq!(stream.has_buffered_input(), bytes.len() % 1000 != 0, "all came in one record");
        }
        assert_eq!(bytes, pattern(1000));
        write(&mut stream, b"!").await;
        join(client).await;
    });
}

#[test]
fn a_stream_moves_with_decrypted_bytes() {
    let authority = Authority::new();
    let config = authority.client_config(None);
    let options = listener_options(&authority.options(), Transport::Tls);
    let ((detached, peer), client) = run(async {
        let listener = listen("tls://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| echoes(connect(socket, config), 1000));
        let mut stream = accept(&listener, &options).await.expect("a stream");
        assert_eq!(read_exactly(&mut stream, 10, 10).await, pattern(10));
        (stream.into_detached().expect("detaches"), client)
    });
    run(async {
        let mut stream = detached.attach(peer).expect("attaches");
        let mut bytes = pattern(10);
        bytes.extend(read_exactly(&mut stream, 990, 100).await);
        write(&mut stream, &bytes).await;
        join(client).await;
    });
}

#[test]
fn writing_to_a_client_that_does_not_read_stops() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let (resume, wait) = mpsc::channel();
        let client = client(ipv4(&listener), move |socket| {
            let mut client = connect(socket, config);
            client.write_all(b"\x10").expect("writes");
            let taken: usize = wait.recv().expect("how much was taken");
            let mut received = vec![0; taken];
            client.read_exact(&mut received).expect("reads");
            received == pattern(taken)
        });
        let mut stream = accept(&listener, &options).await.expect("a stream");
        let all = pattern(64 << 20);
        let mut taken = 0;
        while taken == 0 {
            stream.writable().await.expect("writable");
            while let Ok(length) = stream.try_write(&all[taken..]) {
                taken += length;
            }
        }
        assert!(stream.wants_write(), "what was encrypted last is still here");
        assert!(taken < all.len());
        assert_eq!(stream.try_write(&all[taken..]).expect_err("full").kind(), io::ErrorKind::WouldBlock);
        resume.send(taken).expect("sent");
        flush(&mut stream).await;
        assert!(join(client).await, "not one byte is lost");
    });
}

#[test]
fn a_client_certificate_tells_who_the_client_is() {
    run(async {
        let authority = Authority::new();
        authority.issue("sensor-7", 7, ExtendedKeyUsagePurpose::ClientAuth);
        let ca_file = authority.directory.path("ca.pem");
        let required = ClientCertificates::Required { ca_file: ca_file.clone(), crl_file: None };
        let optional = ClientCertificates::Optional { ca_file, crl_file: None };
        let listener = listen("tls://127.0.0.1:0");
        for (client_certificates, shown) in [(required, true), (optional.clone(), true), (optional, false)] {
            let tls = TlsOptions { client_certificates, ..authority.options() };
            let options = listener_options(&tls, Transport::Tls);
            let config = authority.client_config(shown.then_some("sensor-7"));
            let client = client(ipv4(&listener), |socket| drop(echoes(connect(socket, config), 10)));
            let stream = accept(&listener, &options).await.expect("a stream");
            let peer = stream.peer().tls.clone().expect("TLS");
            assert_eq!(peer.common_name.as_deref(), shown.then_some("sensor-7"));
            assert_eq!(peer.certificates.len(), usize::from(shown));
            echo(stream).await;
            join(client).await;
        }
    });
}

#[test]
fn new_connections_see_a_new_certificate_and_old_ones_go_on() {
    run(async {
        let (old, new) = (Authority::new(), Authority::new());
        let listener = listen("tls://127.0.0.1:0");
        let acceptor = Arc::new(TlsAcceptor::new(&old.options(), Transport::Tls).expect("usable"));
        let options = ListenerOptions { tls: Some(Arc::clone(&acceptor)), ..ListenerOptions::default() };
        let (resume, wait) = mpsc::channel::<()>();
        let old_config = old.client_config(None);
        let old_client = client(ipv4(&listener), move |socket| {
            let client = echoes(connect(socket, old_config), 10);
            wait.recv().expect("the certificate is changed");
            drop(echoes(client, 10));
        });
        let mut old_stream = accept(&listener, &options).await.expect("a stream");
        let bytes = read_exactly(&mut old_stream, 10, 10).await;
        write(&mut old_stream, &bytes).await;

        acceptor.reload(&new.options()).expect("usable");
        let new_config = new.client_config(None);
        let new_client = client(ipv4(&listener), |socket| drop(echoes(connect(socket, new_config), 10)));
        echo(accept(&listener, &options).await.expect("a stream")).await;
        join(new_client).await;
        resume.send(()).expect("sent");
        echo(old_stream).await;
        join(old_client).await;

        let missing = TlsOptions { key_file: "/does/not/exist".into(), ..old.options() };
        acceptor.reload(&missing).expect_err("unreadable");
        let new_config = new.client_config(None);
        let new_client = client(ipv4(&listener), |socket| drop(echoes(connect(socket, new_config), 10)));
        echo(accept(&listener, &options).await.expect("the settings stay")).await;
        join(new_client).await;
    });
}

#[test]
fn a_revoked_certificate_is_refused() {
    run(async {
        let authority = Authority::new();
        authority.issue("sensor-7", 7, ExtendedKeyUsagePurpose::ClientAuth);
        authority.issue("sensor-8", 8, ExtendedKeyUsagePurpose::ClientAuth);
        let ca_file = authority.directory.path("ca.pem");
        let crl_file = Some(authority.revoke(7));
        let client_certificates = ClientCertificates::Required { ca_file, crl_file };
        let tls = TlsOptions { client_certificates, ..authority.options() };
        let options = listener_options(&tls, Transport::Tls);
        let listener = listen("tls://127.0.0.1:0");
        for (name, expected) in
            [("sensor-7", Some(HandshakeReason::TlsCertificateInvalid)), ("sensor-8", None)]
        {
            let config = authority.client_config(Some(name));
            let client = client(ipv4(&listener), move |socket| {
                let mut client = connect(socket, config);
                let written = client.write_all(b"\x10");
                written.and_then(|()| client.read(&mut [0])).map_err(|error| error.to_string())
            });
            let result = accept(&listener, &options).await;
            assert_eq!(result.as_ref().err().map(|error| error.reason), expected, "{name}");
            if let Ok(stream) = result {
                stream.close(CloseCode::Normal, Duration::ZERO).await;
            }
            let seen = join(client).await;
            assert_eq!(seen.is_err(), expected.is_some(), "{name}: {seen:?}");
        }
    });
}

#[test]
fn a_client_that_just_closes_has_finished() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let client = client(ipv4(&listener), |socket| {
            let client = echoes(connect(socket, config), 10);
            client.sock.shutdown(std::net::Shutdown::Write).expect("no close_notify");
            client
        });
        let mut stream = accept(&listener, &options).await.expect("a stream");
        let bytes = read_exactly(&mut stream, 10, 100).await;
        write(&mut stream, &bytes).await;
        assert_eq!(read(&mut stream, &mut [0; 100]).await.expect("the end"), 0);
        drop(join(client).await);
    });
}

#[test]
fn a_flood_of_key_updates_ends_the_stream() {
    run(async {
        let authority = Authority::new();
        let listener = listen("tls://127.0.0.1:0");
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let client = client(ipv4(&listener), |socket| {
            let mut client = connect(socket, config);
            client.write_all(b"a").expect("writes");
            client.read_exact(&mut [0]).expect("the handshake is over");
            let flood = (0..100_000).try_for_each(|_| {
                client.conn.refresh_traffic_keys().expect("TLS 1.3");
                client.flush()
            });
            flood.expect_err("the server has had enough");
        });
        let mut stream = accept(&listener, &options).await.expect("a stream");
        assert_eq!(read_exactly(&mut stream, 1, 1).await, b"a");
        write(&mut stream, b"!").await;
        let error = read(&mut stream, &mut [0; 100]).await.expect_err("a violation");
        assert_eq!(ferry_net::failure_name(&error), "tls_violation");
        drop(stream);
        join(client).await;
    });
}
