use std::borrow::Cow;
use std::num::NonZeroU16;

use ferry_codec::{PacketId, QoS, ReasonCode};

use crate::inflight::{Inflight, Sent, SlotIndex};
use crate::on_use::OnUse;
use crate::queue::{Front, Queue};
use crate::{
    Delivery, DropReason, Dropped, InflightState, OverflowPolicy, QueueLimits, Spilled, StoredCopy,
    StoredParts, Timestamp,
};

/// The sending side of a session: what waits, what is on its way, and the packet ids (sections 4.3, 4.4, 4.9).
///
/// ```text
///                   resume(receive_maximum)
///   disconnected ------------------------------> re-sending: next() gives PUBREL, PUBLISH dup=1, in order
///        ^  |                                        |
///        |  | enqueue                                | everything unacknowledged was sent again
///        |  v                                        v
///        | queue <----------- enqueue ----------- sending: next() gives queued copies, as the quota allows
///        |                                           |
///        +------------------- on_disconnect ---------+
/// ```
///
/// A session without messages holds no memory but this struct.
#[derive(Debug)]
pub struct Sender {
    queue: OnUse<Queue>,
    inflight: OnUse<Inflight>,
    resend: Resend,
    last_packet_id: u16,
    packet_id_max: u16,
    /// That of the copy taken last.
    last_sequence: u64,
    /// 0 while disconnected.
    receive_maximum: u16,
    /// Exchanges that occupy the receiver: PUBLISHes sent on this connection and every owed PUBREL.
    occupied: u16,
    /// Of the messages of open exchanges: with as many no other begins.
    inflight_bytes_max: u32,
}

/// What is to be sent again on this connection before anything new. The index is the next to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resend {
    Pubrel(SlotIndex),
    Publish(SlotIndex),
    Done,
}

/// What [`Sender::next`] wants done.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// Send this PUBLISH.
    Publish {
        /// None exactly for QoS 0 `[MQTT-2.2.1-2]`, `[MQTT3-2.3.1-5]`.
        packet_id: Option<PacketId>,
        /// Borrowed while its exchange is open, owned if nothing remains of it (QoS 0).
        delivery: Cow<'a, Delivery>,
        /// Whether this is a re-send `[MQTT-3.3.1-1]`, `[MQTT-3.3.1-2]`.
        dup: bool,
    },
    /// Send this PUBREL again.
    Pubrel {
        /// That of the PUBLISH `[MQTT-2.2.1-5]`.
        packet_id: PacketId,
    },
    /// Nothing to send: a waiting copy was discarded.
    Dropped(Dropped),
}

/// Why [`Sender::enqueue`] did not take a copy, and what the session's policy wants done about it.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The copy that was not taken.
    pub delivery: Delivery,
    /// Why.
    pub reason: DropReason,
    /// `RejectPublisher` and `DisconnectReceiver` ask the caller to act; otherwise counting it is all.
    pub policy: OverflowPolicy,
}

/// What an acknowledgement did.
#[derive(Debug)]
pub enum Acknowledged {
    /// The exchange is complete; packet id and quota are free again.
    Complete {
        /// What was delivered; absent after a PUBCOMP.
        delivery: Option<Delivery>,
        /// Its name in the store.
        stored: StoredCopy,
    },
    /// Send a PUBREL with the same packet id `[MQTT-4.3.3-4]`. `Some` for the first PUBREC; a repeated one asks
    /// for the PUBREL again.
    SendPubrel(Option<Delivery>),
    /// No exchange has this packet id; harmless. A PUBREC is to be answered with PUBREL 0x92.
    UnknownPacketId,
    /// The exchange of this packet id waits for another kind of acknowledgement; nothing changed.
    Unexpected,
}

/// One open exchange, for the store.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its packet id.
    pub packet_id: PacketId,
    /// What it waits for.
    pub state: InflightState,
    /// The name of its copy in the store.
    pub stored: StoredCopy,
    /// Absent exactly when it waits for PUBCOMP.
    pub delivery: Option<Delivery>,
}

/// All of a [`Sender`] that outlives connections and restarts.
#[derive(Clone, Debug, Default)]
pub struct SenderSnapshot {
    /// The packet id given out last, 0 if none was.
    pub last_packet_id: u16,
    /// The sequence number given out last, 0 if none was.
    pub last_sequence: u64,
    /// Open exchanges, in the order of their re-sends.
    pub exchanges: Vec<Exchange>,
    /// Waiting copies that are in memory, oldest first.
    pub queue: Vec<Delivery>,
    /// Waiting copies that only the store has, oldest first.
    pub spilled: Vec<Spilled>,
}

/// A snapshot that no sender can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// Two exchanges have this packet id.
    DuplicatePacketId(PacketId),
    /// The exchange has no message although its PUBLISH is unacknowledged, or has one of another QoS.
    WrongDelivery(PacketId),
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Sender {
    /// The sender of a new session, disconnected. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: OnUse::new(),
            inflight: OnUse::new(),
            resend: Resend::Done,
            last_packet_id: 0,
            packet_id_max: u16::MAX,
            last_sequence: 0,
            receive_maximum: 0,
            occupied: 0,
            inflight_bytes_max: u32::MAX,
        }
    }

    /// Gives out no packet id above `packet_id_max` from now on: a client needs some for SUBSCRIBE and UNSUBSCRIBE,
    /// which share the ids with PUBLISH `[MQTT-2.2.1-3]`, `[MQTT3-2.3.1-2]`.
    pub fn limit_packet_ids(&mut self, packet_id_max: NonZeroU16) {
        self.packet_id_max = packet_id_max.get();
    }

    /// Begins no exchange from now on while the messages of those that are unacknowledged have `inflight_bytes_max`
    /// or more, in the sense of [`Delivery::size_bytes`]: what a receiver that acknowledges nothing holds, to one
    /// message. Without this, 4 GiB.
    pub fn limit_inflight_bytes(&mut self, inflight_bytes_max: u32) {
        self.inflight_bytes_max = inflight_bytes_max;
    }

    /// A connection for this session begins. `receive_maximum` is that of its CONNECT, or less if the server
    /// limits it further `[MQTT-4.9.0-1]`; nothing of the last connection's flow control remains.
    ///
    /// What is unacknowledged comes out of [`next`](Self::next) first `[MQTT-4.4.0-1]`, `[MQTT3-4.4.0-1]`.
    pub fn resume(&mut self, receive_maximum: NonZeroU16) {
        self.on_disconnect();
        self.receive_maximum = receive_maximum.get();
        self.resend = self.first_resend();
        // An owed PUBREL occupies the receiver although it costs no quota to send it.
        let pubrels = std::iter::successors(self.inflight.first_pubrel(), |&at| self.inflight.next(at));
        self.occupied = u16::try_from(pubrels.count()).unwrap_or(u16::MAX);
    }

    /// The connection is gone. Everything unacknowledged stays, to be sent again when the session resumes.
    pub fn on_disconnect(&mut self) {
        self.receive_maximum = 0;
        self.occupied = 0;
        self.resend = Resend::Done;
        if let Some(inflight) = self.inflight.used() {
            inflight.forget_sent();
        }
        self.shrink();
    }

    /// Gives back memory that is not in use; for connections that have become quiet.
    pub fn shrink(&mut self) {
        match self.queue.used() {
            Some(queue) if !queue.is_empty() => queue.shrink(),
            _ => self.queue.forget(),
        }
        if self.inflight.len() == 0 {
            self.inflight.forget();
        }
    }

    /// Whether a connection is there.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.receive_maximum != 0
    }

    /// The quick way past the queue for a connected session: begins the exchange of `delivery` at once.
    /// QoS 0 needs no quota `[MQTT-3.3.4-10]`, `[MQTT-4.9.0-3]`.
    ///
    /// # Errors
    /// Gives the copy back if something is ahead of it, the quota is used up or there is no connection. Then
    /// [`enqueue`](Self::enqueue) it.
    pub fn send_now(&mut self, mut delivery: Delivery) -> Result<Outgoing<'_>, Delivery> {
        if delivery.qos == QoS::AtMostOnce {
            if !self.is_connected() || self.queue.has_qos0() {
                return Err(delivery);
            }
            return Ok(Outgoing::Publish { packet_id: None, delivery: Cow::Owned(delivery), dup: false });
        }
        if !self.queue.is_empty() || !self.may_begin() {
            return Err(delivery);
        }
        match self.unused_packet_id() {
            Some(packet_id) => {
                delivery.sequence = self.next_sequence();
                Ok(self.begin(packet_id, delivery))
            }
            None => Err(delivery),
        }
    }

    /// Which limit one more copy of `size_bytes` would break: lets the caller reject a publisher before it
    /// queues anything anywhere. Expired copies count until [`drop_expired`](Self::drop_expired).
    #[must_use]
    pub fn overflow(&self, size_bytes: usize, limits: &QueueLimits) -> Option<DropReason> {
        self.queue.overflow(size_bytes, limits)
    }

    /// Queues a copy and returns its sequence number. `on_drop` gets what had to make room for it.
    ///
    /// # Errors
    /// There is no room and the policy does not make any, or the copy has QoS 0 and those do not wait.
    pub fn enqueue(
        &mut self,
        now: Timestamp,
        mut delivery: Delivery,
        limits: &QueueLimits,
        on_drop: &mut dyn FnMut(Dropped),
    ) -> Result<u64, Refused> {
        let refuse = |delivery, reason, policy| Err(Refused { delivery, reason, policy });
        if delivery.qos == QoS::AtMostOnce && !limits.queue_qos0 {
            let connected = self.is_connected();
            let reason = if connected { DropReason::Qos0Backpressure } else { DropReason::Qos0Offline };
            return refuse(delivery, reason, OverflowPolicy::DropNewest);
        }
        let size_bytes = delivery.size_bytes();
        if self.queue.overflow(size_bytes, limits).is_some() {
            self.drop_expired(now, on_drop);
        }
        while let Some(reason) = self.queue.overflow(size_bytes, limits) {
            let fits_when_empty = Queue::new().overflow(size_bytes, limits).is_none();
            if limits.overflow != OverflowPolicy::DropOldest || !fits_when_empty {
                return refuse(delivery, reason, limits.overflow);
            }
            let Some(dropped) = self.queue.used().and_then(|queue| queue.drop_front(reason)) else { break };
            on_drop(dropped);
        }
        delivery.sequence = self.next_sequence();
        self.queue.use_it().push(delivery, limits);
        Ok(self.last_sequence)
    }

    /// Whether there is nothing to send, whatever the quota: all that [`next`](Self::next) could give has been given.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.resend == Resend::Done && self.queue.is_empty()
    }

    /// What to do next on this connection; `None` until an acknowledgement or a new copy arrives.
    ///
    /// First the re-sends, in the order of their first sending `[MQTT-4.4.0-1]`, `[MQTT-4.6.0-1]`,
    /// `[MQTT-4.6.0-4]`, then the queue `[MQTT-4.6.0-5]`.
    pub fn next(&mut self, now: Timestamp) -> Option<Outgoing<'_>> {
        if !self.is_connected() {
            return None;
        }
        match self.resend {
            Resend::Pubrel(at) => Some(self.resend_pubrel(at)),
            Resend::Publish(at) => self.resend_publish(at),
            Resend::Done => self.next_queued(now),
        }
    }

    /// A PUBACK arrived. A Reason Code of 0x80 or more completes the exchange like any other
    /// `[MQTT-4.4.0-2]`.
    pub fn puback(&mut self, packet_id: PacketId) -> Acknowledged {
        let Some(at) = self.inflight.find(packet_id) else { return Acknowledged::UnknownPacketId };
        match self.inflight.state(at) {
            InflightState::AwaitPuback => self.complete(at),
            InflightState::AwaitPubrec | InflightState::AwaitPubcomp => Acknowledged::Unexpected,
        }
    }

    /// A PUBREC arrived. Below 0x80 the exchange goes on and keeps its place in the quota; from 0x80 it is
    /// complete `[MQTT-4.3.3-4]`, `[MQTT-4.4.0-2]`.
    pub fn pubrec(&mut self, packet_id: PacketId, reason_code: ReasonCode) -> Acknowledged {
        let Some(at) = self.inflight.find(packet_id) else { return Acknowledged::UnknownPacketId };
        match self.inflight.state(at) {
            InflightState::AwaitPuback => Acknowledged::Unexpected,
            InflightState::AwaitPubrec if reason_code.is_error() => self.complete(at),
            InflightState::AwaitPubrec => {
                self.skip_resend(at);
                if self.inflight.sent(at) == Sent::Before {
                    // Late, for the PUBLISH of the last connection; from now on it occupies the receiver.
                    self.occupied += 1;
                    self.inflight.use_it().set_sent_again(at);
                }
                Acknowledged::SendPubrel(self.inflight.use_it().released(at))
            }
            InflightState::AwaitPubcomp if reason_code.is_error() => self.complete(at),
            InflightState::AwaitPubcomp => Acknowledged::SendPubrel(None),
        }
    }

    /// A PUBCOMP arrived, with any Reason Code.
    pub fn pubcomp(&mut self, packet_id: PacketId) -> Acknowledged {
        let Some(at) = self.inflight.find(packet_id) else { return Acknowledged::UnknownPacketId };
        match self.inflight.state(at) {
            InflightState::AwaitPubcomp => self.complete(at),
            InflightState::AwaitPuback | InflightState::AwaitPubrec => Acknowledged::Unexpected,
        }
    }

    /// The PUBLISH that [`next`](Self::next) or [`send_now`](Self::send_now) gave was not sent, because it is
    /// too large for the receiver or not allowed any more: behaves as if it had been delivered
    /// `[MQTT-3.1.2-25]`, so that packet id and quota are free and it is not sent again. Returns the copy.
    pub fn skip(&mut self, packet_id: PacketId) -> Option<Delivery> {
        let at = self.inflight.find(packet_id)?;
        if self.inflight.state(at) == InflightState::AwaitPubcomp {
            return None;
        }
        if self.last_packet_id == packet_id.get() && self.inflight.sent(at) == Sent::First {
            // The peer has not seen this id.
            self.last_packet_id -= 1;
        }
        self.remove(at).0
    }

    /// Notes what the store has now of the copy that an open exchange is about.
    pub fn set_stored(&mut self, packet_id: PacketId, parts: StoredParts) {
        if let Some(at) = self.inflight.find(packet_id) {
            self.inflight.use_it().set_stored(at, parts);
        }
    }

    /// A number that follows those of all copies until now, for what is to have a place in their order.
    pub fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }

    /// Discards the oldest copy that waits, or says that one has expired: to make room for another.
    pub fn drop_oldest(&mut self, now: Timestamp) -> Option<Dropped> {
        let is_expired = match self.queue.front()? {
            Front::InMemory(delivery) => delivery.message.is_expired(now),
            Front::Spilled(spilled) => spilled.expires_at <= now,
        };
        self.queue.used()?.drop_front(if is_expired { DropReason::Expired } else { DropReason::QueueFull })
    }

    /// Discards what has expired in the queue `[MQTT-3.3.2-5]`, but no exchange that began
    /// `[MQTT-4.3.3-7]`, `[MQTT-4.3.3-13]`. Costs nothing while nothing can have expired.
    pub fn drop_expired(&mut self, now: Timestamp, on_drop: &mut dyn FnMut(Dropped)) {
        if let Some(queue) = self.queue.used() {
            queue.drop_expired(now, on_drop);
        }
    }

    /// Discards the queued copies that `keep` refuses, for `reason`. The others stay in order.
    pub fn retain_queued(
        &mut self,
        keep: impl FnMut(&Delivery) -> bool,
        reason: DropReason,
        on_drop: &mut dyn FnMut(Dropped),
    ) {
        if let Some(queue) = self.queue.used() {
            queue.retain(keep, reason, on_drop);
        }
    }

    /// The session ends: takes out every copy that is not yet in the receiver's hands, in order. The flag tells
    /// whether its PUBLISH was sent before, so that a QoS 2 copy of a shared subscription must not go to
    /// another member `[MQTT-4.8.2-5]`.
    ///
    /// Returns how many copies there are besides that only the store has.
    pub fn take_all(&mut self, on_copy: &mut dyn FnMut(Delivery, bool)) -> usize {
        let mut spilled = 0;
        while let Some(at) = self.inflight.first_publish() {
            if let (Some(delivery), _) = self.inflight.use_it().remove(at) {
                on_copy(delivery, true);
            }
        }
        if let Some(queue) = self.queue.used() {
            spilled = queue.clear_spilled();
            while let Some(delivery) = queue.pop() {
                on_copy(delivery, false);
            }
        }
        *self = Self::new();
        spilled
    }

    /// Which copies are to be read back from the store now, at most so many and so many bytes, or one: the client is
    /// connected, and few are in memory before them. Give them to [`loaded`](Self::loaded), then call
    /// [`end_load`](Self::end_load); until then there is nothing more.
    pub fn begin_load(&mut self, messages_max: usize, bytes_max: usize) -> Option<Vec<u64>> {
        if !self.is_connected() {
            return None;
        }
        self.queue.used()?.begin_load(messages_max, bytes_max)
    }

    /// Discards a copy that only the store has, if it is still there.
    pub fn drop_spilled(&mut self, sequence: u64, reason: DropReason) -> Option<Dropped> {
        self.queue.used()?.drop_spilled(sequence, reason)
    }

    /// The highest sequence number given out.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// A copy was read back; `None` if it could not be, which is what the result says then. One that was dropped
    /// meanwhile is of no interest.
    pub fn loaded(&mut self, sequence: u64, delivery: Option<Delivery>) -> Option<Dropped> {
        let delivery = delivery.map(|delivery| Delivery { sequence, ..delivery });
        self.queue.used()?.loaded(sequence, delivery)
    }

    /// All that was asked for by [`begin_load`](Self::begin_load) was given.
    pub fn end_load(&mut self) {
        if let Some(queue) = self.queue.used() {
            queue.end_load();
        }
    }

    /// Exchanges that began and are not complete.
    #[must_use]
    pub fn inflight_len(&self) -> usize {
        usize::from(self.inflight.len())
    }

    /// Bytes of the messages whose PUBLISH is unacknowledged, in the sense of [`Delivery::size_bytes`].
    #[must_use]
    pub fn inflight_bytes(&self) -> usize {
        self.inflight.bytes()
    }

    /// Copies that wait in the queue.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes that wait in the queue, in the sense of [`Delivery::size_bytes`].
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// How many exchanges may begin now: the send quota (section 4.9).
    #[must_use]
    pub fn quota(&self) -> u16 {
        self.receive_maximum.saturating_sub(self.occupied)
    }

    /// The name in the store of the copy that an open exchange is about.
    #[must_use]
    pub fn stored_copy(&self, packet_id: PacketId) -> Option<StoredCopy> {
        self.inflight.find(packet_id).map(|at| self.inflight.stored_copy(at))
    }

    /// The copy with this packet id, if its PUBLISH is unacknowledged.
    #[must_use]
    pub fn unacknowledged(&self, packet_id: PacketId) -> Option<&Delivery> {
        self.inflight.find(packet_id).and_then(|at| self.inflight.delivery(at))
    }

    /// The open exchanges, in the order of their re-sends.
    pub fn exchanges(&self) -> impl Iterator<Item = (PacketId, InflightState, Option<&Delivery>)> {
        let inflight = &self.inflight;
        inflight.iter().map(|at| (inflight.packet_id(at), inflight.state(at), inflight.delivery(at)))
    }

    /// Copies in the queue that only the store has.
    #[must_use]
    pub fn spilled_len(&self) -> usize {
        self.queue.spilled_len()
    }

    /// The waiting copies that are in memory, oldest first.
    pub fn queued(&self) -> impl ExactSizeIterator<Item = &Delivery> {
        self.queue.iter()
    }

    /// Everything that outlives the connection. Bodies are shared, not copied.
    #[must_use]
    pub fn snapshot(&self) -> SenderSnapshot {
        SenderSnapshot {
            last_packet_id: self.last_packet_id,
            last_sequence: self.last_sequence,
            exchanges: self
                .inflight
                .iter()
                .map(|at| Exchange {
                    packet_id: self.inflight.packet_id(at),
                    state: self.inflight.state(at),
                    stored: self.inflight.stored_copy(at),
                    delivery: self.inflight.delivery(at).cloned(),
                })
                .collect(),
            queue: self.queue.iter().cloned().collect(),
            spilled: self.queue.spilled().copied().collect(),
        }
    }

    /// A disconnected sender as it was at [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    /// The snapshot contradicts itself.
    pub fn restore(snapshot: SenderSnapshot) -> Result<Self, RestoreError> {
        let SenderSnapshot { last_packet_id, last_sequence, .. } = snapshot;
        let mut sender = Self { last_packet_id, last_sequence, ..Self::new() };
        for Exchange { packet_id, state, stored, delivery } in snapshot.exchanges {
            if sender.inflight.contains(packet_id) {
                return Err(RestoreError::DuplicatePacketId(packet_id));
            }
            let qos = match state {
                InflightState::AwaitPuback => Some(QoS::AtLeastOnce),
                InflightState::AwaitPubrec => Some(QoS::ExactlyOnce),
                InflightState::AwaitPubcomp => None,
            };
            if delivery.as_ref().map(|delivery| delivery.qos) != qos {
                return Err(RestoreError::WrongDelivery(packet_id));
            }
            match delivery {
                Some(delivery) => sender.inflight.use_it().push(packet_id, state, delivery, Sent::Before),
                None => sender.inflight.use_it().push_released(packet_id, stored),
            };
        }
        for delivery in snapshot.queue {
            sender.queue.use_it().push_in_memory(delivery);
        }
        for spilled in snapshot.spilled {
            sender.queue.use_it().push_spilled(spilled);
        }
        Ok(sender)
    }

    fn first_resend(&self) -> Resend {
        match self.inflight.first_pubrel() {
            Some(at) => Resend::Pubrel(at),
            None => self.first_publish_resend(),
        }
    }

    fn first_publish_resend(&self) -> Resend {
        self.inflight.first_publish().map_or(Resend::Done, Resend::Publish)
    }

    /// The re-send that follows the one at `at`.
    fn resend_after(&self, at: SlotIndex) -> Resend {
        // What was sent on this connection stands behind what is to be sent again.
        let next = self.inflight.next(at).filter(|&next| self.inflight.sent(next) == Sent::Before);
        match (self.resend, next) {
            (Resend::Pubrel(_), Some(next)) => Resend::Pubrel(next),
            (Resend::Pubrel(_), None) => self.first_publish_resend(),
            (Resend::Publish(_), Some(next)) => Resend::Publish(next),
            (Resend::Publish(_), None) | (Resend::Done, _) => Resend::Done,
        }
    }

    /// The exchange at `at` leaves its list: if it was the next to be sent again, the one behind it is.
    fn skip_resend(&mut self, at: SlotIndex) {
        if self.resend == Resend::Pubrel(at) || self.resend == Resend::Publish(at) {
            self.resend = self.resend_after(at);
        }
    }

    fn resend_pubrel(&mut self, at: SlotIndex) -> Outgoing<'static> {
        self.resend = self.resend_after(at);
        Outgoing::Pubrel { packet_id: self.inflight.packet_id(at) }
    }

    fn resend_publish(&mut self, at: SlotIndex) -> Option<Outgoing<'_>> {
        if self.quota() == 0 {
            return None;
        }
        self.resend = self.resend_after(at);
        self.occupied += 1;
        self.inflight.use_it().set_sent_again(at);
        Some(self.publish(at, true))
    }

    fn next_queued(&mut self, now: Timestamp) -> Option<Outgoing<'_>> {
        let (expired, qos) = match self.queue.front()? {
            Front::InMemory(delivery) => (delivery.message.is_expired(now), delivery.qos),
            // Others must not overtake it while it is read back.
            Front::Spilled(spilled) if spilled.expires_at > now => return None,
            Front::Spilled(_) => (true, QoS::AtLeastOnce),
        };
        if expired {
            return self.queue.used()?.drop_front(DropReason::Expired).map(Outgoing::Dropped);
        }
        if qos == QoS::AtMostOnce {
            let delivery = Cow::Owned(self.queue.used()?.pop()?);
            return Some(Outgoing::Publish { packet_id: None, delivery, dup: false });
        }
        if !self.may_begin() {
            return None;
        }
        let packet_id = self.unused_packet_id()?;
        let delivery = self.queue.used()?.pop()?;
        Some(self.begin(packet_id, delivery))
    }

    /// Whether a new exchange may begin `[MQTT-4.9.0-2]`, `[MQTT-3.3.4-9]`.
    fn may_begin(&self) -> bool {
        let has_room = self.inflight.bytes() < self.inflight_bytes_max.max(1) as usize;
        self.resend == Resend::Done && self.quota() > 0 && has_room
    }

    fn begin(&mut self, packet_id: PacketId, delivery: Delivery) -> Outgoing<'_> {
        let state = InflightState::of_unacknowledged(delivery.qos);
        self.last_packet_id = packet_id.get();
        self.occupied += 1;
        let at = self.inflight.use_it().push(packet_id, state, delivery, Sent::First);
        self.publish(at, false)
    }

    fn publish(&self, at: SlotIndex, dup: bool) -> Outgoing<'_> {
        let delivery = self.inflight.delivery(at).expect("an unacknowledged PUBLISH keeps its message");
        Outgoing::Publish {
            packet_id: Some(self.inflight.packet_id(at)),
            delivery: Cow::Borrowed(delivery),
            dup,
        }
    }

    fn complete(&mut self, at: SlotIndex) -> Acknowledged {
        let (delivery, stored) = self.remove(at);
        Acknowledged::Complete { delivery, stored }
    }

    fn remove(&mut self, at: SlotIndex) -> (Option<Delivery>, StoredCopy) {
        self.skip_resend(at);
        let sent_before = self.inflight.sent(at) == Sent::Before;
        if self.is_connected() && (!sent_before || self.inflight.state(at) == InflightState::AwaitPubcomp) {
            self.occupied -= 1;
        }
        self.inflight.use_it().remove(at)
    }

    /// The next packet id after the last one that no open exchange uses `[MQTT-2.2.1-4]`, `[MQTT-4.3.2-1]`,
    /// `[MQTT-4.3.3-1]`, `[MQTT3-2.3.1-4]`, `[MQTT3-4.3.2-1]`, `[MQTT3-4.3.3-1]`; `None` if all are in use. Looks at no
    /// more ids than are in use, plus one.
    fn unused_packet_id(&self) -> Option<PacketId> {
        if self.inflight.len() >= self.packet_id_max {
            return None;
        }
        let mut candidate = self.last_packet_id;
        loop {
            candidate = if candidate < self.packet_id_max { candidate + 1 } else { 1 };
            let packet_id = PacketId::new(candidate)?;
            if !self.inflight.contains(packet_id) {
                return Some(packet_id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
