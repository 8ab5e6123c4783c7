//! Certificates for tests, in files, made anew each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferry_net::{ClientCertificates, TlsOptions, TlsVersion};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

/// A directory that goes with its owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ferry-net-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("writes");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An authority, a server's certificate for `localhost`, and clients' certificates.
pub(crate) struct Authority {
    pub(crate) directory: Directory,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let directory = Directory::new();
        let mut params = CertificateParams::new(Vec::new()).expect("valid");
        params.distinguished_name = name("Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        directory.write("ca.pem", &issuer.pem());
        let authority = Self { directory, issuer };
        authority.issue("server", 1, ExtendedKeyUsagePurpose::ServerAuth);
        authority
    }

    /// Writes NAME.pem and NAME.key.
    pub(crate) fn issue(&self, common_name: &str, serial_number: u64, usage: ExtendedKeyUsagePurpose) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("valid");
        params.distinguished_name = name(common_name);
        params.serial_number = Some(SerialNumber::from(serial_number));
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.directory.write(&format!("{common_name}.pem"), &certificate.pem());
        self.directory.write(&format!("{common_name}.key"), &key.serialize_pem());
    }

    /// Writes crl.pem, which revokes one certificate.
    pub(crate) fn revoke(&self, serial_number: u64) -> PathBuf {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial_number),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("a list");
        self.directory.write("crl.pem", &list.pem().expect("PEM"))
    }

    /// The settings of a listener with the server's certificate.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions {
            certificate_file: self.directory.path("server.pem"),
            key_file: self.directory.path("server.key"),
            client_certificates: ClientCertificates::Off,
            minimum_version: TlsVersion::V12,
        }
    }

    /// The settings of a client that trusts the authority.
    pub(crate) fn client_config(&self, certificate: Option<&str>) -> ClientConfig {
        match certificate {
            None => self.client_builder(rustls::ALL_VERSIONS).with_no_client_auth(),
            Some(name) => self.client_config_from(self, name),
        }
    }

    /// The settings of a client that trusts this authority and shows a certificate of another.
    pub(crate) fn client_config_from(&self, other: &Self, name: &str) -> ClientConfig {
        let directory = &other.directory;
        let key = PrivateKeyDer::from_pem_file(directory.path(&format!("{name}.key"))).expect("a key");
        let chain = certificates(&directory.path(&format!("{name}.pem")));
        self.client_builder(rustls::ALL_VERSIONS).with_client_auth_cert(chain, key).expect("fits")
    }

    /// The settings of a client with one version of TLS.
    pub(crate) fn client_config_of(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        self.client_builder(&[version]).with_no_client_auth()
    }

    fn client_builder(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.directory.path("ca.pem")) {
            roots.add(certificate).expect("a root");
        }
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).expect("readable").map(|one| one.expect("PEM")).collect()
}
