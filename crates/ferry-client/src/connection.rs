use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ferry_session::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::ConnectionError;
use crate::clock::Clock;
use crate::session::CloseReason;
use crate::shared::Shared;
use crate::transport::BoxedStream;

/// One connection: moves bytes between the session and the stream. Everything that is ready is written at once.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    stream: BoxedStream,
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
    bytes: Vec<u8>,
    written: usize,
    is_flushed: bool,
}

/// Wakes at a deadline that is moved with almost every packet. What it is set to is changed only when that would be too late;
/// waking too early once costs less than setting it anew each time.
struct Timer {
    /// With the time it is set to.
    sleep: Option<(Timestamp, Pin<Box<Sleep>>)>,
}

/// What the session wants now.
struct Wants {
    read: bool,
    close: bool,
    /// To close since the client wants it.
    leave: bool,
    deadline: Timestamp,
}

/// Bytes to begin with; packets that are larger make it larger.
const INPUT_BYTES: usize = 8 * 1024;

/// Bytes that are kept when nothing of them is in use.
const IDLE_BYTES_MAX: usize = 64 * 1024;

/// How long the last bytes may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, stream: BoxedStream) -> Self {
        let output = Output { bytes: Vec::new(), written: 0, is_flushed: true };
        Self {
            shared,
            stream,
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
        let mut now = self.shared.now();
        loop {
            let wants = match self.prepare(now) {
                Ok(wants) => wants,
                Err(error) => return error,
            };
            if wants.close {
                // [MQTT-3.14.4-1], [MQTT3-3.14.4-1].
                let is_closed = timeout(CLOSE_TIMEOUT, self.close()).await;
                self.has_left = wants.leave && matches!(is_closed, Ok(Ok(())));
                return ConnectionError::Ended;
            }
            match self.wait(wants).await {
                Ok(woken_at) => now = woken_at,
                Err(error) => {
                    return match error.kind() {
                        io::ErrorKind::UnexpectedEof => ConnectionError::ClosedByServer,
                        _ => error.into(),
                    };
                }
            }
        }
    }

    /// Asks the session for output, if all that it gave before is written, and for what it waits.
    fn prepare(&mut self, now: Timestamp) -> Result<Wants, ConnectionError> {
        let mut state = self.shared.lock();
        self.shared.heard(&mut state);
        self.shared.release(now, &mut state);
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
        let is_full = self.shared.is_full(&state) || state.session.is_receive_full();
        let pause = is_full && !state.session.awaits_answer() && !close;
        state.session.set_paused(now, pause);
        let deadline = state.session.next_deadline().min(state.mailboxes.next_release());
        Ok(Wants { read: !pause, close, leave, deadline })
    }

    /// Writes, reads, and waits until the session is to be asked again: the time then.
    async fn wait(&mut self, wants: Wants) -> io::Result<Timestamp> {
        let shared = Arc::clone(&self.shared);
        let mut has_waited = false;
        poll_fn(|context| {
            let is_written = self.poll_write(context)?;
            // Whoever rings has something to write. What there is to read then is read next.
            if has_waited && shared.poll_rung(context).is_ready() {
                return Poll::Ready(Ok(shared.now()));
            }
            has_waited = true;
            let length = if wants.read { self.poll_read(context)? } else { None };
            if let Some(length) = length {
                let now = shared.now();
                self.received(now, length);
                return Poll::Ready(Ok(now));
            }
            if is_written || shared.poll_rung(context).is_ready() {
                return Poll::Ready(Ok(shared.now()));
            }
            if self.timer.poll(context, wants.deadline, shared.clock()).is_ready() {
                let now = shared.now();
                shared.lock().session.tick(now);
                return Poll::Ready(Ok(now));
            }
            Poll::Pending
        })
        .await
    }

    /// Writes what there is. True if the session may have more; if it has nothing, it need not be asked.
    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if self.output.is_written() {
            return Ok(false);
        }
        while !self.output.is_written() {
            match self.output.poll_write(&mut self.stream, context) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Ok(false),
            }
        }
        let mut state = self.shared.lock();
        if state.session.may_have_output() {
            return Ok(true);
        }
        self.output.clear();
        self.shared.set_writing(&mut state, false);
        Ok(false)
    }

    /// How many bytes were read, if there are any.
    fn poll_read(&mut self, context: &mut Context<'_>) -> io::Result<Option<usize>> {
        let mut buffer = ReadBuf::new(&mut self.input[self.filled..]);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Ok(None),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(())) => Ok(Some(buffer.filled().len())),
        }
    }

    fn received(&mut self, now: Timestamp, length: usize) {
        self.filled += length;
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
        loop {
            while !self.output.is_written() {
                poll_fn(|context| self.output.poll_write(&mut self.stream, context)).await?;
            }
            self.output.clear();
            let mut state = self.shared.lock();
            if !state.session.has_output() {
                break;
            }
            state.session.take_output(self.shared.now(), &mut self.output.bytes);
            self.shared.commit(&mut state).map_err(io::Error::other)?;
            self.output.is_flushed = false;
        }
        self.stream.shutdown().await
    }
}

impl Timer {
    /// Ready at the deadline, or earlier; never without one.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Timestamp, clock: &Clock) -> Poll<()> {
        let is_set =
            self.sleep.as_ref().is_some_and(|(set_to, sleep)| *set_to <= deadline && !sleep.is_elapsed());
        if !is_set {
            let Some(instant) = clock.instant(deadline) else { return Poll::Pending };
            match &mut self.sleep {
                None => self.sleep = Some((deadline, Box::pin(sleep_until(instant)))),
                Some((set_to, sleep)) => {
                    *set_to = deadline;
                    sleep.as_mut().reset(instant);
                }
            }
        }
        self.sleep.as_mut().map_or(Poll::Pending, |(_, sleep)| sleep.as_mut().poll(context))
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
    fn poll_write(&mut self, stream: &mut BoxedStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written < self.bytes.len() {
            let length = ready!(Pin::new(&mut *stream).poll_write(context, &self.bytes[self.written..]))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(stream).poll_flush(context))?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }
}
