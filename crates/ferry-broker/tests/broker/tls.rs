//! A listener of TLS, and clients with certificates.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferry_broker::RunningBroker;
use ferry_broker::config::{ClientCertificate, Listener};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, StreamOwned};
use sha2::{Digest, Sha256};

use crate::admin::Directory;
use crate::client::{Client, tcp_address};

/// An authority that the broker and its clients trust, and what it has signed.
pub(crate) struct Authority {
    directory: Directory,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a client shows.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// With a certificate for the broker.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let directory = Directory::new(&format!("tls-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(parameters, key).expect("a certificate");
        let authority = Self { directory, issuer };
        authority.write("ca.pem", &authority.issuer.pem());
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &authority.issuer).expect("a certificate");
        authority.write("broker.pem", &certificate.pem());
        authority.write("broker.key", &key.serialize_pem());
        authority
    }

    /// For a pump with a name in everything that a certificate can have one in.
    pub(crate) fn pump(&self, name: &str) -> Identity {
        let text = |text: String| text.as_str().try_into().expect("ASCII");
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.subject_alt_names = vec![
            SanType::DnsName(text(format!("{name}.example"))),
            SanType::URI(text(format!("urn:{name}"))),
            SanType::Rfc822Name(text(format!("{name}@example.com"))),
        ];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Identity { certificate: certificate.der().clone(), key }
    }

    /// On a free port, for clients with a certificate and without.
    pub(crate) fn listener(&self) -> Listener {
        Listener {
            address: "tls://127.0.0.1:0".parse().expect("an address"),
            tls_certificate_file: Some(self.path("broker.pem")),
            tls_key_file: Some(self.path("broker.key")),
            tls_client_certificate: ClientCertificate::Optional,
            tls_client_ca_file: Some(self.path("ca.pem")),
            ..Listener::default()
        }
    }

    /// A connection to the broker's first listener, which is that one. The handshake is done with the first packet.
    pub(crate) fn open(&self, broker: &RunningBroker, identity: Option<&Identity>) -> Client {
        let connection = self.connection(identity);
        Client::over(socket(broker), |socket| Box::new(StreamOwned::new(connection, socket)))
    }

    /// The same after the handshake.
    pub(crate) fn shake_hands(&self, broker: &RunningBroker) -> Client {
        let mut connection = self.connection(None);
        Client::over(socket(broker), |mut socket| {
            while connection.is_handshaking() {
                connection.complete_io(&mut socket).expect("a handshake");
            }
            Box::new(StreamOwned::new(connection, socket))
        })
    }

    fn connection(&self, identity: Option<&Identity>) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS);
        let config = config.expect("the provider has them").with_root_certificates(roots);
        let config = match identity {
            Some(Identity { certificate, key }) => {
                config.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).expect("a pair")
            }
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(Arc::new(config), name).expect("a configuration")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).expect("ours");
    }
}

fn socket(broker: &RunningBroker) -> TcpStream {
    TcpStream::connect(tcp_address(broker)).expect("connected")
}

impl Identity {
    pub(crate) fn der(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256, as the broker writes it.
    pub(crate) fn fingerprint(&self) -> String {
        Sha256::digest(&self.certificate).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
