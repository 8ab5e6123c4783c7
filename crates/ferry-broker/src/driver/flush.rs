use std::io;
use std::rc::Rc;
use std::time::Duration;

use ferry_codec::ReasonCode;
use ferry_core::{CloseCause, ConnId, Event, Traffic};
use ferry_net::CloseCode;

use super::Driver;
use super::conn::{Conn, Link, Unread};

/// How long a closed connection's last packets may wait for the peer to read them.
const FLUSH_MILLISECONDS_MAX: u64 = 5_000;

/// How long the peer of a closed connection may take to close its end.
pub(super) const LINGER_MAX: Duration = Duration::from_secs(2);

impl Driver {
    /// Writes each connection that has output, once, and closes those that are over.
    pub(super) fn flush(self: &Rc<Self>) {
        let mut dirty = std::mem::take(&mut self.effects.borrow_mut().dirty);
        for id in dirty.drain(..) {
            if let Some(conn) = self.conn(id)
                && !conn.blocked.get()
            {
                self.write(&conn);
                if conn.blocked.get() {
                    self.queue(&conn);
                }
            }
        }
        self.give_back(dirty, |effects| &mut effects.dirty);
        let mut close = std::mem::take(&mut self.effects.borrow_mut().close);
        for id in close.drain(..) {
            self.start_flushing(id);
        }
        self.give_back(close, |effects| &mut effects.close);
    }

    /// Offers a connection's output to its stream.
    pub(super) fn write(self: &Rc<Self>, conn: &Rc<Conn>) {
        conn.blocked.set(false);
        match self.write_output(conn) {
            Ok(()) if conn.flushing.get() => self.finish_if_written(conn),
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "writing failed");
                self.count_refusal(ferry_net::failure_name(&error));
                self.lose(conn, CloseCause::Error);
            }
        }
    }

    fn write_output(&self, conn: &Conn) -> io::Result<()> {
        let mut link = conn.link.borrow_mut();
        let Some(Link { stream, .. }) = &mut *link else { return Ok(()) };
        let mut shard = self.shard.borrow_mut();
        let (mut written_bytes, mut messages_sent) = (0, 0);
        if let Some(output) = shard.output(conn.id) {
            if self.is_tracing.get() {
                self.trace_output(conn.id, output.as_slice());
            }
            while !output.is_empty() && !conn.blocked.get() {
                let offered = output.len();
                match stream.try_write(output.as_slice()) {
                    Ok(count) => {
                        output.advance(count);
                        if self.is_tracing.get() {
                            self.trace_written(conn.id, count);
                        }
                        written_bytes += count as u64;
                        conn.blocked.set(count < offered);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => conn.blocked.set(true),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if written_bytes > 0 {
                messages_sent = output.take_new_messages();
            }
        }
        if stream.wants_write() {
            match stream.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => conn.blocked.set(true),
                result => result?,
            }
        }
        if written_bytes > 0 {
            let traffic = Traffic { bytes_sent: written_bytes, messages_sent, ..Traffic::default() };
            self.count_traffic(&shard, conn.id, traffic);
        }
        if written_bytes > 0 && !conn.flushing.get() {
            shard.handle(self.now(), Event::Written { conn: conn.id }, &mut self.effects.borrow_mut());
            if !self.effects.borrow().is_empty() {
                self.want_turn();
            }
        }
        Ok(())
    }

    /// The core is done with a connection: it goes as soon as its last output is written.
    fn start_flushing(self: &Rc<Self>, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        conn.flushing.set(true);
        if let Some(link) = &mut *conn.link.borrow_mut() {
            link.unread = Unread::default();
        }
        if !conn.blocked.get() {
            self.write(&conn);
        }
        if conn.link.borrow().is_some() {
            let until = self.now().plus_milliseconds(FLUSH_MILLISECONDS_MAX);
            self.flushing.borrow_mut().push_back((until, id));
        }
    }

    fn finish_if_written(self: &Rc<Self>, conn: &Rc<Conn>) {
        let written = self.shard.borrow_mut().output(conn.id).is_none_or(|output| output.is_empty());
        if written && !conn.blocked.get() {
            self.finish(conn);
        }
    }

    /// Everything is written: lets the stream end in its own time, so that the last packet is not lost to a reset.
    fn finish(self: &Rc<Self>, conn: &Rc<Conn>) {
        let code = close_code(self.shard.borrow().end_reason(conn.id));
        let Some(link) = conn.link.borrow_mut().take() else { return };
        self.forget(conn, CloseCause::Asked);
        self.close_slowly(link, code);
    }

    /// The peer has ended the connection, or broken it: transports that have a word for it say it.
    pub(super) fn part(self: &Rc<Self>, conn: &Rc<Conn>, cause: CloseCause, code: CloseCode) {
        let Some(link) = conn.link.borrow_mut().take() else { return };
        self.forget(conn, cause);
        if link.stream.has_closing_words() {
            self.close_slowly(link, code);
        }
    }

    /// Ends a stream as its transport has it, while the others go on.
    fn close_slowly(self: &Rc<Self>, link: Link, code: CloseCode) {
        let Link { stream, places, unread: _ } = link;
        if self.sockets.borrow().forget(&stream).is_err() {
            return;
        }
        self.lingering.set(self.lingering.get() + 1);
        let driver = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if let Err(error) = stream.close(code, LINGER_MAX).await {
                tracing::debug!(%error, "a socket could not be closed slowly");
            }
            drop(places);
            driver.lingering.set(driver.lingering.get() - 1);
            if driver.stopping.get().is_some() {
                driver.want_turn();
            }
        });
    }

    /// Gives up on closed connections whose peers do not read.
    pub(super) fn give_up_stalled(&self) {
        let now = self.now();
        loop {
            let oldest = self.flushing.borrow().front().copied();
            let Some((until, id)) = oldest else { return };
            // Most are gone long before their time.
            let gone = self.conns.borrow().get(id).is_none();
            if !gone && until > now {
                return;
            }
            self.flushing.borrow_mut().pop_front();
            if let Some(conn) = self.conn(id) {
                self.lose(&conn, CloseCause::Stalled);
            }
        }
    }
}

/// What the reason of the core is in the words of WebSocket, for clients whose MQTT has no DISCONNECT from the server.
fn close_code(reason: ReasonCode) -> CloseCode {
    match reason {
        ReasonCode::NORMAL_DISCONNECTION => CloseCode::Normal,
        ReasonCode::MALFORMED_PACKET
        | ReasonCode::PROTOCOL_ERROR
        | ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
        | ReasonCode::RECEIVE_MAXIMUM_EXCEEDED
        | ReasonCode::TOPIC_ALIAS_INVALID => CloseCode::ProtocolError,
        ReasonCode::PACKET_TOO_LARGE => CloseCode::TooLarge,
        ReasonCode::SERVER_SHUTTING_DOWN | ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED => {
            CloseCode::GoingAway
        }
        _ => CloseCode::PolicyViolation,
    }
}
