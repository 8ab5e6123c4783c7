//! TLS handshakes that fail, and settings that cannot work.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ferry_net::{
    ClientCertificates, HandshakeError, HandshakeLimits, HandshakeReason, ListenerOptions, TlsAcceptor,
    TlsOptions, TlsVersion, Transport, failure_name,
};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::ClientConfig;

use crate::certificates::Authority;
use crate::server::{accept, client, ipv4, join, listen, read, read_exactly, run, write};
use crate::tls::{connect, listener_options};

/// The error that the listener sees of a client.
async fn failure(
    options: &ListenerOptions,
    script: impl FnOnce(TcpStream) + Send + 'static,
) -> HandshakeError {
    let listener = listen("tls://127.0.0.1:0");
    let client = client(ipv4(&listener), script);
    let error = accept(&listener, options).await.expect_err("no stream");
    join(client).await;
    error
}

/// Sends bytes and reads to the end, which must not be a reset.
fn send(bytes: &'static [u8]) -> impl FnOnce(TcpStream) + Send + 'static {
    move |mut socket| {
        socket.write_all(bytes).expect("writes");
        socket.shutdown(std::net::Shutdown::Write).expect("shuts down");
        socket.read_to_end(&mut Vec::new()).expect("an orderly end");
    }
}

/// Shakes hands, and fails.
fn refused(config: ClientConfig) -> impl FnOnce(TcpStream) + Send + 'static {
    move |socket| {
        let mut client = connect(socket, config);
        let written = client.write_all(b"\x10");
        written.and_then(|()| client.read(&mut [0])).expect_err("an alert");
    }
}

#[test]
fn what_is_not_tls_is_told_apart() {
    run(async {
        let authority = Authority::new();
        let options = listener_options(&authority.options(), Transport::Tls);
        for (bytes, reason) in [
            (&b"\x10\x0c\0\x04MQTT\x05\x02\0\x3c\0"[..], HandshakeReason::MqttOnTls),
            (b"GET / HTTP/1.1\r\n\r\n", HandshakeReason::HttpOnTls),
            (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", HandshakeReason::TlsGarbage),
            (b"\x16\x03\x01\x00\x04\xff\xff\xff\xff", HandshakeReason::TlsGarbage),
            (b"\x16\x03\x01", HandshakeReason::Disconnected),
        ] {
            let error = failure(&options, send(bytes)).await;
            assert_eq!(error.reason, reason, "{error}");
        }
    });
}

#[test]
fn handshakes_end_in_time_and_size() {
    run(async {
        let authority = Authority::new();
        let options = listener_options(&authority.options(), Transport::Tls);
        let limits = HandshakeLimits { tls_timeout: Duration::from_millis(1), ..HandshakeLimits::default() };
        let slow = ListenerOptions { limits, ..options.clone() };
        let error = failure(&slow, |mut socket| {
            socket.write_all(b"\x16\x03\x01").expect("writes");
            socket.read_to_end(&mut Vec::new()).expect("an end");
        });
        assert_eq!(error.await.reason, HandshakeReason::TlsTimeout);

        let limits = HandshakeLimits { tls_bytes_max: 100, ..HandshakeLimits::default() };
        let small = ListenerOptions { limits, ..options };
        // The beginning of a client hello of 16,000 bytes.
        let error = failure(
            &small,
            send(
                b"\x16\x03\x01\x3e\x84\x01\0\x3e\x80\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ),
        );
        assert_eq!(error.await.reason, HandshakeReason::TlsTooLarge);
    });
}

#[test]
fn clients_that_do_not_fit_are_told_apart() {
    run(async {
        let authority = Authority::new();
        let stranger = Authority::new();
        stranger.issue("sensor-7", 7, ExtendedKeyUsagePurpose::ClientAuth);
        let ca_file = authority.directory.path("ca.pem");
        let client_certificates = ClientCertificates::Required { ca_file: ca_file.clone(), crl_file: None };
        let required = TlsOptions { client_certificates, ..authority.options() };
        let only_13 = TlsOptions { minimum_version: TlsVersion::V13, ..authority.options() };

        let config_12 = authority.client_config_of(&rustls::version::TLS12);
        let mut config_alpn = authority.client_config(None);
        config_alpn.alpn_protocols = vec![b"h2".to_vec()];
        let suspicious = stranger.client_config(Some("sensor-7"));
        let trusting = authority.client_config_from(&stranger, "sensor-7");

        for (tls, config, reason) in [
            (&only_13, config_12, HandshakeReason::TlsIncompatible),
            (&only_13, config_alpn, HandshakeReason::TlsNoSharedAlpn),
            (&required, authority.client_config(None), HandshakeReason::TlsCertificateMissing),
            (&required, trusting, HandshakeReason::TlsCertificateInvalid),
            // The client does not trust our authority and says so.
            (&required, suspicious, HandshakeReason::TlsAlertReceived),
        ] {
            let error = failure(&listener_options(tls, Transport::Tls), refused(config)).await;
            assert_eq!(error.reason, reason, "{error}");
        }
    });
}

#[test]
fn garbage_after_the_handshake_ends_the_stream() {
    run(async {
        let authority = Authority::new();
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let listener = listen("tls://127.0.0.1:0");
        let client = client(ipv4(&listener), |socket| {
            let mut client = connect(socket, config);
            client.write_all(b"\x10").expect("writes");
            client.read_exact(&mut [0]).expect("the handshake is over");
            client.sock.write_all(b"\x17\x03\x03\0\x20this is not what the key made it").expect("writes");
            client.read(&mut [0]).expect_err("an alert").to_string()
        });
        let mut stream = accept(&listener, &options).await.expect("a stream");
        assert_eq!(read_exactly(&mut stream, 1, 1).await, b"\x10");
        write(&mut stream, b"!").await;
        let error = read(&mut stream, &mut [0; 10]).await.expect_err("broken");
        assert_eq!(failure_name(&error), "tls_violation");
        assert!(join(client).await.contains("BadRecordMac"));
    });
}

#[test]
fn http_inside_tls_is_told_apart() {
    run(async {
        let authority = Authority::new();
        let options = listener_options(&authority.options(), Transport::Tls);
        let config = authority.client_config(None);
        let error = failure(&options, |socket| {
            let mut client = connect(socket, config);
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("writes");
            let mut answer = Vec::new();
            // The server ends without ceremony after its answer.
            let _ = client.read_to_end(&mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 400 "));
        });
        assert_eq!(error.await.reason, HandshakeReason::HttpOnMqtt);
    });
}

#[test]
fn settings_that_cannot_work_name_the_file_and_the_remedy() {
    let authority = Authority::new();
    let directory = &authority.directory;
    authority.issue("other", 9, ExtendedKeyUsagePurpose::ServerAuth);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = directory.write("encrypted.key", encrypted);
    let damaged =
        directory.write("damaged.pem", "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n");
    let nonsense =
        directory.write("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let empty = directory.write("empty.pem", "");
    let good = authority.options();
    let file = |name| directory.path(name);
    let with_ca = |ca_file| TlsOptions {
        client_certificates: ClientCertificates::Required { ca_file, crl_file: None },
        ..good.clone()
    };
    let with_crl = |crl_file| TlsOptions {
        client_certificates: ClientCertificates::Optional {
            ca_file: file("ca.pem"),
            crl_file: Some(crl_file),
        },
        ..good.clone()
    };
    for (options, name, remedy) in [
        (TlsOptions { certificate_file: file("none.pem"), ..good.clone() }, "none.pem", "cannot be read"),
        (TlsOptions { certificate_file: empty.clone(), ..good.clone() }, "empty.pem", "BEGIN CERTIFICATE"),
        (TlsOptions { certificate_file: damaged, ..good.clone() }, "damaged.pem", "not a valid PEM file"),
        (TlsOptions { certificate_file: nonsense.clone(), ..good.clone() }, "nonsense.pem", "cannot be used"),
        (
            TlsOptions { certificate_file: file("server.key"), ..good.clone() },
            "server.key",
            "holds no certificate",
        ),
        (
            TlsOptions { key_file: file("server.pem"), ..good.clone() },
            "server.pem",
            "are the two files exchanged?",
        ),
        (TlsOptions { key_file: encrypted, ..good.clone() }, "encrypted.key", "openssl pkey"),
        (TlsOptions { key_file: empty.clone(), ..good.clone() }, "empty.pem", "BEGIN PRIVATE KEY"),
        (TlsOptions { key_file: file("other.key"), ..good.clone() }, "other.key", "does not belong to"),
        (with_ca(file("none.pem")), "none.pem", "cannot be read"),
        (with_ca(nonsense), "nonsense.pem", "cannot be used"),
        (with_crl(empty), "empty.pem", "BEGIN X509 CRL"),
    ] {
        let error = TlsAcceptor::new(&options, Transport::Tls).expect_err(remedy);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(remedy), "{text}");
        assert_eq!(error.file(), directory.path(name));
    }
}
