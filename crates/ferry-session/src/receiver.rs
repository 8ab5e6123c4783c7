use std::num::NonZeroU16;

use ferry_codec::{PacketId, QoS, ReasonCode};
use hashbrown::HashTable;

use crate::on_use::{OnUse, Unused};

/// The receiving side of a session: tells new PUBLISH packets from repeated ones and holds the peer to the
/// Receive Maximum it was given (sections 4.3 and 4.9).
///
/// ```text
///   QoS 2, by packet id:
///               PUBLISH: Fresh, forwarded            PUBREL, answered by PUBCOMP
///   unknown ----------------------------> received -----------------------------> unknown
///      ^                                   |    ^
///      |   refused by PUBREC >= 0x80       |    | PUBLISH again: Duplicate, only PUBREC
///      +-----------------------------------+----+
/// ```
///
/// A session without open QoS 2 exchanges holds no memory but this struct.
#[derive(Debug)]
pub struct Receiver {
    exchanges: OnUse<Exchanges>,
    exchanges_max: u16,
    receive_maximum: u16,
    /// PUBLISHes of this connection that count against the Receive Maximum.
    occupied: u16,
}

/// A QoS 2 exchange between PUBLISH and PUBREL.
#[derive(Clone, Copy, Debug)]
struct ReceivedExchange {
    packet_id: u16,
    /// Whether its PUBLISH arrived on this connection, and so counts against the Receive Maximum.
    counted: bool,
    /// Whether the store knows it.
    stored: bool,
    /// What its PUBREC will say, if that is a refusal, which ends the exchange once it is sent.
    refused: Option<ReasonCode>,
}

/// What a PUBLISH is to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Received {
    /// A new message: forward it, then acknowledge it.
    Fresh,
    /// A QoS 2 message that was forwarded before: only acknowledge it `[MQTT-4.3.3-10]`.
    Duplicate,
    /// A QoS 1 PUBLISH whose packet id belongs to an open QoS 2 exchange: answer 0x91.
    PacketIdInUse,
    /// More at the same time than the peer may send: DISCONNECT 0x93 `[MQTT-3.3.4-7]`.
    ReceiveMaximumExceeded,
    /// More QoS 2 exchanges without a PUBREL than the session may keep, over all its connections: answer
    /// 0x97, in 3.x close the connection.
    TooManyExchanges,
}

/// Capacity that an empty set keeps, in packet ids.
const EMPTY_CAPACITY_MAX: usize = 64;

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// The receiver of a new session. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { exchanges: OnUse::new(), exchanges_max: u16::MAX, receive_maximum: u16::MAX, occupied: 0 }
    }

    /// A connection begins. `receive_maximum` is the one the peer was told, `exchanges_max` the number of QoS 2
    /// packet ids that may wait for their PUBREL.
    pub fn resume(&mut self, receive_maximum: NonZeroU16, exchanges_max: NonZeroU16) {
        self.on_disconnect();
        self.receive_maximum = receive_maximum.get();
        self.exchanges_max = exchanges_max.get();
    }

    /// The connection is gone. The open QoS 2 exchanges stay.
    pub fn on_disconnect(&mut self) {
        self.occupied = 0;
        for exchange in self.exchanges.used().into_iter().flatten() {
            exchange.counted = false;
        }
        if self.exchanges.is_empty() {
            self.exchanges.forget();
        }
    }

    /// A PUBLISH with QoS 1 or 2 arrived. QoS 0 is always `Fresh`; call it with any packet id or not at all.
    pub fn publish(&mut self, qos: QoS, packet_id: PacketId) -> Received {
        match qos {
            QoS::AtMostOnce => Received::Fresh,
            QoS::AtLeastOnce => self.publish_qos1(packet_id),
            QoS::ExactlyOnce => self.publish_qos2(packet_id),
        }
    }

    /// The PUBACK of a PUBLISH that was `Fresh` or `PacketIdInUse` is sent: from now on its packet id is that
    /// of a new message `[MQTT-4.3.2-5]`.
    pub fn puback_sent(&mut self) {
        self.occupied = self.occupied.saturating_sub(1);
    }

    /// The answer to a PUBLISH is decided, and its PUBREC may be sent at once. From 0x80 it ends the exchange
    /// `[MQTT-4.3.3-9]`.
    pub fn pubrec_sent(&mut self, packet_id: PacketId, reason_code: ReasonCode) {
        if reason_code.is_error() {
            self.remove(packet_id);
        }
    }

    /// The message, although others got it, is refused: until
    /// the PUBREC is sent, a PUBLISH with its packet id is a `Duplicate`, to be refused again.
    pub fn refuse(&mut self, packet_id: PacketId, reason_code: ReasonCode) {
        if let Some(exchange) = self.find_mut(packet_id) {
            exchange.refused = Some(reason_code);
        }
    }

    /// A PUBREC from 0x80 on is sent. It ends the exchange that was [refused](Self::refuse), if it is one: if that has
    /// ended before, the packet id may be the one of a message that came since.
    pub fn refusal_sent(&mut self, packet_id: PacketId) {
        if self.refusal(packet_id).is_some() {
            self.remove(packet_id);
        }
    }

    /// What the PUBREC of an open exchange is to say, if that is a refusal.
    #[must_use]
    pub fn refusal(&self, packet_id: PacketId) -> Option<ReasonCode> {
        self.exchanges.find(hash(packet_id), is(packet_id)).and_then(|exchange| exchange.refused)
    }

    /// The store has been told of an open exchange.
    pub fn set_stored(&mut self, packet_id: PacketId) {
        if let Some(exchange) = self.find_mut(packet_id) {
            exchange.stored = true;
        }
    }

    /// Whether the store has been told of an open exchange.
    #[must_use]
    pub fn is_stored(&self, packet_id: PacketId) -> bool {
        self.exchanges.find(hash(packet_id), is(packet_id)).is_some_and(|exchange| exchange.stored)
    }

    /// A PUBREL arrived; it is to be answered by a PUBCOMP with the same packet id `[MQTT-4.3.3-11]`. False if
    /// the id was not known: then PUBCOMP 0x92. From now on it is that of a new message `[MQTT-4.3.3-12]`.
    pub fn pubrel(&mut self, packet_id: PacketId) -> bool {
        self.remove(packet_id)
    }

    /// Whether a QoS 2 exchange with this packet id waits for its PUBREL.
    #[must_use]
    pub fn contains(&self, packet_id: PacketId) -> bool {
        self.exchanges.find(hash(packet_id), is(packet_id)).is_some()
    }

    /// QoS 2 exchanges that wait for their PUBREL.
    #[must_use]
    pub fn exchanges_len(&self) -> usize {
        self.exchanges.len()
    }

    /// PUBLISHes that count against the Receive Maximum now.
    #[must_use]
    pub fn occupied(&self) -> u16 {
        self.occupied
    }

    /// The packet ids that outlive the connection, ascending.
    #[must_use]
    pub fn snapshot(&self) -> Vec<PacketId> {
        let ids = self.exchanges.iter().filter_map(|exchange| PacketId::new(exchange.packet_id));
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// A receiver as the store has it. An id that is there twice counts once.
    #[must_use]
    pub fn restore(packet_ids: impl IntoIterator<Item = PacketId>) -> Self {
        let mut receiver = Self::new();
        for packet_id in packet_ids {
            if !receiver.contains(packet_id) {
                receiver.insert(packet_id, false);
                receiver.set_stored(packet_id);
            }
        }
        receiver
    }

    fn publish_qos1(&mut self, packet_id: PacketId) -> Received {
        if self.occupied >= self.receive_maximum {
            return Received::ReceiveMaximumExceeded;
        }
        self.occupied += 1;
        if self.contains(packet_id) { Received::PacketIdInUse } else { Received::Fresh }
    }

    fn publish_qos2(&mut self, packet_id: PacketId) -> Received {
        let has_room = self.occupied < self.receive_maximum;
        if let Some(exchange) = self.find_mut(packet_id) {
            if !exchange.counted {
                if !has_room {
                    return Received::ReceiveMaximumExceeded;
                }
                exchange.counted = true;
                self.occupied += 1;
            }
            return Received::Duplicate;
        }
        if !has_room {
            return Received::ReceiveMaximumExceeded;
        }
        if self.exchanges.len() >= usize::from(self.exchanges_max) {
            return Received::TooManyExchanges;
        }
        self.occupied += 1;
        self.insert(packet_id, true);
        Received::Fresh
    }

    fn find_mut(&mut self, packet_id: PacketId) -> Option<&mut ReceivedExchange> {
        self.exchanges.used()?.find_mut(hash(packet_id), is(packet_id))
    }

    fn insert(&mut self, packet_id: PacketId, counted: bool) {
        let exchange = ReceivedExchange { packet_id: packet_id.get(), counted, stored: false, refused: None };
        self.exchanges.use_it().insert_unique(hash(packet_id), exchange, |other| hash_id(other.packet_id));
    }

    fn remove(&mut self, packet_id: PacketId) -> bool {
        let Some(exchanges) = self.exchanges.used() else { return false };
        let Ok(entry) = exchanges.find_entry(hash(packet_id), is(packet_id)) else { return false };
        let (exchange, _) = entry.remove();
        if exchange.counted {
            self.occupied = self.occupied.saturating_sub(1);
        }
        if self.exchanges.is_empty() && self.exchanges.capacity() > EMPTY_CAPACITY_MAX {
            self.exchanges.forget();
        }
        true
    }
}

type Exchanges = HashTable<ReceivedExchange>;

impl Unused for Exchanges {
    const UNUSED: &'static Self = &Self::new();

    fn new() -> Self {
        Self::new()
    }
}

fn is(packet_id: PacketId) -> impl Fn(&ReceivedExchange) -> bool {
    move |exchange| exchange.packet_id == packet_id.get()
}

fn hash(packet_id: PacketId) -> u64 {
    hash_id(packet_id.get())
}

/// The peer chooses the packet ids, but there are only 65,535: however it chooses, a chain stays short.
fn hash_id(packet_id: u16) -> u64 {
    u64::from(packet_id).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

#[cfg(test)]
mod tests;
