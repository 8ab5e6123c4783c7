use std::collections::BTreeSet;

use ferry_session::Timestamp;

use crate::conn::ConnIndex;
use crate::session::SessionId;

/// Who is to be looked at when a deadline comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKey {
    /// CONNECT in time, keep alive, a full output, the publish rate, authentication. Whoever leaves this place takes
    /// its deadline along.
    Conn(ConnIndex),
    /// Session expiry and Will Delay.
    Session(SessionId),
    /// Expired retained messages.
    RetainedSweep,
}

/// At most one deadline for each key, in order. Removal is exact, so there are never more entries than connections
/// and sessions, whatever clients do.
///
/// A deadline that moves further away, as that of keep alive does with every packet, is not moved here: when the
/// earlier one comes, its owner looks again and sets the next one.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeSet<Entry>,
}

/// A deadline and its key, ordered by the deadline, in twelve bytes: nearly every connection has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry([u32; 3]);

impl Entry {
    const CONN: u32 = 0;
    const SESSION: u32 = 1 << 30;
    const RETAINED_SWEEP: u32 = 2 << 30;
    const KIND: u32 = 3 << 30;

    fn new(deadline: Timestamp, key: TimerKey) -> Self {
        let (kind, index) = match key {
            TimerKey::Conn(conn) => (Self::CONN, conn.0),
            TimerKey::Session(session) => (Self::SESSION, session.0),
            TimerKey::RetainedSweep => (Self::RETAINED_SWEEP, 0),
        };
        assert!(index & Self::KIND == 0, "fewer than 2^30 connections or sessions fit in memory");
        Self([(deadline.0 >> 32) as u32, deadline.0 as u32, kind | index])
    }

    fn deadline(self) -> Timestamp {
        Timestamp(u64::from(self.0[0]) << 32 | u64::from(self.0[1]))
    }

    fn key(self) -> TimerKey {
        let index = self.0[2] & !Self::KIND;
        match self.0[2] & Self::KIND {
            Self::CONN => TimerKey::Conn(ConnIndex(index)),
            Self::SESSION => TimerKey::Session(SessionId(index)),
            _ => TimerKey::RetainedSweep,
        }
    }
}

impl Timers {
    /// Sets the deadline of `key`; `armed` is the owner's note of it, [`Timestamp::NEVER`] for none.
    pub(crate) fn arm(&mut self, key: TimerKey, armed: &mut Timestamp, deadline: Timestamp) {
        if deadline >= *armed {
            return;
        }
        self.disarm(key, armed);
        self.deadlines.insert(Entry::new(deadline, key));
        *armed = deadline;
    }

    /// Forgets the deadline of `key`.
    pub(crate) fn disarm(&mut self, key: TimerKey, armed: &mut Timestamp) {
        if !armed.is_never() {
            self.deadlines.remove(&Entry::new(*armed, key));
            *armed = Timestamp::NEVER;
        }
    }

    /// The first deadline.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|entry| entry.deadline())
    }

    /// Takes the first key whose deadline has come. Its owner's note is out of date then.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<TimerKey> {
        if self.deadlines.first()?.deadline() > now {
            return None;
        }
        self.deadlines.pop_first().map(Entry::key)
    }

    /// How many deadlines are set.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> TimerKey {
        TimerKey::Session(SessionId(index))
    }

    #[test]
    fn deadlines_come_in_order() {
        let mut timers = Timers::default();
        let mut armed = [Timestamp::NEVER; 2];
        timers.arm(key(0), &mut armed[0], Timestamp(20));
        timers.arm(key(1), &mut armed[1], Timestamp(10));
        assert_eq!(timers.next_deadline(), Some(Timestamp(10)));
        assert_eq!(timers.pop_due(Timestamp(9)), None);
        assert_eq!(timers.pop_due(Timestamp(20)), Some(key(1)));
        assert_eq!(timers.pop_due(Timestamp(20)), Some(key(0)));
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn an_entry_is_what_it_was_made_of() {
        let keys = [TimerKey::Conn(ConnIndex(7)), key((1 << 30) - 1), TimerKey::RetainedSweep];
        for deadline in [Timestamp(0), Timestamp(0x1_2345_6789), Timestamp::NEVER] {
            for key in keys {
                let entry = Entry::new(deadline, key);
                assert_eq!((entry.deadline(), entry.key()), (deadline, key));
            }
        }
    }

    #[test]
    fn one_entry_for_each_key_however_often_it_changes() {
        let mut timers = Timers::default();
        let mut armed = Timestamp::NEVER;
        for deadline in (0..1000).rev() {
            timers.arm(key(0), &mut armed, Timestamp(deadline));
            timers.arm(key(0), &mut armed, Timestamp(deadline + 5));
        }
        assert_eq!((timers.len(), armed), (1, Timestamp(0)));
        timers.disarm(key(0), &mut armed);
        assert_eq!((timers.len(), armed), (0, Timestamp::NEVER));
    }
}
