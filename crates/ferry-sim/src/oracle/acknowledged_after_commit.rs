//! Nothing is acknowledged before what it stands for is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ferry_core::{Durability, Record, SessionNumber, Ticket};
use ferry_router::ShardId;

use super::{Oracle, is_shared_topic};
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

type Batch = (ShardId, Ticket);

#[derive(Default)]
pub(super) struct AcknowledgedAfterCommit {
    committed: BTreeMap<(ShardId, Durability), Ticket>,
    /// Batches with the end of a session that the client has not heard of.
    ended: BTreeMap<String, Batch>,
    /// Whose session it is.
    owners: BTreeMap<SessionNumber, String>,
    /// Batches with copies of the message, for whom, or with it as retained.
    copies: BTreeMap<MessageId, Vec<(Option<String>, Batch)>>,
    /// Batches with the subscription, as often as it was made and is not yet granted.
    subscriptions: BTreeMap<(String, String), VecDeque<Batch>>,
    /// Batches with the packet identifier of a QoS 2 message.
    received: BTreeMap<(String, u16), Batch>,
    acknowledged: BTreeSet<MessageId>,
    published_again: BTreeSet<MessageId>,
    published: BTreeSet<MessageId>,
}

impl AcknowledgedAfterCommit {
    fn is_committed(&self, (shard, ticket): &Batch, durability: Durability) -> bool {
        let as_durable = |level: Durability| {
            level >= durability
                && self.committed.get(&(*shard, level)).is_some_and(|committed| committed >= ticket)
        };
        [Durability::Os, Durability::Fsync].into_iter().any(as_durable) || !durability.is_stored()
    }

    fn recorded(&mut self, model: &Model, batch: Batch, record: &Record) -> Result<(), String> {
        match record {
            Record::Queued { message, .. } | Record::Retained { message, .. } => {
                let Some(id) = model.journal.identify(&message.payload) else { return Ok(()) };
                let authored = model.journal.get(id);
                // A retained message is copied for each new subscriber, a share group's may change its member, and
                // for a will nobody waits.
                let is_queued = matches!(record, Record::Queued { .. });
                if authored.is_will || is_shared_topic(&authored.topic) || (is_queued && authored.retain) {
                    return Ok(());
                }
                let owner = match record {
                    Record::Queued { session, .. } => self.owners.get(session).cloned(),
                    _ => None,
                };
                self.copies.entry(id).or_default().push((owner, batch));
                let is_late = self.acknowledged.contains(&id) && !self.published_again.contains(&id);
                if is_late {
                    return Err(format!("{id:?} was acknowledged before {record:?} was recorded"));
                }
            }
            Record::Session { session, client_id, .. } => {
                self.owners.insert(*session, client_id.to_string());
            }
            Record::SessionEnded { session } => {
                let owner = self.owners.get(session).cloned().unwrap_or_default();
                self.ended.insert(owner, batch);
            }
            Record::Subscribed { session, filter, .. } => {
                let owner = self.owners.get(session).cloned().unwrap_or_default();
                self.subscriptions.entry((owner, filter.to_string())).or_default().push_back(batch);
            }
            Record::Received { session, packet_id } => {
                let owner = self.owners.get(session).cloned().unwrap_or_default();
                self.received.insert((owner, packet_id.get()), batch);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Oracle for AcknowledgedAfterCommit {
    fn property(&self) -> &'static str {
        "acknowledged after commit"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Recorded { shard, ticket, record } => {
                return self.recorded(model, (*shard, *ticket), record);
            }
            Fact::Committed { shard, ticket, durability } => {
                self.committed.insert((*shard, *durability), *ticket);
            }
            // Otherwise it was let in before another connection ended the session.
            Fact::Connected { client, link, .. } if model.is_latest(*client, *link) => {
                let ended = self.ended.remove(&crate::client_id(*client));
                let durability = model.durability_of_sessions();
                if let Some(batch) = ended.filter(|batch| !self.is_committed(batch, durability)) {
                    return Err(format!("client {client} was let in before {batch:?}, its session's end"));
                }
            }
            Fact::Published { message: Some(message), is_repeated: false, .. }
                if !self.published.insert(*message) =>
            {
                self.published_again.insert(*message);
                // Nobody was told that the first one is durable.
                self.copies.remove(message);
            }
            Fact::Acknowledged { client, packet_id, message: Some(message), is_success: true } => {
                let is_first = self.acknowledged.insert(*message);
                let copies = self.copies.get(message).into_iter().flatten().map(|(_, batch)| batch);
                let received = self.received.get(&(crate::client_id(*client), packet_id.get()));
                let durability = model.durability_of(*message);
                let mut pending =
                    copies.chain(received).filter(|batch| !self.is_committed(batch, durability));
                if is_first && let Some(batch) = pending.next() {
                    return Err(format!("{message:?} of client {client} was acknowledged before {batch:?}"));
                }
            }
            Fact::SessionLost { client } => {
                let client_id = crate::client_id(*client);
                self.received.retain(|(other, _), _| *other != client_id);
                for copies in self.copies.values_mut() {
                    copies.retain(|(owner, _)| owner.as_ref() != Some(&client_id));
                }
            }
            Fact::Gone { client, link } if model.sessions[*client].live == Some(*link) => {
                // Nobody is waiting for SUBACK any more.
                let client_id = crate::client_id(*client);
                self.subscriptions.retain(|(other, _), _| *other != client_id);
            }
            Fact::Granted { client, filter, .. } => {
                let made = self.subscriptions.get_mut(&(crate::client_id(*client), (*filter).to_owned()));
                let oldest = made.and_then(VecDeque::pop_front);
                let durability = model.durability_of_sessions();
                if let Some(batch) = oldest.filter(|batch| !self.is_committed(batch, durability)) {
                    return Err(format!("{filter} of client {client} was granted before {batch:?}"));
                }
            }
            Fact::Crashed { .. } => {
                let (published, owners) =
                    (std::mem::take(&mut self.published), std::mem::take(&mut self.owners));
                *self = Self { published, owners, ..Self::default() }
            }
            _ => {}
        }
        Ok(())
    }
}
