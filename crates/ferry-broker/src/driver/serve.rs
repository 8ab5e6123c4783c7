use std::rc::Rc;

use ferry_core::CloseCause;
use ferry_net::CloseCode;

use super::Driver;
use super::conn::Conn;
use super::read::Input;

impl Driver {
    /// Has a connection looked at before the next turn.
    pub(super) fn queue(&self, conn: &Rc<Conn>) {
        if !conn.queued.replace(true) {
            self.ready.borrow_mut().push_back(Rc::clone(conn));
        }
    }

    /// Whether connections are to be looked at.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Looks at each connection of which something is known: reads once, so that all have their turn, and writes what
    /// waits for room. Ends early when as much was read as a turn may decide.
    pub(super) fn serve(self: &Rc<Self>) {
        self.sockets.borrow_mut().take(|index, event| {
            if let Some(conn) = self.conns.borrow().at(index) {
                conn.add_readiness(event);
                self.queue(conn);
            }
        });
        let round = self.ready.borrow().len();
        self.begin_lap(round);
        for _ in 0..round {
            if self.has_read_enough() {
                return;
            }
            let Some(conn) = self.ready.borrow_mut().pop_front() else { return };
            conn.queued.set(false);
            self.count_lap();
            self.serve_one(&conn);
        }
    }

    fn serve_one(self: &Rc<Self>, conn: &Rc<Conn>) {
        while conn.blocked.get() && conn.is_writable() {
            self.write(conn);
        }
        if conn.is_gone() || !conn.wants_input() {
            return;
        }
        if conn.resumed.replace(false) {
            self.read_again(conn);
            // What that was is answered before more is read, which may be the end.
            return self.queue(conn);
        }
        if !conn.is_readable() || conn.blocked.get() && conn.has_ended_input() {
            // The end can wait until the answers to what came before it are written.
            return;
        }
        let input = self.read(conn);
        if conn.wants_write() && !conn.blocked.replace(true) {
            // TLS or WebSocket answers by itself, and the socket did not take it.
            self.queue(conn);
        }
        match input {
            // More, if there is any, after the others.
            Input::Some | Input::None if conn.wants_input() && conn.is_readable() => self.queue(conn),
            Input::Some | Input::None => {}
            Input::Ended => self.part(conn, CloseCause::Peer, CloseCode::Normal),
            Input::Broken => self.part(conn, CloseCause::Error, CloseCode::ProtocolError),
            Input::Failed => self.lose(conn, CloseCause::Error),
        }
    }
}
