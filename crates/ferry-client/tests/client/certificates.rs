//! Certificates for a test.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rcgen::{KeyUsagePurpose, SanType};

use crate::scratch_directory::ScratchDirectory;

/// PEM files of an authority and of what it has signed, made anew for each test.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    /// The authority's certificate.
    pub(crate) authority: PathBuf,
    /// The authority's private key.
    pub(crate) authority_key: PathBuf,
    /// The server's certificate, for `localhost` and 127.0.0.1.
    pub(crate) server: PathBuf,
    /// The server's private key.
    pub(crate) server_key: PathBuf,
    /// A client's certificate, its common name `client`.
    pub(crate) client: PathBuf,
    /// The client's private key.
    pub(crate) client_key: PathBuf,
}

impl Certificates {
    /// Makes the files in this directory.
    ///
    pub(crate) fn new(directory: &ScratchDirectory) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = named("Ferry's test authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let authority = directory.write("authority.pem", &certificate.pem());
        let authority_key = directory.write("authority-key.pem", &key.serialize_pem());
        let issuer = Issuer::new(parameters, key);
        let (server, server_key) = signed(directory, "server", &issuer, ExtendedKeyUsagePurpose::ServerAuth);
        let (client, client_key) = signed(directory, "client", &issuer, ExtendedKeyUsagePurpose::ClientAuth);
        Self { authority, authority_key, server, server_key, client, client_key }
    }
}

fn named(common_name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters
}

/// A certificate and its key.
fn signed(
    directory: &ScratchDirectory,
    name: &str,
    issuer: &Issuer<'static, KeyPair>,
    purpose: ExtendedKeyUsagePurpose,
) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = named(name);
    let localhost = "localhost".try_into().expect("a name in ASCII");
    parameters.subject_alt_names =
        vec![SanType::DnsName(localhost), SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())];
    parameters.extended_key_usages = vec![purpose];
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&key, issuer).expect("a certificate");
    let key_file = directory.write(&format!("{name}-key.pem"), &key.serialize_pem());
    (directory.write(&format!("{name}.pem"), &certificate.pem()), key_file)
}
