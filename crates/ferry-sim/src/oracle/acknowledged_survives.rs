//! What was acknowledged survives a crash: the records say for each session what it is owed. That they are durable in
//! time is the business of `acknowledged_after_commit`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ferry_codec::QoS;
use ferry_codec::topic::matches;
use ferry_core::{Record, SessionNumber};
use ferry_session::Timestamp;

use super::{ON_THE_WAY_MILLISECONDS, Oracle, Rules, is_shared_topic};
use crate::fact::{Copy, Fact};
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct AcknowledgedSurvives {
    rules: Rc<Rules>,
    sessions: BTreeMap<SessionNumber, Recorded>,
    /// Clients whose old session is recorded as ended before they were told.
    ended: BTreeSet<usize>,
    /// Sessions that each message must reach.
    owed: BTreeMap<MessageId, Owed>,
    /// Sessions that have ended.
    over: BTreeSet<SessionNumber>,
    /// Sessions of before a restart: that they are still there is seen by what is delivered.
    restored: BTreeSet<SessionNumber>,
}

struct Owed {
    published: Timestamp,
    clients: BTreeSet<usize>,
}

impl Owed {
    fn forget(&mut self, client: usize) {
        self.clients.remove(&client);
    }
}

/// A session as its records describe it.
#[derive(Default)]
struct Recorded {
    /// What it is owed, by sequence number.
    copies: BTreeMap<u64, Option<MessageId>>,
    /// Sequence numbers of copies of which only the packet identifier is recorded.
    only_sent: BTreeSet<u64>,
    /// What was sent under each packet identifier last.
    sent: BTreeMap<u16, Option<MessageId>>,
    /// Everything that it was ever owed.
    seen: BTreeSet<MessageId>,
}

impl AcknowledgedSurvives {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            sessions: BTreeMap::new(),
            ended: BTreeSet::new(),
            owed: BTreeMap::new(),
            over: BTreeSet::new(),
            restored: BTreeSet::new(),
        }
    }

    fn recorded(&mut self, model: &Model, record: &Record) -> Result<(), String> {
        let number = match record {
            Record::Queued { session, .. }
            | Record::Sent { session, .. }
            | Record::Completed { session, .. }
            | Record::Dropped { session, .. } => Some(*session),
            _ => None,
        };
        if number.is_some_and(|number| self.restored.contains(&number)) {
            return Ok(());
        }
        let session = match record {
            Record::Session { session, .. } => {
                if !self.restored.contains(session) {
                    self.sessions.entry(*session).or_default();
                }
                return Ok(());
            }
            Record::SessionEnded { session } => {
                self.sessions.remove(session);
                self.over.insert(*session);
                if let Some(client) = model.owner(*session) {
                    self.ended.insert(client);
                    self.owed.values_mut().for_each(|owed| owed.forget(client));
                }
                return Ok(());
            }
            Record::Queued { session, .. }
            | Record::Sent { session, .. }
            | Record::Completed { session, .. }
            | Record::Dropped { session, .. } => self.sessions.get_mut(session),
            _ => return Ok(()),
        };
        let Some(session) = session else {
            return Err(format!("{record:?} for a session that is not recorded"));
        };
        let has_memory = self.rules.has_memory();
        let is_owed = match record {
            Record::Queued { sequence, message, packet_id, .. } => {
                let message = model.journal.identify(&message.payload);
                session.copies.insert(*sequence, message);
                session.seen.extend(message);
                session.sent.extend(packet_id.map(|packet_id| (packet_id.get(), message)));
                return Ok(());
            }
            Record::Sent { sequence, packet_id, .. } => {
                let message = session.copies.get(sequence).copied();
                session.sent.extend(message.map(|message| (packet_id.get(), message)));
                if message.is_none() {
                    session.sent.remove(&packet_id.get());
                    session.only_sent.insert(*sequence);
                }
                message.is_some() || has_memory
            }
            Record::Completed { copy, .. } | Record::Dropped { copy, .. } => {
                session.copies.remove(&copy.sequence).is_some() || session.only_sent.remove(&copy.sequence)
            }
            _ => true,
        };
        if !is_owed {
            return Err(format!("{record:?} for a copy that is not owed"));
        }
        Ok(())
    }

    fn session(&self, model: &Model, client: usize) -> Option<&Recorded> {
        let mut sessions = self.sessions.iter();
        sessions.find(|(session, _)| model.owner(**session) == Some(client)).map(|(_, session)| session)
    }

    /// What is sent under a packet identifier is what the records have there.
    fn sent(&self, model: &Model, client: usize, copy: &Copy) -> Result<(), String> {
        let (Some(packet_id), Some(session)) = (copy.packet_id, self.session(model, client)) else {
            return Ok(());
        };
        // An empty payload does not say which topic it was for.
        let is_stored =
            copy.message.map_or(!self.rules.has_memory(), |message| model.durability_of(message).is_stored());
        if !is_stored {
            return Ok(());
        }
        match session.sent.get(&packet_id.get()) {
            Some(message) if *message == copy.message => Ok(()),
            other => Err(format!("client {client} was sent {copy:?}, but {other:?} is recorded for it")),
        }
    }
}

impl Oracle for AcknowledgedSurvives {
    fn property(&self) -> &'static str {
        "acknowledged survives"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Recorded { record, .. } => return self.recorded(model, record),
            Fact::Sent { client, copy, .. } if copy.qos > QoS::AtMostOnce => {
                return self.sent(model, *client, copy);
            }
            Fact::Published {
                message: Some(message), is_repeated: false, is_certain: true, topic, ..
            } if model.is_store_writable
                && model.durability_of(*message).is_stored()
                && self.rules.must_arrive(model, *message)
                && !is_shared_topic(topic) =>
            {
                let clients = self.rules.owed_to(model, *message);
                let lives = |client: &usize| !self.ended.contains(client);
                let clients = clients.into_iter().filter(lives).collect();
                self.owed.insert(*message, Owed { published: model.network_now, clients });
            }
            Fact::Acknowledged { message: Some(message), is_success: true, .. } => {
                for client in self.owed.remove(message).into_iter().flat_map(|owed| owed.clients) {
                    let session = self.session(model, client);
                    if session.is_some_and(|session| !session.seen.contains(message)) {
                        return Err(format!("{message:?} is not recorded for client {client}"));
                    }
                }
            }
            Fact::SessionLost { client } => {
                self.ended.remove(client);
                self.owed.values_mut().for_each(|owed| owed.forget(*client));
            }
            // What is refused now is owed to those who have subscribed when it comes again.
            Fact::StoreHealth { writable: false } => self.owed.clear(),
            Fact::Subscribing { client } => {
                // What is on its way to another shard may find the new subscription, with a lower QoS.
                let now = model.network_now.0;
                let recent = |owed: &&mut Owed| owed.published.0 + ON_THE_WAY_MILLISECONDS >= now;
                self.owed.values_mut().filter(recent).for_each(|owed| owed.forget(*client));
            }
            Fact::Unsubscribing { client, filter } => {
                for (message, owed) in &mut self.owed {
                    if matches(filter, &model.journal.get(*message).topic) {
                        owed.forget(*client);
                    }
                }
            }
            Fact::Crashed { .. } => {
                self.restored.extend(std::mem::take(&mut self.sessions).into_keys());
                // That they are over may have been lost.
                self.restored.append(&mut self.over);
                self.ended.clear();
                self.owed.clear();
            }
            _ => {}
        }
        Ok(())
    }
}
