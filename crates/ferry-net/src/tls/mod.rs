//! TLS by rustls with the ring provider: certificates, client certificates, ALPN, reload.

mod acceptor;
mod error;
mod options;
mod peer;
mod pem_file;
mod subject;

pub use acceptor::TlsAcceptor;
pub use error::TlsError;
pub use options::{ClientCertificates, TlsOptions, TlsVersion};
pub use peer::TlsPeer;
