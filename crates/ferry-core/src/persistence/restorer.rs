use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferry_router::RetainedLimits;
use ferry_session::Message;

use super::draft::{Bodies, Draft};
use super::message_value::read_message_value;
use super::{EntryKey, Flaw, Forwarded, Restored, RestoredSession, Space};
use crate::{RetainedMessage, SessionNumber, Shared};

/// Makes sessions and retained messages of entries. Give it all entries, in the order of their keys; then the bodies
/// it asks for; then take what it has made.
///
/// Only what the first moments need is kept in memory: messages on their way, copies of shared subscriptions, and
/// retained messages. Of other copies only their place in the queue is.
pub struct Restorer {
    shared: Arc<Shared>,
    restored: Restored,
    drafts: Vec<Draft>,
    bodies: Bodies,
    value: Vec<u8>,
    /// So that all messages of a client share its name.
    publishers: BTreeSet<Arc<str>>,
    /// Of the numbers of sessions, bodies and retained messages.
    greatest_number: u64,
}

const UNLIMITED: RetainedLimits = RetainedLimits { count_max: usize::MAX, bytes_max: usize::MAX };

impl Restorer {
    /// Puts the retained messages into `shared`, which must be new: its shards are made afterwards.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            restored: Restored::default(),
            drafts: Vec::new(),
            bodies: Bodies::new(),
            value: Vec::new(),
            publishers: BTreeSet::new(),
            greatest_number: 0,
        }
    }

    /// The next entry. `refers_to` is the key that its value refers to; `read` appends the value, `false` if that
    /// cannot be read. Values that are not needed are not read.
    pub fn entry(
        &mut self,
        key: EntryKey,
        refers_to: Option<EntryKey>,
        read: &mut dyn FnMut(&mut Vec<u8>) -> bool,
    ) {
        let number = if key.group == 0 { key.item } else { key.group };
        self.greatest_number = self.greatest_number.max(number);
        let space = Space::from_number(key.space);
        if (key.group, space) == (0, Some(Space::Body)) {
            return;
        }
        self.value.clear();
        if !read(&mut self.value) {
            // The session it belongs to is there all the same.
            key.session().into_iter().for_each(|session| self.begin(session));
            return self.restored.useless(key, Flaw::Unreadable);
        }
        match (key.session(), space) {
            (None, Some(Space::Retained)) => self.retained(key),
            (None, Some(Space::Forwarded)) => match Forwarded::read(key.item, &self.value) {
                Some(forwarded) => self.restored.forwarded.push(forwarded),
                None => self.restored.useless(key, Flaw::Undecodable),
            },
            (Some(session), Some(space)) => {
                self.begin(session);
                let Some(draft) = self.drafts.last_mut() else { return };
                if !draft.entry(space, key.item, &self.value, refers_to, &mut self.bodies) {
                    self.restored.useless(key, Flaw::Undecodable);
                }
            }
            // Kept: a later version may know it.
            _ => self.restored.report.flaw(key, Flaw::UnknownKind),
        }
    }

    /// The bodies that are needed, to be read after the last entry and given to [`body`](Self::body).
    #[must_use]
    pub fn bodies_wanted(&self) -> Vec<EntryKey> {
        self.bodies.keys().copied().collect()
    }

    /// A body that is wanted. One that is never given is lost.
    pub fn body(&mut self, key: EntryKey, value: &[u8]) {
        let message = self.message(value);
        self.bodies.insert(key, message);
    }

    /// What there is.
    #[must_use]
    pub fn finish(self) -> Restored {
        let Self { shared, mut restored, drafts, bodies, greatest_number, .. } = self;
        shared.numbers_are_taken(greatest_number);
        let mut by_client_id: BTreeMap<Arc<str>, SessionNumber> = BTreeMap::new();
        for draft in &drafts {
            // The later of two sessions of a client holds.
            by_client_id.extend(draft.client_id().map(|client_id| (Arc::clone(client_id), draft.number)));
        }
        for draft in drafts {
            let number = draft.number;
            let key = Space::Session.of_session(number, 0);
            let flaw = match draft.client_id() {
                None => Some(Flaw::WithoutSession),
                Some(client_id) => {
                    by_client_id.get(client_id).filter(|last| **last != number).map(|_| Flaw::Duplicate)
                }
            };
            if let Some(flaw) = flaw {
                restored.report.flaw(key, flaw);
                restored.useless_groups.push(number.0.get());
            } else {
                let session = draft.assemble(&bodies, &mut restored);
                restored.sessions.extend(session);
            }
        }
        let Restored { sessions, report, .. } = &mut restored;
        report.sessions = sessions.len();
        report.subscriptions = sessions.iter().map(|session| session.subscriptions.len()).sum();
        report.copies = sessions.iter().map(RestoredSession::copies).sum();
        report.retained_messages = shared.retained.len();
        restored
    }

    /// Entries of this session follow.
    fn begin(&mut self, session: SessionNumber) {
        if self.drafts.last().is_none_or(|draft| draft.number != session) {
            self.drafts.push(Draft::new(session));
        }
    }

    fn message(&mut self, value: &[u8]) -> Option<Arc<Message>> {
        let mut message = read_message_value(value)?;
        if let Some(publisher) = Arc::get_mut(&mut message).and_then(|message| message.publisher.as_mut()) {
            if let Some(known) = self.publishers.get(publisher) {
                *publisher = Arc::clone(known);
            } else {
                self.publishers.insert(Arc::clone(publisher));
            }
        }
        Some(message)
    }

    fn retained(&mut self, key: EntryKey) {
        let value = std::mem::take(&mut self.value);
        let message = self.message(&value);
        self.value = value;
        let Some(message) = message else {
            return self.restored.useless(key, Flaw::Undecodable);
        };
        let topic = message.topic.clone();
        let kept = RetainedMessage { message, number: key.item };
        // Of two messages of a topic the one that got its number later is the newer one.
        if let Ok(Some(old)) = self.shared.retained.set_with(topic, kept, &UNLIMITED, |_, _| {}) {
            self.restored.useless(Space::Retained.of_broker(old.number), Flaw::Duplicate);
        }
    }
}
