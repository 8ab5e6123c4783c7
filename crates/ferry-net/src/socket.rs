//! The socket under a stream: TCP or Unix, registered with a runtime or detached from it.

use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::detached_socket::{DetachedSocket, StdSocket};

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.readable().await,
            Self::Unix(socket) => socket.readable().await,
        }
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.writable().await,
            Self::Unix(socket) => socket.writable().await,
        }
    }

    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_read_ready(context),
            Self::Unix(socket) => socket.poll_read_ready(context),
        }
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_write_ready(context),
            Self::Unix(socket) => socket.poll_write_ready(context),
        }
    }

    pub(crate) fn into_detached(self) -> io::Result<DetachedSocket> {
        match self {
            Self::Tcp(socket) => socket.into_std().map(|socket| DetachedSocket::new(StdSocket::Tcp(socket))),
            Self::Unix(socket) => {
                socket.into_std().map(|socket| DetachedSocket::new(StdSocket::Unix(socket)))
            }
        }
    }
}

impl ByteSocket for Socket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => {
                drain(buffer, &SockRef::from(socket), |read| socket.try_io(Interest::READABLE, read))
            }
            Self::Unix(socket) => {
                drain(buffer, &SockRef::from(socket), |read| socket.try_io(Interest::READABLE, read))
            }
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(bytes),
            Self::Unix(socket) => socket.try_write(bytes),
        }
    }

    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write_vectored(parts),
            Self::Unix(socket) => socket.try_write_vectored(parts),
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket).shutdown(std::net::Shutdown::Write),
            Self::Unix(socket) => SockRef::from(socket).shutdown(std::net::Shutdown::Write),
        }
    }
}

/// Reads what there is. A buffer that is not filled means that the socket is empty: that it is no longer readable is
/// told to the runtime here, which saves the system call that would only say `WouldBlock`.
fn drain(
    buffer: &mut [u8],
    socket: &SockRef<'_>,
    try_io: impl FnOnce(&mut dyn FnMut() -> io::Result<usize>) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut last = 0;
    let result = try_io(&mut || match (&**socket).read(buffer) {
        Ok(read) if read > 0 && read < buffer.len() => {
            last = read;
            Err(io::ErrorKind::WouldBlock.into())
        }
        result => result,
    });
    if last > 0 { Ok(last) } else { result }
}

/// A socket as TLS and WebSocket want it.
pub(crate) trait ByteSocket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Tells the other end that nothing more will come.
    fn shutdown_write(&self) -> io::Result<()>;
}

/// A socket as rustls wants it.
pub(crate) struct TlsSide<'a, S>(pub(crate) &'a S);

impl<S: ByteSocket> Read for TlsSide<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl<S: ByteSocket> Write for TlsSide<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
