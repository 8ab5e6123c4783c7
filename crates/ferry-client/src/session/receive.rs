use ferry_codec::{Ack, Direction, Packet, ReasonCode, decode, frame_length};
use ferry_session::Timestamp;

use super::client_session::State;
use super::{ClientSession, Fault, Record};

impl ClientSession {
    /// Bytes came. Returns how many were taken: the rest is the beginning of a packet, to be given again when there is
    /// more of it.
    pub fn receive(&mut self, now: Timestamp, input: &[u8]) -> usize {
        let mut taken = 0;
        self.ping.received(now);
        while matches!(self.state, State::AwaitConnack { .. } | State::Connected(_)) {
            let rest = input.get(taken..).unwrap_or_default();
            let result = match frame_length(rest, &self.limits) {
                Ok(None) => break,
                Ok(Some(length)) if length > rest.len() => break,
                Ok(Some(length)) => {
                    taken += length;
                    self.frame_received(now, &rest[..length])
                }
                Err(error) => Err(error.into()),
            };
            if let Err(fault) = result {
                self.fault(now, fault);
            }
        }
        self.end_overrun(now);
        self.pump(now);
        taken
    }

    fn frame_received(&mut self, now: Timestamp, frame: &[u8]) -> Result<(), Fault> {
        let version = self.options.protocol_version;
        let packet = decode(frame, version, Direction::FromServer, &self.limits)?;
        let is_greeting = matches!(packet, Packet::Connack(_) | Packet::Auth(_) | Packet::Disconnect(_));
        if matches!(self.state, State::AwaitConnack { .. }) && !is_greeting {
            return Err(Fault::protocol_error("a packet before CONNACK", "MQTT-3.2.0-1"));
        }
        self.packet_received(now, &packet)
    }

    fn packet_received(&mut self, now: Timestamp, packet: &Packet<'_>) -> Result<(), Fault> {
        match packet {
            Packet::Connack(connack) => self.connack_received(now, connack),
            Packet::Publish(publish) => self.publish_received(now, publish),
            Packet::Puback(ack) => self.puback_received(ack),
            Packet::Pubrec(ack) => self.pubrec_received(now, ack),
            Packet::Pubrel(ack) => self.pubrel_received(now, ack),
            Packet::Pubcomp(ack) => self.pubcomp_received(ack),
            Packet::Suback(suback) => self.suback_received(now, suback),
            Packet::Unsuback(unsuback) => self.unsuback_received(now, unsuback),
            Packet::Pingresp => {
                self.unconfirmed.answered();
                Ok(())
            }
            Packet::Disconnect(disconnect) => self.disconnect_received(disconnect),
            Packet::Auth(auth) => self.auth_received(now, auth),
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Pingreq => {
                Err(Fault::protocol_error("a packet that only clients send", ""))
            }
        }
    }

    fn pubrel_received(&mut self, now: Timestamp, ack: &Ack<'_>) -> Result<(), Fault> {
        self.check_problem_information(ack.reason_string.is_some() || !ack.user_properties.is_empty())?;
        // [MQTT-4.3.3-11]: also for one that is not known any more.
        let (packet_id, known) = (ack.packet_id, self.receiver.pubrel(ack.packet_id));
        self.record(|| Record::Completed { packet_id });
        let reason_code = if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
        self.write(now, &Packet::Pubcomp(Ack::new(ack.packet_id, reason_code)));
        Ok(())
    }

    /// `U5-017`: explanations that were not asked for, in other packets than PUBLISH, CONNACK and DISCONNECT.
    pub(super) fn check_problem_information(&self, is_there: bool) -> Result<(), Fault> {
        if is_there && !self.options.request_problem_information {
            return Err(Fault::protocol_error("problem information was not asked for", "U5-017"));
        }
        Ok(())
    }
}
