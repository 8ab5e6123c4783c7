//! The retained message of a topic is the last one that the broker took [MQTT-3.3.1-5], and none after an empty one
//! [MQTT-3.3.1-6]. Nor does a subscriber get it after the one that replaced it: it would take the old one for the last.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ferry_codec::QoS;
use ferry_core::Durability;
use ferry_session::Timestamp;

use super::{Oracle, Rest, Rules};
use crate::fact::{Copy, Fact, Survival};
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct RetainedLastWins {
    rules: Rc<Rules>,
    current: BTreeMap<String, MessageId>,
    /// Topics of wills of which nobody knows whether they were published.
    uncertain: BTreeSet<String>,
    /// When the broker took each retained message, by counting them; `None` if more than once.
    taken: BTreeMap<MessageId, Option<u64>>,
    /// The latest of them that each client was sent as a live message, by topic and QoS, and when.
    live: BTreeMap<(usize, String, QoS), (u64, Timestamp)>,
    /// When each topic's was set or cleared, and with what that somebody may be told to be durable.
    changed: BTreeMap<String, (Timestamp, Option<MessageId>)>,
    acknowledged: BTreeSet<MessageId>,
    /// Wills, and when they were cancelled, or published where nothing is stored: if that is forgotten, they are
    /// published once more, and nothing that is stored hides it.
    gone: BTreeMap<MessageId, Timestamp>,
    /// What the auditor was sent.
    audited: BTreeMap<String, MessageId>,
}

impl RetainedLastWins {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            current: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            taken: BTreeMap::new(),
            live: BTreeMap::new(),
            changed: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            gone: BTreeMap::new(),
            audited: BTreeMap::new(),
        }
    }

    /// A retained message that comes after a newer one, on the same way, is an old one that was kept too long.
    fn sent(&mut self, model: &Model, client: usize, copy: &Copy) -> Result<(), String> {
        let Some(message) = copy.message.filter(|_| !copy.dup) else { return Ok(()) };
        let topic = &model.journal.get(message).topic;
        let Some(Some(taken)) = self.taken.get(&message) else { return Ok(()) };
        // With Retain As Published the flag does not say which of the two it is.
        if model.matching(client, topic).any(|subscription| subscription.options.retain_as_published) {
            return Ok(());
        }
        let live = self.live.entry((client, topic.clone(), copy.qos)).or_default();
        if !copy.retain {
            *live = (*live).max((*taken, model.network_now));
        } else if *taken < live.0 {
            return Err(format!(
                "client {client} was sent {message:?} as retained after a newer one on {topic}"
            ));
        }
        Ok(())
    }

    /// Changes of lately that were not acknowledged may be lost, and all that only memory had are.
    fn crashed(&mut self, survival: Survival) {
        for (topic, (at, message)) in &self.changed {
            let durability = self.rules.config.durability_of(topic);
            if durability == Durability::Memory && survival.weakest > durability {
                self.current.remove(topic);
                // A will of before may be published again.
                self.live.retain(|(_, other, _), _| other != topic);
                continue;
            }
            let is_acknowledged = message.is_some_and(|message| self.acknowledged.contains(&message));
            let must_survive = |durable: Timestamp| *at < durable || is_acknowledged;
            if !survival.of(durability).is_some_and(must_survive) {
                self.uncertain.insert(topic.clone());
                self.live.retain(|(_, other, _), _| other != topic);
            }
        }
    }

    /// That a copy was sent lately may have been forgotten: then all that waited is sent once more, from the first one on and
    /// without DUP.
    fn forget_sent(&mut self, durable_through: Timestamp) {
        self.live.retain(|_, (_, sent_at)| *sent_at < durable_through);
    }

    /// That a will was cancelled or published lately may have been forgotten: then it is published.
    fn forget_gone(&mut self, model: &Model, durable_through: Timestamp) {
        let gone = std::mem::take(&mut self.gone).into_iter();
        let forgotten = gone.filter(|(_, at)| *at >= durable_through);
        self.uncertain.extend(forgotten.map(|(message, _)| model.journal.get(message).topic.clone()));
    }

    fn set(&mut self, model: &Model, topic: &str, message: Option<MessageId>) {
        self.uncertain.remove(topic);
        self.changed.insert(topic.to_owned(), (model.network_now, message));
        if !model.is_store_writable {
            self.uncertain.insert(topic.to_owned());
        }
        match message {
            Some(message) => {
                let order = self.taken.len() as u64 + 1;
                // Of what was published again nobody knows which publication a copy is of.
                self.taken.entry(message).and_modify(|taken| *taken = None).or_insert(Some(order));
                self.current.insert(topic.to_owned(), message);
            }
            None => drop(self.current.remove(topic)),
        }
    }
}

impl Oracle for RetainedLastWins {
    fn property(&self) -> &'static str {
        "retained last wins"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Published { topic, message, retain: true, is_repeated: false, is_certain, .. } => {
                self.set(model, topic, *message);
                // That was for the publication before.
                if let Some(message) = message {
                    self.acknowledged.remove(message);
                }
                if !is_certain {
                    self.uncertain.insert((*topic).to_owned());
                }
            }
            Fact::WillDue { message } if model.journal.get(*message).retain => {
                self.set(model, &model.journal.get(*message).topic, Some(*message));
                if !model.durability_of(*message).is_stored() {
                    self.gone.insert(*message, model.network_now);
                }
            }
            Fact::WillUncertain { message } if model.journal.get(*message).retain => {
                self.uncertain.insert(model.journal.get(*message).topic.clone());
            }
            Fact::WillCancelled { message } if model.journal.get(*message).retain => {
                self.gone.insert(*message, model.network_now);
            }
            Fact::Delivered { client, copy, is_new: true }
                if *client == self.rules.auditor && copy.retain && !copy.dup =>
            {
                let Some(message) = copy.message else { return Ok(()) };
                let topic = model.journal.get(message).topic.clone();
                if let Some(other) = self.audited.insert(topic, message) {
                    return Err(format!("{other:?} and {message:?} are both retained"));
                }
            }
            // It asks again if it has to connect again.
            Fact::Connected { client, .. } if *client == self.rules.auditor => self.audited.clear(),
            Fact::Sent { client, copy, .. } => return self.sent(model, *client, copy),
            Fact::Acknowledged { message: Some(message), is_success, .. } => {
                if *is_success {
                    self.acknowledged.insert(*message);
                } else if model.journal.get(*message).retain {
                    self.uncertain.insert(model.journal.get(*message).topic.clone());
                }
            }
            Fact::Crashed { survival } => {
                self.crashed(*survival);
                let durable_through = survival.of(model.durability_of_sessions()).unwrap_or_default();
                self.forget_gone(model, durable_through);
                self.forget_sent(durable_through);
            }
            Fact::StoreHealth { writable: false } => self.crashed(Survival::of_all(Timestamp::default())),
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&mut self, model: &Model, _rest: &Rest) -> Vec<String> {
        if self.rules.may_drop {
            return Vec::new();
        }
        let is_known = |topic: &&String| !self.uncertain.contains(*topic);
        // By now everything that expires has expired.
        let lives = |message: &&MessageId| model.journal.get(**message).expiry_seconds.is_none();
        let topics: BTreeSet<_> = self.current.keys().chain(self.audited.keys()).filter(is_known).collect();
        topics
            .into_iter()
            .filter_map(|topic| {
                let (expected, found) = (self.current.get(topic).filter(lives), self.audited.get(topic));
                (expected != found)
                    .then(|| format!("{topic}: {expected:?} was retained last, but {found:?} is found"))
            })
            .collect()
    }
}
