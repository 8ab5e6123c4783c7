use std::time::Duration;

use ferry_client::{ClientCertificate, ClientOptions, ConnectionError, Message, QoS, TlsOptions};

use crate::brokers::{BrokerKind, Scheme};
use crate::certificates::Certificates;
use crate::scratch_directory::ScratchDirectory;
use crate::{Place, with_each_broker};

fn options(place: &Place, scheme: Scheme) -> ClientOptions {
    let certificates = &place.broker.certificates;
    let options = ClientOptions::new(&place.broker.url(scheme)).expect("a URL");
    let mut options = options.protocol_version(place.version);
    options.transport.tls.ca_file = Some(certificates.authority.clone());
    if scheme == Scheme::TlsWithClientCertificate {
        options.transport.tls.client_certificate = Some(ClientCertificate::Files {
            certificate: certificates.client.clone(),
            key: certificates.client_key.clone(),
        });
    }
    options
}

/// [MQTT-6.0.0-3], [MQTT3-6.0.0-3]: Ferry refuses a WebSocket without the sub-protocol. [MQTT3-7.1.2-1]:
/// on each transport everything arrives, in order.
#[test]
fn every_transport_carries_everything() {
    with_each_broker(async |place| {
        for scheme in Scheme::ALL {
            let mut options = options(&place, scheme);
            options.connect.client_id = format!("{scheme:?}");
            options.transport.websocket_headers = vec![("X-Test".to_owned(), "yes".to_owned())];
            let client = options.connect().await.unwrap_or_else(|error| panic!("{scheme:?}: {error}"));
            let topic = place.topic(&format!("transport/{scheme:?}"));
            let mut messages = client.subscribe(topic.as_str()).await.unwrap();
            // Mosquitto 2.0.11 sends large messages on such a WebSocket in pieces, with pauses.
            let is_slow = place.broker.kind == BrokerKind::Mosquitto && scheme == Scheme::SecureWebSocket;
            for length in [0, 1, 100, 130, 70_000, if is_slow { 10_000 } else { 300_000 }] {
                let message = Message::new(topic.as_str(), vec![7; length]).qos(QoS::AtLeastOnce);
                client.publish(message).await.unwrap();
                assert_eq!(messages.recv().await.unwrap().payload.len(), length);
            }
            client.disconnect().await;
        }
    });
}

#[test]
fn a_server_must_be_trusted() {
    with_each_broker(async |place| {
        let attempt = async |tls: TlsOptions| {
            let mut options = ClientOptions::new(&place.broker.url(Scheme::Tls)).unwrap();
            options.transport.tls = tls;
            options.connect().await.map(drop)
        };
        let authority = &place.broker.certificates.authority;
        let ca_file = Some(authority.clone());
        let other_name = Some("other.example".to_owned());
        let unknown_authority = Some(place.broker.certificates.client.clone());
        assert!(attempt(TlsOptions { ca_file: ca_file.clone(), ..TlsOptions::default() }).await.is_ok());
        let wrong_name =
            TlsOptions { ca_file: ca_file.clone(), server_name: other_name, ..TlsOptions::default() };
        assert!(matches!(attempt(wrong_name).await, Err(ConnectionError::Tls(_))));
        let authority_of_others = unknown_authority.clone();
        let wrong_authority = TlsOptions { ca_file: unknown_authority, ..TlsOptions::default() };
        assert!(matches!(attempt(wrong_authority).await, Err(ConnectionError::Tls(_))));
        assert!(attempt(TlsOptions { insecure: true, ..TlsOptions::default() }).await.is_ok());
        let any_name = TlsOptions {
            ca_file: ca_file.clone(),
            server_name: Some("other.example".to_owned()),
            any_server_name: true,
            ..TlsOptions::default()
        };
        assert!(attempt(any_name.clone()).await.is_ok());
        let any_name_of_others = TlsOptions { ca_file: authority_of_others, ..any_name };
        assert!(matches!(attempt(any_name_of_others).await, Err(ConnectionError::Tls(_))));
        let text = std::fs::read(authority).unwrap();
        assert!(attempt(TlsOptions { ca_pem: Some(text), ..TlsOptions::default() }).await.is_ok());
        let missing = TlsOptions { ca_file: Some("missing.pem".into()), ..TlsOptions::default() };
        assert!(matches!(attempt(missing).await, Err(ConnectionError::Tls(_))));
    });
}

#[test]
fn a_client_certificate_can_be_required() {
    with_each_broker(async |place| {
        let mut options = options(&place, Scheme::TlsWithClientCertificate);
        options.transport.tls.client_certificate = None;
        assert!(options.clone().connect().await.is_err());
        let Certificates { client, client_key, authority, .. } = &place.broker.certificates;
        let pem = |file| std::fs::read(file).unwrap();
        options.transport.tls.ca_file = None;
        options.transport.tls.ca_pem = Some(pem(authority));
        options.transport.tls.client_certificate =
            Some(ClientCertificate::Pem { certificate: pem(client), key: pem(client_key) });
        let client = options.clone().connect().await.unwrap();
        client.publish(Message::new("certified", "x").qos(QoS::AtLeastOnce)).await.unwrap();
        client.disconnect().await;
        options.transport.tls.client_certificate =
            Some(ClientCertificate::Pem { certificate: pem(client_key), key: pem(client_key) });
        assert!(matches!(options.connect().await, Err(ConnectionError::Tls(_))));
    });
}

#[cfg(feature = "pkcs12")]
#[test]
fn a_pkcs12_file_has_certificate_and_key() {
    use p12_keystore::{
        Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain,
    };
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

    with_each_broker(async |place| {
        let certificates = &place.broker.certificates;
        let certificate = CertificateDer::from_pem_file(&certificates.client).unwrap();
        let key = PrivateKeyDer::from_pem_file(&certificates.client_key).unwrap();
        let certificate = Certificate::from_der(&certificate).unwrap();
        let chain = PrivateKeyChain::new("1", PrivateKey::from_der(key.secret_der()).unwrap(), [certificate]);
        let mut store = KeyStore::new();
        store.add_entry("client", KeyStoreEntry::PrivateKeyChain(chain));
        // What programs write today, and what they wrote before.
        for algorithm in [
            EncryptionAlgorithm::PbeWithHmacSha256AndAes256,
            EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc,
        ] {
            let file = certificates.client.with_extension("p12");
            let bytes = store.writer("secret").encryption_algorithm(algorithm).write().unwrap();
            std::fs::write(&file, bytes).unwrap();
            let attempt = async |password: &str| {
                let mut options = options(&place, Scheme::TlsWithClientCertificate);
                options.transport.tls.client_certificate =
                    Some(ClientCertificate::Pkcs12 { file: file.clone(), password: password.to_owned() });
                options.connect().await.map(drop)
            };
            attempt("secret").await.unwrap();
            assert!(matches!(attempt("wrong").await, Err(ConnectionError::Tls(_))));
        }
    });
}

/// Authority, server and client get new certificates, in the same files: the next connection is made with them.
#[test]
fn new_certificates_need_no_restart() {
    crate::run(async {
        let directory = ScratchDirectory::new();
        let certificates = Certificates::new(&directory);
        let (broker, port) = tls_broker(&certificates, 0);
        let url = format!("mqtts://localhost:{port}");
        let mut options = ClientOptions::new(&url).unwrap().client_id("rotating").session_expiry(60);
        options.reconnect.delay_min = Duration::from_millis(1);
        options.reconnect.delay_max = Duration::from_millis(20);
        options.transport.tls.ca_file = Some(certificates.authority.clone());
        options.transport.tls.client_certificate = Some(ClientCertificate::Files {
            certificate: certificates.client.clone(),
            key: certificates.client_key.clone(),
        });
        let client = options.clone().connect().await.unwrap();
        let old_authority = std::fs::read(&certificates.authority).unwrap();
        broker.shutdown();
        broker.join();
        let published = client.publish(Message::new("rotated", "x").qos(QoS::AtLeastOnce));
        let renewed = Certificates::new(&directory);
        let (_broker, _) = tls_broker(&renewed, port);
        published.await.unwrap();
        // Those who know the old authority only are not let in by it any more.
        options.transport.tls.ca_file = None;
        options.transport.tls.ca_pem = Some(old_authority);
        assert!(matches!(options.connect().await, Err(ConnectionError::Tls(_))));
        client.disconnect().await;
    });
}

#[test]
fn a_server_with_the_certificate_of_an_authority_is_told_what_it_needs() {
    crate::run(async {
        let directory = ScratchDirectory::new();
        let mut certificates = Certificates::new(&directory);
        certificates.server = certificates.authority.clone();
        certificates.server_key = certificates.authority_key.clone();
        let (_broker, port) = tls_broker(&certificates, 0);
        let mut options = ClientOptions::new(&format!("mqtts://localhost:{port}")).unwrap();
        options.transport.tls.ca_file = Some(certificates.authority);
        let Err(ConnectionError::Tls(words)) = options.connect().await.map(drop) else {
            panic!("it is trusted")
        };
        assert!(words.contains("CA:FALSE"), "{words}");
    });
}

/// Ferry with one listener, which wants the certificates of its clients.
pub(crate) fn tls_broker(certificates: &Certificates, port: u16) -> (ferry_broker::RunningBroker, u16) {
    let mut config = ferry_broker::config::Config::default();
    config.listeners.truncate(1);
    let listener = &mut config.listeners[0];
    listener.address = format!("tls://127.0.0.1:{port}").parse().expect("an address");
    listener.tls_certificate_file = Some(certificates.server.clone());
    listener.tls_key_file = Some(certificates.server_key.clone());
    listener.tls_client_ca_file = Some(certificates.authority.clone());
    listener.tls_client_certificate = ferry_broker::config::ClientCertificate::Required;
    config.storage.durability = ferry_broker::config::Durability::Memory;
    let broker = ferry_broker::Broker::start(config).expect("a broker");
    let port = broker.local_addresses()[0].host_port().expect("on the network").port;
    (broker, port)
}

#[test]
fn a_refused_upgrade_is_told() {
    with_each_broker(async |place| {
        if place.broker.kind == BrokerKind::Ferry {
            let url = format!("{}/wrong", place.broker.url(Scheme::WebSocket));
            let error = ClientOptions::new(&url).unwrap().connect().await.unwrap_err();
            assert_eq!(error, ConnectionError::WebSocket("the server answers 404 Not Found".to_owned()));
        }
    });
}
