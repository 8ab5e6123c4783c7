use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_session::{Message, Spilled, StoredParts, StoredWill, Subscription};

use super::copy_value::CopyValue;
use super::session_value::{SentValue, SessionValue, read_subscription, read_will};
use super::{CopyBody, EntryKey, Flaw, Restored, RestoredCopy, RestoredExchange, RestoredSession, Space};
use crate::SessionNumber;

/// A session as far as its entries have been read.
pub(super) struct Draft {
    pub(super) number: SessionNumber,
    /// Absent as long as the entry is.
    session: Option<SessionValue>,
    subscriptions: Vec<(u64, Subscription)>,
    will: Option<Box<StoredWill>>,
    received: Vec<PacketId>,
    sent: BTreeMap<u64, SentValue>,
    copies: Vec<DraftCopy>,
    spilled: Vec<Spilled>,
    last_sequence: u64,
}

/// A copy that is needed in memory.
struct DraftCopy {
    sequence: u64,
    value: Vec<u8>,
    refers_to: Option<EntryKey>,
}

/// The bodies that are needed, once they are there.
pub(super) type Bodies = BTreeMap<EntryKey, Option<Arc<Message>>>;

impl Draft {
    pub(super) fn new(number: SessionNumber) -> Self {
        Self {
            number,
            session: None,
            subscriptions: Vec::new(),
            will: None,
            received: Vec::new(),
            sent: BTreeMap::new(),
            copies: Vec::new(),
            spilled: Vec::new(),
            last_sequence: 0,
        }
    }

    pub(super) fn client_id(&self) -> Option<&Arc<str>> {
        self.session.as_ref().map(|session| &session.client_id)
    }

    /// The next entry; false if it cannot be understood.
    pub(super) fn entry(
        &mut self,
        space: Space,
        item: u64,
        value: &[u8],
        refers_to: Option<EntryKey>,
        bodies: &mut Bodies,
    ) -> bool {
        match space {
            Space::Session => {
                self.session = SessionValue::read(value);
                self.session.is_some()
            }
            Space::Subscription => {
                let subscription = read_subscription(value);
                let known = subscription.is_some();
                self.subscriptions.extend(subscription.map(|subscription| (item, subscription)));
                known
            }
            Space::Will => {
                self.will = read_will(value);
                self.will.is_some()
            }
            Space::Received => {
                let packet_id = u16::try_from(item).ok().and_then(PacketId::new);
                self.received.extend(packet_id);
                packet_id.is_some()
            }
            Space::Sent => {
                let Some(sent) = SentValue::read(value) else { return false };
                self.last_sequence = self.last_sequence.max(item).max(sent.released.unwrap_or(0));
                self.sent.insert(item, sent);
                true
            }
            Space::Queued => self.queued(item, value, refers_to, bodies),
            Space::Retained | Space::Body | Space::Forwarded => false,
        }
    }

    fn queued(
        &mut self,
        sequence: u64,
        value: &[u8],
        refers_to: Option<EntryKey>,
        bodies: &mut Bodies,
    ) -> bool {
        let Some(copy) = CopyValue::read(value) else { return false };
        self.last_sequence = self.last_sequence.max(sequence);
        let is_sent = copy.packet_id.is_some() || self.sent.contains_key(&sequence);
        if !is_sent && copy.shared_subscription.is_none() {
            self.spilled.push(copy.spilled(sequence));
            return true;
        }
        let refers_to = refers_to.filter(|_| matches!(copy.body, CopyBody::Elsewhere));
        if let Some(body) = refers_to {
            bodies.insert(body, None);
        }
        self.copies.push(DraftCopy { sequence, value: value.to_vec(), refers_to });
        true
    }

    /// The session, with the bodies that it needs. `None` if there is none.
    pub(super) fn assemble(mut self, bodies: &Bodies, restored: &mut Restored) -> Option<RestoredSession> {
        let SessionValue { client_id, user_name, expiry_interval_seconds, disconnected_at } =
            self.session.take()?;
        let mut session = RestoredSession {
            number: self.number,
            client_id,
            user_name,
            expiry_interval_seconds,
            disconnected_at,
            subscriptions: std::mem::take(&mut self.subscriptions),
            will: self.will.take(),
            received: std::mem::take(&mut self.received),
            exchanges: Vec::new(),
            last_packet_id: None,
            waiting: Vec::new(),
            spilled: std::mem::take(&mut self.spilled),
            last_sequence: self.last_sequence,
        };
        let mut packet_ids = BTreeSet::new();
        for copy in std::mem::take(&mut self.copies) {
            self.add_copy(copy, bodies, &mut packet_ids, &mut session, restored);
        }
        for (sequence, sent) in std::mem::take(&mut self.sent) {
            add_released(sequence, sent, &mut packet_ids, &mut session, restored);
        }
        // First the PUBRELs, then the PUBLISH packets, each in their order.
        session.exchanges.sort_by_key(|exchange| (exchange.copy.is_some(), exchange.order));
        let last = session.exchanges.iter().max_by_key(|exchange| exchange.sequence);
        session.last_packet_id = last.map(|exchange| exchange.packet_id);
        drop_double_filters(&mut session, restored);
        Some(session)
    }

    fn add_copy(
        &mut self,
        copy: DraftCopy,
        bodies: &Bodies,
        packet_ids: &mut BTreeSet<PacketId>,
        session: &mut RestoredSession,
        restored: &mut Restored,
    ) {
        let DraftCopy { sequence, value, refers_to } = copy;
        let key = Space::Queued.of_session(session.number, sequence);
        let Some(value) = CopyValue::read(&value) else { return };
        let message = refers_to.and_then(|body| bodies.get(&body)?.as_ref());
        let Some(mut delivery) = value.delivery(message) else {
            let refers = matches!(value.body, CopyBody::Elsewhere);
            return restored.useless(key, if refers { Flaw::WithoutBody } else { Flaw::Undecodable });
        };
        let sent = self.sent.get(&sequence).copied();
        if sent.is_some_and(|sent| sent.released.is_some()) {
            // The message was released, so it is not owed any more.
            return restored.useless(key, Flaw::Duplicate);
        }
        self.sent.remove(&sequence);
        delivery.sequence = sequence;
        delivery.stored = StoredParts { copy: true, sent: sent.is_some() };
        let parts = delivery.stored;
        let shared_subscription = value.shared_subscription.map(Box::from);
        let copy = RestoredCopy { delivery, shared_subscription };
        let Some(packet_id) = sent.map(|sent| sent.packet_id).or(value.packet_id) else {
            return session.waiting.push(copy);
        };
        if !packet_ids.insert(packet_id) {
            return restored.useless(key, Flaw::Duplicate);
        }
        let exchange = RestoredExchange { sequence, packet_id, parts, copy: Some(copy), order: sequence };
        session.exchanges.push(exchange);
    }
}

/// An exchange without its message: it was released, or the message was not to be stored. In both cases PUBREL ends
/// it, so that the client does not take another message with this packet identifier for the same one.
fn add_released(
    sequence: u64,
    sent: SentValue,
    packet_ids: &mut BTreeSet<PacketId>,
    session: &mut RestoredSession,
    restored: &mut Restored,
) {
    let key = Space::Sent.of_session(session.number, sequence);
    if sent.qos != QoS::ExactlyOnce {
        return restored.useless(key, Flaw::WithoutBody);
    }
    if !packet_ids.insert(sent.packet_id) {
        return restored.useless(key, Flaw::Duplicate);
    }
    session.exchanges.push(RestoredExchange {
        sequence,
        packet_id: sent.packet_id,
        parts: StoredParts { copy: false, sent: true },
        copy: None,
        order: sent.released.unwrap_or(sequence),
    });
}

/// A filter is subscribed to once: the later subscription holds.
fn drop_double_filters(session: &mut RestoredSession, restored: &mut Restored) {
    let mut last = BTreeMap::new();
    for (number, subscription) in &session.subscriptions {
        last.insert(subscription.filter.clone(), *number);
    }
    if last.len() == session.subscriptions.len() {
        return;
    }
    let session_number = session.number;
    session.subscriptions.retain(|(number, subscription)| {
        let is_last = last.get(&subscription.filter) == Some(number);
        if !is_last {
            let key = Space::Subscription.of_session(session_number, *number);
            restored.useless(key, Flaw::Duplicate);
        }
        is_last
    });
}
