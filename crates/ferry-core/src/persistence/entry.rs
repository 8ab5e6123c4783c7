use std::num::NonZeroU64;

use crate::SessionNumber;

/// Where a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// 0 for what belongs to the broker, else the number of a session. What is in it ends together.
    pub group: u64,
    /// Kind of thing, as in [`Space`].
    pub space: u8,
    /// Number within the space, below 2^56.
    pub item: u64,
}

/// Kinds of things. Within a group, the order in which they are read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// Group 0: the retained message of a topic, by the topic's number.
    Retained = 1,
    /// Group 0: a message that copies of several sessions refer to, by its number.
    Body = 2,
    /// Group 0: a message on its way from one shard to another, by its number.
    Forwarded = 3,
    /// The session itself, item 0.
    Session = 16,
    /// A subscription, by its number in the session.
    Subscription = 17,
    /// The will, item 0.
    Will = 18,
    /// A QoS 2 exchange of the client that waits for PUBREL, by packet identifier.
    Received = 19,
    /// How far the exchange of a copy has come, by the copy's sequence number.
    Sent = 20,
    /// A copy that is owed, by its sequence number.
    Queued = 21,
}

/// Takes entries, such as a batch of a store. The values are what `write` appends.
pub trait EntrySink {
    /// Gives `key` a value.
    fn put(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>));
    /// Gives `key` a value that lives until no entry refers to it any more.
    fn put_shared(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>));
    /// Gives `key` a value that refers to the one of `shared`.
    fn put_referring(&mut self, key: EntryKey, shared: EntryKey, write: impl FnOnce(&mut Vec<u8>));
    /// Takes the value of `key` away.
    fn delete(&mut self, key: EntryKey);
    /// Takes all values of a group away.
    fn delete_group(&mut self, group: u64);
}

impl Space {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Retained,
        Self::Body,
        Self::Forwarded,
        Self::Session,
        Self::Subscription,
        Self::Will,
        Self::Received,
        Self::Sent,
        Self::Queued,
    ];

    /// The kind of this number, if there is one.
    #[must_use]
    pub fn from_number(space: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| *candidate as u8 == space)
    }

    pub(crate) fn of_broker(self, item: u64) -> EntryKey {
        EntryKey { group: 0, space: self as u8, item }
    }

    /// The key of a copy of a session: what a load request asks for.
    #[must_use]
    pub fn of_session(self, session: SessionNumber, item: u64) -> EntryKey {
        EntryKey { group: session.0.get(), space: self as u8, item }
    }
}

impl EntryKey {
    /// The session whose it is.
    pub(crate) fn session(self) -> Option<SessionNumber> {
        NonZeroU64::new(self.group).map(SessionNumber)
    }
}
