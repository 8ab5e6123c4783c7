//! A will is published once, when it is due and not before [MQTT-3.1.2-8], or never: after DISCONNECT [MQTT-3.1.2-10]
//! or if the client comes back in time [MQTT-3.1.3-9].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Oracle, Rules};
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct WillOnce {
    rules: Rc<Rules>,
    due: BTreeSet<MessageId>,
    cancelled: BTreeSet<MessageId>,
    uncertain: BTreeSet<MessageId>,
    copies: BTreeMap<(usize, MessageId), u32>,
    /// How many subscriptions each client had at most: what was queued then may come later.
    subscriptions_max: BTreeMap<usize, u32>,
}

impl WillOnce {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            due: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            copies: BTreeMap::new(),
            subscriptions_max: BTreeMap::new(),
        }
    }
}

impl Oracle for WillOnce {
    fn property(&self) -> &'static str {
        "will once"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::WillDue { message } => drop(self.due.insert(*message)),
            Fact::WillCancelled { message } => drop(self.cancelled.insert(*message)),
            Fact::WillUncertain { message } => drop(self.uncertain.insert(*message)),
            Fact::Subscribing { client } => {
                let count = model.sessions[*client].subscriptions.len() as u32;
                let most = self.subscriptions_max.entry(*client).or_default();
                *most = count.max(*most);
            }
            Fact::Sent { client, copy, .. } => {
                let Some(message) = copy.message.filter(|message| model.journal.get(*message).is_will) else {
                    return Ok(());
                };
                if self.cancelled.contains(&message) {
                    return Err(format!("client {client} was sent {message:?}, a will that was cancelled"));
                }
                if !self.due.contains(&message) && !self.uncertain.contains(&message) {
                    return Err(format!("client {client} was sent {message:?}, a will, too early"));
                }
                if copy.dup || copy.retain {
                    return Ok(());
                }
                let copies = self.copies.entry((*client, message)).or_default();
                *copies += 1;
                let copies_max = self.subscriptions_max.get(client).copied().unwrap_or(1);
                let copies_max = match self.rules.config.overlapping_subscriptions {
                    ferry_core::OverlappingSubscriptions::Once => 1,
                    ferry_core::OverlappingSubscriptions::Each => copies_max,
                };
                if *copies > copies_max {
                    return Err(format!("client {client} was sent {message:?}, a will, {copies} times"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
