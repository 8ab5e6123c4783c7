use ferry_session::Timestamp;

use crate::{ConnId, Effects};

/// What every step of a shard needs: the time, and where to put what it wants done.
pub(crate) struct Turn<'a> {
    pub(crate) now: Timestamp,
    pub(crate) effects: &'a mut Effects,
}

impl Turn<'_> {
    /// Asks the driver not to read from `conn`.
    pub(crate) fn pause(&mut self, conn: ConnId) {
        self.effects.resume.retain(|other| *other != conn);
        self.effects.pause.push(conn);
    }

    /// Asks the driver to read from `conn` again.
    pub(crate) fn resume(&mut self, conn: ConnId) {
        self.effects.pause.retain(|other| *other != conn);
        self.effects.resume.push(conn);
    }
}
