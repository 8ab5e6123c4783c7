//! What a stream is made of: WebSocket, if any, over a channel.

use std::io;

use crate::channel::Channel;
use crate::detached_socket::DetachedSocket;
use crate::socket::{ByteSocket, Socket};
use crate::stream::CloseCode;
use crate::websocket::WebSocket;

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

impl Layers<DetachedSocket> {
    pub(crate) fn attach(self) -> io::Result<Layers<Socket>> {
        Ok(Layers { channel: self.channel.attach()?, websocket: self.websocket })
    }
}
