use std::io;

use crate::transport::Stream;

/// One client's connection.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) state: State,
    /// When the state began.
    pub(crate) since: u64,
    pub(crate) stream: Option<Stream>,
    /// The beginning of a packet whose end has not come.
    pub(crate) rest: Vec<u8>,
    pub(crate) output: Vec<u8>,
    written: usize,
    /// Its output is to be flushed at the end of the turn.
    pub(crate) is_dirty: bool,
    /// It was connected before.
    pub(crate) has_been_ready: bool,
    /// What is still to be subscribed to, the last first.
    pub(crate) filters: Vec<String>,
    /// Topic filters of the SUBSCRIBE that is not answered.
    pub(crate) filters_asked: usize,
}

/// Whose connection it is, by its place in its event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Publisher(usize),
    Subscriber(usize),
}

/// ```text
/// Closed -> Connecting -> Handshaking -> AwaitConnack -> AwaitSuback -> Ready
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Connecting,
    Handshaking,
    AwaitConnack,
    AwaitSuback,
    Ready,
}

/// Memory that an idle connection may keep for its next output.
const IDLE_OUTPUT_BYTES_MAX: usize = 256 * 1024;

impl Connection {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            state: State::Closed,
            since: 0,
            stream: None,
            rest: Vec::new(),
            output: Vec::new(),
            written: 0,
            is_dirty: false,
            has_been_ready: false,
            filters: Vec::new(),
            filters_asked: 0,
        }
    }

    /// Bytes that wait for the socket.
    pub(crate) fn backlog_bytes(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.flush_layers()?;
        while self.written < self.output.len() {
            match stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written == self.output.len() {
            self.written = 0;
            self.output.clear();
            if self.output.capacity() > IDLE_OUTPUT_BYTES_MAX || self.state != State::Ready {
                self.output = Vec::new();
            }
        } else if self.written > IDLE_OUTPUT_BYTES_MAX {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Closes it, and forgets what was on its way.
    pub(crate) fn close(&mut self) {
        self.stream = None;
        self.state = State::Closed;
        self.rest = Vec::new();
        self.output = Vec::new();
        self.written = 0;
        self.filters = Vec::new();
        self.filters_asked = 0;
    }
}
