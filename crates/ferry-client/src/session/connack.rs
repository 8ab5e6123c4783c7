use std::num::NonZeroU16;

use ferry_codec::Connack;
use ferry_session::{Receiver, Sender, SenderSnapshot, Timestamp, TopicAliasOut};

use super::client_session::State;
use super::connected::Asked;
use super::ping_timer::PingTimer;
use super::subscriptions::PUBLISH_PACKET_ID_MAX;
use super::{ClientSession, CloseReason, Connected, Fault, NotPublished, Record, ServerReason, SessionEvent};
use crate::message::owned_pairs;

/// So many messages above the Receive Maximum are taken: there are servers that miscount by a few, and a connection that
/// ends is worse than what they cost.
pub(super) const RECEIVE_TOLERANCE: u16 = 64;

impl ClientSession {
    pub(super) fn connack_received(&mut self, now: Timestamp, connack: &Connack<'_>) -> Result<(), Fault> {
        let State::AwaitConnack { clean_start, .. } = self.state else {
            return Err(Fault::protocol_error("a second CONNACK", ""));
        };
        if connack.reason_code.is_error() {
            self.close(CloseReason::Refused(refusal(connack)));
            return Ok(());
        }
        // [MQTT-3.2.2-4]: it was asked to begin anew, so it cannot have anything.
        if connack.session_present && clean_start {
            return Err(Fault::protocol_error(
                "a session that was asked to be new is present",
                "MQTT-3.2.2-4",
            ));
        }
        if let Err(why) = self.authentication_succeeded(connack) {
            self.close(CloseReason::AuthenticationFailed(why));
            return Ok(());
        }
        let connected = Connected::from_connack(connack, &self.asked(clean_start));
        self.options.client_id.clone_from(&connected.client_id);
        self.was_connected = true;
        if !connack.session_present {
            self.discard_session();
        }
        self.begin(now, &connected);
        self.state = State::Connected(Box::new(connected.clone()));
        self.events.push_back(SessionEvent::Connected(Box::new(connected)));
        self.send_requests(now);
        self.pump(now);
        Ok(())
    }

    fn asked(&self, clean_start: bool) -> Asked<'_> {
        let options = &self.options;
        let of_version_3 = if clean_start { 0 } else { u32::MAX };
        Asked {
            client_id: &options.client_id,
            keep_alive_seconds: options.keep_alive_seconds,
            session_expiry_interval: if options.protocol_version.is_v3() {
                of_version_3
            } else {
                options.session_expiry_interval
            },
        }
    }

    /// Takes over what the server has said about itself.
    fn begin(&mut self, now: Timestamp, connected: &Connected) {
        // [MQTT-3.3.4-7]: no more than the server's Receive Maximum.
        let quota = connected.receive_maximum.min(self.options.send_quota());
        self.sender.resume(NonZeroU16::new(quota).unwrap_or(NonZeroU16::MIN));
        // In 3.x the server has not been told, and breaks no rule by sending more.
        let is_v3 = self.options.protocol_version.is_v3();
        let told = if is_v3 { u16::MAX } else { self.options.receive_maximum };
        let told = told.saturating_add(RECEIVE_TOLERANCE);
        self.receiver.resume(NonZeroU16::new(told).unwrap_or(NonZeroU16::MIN), NonZeroU16::MAX);
        // [MQTT-3.2.2-17], [MQTT-3.3.2-9].
        self.alias_out =
            TopicAliasOut::new(connected.topic_alias_maximum.min(self.options.topic_alias_out_max));
        self.ping = PingTimer::new(connected.keep_alive_seconds, self.options.ping_timeout_ms, now);
    }

    /// The server has no session: the client discards what it has of it `[MQTT-3.2.2-5]`, `[MQTT-3.1.2-4]`. What the
    /// application has published and may be delivered more than once is published again, as new messages.
    fn discard_session(&mut self) {
        let SenderSnapshot { last_packet_id, last_sequence, exchanges, mut queue, .. } =
            self.sender.snapshot();
        let mut again = Vec::new();
        for exchange in exchanges {
            match exchange.delivery {
                Some(delivery) if delivery.qos == ferry_codec::QoS::AtLeastOnce => {
                    let number = delivery.sequence;
                    self.record(|| Record::Unsent { number });
                    again.push(delivery);
                }
                delivery => {
                    let number = exchange.stored.sequence;
                    self.record(|| Record::Done { number });
                    self.lose(number, delivery.as_ref());
                }
            }
        }
        again.append(&mut queue);
        self.record(|| Record::SessionLost);
        let snapshot =
            SenderSnapshot { last_packet_id, last_sequence, queue: again, ..SenderSnapshot::default() };
        self.sender = Sender::restore(snapshot).unwrap_or_default();
        self.sender.limit_packet_ids(PUBLISH_PACKET_ID_MAX);
        self.receiver = Receiver::new();
        self.acknowledgements.clear();
        self.subscriptions.session_lost(self.options.resubscribe, &mut self.events);
    }

    /// A QoS 2 message whose fate is unknown. One whose PUBREC came has arrived.
    fn lose(&mut self, number: u64, delivery: Option<&ferry_session::Delivery>) {
        let event = match delivery {
            None => {
                let outcome = super::Published::default();
                SessionEvent::Published { number, outcome, refused_topic: None }
            }
            Some(delivery) => {
                self.outgoing_bytes = self.outgoing_bytes.saturating_sub(delivery.size_bytes());
                let topic = delivery.message.topic.to_string();
                SessionEvent::NotPublished { number, topic, reason: NotPublished::SessionLost }
            }
        };
        self.events.push_back(event);
    }
}

fn refusal(connack: &Connack<'_>) -> ServerReason {
    ServerReason {
        reason_code: connack.reason_code,
        reason_string: connack.properties.reason_string.map(str::to_owned),
        server_reference: connack.properties.server_reference.map(str::to_owned),
        user_properties: owned_pairs(connack.properties.user_properties),
    }
}

impl ClientSession {
    fn authentication_succeeded(&mut self, connack: &Connack<'_>) -> Result<(), String> {
        let Some(mechanism) = self.mechanism.as_mut().filter(|_| !self.options.protocol_version.is_v3())
        else {
            return Ok(());
        };
        mechanism.success(connack.properties.authentication_data.unwrap_or_default())
    }
}
