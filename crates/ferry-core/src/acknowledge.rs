use ferry_codec::{Ack, ReasonCode};
use ferry_session::{Acknowledged, DropReason, StoredParts};

use crate::fault::Fault;
use crate::response::{Response, Wait};
use crate::session::SessionId;
use crate::shard::Shard;
use crate::spans::SpanKey;
use crate::turn::Turn;
use crate::{ConnId, Record};

impl Shard {
    /// The receiver of a QoS 1 message has it [MQTT-4.3.2-3] [MQTT3-4.3.2-1].
    pub(crate) fn puback_packet(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        ack: &Ack<'_>,
    ) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(session_id) else { return Ok(()) };
        let done = session.sender.puback(ack.packet_id);
        self.acknowledged(turn, session_id, ack, done)
    }

    /// The receiver of a QoS 2 message has it, or refuses it [MQTT-4.3.3-3].
    pub(crate) fn pubrec_packet(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session_id: SessionId,
        ack: &Ack<'_>,
    ) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(session_id) else { return Ok(()) };
        let packet_id = ack.packet_id;
        match session.sender.pubrec(ack.packet_id, ack.reason_code) {
            Acknowledged::SendPubrel(first) => {
                let sequence = first.as_ref().map(|delivery| delivery.sequence);
                let stored = first.as_ref().filter(|delivery| delivery.stored.any());
                if let (Some(number), Some(delivery)) = (session.recorded, stored) {
                    let (copy, order) = (delivery.stored_copy(), session.sender.next_sequence());
                    session.sender.set_stored(packet_id, StoredParts { copy: false, sent: true });
                    let released = Record::Released { session: number, copy, packet_id, order };
                    turn.effects.records.push(released);
                }
                if let Some(delivery) = first {
                    self.spare_messages.keep(delivery.message);
                }
                // After a restart the PUBLISH must not be sent again once the client has seen PUBREL
                // [MQTT-4.3.3-6].
                let is_recorded = session.recorded.is_some();
                if self.spans.is_some()
                    && let Some(sequence) = sequence
                {
                    self.end_span(turn, SpanKey::Delivered(session_id, sequence), ack.reason_code);
                }
                let wait = self.exchange_wait(turn, is_recorded);
                // [MQTT-4.3.3-4] [MQTT3-4.3.3-1]
                let response = Response::Pubrel { packet_id, reason_code: ReasonCode::SUCCESS, reason: None };
                self.respond(turn, conn, response, wait);
                self.check_output(turn, conn);
                Ok(())
            }
            // A refusal ends an exchange, and there is none [MQTT-4.3.3-4].
            Acknowledged::UnknownPacketId if ack.reason_code.is_error() => Ok(()),
            Acknowledged::UnknownPacketId => {
                let reason_code = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                let reason = Some("no message has this packet identifier");
                let response = Response::Pubrel { packet_id, reason_code, reason };
                self.respond(turn, conn, response, Wait::default());
                self.check_output(turn, conn);
                Ok(())
            }
            done => self.acknowledged(turn, session_id, ack, done),
        }
    }

    /// The QoS 2 exchange that a client began ends [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT3-4.3.3-2].
    pub(crate) fn pubrel_packet(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session_id: SessionId,
        ack: &Ack<'_>,
    ) -> Result<(), Fault> {
        let packet_id = ack.packet_id;
        let Some(session) = self.sessions.get_mut(session_id) else { return Ok(()) };
        let recorded = session.recorded;
        let is_stored = session.receiver.is_stored(packet_id);
        let known = session.receiver.pubrel(packet_id);
        if let Some(session) = recorded.filter(|_| is_stored) {
            turn.effects.records.push(Record::ReceivedReleased { session, packet_id });
        }
        let (reason_code, reason) = if known {
            (ReasonCode::SUCCESS, None)
        } else {
            (ReasonCode::PACKET_IDENTIFIER_NOT_FOUND, Some("no PUBLISH has this packet identifier"))
        };
        // A PUBREL that is sent again must not be answered before the first one is durable.
        let wait = self.exchange_wait(turn, recorded.is_some() && (is_stored || !known));
        let response = Response::Pubcomp { packet_id, reason_code, reason };
        self.respond(turn, conn, response, wait);
        self.check_output(turn, conn);
        Ok(())
    }

    /// The receiver of a QoS 2 message knows that it is complete [MQTT-4.3.3-5].
    pub(crate) fn pubcomp_packet(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        ack: &Ack<'_>,
    ) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(session_id) else { return Ok(()) };
        let done = session.sender.pubcomp(ack.packet_id);
        self.acknowledged(turn, session_id, ack, done)
    }

    /// An exchange is complete, whatever its reason code: the next message can go [MQTT-4.4.0-2]. A refused copy
    /// of a shared subscription goes to nobody else [MQTT-4.8.2-6].
    fn acknowledged(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        ack: &Ack<'_>,
        done: Acknowledged,
    ) -> Result<(), Fault> {
        match done {
            Acknowledged::Complete { delivery, stored } => {
                self.counters.inflight_messages -= 1;
                if self.spans.is_some()
                    && let Some(delivery) = &delivery
                {
                    self.end_span(turn, SpanKey::Delivered(session_id, delivery.sequence), ack.reason_code);
                }
                let Some(session) = self.sessions.get(session_id) else { return Ok(()) };
                if let Some(delivery) = delivery {
                    if ack.reason_code.is_error() {
                        let topic = &delivery.message.topic;
                        self.counters.drops.count(DropReason::RejectedByReceiver, session.client_id(), topic);
                    }
                    self.spare_messages.keep(delivery.message);
                }
                if let Some(session) = session.recorded.filter(|_| stored.parts.any()) {
                    turn.effects.records.push(Record::Completed { session, copy: stored });
                }
                self.pump(turn, session_id);
                self.continue_replay(session_id);
                Ok(())
            }
            Acknowledged::SendPubrel(_) | Acknowledged::UnknownPacketId => Ok(()),
            Acknowledged::Unexpected => {
                // It belongs to an exchange of the other QoS.
                Err(Fault::protocol_error("an acknowledgement of the wrong kind for this packet identifier"))
            }
        }
    }
}
