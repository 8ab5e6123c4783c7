//! A socket that belongs to no runtime: whoever waits for it says when it is ready.

use std::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

use crate::socket::{ByteSocket, Socket};

#[derive(Debug)]
pub(crate) enum StdSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// What is known of a socket that is watched by edges: an event says that it became ready, `WouldBlock` that it no
/// longer is. In between nobody need ask the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There may be something to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The other end has finished, or the connection failed: reading will say so, so it stays readable.
    pub ended: bool,
}

/// A non-blocking socket with what is known of it.
#[derive(Debug)]
pub(crate) struct DetachedSocket {
    socket: StdSocket,
    readiness: Cell<Readiness>,
}

impl DetachedSocket {
    pub(crate) fn new(socket: StdSocket) -> Self {
        // That there is room is nearly always so, and found out by the first write.
        let readiness = Readiness { writable: true, ..Readiness::default() };
        Self { socket, readiness: Cell::new(readiness) }
    }

    /// Registers with the runtime that calls; the socket is non-blocking already.
    pub(crate) fn attach(self) -> io::Result<Socket> {
        match self.socket {
            StdSocket::Tcp(socket) => TcpStream::from_std(socket).map(Socket::Tcp),
            StdSocket::Unix(socket) => UnixStream::from_std(socket).map(Socket::Unix),
        }
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.readiness.get()
    }

    /// An event has come.
    pub(crate) fn add_readiness(&self, event: Readiness) {
        let known = self.readiness.get();
        self.readiness.set(Readiness {
            readable: known.readable || event.readable || event.ended,
            writable: known.writable || event.writable || event.ended,
            ended: known.ended || event.ended,
        });
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.socket {
            StdSocket::Tcp(socket) => (&mut &*socket).read(buffer),
            StdSocket::Unix(socket) => (&mut &*socket).read(buffer),
        }
    }

    fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<usize>) -> io::Result<usize> {
        if !self.readiness.get().writable {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = match &self.socket {
            StdSocket::Tcp(socket) => write(&mut &*socket),
            StdSocket::Unix(socket) => write(&mut &*socket),
        };
        if would_block(&result) {
            self.readiness.set(Readiness { writable: false, ..self.readiness.get() });
        }
        result
    }
}

impl ByteSocket for DetachedSocket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let known = self.readiness.get();
        if !known.readable {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = self.read(buffer);
        // A buffer that is not filled means that the socket is empty, which saves the call that would only say so;
        // but after the last bytes the end is still to be read.
        let is_drained = matches!(result, Ok(read) if read < buffer.len() && !known.ended);
        if is_drained || would_block(&result) {
            self.readiness.set(Readiness { readable: false, ended: false, ..known });
        }
        result
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write(|socket| socket.write(bytes))
    }

    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(|socket| socket.write_vectored(parts))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }
}

impl AsFd for DetachedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            StdSocket::Tcp(socket) => socket.as_fd(),
            StdSocket::Unix(socket) => socket.as_fd(),
        }
    }
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (DetachedSocket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        ours.set_nonblocking(true).expect("set");
        (DetachedSocket::new(StdSocket::Unix(ours)), theirs)
    }

    fn kind(result: io::Result<usize>) -> io::ErrorKind {
        result.expect_err("nothing").kind()
    }

    #[test]
    fn an_event_lasts_until_the_socket_is_empty() {
        let (socket, mut other) = pair();
        let mut buffer = [0; 4];
        other.write_all(b"abcdef").expect("written");
        assert_eq!(kind(socket.try_read(&mut buffer)), io::ErrorKind::WouldBlock, "nobody has said so");
        socket.add_readiness(Readiness { readable: true, ..Readiness::default() });
        assert_eq!(socket.try_read(&mut buffer).expect("bytes"), 4);
        assert!(socket.readiness().readable, "the buffer was filled");
        assert_eq!(socket.try_read(&mut buffer).expect("bytes"), 2);
        assert!(!socket.readiness().readable);
    }

    #[test]
    fn the_end_is_read_after_the_last_bytes() {
        let (socket, mut other) = pair();
        other.write_all(b"ab").expect("written");
        drop(other);
        socket.add_readiness(Readiness { readable: true, ended: true, ..Readiness::default() });
        let mut buffer = [0; 4];
        assert_eq!(socket.try_read(&mut buffer).expect("bytes"), 2);
        assert_eq!(socket.try_read(&mut buffer).expect("the end"), 0);
    }

    #[test]
    fn a_full_socket_is_not_written_to_until_an_event() {
        let (socket, mut other) = pair();
        let bytes = [0; 65_536];
        while socket.try_write(&bytes).is_ok() {}
        assert!(!socket.readiness().writable);
        other.read_exact(&mut [0; 65_536]).expect("bytes");
        assert_eq!(kind(socket.try_write(&bytes)), io::ErrorKind::WouldBlock, "nobody has said so");
        socket.add_readiness(Readiness { writable: true, ..Readiness::default() });
        assert!(socket.try_write(&bytes).is_ok());
    }

    #[test]
    fn a_wrong_end_does_no_harm() {
        let (socket, _other) = pair();
        socket.add_readiness(Readiness { ended: true, ..Readiness::default() });
        assert_eq!(kind(socket.try_read(&mut [0; 4])), io::ErrorKind::WouldBlock);
        assert!(!socket.readiness().readable);
    }
}
