//! QoS 2: a message arrives exactly once [MQTT-4.3.3-10]; that it arrives at all is the business of `at_least_once`.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ferry_codec::QoS;
use ferry_session::Timestamp;

use super::{ON_THE_WAY_MILLISECONDS, Oracle, Rules, is_shared_topic};
use crate::fact::{Copy, Fact};
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct ExactlyOnce {
    allowance: Allowance,
}

impl ExactlyOnce {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self { allowance: Allowance::new(rules) }
    }
}

impl Oracle for ExactlyOnce {
    fn property(&self) -> &'static str {
        "exactly once"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        self.allowance.grow(model, fact);
        match fact {
            Fact::Delivered { client, copy, is_new: true } if copy.qos == QoS::ExactlyOnce => {
                self.allowance.take(model, *client, copy)
            }
            _ => Ok(()),
        }
    }
}

/// How many more copies of each message each client may get. Messages for share groups have one account for all
/// clients, `None`.
pub(super) struct Allowance {
    rules: Rc<Rules>,
    copies: BTreeMap<(Option<usize>, MessageId), u32>,
    used: BTreeMap<(Option<usize>, MessageId), u32>,
    /// Publications that may still be on their way to other shards.
    recent: VecDeque<Recent>,
    /// QoS 1 copies, and QoS 2 copies for share groups, that were sent, when, and to whom.
    sent: VecDeque<(Timestamp, Option<usize>, MessageId)>,
}

struct Recent {
    at: Timestamp,
    message: MessageId,
    /// What each client was allowed for this publication.
    copies: Vec<u32>,
}

impl Allowance {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            copies: BTreeMap::new(),
            used: BTreeMap::new(),
            recent: VecDeque::new(),
            sent: VecDeque::new(),
        }
    }

    /// A publication gives every subscriber of that moment a right to its copies.
    pub(super) fn grow(&mut self, model: &Model, fact: &Fact<'_>) {
        let (message, is_whole) = match fact {
            Fact::Published { message: Some(message), is_repeated: false, is_whole, .. } => {
                (message, *is_whole)
            }
            Fact::Subscribing { client } => return self.catch_up(model, *client),
            Fact::Sent { client, copy: Copy { message: Some(message), qos, .. }, .. } => {
                let is_shared = is_shared_topic(&model.journal.get(*message).topic);
                let account = if is_shared { None } else { Some(*client) };
                if is_shared == (*qos == QoS::ExactlyOnce) && *qos > QoS::AtMostOnce {
                    self.sent.push_back((model.network_now, account, *message));
                }
                return;
            }
            // Of what is on the disk the end is lost, whatever was promised of it.
            Fact::Crashed { survival } if self.rules.config.durability_max().is_stored() => {
                return self.send_again(survival.durable_through);
            }
            _ => return,
        };
        if is_shared_topic(&model.journal.get(*message).topic) {
            let copies = self.copies.entry((None, *message)).or_default();
            *copies = if is_whole { (*copies).max(1) } else { *copies + 1 };
            return;
        }
        let clients = 0..model.sessions.len();
        let copies: Vec<_> = clients.map(|client| self.rules.copies_max(model, client, *message)).collect();
        for (client, copies) in copies.iter().enumerate() {
            let allowed = self.copies.entry((Some(client), *message)).or_default();
            *allowed = if is_whole { (*allowed).max(*copies) } else { *allowed + copies };
        }
        self.recent.push_back(Recent { at: model.network_now, message: *message, copies });
    }

    /// That a QoS 1 copy was sent is durable only after a while: if it was lost, the copy is sent as if for the first
    /// time. Nor is it durable at once that a member of a share group got another one's copy, and if its session is
    /// lost too, somebody else gets it.
    fn send_again(&mut self, durable_through: Timestamp) {
        for (at, account, message) in std::mem::take(&mut self.sent) {
            if at >= durable_through {
                *self.copies.entry((account, message)).or_default() += 1;
            }
        }
    }

    /// Uses up one. Retained messages come as often as one subscribes, and wills have their own oracle.
    pub(super) fn take(&mut self, model: &Model, client: usize, copy: &Copy) -> Result<(), String> {
        let Some(message) = copy.message.filter(|_| !copy.retain) else { return Ok(()) };
        let authored = model.journal.get(message);
        if authored.is_will {
            return Ok(());
        }
        let is_shared = is_shared_topic(&authored.topic);
        if is_shared && copy.qos == QoS::AtLeastOnce {
            // When a member goes another one may get its messages as well.
            return Ok(());
        }
        let account = if is_shared { None } else { Some(client) };
        let used = self.used.entry((account, message)).or_default();
        *used += 1;
        if *used > self.copies.get(&(account, message)).copied().unwrap_or(0) {
            return Err(format!(
                "client {client} got {message:?} ({}) once too often: {copy:?}",
                authored.topic
            ));
        }
        Ok(())
    }

    /// A message that is on its way to another shard also finds the subscriptions that are made meanwhile.
    fn catch_up(&mut self, model: &Model, client: usize) {
        while self
            .recent
            .front()
            .is_some_and(|recent| recent.at.0 + ON_THE_WAY_MILLISECONDS < model.network_now.0)
        {
            self.recent.pop_front();
        }
        for recent in &mut self.recent {
            let copies = self.rules.copies_max(model, client, recent.message);
            let more = copies.saturating_sub(recent.copies[client]);
            recent.copies[client] += more;
            *self.copies.entry((Some(client), recent.message)).or_default() += more;
        }
    }
}
