use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::commit::{Commit, Promise};
use crate::response::Wait;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{Record, SessionNumber};

/// Above this many ends that are not durable, all clients wait for all of them.
const ENDS_MAX: usize = 65_536;

/// Ends of sessions that the store has been told of and does not keep for sure yet.
#[derive(Default)]
pub(crate) struct SessionEnds {
    by_client_id: BTreeMap<Arc<str>, Promise>,
    /// The same, in the order of the promises.
    order: VecDeque<(Promise, Arc<str>)>,
    /// The newest of those that were too many to be remembered one by one.
    others: Option<Promise>,
}

impl SessionEnds {
    fn add(&mut self, client_id: &Arc<str>, promise: Promise) {
        if self.order.len() >= ENDS_MAX {
            self.by_client_id.clear();
            self.order.clear();
            self.others = Some(promise);
            return;
        }
        self.by_client_id.insert(Arc::clone(client_id), promise);
        self.order.push_back((promise, Arc::clone(client_id)));
    }

    /// What has to be kept before this client may be told that it has no session.
    pub(crate) fn of(&self, client_id: &str, commit: &Commit) -> Option<Promise> {
        let own = self.by_client_id.get(client_id).copied();
        own.max(self.others).filter(|promise| !commit.is_kept(*promise))
    }

    /// Forgets the ends that are durable.
    pub(crate) fn forget_kept(&mut self, commit: &Commit) {
        while let Some((promise, client_id)) = self.order.front()
            && commit.is_kept(*promise)
        {
            // The client may have ended another session since.
            if self.by_client_id.get(client_id) == Some(promise) {
                self.by_client_id.remove(client_id);
            }
            self.order.pop_front();
        }
        self.others = self.others.filter(|promise| !commit.is_kept(*promise));
    }
}

impl Shard {
    /// What a CONNACK without a session waits for: a restart must not bring back what the client is told is not there
    /// [MQTT-3.2.2-3] [MQTT3-3.2.2-3].
    pub(crate) fn new_session_wait(&self, turn: &mut Turn<'_>, client_id: &str, recorded: bool) -> Wait {
        let wait = self.state_wait(turn, recorded);
        match (self.session_ends.of(client_id, &self.commit), wait.promise) {
            (None, _) => wait,
            (ended, None) => Wait { promise: ended, receipts: 0 },
            (Some(_), Some(_)) => {
                Wait { promise: self.commit.promise(turn.effects, self.config.durability_max()), receipts: 0 }
            }
        }
    }

    /// The store need not keep a session any longer. It is to know soon, even if nobody waits for it: if the power
    /// failed before, a restart would find the session, and its client may have been told that there is none
    /// [MQTT-3.2.2-3] [MQTT-4.1.0-2].
    ///
    /// The level is the strongest of all, even where that of sessions is weaker: what an old session knows of packet
    /// identifiers must not be mixed with what is promised of the messages of a new one.
    pub(crate) fn record_session_ended(
        &mut self,
        turn: &mut Turn<'_>,
        client_id: &Arc<str>,
        session: SessionNumber,
    ) {
        turn.effects.records.push(Record::SessionEnded { session });
        if let Some(promise) = self.commit.promise(turn.effects, self.config.durability_max()) {
            self.session_ends.add(client_id, promise);
        }
    }
}
