//! QoS 1 and 2: a message reaches every session that had subscribed to it [MQTT-4.3.2-4] [MQTT-4.3.3-10].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ferry_codec::QoS;
use ferry_codec::topic::{matches, parse_shared};
use ferry_session::Timestamp;

use super::{ON_THE_WAY_MILLISECONDS, Oracle, Rest, Rules, is_shared_topic};
use crate::fact::{Copy, Fact, Survival};
use crate::journal::MessageId;
use crate::model::{Model, Presence};

pub(super) struct AtLeastOnce {
    rules: Rc<Rules>,
    published: BTreeMap<MessageId, Timestamp>,
    /// Client and message: the client's session must get it as long as it lives.
    owed: BTreeSet<(usize, MessageId)>,
    /// Message and clients: one of them must get it, unless one of them goes.
    owed_to_group: BTreeMap<MessageId, Vec<usize>>,
    acknowledged: BTreeSet<MessageId>,
    /// Was owed before a restart, and never acknowledged: it may be there or not.
    uncertain: BTreeSet<(usize, MessageId)>,
}

impl AtLeastOnce {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            published: BTreeMap::new(),
            owed: BTreeSet::new(),
            owed_to_group: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            uncertain: BTreeSet::new(),
        }
    }

    /// What was never acknowledged, and wills of lately, may be lost: the former must be published again. So may
    /// what was acknowledged with a promise that does not go that far.
    fn lose_unacknowledged(&mut self, model: &Model, survival: Survival) {
        let may_be_lost = |message: &MessageId, published: &Timestamp| {
            let Some(durable_through) = survival.of(model.durability_of(*message)) else { return true };
            let is_will = model.journal.get(*message).is_will;
            if is_will { *published >= durable_through } else { !self.acknowledged.contains(message) }
        };
        let lost: BTreeSet<_> = self
            .published
            .iter()
            .filter(|(message, published)| may_be_lost(message, published))
            .map(|(message, _)| *message)
            .collect();
        let (kept, uncertain) =
            std::mem::take(&mut self.owed).into_iter().partition(|(_, message)| !lost.contains(message));
        self.owed = kept;
        self.uncertain = uncertain;
        self.owed_to_group.retain(|message, _| !lost.contains(message));
        self.published.retain(|message, _| !lost.contains(message) || model.journal.get(*message).is_will);
    }

    fn owe(&mut self, model: &Model, message: MessageId, is_certain: bool) {
        let authored = model.journal.get(message);
        if !self.rules.must_arrive(model, message) {
            return;
        }
        if is_shared_topic(&authored.topic) {
            let members: Vec<_> = (0..model.sessions.len())
                .filter_map(|client| {
                    is_member(model, client, &authored.topic).map(|definite| (client, definite))
                })
                .collect();
            if is_certain && !members.is_empty() && members.iter().all(|(_, is_definite)| *is_definite) {
                self.owed_to_group.insert(message, members.into_iter().map(|(client, _)| client).collect());
            }
            return;
        }
        let owed = self.rules.owed_to(model, message).into_iter().map(|client| (client, message));
        // If the broker has it already, it has it for those who had subscribed then.
        self.owed.extend(owed.filter(|owed| is_certain || self.uncertain.contains(owed)));
    }
}

/// Whether the client is a member of the group that gets `topic`, and if so whether for sure.
fn is_member(model: &Model, client: usize, topic: &str) -> Option<bool> {
    let session = &model.sessions[client];
    session.subscriptions.iter().find_map(|(filter, subscription)| {
        let shared = parse_shared(filter).ok()??;
        matches(shared.filter, topic).then_some(subscription.is_definite && session.presence == Presence::Yes)
    })
}

impl Oracle for AtLeastOnce {
    fn property(&self) -> &'static str {
        "at least once"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Published { message: Some(message), is_repeated: false, is_certain, .. }
                if model.is_store_writable
                    && self.published.insert(*message, model.network_now).is_none() =>
            {
                self.owe(model, *message, *is_certain);
            }
            Fact::WillDue { message } if self.published.insert(*message, model.network_now).is_none() => {
                self.owe(model, *message, true);
            }
            Fact::Acknowledged { message: Some(message), is_success: true, .. } => {
                self.acknowledged.insert(*message);
            }
            Fact::Crashed { survival } => self.lose_unacknowledged(model, *survival),
            // Who cannot be told that a message was refused publishes it again.
            Fact::StoreHealth { writable: false } => {
                self.lose_unacknowledged(model, Survival::of_all(Timestamp::NEVER));
            }
            Fact::Acknowledged { message: Some(message), is_success: false, .. } => {
                self.owed.retain(|(_, other)| other != message);
                self.owed_to_group.remove(message);
            }
            Fact::Delivered { client, copy, .. } if copy.qos > QoS::AtMostOnce => {
                if let Some(message) = copy.message {
                    self.owed.remove(&(*client, message));
                    self.uncertain.remove(&(*client, message));
                    self.owed_to_group.remove(&message);
                }
            }
            Fact::Sent { client, copy: Copy { message: Some(message), .. }, .. } => {
                if let Some(members) = self.owed_to_group.get_mut(message)
                    && !members.contains(client)
                {
                    members.push(*client);
                }
            }
            Fact::Subscribing { client } => {
                // It may get what an old member has, and its session may end before it has it.
                for (message, members) in &mut self.owed_to_group {
                    let topic = &model.journal.get(*message).topic;
                    if !members.contains(client) && is_member(model, *client, topic).is_some() {
                        members.push(*client);
                    }
                }
                // What is on its way to another shard may find the new subscription, with a lower QoS.
                let is_recent = |message: &MessageId| {
                    self.published
                        .get(message)
                        .is_some_and(|at| at.0 + ON_THE_WAY_MILLISECONDS >= model.network_now.0)
                };
                self.owed.retain(|(other, message)| other != client || !is_recent(message));
            }
            Fact::SessionLost { client } => {
                self.owed.retain(|(other, _)| other != client);
                self.uncertain.retain(|(other, _)| other != client);
                self.owed_to_group.retain(|_, members| !members.contains(client));
            }
            Fact::Unsubscribing { client, filter } => {
                let topic = |message: &MessageId| &model.journal.get(*message).topic;
                self.owed.retain(|(other, message)| other != client || !matches(filter, topic(message)));
                self.uncertain.retain(|(other, message)| other != client || !matches(filter, topic(message)));
                if matches!(parse_shared(filter), Ok(Some(_))) {
                    self.owed_to_group.retain(|_, members| !members.contains(client));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&mut self, model: &Model, _rest: &Rest) -> Vec<String> {
        let describe = |message: &MessageId| {
            let authored = model.journal.get(*message);
            format!("{message:?} ({:?}, {}, by {})", authored.qos, authored.topic, authored.publisher)
        };
        let alone = self
            .owed
            .iter()
            .map(|(client, message)| format!("client {client} never got {}", describe(message)));
        let groups = self.owed_to_group.iter();
        let groups =
            groups.map(|(message, members)| format!("none of {members:?} ever got {}", describe(message)));
        alone.chain(groups).collect()
    }
}
