//! The way to the server: TCP or a Unix socket, perhaps through a proxy, perhaps TLS, perhaps a WebSocket.

mod connector;
mod counted;
#[cfg(feature = "srv")]
mod dns_message;
mod proxy;
#[cfg(feature = "psk")]
mod psk;
#[cfg(feature = "srv")]
mod srv;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::{ConnectionError, Scheme, ServerAddress};
pub use connector::Connector;
pub use proxy::{Proxy, ProxyKind};
#[cfg(feature = "psk")]
pub use psk::PreSharedKey;
#[cfg(feature = "tls")]
pub use tls::{ClientCertificate, TlsOptions};

/// How to get to the server.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// How long a connection may take, with TLS and all that comes before CONNECT; 30 seconds by default.
    pub connect_timeout: Duration,
    /// Through whom; directly by default.
    pub proxy: Option<Proxy>,
    /// The address of this machine to connect from; by default the system chooses. It decides between IPv4 and IPv6 too.
    pub bind_address: Option<IpAddr>,
    /// Bytes of MQTT that have been given to the system are added to this, for those who show how far a large message is.
    pub bytes_written: Option<Arc<AtomicU64>>,
    /// A way of your own instead of all others, for each address: neither proxy, TLS nor WebSocket is put on it.
    pub connector: Option<Connector>,
    /// Who is asked for SRV records; empty: the name servers of the system (`/etc/resolv.conf`).
    #[cfg(feature = "srv")]
    pub dns_servers: Vec<SocketAddr>,
    /// More headers for the request that upgrades to a WebSocket, such as `Authorization`.
    pub websocket_headers: Vec<(String, String)>,
    /// For `mqtts` and `wss`.
    #[cfg(feature = "tls")]
    pub tls: TlsOptions,
}

/// Any stream of bytes, ordered and lossless `[MQTT3-7.1.2-1]`.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

pub(crate) type BoxedStream = Box<dyn ByteStream>;

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            proxy: None,
            bind_address: None,
            bytes_written: None,
            connector: None,
            #[cfg(feature = "srv")]
            dns_servers: Vec::new(),
            websocket_headers: Vec::new(),
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
        }
    }
}

/// Connects, up to where CONNECT can be sent.
pub(crate) async fn connect(
    server: &ServerAddress,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    let connect = connect_layers(server, options);
    let stream = timeout(options.connect_timeout, connect).await.unwrap_or(Err(ConnectionError::Timeout));
    let stream = stream.map_err(|error| match error {
        // The system does not say what it was that it could not reach.
        ConnectionError::Io { kind, message } => {
            ConnectionError::Io { kind, message: format!("cannot connect to {server}: {message}") }
        }
        error => error,
    })?;
    Ok(match &options.bytes_written {
        Some(bytes_written) => Box::new(counted::Counted::new(stream, Arc::clone(bytes_written))),
        None => stream,
    })
}

async fn connect_layers(
    server: &ServerAddress,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    if let Some(connector) = &options.connector {
        return Ok(connector.connect(server.clone()).await?);
    }
    match server {
        ServerAddress::Unix(path) => unix_socket(path).await,
        ServerAddress::Service { scheme, domain } => service_stream(*scheme, domain, options).await,
        ServerAddress::Network { scheme, host, port, path } => {
            network_stream(*scheme, host, *port, path, host, options).await
        }
    }
}

/// `tls_name` is what the certificate of the server must be for.
async fn network_stream(
    scheme: Scheme,
    host: &str,
    port: u16,
    path: &str,
    tls_name: &str,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    let tcp = match &options.proxy {
        None => tcp_stream(host, port, options.bind_address).await?,
        Some(proxy) => proxy.connect(host, port, options.bind_address).await?,
    };
    // Output is coalesced already: what is written is to leave.
    tcp.set_nodelay(true)?;
    let stream: BoxedStream =
        if scheme.is_tls() { tls_stream(tcp, tls_name, options).await? } else { Box::new(tcp) };
    if scheme.is_websocket() {
        websocket_stream(stream, scheme, host, port, path, options).await
    } else {
        Ok(stream)
    }
}

/// Tries all servers that the SRV records name, in the order that they ask for.
#[cfg(feature = "srv")]
async fn service_stream(
    scheme: Scheme,
    domain: &str,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    let service = if scheme.is_tls() { "_secure-mqtt._tcp" } else { "_mqtt._tcp" };
    let targets = srv::lookup(&format!("{service}.{domain}"), &options.dns_servers).await?;
    let mut failed = ConnectionError::from(io::Error::from(io::ErrorKind::NotFound));
    for srv::Target { host, port, .. } in targets {
        match network_stream(scheme, &host, port, "", domain, options).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(not(feature = "srv"))]
async fn service_stream(
    _scheme: Scheme,
    _domain: &str,
    _options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    Err(ConnectionError::Options("built without the feature `srv`".to_owned()))
}

/// Tries all addresses of the host, in their order; those that can be reached from `bind_address` if there is one.
async fn tcp_stream(host: &str, port: u16, bind_address: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(bind_address) = bind_address else { return TcpStream::connect((host, port)).await };
    let mut failed = None;
    for address in lookup_host((host, port)).await? {
        if address.is_ipv4() != bind_address.is_ipv4() {
            continue;
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(bind_address, 0))?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!("{host} has no address that can be reached from {bind_address}"),
        )
    }))
}

#[cfg(unix)]
async fn unix_socket(path: &std::path::Path) -> Result<BoxedStream, ConnectionError> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn unix_socket(_path: &std::path::Path) -> Result<BoxedStream, ConnectionError> {
    Err(ConnectionError::Options("there are no Unix sockets here".to_owned()))
}

#[cfg(feature = "tls")]
async fn tls_stream(
    tcp: TcpStream,
    host: &str,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    #[cfg(feature = "psk")]
    if let Some(psk) = &options.tls.psk {
        return Ok(Box::new(psk.connect(tcp, host, &options.tls).await?));
    }
    Ok(Box::new(options.tls.connect(tcp, host).await?))
}

#[cfg(not(feature = "tls"))]
async fn tls_stream(
    _tcp: TcpStream,
    _host: &str,
    _options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    Err(ConnectionError::Options("built without the feature `tls`".to_owned()))
}

#[cfg(feature = "websocket")]
async fn websocket_stream(
    stream: BoxedStream,
    scheme: Scheme,
    host: &str,
    port: u16,
    path: &str,
    options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    let is_default_port = port == if scheme.is_tls() { 443 } else { 80 };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let host = if is_default_port { host } else { format!("{host}:{port}") };
    let stream = websocket::WebSocket::connect(stream, &host, path, &options.websocket_headers).await?;
    Ok(Box::new(stream))
}

#[cfg(not(feature = "websocket"))]
async fn websocket_stream(
    _stream: BoxedStream,
    _scheme: Scheme,
    _host: &str,
    _port: u16,
    _path: &str,
    _options: &TransportOptions,
) -> Result<BoxedStream, ConnectionError> {
    Err(ConnectionError::Options("built without the feature `websocket`".to_owned()))
}
