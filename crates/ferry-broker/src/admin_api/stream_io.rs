use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ferry_net::{CloseCode, Stream};
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};

/// Bytes read at a time.
const READ_BYTES_MAX: usize = 4096;

/// A stream as hyper reads and writes it.
pub(super) struct StreamIo(pub(super) Stream);

impl Read for StreamIo {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &mut self.get_mut().0;
        let mut scratch = [0; READ_BYTES_MAX];
        let wanted = buffer.remaining().min(READ_BYTES_MAX);
        if wanted == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match stream.try_read(&mut scratch[..wanted]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_readable(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    buffer.put_slice(&scratch[..read]);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl Write for StreamIo {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut self.get_mut().0;
        loop {
            match stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_writable(context))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.get_mut().0;
        while stream.wants_write() {
            match stream.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_writable(context))?;
                }
                result => result?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.start_close(CloseCode::Normal);
        self.poll_flush(context)
    }
}

/// The clock of the runtime as hyper wants it.
pub(super) struct RuntimeTimer;

struct Sleeping(Pin<Box<tokio::time::Sleep>>);

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for Sleeping {}

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}
