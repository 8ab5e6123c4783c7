use std::collections::VecDeque;

use ferry_codec::{Ack, AckKind, Packet, PacketId, ProtocolVersion, ReasonCode, encode, encoded_length};

use crate::commit::{Promise, Waiter};
use crate::counters::packet_type;
use crate::deferred::Deferred;
use crate::mailbox::ReceivedExchange;
use crate::shard::Shard;
use crate::spans::SpanKey;
use crate::turn::Turn;
use crate::write_packet::mark_dirty;
use crate::{ConnId, Durability, Receipt, Record, Refusal};

/// Answers that a connection is owed, in order, from the first that still waits for something.
#[derive(Default)]
pub(crate) struct Responses {
    /// Without a store nothing ever waits, and nothing is allocated.
    pending: Option<Box<Pending>>,
    last_sequence: u64,
}

#[derive(Default)]
struct Pending {
    responses: VecDeque<PendingResponse>,
    /// Bytes that wait, about.
    bytes: usize,
}

impl Pending {
    fn push_back(&mut self, response: PendingResponse) {
        self.bytes += response.bytes;
        self.responses.push_back(response);
    }
}

struct PendingResponse {
    sequence: u64,
    response: Response,
    promise: Option<Promise>,
    receipts: u32,
    bytes: usize,
}

/// An answer to a client, kept until it may be sent.
pub(crate) enum Response {
    /// PUBACK of the client's PUBLISH.
    Puback { packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str> },
    /// PUBREC of the client's PUBLISH.
    Pubrec { packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str> },
    /// PUBCOMP of the client's PUBREL.
    Pubcomp { packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str> },
    /// A PUBREC that refuses, after the end of the exchange was recorded.
    RefusedPubrec { packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str> },
    /// No answer at all, to a 3.x client whose message was refused; the packet identifier of a QoS 2 one whose exchange
    /// has not ended yet.
    Withheld { exchange: Option<PacketId> },
    /// PUBREL after the client's PUBREC.
    Pubrel { packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str> },
    /// A QoS 2 PUBLISH of the session that is sent for the first time; the bytes it takes. After a restart the packet
    /// identifier must not stand for another message than the client knows it for.
    Publish { packet_id: PacketId, bytes: usize },
    /// CONNACK, encoded: others may follow it.
    Connack(Box<[u8]>),
    /// SUBACK or UNSUBACK, encoded; the type of the packet.
    Encoded(Box<[u8]>, usize),
}

/// What an answer waits for. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Records of this shard.
    pub(crate) promise: Option<Promise>,
    /// Receipts of other shards.
    pub(crate) receipts: u32,
}

impl Responses {
    /// The sequence number that the next answer will have: that of receipts for it.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    /// Bytes that wait to be sent, with what it takes to remember them.
    pub(crate) fn bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes)
    }

    /// Appends the answer with the next sequence number. If it waits for a promise,
    /// [`Commit::wait`](crate::commit::Commit::wait) must know.
    fn push(&mut self, response: Response, wait: Wait) {
        self.last_sequence += 1;
        let pending = PendingResponse::new(self.last_sequence, response, wait);
        self.pending.get_or_insert_default().push_back(pending);
    }

    /// Appends a PUBLISH. It has no number: that of the next answer may be on its way to other shards.
    pub(crate) fn push_publish(&mut self, packet_id: PacketId, bytes: usize, promise: Promise) {
        let wait = Wait { promise: Some(promise), receipts: 0 };
        let pending = PendingResponse::new(0, Response::Publish { packet_id, bytes }, wait);
        self.pending.get_or_insert_default().push_back(pending);
    }

    /// Puts an answer before all others, to wait for `promise`.
    fn push_front(&mut self, response: Response, promise: Promise) {
        let response = PendingResponse::new(0, response, Wait { promise: Some(promise), receipts: 0 });
        let pending = self.pending.get_or_insert_default();
        pending.bytes += response.bytes;
        pending.responses.push_front(response);
    }

    /// A receipt came for the answer `sequence`.
    fn received(&mut self, sequence: u64) -> Option<&mut PendingResponse> {
        let pending = self.pending.iter_mut().flat_map(|pending| pending.responses.iter_mut());
        let found = pending.into_iter().find(|pending| pending.sequence == sequence)?;
        found.receipts = found.receipts.saturating_sub(1);
        Some(found)
    }

    /// The PUBREC that waits to be sent with this packet identifier.
    fn pubrec_of(&mut self, packet_id: PacketId) -> Option<&mut Response> {
        let pending = self.pending.iter_mut().flat_map(|pending| pending.responses.iter_mut());
        let mut responses = pending.into_iter().map(|pending| &mut pending.response);
        responses.find(
            |response| matches!(response, Response::Pubrec { packet_id: other, .. } if *other == packet_id),
        )
    }

    /// The first answer, if it waits for nothing any more.
    fn pop_released(&mut self, is_kept: impl Fn(Promise) -> bool) -> Option<Response> {
        let pending = self.pending.as_mut()?;
        let first = pending.responses.front()?;
        if first.receipts > 0 || !first.promise.is_none_or(is_kept) {
            return None;
        }
        let first = pending.responses.pop_front()?;
        pending.bytes -= first.bytes;
        if pending.responses.is_empty() {
            self.pending = None;
        }
        Some(first.response)
    }
}

impl PendingResponse {
    fn new(sequence: u64, response: Response, wait: Wait) -> Self {
        let bytes = size_of::<Self>() + response.bytes();
        let Wait { promise, receipts } = wait;
        Self { sequence, response, promise, receipts, bytes }
    }
}

impl Response {
    /// Makes an acknowledgement a refusal. Returns the packet identifier of a PUBREC that was none before.
    fn refuse(&mut self, refused: ReasonCode) -> Option<PacketId> {
        match self {
            Self::Puback { reason_code, .. } => {
                *reason_code = refused;
                None
            }
            Self::Pubrec { packet_id, reason_code, .. } if !reason_code.is_error() => {
                *reason_code = refused;
                Some(*packet_id)
            }
            _ => None,
        }
    }

    /// Makes an acknowledgement no answer at all.
    fn withhold(&mut self) {
        match self {
            Self::Puback { .. } => *self = Self::Withheld { exchange: None },
            Self::Pubrec { packet_id, .. } => *self = Self::Withheld { exchange: Some(*packet_id) },
            _ => {}
        }
    }

    /// Bytes that it holds or will make, without those of a small packet.
    fn bytes(&self) -> usize {
        match self {
            Self::Puback { .. }
            | Self::Pubrec { .. }
            | Self::RefusedPubrec { .. }
            | Self::Withheld { .. }
            | Self::Pubcomp { .. }
            | Self::Pubrel { .. } => 0,
            Self::Publish { bytes, .. } => *bytes,
            Self::Connack(bytes) | Self::Encoded(bytes, _) => bytes.len(),
        }
    }
}

impl Shard {
    /// Answers a client, at once or when what the answer promises is durable, but never before an earlier answer.
    pub(crate) fn respond(&mut self, turn: &mut Turn<'_>, id: ConnId, response: Response, wait: Wait) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if wait == Wait::default() && conn.responses.pending.is_none() {
            conn.responses.last_sequence += 1;
            self.write_response(turn, id, response);
            return;
        }
        conn.responses.push(response, wait);
        if let Some(promise) = wait.promise {
            self.commit.wait(promise, Waiter::Conn(id));
        }
    }

    /// Sends the answers that wait for nothing any more.
    pub(crate) fn release_responses(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        while let Some(conn) = self.conns.get_mut(id) {
            let commit = &self.commit;
            let released = conn.responses.pop_released(|promise| commit.is_kept(promise));
            let Some(response) = released else { break };
            if let Some(response) = self.end_refused(turn, id, response) {
                self.write_response(turn, id, response);
            }
        }
        // What waited before needs no room any more.
        self.written(turn, id);
    }

    /// Another shard has accepted its copies of a message.
    pub(crate) fn receipt_came(&mut self, turn: &mut Turn<'_>, receipt: Receipt, refused: Option<Refusal>) {
        let id = receipt.conn;
        let conn = self.conns.get_mut(id);
        let is_v5 = conn.as_ref().is_some_and(|conn| conn.version == ProtocolVersion::V5);
        let Some(pending) = conn.and_then(|conn| conn.responses.received(receipt.sequence)) else {
            if let (Some(refused), Some(exchange)) = (refused, receipt.exchange) {
                self.refused_late(exchange, refused);
            }
            return;
        };
        match refused {
            Some(refused) if is_v5 => {
                let refused = refused.reason_code();
                if let Some(packet_id) = pending.response.refuse(refused)
                    && let Some(session) = self.session_of_mut(id)
                {
                    session.receiver.refuse(packet_id, refused);
                }
            }
            // Its session is not recorded, so there is no exchange to go on with.
            Some(Refusal::StoreUnwritable) => pending.response.withhold(),
            // A 3.x client cannot be told.
            Some(Refusal::QueueFull) | None => {}
        }
        self.release_responses(turn, id);
    }

    /// A message was refused whose publisher has lost its connection meanwhile: when it comes again, it must not be
    /// taken for one that was routed. If it has come, what it waits for follows this refusal.
    fn refused_late(&mut self, exchange: ReceivedExchange, refused: Refusal) {
        let session = self.sessions.get_mut(exchange.session_id);
        let Some(session) = session.filter(|session| session.recorded == Some(exchange.session)) else {
            return;
        };
        let conn = session.conn.and_then(|conn| self.conns.get_mut(conn));
        let is_v5 = conn.as_ref().is_some_and(|conn| conn.version == ProtocolVersion::V5);
        let again = conn.and_then(|conn| conn.responses.pubrec_of(exchange.packet_id));
        let code = refused.reason_code();
        match again {
            Some(again) if is_v5 => {
                again.refuse(code);
                session.receiver.refuse(exchange.packet_id, code);
            }
            None => session.receiver.refuse(exchange.packet_id, code),
            // A 3.x client cannot be told.
            Some(_) => {}
        }
    }

    /// A PUBREC that refuses frees its packet identifier [MQTT-4.3.3-9]: if the store knows that as taken, it must
    /// know that it is free before the client does. Otherwise the next message with it would be lost after a restart.
    fn end_refused(&mut self, turn: &mut Turn<'_>, id: ConnId, response: Response) -> Option<Response> {
        let Response::Pubrec { packet_id, reason_code, reason } = response else { return Some(response) };
        let Some(session) = self.session_of_mut(id) else { return Some(response) };
        let is_refused = reason_code.is_error() && session.receiver.refusal(packet_id).is_some();
        let recorded = session.recorded.filter(|_| is_refused);
        let Some(recorded) = recorded.filter(|_| session.receiver.is_stored(packet_id)) else {
            return Some(response);
        };
        turn.effects.records.push(Record::ReceivedReleased { session: recorded, packet_id });
        let durability = self.config.durability_max();
        let Some(promise) = self.commit.promise(turn.effects, durability) else { return Some(response) };
        self.commit.wait(promise, Waiter::Conn(id));
        let conn = self.conns.get_mut(id)?;
        conn.responses.push_front(Response::RefusedPubrec { packet_id, reason_code, reason }, promise);
        None
    }

    /// What an answer about the session itself waits for, if it has been `recorded` in this turn.
    pub(crate) fn state_wait(&self, turn: &mut Turn<'_>, recorded: bool) -> Wait {
        let durability = if recorded { self.config.durability } else { Durability::Memory };
        Wait { promise: self.commit.promise(turn.effects, durability), receipts: 0 }
    }

    /// What a step of a QoS 2 exchange of a recorded session waits for: all that was recorded before.
    ///
    /// It is the strongest of all levels, even for a message that is itself not stored: after a restart a packet
    /// identifier that the other side remembers must not be given to another message, which would be taken for the
    /// same one and lost.
    pub(crate) fn exchange_wait(&self, turn: &mut Turn<'_>, is_recorded: bool) -> Wait {
        let durability = if is_recorded { self.config.durability_max() } else { Durability::Memory };
        Wait { promise: self.commit.promise_all(turn.effects, durability), receipts: 0 }
    }

    fn write_response(&mut self, turn: &mut Turn<'_>, id: ConnId, response: Response) {
        let withholds = self.conns.get(id).is_some_and(|conn| conn.withholds);
        match response {
            Response::Puback { .. } | Response::Pubrec { .. } if withholds => {}
            Response::Withheld { exchange } => self.withhold(turn, id, exchange),
            Response::Puback { packet_id, reason_code, reason } => {
                if self.spans.is_some() {
                    self.end_span(turn, SpanKey::Received(id, Some(packet_id)), reason_code);
                }
                if let Some(session) = self.session_of_mut(id) {
                    session.receiver.puback_sent();
                }
                // [MQTT-2.2.1-5] [MQTT3-2.3.1-6]
                self.send_ack(turn, id, AckKind::Puback, ack(packet_id, reason_code, reason));
            }
            Response::Pubrec { packet_id, reason_code, reason }
            | Response::RefusedPubrec { packet_id, reason_code, reason } => {
                if self.spans.is_some() {
                    self.end_span(turn, SpanKey::Received(id, Some(packet_id)), reason_code);
                }
                if let Some(session) = self.session_of_mut(id).filter(|_| reason_code.is_error()) {
                    session.receiver.refusal_sent(packet_id);
                }
                self.send_ack(turn, id, AckKind::Pubrec, ack(packet_id, reason_code, reason));
            }
            Response::Pubcomp { packet_id, reason_code, reason } => {
                self.send_ack(turn, id, AckKind::Pubcomp, ack(packet_id, reason_code, reason));
            }
            Response::Pubrel { packet_id, reason_code, reason } => {
                self.send_ack(turn, id, AckKind::Pubrel, ack(packet_id, reason_code, reason));
            }
            Response::Publish { packet_id, .. } => self.send_recorded(turn, id, packet_id),
            Response::Connack(bytes) => {
                self.send_encoded(turn, id, &bytes, 2);
                self.connack_sent(turn, id);
            }
            Response::Encoded(bytes, packet_type) => self.send_encoded(turn, id, &bytes, packet_type),
        }
    }

    /// Appends a packet, other than PUBLISH, to the output of a connection. Its Reason String and User Properties
    /// are left out where the client does not want them [MQTT-3.1.2-29] or they make it too large
    /// [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2]
    /// [MQTT-3.7.2-3] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3].
    pub(crate) fn send(&mut self, turn: &mut Turn<'_>, id: ConnId, packet: &Packet<'_>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let mut packet = *packet;
        if conn.version == ProtocolVersion::V5 {
            let silent = !conn.request_problem_information && !matches!(packet, Packet::Disconnect(_));
            let max = conn.maximum_packet_size as usize;
            if silent || (max < SMALL_BYTES && encoded_length(&packet, conn.version) > max) {
                remove_problem_information(&mut packet);
            }
            if max < SMALL_BYTES && encoded_length(&packet, conn.version) > max {
                if !matches!(packet, Packet::Disconnect(_)) {
                    self.deferred.push_back(Deferred::DisconnectTooLarge(id));
                }
                return;
            }
        }
        conn.output.prepare(&mut self.spare_buffers);
        let length = encode(&packet, conn.version, conn.output.appending());
        self.counters.packets_sent[packet_type(&packet)] += 1;
        self.counters.bytes_sent += length as u64;
        mark_dirty(turn, id, conn);
    }

    /// As [`send`](Self::send), for the acknowledgements of messages: nearly all of them say no more than the packet
    /// identifier, and there is one or more for each message.
    fn send_ack(&mut self, turn: &mut Turn<'_>, id: ConnId, kind: AckKind, ack: Ack<'static>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let bytes = kind.short(ack.packet_id);
        let fits = conn.maximum_packet_size as usize >= bytes.len();
        let is_plain = ack.reason_code == ReasonCode::SUCCESS && ack.reason_string.is_none();
        if !(conn.version.is_v3() || is_plain && fits) {
            return self.send(turn, id, &kind.packet(ack));
        }
        conn.output.prepare(&mut self.spare_buffers);
        conn.output.appending().extend_from_slice(&bytes);
        self.counters.packets_sent[usize::from(kind.packet_type())] += 1;
        self.counters.bytes_sent += bytes.len() as u64;
        mark_dirty(turn, id, conn);
    }

    /// As [`send`](Self::send), for a packet that was encoded, and made small enough, before.
    fn send_encoded(&mut self, turn: &mut Turn<'_>, id: ConnId, bytes: &[u8], packet_type: usize) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.output.prepare(&mut self.spare_buffers);
        conn.output.appending().extend_from_slice(bytes);
        self.counters.packets_sent[packet_type] += 1;
        self.counters.bytes_sent += bytes.len() as u64;
        mark_dirty(turn, id, conn);
    }

    /// Encodes an answer that may have to wait, within what the client takes: if need be without Reason String
    /// [MQTT-3.9.2-1] [MQTT-3.11.2-1] and User Properties [MQTT-3.9.2-2] [MQTT-3.11.2-2]. `None` if it is too large
    /// for it even so: then the client is disconnected.
    pub(crate) fn encode_response(&mut self, id: ConnId, packet: &Packet<'_>) -> Option<Box<[u8]>> {
        let conn = self.conns.get_mut(id)?;
        let max = conn.maximum_packet_size as usize;
        let mut packet = *packet;
        if !conn.request_problem_information && !matches!(packet, Packet::Connack(_))
            || encoded_length(&packet, conn.version) > max
        {
            remove_problem_information(&mut packet);
        }
        if encoded_length(&packet, conn.version) > max {
            self.deferred.push_back(Deferred::DisconnectTooLarge(id));
            return None;
        }
        let mut bytes = Vec::new();
        encode(&packet, conn.version, &mut bytes);
        Some(bytes.into_boxed_slice())
    }
}

/// No answer that goes through [`Shard::send`] is longer, so a client that takes this much need not be measured:
/// Reason Strings are ours or the operator's, and AUTH data have a limit of their own.
const SMALL_BYTES: usize = 256 * 1024;

fn ack(packet_id: PacketId, reason_code: ReasonCode, reason: Option<&'static str>) -> Ack<'static> {
    Ack { reason_string: reason, ..Ack::new(packet_id, reason_code) }
}

fn remove_problem_information(packet: &mut Packet<'_>) {
    let (reason_string, user_properties) = match packet {
        Packet::Connack(connack) => {
            (&mut connack.properties.reason_string, &mut connack.properties.user_properties)
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            (&mut ack.reason_string, &mut ack.user_properties)
        }
        Packet::Suback(suback) => (&mut suback.reason_string, &mut suback.user_properties),
        Packet::Unsuback(unsuback) => (&mut unsuback.reason_string, &mut unsuback.user_properties),
        Packet::Disconnect(disconnect) => (&mut disconnect.reason_string, &mut disconnect.user_properties),
        Packet::Auth(auth) => (&mut auth.reason_string, &mut auth.user_properties),
        _ => return,
    };
    *reason_string = None;
    *user_properties = ferry_codec::UserProperties::EMPTY;
}
