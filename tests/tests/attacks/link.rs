//! A connection of some kind: bytes to the broker and back.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use ferry_tests::ferry::{Ferry, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long the broker may take for anything that it is due to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket, with or without TLS.
pub(crate) enum Link {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    /// The socket of this listener; nothing is said on it yet, not even TLS.
    pub(crate) fn raw(ferry: &Ferry, transport: Transport) -> Self {
        if transport == Transport::Unix {
            let stream = UnixStream::connect(ferry.unix_socket()).expect("ferry listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
            stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
            return Self::Unix(stream);
        }
        Self::Tcp(tcp(ferry, transport))
    }

    /// As [`Link::raw`], with TLS where the listener has it.
    pub(crate) fn open(ferry: &Ferry, transport: Transport) -> Self {
        if !matches!(transport.scheme(), "tls" | "wss") {
            return Self::raw(ferry, transport);
        }
        let host = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(tls(ferry), host).expect("a configuration that fits");
        Self::Tls(Box::new(StreamOwned::new(connection, tcp(ferry, transport))))
    }

    /// How long a read waits from now on.
    pub(crate) fn set_patience(&self, patience: Duration) {
        let done = match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(patience)),
            Self::Unix(stream) => stream.set_read_timeout(Some(patience)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(patience)),
        };
        done.expect("a socket");
    }

    /// How long a write waits from now on.
    pub(crate) fn set_write_patience(&self, patience: Duration) {
        let done = match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(patience)),
            Self::Unix(stream) => stream.set_write_timeout(Some(patience)),
            Self::Tls(stream) => stream.sock.set_write_timeout(Some(patience)),
        };
        done.expect("a socket");
    }

    /// Back to what a read waits at first.
    pub(crate) fn restore_patience(&self) {
        self.set_patience(PATIENCE);
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&self) {
        let _gone = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.sock.shutdown(Shutdown::Write),
        };
    }

    /// Closes a TCP connection so that the broker sees a reset.
    pub(crate) fn reset(self) {
        if let Self::Tcp(stream) = &self {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn tcp(ferry: &Ferry, transport: Transport) -> TcpStream {
    let stream = TcpStream::connect(ferry.address(transport)).expect("ferry listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// A client that trusts the broker and can show a certificate.
fn tls(ferry: &Ferry) -> Arc<ClientConfig> {
    let read = |path| fs::read(path).expect("the certificates of the test");
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(&read(&ferry.certificates.authority));
    roots.add(authority.expect("a certificate")).expect("a certificate");
    let chain =
        vec![CertificateDer::from_pem_slice(&read(&ferry.certificates.client)).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(&read(&ferry.certificates.client_key)).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring has them").with_root_certificates(roots);
    Arc::new(config.with_client_auth_cert(chain, key).expect("the key fits"))
}
