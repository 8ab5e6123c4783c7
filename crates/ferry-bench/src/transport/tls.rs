use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Socket;
use crate::BenchError;
use crate::plan::{Credentials, Target};

/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What all TLS connections of an event loop have in common.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// # Errors
    /// A file cannot be read, or the broker's name is not one.
    pub(crate) fn new(target: &Target, credentials: &Credentials) -> Result<Self, BenchError> {
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|error| BenchError::new(format!("{target}: {error}")))?;
        let provider = Arc::new(ring::default_provider());
        let wrong = |error: Error| BenchError::new(format!("TLS: {error}"));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let builder = if credentials.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(authorities(credentials.ca_file.as_deref())?)
        };
        let config = match (&credentials.certificate_file, &credentials.key_file) {
            (Some(chain), Some(key)) => {
                let file = PrivateKeyDer::from_pem_file(key);
                let private_key = file.map_err(|error| BenchError::new(format!("{key}: {error}")))?;
                builder.with_client_auth_cert(certificates(chain)?, private_key).map_err(wrong)?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(BenchError::new("--cert and --key belong together")),
        };
        Ok(Self { config: Arc::new(config), name })
    }

    /// A connection that has not begun its handshake.
    ///
    /// # Errors
    /// The configuration does not fit.
    pub(crate) fn connection(&self) -> io::Result<ClientConnection> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)
    }
}

fn authorities(file: Option<&str>) -> Result<RootCertStore, BenchError> {
    let system = || SYSTEM_AUTHORITIES.into_iter().find(|path| std::path::Path::new(path).exists());
    let Some(file) = file.or_else(system) else {
        return Err(BenchError::new(
            "this system has no list of authorities: name one with --cafile, or use --insecure",
        ));
    };
    let mut store = RootCertStore::empty();
    // Old authorities in a system's list may be of a form that is not supported.
    let (added, _) = store.add_parsable_certificates(certificates(file)?);
    if added == 0 {
        return Err(BenchError::new(format!("{file}: there is no certificate of an authority")));
    }
    Ok(store)
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, BenchError> {
    let wrong = |error| BenchError::new(format!("{file}: {error}"));
    CertificateDer::pem_file_iter(file).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)
}

/// Plain bytes out of TLS.
///
/// # Errors
/// As of a non-blocking socket; what is not TLS is an error too.
pub(super) fn read(tls: &mut ClientConnection, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        take_in(tls, socket)?;
    }
}

/// Plain bytes into TLS, as many as it buffers.
///
/// # Errors
/// As of a non-blocking socket.
pub(super) fn write(tls: &mut ClientConnection, socket: &mut Socket, bytes: &[u8]) -> io::Result<usize> {
    flush(tls, socket)?;
    let count = tls.writer().write(bytes)?;
    flush(tls, socket)?;
    if count == 0 && !bytes.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
}

/// Writes what TLS has, as far as the socket takes it.
///
/// # Errors
/// The connection is gone.
pub(super) fn flush(tls: &mut ClientConnection, socket: &mut Socket) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Goes on with the handshake; whether it is over.
///
/// # Errors
/// It failed.
pub(super) fn handshake(tls: &mut ClientConnection, socket: &mut Socket) -> io::Result<bool> {
    loop {
        flush(tls, socket)?;
        if !tls.is_handshaking() {
            return Ok(true);
        }
        match take_in(tls, socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn take_in(tls: &mut ClientConnection, socket: &mut Socket) -> io::Result<()> {
    if tls.read_tls(socket)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let result = tls.process_new_packets();
    // An alert says why.
    flush(tls, socket)?;
    result.map(drop).map_err(io::Error::other)
}

/// Takes every certificate, for `--insecure`; signatures are checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
