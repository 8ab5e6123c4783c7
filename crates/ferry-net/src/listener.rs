//! Sockets that wait for connections.

mod bind_error;
mod port_owner;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

pub use self::bind_error::BindError;
use crate::handshake::{self, HandshakeError, HandshakeLimits};
use crate::listen_address::{HostPort, ListenAddress};
use crate::peer::{PeerAddress, Transport};
use crate::socket::Socket;
use crate::stream::Stream;
use crate::tls::TlsAcceptor;
use crate::unix_socket::UnixSocketFile;
use crate::websocket::origin::OriginRule;

/// Questions of TCP keepalive that may stay unanswered.
const KEEPALIVE_PROBES: u32 = 5;

/// How to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindOptions {
    /// Connections that the kernel keeps until they are accepted; Linux caps it at `net.core.somaxconn`.
    pub backlog: u32,
    /// The mode of a Unix socket's file. Connecting needs the right to write.
    pub unix_socket_mode: u32,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self { backlog: 4096, unix_socket_mode: 0o660 }
    }
}

/// What a listener does with the connections it accepts.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Certificates and settings of a `tls` or `wss` listener; required for those.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// Every connection must begin with a PROXY header, version 1 or 2. Only for listeners that nobody but the
    /// proxy can reach: the header is believed.
    pub proxy_protocol: bool,
    /// Refuse WebSocket clients that offer no subprotocol [MQTT-6.0.0-3]; those that offer only others always are.
    pub websocket_require_subprotocol: bool,
    /// Web pages that may connect by WebSocket. Clients that send no origin, which is all but browsers and a few,
    /// are not affected.
    pub websocket_origins: Vec<OriginRule>,
    /// Send small packets at once (no Nagle algorithm).
    pub tcp_nodelay: bool,
    /// Silence on a TCP connection after which the system asks whether the other end is still there. If it does
    /// not answer, the connection fails after half that time more.
    pub tcp_keepalive: Option<Duration>,
    /// Limits of the steps before the first MQTT packet.
    pub limits: HandshakeLimits,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            tls: None,
            proxy_protocol: false,
            websocket_require_subprotocol: true,
            websocket_origins: vec![OriginRule::Any],
            tcp_nodelay: true,
            tcp_keepalive: None,
            limits: HandshakeLimits::default(),
        }
    }
}

/// Sockets that listen and belong to no runtime yet. Clones share them, so each shard can accept.
#[derive(Debug)]
pub struct BoundListener {
    address: ListenAddress,
    sockets: Vec<RawSocket>,
    unix_file: Option<Arc<UnixSocketFile>>,
}

impl BoundListener {
    /// Binds and listens. A host name is asked from the resolver (this may block) and every address of it is
    /// listened on. IPv6 addresses accept IPv6 only, except `[::]` and `*`, which accept IPv4 too.
    ///
    /// # Errors
    /// Says what is wrong and what to do about it.
    pub fn bind(address: &ListenAddress, options: &BindOptions) -> Result<Self, BindError> {
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        let fail = |error| BindError::new(address.clone(), error);
        if let ListenAddress::Unix(path) = address {
            let (socket, file) =
                UnixSocketFile::bind(path, options.unix_socket_mode, backlog).map_err(fail)?;
            let unix_file = Some(Arc::new(file));
            return Ok(Self { address: address.clone(), sockets: vec![socket], unix_file });
        }
        let Some(host_port) = address.host_port() else {
            return Err(fail(io::ErrorKind::InvalidInput.into()));
        };
        let sockets = bind_all(host_port, backlog).map_err(fail)?;
        let port = match sockets.first().map(local_address) {
            Some(Ok(bound)) => bound.port(),
            Some(Err(error)) => return Err(fail(error)),
            None => return Err(fail(io::Error::new(io::ErrorKind::NotFound, "the host has no address"))),
        };
        Ok(Self { address: address.with_port(port), sockets, unix_file: None })
    }

    /// The address, with the port that the system chose for port 0.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Another handle of the same sockets; a connection goes to whoever accepts it first.
    ///
    /// # Errors
    /// Too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        let sockets = self.sockets.iter().map(RawSocket::try_clone).collect::<io::Result<_>>()?;
        Ok(Self { address: self.address.clone(), sockets, unix_file: self.unix_file.clone() })
    }

    /// Registers with the runtime that calls.
    ///
    /// # Errors
    /// The runtime cannot take the sockets.
    pub fn attach(self) -> io::Result<Listener> {
        let transport = self.address.transport();
        let sockets = self
            .sockets
            .into_iter()
            .map(|socket| match transport {
                Transport::Unix => UnixListener::from_std(socket.into()).map(ListeningSocket::Unix),
                _ => TcpListener::from_std(socket.into()).map(ListeningSocket::Tcp),
            })
            .collect::<io::Result<_>>()?;
        let websocket_path = self.address.websocket_path().map(Arc::from);
        Ok(Listener {
            address: self.address,
            websocket_path,
            sockets,
            next: AtomicUsize::new(0),
            _unix_file: self.unix_file,
        })
    }
}

/// Accepts connections on one runtime.
#[derive(Debug)]
pub struct Listener {
    address: ListenAddress,
    websocket_path: Option<Arc<str>>,
    sockets: Vec<ListeningSocket>,
    /// The socket to ask first, so that a flood on one does not hide the others.
    next: AtomicUsize,
    /// The file goes when the last handle goes.
    _unix_file: Option<Arc<UnixSocketFile>>,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// The address, with the port that the system chose for port 0.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// The system cannot give one now, mostly for too many open files: wait a little before the next call, it
    /// would fail at once again.
    pub async fn accept(&self) -> io::Result<Accepted> {
        std::future::poll_fn(|context| self.poll_accept(context)).await
    }

    /// [`Listener::accept`] for one waiting task at a time.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for offset in 0..self.sockets.len() {
            let socket = &self.sockets[first.wrapping_add(offset) % self.sockets.len()];
            loop {
                match socket.poll_accept(context) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok((socket, peer))) => {
                        let transport = self.address.transport();
                        let websocket_path = self.websocket_path.clone();
                        return Poll::Ready(Ok(Accepted { socket, peer, transport, websocket_path }));
                    }
                }
            }
        }
        Poll::Pending
    }
}

impl ListeningSocket {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Socket, PeerAddress)>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(socket, address)| (Socket::Tcp(socket), PeerAddress::from_socket(address))),
            Self::Unix(listener) => listener.poll_accept(context).map_ok(|(socket, _)| {
                let credentials = socket.peer_cred().ok();
                let peer = PeerAddress::Unix {
                    process_id: credentials.and_then(|credentials| credentials.pid()),
                    user_id: credentials.map(|credentials| credentials.uid()),
                };
                (Socket::Unix(socket), peer)
            }),
        }
    }
}

/// A connection of which nothing has been read.
#[derive(Debug)]
pub struct Accepted {
    socket: Socket,
    peer: PeerAddress,
    transport: Transport,
    websocket_path: Option<Arc<str>>,
}

impl Accepted {
    /// The other end of the socket.
    pub fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    /// The transport of the listener.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Does what comes before the first MQTT packet: PROXY header, TLS, WebSocket upgrade. Needs a runtime with time.
    ///
    /// # Errors
    /// The connection has ended; the reason is to be counted.
    pub async fn handshake(self, options: &ListenerOptions) -> Result<Stream, HandshakeError> {
        self.handshake_if(options, |_| true).await
    }

    /// As [`Accepted::handshake`], and asks whether the client may connect when a PROXY header has told its address,
    /// before anything that costs more.
    ///
    /// # Errors
    /// As [`Accepted::handshake`], and [`HandshakeReason::NotAdmitted`](crate::HandshakeReason).
    pub async fn handshake_if(
        self,
        options: &ListenerOptions,
        admits: impl FnOnce(&PeerAddress) -> bool,
    ) -> Result<Stream, HandshakeError> {
        if let Socket::Tcp(socket) = &self.socket {
            // Fails only if the connection is gone already; the next step finds that out.
            let _ = set_options(&SockRef::from(socket), options);
        }
        let path = self.websocket_path.as_deref();
        handshake::run(self.socket, self.peer, self.transport, path, options, admits).await
    }
}

fn set_options(socket: &SockRef<'_>, options: &ListenerOptions) -> io::Result<()> {
    if options.tcp_nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    let Some(silence) = options.tcp_keepalive else { return Ok(()) };
    let interval = (silence / (2 * KEEPALIVE_PROBES)).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(silence).with_interval(interval);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES))
}

/// Whether the connection was gone before we came, and the listener itself is well (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// Binds every address of a host to the same port.
fn bind_all(host_port: &HostPort, backlog: i32) -> io::Result<Vec<RawSocket>> {
    let mut sockets: Vec<RawSocket> = Vec::new();
    let mut port = host_port.port;
    for mut address in host_port.resolve()? {
        address.set_port(port);
        let socket = match (bind_one(address, backlog), host_port.without_ipv6()) {
            (Err(error), Some(ipv4)) if is_ipv6_missing(&error) => bind_one(ipv4, backlog)?,
            // `localhost` often has an IPv6 address on machines without IPv6.
            (Err(error), None) if is_ipv6_missing(&error) && !sockets.is_empty() => continue,
            (result, _) => result?,
        };
        port = local_address(&socket)?.port();
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the last run that are still in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn is_ipv6_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// "Address family not supported by protocol", which has no `ErrorKind`.
const EAFNOSUPPORT: i32 = 97;

fn local_address(socket: &RawSocket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_get_their_options() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
        let socket = SockRef::from(&client);
        let options = ListenerOptions { tcp_nodelay: false, ..ListenerOptions::default() };
        set_options(&socket, &options).expect("set");
        assert!(!socket.tcp_nodelay().expect("known") && !socket.keepalive().expect("known"));
        let options =
            ListenerOptions { tcp_keepalive: Some(Duration::from_secs(600)), ..ListenerOptions::default() };
        set_options(&socket, &options).expect("set");
        assert!(socket.tcp_nodelay().expect("known") && socket.keepalive().expect("known"));
        assert_eq!(socket.tcp_keepalive_time().expect("known"), Duration::from_secs(600));
        assert_eq!(socket.tcp_keepalive_interval().expect("known"), Duration::from_secs(60));
        let options =
            ListenerOptions { tcp_keepalive: Some(Duration::from_secs(1)), ..ListenerOptions::default() };
        set_options(&socket, &options).expect("set");
        assert_eq!(socket.tcp_keepalive_interval().expect("known"), Duration::from_secs(1));
    }
}
