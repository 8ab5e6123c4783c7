//! TLS with pre-shared keys, with a client of OpenSSL.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ferry_net::{HandshakeReason, ListenerOptions, PskOptions, TlsAcceptor, TlsError, TlsVersion, Transport};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};

use crate::certificates::Authority;
use crate::server::{accept, client, echo, ipv4, join, listen, pattern, run, write};

const KEY: [u8; 16] = *b"0123456789abcdef";

/// A file of keys, which goes with the value.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new(text: &str) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ferry-psk-{}-{number}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        Self(path)
    }

    fn options(&self, minimum_version: TlsVersion) -> PskOptions {
        PskOptions { file: self.0.clone(), minimum_version }
    }

    fn listener_options(&self, minimum_version: TlsVersion) -> ListenerOptions {
        let acceptor =
            TlsAcceptor::with_psk(&self.options(minimum_version), Transport::Tls).expect("usable keys");
        ListenerOptions { tls: Some(Arc::new(acceptor)), ..ListenerOptions::default() }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _removed = std::fs::remove_file(&self.0);
    }
}

fn pump() -> KeyFile {
    let digits: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    KeyFile::new(&format!("# identities\npump 7:{digits}\nother:{}\n", "ab".repeat(32)))
}

/// What a client offers: everything, with this key under this name, but no newer version.
fn context(identity: &'static str, key: Vec<u8>, newest: SslVersion) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).expect("a context");
    context.set_max_proto_version(Some(newest)).expect("a version");
    context.set_alpn_protos(b"\x02h2\x04mqtt").expect("protocols");
    context.set_psk_client_callback(move |_, _, name, room| {
        name[..identity.len()].copy_from_slice(identity.as_bytes());
        room[..key.len()].copy_from_slice(&key);
        Ok(key.len())
    });
    context.build()
}

fn connect(socket: TcpStream, context: &SslContext) -> Result<SslStream<TcpStream>, String> {
    let mut stream = SslStream::new(Ssl::new(context).expect("a connection"), socket).expect("a stream");
    stream.connect().map_err(|error| error.to_string())?;
    Ok(stream)
}

#[test]
fn bytes_go_both_ways_with_either_version() {
    run(async {
        let file = pump();
        let listener = listen("tls://127.0.0.1:0");
        let options = file.listener_options(TlsVersion::V12);
        for (version, newest) in
            [(TlsVersion::V12, SslVersion::TLS1_2), (TlsVersion::V13, SslVersion::TLS1_3)]
        {
            let client = client(ipv4(&listener), move |socket| {
                let mut client = connect(socket, &context("pump 7", KEY.to_vec(), newest)).expect("TLS");
                for _ in 0..20 {
                    client.write_all(&pattern(60_000)).expect("writes");
                    let mut received = vec![0; 60_000];
                    client.read_exact(&mut received).expect("reads");
                    assert!(received == pattern(60_000), "the bytes are not those that were sent");
                }
                client.shutdown().expect("close_notify");
                client.read(&mut [0]).expect("the server says close_notify")
            });
            let stream = accept(&listener, &options).await.expect("a stream");
            let tls = stream.peer().tls.clone().expect("TLS");
            assert_eq!((tls.version, tls.alpn.as_deref()), (version, Some("mqtt")));
            assert_eq!((tls.psk_identity.as_deref(), tls.common_name), (Some("pump 7"), None));
            assert!(
                tls.cipher_suite.is_some_and(|suite| suite.starts_with("TLS_")),
                "{:?}",
                tls.cipher_suite
            );
            echo(stream).await;
            assert_eq!(join(client).await, 0);
        }
    });
}

#[test]
fn decrypted_bytes_wake_although_the_socket_is_silent() {
    run(async {
        let file = pump();
        let listener = listen("tls://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut client =
                connect(socket, &context("pump 7", KEY.to_vec(), SslVersion::TLS1_3)).expect("TLS");
            client.write_all(&pattern(1000)).expect("writes");
            client.read_exact(&mut [0]).expect("the answer");
        });
        let mut stream = accept(&listener, &file.listener_options(TlsVersion::V12)).await.expect("a stream");
        // Read in portions of 7 bytes, waiting before each: were a wake-up lost, the test would hang.
        let mut bytes = Vec::new();
        let mut scratch = [0; 7];
        while bytes.len() < 1000 {
            stream.readable().await.expect("readable");
            match stream.try_read(&mut scratch) {
                Ok(length) => bytes.extend_from_slice(&scratch[..length]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(bytes, pattern(1000));
        assert!(!stream.has_buffered_input());
        write(&mut stream, b"!").await;
        join(client).await;
    });
}

/// What a client is told must not say which identities there are.
#[test]
fn an_unknown_identity_is_refused_like_a_wrong_key() {
    run(async {
        let file = pump();
        let listener = listen("tls://127.0.0.1:0");
        let options = file.listener_options(TlsVersion::V12);
        for newest in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let mut told = Vec::new();
            for (identity, key, words) in [
                ("pump 7", b"0123456789abcdeF".to_vec(), "not the key of the identity \"pump 7\""),
                ("pump 7", vec![0xab; 32], "not the key of the identity \"pump 7\""),
                ("pump 8", KEY.to_vec(), "no identity \"pump 8\""),
            ] {
                let client = client(ipv4(&listener), move |socket| {
                    let connected = connect(socket, &context(identity, key, newest));
                    // In TLS 1.3 the client is done before the server has looked.
                    connected.and_then(|mut client| client.read(&mut [0]).map_err(|error| error.to_string()))
                });
                let error = accept(&listener, &options).await.expect_err("the key is wrong");
                assert_eq!(error.reason, HandshakeReason::TlsKeyWrong, "{error}");
                assert!(error.detail.starts_with(words), "{error}");
                told.push(join(client).await.expect_err("no connection"));
            }
            assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
        }
    });
}

#[test]
fn clients_without_a_key_are_told_apart() {
    run(async {
        let file = pump();
        let listener = listen("tls://127.0.0.1:0");
        let options = file.listener_options(TlsVersion::V13);
        let config = Authority::new().client_config(None);
        let with_certificate = client(ipv4(&listener), |socket| {
            crate::tls::connect(socket, config).write_all(b"x").expect_err("no certificate");
        });
        let error = accept(&listener, &options).await.expect_err("no key");
        assert_eq!(error.reason, HandshakeReason::TlsIncompatible, "{error}");
        join(with_certificate).await;
        let old = client(ipv4(&listener), |socket| {
            connect(socket, &context("pump 7", KEY.to_vec(), SslVersion::TLS1_2)).expect_err("too old")
        });
        let error = accept(&listener, &options).await.expect_err("too old");
        assert_eq!(error.reason, HandshakeReason::TlsIncompatible, "{error}");
        join(old).await;
        let garbage = client(ipv4(&listener), |mut socket| {
            socket.write_all(&[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5, 6, 7]).expect("written");
            let _answer = socket.read_to_end(&mut Vec::new());
        });
        let error = accept(&listener, &options).await.expect_err("garbage");
        assert!(
            matches!(error.reason, HandshakeReason::TlsGarbage | HandshakeReason::TlsFailed),
            "{:?} {error}",
            error.reason
        );
        join(garbage).await;
    });
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let file = KeyFile::new("a:1b\nb\n");
    let error = TlsAcceptor::with_psk(&file.options(TlsVersion::V12), Transport::Tls).expect_err("no colon");
    assert!(matches!(error, TlsError::Line { line: 2, .. }), "{error}");
    let missing = PskOptions { file: "/nonexistent/keys".into(), minimum_version: TlsVersion::V12 };
    let error = TlsAcceptor::with_psk(&missing, Transport::Tls).expect_err("no file");
    assert!(error.to_string().contains("/nonexistent/keys"), "{error}");
}
