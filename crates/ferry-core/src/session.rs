use std::sync::Arc;

use ahash::RandomState;
use ferry_session::{PendingWill, Receiver, Sender, SessionExpiry, StoredCopy, StoredWill, Timestamp};
use hashbrown::HashTable;
use slab::Slab;

use crate::filter_set::FilterSet;
use crate::load::DeniedFilters;
use crate::retained_replay::RetainedReplays;
use crate::rights_cache::RightsCache;
use crate::{ConnId, Identity, Record, SessionNumber};

/// Names a session of a shard, until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) u32);

/// The Session State of one client (section 4.1), connected or not.
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) conn: Option<ConnId>,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) filters: FilterSet,
    /// The will of the present connection.
    pub(crate) will: Option<Box<StoredWill>>,
    /// The will of the last connection, waiting for its delay.
    pub(crate) pending_will: Option<PendingWill>,
    /// What copies in the store must not be sent any more.
    pub(crate) denied: Option<Box<DeniedFilters>>,
    pub(crate) replays: Option<Box<RetainedReplays>>,
    /// What the authorizer has said of it lately.
    pub(crate) rights: Option<Box<RightsCache>>,
    /// The interval in force.
    pub(crate) expiry: SessionExpiry,
    /// The interval as the client asked for it in its CONNECT.
    pub(crate) expiry_in_connect: SessionExpiry,
    /// When it ends if the client does not come back; never while it is connected.
    pub(crate) ends_at: Timestamp,
    /// The deadline set in the timers.
    pub(crate) armed: Timestamp,
    /// Its name in the store, if that knows it: then it is told of every change.
    pub(crate) recorded: Option<SessionNumber>,
}

impl Session {
    pub(crate) fn client_id(&self) -> &Arc<str> {
        &self.identity.client_id
    }

    /// The store need not keep its will any longer.
    pub(crate) fn record_will_gone(&self, records: &mut Vec<Record>) {
        records.extend(self.recorded.map(|session| Record::WillGone { session }));
    }

    /// A copy is not owed any more, without having been delivered.
    pub(crate) fn record_dropped(&self, copy: StoredCopy, records: &mut Vec<Record>) {
        record_dropped(self.recorded, copy, records);
    }

    /// When something is to be done for it without its client.
    pub(crate) fn deadline(&self) -> Timestamp {
        let will_due = self.pending_will.as_ref().map_or(Timestamp::NEVER, PendingWill::due);
        self.ends_at.min(will_due)
    }
}

/// As [`Session::record_dropped`], where the session is in use.
pub(crate) fn record_dropped(recorded: Option<SessionNumber>, copy: StoredCopy, records: &mut Vec<Record>) {
    if let Some(session) = recorded.filter(|_| copy.parts.any()) {
        records.push(Record::Dropped { session, copy });
    }
}

/// The sessions of a shard.
pub(crate) struct Sessions {
    slab: Slab<Session>,
    /// By client identifier, which is in the session: an entry takes five bytes.
    by_client_id: HashTable<SessionId>,
    hasher: RandomState,
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, seed.rotate_left(24), !seed, 0x9E37_79B9_7F4A_7C15);
        Self { slab: Slab::new(), by_client_id: HashTable::new(), hasher }
    }

    /// Precondition: no other session has its client identifier.
    pub(crate) fn insert(&mut self, session: Session) -> SessionId {
        let hash = self.hasher.hash_one(&**session.client_id());
        let id = SessionId(u32::try_from(self.slab.insert(session)).expect("sessions_max is below 2^32"));
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.by_client_id.insert_unique(hash, id, |id| hasher.hash_one(&**slab[id.0 as usize].client_id()));
        id
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<SessionId> {
        let is_it = |id: &SessionId| **self.slab[id.0 as usize].client_id() == *client_id;
        self.by_client_id.find(self.hasher.hash_one(client_id), is_it).copied()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slab.get(id.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slab.get_mut(id.0 as usize)
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.slab.try_remove(id.0 as usize)?;
        let hash = self.hasher.hash_one(&**session.client_id());
        if let Ok(entry) = self.by_client_id.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        Some(session)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slab.iter_mut().map(|(_, session)| session)
    }

    /// As [`Self::iter`], from a place on, which is a number below that of all places that follow.
    pub(crate) fn iter_from(&self, place: u32) -> impl Iterator<Item = (u32, Option<&Session>)> {
        let places = place..u32::try_from(self.slab.capacity()).unwrap_or(u32::MAX);
        places.map(|place| (place, self.slab.get(place as usize)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.slab.iter().map(|(index, session)| (SessionId(index as u32), session))
    }
}

/// What an operator may see of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a> {
    /// The client identifier.
    pub client_id: &'a str,
    /// The name that permissions go by.
    pub user_name: Option<&'a str>,
    /// Its connection, if the client is connected.
    pub conn: Option<ConnId>,
    /// Copies of messages waiting.
    pub queued_messages: usize,
    /// Bytes of those copies.
    pub queued_bytes: usize,
    /// When the broker received what waits longest, of what is in memory.
    pub oldest_queued_at: Option<Timestamp>,
    /// Copies sent and not yet acknowledged.
    pub inflight_messages: usize,
    /// Number of subscriptions.
    pub subscriptions: usize,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub expiry_interval_seconds: u32,
    /// When it ends if the client does not come back.
    pub ends_at: Timestamp,
}

impl<'a> SessionView<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self {
            client_id: session.client_id(),
            user_name: session.identity.user_name.as_deref(),
            conn: session.conn,
            queued_messages: session.sender.queue_len(),
            queued_bytes: session.sender.queue_bytes(),
            oldest_queued_at: session.sender.queued().next().map(|delivery| delivery.message.received_at),
            inflight_messages: session.sender.inflight_len(),
            subscriptions: session.filters.len(),
            expiry_interval_seconds: session.expiry.seconds(),
            ends_at: session.ends_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 232, "{}", size_of::<Session>());
    }
}
