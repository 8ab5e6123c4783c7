use ferry_codec::{PacketId, ProtocolVersion, Publish, QoS, ReasonCode};
use ferry_router::ShardId;
use ferry_session::{Received, TopicAliasIn};

use crate::fault::Fault;
use crate::mailbox::ReceivedExchange;
use crate::publication::{Publication, Routed};
use crate::response::{Response, Wait};
use crate::rights_cache::{Question, Rules};
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, DeniedPublish, Durability, Mail, Receipt, Record, Refusal, ServerPublish};

/// A PUBLISH of a client.
struct Incoming<'a> {
    conn: ConnId,
    session: SessionId,
    publish: Publish<'a>,
    /// The one that its alias stands for, if it has one.
    topic: &'a str,
}

/// What a client is answered.
struct Answer {
    reason_code: ReasonCode,
    reason: Option<&'static str>,
    wait: Wait,
    /// Somebody may have got the message.
    is_routed: bool,
    /// The store does not take the message.
    is_unstorable: bool,
}

impl Answer {
    fn refused(reason_code: ReasonCode, reason: &'static str) -> Self {
        let wait = Wait::default();
        Self { reason_code, reason: Some(reason), wait, is_routed: false, is_unstorable: false }
    }

    fn unstorable() -> Self {
        let refusal = Refusal::StoreUnwritable;
        Self { is_unstorable: true, ..Self::refused(refusal.reason_code(), refusal.reason()) }
    }
}

impl<'a> Incoming<'a> {
    fn publication(&'a self) -> Publication<'a> {
        Publication::from_publish(&self.publish, self.topic, self.session)
    }
}

impl Shard {
    /// PUBLISH of a client (section 3.3.4).
    pub(crate) fn publish_packet(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session: SessionId,
        publish: &Publish<'_>,
    ) -> Result<(), Fault> {
        self.counters.publish_received_by_qos[usize::from(publish.qos.to_byte())] += 1;
        self.counters.publish_bytes_received += publish.payload.len() as u64;
        // Whatever becomes of the message: its alias is defined.
        let mut topic = std::mem::take(&mut self.topic);
        let result = self.resolve_topic(conn, publish, &mut topic).and_then(|aliased| {
            let topic = if aliased { &*topic } else { publish.topic };
            let mut incoming = Incoming { conn, session, publish: *publish, topic };
            self.check_capabilities(&mut incoming)?;
            // One way for all messages, so that those that are not followed cost no more than this.
            let followed =
                if self.spans.is_some() { self.follow(turn, conn, session, publish, topic) } else { None };
            if let Some(followed) = &followed
                && !followed.added.as_user_properties().is_empty()
            {
                // A 3.x client cannot have sent any: what a publisher has sent is never changed [MQTT-3.3.2-17].
                incoming.publish.properties.user_properties = followed.added.as_user_properties();
            }
            let result = match publish.packet_id {
                None => self.publish_qos0(turn, &incoming),
                Some(packet_id) => self.publish_qos1_2(turn, &incoming, packet_id),
            };
            if let Some(followed) = &followed {
                self.unfollow(turn, followed, publish.packet_id, &result);
            }
            result
        });
        self.topic = topic;
        self.check_output(turn, conn);
        result
    }

    /// Whether the topic is the one that an alias stands for; then it is copied to `topic`.
    fn resolve_topic(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        topic: &mut String,
    ) -> Result<bool, Fault> {
        if publish.topic_alias.is_none() && !publish.topic.is_empty() {
            return Ok(false);
        }
        let Some(conn) = self.conns.get_mut(conn) else { return Ok(false) };
        let maximum = conn.topic_alias_maximum;
        let aliases = conn.alias_in.get_or_insert_with(|| Box::new(TopicAliasIn::new(maximum)));
        let resolved = aliases.resolve(publish.topic, publish.topic_alias).map_err(|reason_code| {
            // U5-060 U5-061 [MQTT-3.3.2-9]
            Fault::new(reason_code, "the topic alias is not valid")
        })?;
        topic.clear();
        topic.push_str(resolved);
        Ok(publish.topic.is_empty())
    }

    /// What the CONNACK said is not supported. A 3.x client could not be told, so its RETAIN flag is ignored.
    fn check_capabilities(&self, incoming: &mut Incoming<'_>) -> Result<(), Fault> {
        let Some(conn) = self.conns.get(incoming.conn) else { return Ok(()) };
        let publish = &mut incoming.publish;
        if publish.qos > self.config.maximum_qos.min(conn.info.listener.maximum_qos) {
            // U5-031 [MQTT-3.2.2-11]
            return Err(Fault::new(ReasonCode::QOS_NOT_SUPPORTED, "the QoS is above the maximum QoS"));
        }
        if publish.retain && !self.config.retain_available {
            if conn.version == ProtocolVersion::V5 {
                // U5-033 [MQTT-3.2.2-14]
                return Err(Fault::new(
                    ReasonCode::RETAIN_NOT_SUPPORTED,
                    "retained messages are not supported",
                ));
            }
            publish.retain = false;
        }
        Ok(())
    }

    /// No answer, whatever happens [MQTT-3.3.4-1] [MQTT3-3.3.4-1].
    fn publish_qos0(&mut self, turn: &mut Turn<'_>, incoming: &Incoming<'_>) -> Result<(), Fault> {
        match self.judge(incoming)? {
            None => {
                self.route(turn, &mut incoming.publication(), None);
            }
            Some(refused) => self.count_refused(&refused),
        }
        Ok(())
    }

    fn publish_qos1_2(
        &mut self,
        turn: &mut Turn<'_>,
        incoming: &Incoming<'_>,
        packet_id: PacketId,
    ) -> Result<(), Fault> {
        let Incoming { conn, session, publish, .. } = incoming;
        let Some(session) = self.sessions.get_mut(*session) else { return Ok(()) };
        if self.conns.get(*conn).is_some_and(|conn| conn.withholds) {
            self.counters.publish_refused += 1;
            return Ok(());
        }
        let received = session.receiver.publish(publish.qos, packet_id);
        let mut answer = match received {
            Received::Fresh => {
                self.count_excess(incoming);
                match self.judge(incoming)? {
                    None if self.store_refuses(&incoming.publication(), self.records_exchange(incoming)) => {
                        Answer::unstorable()
                    }
                    None => self.route_acknowledged(turn, incoming),
                    Some(refused) => refused,
                }
            }
            // [MQTT-4.3.3-10] [MQTT3-4.3.3-2]: it was routed when it came first.
            Received::Duplicate => {
                let refusal = session.receiver.refusal(packet_id);
                self.acknowledge_again(turn, incoming, refusal)
            }
            Received::PacketIdInUse => {
                let detail = "a QoS 2 message has this packet identifier";
                self.refuse_exchange(*conn, ReasonCode::PACKET_IDENTIFIER_IN_USE, detail)?
            }
            Received::ReceiveMaximumExceeded => {
                // [MQTT-3.3.4-7]
                let detail = "more messages are unacknowledged than the receive maximum";
                return Err(Fault::new(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, detail));
            }
            Received::TooManyExchanges => {
                // A client that never sends PUBREL may not fill the memory.
                let detail = "too many QoS 2 messages wait for PUBREL";
                self.refuse_exchange(*conn, ReasonCode::QUOTA_EXCEEDED, detail)?
            }
        };
        if answer.reason_code.is_error() {
            self.count_refused(&answer);
        }
        let is_v3 = self.conns.get(*conn).is_some_and(|conn| conn.version.is_v3());
        if is_v3 && answer.is_unstorable {
            if let (QoS::ExactlyOnce, Some(session)) = (publish.qos, self.sessions.get_mut(incoming.session))
            {
                // At once, and only now: before it is this answer's turn the connection may end, or the client
                // may use the packet identifier again.
                session.receiver.pubrec_sent(packet_id, answer.reason_code);
            }
            self.respond(turn, *conn, Response::Withheld { exchange: None }, answer.wait);
            return Ok(());
        }
        if is_v3 {
            // There is only one answer [MQTT3-3.3.5-2], and it keeps a QoS 2 exchange going.
            answer.reason_code = ReasonCode::SUCCESS;
        }
        if publish.qos == QoS::ExactlyOnce && received == Received::Fresh {
            self.note_reception(turn, incoming, packet_id, &mut answer);
        }
        self.acknowledge(turn, *conn, publish.qos, packet_id, &answer);
        Ok(())
    }

    /// A QoS 2 exchange begins, unless nothing was done for the message: then it may come again. One that was routed,
    /// although a subscriber refused it, must not be routed again before the client has got its PUBREC.
    fn note_reception(
        &mut self,
        turn: &mut Turn<'_>,
        incoming: &Incoming<'_>,
        packet_id: PacketId,
        answer: &mut Answer,
    ) {
        let Some(session) = self.sessions.get_mut(incoming.session) else { return };
        if answer.reason_code.is_error() && !answer.is_routed {
            return session.receiver.pubrec_sent(packet_id, answer.reason_code);
        }
        if answer.reason_code.is_error() {
            session.receiver.refuse(packet_id, answer.reason_code);
        }
        let durability = self.config.durability_of(incoming.topic);
        if let Some(number) = session.recorded.filter(|_| durability.is_stored()) {
            session.receiver.set_stored(packet_id);
            turn.effects.records.push(Record::Received { session: number, packet_id });
            answer.wait.promise = self.commit.promise(turn.effects, durability);
        }
    }

    /// Routes a message that is to be acknowledged.
    fn route_acknowledged(&mut self, turn: &mut Turn<'_>, incoming: &Incoming<'_>) -> Answer {
        let conn = incoming.conn;
        let records_before = turn.effects.recorded();
        let durability = self.config.durability_of(incoming.topic);
        let sequence = self.conns.get(conn).map_or(0, |conn| conn.responses.next_sequence());
        let exchange = self.recorded_exchange(incoming);
        let receipt = durability.is_stored().then_some(Receipt { conn, sequence, durability, exchange });
        let mut publication = incoming.publication();
        publication.is_forwarded = exchange.is_some();
        let routed = self.route(turn, &mut publication, receipt);
        let recorded = turn.effects.recorded() > records_before;
        let promised = if recorded { durability } else { Durability::Memory };
        let promise = self.commit.promise(turn.effects, promised);
        let wait = Wait { promise, receipts: routed.receipts };
        let (reason_code, reason) = match routed {
            Routed { refused: Some(refused), .. } => (refused.reason_code(), Some(refused.reason())),
            Routed { matched: false, .. } => (ReasonCode::NO_MATCHING_SUBSCRIBERS, None),
            Routed { .. } => (ReasonCode::SUCCESS, None),
        };
        let is_unstorable = routed.refused == Some(Refusal::StoreUnwritable);
        Answer { reason_code, reason, wait, is_routed: true, is_unstorable }
    }

    /// The QoS 2 exchange that a PUBLISH is part of, if the store knows its session.
    fn recorded_exchange(&self, incoming: &Incoming<'_>) -> Option<ReceivedExchange> {
        let packet_id = incoming.publish.packet_id.filter(|_| incoming.publish.qos == QoS::ExactlyOnce)?;
        let session_id = incoming.session;
        let session = self.sessions.get(session_id)?.recorded?;
        Some(ReceivedExchange { session_id, session, packet_id })
    }

    /// Whether a PUBLISH begins a QoS 2 exchange that the store is to know.
    fn records_exchange(&self, incoming: &Incoming<'_>) -> bool {
        self.config.durability_of(incoming.topic).is_stored() && self.recorded_exchange(incoming).is_some()
    }

    /// Where the operator lets clients exceed the Receive Maximum, that they do is counted.
    fn count_excess(&mut self, incoming: &Incoming<'_>) {
        let Some(session) = self.sessions.get(incoming.session) else { return };
        let told = self.conns.get(incoming.conn).is_some_and(|conn| conn.version == ProtocolVersion::V5);
        if told && session.receiver.occupied() > self.config.receive_maximum.get() {
            self.counters.receive_maximum_excesses += 1;
        }
    }

    /// The answer to a repeated QoS 2 PUBLISH: its first one may not be durable yet, here or on another shard, and
    /// the receipts for it name a connection that is gone.
    fn acknowledge_again(
        &self,
        turn: &mut Turn<'_>,
        incoming: &Incoming<'_>,
        refusal: Option<ReasonCode>,
    ) -> Answer {
        let mut wait = Wait::default();
        let durability = self.config.durability_of(incoming.topic);
        if durability.is_stored() {
            let conn = incoming.conn;
            wait.promise = self.commit.promise_all(turn.effects, durability);
            let sequence = self.conns.get(conn).map_or(0, |conn| conn.responses.next_sequence());
            let exchange = self.recorded_exchange(incoming);
            let receipt = Receipt { conn, sequence, durability, exchange };
            let others = (0..self.shard_count()).map(ShardId).filter(|shard| *shard != self.id);
            others.for_each(|shard| turn.effects.mail.push(shard, Mail::Settle { receipt }));
            wait.receipts = u32::from(self.shard_count()) - 1;
        }
        let reason_code = refusal.unwrap_or(ReasonCode::SUCCESS);
        Answer { reason_code, reason: None, wait, is_routed: true, is_unstorable: false }
    }

    /// Refuses one message. 3.x has no way to do that, and a message must not be acknowledged and then discarded: the
    /// connection ends [MQTT3-4.8.0-2].
    fn refuse_exchange(
        &self,
        conn: ConnId,
        reason_code: ReasonCode,
        detail: &'static str,
    ) -> Result<Answer, Fault> {
        match self.conns.get(conn).map(|conn| conn.version) {
            Some(ProtocolVersion::V5) => Ok(Answer::refused(reason_code, detail)),
            _ => Err(Fault::new(reason_code, detail)),
        }
    }

    /// Whether the message may be published: `None` if so, else what its publisher is told.
    fn judge(&mut self, incoming: &Incoming<'_>) -> Result<Option<Answer>, Fault> {
        let Incoming { conn, session, publish, topic } = incoming;
        let Some(session) = self.sessions.get_mut(*session) else { return Ok(None) };
        let question = Question::publish(publish.qos, publish.retain);
        let rules = Rules { authorizer: &*self.authorizer, answers: self.answers };
        if !rules.allow(&mut session.rights, &session.identity, question, topic) {
            let detail = "the client may not publish to this topic";
            let v3 = self.conns.get(*conn).is_some_and(|conn| conn.version.is_v3());
            if v3 && self.config.denied_v3_publish == DeniedPublish::Close {
                // [MQTT3-3.3.5-2]
                return Err(Fault::new(ReasonCode::NOT_AUTHORIZED, detail));
            }
            return Ok(Some(Answer::refused(ReasonCode::NOT_AUTHORIZED, detail)));
        }
        if self.config.payload_format_check && !publish.properties.payload_format_is_valid(publish.payload) {
            let detail = "the payload is not UTF-8";
            return Ok(Some(Answer::refused(ReasonCode::PAYLOAD_FORMAT_INVALID, detail)));
        }
        Ok(None)
    }

    /// PUBACK or PUBREC [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT3-3.3.4-1] [MQTT3-4.3.2-2].
    fn acknowledge(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        qos: QoS,
        packet_id: PacketId,
        answer: &Answer,
    ) {
        let Answer { reason_code, reason, wait, .. } = *answer;
        let response = match qos {
            QoS::ExactlyOnce => Response::Pubrec { packet_id, reason_code, reason },
            QoS::AtMostOnce | QoS::AtLeastOnce => Response::Puback { packet_id, reason_code, reason },
        };
        self.respond(turn, conn, response, wait);
    }

    fn count_refused(&mut self, answer: &Answer) {
        self.counters.publish_refused += 1;
        self.counters.refusals.count(answer.reason_code);
        if self.spans.is_some() {
            self.followed_is_refused(answer.reason_code);
        }
    }

    /// A message of the broker itself.
    pub(crate) fn publish_own(&mut self, turn: &mut Turn<'_>, publish: &ServerPublish<'_>) {
        self.route(turn, &mut Publication::from_server(publish), None);
    }
}
