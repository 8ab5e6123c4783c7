use ferry_codec::{PacketId, QoS};
use hashbrown::HashTable;

use crate::on_use::Unused;
use crate::{Delivery, StoredCopy, StoredParts};

/// Where an exchange that began stands.
///
/// ```text
///   QoS 1:  PUBLISH sent               PUBACK received
///           ------------> AwaitPuback ----------------> complete
///
///   QoS 2:  PUBLISH sent               PUBREC < 0x80 received             PUBCOMP received
///           ------------> AwaitPubrec -----------------------> AwaitPubcomp --------------> complete
///                              |       body freed, PUBREL sent
///                              | PUBREC >= 0x80 received
///                              +----------------------------> complete
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InflightState {
    /// QoS 1, PUBLISH unacknowledged `[MQTT-4.3.2-3]`.
    AwaitPuback,
    /// QoS 2, PUBLISH unacknowledged `[MQTT-4.3.3-3]`.
    AwaitPubrec,
    /// QoS 2, PUBREL unacknowledged `[MQTT-4.3.3-5]`. The PUBLISH is never sent again `[MQTT-4.3.3-6]`.
    AwaitPubcomp,
}

impl InflightState {
    /// That of an exchange whose PUBLISH, of QoS 1 or 2, is unacknowledged.
    #[must_use]
    pub const fn of_unacknowledged(qos: QoS) -> Self {
        match qos {
            QoS::ExactlyOnce => Self::AwaitPubrec,
            QoS::AtMostOnce | QoS::AtLeastOnce => Self::AwaitPuback,
        }
    }
}

/// The exchanges of one session, found by packet id and kept in two orders: the unacknowledged PUBLISH packets
/// in that of their first sending, the unacknowledged PUBREL packets in that of the PUBRECs they answer.
///
/// Slots are linked by index instead of sorted, so that every step takes constant time whatever the order in
/// which the peer acknowledges.
#[derive(Debug)]
pub(crate) struct Inflight {
    slots: Vec<Slot>,
    /// Packet id to slot.
    index: HashTable<u16>,
    /// Head of the list of unused slots, linked by `next`.
    unused: u16,
    publishes: List,
    pubrels: List,
    len: u16,
    /// Of the messages that are held, in the sense of [`Delivery::size_bytes`].
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    held: Held,
    /// Of what is held, in the sense of [`Delivery::size_bytes`]; at most [`u32::MAX`]. So nobody has to look at a message
    /// that was sent a while ago, which is far from the processor, only to take it off the sum.
    size_bytes: u32,
    packet_id: u16,
    previous: u16,
    next: u16,
    state: InflightState,
    sent: Sent,
}

/// What an exchange still holds.
#[derive(Debug)]
enum Held {
    /// Its message.
    Copy(Delivery),
    /// Only the name of its copy in the store: the PUBREC has arrived.
    Name(StoredCopy),
}

impl Held {
    /// Takes the message out.
    fn release(&mut self) -> Option<Delivery> {
        let name = self.stored_copy();
        match std::mem::replace(self, Self::Name(name)) {
            Self::Copy(delivery) => Some(delivery),
            Self::Name(_) => None,
        }
    }

    fn stored_copy(&self) -> StoredCopy {
        match self {
            Self::Copy(delivery) => delivery.stored_copy(),
            Self::Name(name) => *name,
        }
    }
}

/// When the PUBLISH of an exchange was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// On an earlier connection only.
    Before,
    /// For the first time, on the present connection.
    First,
    /// On an earlier connection and again on the present one.
    Again,
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u16,
    last: u16,
}

/// The end of a list. No slot has this index: there are at most 65,535 packet ids.
const NONE: u16 = u16::MAX;

/// Slots that an empty table keeps. More are given back at once, fewer when the session is quiet.
const EMPTY_CAPACITY_MAX: usize = 64;

/// Names a slot until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotIndex(u16);

impl Unused for Inflight {
    const UNUSED: &'static Self = &Self::new();

    fn new() -> Self {
        Self::new()
    }
}

impl Inflight {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            unused: NONE,
            publishes: List::EMPTY,
            pubrels: List::EMPTY,
            len: 0,
            bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> u16 {
        self.len
    }

    /// What the unacknowledged PUBLISHes hold, in the sense of [`Delivery::size_bytes`].
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn contains(&self, packet_id: PacketId) -> bool {
        self.find(packet_id).is_some()
    }

    pub(crate) fn find(&self, packet_id: PacketId) -> Option<SlotIndex> {
        let id = packet_id.get();
        self.index
            .find(hash(id), |&slot| self.slots[usize::from(slot)].packet_id == id)
            .copied()
            .map(SlotIndex)
    }

    /// Appends an exchange whose PUBLISH is unacknowledged. Precondition: its packet id is not in use.
    pub(crate) fn push(
        &mut self,
        packet_id: PacketId,
        state: InflightState,
        delivery: Delivery,
        sent: Sent,
    ) -> SlotIndex {
        let size_bytes = u32::try_from(delivery.size_bytes()).unwrap_or(u32::MAX);
        self.push_slot(packet_id, state, Held::Copy(delivery), size_bytes, sent)
    }

    /// As [`push`](Self::push), for an exchange that waits for PUBCOMP.
    pub(crate) fn push_released(&mut self, packet_id: PacketId, stored: StoredCopy) -> SlotIndex {
        self.push_slot(packet_id, InflightState::AwaitPubcomp, Held::Name(stored), 0, Sent::Before)
    }

    fn push_slot(
        &mut self,
        packet_id: PacketId,
        state: InflightState,
        held: Held,
        size_bytes: u32,
        sent: Sent,
    ) -> SlotIndex {
        debug_assert!(!self.contains(packet_id));
        self.bytes += size_bytes as usize;
        let slot =
            Slot { held, size_bytes, packet_id: packet_id.get(), previous: NONE, next: NONE, state, sent };
        let at = self.store(slot);
        let slots = &self.slots;
        self.index.insert_unique(hash(packet_id.get()), at, |&slot| hash(slots[usize::from(slot)].packet_id));
        self.list_of(state, |list, slots| list.push(slots, at));
        self.len += 1;
        SlotIndex(at)
    }

    /// The PUBREC arrived: frees the body and moves the exchange behind the other PUBRELs.
    pub(crate) fn released(&mut self, at: SlotIndex) -> Option<Delivery> {
        self.list_of(InflightState::AwaitPubrec, |list, slots| list.unlink(slots, at.0));
        self.list_of(InflightState::AwaitPubcomp, |list, slots| list.push(slots, at.0));
        let slot = &mut self.slots[usize::from(at.0)];
        slot.state = InflightState::AwaitPubcomp;
        self.bytes -= std::mem::take(&mut slot.size_bytes) as usize;
        slot.held.release()
    }

    /// The exchange is complete: frees the packet id. With what is left of the message, and its name in the store.
    pub(crate) fn remove(&mut self, at: SlotIndex) -> (Option<Delivery>, StoredCopy) {
        let Slot { packet_id, state, .. } = self.slots[usize::from(at.0)];
        self.list_of(state, |list, slots| list.unlink(slots, at.0));
        if let Ok(entry) = self.index.find_entry(hash(packet_id), |&slot| slot == at.0) {
            entry.remove();
        }
        let slot = &mut self.slots[usize::from(at.0)];
        slot.next = self.unused;
        let delivery = slot.held.release();
        let stored = slot.held.stored_copy();
        self.bytes -= std::mem::take(&mut slot.size_bytes) as usize;
        self.unused = at.0;
        self.len -= 1;
        if self.len == 0 && self.slots.capacity() > EMPTY_CAPACITY_MAX {
            *self = Self::new();
        }
        (delivery, stored)
    }

    pub(crate) fn packet_id(&self, at: SlotIndex) -> PacketId {
        PacketId::new(self.slots[usize::from(at.0)].packet_id).expect("a slot is only made from a packet id")
    }

    pub(crate) fn state(&self, at: SlotIndex) -> InflightState {
        self.slots[usize::from(at.0)].state
    }

    pub(crate) fn delivery(&self, at: SlotIndex) -> Option<&Delivery> {
        match &self.slots[usize::from(at.0)].held {
            Held::Copy(delivery) => Some(delivery),
            Held::Name(_) => None,
        }
    }

    pub(crate) fn stored_copy(&self, at: SlotIndex) -> StoredCopy {
        self.slots[usize::from(at.0)].held.stored_copy()
    }

    /// Notes what the store has of the copy now.
    pub(crate) fn set_stored(&mut self, at: SlotIndex, parts: StoredParts) {
        match &mut self.slots[usize::from(at.0)].held {
            Held::Copy(delivery) => delivery.stored = parts,
            Held::Name(stored) => stored.parts = parts,
        }
    }

    pub(crate) fn sent(&self, at: SlotIndex) -> Sent {
        self.slots[usize::from(at.0)].sent
    }

    pub(crate) fn set_sent_again(&mut self, at: SlotIndex) {
        self.slots[usize::from(at.0)].sent = Sent::Again;
    }

    /// The connection is over: on the next one nothing has been sent yet.
    pub(crate) fn forget_sent(&mut self) {
        for slot in &mut self.slots {
            slot.sent = Sent::Before;
        }
    }

    pub(crate) fn first_publish(&self) -> Option<SlotIndex> {
        self.publishes.first()
    }

    pub(crate) fn first_pubrel(&self) -> Option<SlotIndex> {
        self.pubrels.first()
    }

    /// The one after it in the same list.
    pub(crate) fn next(&self, at: SlotIndex) -> Option<SlotIndex> {
        let next = self.slots[usize::from(at.0)].next;
        (next != NONE).then_some(SlotIndex(next))
    }

    /// The PUBRELs, then the PUBLISHes, each in order: the order of the re-sends.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SlotIndex> {
        let list = |first| std::iter::successors(first, |&at| self.next(at));
        list(self.first_pubrel()).chain(list(self.first_publish()))
    }

    fn store(&mut self, slot: Slot) -> u16 {
        if self.unused == NONE {
            let at = u16::try_from(self.slots.len()).expect("one slot for each packet id in use");
            self.slots.push(slot);
            return at;
        }
        let at = self.unused;
        self.unused = self.slots[usize::from(at)].next;
        self.slots[usize::from(at)] = slot;
        at
    }

    fn list_of(&mut self, state: InflightState, change: impl FnOnce(&mut List, &mut [Slot])) {
        match state {
            InflightState::AwaitPuback | InflightState::AwaitPubrec => {
                change(&mut self.publishes, &mut self.slots);
            }
            InflightState::AwaitPubcomp => change(&mut self.pubrels, &mut self.slots),
        }
    }
}

impl List {
    const EMPTY: Self = Self { first: NONE, last: NONE };

    fn first(self) -> Option<SlotIndex> {
        (self.first != NONE).then_some(SlotIndex(self.first))
    }

    fn push(&mut self, slots: &mut [Slot], at: u16) {
        let slot = &mut slots[usize::from(at)];
        slot.previous = self.last;
        slot.next = NONE;
        if self.last == NONE {
            self.first = at;
        } else {
            slots[usize::from(self.last)].next = at;
        }
        self.last = at;
    }

    fn unlink(&mut self, slots: &mut [Slot], at: u16) {
        let Slot { previous, next, .. } = slots[usize::from(at)];
        if previous == NONE {
            self.first = next;
        } else {
            slots[usize::from(previous)].next = next;
        }
        if next == NONE {
            self.last = previous;
        } else {
            slots[usize::from(next)].previous = previous;
        }
    }
}

/// We choose the packet ids, one after the other, and most are acknowledged in that order: the table finds its place by
/// the lowest bits, which are the id itself, so neighbours are in one cache line. The highest ones, by which it tells
/// entries of one place apart, are those of a product.
fn hash(packet_id: u16) -> u64 {
    let id = u64::from(packet_id);
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15) & !0xFFFF | id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_takes_sixty_four_bytes() {
        assert_eq!(size_of::<Slot>(), 64);
    }
}
