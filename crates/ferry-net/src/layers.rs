//! What a stream is made of: WebSocket, if any, over a channel.

use std::io;
use std::time::Duration;

use crate::channel::Channel;
use crate::detached_socket::DetachedSocket;
use crate::socket::{ByteSocket, Socket};
use crate::stream::CloseCode;
use crate::websocket::WebSocket;

/// Input that is thrown away while [`Layers::close`] waits for the other end.
const CLOSE_INPUT_BYTES_MAX: usize = 256 * 1024;

/// The layers of a stream, over a socket of a runtime or of none. For what its functions do see those of
/// [`Stream`](crate::Stream) of the same names.
#[derive(Debug)]
pub(crate) struct Layers<S> {
    pub(crate) channel: Channel<S>,
    pub(crate) websocket: Option<Box<WebSocket>>,
}

impl<S: ByteSocket> Layers<S> {
    pub(crate) fn has_buffered_input(&self) -> bool {
        self.channel.has_buffered_input() || self.websocket.as_ref().is_some_and(|ws| ws.has_verdict())
    }

    pub(crate) fn has_ended_input(&self) -> bool {
        self.websocket.as_ref().is_some_and(|ws| ws.has_verdict())
    }

    pub(crate) fn try_read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match &mut self.websocket {
            None => self.channel.try_read(scratch),
            Some(websocket) => websocket.try_read(&mut self.channel, scratch),
        }
    }

    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.websocket {
            None => self.channel.try_write(&[], bytes),
            Some(websocket) => websocket.try_write(&mut self.channel, bytes),
        }
    }

    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.websocket {
            None => self.channel.try_flush(),
            Some(websocket) => websocket.try_flush(&mut self.channel),
        }
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.channel.wants_write() || self.websocket.as_ref().is_some_and(|ws| ws.wants_write())
    }

    pub(crate) fn start_close(&mut self, code: CloseCode) {
        match &mut self.websocket {
            None => self.channel.start_close(),
            Some(websocket) => websocket.start_close(code),
        }
    }
}

impl Layers<Socket> {
    pub(crate) fn into_detached(self) -> io::Result<Layers<DetachedSocket>> {
        Ok(Layers { channel: self.channel.into_detached()?, websocket: self.websocket })
    }
}

impl Layers<Socket> {
    /// As [`Stream::close`](crate::Stream::close).
    pub(crate) async fn close(mut self, code: CloseCode, limit: Duration) {
        self.start_close(code);
        // Whether the other end heard it or not, the connection ends here.
        let _ = tokio::time::timeout(limit, self.finish_close()).await;
    }

    async fn finish_close(&mut self) -> io::Result<()> {
        while let Err(error) = self.try_flush() {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            self.channel.writable().await?;
        }
        let mut scratch = [0; 2048];
        let mut thrown_away = 0;
        while thrown_away < CLOSE_INPUT_BYTES_MAX {
            self.channel.socket().readable().await?;
            match self.channel.socket().try_read(&mut scratch) {
                Ok(0) => break,
                Ok(read) => thrown_away += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Layers<DetachedSocket> {
    pub(crate) fn attach(self) -> io::Result<Layers<Socket>> {
        Ok(Layers { channel: self.channel.attach()?, websocket: self.websocket })
    }
}
