//! The retained message of a topic is the last one that the broker took [MQTT-3.3.1-5], and none after an empty one
//! [MQTT-3.3.1-6].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Oracle, Rest, Rules};
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

pub(super) struct RetainedLastWins {
    rules: Rc<Rules>,
    current: BTreeMap<String, MessageId>,
    /// Topics of wills of which nobody knows whether they were published.
    uncertain: BTreeSet<String>,
    /// What the auditor was sent.
    audited: BTreeMap<String, MessageId>,
}

impl RetainedLastWins {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        let (current, audited) = (BTreeMap::new(), BTreeMap::new());
        Self { rules, current, uncertain: BTreeSet::new(), audited }
    }

    fn set(&mut self, topic: &str, message: Option<MessageId>) {
        self.uncertain.remove(topic);
        match message {
            Some(message) => drop(self.current.insert(topic.to_owned(), message)),
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
            Fact::Published { topic, message, retain: true, is_repeated: false, is_certain } => {
                self.set(topic, *message);
                if !is_certain {
                    self.uncertain.insert((*topic).to_owned());
                }
            }
            Fact::WillDue { message } if model.journal.get(*message).retain => {
                self.set(&model.journal.get(*message).topic, Some(*message));
            }
            Fact::WillUncertain { message } if model.journal.get(*message).retain => {
                self.uncertain.insert(model.journal.get(*message).topic.clone());
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
            Fact::Crashed => {
                self.current.clear();
                self.uncertain.clear();
            }
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
