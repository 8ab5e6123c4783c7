use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DEFAULT_VERSIONS, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::ConnectionError;

/// Whom to trust, and who we are. Files are read at each connection: new certificates need no restart.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// A PEM file of authorities to trust, instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// The same as text; both together are possible.
    pub ca_pem: Option<Vec<u8>>,
    /// Trust the authorities of the system besides these two.
    pub system_authorities: bool,
    /// What to show to the server.
    pub client_certificate: Option<ClientCertificate>,
    /// The name that the server's certificate must have, if it is not the host of the URL.
    pub server_name: Option<String>,
    /// The protocols to offer (ALPN), such as `mqtt`.
    pub alpn_protocols: Vec<String>,
    /// Accept TLS 1.3 only, and not 1.2.
    pub only_tls13: bool,
    /// Take a certificate with any name, as long as an authority that is trusted has signed it: for servers that are reached
    /// under another name than their own. Whoever has a certificate of the authority can pass for the server.
    pub any_server_name: bool,
    /// A key that is shared with the server, in the place of all certificates; of the other options those about the version,
    /// the protocols and the name still count. With the feature `psk`.
    #[cfg(feature = "psk")]
    pub psk: Option<super::PreSharedKey>,
    /// Trust anybody. The connection is encrypted, but perhaps not with the right server: for tests only.
    pub insecure: bool,
}

/// The certificate of a client, with its private key.
#[derive(Clone)]
pub enum ClientCertificate {
    /// PEM files.
    Files {
        /// The certificate, then those of the authorities between it and the root.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The same as text.
    Pem {
        /// As in the file.
        certificate: Vec<u8>,
        /// As in the file.
        key: Vec<u8>,
    },
    /// A PKCS#12 file (`.p12`, `.pfx`) with both; with the feature `pkcs12`.
    #[cfg(feature = "pkcs12")]
    Pkcs12 {
        /// The file. If it has several keys, the first one counts.
        file: PathBuf,
        /// What it is encrypted with.
        password: String,
    },
}

/// Without the secrets.
impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files { certificate, .. } => write!(f, "{}", certificate.display()),
            Self::Pem { .. } => f.write_str("Pem"),
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { file, .. } => write!(f, "{}", file.display()),
        }
    }
}

impl TlsOptions {
    /// Reads the files that the options name, so that a wrong name is told before anything else is done.
    ///
    /// # Errors
    /// [`ConnectionError::Tls`]: which file cannot be used, and why.
    pub fn check(&self) -> Result<(), ConnectionError> {
        self.config().map(drop)
    }

    /// Speaks TLS on a connection to `host`, for programs that ask the same machine by another protocol, and wait with a thread.
    ///
    /// # Errors
    /// [`ConnectionError::Tls`]: a file cannot be used, or one of the two does not trust the other.
    pub fn connect_blocking<S: Read + Write>(
        &self,
        mut socket: S,
        host: &str,
    ) -> Result<impl Read + Write + use<S>, ConnectionError> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(tls_error)?;
        let mut connection = ClientConnection::new(Arc::new(self.config()?), name).map_err(tls_error)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| handshake_error(&error))?;
        }
        Ok(StreamOwned::new(connection, socket))
    }

    pub(super) async fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, ConnectionError> {
        let options = self.clone();
        // Files, and the many certificates of the system.
        let config = tokio::task::spawn_blocking(move || options.config()).await;
        let config = config.map_err(|error| ConnectionError::Tls(error.to_string()))??;
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|error| ConnectionError::Tls(error.to_string()))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        stream.map_err(|error| handshake_error(&error))
    }

    fn config(&self) -> Result<ClientConfig, ConnectionError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let versions: &[&SupportedProtocolVersion] =
            if self.only_tls13 { &[&TLS13] } else { DEFAULT_VERSIONS };
        let builder = builder.with_protocol_versions(versions).map_err(tls_error)?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnybody(provider)))
        } else if self.any_server_name {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider);
            let verifier = verifier.build().map_err(|error| ConnectionError::Tls(error.to_string()))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServerName(verifier)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.client_certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let (chain, key) = certificate.load()?;
                builder.with_client_auth_cert(chain, key).map_err(tls_error)?
            }
        };
        config.alpn_protocols = self.alpn_protocols.iter().map(|name| name.clone().into_bytes()).collect();
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, ConnectionError> {
        let mut certificates = Vec::new();
        if let Some(file) = &self.ca_file {
            certificates.extend(certificates_in_file(file)?);
        }
        if let Some(pem) = &self.ca_pem {
            certificates.extend(certificates_in(pem)?);
        }
        if self.system_authorities || self.ca_file.is_none() && self.ca_pem.is_none() {
            certificates.extend(rustls_native_certs::load_native_certs().certs);
        }
        let mut roots = RootCertStore::empty();
        let (added, _ignored) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(ConnectionError::Tls("there is no authority to trust".to_owned()));
        }
        Ok(roots)
    }
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl ClientCertificate {
    fn load(&self) -> Result<ChainAndKey, ConnectionError> {
        match self {
            Self::Files { certificate, key } => {
                let chain = certificates_in_file(certificate)?;
                let words = |why: String| ConnectionError::Tls(format!("{}: {why}", key.display()));
                let pem = std::fs::read(key).map_err(|error| words(error.to_string()))?;
                Ok((chain, private_key_in(&pem).map_err(words)?))
            }
            Self::Pem { certificate, key } => {
                Ok((certificates_in(certificate)?, private_key_in(key).map_err(ConnectionError::Tls)?))
            }
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { file, password } => pkcs12(file, password)
                .map_err(|why| ConnectionError::Tls(format!("{}: {why}", file.display()))),
        }
    }
}

fn private_key_in(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // In the name of the section, or in a header of the older form.
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if pem.windows(ENCRYPTED.len()).any(|bytes| bytes == ENCRYPTED) => {
            "the private key is encrypted, and only PKCS#12 files may be; openssl pkey -in OLD -out NEW writes it without a password"
                .to_owned()
        }
        PemError::NoItemsFound => "there is no private key in it, in the form of PEM".to_owned(),
        error => error.to_string(),
    })
}

#[cfg(feature = "pkcs12")]
fn pkcs12(file: &Path, password: &str) -> Result<ChainAndKey, String> {
    let data = std::fs::read(file).map_err(|error| error.to_string())?;
    // Files of other programs need not name the pair of key and certificate in the same way.
    let policy = p12_keystore::Pkcs12ImportPolicy::Relaxed;
    let store = p12_keystore::KeyStore::from_pkcs12(&data, password, policy);
    let store = store.map_err(pkcs12_error)?;
    let (_alias, chain) = store.private_key_chain().ok_or("it has no private key")?;
    if chain.certs().is_empty() {
        return Err("it has no certificate for its key".to_owned());
    }
    let certificates = chain.certs().iter().map(|certificate| certificate.as_der().to_vec().into());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
    Ok((certificates.collect(), key.into()))
}

#[cfg(feature = "pkcs12")]
fn pkcs12_error(error: p12_keystore::error::Error) -> String {
    use p12_keystore::error::Error;
    const AGAIN: &str = "openssl pkcs12 -in OLD -nodes -legacy | openssl pkcs12 -export -out NEW writes it in one that it reads";
    match error {
        // Without a checksum in the file, what a wrong password makes of it may look like data, but not like a key.
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError | Error::InvalidPrivateKey => {
            format!("the password is wrong, or the file is damaged ({error})")
        }
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            format!("it is protected in a way that this program does not read ({error}); {AGAIN}")
        }
        Error::DerError(_) | Error::InvalidVersion => format!("not a PKCS#12 file ({error})"),
        error => error.to_string(),
    }
}

fn certificates_in_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectionError> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| of_file(file, &error))?;
    let certificates: Vec<_> =
        certificates.collect::<Result<_, _>>().map_err(|error| of_file(file, &error))?;
    if certificates.is_empty() {
        let why = "there is no certificate in it, in the form of PEM";
        return Err(ConnectionError::Tls(format!("{}: {why}", file.display())));
    }
    Ok(certificates)
}

fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConnectionError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(tls_error)
}

fn of_file(file: &Path, error: &PemError) -> ConnectionError {
    ConnectionError::Tls(format!("{}: {error}", file.display()))
}

fn tls_error(error: impl std::fmt::Display) -> ConnectionError {
    ConnectionError::Tls(error.to_string())
}

/// Why a server is not trusted, in words. What most programs that make certificates make if nobody says otherwise has one of its
/// own, since others take it.
fn handshake_error(error: &std::io::Error) -> ConnectionError {
    let words = error.to_string();
    match words.contains("CaUsedAsEndEntity") {
        true => ConnectionError::Tls(
            "the server shows the certificate of an authority (CA:TRUE) as its own: give it one that is none, as \
             `openssl req -x509 -addext basicConstraints=critical,CA:FALSE ...` makes it"
                .to_owned(),
        ),
        false => ConnectionError::Tls(words),
    }
}

/// Checks signatures, but not whose they are.
#[derive(Debug)]
struct TrustAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies the certificate, but not whose it is.
#[derive(Debug)]
struct AnyServerName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyServerName {
    /// The name is looked at last: a certificate that has only a wrong name is right otherwise.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
