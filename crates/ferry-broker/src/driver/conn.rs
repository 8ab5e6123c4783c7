use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use ferry_core::{CloseCause, ConnId};
use ferry_net::{CloseCode, Stream};

use super::Driver;
use super::read::Input;
use crate::accept::ConnectionPlaces;

/// A connection on its home shard: the socket, and what has been read of a packet that is not whole yet.
/// Everything that is MQTT is in the core.
///
/// ```text
///   Open --core closes--> Flushing --output written--> gone, while the stream lingers
///    |                        |
///    +-- peer closes, fails --+-- fails, or time is up --> gone
/// ```
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    /// `None` once gone.
    pub(crate) link: RefCell<Option<Link>>,
    /// The beginning of a packet, or whole ones that a paused core does not take. Empty: no allocation.
    pub(crate) unread: RefCell<Vec<u8>>,
    waker: RefCell<Option<Waker>>,
    /// The core has closed the connection; only its output is still wanted.
    pub(crate) flushing: Cell<bool>,
    /// The core takes no packets for now.
    pub(crate) paused: Cell<bool>,
    /// Another shard's mailbox is full of what this one publishes.
    pub(crate) held: Cell<bool>,
    /// The core takes packets again, beginning with `unread`.
    pub(crate) resumed: Cell<bool>,
    /// The socket took less than it was offered: wait until it is writable.
    pub(crate) blocked: Cell<bool>,
}

/// The stream and the places that it takes up under the limits, released together.
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) places: ConnectionPlaces,
}

impl Conn {
    pub(crate) fn new(id: ConnId, link: Link) -> Self {
        Self {
            id,
            link: RefCell::new(Some(link)),
            unread: RefCell::new(Vec::new()),
            waker: RefCell::new(None),
            flushing: Cell::new(false),
            paused: Cell::new(false),
            held: Cell::new(false),
            resumed: Cell::new(false),
            blocked: Cell::new(false),
        }
    }

    /// Makes the connection's task look at the flags again.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn remember_waker(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    fn wants_input(&self) -> bool {
        !self.paused.get() && !self.held.get() && !self.flushing.get()
    }

    fn has_ended_input(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.stream.has_ended_input())
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self.link.borrow() {
            Some(link) => link.stream.poll_readable(context),
            None => Poll::Pending,
        }
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self.link.borrow() {
            Some(link) => link.stream.poll_writable(context),
            None => Poll::Pending,
        }
    }
}

/// Waits for the socket of one connection. Written by hand, since there is one for each connection: two pointers
/// of state.
pub(crate) struct ConnTask {
    pub(crate) driver: Rc<Driver>,
    pub(crate) conn: Rc<Conn>,
}

impl Future for ConnTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { driver, conn } = &*self;
        conn.remember_waker(context);
        while conn.blocked.get() && conn.link.borrow().is_some() {
            match conn.poll_writable(context) {
                Poll::Ready(Ok(())) => driver.write(conn),
                Poll::Ready(Err(_)) => driver.lose(conn, CloseCause::Error),
                Poll::Pending => break,
            }
        }
        if conn.link.borrow().is_none() {
            return Poll::Ready(());
        }
        self.poll_input(context)
    }
}

impl ConnTask {
    /// Reads once, then lets the other connections have their turn.
    fn poll_input(&self, context: &mut Context<'_>) -> Poll<()> {
        let Self { driver, conn } = self;
        if driver.has_read_enough() {
            // A turn is wanted already and comes before this task comes again.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if conn.wants_input() && conn.resumed.replace(false) {
            driver.read_again(conn);
            // What that was is answered before more is read, which may be the end.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if conn.blocked.get() && conn.has_ended_input() {
            // The end can wait until the answers to what came before it are written.
            return Poll::Pending;
        }
        while conn.wants_input() {
            if ready!(conn.poll_readable(context)).is_err() {
                driver.lose(conn, CloseCause::Error);
                return Poll::Ready(());
            }
            match driver.read(conn) {
                Input::Some => {
                    // More now: after the others. Mostly there is none, and the socket says so without being asked.
                    if conn.wants_input() && conn.poll_readable(context).is_ready() {
                        context.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Input::None => {}
                Input::Ended => {
                    driver.part(conn, CloseCause::Peer, CloseCode::Normal);
                    return Poll::Ready(());
                }
                Input::Broken => {
                    driver.part(conn, CloseCause::Error, CloseCode::ProtocolError);
                    return Poll::Ready(());
                }
                Input::Failed => {
                    driver.lose(conn, CloseCause::Error);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}
