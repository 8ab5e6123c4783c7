//! A will is published once, when it is due and not before [MQTT-3.1.2-8], or never: after DISCONNECT [MQTT-3.1.2-10]
//! or if the client comes back in time [MQTT-3.1.3-9].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ferry_codec::QoS;
use ferry_session::Timestamp;

use super::{Oracle, Rules};
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct WillOnce {
    rules: Rc<Rules>,
    due: BTreeMap<MessageId, Timestamp>,
    cancelled: BTreeMap<MessageId, Timestamp>,
    uncertain: BTreeSet<MessageId>,
    /// How often each may have been published, if more than once: that it was published may have been forgotten.
    times: BTreeMap<MessageId, u32>,
    copies: BTreeMap<(usize, MessageId), u32>,
    /// When each client was sent a copy with QoS 1: a restart may have forgotten that.
    sent: Vec<(Timestamp, usize, MessageId)>,
    /// How many subscriptions each client had at most: what was queued then may come later.
    subscriptions_max: BTreeMap<usize, u32>,
}

impl WillOnce {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            due: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            times: BTreeMap::new(),
            copies: BTreeMap::new(),
            sent: Vec::new(),
            subscriptions_max: BTreeMap::new(),
        }
    }
}

impl WillOnce {
    /// Of what happened lately nobody may know any more: a will is there again, or published again.
    fn crashed(&mut self, durable_through: Timestamp) {
        let forgotten = self.cancelled.iter().filter(|(_, at)| **at >= durable_through);
        self.uncertain.extend(forgotten.map(|(message, _)| *message));
        self.cancelled.retain(|_, at| *at < durable_through);
        for (at, client, message) in std::mem::take(&mut self.sent) {
            if at >= durable_through
                && let Some(copies) = self.copies.get_mut(&(client, message))
            {
                *copies = copies.saturating_sub(1);
            }
        }
        let recent = self.due.iter().filter(|(_, at)| **at >= durable_through).map(|(message, _)| *message);
        let recent: BTreeSet<_> = recent.chain(self.uncertain.iter().copied()).collect();
        recent.into_iter().for_each(|message| *self.times.entry(message).or_default() += 1);
    }
}

impl Oracle for WillOnce {
    fn property(&self) -> &'static str {
        "will once"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::WillDue { message } => drop(self.due.insert(*message, model.network_now)),
            // Of an uncertain one nobody knows whether it was published before.
            Fact::WillCancelled { message } if !self.uncertain.contains(message) => {
                self.cancelled.insert(*message, model.network_now);
            }
            Fact::WillUncertain { message } => drop(self.uncertain.insert(*message)),
            Fact::Crashed { survival } => {
                self.crashed(survival.of(model.durability_of_sessions()).unwrap_or_default());
            }
            Fact::Subscribing { client } => {
                let count = model.sessions[*client].subscriptions.len() as u32;
                let most = self.subscriptions_max.entry(*client).or_default();
                *most = count.max(*most);
            }
            Fact::Sent { client, copy, .. } => {
                let Some(message) = copy.message.filter(|message| model.journal.get(*message).is_will) else {
                    return Ok(());
                };
                if self.cancelled.contains_key(&message) {
                    return Err(format!("client {client} was sent {message:?}, a will that was cancelled"));
                }
                if !self.due.contains_key(&message) && !self.uncertain.contains(&message) {
                    return Err(format!("client {client} was sent {message:?}, a will, too early"));
                }
                if copy.dup || copy.retain {
                    return Ok(());
                }
                let copies = self.copies.entry((*client, message)).or_default();
                *copies += 1;
                if copy.qos == QoS::AtLeastOnce {
                    self.sent.push((model.network_now, *client, message));
                }
                let copies_max = self.subscriptions_max.get(client).copied().unwrap_or(1);
                let copies_max = match self.rules.config.overlapping_subscriptions {
                    ferry_core::OverlappingSubscriptions::Once => 1,
                    ferry_core::OverlappingSubscriptions::Each => copies_max,
                };
                if *copies > copies_max * (1 + self.times.get(&message).copied().unwrap_or(0)) {
                    return Err(format!("client {client} was sent {message:?}, a will, {copies} times"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
