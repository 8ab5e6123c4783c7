//! The TLS settings that a listener uses for new connections; they can be exchanged while it runs.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

#[cfg(feature = "psk")]
use super::psk::PskContext;
use super::{ClientCertificates, PskOptions, TlsError, TlsOptions, TlsSession, TlsVersion, pem_file};
use crate::peer::Transport;

/// Plaintext bytes that one connection may hold encrypted and unsent, in addition to a TLS record.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// Starts TLS for new connections. [`TlsAcceptor::reload`] changes certificates and settings for the
/// connections that come after it; those that are open keep theirs.
#[derive(Debug)]
pub struct TlsAcceptor {
    transport: Transport,
    current: RwLock<Settings>,
}

#[derive(Clone, Debug)]
enum Settings {
    Certificate(Arc<ServerConfig>),
    #[cfg(feature = "psk")]
    Psk(PskContext),
}

impl TlsAcceptor {
    /// Loads certificates and key; `transport` decides the application protocols (ALPN): `mqtt`, and
    /// `http/1.1` before it on `wss`. Clients that offer none are accepted.
    ///
    /// # Errors
    /// A file is unreadable, empty of what it should hold, or does not fit the others.
    pub fn new(options: &TlsOptions, transport: Transport) -> Result<Self, TlsError> {
        let config = server_config(options, transport)?;
        Ok(Self { transport, current: RwLock::new(Settings::Certificate(Arc::new(config))) })
    }

    /// Loads identities and keys, in the place of certificates; as [`TlsAcceptor::new`] else.
    ///
    /// # Errors
    /// The file is unreadable, or something in it is wrong; or this program is built without the feature `psk`.
    pub fn with_psk(options: &PskOptions, transport: Transport) -> Result<Self, TlsError> {
        Ok(Self { transport, current: RwLock::new(psk_settings(options, transport)?) })
    }

    /// Uses settings made elsewhere.
    pub fn from_config(config: Arc<ServerConfig>, transport: Transport) -> Self {
        Self { transport, current: RwLock::new(Settings::Certificate(config)) }
    }

    /// Loads the files again; connections that come later use them.
    ///
    /// # Errors
    /// As [`TlsAcceptor::new`]; the old settings stay in force.
    pub fn reload(&self, options: &TlsOptions) -> Result<(), TlsError> {
        let config = Arc::new(server_config(options, self.transport)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Settings::Certificate(config);
        Ok(())
    }

    /// The state of one new connection.
    pub(crate) fn start(&self) -> io::Result<TlsSession> {
        match self.current.read().unwrap_or_else(PoisonError::into_inner).clone() {
            Settings::Certificate(config) => {
                let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
                connection.set_buffer_limit(Some(UNSENT_BYTES_MAX));
                Ok(TlsSession::Certificate(connection))
            }
            #[cfg(feature = "psk")]
            Settings::Psk(context) => context.start().map(TlsSession::Psk),
        }
    }
}

#[cfg(feature = "psk")]
fn psk_settings(options: &PskOptions, transport: Transport) -> Result<Settings, TlsError> {
    PskContext::new(options, &alpn(transport)).map(Settings::Psk)
}

#[cfg(not(feature = "psk"))]
fn psk_settings(options: &PskOptions, _transport: Transport) -> Result<Settings, TlsError> {
    Err(TlsError::NoPsk { file: options.file.clone() })
}

fn server_config(options: &TlsOptions, transport: Transport) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let certificates = pem_file::certificates(&options.certificate_file)?;
    let key = pem_file::private_key(&options.key_file)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(options.minimum_version))
        .map_err(|error| unusable(options, &error))?;
    let builder = match client_verifier(&options.client_certificates, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch {
            certificate_file: options.certificate_file.clone(),
            key_file: options.key_file.clone(),
        },
        rustls::Error::InvalidCertificate(_) => unusable(options, &error),
        other => TlsError::Unusable { file: options.key_file.clone(), detail: other.to_string() },
    })?;
    config.alpn_protocols = alpn(transport);
    // Tickets carry the state of a resumption: after a storm of reconnects nothing is kept here.
    config.ticketer = ring::Ticketer::new().map_err(|error| unusable(options, &error))?;
    Ok(config)
}

fn unusable(options: &TlsOptions, error: &rustls::Error) -> TlsError {
    TlsError::Unusable { file: options.certificate_file.clone(), detail: error.to_string() }
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static FROM_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match minimum {
        TlsVersion::V12 => &FROM_12,
        TlsVersion::V13 => &FROM_13,
    }
}

fn alpn(transport: Transport) -> Vec<Vec<u8>> {
    match transport {
        Transport::Wss => vec![b"http/1.1".to_vec(), b"mqtt".to_vec()],
        _ => vec![b"mqtt".to_vec()],
    }
}

fn client_verifier(
    policy: &ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (ca_file, crl_file, optional) = match policy {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional { ca_file, crl_file } => (ca_file, crl_file, true),
        ClientCertificates::Required { ca_file, crl_file } => (ca_file, crl_file, false),
    };
    let mut roots = RootCertStore::empty();
    for certificate in pem_file::certificates(ca_file)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Unusable { file: ca_file.clone(), detail: error.to_string() })?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(crl_file) = crl_file {
        builder = builder.with_crls(pem_file::revocation_lists(crl_file)?);
    }
    if optional {
        builder = builder.allow_unauthenticated();
    }
    let file = crl_file.as_ref().unwrap_or(ca_file);
    let unusable = |detail: String| TlsError::Unusable { file: file.clone(), detail };
    builder.build().map(Some).map_err(|error| unusable(error.to_string()))
}
