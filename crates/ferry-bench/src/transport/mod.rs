//! Byte streams to a broker that never block: TCP and Unix sockets, with TLS and WebSocket on them.

mod addresses;
mod tls;
mod websocket;

pub(crate) use addresses::Addresses;
pub(crate) use tls::TlsClient;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use socket2::{Domain, Protocol, Socket as Socket2, Type};
use websocket::WebSocket;

use crate::plan::Target;

/// A connection to the broker, below MQTT.
pub(crate) struct Stream {
    below: Below,
    web_socket: Option<Box<WebSocket>>,
}

/// What a WebSocket, or MQTT, is on.
struct Below {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Begins to connect by TCP.
    ///
    /// # Errors
    /// There is no socket, port or route left.
    pub(crate) fn tcp(to: SocketAddr, from: Option<SocketAddr>) -> io::Result<Self> {
        let socket = Socket2::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(from) = from {
            socket.bind(&from.into())?;
        }
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(Self::on(Socket::Tcp(TcpStream::from_std(socket.into()))))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) fn unix(path: &str) -> io::Result<Self> {
        let socket = StdUnixStream::connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self::on(Socket::Unix(UnixStream::from_std(socket))))
    }

    /// Adds TLS and WebSocket, as the target wants them; `number` is the client's.
    ///
    /// # Errors
    /// The configuration of TLS does not fit.
    pub(crate) fn layered(
        mut self,
        target: &Target,
        tls: Option<&TlsClient>,
        number: usize,
    ) -> io::Result<Self> {
        if let Some(tls) = tls {
            self.below.tls = Some(Box::new(tls.connection()?));
        }
        if target.scheme.is_web_socket() {
            self.web_socket = Some(Box::new(WebSocket::new(number as u32)));
        }
        Ok(self)
    }

    /// Goes on with the handshakes of the layers; whether they are over.
    ///
    /// # Errors
    /// One of them failed.
    pub(crate) fn handshake(&mut self, target: &Target) -> io::Result<bool> {
        let Self { below, web_socket } = self;
        if let Some(tls) = &mut below.tls
            && !tls::handshake(tls, &mut below.socket)?
        {
            return Ok(false);
        }
        web_socket.as_mut().map_or(Ok(true), |web_socket| web_socket.handshake(target, below))
    }

    /// Whether there is something between MQTT and the socket. Then a short read does not mean that nothing is left.
    pub(crate) fn is_layered(&self) -> bool {
        self.web_socket.is_some() || self.below.tls.is_some()
    }

    /// Reports all readiness under this token, once for each change.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut self.below.socket {
            Socket::Tcp(socket) => registry.register(socket, token, interest),
            Socket::Unix(socket) => registry.register(socket, token, interest),
        }
    }

    /// What became of connecting, once the socket is writable.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub(crate) fn connected(&self) -> io::Result<()> {
        let error = match &self.below.socket {
            Socket::Tcp(socket) => socket.take_error()?,
            Socket::Unix(socket) => socket.take_error()?,
        };
        error.map_or(Ok(()), Err)
    }

    /// Reads what there is; 0 is the end.
    ///
    /// # Errors
    /// As a non-blocking socket has them.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.web_socket {
            None => self.below.read(buffer),
            Some(web_socket) => web_socket.read(&mut self.below, buffer),
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// As a non-blocking socket has them.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.web_socket {
            None => self.below.write(bytes),
            Some(web_socket) => web_socket.write(&mut self.below, bytes),
        }
    }

    /// Writes what the layers hold back, as far as the socket takes it.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn flush_layers(&mut self) -> io::Result<()> {
        if let Some(web_socket) = &mut self.web_socket {
            web_socket.flush(&mut self.below)?;
        }
        match &mut self.below.tls {
            Some(tls) => tls::flush(tls, &mut self.below.socket),
            None => Ok(()),
        }
    }

    fn on(socket: Socket) -> Self {
        Self { below: Below { socket, tls: None }, web_socket: None }
    }
}

impl Below {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => tls::read(tls, &mut self.socket, buffer),
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => tls::write(tls, &mut self.socket, bytes),
        }
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
