//! TLS by rustls with the ring provider: certificates, client certificates, ALPN, reload.

mod acceptor;
mod der;
mod error;
mod expiry;
mod options;
mod peer;
mod pem_file;
mod subject;

pub use acceptor::TlsAcceptor;
pub use error::TlsError;
pub use expiry::{TlsExpiry, TlsExpiryKind};
pub use options::{ClientCertificates, TlsOptions, TlsVersion};
pub use peer::TlsPeer;
