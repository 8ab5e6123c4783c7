//! What a TLS handshake told about the client.

use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConnection};

use super::{TlsVersion, subject};

/// What the TLS handshake agreed on, and who the client is.
#[derive(Clone, Debug)]
pub struct TlsPeer {
    /// The version of TLS.
    pub version: TlsVersion,
    /// The name of the cipher suite, as in `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: Option<&'static str>,
    /// The application protocol agreed on; none if the client offered none.
    pub alpn: Option<String>,
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The certificates that the client showed, its own first; verified. Empty without one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The common name in the subject of the client's certificate.
    pub common_name: Option<String>,
    /// The identity whose pre-shared key the client has; none where there are certificates.
    pub psk_identity: Option<String>,
}

impl TlsPeer {
    /// Reads a finished handshake.
    pub(crate) fn from_connection(connection: &ServerConnection) -> Self {
        let certificates: Vec<_> = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::V13,
            _ => TlsVersion::V12,
        };
        Self {
            version,
            cipher_suite: connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()),
            alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            server_name: connection.server_name().map(str::to_owned),
            common_name: certificates.first().and_then(|first| subject::common_name(first)),
            certificates,
            psk_identity: None,
        }
    }
}
