//! A connection ready for MQTT packets, over any transport.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::channel::Channel;
use crate::detached_stream::DetachedStream;
use crate::handshake::{self, HandshakeError};
use crate::layers::Layers;
use crate::peer::PeerInfo;
use crate::socket::Socket;
use crate::websocket::WebSocket;

/// A connection whose handshakes are done: what is read and written are bytes of MQTT packets, whatever the
/// transport; ordered and lossless, as all of them are [MQTT-4.2-1] [MQTT3-7.1.1-1]. See the crate's
/// documentation for the rule of readiness.
///
/// It belongs to the runtime that accepted it; [`Stream::into_detached`] takes it to another one.
#[derive(Debug)]
pub struct Stream {
    layers: Layers<Socket>,
    peer: PeerInfo,
}

/// Why a stream is closed, told to WebSocket clients (RFC 6455, section 7.4.1); others see only the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Done.
    Normal = 1000,
    /// The server stops.
    GoingAway = 1001,
    /// The client broke a rule of WebSocket or MQTT.
    ProtocolError = 1002,
    /// A text frame; MQTT is binary.
    UnsupportedData = 1003,
    /// The client broke a rule of this server.
    PolicyViolation = 1008,
    /// A packet or frame is larger than allowed.
    TooLarge = 1009,
    /// The server failed.
    InternalError = 1011,
}

impl Stream {
    pub(crate) fn new(channel: Channel, websocket: Option<Box<WebSocket>>, peer: PeerInfo) -> Self {
        Self { layers: Layers { channel, websocket }, peer }
    }

    pub(crate) fn from_layers(layers: Layers<Socket>, peer: PeerInfo) -> Self {
        Self { layers, peer }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// Waits for the first bytes, without a limit of time, and looks whether they are those of another protocol than
    /// MQTT, as far as the handshakes have left that open. [`Stream::try_read`] still reads them.
    ///
    /// # Errors
    /// They are, or the connection has ended; the reason is to be counted.
    pub async fn expect_mqtt(&mut self) -> Result<(), HandshakeError> {
        if self.layers.websocket.is_some() {
            return Ok(());
        }
        handshake::expect_mqtt(&mut self.layers.channel, &self.peer).await
    }

    /// Waits until [`Stream::try_read`] may have something to say. May return too often, never too late.
    ///
    /// # Errors
    /// The runtime shuts down.
    pub async fn readable(&self) -> io::Result<()> {
        if self.has_buffered_input() {
            return Ok(());
        }
        self.layers.channel.readable().await
    }

    /// Waits until the socket takes bytes: after `WouldBlock` from [`Stream::try_write`], or while
    /// [`Stream::wants_write`].
    ///
    /// # Errors
    /// The runtime shuts down.
    pub async fn writable(&self) -> io::Result<()> {
        self.layers.channel.writable().await
    }

    /// [`Stream::readable`] for one waiting task at a time.
    ///
    /// # Errors
    /// The runtime shuts down.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_buffered_input() {
            return Poll::Ready(Ok(()));
        }
        self.layers.channel.poll_readable(context)
    }

    /// [`Stream::writable`] for one waiting task at a time.
    ///
    /// # Errors
    /// The runtime shuts down.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.layers.channel.poll_writable(context)
    }

    /// Whether [`Stream::try_read`] has something to say although the socket may be silent: bytes that TLS has
    /// decrypted, that came together with a handshake, or an end or error not yet told.
    pub fn has_buffered_input(&self) -> bool {
        self.layers.has_buffered_input()
    }

    /// Whether all that [`Stream::try_read`] is still to say is how the input ended, by a close frame or a violation.
    /// After it has said so nothing can be written: write first what is an answer to the input before.
    pub fn has_ended_input(&self) -> bool {
        self.layers.has_ended_input()
    }

    /// Reads bytes of MQTT packets to the front of `scratch`, which must not be empty, and returns how many.
    /// `Ok(0)`: the other end has finished; do not wait for more. The rest of `scratch` may be overwritten.
    ///
    /// Reading may make an answer due (a pong, a TLS alert): look at [`Stream::wants_write`] afterwards.
    ///
    /// # Errors
    /// `WouldBlock`: nothing now; wait for [`Stream::readable`]. `InvalidData`: the other end broke the rules
    /// of TLS or WebSocket; it has been told so
    /// by an alert or close frame, if the socket took it. Others: the socket failed. See [`crate::failure_name`] for
    /// counting.
    pub fn try_read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        self.layers.try_read(scratch)
    }

    /// Passes on bytes of MQTT packets and returns how many were taken, at least one if there are any.
    ///
    /// On WebSocket the bytes given become one frame, so give all there are; bytes given but not taken must
    /// be the first to be given next time. On TLS a bounded number of bytes that were taken may still be here:
    /// while [`Stream::wants_write`], wait for [`Stream::writable`] and call [`Stream::try_flush`].
    ///
    /// # Errors
    /// `WouldBlock`: nothing was taken; wait for [`Stream::writable`]. `BrokenPipe` after
    /// [`Stream::start_close`]. Others: the socket failed.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.layers.try_write(bytes)
    }

    /// Writes what is here: encrypted bytes, answers to pings, and after [`Stream::start_close`] the end.
    ///
    /// # Errors
    /// `WouldBlock`: something is left; wait for [`Stream::writable`]. Others: the socket failed.
    pub fn try_flush(&mut self) -> io::Result<()> {
        self.layers.try_flush()
    }

    /// Whether [`Stream::try_flush`] has something to do.
    pub fn wants_write(&self) -> bool {
        self.layers.wants_write()
    }

    /// Ends our side after the bytes taken so far: close frame, TLS `close_notify`, end of stream.
    /// [`Stream::try_flush`] does it. A violation found while reading overrides `code`.
    pub fn start_close(&mut self, code: CloseCode) {
        self.layers.start_close(code);
    }

    /// Closes in an orderly way, so that the last packet arrives: flushes, ends our side, and throws away what
    /// still comes until the other end has finished too. A socket closed with unread input would be reset, and
    /// the last packet lost with it.
    ///
    /// Gives up after `limit`, or when too much comes.
    pub async fn close(self, code: CloseCode, limit: Duration) {
        self.layers.close(code, limit).await;
    }

    /// Unregisters from this runtime, keeping all state, and lets go of what is known of the other end, which takes
    /// more memory than the stream.
    ///
    /// # Errors
    /// The socket could not be taken from the runtime.
    pub fn into_detached(self) -> io::Result<(DetachedStream, PeerInfo)> {
        let Self { layers, peer } = self;
        Ok((DetachedStream::from_layers(layers.into_detached()?), peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        let plain = size_of::<DetachedStream>();
        assert!(plain <= 48, "{plain} bytes for a plain stream");
        let websocket = size_of::<WebSocket>();
        assert!(websocket <= 192, "{websocket} bytes more for WebSocket");
    }
}
