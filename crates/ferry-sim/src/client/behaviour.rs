//! What users do with their clients.

use ferry_codec::{
    Connect, ConnectProperties, Disconnect, MessageProperties, Packet, ProtocolVersion, Publish, QoS,
    ReasonCode, RetainHandling, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, Unsubscribe,
    UnsubscribeFiltersBuf, UserProperties, Will,
};
use ferry_session::Timestamp;

use super::session::{Content, Outgoing, Stage};
use super::{Client, ClientEffects, Connection, Ending, Phase, Role};
use crate::journal::{Authored, Journal, MessageId};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const PLAIN_TOPICS: [&str; 7] = ["t/0", "t/0", "t/1", "t/2", "t/a/b", "t/a/c", "t"];
const SHARED_TOPICS: [&str; 3] = ["q/a", "q/b/x", "q/c/y"];
const RETAINED_TOPICS: [&str; 4] = ["r/0", "r/1", "r/2", "r/2/3"];
const PLAIN_FILTERS: [&str; 13] =
    ["t/0", "t/1", "t/+", "t/#", "t/a/+", "+/a/b", "+/a/+", "r/#", "r/+", "+/0", "w/#", "w/+", "t/0"];
const SHARED_FILTERS: [&str; 3] = ["$share/g/q/a", "$share/g/q/b/+", "$share/h/q/c/#"];

/// Longer queues would only slow the simulation down.
const OUTGOING_MAX: usize = 50;

impl Client {
    /// The user's turn; returns when the next one is.
    pub(crate) fn act(
        &mut self,
        now: Timestamp,
        journal: &mut Journal,
        effects: &mut ClientEffects,
    ) -> Timestamp {
        let pause =
            if self.is_calm { 500 } else { self.random.between(1, self.profile.pause_milliseconds_max) };
        match self.phase {
            Phase::Offline { until } if until <= now => self.connect(now, journal, effects),
            Phase::Offline { until } => return until,
            Phase::Connecting if !self.is_calm && self.random.chance(2) => {
                effects.ending = Some(*self.random.pick(&[Ending::Cut, Ending::HalfOpen]));
            }
            Phase::Connecting => {}
            Phase::Online => {
                self.send_owed(now, effects);
                match self.role {
                    Role::User if !self.is_calm => self.do_something(now, journal, effects),
                    Role::User => {}
                    Role::Auditor if self.filters.is_empty() => self.audit(now, effects),
                    Role::Auditor => {}
                }
                if self.phase == Phase::Online {
                    self.keep_alive(now, effects);
                }
            }
        }
        let next_owed = self.connection.owed.front().map_or(u64::MAX, |(due, _)| due.0.max(now.0 + 1));
        Timestamp((now.0 + pause).min(next_owed))
    }

    fn do_something(&mut self, now: Timestamp, journal: &mut Journal, effects: &mut ClientEffects) {
        match self.random.below(100) {
            0..50 => self.publish(now, journal, effects),
            50..52 => (0..20).for_each(|_| self.publish(now, journal, effects)),
            52..70 if self.connection.subscribes.len() + self.connection.unsubscribes.len() > 5 => {}
            52..66 => self.subscribe(now, effects),
            66..70 => self.unsubscribe(now, effects),
            70 => self.disconnect(now, effects),
            71 => effects.ending = Some(Ending::Cut),
            72 if self.random.chance(50) => effects.ending = Some(Ending::HalfOpen),
            73 => effects.ending = Some(Ending::Close),
            74 if self.random.chance(50) => self.connect(now, journal, effects),
            75 => self.connection.reads_from = Timestamp(now.0 + self.random.between(100, 8_000)),
            76 => self.send(now, &Packet::Pingreq, effects),
            _ => {}
        }
    }

    fn keep_alive(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        let interval = u64::from(self.connection.keep_alive_seconds) * 1000;
        if interval > 0 && now.0 - self.connection.last_sent.0 > interval / 2 {
            self.send(now, &Packet::Pingreq, effects);
        }
    }

    /// Opens a new connection, even if there is one: then this is a takeover.
    fn connect(&mut self, now: Timestamp, journal: &mut Journal, effects: &mut ClientEffects) {
        let is_v5 = self.profile.version == ProtocolVersion::V5;
        let wants_clean = self.random.chance(self.profile.clean_start_percent) && !self.is_calm;
        let clean_start =
            wants_clean || self.must_start_clean || self.profile.version == ProtocolVersion::V31;
        self.must_start_clean |= clean_start;
        let session_expiry = *self.random.pick(&[None, Some(0), Some(1), Some(5), Some(60), Some(u32::MAX)]);
        let session_expiry = session_expiry.filter(|_| is_v5);
        self.phase = Phase::Connecting;
        self.connection = Connection {
            keep_alive_seconds: self.profile.keep_alive_seconds,
            session_expiry_seconds: session_expiry.unwrap_or(0),
            reads_from: now,
            ..Connection::default()
        };
        effects.open = true;
        let will = (!self.is_calm && self.random.chance(60)).then(|| self.author_will(journal));
        let will_delay = if is_v5 { *self.random.pick(&[0, 0, 1, 5, 30]) } else { 0 };
        let client_id = crate::client_id(self.index);
        let connect = Connect {
            protocol_version: self.profile.version,
            bridge: false,
            clean_start,
            keep_alive_seconds: self.profile.keep_alive_seconds,
            client_id: &client_id,
            will: will.map(|message| {
                let authored = journal.get(message);
                Will {
                    topic: &authored.topic,
                    payload: &authored.payload,
                    qos: authored.qos,
                    retain: authored.retain,
                    delay_interval_seconds: will_delay,
                    properties: properties(authored),
                }
            }),
            user_name: None,
            password: None,
            properties: ConnectProperties {
                session_expiry_interval: session_expiry,
                receive_maximum: self.profile.receive_maximum,
                maximum_packet_size: self.profile.maximum_packet_size,
                topic_alias_maximum: Some(self.profile.topic_alias_maximum).filter(|_| is_v5),
                ..ConnectProperties::default()
            },
        };
        self.send(now, &Packet::Connect(connect), effects);
    }

    fn author_will(&mut self, journal: &mut Journal) -> MessageId {
        let retain = self.random.chance(30);
        let topic = if retain { format!("r/w{}", self.index) } else { format!("w/{}", self.index) };
        let qos = *self.random.pick(&QOS);
        self.author(journal, topic, qos, retain, true)
    }

    fn author(
        &mut self,
        journal: &mut Journal,
        topic: String,
        qos: QoS,
        retain: bool,
        is_will: bool,
    ) -> MessageId {
        let can_expire = self.profile.version == ProtocolVersion::V5 && self.random.chance(20);
        let expiry_seconds = can_expire.then(|| self.random.between(1, 10) as u32);
        let padding = if self.random.chance(3) { self.random.below(2000) } else { self.random.below(40) };
        let authored = Authored {
            publisher: self.index,
            topic,
            qos,
            retain,
            expiry_seconds,
            is_will,
            payload: Vec::new(),
        };
        journal.enter(authored, padding as usize)
    }

    fn publish(&mut self, now: Timestamp, journal: &mut Journal, effects: &mut ClientEffects) {
        let qos = *self.random.pick(&QOS);
        let (topic, retain) = match self.random.below(10) {
            0..6 => (*self.random.pick(&PLAIN_TOPICS), false),
            6..8 => (*self.random.pick(&SHARED_TOPICS), false),
            _ => (*self.random.pick(&RETAINED_TOPICS), self.random.chance(80)),
        };
        if retain && self.random.chance(15) {
            let content = Content::Clear { topic, qos };
            self.session.outgoing.push_back(Outgoing { content, stage: Stage::Waiting });
            self.publish_waiting(now, journal, effects);
            return;
        }
        if qos > QoS::AtMostOnce && self.session.outgoing.len() >= OUTGOING_MAX {
            return;
        }
        let content = Content::Message(self.author(journal, topic.to_owned(), qos, retain, false));
        self.session.outgoing.push_back(Outgoing { content, stage: Stage::Waiting });
        self.publish_waiting(now, journal, effects);
    }

    /// Sends what the broker takes now.
    pub(super) fn publish_waiting(&mut self, now: Timestamp, journal: &Journal, effects: &mut ClientEffects) {
        let mut index = 0;
        while self.phase == Phase::Online && index < self.session.outgoing.len() {
            let outgoing = &self.session.outgoing[index];
            if outgoing.stage != Stage::Waiting {
                index += 1;
                continue;
            }
            let qos = outgoing.content.qos(journal);
            if qos == QoS::AtMostOnce {
                self.send_publish(now, index, false, journal, effects);
                self.session.outgoing.remove(index);
                continue;
            }
            if self.session.inflight() >= self.connection.receive_maximum_of_broker {
                return;
            }
            let is_used = self.subscribe_ids_in_use();
            let id = self.session.next_packet_id(is_used);
            self.session.outgoing[index].stage = match qos {
                QoS::ExactlyOnce => Stage::AwaitPubrec(id),
                QoS::AtLeastOnce | QoS::AtMostOnce => Stage::AwaitPuback(id),
            };
            self.send_publish(now, index, false, journal, effects);
            index += 1;
        }
    }

    pub(super) fn send_publish(
        &mut self,
        now: Timestamp,
        index: usize,
        dup: bool,
        journal: &Journal,
        effects: &mut ClientEffects,
    ) {
        let Outgoing { content, stage } = &self.session.outgoing[index];
        let (content, packet_id) = (*content, stage.packet_id());
        let publish = match content {
            Content::Message(message) => {
                let authored = journal.get(message);
                let (topic_alias, is_known) = self.define_alias(&authored.topic);
                Publish {
                    qos: authored.qos,
                    retain: authored.retain,
                    topic: if is_known { "" } else { &authored.topic },
                    topic_alias,
                    properties: properties(authored),
                    payload: &authored.payload,
                    ..Publish::default()
                }
            }
            Content::Clear { topic, qos } => Publish { topic, qos, retain: true, ..Publish::default() },
        };
        self.send(now, &Packet::Publish(Publish { dup, packet_id, ..publish }), effects);
    }

    fn subscribe(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        let is_v5 = self.profile.version == ProtocolVersion::V5;
        let is_lossy = self.profile.maximum_packet_size.is_some();
        let mut filters = SubscribeFiltersBuf::new();
        let count = self.random.between(1, 3) as usize;
        for _ in 0..count {
            let is_shared = self.random.chance(25) && !is_lossy;
            let filter = *self.random.pick(if is_shared { &SHARED_FILTERS[..] } else { &PLAIN_FILTERS[..] });
            let retain_handling = *self.random.pick(&[
                RetainHandling::SendAtSubscribe,
                RetainHandling::SendIfNew,
                RetainHandling::DoNotSend,
            ]);
            let mut options =
                SubscriptionOptions::with_qos(*self.random.pick(&QOS[usize::from(is_shared)..]));
            if is_v5 {
                options.no_local = !is_shared && self.random.chance(20);
                options.retain_as_published = self.random.chance(20);
                options.retain_handling = retain_handling;
            }
            filters.push(filter, options);
            self.filters.retain(|other| other != filter);
            self.filters.push(filter.to_owned());
        }
        let is_used = self.subscribe_ids_in_use();
        let packet_id = self.session.next_packet_id(is_used);
        self.filter_counts(packet_id, count, true);
        let has_id = is_v5 && self.random.chance(50);
        let subscription_id = has_id.then(|| self.random.between(1, 1000) as u32);
        let user_properties = UserProperties::EMPTY;
        let filters = filters.as_filters();
        let subscribe = Subscribe { packet_id, subscription_id, user_properties, filters };
        self.send(now, &Packet::Subscribe(subscribe), effects);
    }

    /// Asks for all retained messages.
    fn audit(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        let mut filters = SubscribeFiltersBuf::new();
        filters.push("r/#", SubscriptionOptions::with_qos(QoS::ExactlyOnce));
        self.filters.push("r/#".to_owned());
        let packet_id = self.session.next_packet_id(|_| false);
        self.filter_counts(packet_id, 1, true);
        let (user_properties, filters) = (UserProperties::EMPTY, filters.as_filters());
        let subscribe = Subscribe { packet_id, subscription_id: None, user_properties, filters };
        self.send(now, &Packet::Subscribe(subscribe), effects);
    }

    fn unsubscribe(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        if self.filters.is_empty() {
            return;
        }
        let at = self.random.below(self.filters.len() as u64) as usize;
        let mut filters = UnsubscribeFiltersBuf::new();
        filters.push(&self.filters.swap_remove(at));
        let is_used = self.subscribe_ids_in_use();
        let packet_id = self.session.next_packet_id(is_used);
        self.filter_counts(packet_id, 1, false);
        let user_properties = UserProperties::EMPTY;
        let unsubscribe = Unsubscribe { packet_id, user_properties, filters: filters.as_filters() };
        self.send(now, &Packet::Unsubscribe(unsubscribe), effects);
    }

    fn disconnect(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        let mut disconnect = Disconnect::new(ReasonCode::SUCCESS);
        if self.profile.version == ProtocolVersion::V5 {
            if self.random.chance(30) {
                disconnect.reason_code = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
            }
            if self.connection.session_expiry_seconds > 0 && self.random.chance(30) {
                disconnect.session_expiry_interval = Some(*self.random.pick(&[0, 2, 100, u32::MAX]));
            }
        }
        self.send(now, &Packet::Disconnect(disconnect), effects);
        effects.ending = Some(Ending::Close);
    }
}

fn properties(authored: &Authored) -> MessageProperties<'_> {
    MessageProperties { message_expiry_interval: authored.expiry_seconds, ..MessageProperties::default() }
}
