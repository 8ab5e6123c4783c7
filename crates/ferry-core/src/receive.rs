use ferry_codec::{Direction, Packet, decode, frame_length};
use ferry_session::Timestamp;

use crate::conn::ConnState;
use crate::counters::packet_type;
use crate::fault::Fault;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Effects};

/// The first byte of every CONNECT (section 3.1.1).
pub(crate) const CONNECT_FIRST_BYTE: u8 = 0x10;

/// The packet type of PUBLISH (Table 2-1).
const PUBLISH: usize = 3;

/// The packet at the front of what a client sent.
pub(crate) struct Next {
    length: usize,
    /// The connection may only be so fast.
    has_rates: bool,
    /// It is worth while to look at what is behind it, of a client that has been let in.
    pub(crate) reads_ahead: bool,
}

impl Shard {
    /// Takes what a client sent and returns how many of the bytes were used; the driver keeps the others and
    /// gives them again with what follows. Bytes are left over when the last packet is incomplete, and when the
    /// connection is paused: then call this again, even without new bytes, when it is named in
    /// [`Effects::resume`].
    pub fn receive(&mut self, now: Timestamp, conn: ConnId, bytes: &[u8], effects: &mut Effects) -> usize {
        self.now = self.now.max(now);
        let turn = &mut Turn { now: self.now, effects };
        let (mut used, mut ahead) = (0, 0);
        let messages_before = self.counters.packets_received[PUBLISH];
        while let Some(Next { length, has_rates, reads_ahead }) = self.next_frame(turn, conn, &bytes[used..])
        {
            if used >= ahead && reads_ahead {
                ahead = used + self.read_ahead(&bytes[used..]);
            }
            let frame = &bytes[used..used + length];
            used += length;
            self.counters.bytes_received += length as u64;
            self.packet(turn, conn, frame);
            if has_rates {
                self.limit_rate(turn, conn, frame);
            }
            self.settle(turn);
        }
        self.settle(turn);
        self.spare_messages.collect();
        let Some(conn) = self.conns.get_mut(conn) else { return bytes.len() };
        conn.bytes_received += used as u64;
        conn.messages_received += self.counters.packets_received[PUBLISH] - messages_before;
        // What follows the end of a connection is of no interest [MQTT-3.1.4-6] [MQTT3-3.1.4-5].
        if conn.is_closing() { bytes.len() } else { used }
    }

    /// The next packet, if it is complete and may be taken now.
    pub(crate) fn next_frame(&mut self, turn: &mut Turn<'_>, id: ConnId, bytes: &[u8]) -> Option<Next> {
        let conn = self.conns.get(id)?;
        if conn.is_closing() || conn.paused.is_paused() || bytes.is_empty() {
            return None;
        }
        let has_rates = conn.rates.is_some();
        let is_online = matches!(conn.state, ConnState::Online(_));
        let mut limits = self.config.decode;
        if matches!(conn.state, ConnState::AwaitConnect) {
            // [MQTT-3.1.0-1] [MQTT3-3.1.0-1]: anything else is not even answered.
            if bytes[0] != CONNECT_FIRST_BYTE {
                self.ignore(turn, id, "the first packet is not CONNECT");
                return None;
            }
        }
        if matches!(conn.state, ConnState::AwaitConnect | ConnState::Authenticating(_)) {
            // Nobody knows yet whether it may send more.
            limits.packet_size_max = limits.packet_size_max.min(self.config.connect_bytes_max);
        }
        match frame_length(bytes, &limits) {
            Ok(length) => {
                let length = length.filter(|length| *length <= bytes.len())?;
                Some(Next { length, has_rates, reads_ahead: is_online && self.reads_ahead() })
            }
            Err(error) => {
                self.refuse(turn, id, error.into());
                None
            }
        }
    }

    fn packet(&mut self, turn: &mut Turn<'_>, id: ConnId, frame: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let result = match conn.state {
            ConnState::AwaitConnect => {
                self.counters.packets_received[1] += 1;
                self.connect_packet(turn, id, frame);
                return;
            }
            ConnState::Authenticating(_) => self.packet_while_authenticating(turn, id, frame),
            ConnState::Online(session) => {
                conn.keep_alive.received(turn.now);
                let limits = self.config.decode;
                match decode(frame, conn.version, Direction::FromClient, &limits) {
                    Ok(packet) => self.dispatch(turn, id, session, &packet),
                    Err(error) => Err(error.into()),
                }
            }
            ConnState::Left | ConnState::Closing => return,
        };
        if let Err(fault) = result {
            self.refuse(turn, id, fault);
        }
    }

    /// All that a connected client can say.
    fn dispatch(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session: SessionId,
        packet: &Packet<'_>,
    ) -> Result<(), Fault> {
        self.counters.packets_received[packet_type(packet)] += 1;
        match packet {
            Packet::Publish(publish) => self.publish_packet(turn, conn, session, publish),
            Packet::Puback(ack) => self.puback_packet(turn, session, ack),
            Packet::Pubrec(ack) => self.pubrec_packet(turn, conn, session, ack),
            Packet::Pubrel(ack) => self.pubrel_packet(turn, conn, session, ack),
            Packet::Pubcomp(ack) => self.pubcomp_packet(turn, session, ack),
            Packet::Subscribe(subscribe) => self.subscribe_packet(turn, conn, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                self.unsubscribe_packet(turn, conn, session, unsubscribe);
                Ok(())
            }
            Packet::Pingreq => self.pingreq_packet(turn, conn),
            Packet::Disconnect(disconnect) => self.disconnect_packet(turn, conn, session, disconnect),
            Packet::Auth(auth) => self.auth_packet(turn, conn, auth),
            // [MQTT-3.1.0-2] [MQTT3-3.1.0-2]
            Packet::Connect(_) => Err(Fault::protocol_error("a second CONNECT")),
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                Err(Fault::protocol_error("a packet that only a server sends"))
            }
        }
    }

    /// [MQTT-3.12.4-1] [MQTT3-3.12.4-1]
    fn pingreq_packet(&mut self, turn: &mut Turn<'_>, conn: ConnId) -> Result<(), Fault> {
        self.send(turn, conn, &Packet::Pingresp);
        self.check_output(turn, conn);
        Ok(())
    }
}
