//! The socket under a stream: TCP or Unix, registered with a runtime or detached from it.

use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket that belongs to no runtime.
#[derive(Debug)]
pub(crate) enum DetachedSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
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

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => {
                drain(buffer, &SockRef::from(socket), |read| socket.try_io(Interest::READABLE, read))
            }
            Self::Unix(socket) => {
                drain(buffer, &SockRef::from(socket), |read| socket.try_io(Interest::READABLE, read))
            }
        }
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(bytes),
            Self::Unix(socket) => socket.try_write(bytes),
        }
    }

    pub(crate) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write_vectored(parts),
            Self::Unix(socket) => socket.try_write_vectored(parts),
        }
    }

    /// Tells the other end that nothing more will come.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket).shutdown(std::net::Shutdown::Write),
            Self::Unix(socket) => SockRef::from(socket).shutdown(std::net::Shutdown::Write),
        }
    }

    pub(crate) fn into_detached(self) -> io::Result<DetachedSocket> {
        match self {
            Self::Tcp(socket) => socket.into_std().map(DetachedSocket::Tcp),
            Self::Unix(socket) => socket.into_std().map(DetachedSocket::Unix),
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

impl DetachedSocket {
    /// Registers with the runtime that calls; the socket is non-blocking already.
    pub(crate) fn attach(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(socket) => TcpStream::from_std(socket).map(Socket::Tcp),
            Self::Unix(socket) => UnixStream::from_std(socket).map(Socket::Unix),
        }
    }
}

/// The socket as rustls wants it.
impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
