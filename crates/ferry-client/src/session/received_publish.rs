use ferry_codec::{Ack, Disconnect, Packet, Publish, ReasonCode};
use ferry_session::{Received, Timestamp};

use super::{ClientSession, CloseReason, ConnectOptions, Fault, Record, SessionEvent};
use crate::Message;

impl ClientSession {
    /// The owner is done with a message; the server is told when those before it are done too `[MQTT-4.6.0-2]`. A code
    /// from 0x80 refuses it, which only 5.0 can say; in 3.x it is acknowledged `[MQTT-4.5.0-2]`, `[MQTT3-4.5.0-2]`.
    ///
    /// False if there is nothing to acknowledge any more, because the connection (QoS 1) or the session is gone.
    pub fn acknowledge(&mut self, now: Timestamp, number: u64, reason_code: ReasonCode) -> bool {
        let known = self.acknowledgements.decide(number, reason_code);
        if known && self.connected().is_some() {
            self.send_acknowledgements(now);
            self.end_overrun(now);
        }
        known
    }

    pub(super) fn publish_received(&mut self, now: Timestamp, publish: &Publish<'_>) -> Result<(), Fault> {
        let is_too_much = publish.packet_id.is_some() && (self.is_overrun || self.is_held(2));
        if is_too_much && self.outlives_connection() {
            // As if it had not been read yet: the server sends it again to the next connection.
            self.is_overrun = true;
            return Ok(());
        }
        // [MQTT-3.3.2-10]: any alias up to the maximum.
        let topic = self.alias_in.resolve(publish.topic, publish.topic_alias);
        let topic = topic.map_err(|reason_code| Fault {
            reason_code,
            detail: "a topic alias that was not allowed or not defined",
            statement: "MQTT-3.3.2-8",
        })?;
        let Some(packet_id) = publish.packet_id else {
            let message = Message::from_publish(publish, topic);
            self.events.push_back(SessionEvent::Message { message, acknowledgement: None });
            return Ok(());
        };
        match self.receiver.publish(publish.qos, packet_id) {
            Received::Fresh if is_too_much => {
                // It would not come again, so it is discarded as QoS 0 is.
                let number = self.acknowledgements.add(publish.qos, packet_id, 0);
                self.acknowledgements.decide(number, ReasonCode::SUCCESS);
                self.events.push_back(SessionEvent::Overflowed { topic: topic.to_owned() });
                self.send_acknowledgements(now);
            }
            Received::Fresh => {
                let message = Message::from_publish(publish, topic);
                let size_bytes = message.size_bytes();
                let acknowledgement = Some(self.acknowledgements.add(publish.qos, packet_id, size_bytes));
                self.events.push_back(SessionEvent::Message { message, acknowledgement });
            }
            Received::Duplicate => {
                self.acknowledgements.add_again(packet_id);
                self.send_acknowledgements(now);
            }
            Received::PacketIdInUse => {
                self.receiver.puback_sent();
                let code = ReasonCode::PACKET_IDENTIFIER_IN_USE;
                self.write(now, &Packet::Puback(Ack::new(packet_id, code)));
            }
            Received::ReceiveMaximumExceeded | Received::TooManyExchanges => {
                return Err(Fault {
                    reason_code: ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                    detail: "more messages at the same time than the Receive Maximum",
                    statement: "MQTT-3.3.4-9",
                });
            }
        }
        Ok(())
    }

    /// Whether so much is unacknowledged that reading should stop, unless the client waits for an answer. In 5.0 the server
    /// stops by itself, at the Receive Maximum.
    #[must_use]
    pub fn is_receive_full(&self) -> bool {
        self.is_held(1)
    }

    /// Whether so many times of what may wait for its acknowledgement in 3.x does.
    fn is_held(&self, times: usize) -> bool {
        let ConnectOptions { receive_maximum, receive_bytes_max_v3, .. } = self.options;
        let held = self.acknowledgements.held();
        self.options.protocol_version.is_v3()
            && (held.messages >= times * usize::from(receive_maximum.max(1))
                || held.bytes >= receive_bytes_max_v3.max(1).saturating_mul(times))
    }

    /// Leaves the connection on which messages were passed over, so that they come again, once there is room for them.
    pub(super) fn end_overrun(&mut self, now: Timestamp) {
        if self.is_overrun && self.connected().is_some() && !self.is_held(1) {
            self.write(now, &Packet::Disconnect(Disconnect::default()));
            self.close(CloseReason::ReceiveOverrun);
        }
    }

    pub(super) fn send_acknowledgements(&mut self, now: Timestamp) {
        while let Some((packet_id, reason_code)) = self.acknowledgements.next_puback() {
            self.receiver.puback_sent();
            self.write(now, &Packet::Puback(Ack::new(packet_id, reason_code)));
        }
        while let Some((packet_id, reason_code)) = self.acknowledgements.next_pubrec() {
            // In 3.x every PUBREC is a success.
            let is_v3 = self.options.protocol_version.is_v3();
            let said = if is_v3 { ReasonCode::SUCCESS } else { reason_code };
            self.receiver.pubrec_sent(packet_id, said);
            if !said.is_error() {
                self.record(|| Record::Received { packet_id });
            }
            self.write(now, &Packet::Pubrec(Ack::new(packet_id, said)));
        }
    }
}
