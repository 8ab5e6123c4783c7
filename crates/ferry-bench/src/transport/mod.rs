//! Byte streams to a broker that never block: TCP and Unix sockets.

mod addresses;

pub(crate) use addresses::Addresses;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket as Socket2, Type};

/// A connection to the broker, below MQTT.
pub(crate) struct Stream {
    socket: Socket,
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
        Ok(Self { socket: Socket::Tcp(TcpStream::from_std(socket.into())) })
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) fn unix(path: &str) -> io::Result<Self> {
        let socket = StdUnixStream::connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Socket::Unix(UnixStream::from_std(socket)) })
    }

    /// Reports all readiness under this token, once for each change.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut self.socket {
            Socket::Tcp(socket) => registry.register(socket, token, interest),
            Socket::Unix(socket) => registry.register(socket, token, interest),
        }
    }

    /// What became of connecting, once the socket is writable.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub(crate) fn connected(&self) -> io::Result<()> {
        let error = match &self.socket {
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
        match &mut self.socket {
            Socket::Tcp(socket) => socket.read(buffer),
            Socket::Unix(socket) => socket.read(buffer),
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// As a non-blocking socket has them.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
        }
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
