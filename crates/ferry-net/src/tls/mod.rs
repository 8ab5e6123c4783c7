//! TLS: with certificates by rustls with the ring provider, with pre-shared keys by OpenSSL; client certificates, ALPN, reload.

mod acceptor;
mod certificate_names;
mod der;
mod error;
mod expiry;
mod options;
mod peer;
mod pem_file;
#[cfg(feature = "psk")]
mod psk;
mod session;
mod subject;

pub use acceptor::TlsAcceptor;
pub use certificate_names::CertificateNames;
pub use error::TlsError;
pub use expiry::{TlsExpiry, TlsExpiryKind};
pub use options::{ClientCertificates, PskOptions, TlsOptions, TlsVersion};
pub use peer::TlsPeer;
#[cfg(feature = "psk")]
pub(crate) use psk::PskFailure;
pub(crate) use session::TlsSession;
