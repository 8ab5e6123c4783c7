use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::ConnectionError;
use crate::event_loop::{Reader, Writer};
use crate::session::CloseReason;
use crate::shared::Shared;

/// One connection: moves bytes between the session and the stream. Everything that is ready is written at once.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    reader: Reader,
    output: Output,
    /// What was read; the part up to `filled` is not taken yet.
    input: Vec<u8>,
    filled: usize,
    timer: Timer,
    connected_at: Option<Instant>,
    /// The client has ended it, and everything was written.
    has_left: bool,
}

/// What is being written.
struct Output {
    writer: Writer,
    bytes: Vec<u8>,
    written: usize,
    is_flushed: bool,
}

/// Wakes at a deadline that is moved with almost every packet. What it is set to is changed only when that would be too late;
/// waking too early once costs less than setting it anew each time.
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What the session wants now.
struct Wants {
    read: bool,
    close: bool,
    /// To close since the client wants it.
    leave: bool,
    deadline: Option<Instant>,
}

/// Bytes to begin with; packets that are larger make it larger.
const INPUT_BYTES: usize = 8 * 1024;

/// Bytes that are kept when nothing of them is in use.
const IDLE_BYTES_MAX: usize = 64 * 1024;

/// How long the last bytes may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, reader: Reader, writer: Writer) -> Self {
        let output = Output { writer, bytes: Vec::new(), written: 0, is_flushed: true };
        Self {
            shared,
            reader,
            output,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            timer: Timer { sleep: None },
            connected_at: None,
            has_left: false,
        }
    }

    /// When the server accepted it, if it did.
    pub(crate) fn connected_at(&self) -> Option<Instant> {
        self.connected_at
    }

    /// Whether the client has ended it, and everything was written.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left
    }

    /// Runs until the connection is over. Why is what the session says, if it says anything.
    pub(crate) async fn run(&mut self) -> ConnectionError {
        loop {
            let wants = match self.prepare() {
                Ok(wants) => wants,
                Err(error) => return error,
            };
            if wants.close {
                // [MQTT-3.14.4-1], [MQTT3-3.14.4-1].
                let is_closed = timeout(CLOSE_TIMEOUT, self.close()).await;
                self.has_left = wants.leave && matches!(is_closed, Ok(Ok(())));
                return ConnectionError::Ended;
            }
            if let Err(error) = self.wait(wants).await {
                return match error.kind() {
                    io::ErrorKind::UnexpectedEof => ConnectionError::ClosedByServer,
                    _ => error.into(),
                };
            }
        }
    }

    /// Asks the session for output, if all that it gave before is written, and for what it waits.
    fn prepare(&mut self) -> Result<Wants, ConnectionError> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        self.shared.heard(&mut state);
        if self.output.is_written() {
            self.output.clear();
            state.session.take_output(now, &mut self.output.bytes);
            self.shared.commit(&mut state)?;
            self.output.is_flushed = self.output.bytes.is_empty();
            self.shared.set_writing(&mut state, !self.output.is_flushed);
            self.shared.dispatch(&mut state);
        }
        if self.connected_at.is_none() && state.session.connected().is_some() {
            self.connected_at = Some(Instant::now());
        }
        let close_reason = state.session.close_reason();
        let (close, leave) =
            (close_reason.is_some(), matches!(close_reason, Some(CloseReason::Requested(_))));
        let pause = self.shared.is_full(&state) && !state.session.awaits_answer() && !close;
        state.session.set_paused(now, pause);
        let deadline = self.shared.clock().instant(state.session.next_deadline());
        Ok(Wants { read: !pause, close, leave, deadline })
    }

    async fn wait(&mut self, wants: Wants) -> io::Result<()> {
        let Self { shared, reader, output, input, filled, timer, .. } = self;
        let wants_write = !output.is_written();
        tokio::select! {
            biased;
            read = reader.read(&mut input[*filled..]), if wants.read => {
                let length = read?;
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *filled += length;
                self.received();
            }
            result = poll_fn(|context| output.poll_write(context)), if wants_write => result?,
            () = shared.bell.notified() => {}
            () = timer.wait(wants.deadline) => {
                let now = shared.now();
                shared.lock().session.tick(now);
            }
        }
        Ok(())
    }

    fn received(&mut self) {
        let now = self.shared.now();
        let taken = {
            let mut state = self.shared.lock();
            let taken = state.session.receive(now, &self.input[..self.filled]);
            self.shared.dispatch(&mut state);
            taken
        };
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        if self.filled == self.input.len() {
            self.input.resize(self.filled * 2, 0);
        } else if self.filled == 0 && self.input.len() > IDLE_BYTES_MAX {
            self.input = vec![0; INPUT_BYTES];
        }
    }

    /// Writes the rest, such as DISCONNECT, and closes.
    async fn close(&mut self) -> io::Result<()> {
        while !self.output.is_written() {
            poll_fn(|context| self.output.poll_write(context)).await?;
        }
        self.output.clear();
        let now = self.shared.now();
        {
            let mut state = self.shared.lock();
            state.session.take_output(now, &mut self.output.bytes);
            self.shared.commit(&mut state).map_err(io::Error::other)?;
        }
        self.output.writer.write_all(&self.output.bytes).await?;
        self.output.writer.flush().await?;
        self.output.writer.shutdown().await
    }
}

impl Timer {
    /// Waits until the deadline, or less; for ever without one.
    async fn wait(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.is_elapsed() || sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().await;
    }
}

impl Output {
    fn is_written(&self) -> bool {
        self.written == self.bytes.len() && self.is_flushed
    }

    fn clear(&mut self) {
        if self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.written = 0;
    }

    /// Some progress. Can be dropped at any time without losing count.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written < self.bytes.len() {
            let writer = Pin::new(&mut self.writer);
            let length = ready!(writer.poll_write(context, &self.bytes[self.written..]))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.writer).poll_flush(context))?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }
}
