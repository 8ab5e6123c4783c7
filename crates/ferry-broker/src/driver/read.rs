use std::io;
use std::rc::Rc;

use ferry_core::{CloseCause, Event, Traffic};

use super::conn::{Conn, Link};
use super::{Driver, TURN_BYTES_MAX, TURN_MESSAGES_MAX};

/// The packet type of PUBLISH (Table 2-1).
const PUBLISH: usize = 3;

/// What reading from a connection came to.
pub(crate) enum Input {
    /// Bytes, which the core has now; there may be more.
    Some,
    /// Nothing for now.
    None,
    /// The peer has finished.
    Ended,
    /// The peer broke the rules of TLS or WebSocket, and is to be told so.
    Broken,
    /// The socket failed.
    Failed,
}

impl Driver {
    /// Whether as much was read as a turn may decide: then it is the turn's turn.
    pub(crate) fn has_read_enough(&self) -> bool {
        self.bytes_read.get() >= TURN_BYTES_MAX || self.messages_read.get() >= TURN_MESSAGES_MAX
    }

    /// Reads what has arrived, once, and gives it to the core.
    pub(crate) fn read(&self, conn: &Rc<Conn>) -> Input {
        let mut link = conn.link.borrow_mut();
        let Some(Link { stream, unread, .. }) = &mut *link else { return Input::Failed };
        let mut scratch = self.scratch.borrow_mut();
        // A short remainder goes to the front of the scratch buffer; a long one, the beginning of a large packet,
        // grows in place instead of being copied with each read.
        let unread_len = unread.as_slice().len();
        let front = if unread_len <= scratch.len() / 2 { unread_len } else { 0 };
        let read = match stream.try_read(&mut scratch[front..]) {
            Ok(0) => return Input::Ended,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Input::None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Input::Some,
            Err(error) => {
                self.refuse_broken(self.shard.borrow().peer_address(conn.id).unwrap_or("somebody"), &error);
                return match error.kind() {
                    io::ErrorKind::InvalidData => Input::Broken,
                    _ => Input::Failed,
                };
            }
        };
        self.bytes_read.set(self.bytes_read.get() + read);
        if front == unread_len {
            scratch[..front].copy_from_slice(unread.as_slice());
            let input = &scratch[..front + read];
            let taken = self.take(conn, input);
            unread.keep(&input[taken..]);
        } else {
            unread.extend(&scratch[..read]);
            let taken = self.take(conn, unread.as_slice());
            unread.drop_front(taken);
        }
        Input::Some
    }

    /// Gives the core what it left when it was paused.
    pub(crate) fn read_again(&self, conn: &Rc<Conn>) {
        let mut link = conn.link.borrow_mut();
        let Some(Link { unread, .. }) = &mut *link else { return };
        if !unread.as_slice().is_empty() {
            let taken = self.take(conn, unread.as_slice());
            unread.drop_front(taken);
        }
    }

    /// Lets the core take packets from `input`; returns how many bytes it took.
    fn take(&self, conn: &Rc<Conn>, input: &[u8]) -> usize {
        let mut effects = self.effects.borrow_mut();
        let before = effects.mail.len() + effects.records.len();
        let mut shard = self.shard.borrow_mut();
        let messages_before = shard.counters().packets_received[PUBLISH];
        self.note_time(&mut shard);
        let taken = shard.receive(self.now(), conn.id, input, &mut effects);
        let messages_received = shard.counters().packets_received[PUBLISH] - messages_before;
        let traffic = Traffic { bytes_received: taken as u64, messages_received, ..Traffic::default() };
        self.count_traffic(&shard, conn.id, traffic);
        drop(shard);
        self.messages_read.set(self.messages_read.get() + messages_received);
        if self.is_tracing.get() {
            self.trace_input(conn.id, &input[..taken]);
        }
        let is_congested = self.storage_behind.get() || !self.congested.borrow().is_empty();
        if is_congested && effects.mail.len() + effects.records.len() > before {
            conn.held.set(true);
            self.held.borrow_mut().push(conn.id);
        }
        self.want_turn();
        taken
    }

    /// The connection is over, with nobody left to be told: the core hears of it, and the socket is closed.
    pub(crate) fn lose(&self, conn: &Rc<Conn>, cause: CloseCause) {
        if conn.link.borrow_mut().take().is_none() {
            return;
        }
        self.forget(conn, cause);
    }

    /// Tells the core that a connection is over, and lets go of what belongs to it.
    pub(crate) fn forget(&self, conn: &Rc<Conn>, cause: CloseCause) {
        self.conns.borrow_mut().remove(conn.id);
        self.exchanges.borrow_mut().remove(&conn.id);
        self.peer_user_ids.borrow_mut().remove(&conn.id);
        if self.is_tracing.get() {
            self.trace_closed(conn.id, cause);
        }
        let mut effects = self.effects.borrow_mut();
        self.shard.borrow_mut().handle(self.now(), Event::Closed { conn: conn.id, cause }, &mut effects);
        self.want_turn();
    }
}
