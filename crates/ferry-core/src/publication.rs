use std::cell::Cell;
use std::sync::Arc;

use ahash::RandomState;
use ferry_codec::{MessageProperties, Publish, QoS};
use ferry_router::{ShardId, ShareGroupId};
use ferry_session::{Message, Timestamp};
use smallvec::SmallVec;

use crate::authorizer::is_sys_topic;
use crate::packed_messages::PackedMessages;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{CoreConfig, Mail, Receipt, Record, Refusal, RetainedMessage};

/// An application message on its way through a shard. Borrowed from the packet it came in; a copy of it is made
/// when the first of its receivers must keep it beyond the turn.
pub(crate) struct Publication<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: MessageProperties<'a>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// The session of the client that published it, for No Local.
    pub(crate) publisher: Option<SessionId>,
    /// What is recorded here because of it must not be without its copies on other shards: those of a QoS 2 message
    /// whose packet identifier the store knows, or of a will that the store does not keep any longer.
    pub(crate) is_forwarded: bool,
    /// Restored after a restart: only for the sessions that were on this shard, of so many.
    pub(crate) only_home: Option<(ShardId, u16)>,
    /// Its publisher waits for an acknowledgement, and can be refused.
    pub(crate) is_refusable: bool,
    /// Somebody may want the message after the one who gets it next, who need not share it otherwise.
    pub(crate) is_wanted_again: bool,
    message: Option<Arc<Message>>,
    topic_hash: Cell<Option<u64>>,
    is_stored: Cell<Option<bool>>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Routed {
    /// Somebody had subscribed to it.
    pub(crate) matched: bool,
    /// Why a session would not take it, if its publisher is to know.
    pub(crate) refused: Option<Refusal>,
    /// From how many other shards a receipt will come.
    pub(crate) receipts: u32,
}

impl<'a> Publication<'a> {
    /// As a client sent it; `topic` is the one that its alias stands for.
    pub(crate) fn from_publish(publish: &Publish<'a>, topic: &'a str, publisher: SessionId) -> Self {
        Self {
            publisher: Some(publisher),
            is_refusable: publish.qos != QoS::AtMostOnce,
            ..Self::new(topic, publish.payload, publish.properties, publish.qos, publish.retain)
        }
    }

    /// Once more, what is kept already: a will, or mail from another shard.
    pub(crate) fn from_message(
        message: &'a Arc<Message>,
        publisher: Option<SessionId>,
        now: Timestamp,
    ) -> Self {
        Self {
            publisher,
            message: Some(Arc::clone(message)),
            ..Self::new(
                &message.topic,
                &message.payload,
                message.properties_at(now),
                message.qos,
                message.retain,
            )
        }
    }

    /// Out of a pack from another shard, before the first message.
    pub(crate) fn of_pack() -> Self {
        Self::new("", &[], MessageProperties::default(), QoS::AtMostOnce, false)
    }

    /// The next message of the pack takes the place of this one; `topic` is `None` if it is the same.
    pub(crate) fn follow_in_pack(
        &mut self,
        topic: Option<&'a str>,
        payload: &'a [u8],
        qos: QoS,
        retain: bool,
    ) {
        if let Some(topic) = topic {
            self.topic = topic;
            self.topic_hash.set(None);
            self.is_stored.set(None);
        }
        self.payload = payload;
        self.qos = qos;
        self.retain = retain;
        self.message = None;
    }

    /// A message of the broker itself.
    pub(crate) fn from_server(publish: &crate::ServerPublish<'a>) -> Self {
        Self::new(publish.topic, publish.payload, publish.properties, publish.qos, publish.retain)
    }

    /// What nobody waits for and nobody keeps yet.
    fn new(
        topic: &'a str,
        payload: &'a [u8],
        properties: MessageProperties<'a>,
        qos: QoS,
        retain: bool,
    ) -> Self {
        Self {
            topic,
            payload,
            properties,
            qos,
            retain,
            publisher: None,
            is_forwarded: false,
            only_home: None,
            is_refusable: false,
            is_wanted_again: true,
            message: None,
            topic_hash: Cell::new(None),
            is_stored: Cell::new(None),
        }
    }

    /// By which aliases know the topic: computed when the first receiver uses them.
    pub(crate) fn topic_hash(&self, hasher: &RandomState) -> u64 {
        let known = self.topic_hash.get();
        let topic_hash = known.unwrap_or_else(|| hasher.hash_one(self.topic));
        self.topic_hash.set(Some(topic_hash));
        topic_hash
    }

    /// Whether copies of it are stored, for sessions that are: looked up when the first one is owed.
    pub(crate) fn is_stored(&self, config: &CoreConfig) -> bool {
        let is_stored = self.is_stored.get().unwrap_or_else(|| config.durability_of(self.topic).is_stored());
        self.is_stored.set(Some(is_stored));
        is_stored
    }

    /// What to encode for a receiver without an alias: the packet identifier is patched later.
    pub(crate) fn packet(&self) -> Publish<'_> {
        Publish {
            qos: self.qos,
            topic: self.topic,
            properties: self.properties,
            payload: self.payload,
            ..Publish::default()
        }
    }
}

impl Shard {
    /// Gives a message to everybody it is for, on this shard and on others, and keeps it if it is to be retained.
    /// Nobody gets it without a subscription that matches [MQTT-3.3.2-3] [MQTT3-3.3.2-3].
    /// `waits` is the acknowledgement that waits for the copies to be durable.
    pub(crate) fn route(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        waits: Option<Receipt>,
    ) -> Routed {
        // Without RETAIN, what is retained stays [MQTT-3.3.1-8] [MQTT3-3.3.1-12].
        if publication.retain {
            self.retain(turn, publication);
        }
        let mut routed = self.route_to_shards(turn, publication, waits);
        self.route_to_share_groups(turn, publication, waits, &mut routed);
        if !routed.matched {
            self.counters.publish_unmatched += 1;
        }
        routed
    }

    fn route_to_shards(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        receipt: Option<Receipt>,
    ) -> Routed {
        if self.shard_count() == 1 {
            return self.deliver_matching(turn, publication);
        }
        self.route_cache.ask(&self.shared.route_table, publication.topic);
        let mut routed = match self.route_cache.targets().contains(&self.id) {
            true => self.deliver_matching(turn, publication),
            false => Routed::default(),
        };
        let is_packed = self.is_packed(publication, receipt);
        for index in 0..self.route_cache.targets().len() {
            let shard = self.route_cache.targets()[index];
            if shard == self.id {
                continue;
            }
            if is_packed {
                turn.effects.mail.pack(shard, publication, None);
                routed.matched = true;
                continue;
            }
            let message = self.message_of(publication, turn.now);
            let forwarded = self.forwards(publication).then(|| self.forward(turn, shard, None, &message));
            let mail = self.followed_mail(Mail::Publish { message, receipt, forwarded });
            turn.effects.mail.push(shard, mail);
            routed.matched = true;
            routed.receipts += u32::from(receipt.is_some());
        }
        routed
    }

    /// Whether nobody waits for the copies that other shards owe, and nothing of the message is to be kept but what a
    /// pack has.
    fn is_packed(&self, publication: &Publication<'_>, receipt: Option<Receipt>) -> bool {
        receipt.is_none()
            && self.spans.as_ref().is_none_or(|spans| !spans.is_following())
            && (publication.qos == QoS::AtMostOnce || !publication.is_stored(&self.config))
            && PackedMessages::takes(publication)
    }

    fn route_to_share_groups(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        receipt: Option<Receipt>,
        routed: &mut Routed,
    ) {
        let mut targets: SmallVec<[(ShareGroupId, ShardId); 4]> = SmallVec::new();
        let seed = self.random.next();
        let routes = &self.shared.route_table;
        self.route_cache.share_targets(routes, publication.topic, seed, |group, shard| {
            targets.push((group, shard));
        });
        let last = targets.len().saturating_sub(1);
        for (index, (group, shard)) in targets.into_iter().enumerate() {
            publication.is_wanted_again = index < last;
            routed.matched = true;
            if shard == self.id {
                let refused = self.deliver_shared(turn, publication, group);
                routed.refused = routed.refused.or(refused);
                continue;
            }
            if self.is_packed(publication, receipt) {
                turn.effects.mail.pack(shard, publication, Some(group));
                continue;
            }
            let message = self.message_of(publication, turn.now);
            let forwards = self.forwards(publication);
            let forwarded = forwards.then(|| self.forward(turn, shard, Some(group), &message));
            let mail = self.followed_mail(Mail::SharePick { group, message, receipt, forwarded });
            turn.effects.mail.push(shard, mail);
            routed.receipts += u32::from(receipt.is_some());
        }
    }

    fn forwards(&self, publication: &Publication<'_>) -> bool {
        publication.is_forwarded && publication.qos != QoS::AtMostOnce && publication.is_stored(&self.config)
    }

    /// Replaces or removes the retained message of the topic [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT3-3.3.1-5]
    /// [MQTT3-3.3.1-7] [MQTT3-3.3.1-10].
    fn retain(&mut self, turn: &mut Turn<'_>, publication: &mut Publication<'_>) {
        if publication.payload.is_empty() {
            // Never stored itself [MQTT-3.3.1-7] [MQTT3-3.3.1-11].
            return self.clear_retained(turn, publication.topic);
        }
        let recorded = self.records_retained(publication.topic);
        if recorded && !self.store_writable && publication.publisher.is_some() {
            // Of QoS 0: whoever waits for an answer has been refused.
            self.counters.retained_refused += 1;
            return self.clear_retained(turn, publication.topic);
        }
        let message = match publication.message.take() {
            Some(message) => message,
            None => self.make_message(publication, turn.now),
        };
        let expires_at = message.expires_at;
        let shared = &self.shared;
        let retained_records = &mut turn.effects.retained_records;
        let topic = Arc::clone(&message.topic);
        let kept = RetainedMessage { message, number: 0 };
        let shared_message = &mut publication.message;
        let kept = shared.retained.set_with(topic, kept, &self.config.retained, |old, kept| {
            kept.share_topic(old);
            *shared_message = Some(Arc::clone(&kept.message));
            if recorded {
                let number = old.map_or(0, |old| old.number);
                kept.number = if number == 0 { shared.take_number() } else { number };
                let message = Arc::clone(&kept.message);
                shared.record_retained(Record::Retained { number: kept.number, message });
                *retained_records += 1;
            }
        });
        if kept.is_err() {
            self.counters.retained_refused += 1;
            // The old message would now be wrong: the publisher has replaced it.
            return self.clear_retained(turn, publication.topic);
        }
        if let Some(expires_at) = expires_at {
            self.arm_retained_sweep(expires_at);
        }
    }

    fn clear_retained(&self, turn: &mut Turn<'_>, topic: &str) {
        self.shared.retained.clear_with(topic, |old| {
            if old.number != 0 {
                self.shared.record_retained(Record::RetainedCleared { number: old.number });
                turn.effects.retained_records += 1;
            }
        });
    }

    /// What the broker says of itself is said anew after a restart.
    fn records_retained(&self, topic: &str) -> bool {
        self.config.durability_of(topic).is_stored() && !is_sys_topic(topic)
    }

    /// The one copy of the message that all who keep it share.
    pub(crate) fn message_of(&mut self, publication: &mut Publication<'_>, now: Timestamp) -> Arc<Message> {
        let message = match publication.message.take() {
            Some(message) => message,
            None => self.make_message(publication, now),
        };
        if publication.is_wanted_again {
            publication.message = Some(Arc::clone(&message));
        }
        message
    }

    fn make_message(&mut self, publication: &Publication<'_>, now: Timestamp) -> Arc<Message> {
        let publisher = publication.publisher.and_then(|session| self.sessions.get(session));
        let publisher = publisher.map(|session| Arc::clone(session.client_id()));
        let mut packet = publication.packet();
        packet.retain = publication.retain;
        if *self.last_topic != *publication.topic {
            self.last_topic = publication.topic.into();
        }
        let topic = Arc::clone(&self.last_topic);
        self.spare_messages.make(Message::from_publish(&packet, topic, publisher, now))
    }
}
