use std::cell::{Cell, RefCell};

use ferry_core::ConnId;
use ferry_net::{DetachedStream, Readiness};

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
    /// It is in the list of those to be looked at.
    pub(crate) queued: Cell<bool>,
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

/// Bytes that wait to be taken: a pointer while there are none, as nearly always.
#[expect(clippy::box_collection, reason = "a third of the size while it is empty")]
#[derive(Default)]
pub(crate) struct Unread(Option<Box<Vec<u8>>>);

impl Unread {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(bytes)))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.0.get_or_insert_default().extend_from_slice(bytes);
    }

    /// Forgets all, and keeps these bytes instead.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.0 = None;
        } else {
            let unread = self.0.get_or_insert_default();
            unread.clear();
            unread.extend_from_slice(bytes);
        }
    }

    pub(crate) fn drop_front(&mut self, count: usize) {
        match &mut self.0 {
            Some(unread) if count < unread.len() => {
                unread.drain(..count);
            }
            _ => self.0 = None,
        }
    }
}

/// The stream, what was read from it, and the places that it takes up under the limits: released together.
pub(crate) struct Link {
    pub(crate) stream: DetachedStream,
    /// The beginning of a packet, or whole ones that a paused core does not take.
    pub(crate) unread: Unread,
    pub(crate) places: ConnectionPlaces,
}

impl Conn {
    pub(crate) fn new(id: ConnId, link: Link) -> Self {
        Self {
            id,
            link: RefCell::new(Some(link)),
            queued: Cell::new(false),
            flushing: Cell::new(false),
            paused: Cell::new(false),
            held: Cell::new(false),
            resumed: Cell::new(false),
            blocked: Cell::new(false),
        }
    }

    pub(crate) fn wants_input(&self) -> bool {
        !self.paused.get() && !self.held.get() && !self.flushing.get()
    }

    /// An event of the socket has come.
    pub(crate) fn add_readiness(&self, event: Readiness) {
        if let Some(link) = &*self.link.borrow() {
            link.stream.add_readiness(event);
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.link.borrow().is_none()
    }

    /// Whether reading may have something to say.
    pub(crate) fn is_readable(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.stream.is_readable())
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.stream.is_writable())
    }

    /// Whether the stream has something to write by itself.
    pub(crate) fn wants_write(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.stream.wants_write())
    }

    /// Whether all that reading will say is how the input ended.
    pub(crate) fn has_ended_input(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(|link| link.stream.has_ended_input())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 104, "{}", size_of::<Conn>());
    }
}
