use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll};
use std::time::Duration;

use ferry_core::ConnId;
use ferry_net::Readiness;
use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use tokio::io::unix::AsyncFd;

/// Events taken from the system at a time.
const EVENTS_MAX: usize = 1024;

/// The sockets of all connections, watched together: to the runtime they are one. So a connection that waits costs
/// no task and no registration of its own.
pub(crate) struct Sockets {
    poll: AsyncFd<mio::Poll>,
    registry: Registry,
    events: Events,
    /// There are events to be taken.
    has_events: bool,
}

impl Sockets {
    /// Needs the runtime that is to wait.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        #[allow(
            deprecated,
            reason = "what replaces it is unsafe, for types that might close their descriptor early"
        )]
        let poll = AsyncFd::with_interest(poll, tokio::io::Interest::READABLE)?;
        Ok(Self { poll, registry, events: Events::with_capacity(EVENTS_MAX), has_events: false })
    }

    /// Watches a socket from now on; if it is ready already, that is the first event. Closing it ends this.
    pub(crate) fn watch(&self, socket: &impl AsFd, id: ConnId) -> io::Result<()> {
        let descriptor = socket.as_fd().as_raw_fd();
        self.registry.register(
            &mut SourceFd(&descriptor),
            Token(id.index()),
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Watches a socket no more that stays open.
    pub(crate) fn forget(&self, socket: &impl AsFd) -> io::Result<()> {
        self.registry.deregister(&mut SourceFd(&socket.as_fd().as_raw_fd()))
    }

    /// Waits for events.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.poll.poll_read_ready(context) {
            Poll::Ready(Ok(mut guard)) => {
                // Before they are taken, so that what comes meanwhile is not lost.
                guard.clear_ready();
                self.has_events = true;
                Poll::Ready(())
            }
            // An error means that the runtime ends, and this task with it.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Takes the events that have come, each with the index of its connection.
    pub(crate) fn take(&mut self, mut event: impl FnMut(usize, Readiness)) {
        while self.has_events {
            if let Err(error) = self.poll.get_mut().poll(&mut self.events, Some(Duration::ZERO)) {
                // A signal; nothing else is possible.
                tracing::debug!(%error, "waiting for sockets");
                continue;
            }
            let mut count = 0;
            for one in &self.events {
                count += 1;
                let ended = one.is_read_closed() || one.is_write_closed() || one.is_error();
                let readiness = Readiness { readable: one.is_readable(), writable: one.is_writable(), ended };
                event(one.token().0, readiness);
            }
            self.has_events = count == EVENTS_MAX;
        }
    }
}
