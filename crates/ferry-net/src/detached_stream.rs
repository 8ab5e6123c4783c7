use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::detached_socket::{DetachedSocket, Readiness};
use crate::layers::Layers;
use crate::peer::PeerInfo;
use crate::stream::{CloseCode, Stream};

/// A stream that belongs to no runtime: on its way from one to another, or used where many sockets are watched by
/// other means, without memory for each.
///
/// Watch the socket for edges (as `EPOLLET` does) and tell each event to [`DetachedStream::add_readiness`]. What is
/// not known to be ready is `WouldBlock` without asking the system.
#[derive(Debug)]
pub struct DetachedStream {
    layers: Layers<DetachedSocket>,
}

impl DetachedStream {
    pub(crate) fn from_layers(layers: Layers<DetachedSocket>) -> Self {
        Self { layers }
    }

    /// Registers with the runtime that calls; `peer` is what [`Stream::into_detached`] has given.
    ///
    /// # Errors
    /// The runtime cannot take the socket.
    pub fn attach(self, peer: PeerInfo) -> io::Result<Stream> {
        Ok(Stream::from_layers(self.layers.attach()?, peer))
    }

    /// An event of the socket has come.
    pub fn add_readiness(&self, event: Readiness) {
        self.layers.channel.socket().add_readiness(event);
    }

    /// Whether [`DetachedStream::try_read`] may have something to say.
    pub fn is_readable(&self) -> bool {
        self.layers.channel.socket().readiness().readable || self.layers.has_buffered_input()
    }

    /// Whether the socket may take bytes.
    pub fn is_writable(&self) -> bool {
        self.layers.channel.socket().readiness().writable
    }

    /// As [`Stream::has_ended_input`].
    pub fn has_ended_input(&self) -> bool {
        self.layers.has_ended_input()
    }

    /// As [`Stream::try_read`].
    ///
    /// # Errors
    /// As [`Stream::try_read`]; after `WouldBlock` wait for an event unless [`DetachedStream::is_readable`].
    pub fn try_read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        self.layers.try_read(scratch)
    }

    /// As [`Stream::try_write`].
    ///
    /// # Errors
    /// As [`Stream::try_write`]; after `WouldBlock` wait for an event.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.layers.try_write(bytes)
    }

    /// As [`Stream::try_flush`].
    ///
    /// # Errors
    /// As [`Stream::try_flush`]; after `WouldBlock` wait for an event.
    pub fn try_flush(&mut self) -> io::Result<()> {
        self.layers.try_flush()
    }

    /// As [`Stream::wants_write`].
    pub fn wants_write(&self) -> bool {
        self.layers.wants_write()
    }

    /// Whether the transport has words for the end of a connection: TLS and WebSocket have.
    pub fn has_closing_words(&self) -> bool {
        self.layers.websocket.is_some() || self.layers.channel.tls().is_some()
    }

    /// Registers with the runtime that calls, and closes as [`Stream::close`] does.
    ///
    /// # Errors
    /// The runtime cannot take the socket.
    pub async fn close(self, code: CloseCode, limit: Duration) -> io::Result<()> {
        self.layers.attach()?.close(code, limit).await;
        Ok(())
    }

    /// As [`Stream::start_close`].
    pub fn start_close(&mut self, code: CloseCode) {
        self.layers.start_close(code);
    }
}

impl AsFd for DetachedStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.layers.channel.socket().as_fd()
    }
}
