use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ferry_codec::topic::{TopicError, validate_topic_name};
use ferry_codec::wire_shape::encoded_publish_length;
use ferry_codec::{Ack, DecodeLimits, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, encode};
use ferry_session::{
    Acknowledged, AliasChoice, Delivery, DropReason, Dropped, Outgoing, OverflowPolicy, QueueLimits,
    Timestamp, TopicAliasOut,
};

use super::client_session::State;
use super::output::{Output, PIECE_BYTES};
use super::ping_timer::PingTimer;
use super::record::push;
use super::{
    ClientSession, ConnectOptions, Connected, Fault, InvalidValue, NotPublished, OutgoingOverflow, Published,
    Record, SessionEvent,
};
use crate::Message;
use crate::message::{Properties, owned_pairs};

/// Why a message was not even taken; it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishRefused {
    /// As many messages or bytes wait as may.
    Full,
    /// Larger than all that may wait, [`ConnectOptions::outgoing_bytes_max`]: so many bytes.
    TooLarge {
        /// Of the message, with its topic and properties.
        size_bytes: usize,
        /// The limit.
        outgoing_bytes_max: usize,
    },
    /// Not a topic name `[MQTT-3.3.2-2]`, `[MQTT-4.7.0-1]`, `[MQTT3-3.3.2-2]`, `[MQTT3-4.7.1-1]`.
    Topic(TopicError),
    /// A property is longer than 65,535 bytes, or has a character that it must not have.
    Property(Box<InvalidValue>),
    /// The server would not take it.
    Server(NotPublished),
}

/// What waits is limited by [`ClientSession::publish`].
const UNLIMITED: QueueLimits = QueueLimits {
    queue_messages_max: usize::MAX,
    queue_bytes_max: usize::MAX,
    overflow: OverflowPolicy::DropNewest,
    queue_qos0: true,
    queue_messages_in_memory_max: usize::MAX,
    queue_bytes_in_memory_max: usize::MAX,
};

impl ClientSession {
    /// Takes a message. It is sent when its turn comes, now or on a later connection.
    ///
    /// Returns the number under which its end will be told, [`SessionEvent::Published`] or
    /// [`SessionEvent::NotPublished`]; `None` if it is on its way with QoS 0, and nothing more will be known.
    ///
    /// # Errors
    /// With the message, if it cannot be sent or too much waits already.
    pub fn publish(
        &mut self,
        now: Timestamp,
        message: Message,
    ) -> Result<Option<u64>, (Message, PublishRefused)> {
        if let Err(refused) = self.check_message(&message) {
            return Err((message, refused));
        }
        let is_small = message.payload.len() < PIECE_BYTES;
        if message.qos == QoS::AtMostOnce
            && is_small
            && self.sender.queue_len() == 0
            && self.has_room_in_output()
        {
            return match self.write_qos0(now, &message) {
                Ok(()) => Ok(None),
                Err(reason) => Err((message, PublishRefused::Server(reason))),
            };
        }
        if let Err(refused) = self.make_room(now, message.size_bytes()) {
            return Err((message, refused));
        }
        let (qos, retain) = (message.qos, message.retain);
        let message = Arc::new(self.with_age(message).into_queued(now));
        let delivery = Delivery::new(Arc::clone(&message), qos, retain);
        let size_bytes = delivery.size_bytes();
        let number = self.sender.enqueue(now, delivery, &UNLIMITED, &mut |_| ());
        let number = number.expect("a queue without limits takes everything");
        self.outgoing_bytes += size_bytes;
        if qos != QoS::AtMostOnce {
            self.record(|| Record::Taken { number, message });
        }
        self.pump(now);
        Ok(Some(number))
    }

    /// Sees to it that one more message of this size may wait. Drops older ones for it, if that is wanted.
    fn make_room(&mut self, now: Timestamp, size_bytes: usize) -> Result<(), PublishRefused> {
        let ConnectOptions { outgoing_messages_max, outgoing_bytes_max, .. } = self.options;
        // There never will be room: nobody is to wait for it, and nothing to be dropped.
        if size_bytes > outgoing_bytes_max {
            return Err(PublishRefused::TooLarge { size_bytes, outgoing_bytes_max });
        }
        let is_full = |session: &Self| {
            session.outgoing_len() >= outgoing_messages_max
                || session.outgoing_bytes + size_bytes > outgoing_bytes_max
        };
        while is_full(self) {
            if self.options.outgoing_overflow == OutgoingOverflow::Refuse {
                return Err(PublishRefused::Full);
            }
            let dropped = self.sender.drop_oldest(now).ok_or(PublishRefused::Full)?;
            self.dropped(dropped, NotPublished::DroppedOldest);
        }
        Ok(())
    }

    fn with_age(&self, mut message: Message) -> Message {
        let has_own = message.properties.as_ref().is_some_and(|it| it.message_expiry_interval.is_some());
        if let (Some(seconds), false) = (self.options.outgoing_age_max_seconds, has_own) {
            message.properties_mut().message_expiry_interval = Some(seconds);
        }
        message
    }

    fn dropped(&mut self, dropped: Dropped, reason: NotPublished) {
        let Some(delivery) = dropped.delivery else { return };
        self.outgoing_bytes = self.outgoing_bytes.saturating_sub(delivery.size_bytes());
        let number = delivery.sequence;
        self.events.push_back(not_published(&delivery, reason));
        self.record(|| Record::Done { number });
    }

    /// Sends what waits, as far as the server's Receive Maximum and the output allow. Other packets than PUBLISH wait for
    /// neither `[MQTT-3.3.4-8]`.
    pub(super) fn pump(&mut self, now: Timestamp) {
        let Self { state: State::Connected(connected), sender, .. } = self else { return };
        let version = self.options.protocol_version;
        loop {
            self.is_cut_short = self.output.is_full();
            if self.is_cut_short {
                break;
            }
            let Some(outgoing) = sender.next(now) else { break };
            let mut wire = Wire {
                connected,
                version,
                alias_out: &mut self.alias_out,
                ping: &mut self.ping,
                output: &mut self.output,
                now,
            };
            match outgoing {
                Outgoing::Pubrel { packet_id } => {
                    wire.packet(&Packet::Pubrel(Ack::new(packet_id, ReasonCode::SUCCESS)));
                }
                Outgoing::Dropped(dropped) => {
                    debug_assert_eq!(dropped.reason, DropReason::Expired, "nothing else is dropped here");
                    let Some(delivery) = dropped.delivery else { continue };
                    self.outgoing_bytes = self.outgoing_bytes.saturating_sub(delivery.size_bytes());
                    let number = delivery.sequence;
                    push(&mut self.records, || Record::Done { number });
                    self.events.push_back(not_published(&delivery, NotPublished::Expired));
                }
                Outgoing::Publish { packet_id, delivery, dup } => {
                    let publish = publish_of(&delivery, packet_id, dup, now);
                    let sent = wire.publish(&publish, Some(&delivery.message));
                    let Some(packet_id) = packet_id else {
                        if sent.is_ok() {
                            self.unconfirmed.sent();
                        }
                        self.outgoing_bytes = self.outgoing_bytes.saturating_sub(delivery.size_bytes());
                        self.events.push_back(match sent {
                            Ok(()) => published(delivery.sequence),
                            Err(reason) => not_published(&delivery, reason),
                        });
                        continue;
                    };
                    let number = delivery.sequence;
                    drop(delivery);
                    if sent.is_ok() {
                        self.unconfirmed.mark(number);
                    }
                    if sent.is_ok() && !dup {
                        push(&mut self.records, || Record::Sent { number, packet_id });
                    }
                    if let Err(reason) = sent
                        && let Some(delivery) = sender.skip(packet_id)
                    {
                        push(&mut self.records, || Record::Done { number });
                        self.outgoing_bytes = self.outgoing_bytes.saturating_sub(delivery.size_bytes());
                        self.events.push_back(not_published(&delivery, reason));
                    }
                }
            }
        }
    }

    pub(super) fn puback_received(&mut self, ack: &Ack<'_>) -> Result<(), Fault> {
        self.check_problem_information(ack.reason_string.is_some() || !ack.user_properties.is_empty())?;
        let acknowledged = self.sender.puback(ack.packet_id);
        self.exchange_went_on(acknowledged, ack).map(drop)
    }

    pub(super) fn pubrec_received(&mut self, now: Timestamp, ack: &Ack<'_>) -> Result<(), Fault> {
        self.check_problem_information(ack.reason_string.is_some() || !ack.user_properties.is_empty())?;
        let acknowledged = self.sender.pubrec(ack.packet_id, ack.reason_code);
        if let Some(reason_code) = self.exchange_went_on(acknowledged, ack)? {
            // [MQTT-4.3.3-4]; at once, so that PUBRELs keep the order of the PUBRECs [MQTT-4.6.0-4], [MQTT3-4.6.0-4].
            self.write(now, &Packet::Pubrel(Ack::new(ack.packet_id, reason_code)));
        }
        Ok(())
    }

    pub(super) fn pubcomp_received(&mut self, ack: &Ack<'_>) -> Result<(), Fault> {
        self.check_problem_information(ack.reason_string.is_some() || !ack.user_properties.is_empty())?;
        let acknowledged = self.sender.pubcomp(ack.packet_id);
        self.exchange_went_on(acknowledged, ack).map(drop)
    }

    /// The reason code of a PUBREL that would be the answer to a PUBREC.
    fn exchange_went_on(
        &mut self,
        acknowledged: Acknowledged,
        ack: &Ack<'_>,
    ) -> Result<Option<ReasonCode>, Fault> {
        match acknowledged {
            Acknowledged::Complete { delivery, stored } => {
                let bytes = delivery.as_ref().map_or(0, Delivery::size_bytes);
                self.outgoing_bytes = self.outgoing_bytes.saturating_sub(bytes);
                // A PUBCOMP of 0x92 ends an exchange that the server had ended before: the message has arrived.
                let arrived =
                    delivery.is_none() && ack.reason_code == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                let outcome = Published {
                    reason_code: if arrived { ReasonCode::SUCCESS } else { ack.reason_code },
                    reason_string: ack.reason_string.map(str::to_owned),
                    user_properties: owned_pairs(ack.user_properties),
                };
                let refused = delivery.filter(|_| outcome.reason_code.is_error());
                let refused_topic = refused.map(|delivery| delivery.message.topic.to_string());
                let number = stored.sequence;
                self.unconfirmed.acknowledged(number);
                self.record(|| Record::Done { number });
                self.events.push_back(SessionEvent::Published { number, outcome, refused_topic });
                Ok(None)
            }
            Acknowledged::SendPubrel(delivery) => {
                let bytes = delivery.as_ref().map_or(0, Delivery::size_bytes);
                self.outgoing_bytes = self.outgoing_bytes.saturating_sub(bytes);
                if let Some(delivery) = delivery {
                    let (number, packet_id) = (delivery.sequence, ack.packet_id);
                    self.unconfirmed.acknowledged(number);
                    self.record(|| Record::Released { number, packet_id });
                }
                Ok(Some(ReasonCode::SUCCESS))
            }
            Acknowledged::UnknownPacketId => Ok(Some(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)),
            Acknowledged::Unexpected => {
                Err(Fault::protocol_error("an acknowledgement of the wrong kind", "MQTT-4.3.2-3"))
            }
        }
    }

    fn check_message(&self, message: &Message) -> Result<(), PublishRefused> {
        validate_topic_name(&message.topic, &DecodeLimits::UNLIMITED).map_err(PublishRefused::Topic)?;
        if let Some(properties) = &message.properties {
            properties.check().map_err(|invalid| PublishRefused::Property(Box::new(invalid)))?;
        }
        match self.connected() {
            None => Ok(()),
            Some(connected) => {
                connected.supports(message.qos, message.retain).map_err(PublishRefused::Server)
            }
        }
    }

    fn has_room_in_output(&self) -> bool {
        matches!(self.state, State::Connected(_)) && !self.output.is_full()
    }

    fn write_qos0(&mut self, now: Timestamp, message: &Message) -> Result<(), NotPublished> {
        let State::Connected(connected) = &self.state else { return Ok(()) };
        let mut wire = Wire {
            connected,
            version: self.options.protocol_version,
            alias_out: &mut self.alias_out,
            ping: &mut self.ping,
            output: &mut self.output,
            now,
        };
        message.with_publish(|publish| wire.publish(&publish, None))?;
        self.unconfirmed.sent();
        Ok(())
    }
}

/// The way of a packet into the output.
struct Wire<'a> {
    connected: &'a Connected,
    version: ProtocolVersion,
    alias_out: &'a mut TopicAliasOut,
    ping: &'a mut PingTimer,
    output: &'a mut Output,
    now: Timestamp,
}

impl Wire<'_> {
    fn packet(&mut self, packet: &Packet<'_>) {
        encode(packet, self.version, self.output.end());
        self.ping.sent(self.now);
    }

    /// The message that has the payload, if there is one, may be kept until it is sent.
    fn publish(
        &mut self,
        publish: &Publish<'_>,
        message: Option<&Arc<ferry_session::Message>>,
    ) -> Result<(), NotPublished> {
        self.connected.supports(publish.qos, publish.retain)?;
        let alias = if self.alias_out.is_off() {
            AliasChoice::None
        } else {
            self.alias_out.choose(publish.topic, topic_hash(publish.topic))
        };
        let publish = match alias {
            AliasChoice::None => *publish,
            AliasChoice::Existing(alias) => Publish { topic: "", topic_alias: Some(alias), ..*publish },
            AliasChoice::New(alias) => Publish { topic_alias: Some(alias), ..*publish },
        };
        let length = encoded_publish_length(&publish, self.version);
        let length_max = self.connected.maximum_packet_size.min(DecodeLimits::UNLIMITED.packet_size_max);
        // [MQTT-3.2.2-15].
        if length > length_max as usize {
            if let AliasChoice::New(alias) = alias {
                self.alias_out.undo(alias);
            }
            return Err(NotPublished::PacketTooLarge);
        }
        match message.filter(|_| publish.payload.len() >= PIECE_BYTES) {
            None => self.packet(&Packet::Publish(publish)),
            Some(message) => {
                self.output.append_in_pieces(&publish, self.version, message);
                self.ping.sent(self.now);
            }
        }
        Ok(())
    }
}

impl Connected {
    fn supports(&self, qos: QoS, retain: bool) -> Result<(), NotPublished> {
        // [MQTT-3.2.2-11].
        if qos > self.maximum_qos {
            return Err(NotPublished::QosNotSupported);
        }
        // [MQTT-3.2.2-14].
        if retain && !self.retain_available {
            return Err(NotPublished::RetainNotSupported);
        }
        Ok(())
    }
}

impl Properties {
    /// Whether a PUBLISH can carry them. Those of a will are no different.
    pub(super) fn check(&self) -> Result<(), InvalidValue> {
        const OF: &str = "PUBLISH";
        const RESPONSE_TOPIC: &str = "Response Topic";
        let text = |name, text: &Option<String>| {
            text.as_ref().map_or(Ok(()), |text| InvalidValue::check_text(OF, name, text))
        };
        text("Content Type", &self.content_type)?;
        text(RESPONSE_TOPIC, &self.response_topic)?;
        // [MQTT-3.3.2-14].
        if self.response_topic.as_ref().is_some_and(|topic| ferry_codec::topic::has_wildcard(topic)) {
            return Err(InvalidValue { of: OF, name: RESPONSE_TOPIC, why: "has a wildcard" });
        }
        if let Some(data) = &self.correlation_data {
            InvalidValue::check_bytes(OF, "Correlation Data", data)?;
        }
        InvalidValue::check_pairs(OF, &self.user_properties)
    }
}

/// The client chooses its topics itself, so there is nobody to be protected from.
fn topic_hash(topic: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    hasher.finish()
}

fn publish_of(delivery: &Delivery, packet_id: Option<PacketId>, dup: bool, now: Timestamp) -> Publish<'_> {
    Publish {
        dup,
        qos: delivery.qos,
        retain: delivery.retain,
        packet_id,
        topic: &delivery.message.topic,
        properties: delivery.message.properties_at(now),
        payload: &delivery.message.payload,
        ..Publish::default()
    }
}

fn published(number: u64) -> SessionEvent {
    SessionEvent::Published { number, outcome: Published::default(), refused_topic: None }
}

fn not_published(delivery: &Delivery, reason: NotPublished) -> SessionEvent {
    let topic = delivery.message.topic.to_string();
    SessionEvent::NotPublished { number: delivery.sequence, topic, reason }
}

impl fmt::Display for PublishRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many messages wait to be sent"),
            Self::TooLarge { size_bytes, outgoing_bytes_max } => {
                write!(f, "the message has {size_bytes} bytes; all that wait may have {outgoing_bytes_max}")
            }
            Self::Topic(error) => error.fmt(f),
            Self::Property(invalid) => invalid.fmt(f),
            Self::Server(reason) => reason.fmt(f),
        }
    }
}
