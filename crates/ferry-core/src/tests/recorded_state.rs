//! What a store has that did as the records say, to be compared with what the shard has.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_session::{InflightState, Message, SessionExpiry, StoredCopy, StoredParts, StoredWill};

use super::harness::Broker;
use crate::session::Session;
use crate::*;

#[derive(Default)]
pub(super) struct RecordedState {
    sessions: BTreeMap<SessionNumber, RecordedSession>,
    retained: BTreeMap<u64, Arc<Message>>,
}

#[derive(Default)]
struct RecordedSession {
    client_id: Option<Arc<str>>,
    user_name: Option<Arc<str>>,
    expiry_interval_seconds: u32,
    disconnected_at: Option<Timestamp>,
    filters: BTreeMap<u64, Box<str>>,
    copies: BTreeMap<u64, RecordedCopy>,
    received: BTreeSet<PacketId>,
    will: Option<Box<StoredWill>>,
}

struct RecordedCopy {
    topic: Arc<str>,
    qos: QoS,
    packet_id: Option<PacketId>,
    /// The order of its PUBREL.
    released: Option<u64>,
    parts: StoredParts,
}

impl RecordedState {
    /// Applies what was recorded since the last time and compares.
    pub(super) fn check(&mut self, broker: &mut Broker) {
        for record in std::mem::take(&mut broker.records) {
            self.apply(record);
        }
        let shard = &broker.shards[0];
        let sessions = shard.sessions.iter().filter_map(|(_, session)| Some((session.recorded?, session)));
        let mut count = 0;
        for (number, session) in sessions {
            self.sessions[&number].check(shard, session);
            count += 1;
        }
        assert_eq!(self.sessions.len(), count);
        for (number, message) in &self.retained {
            let kept = shard.shared.retained.get(&message.topic).expect("it is recorded");
            assert_eq!((kept.number, &kept.message), (*number, message));
        }
        assert_eq!(self.retained.len(), shard.shared.retained.len());
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Session { session, client_id, user_name, expiry_interval_seconds, disconnected_at } => {
                let session = self.sessions.entry(session).or_default();
                session.client_id = Some(client_id);
                session.user_name = user_name;
                session.expiry_interval_seconds = expiry_interval_seconds;
                session.disconnected_at = disconnected_at;
            }
            Record::SessionEnded { session } => assert!(self.sessions.remove(&session).is_some()),
            Record::Forwarded { .. } | Record::ForwardedArrived { .. } => {}
            Record::Retained { number, message } => drop(self.retained.insert(number, message)),
            Record::RetainedCleared { number } => assert!(self.retained.remove(&number).is_some()),
            Record::Subscribed { session, .. }
            | Record::Unsubscribed { session, .. }
            | Record::Queued { session, .. }
            | Record::Sent { session, .. }
            | Record::Dropped { session, .. }
            | Record::Released { session, .. }
            | Record::Completed { session, .. }
            | Record::Received { session, .. }
            | Record::ReceivedReleased { session, .. }
            | Record::Will { session, .. }
            | Record::WillGone { session } => {
                self.sessions.get_mut(&session).expect("a Session comes first").apply(record);
            }
        }
    }
}

impl RecordedSession {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Subscribed { number, filter, .. } => {
                self.filters.insert(number, filter);
            }
            Record::Unsubscribed { number, .. } => assert!(self.filters.remove(&number).is_some()),
            Record::Queued { sequence, message, qos, packet_id, .. } => {
                assert!(self.copies.keys().all(|earlier| *earlier < sequence));
                let topic = message.topic.clone();
                let parts = StoredParts { copy: true, sent: false };
                let copy = RecordedCopy { topic, qos, packet_id, released: None, parts };
                self.copies.insert(sequence, copy);
            }
            Record::Sent { sequence, packet_id, .. } => {
                let copy = self.copies.get_mut(&sequence).expect("it is queued");
                assert!(copy.packet_id.replace(packet_id).is_none());
                copy.parts.sent = true;
            }
            Record::Dropped { copy: StoredCopy { sequence, parts }, .. } => {
                assert_eq!(self.copies.remove(&sequence).map(|copy| copy.parts), Some(parts));
            }
            Record::Released { copy: StoredCopy { sequence, parts }, packet_id, order, .. } => {
                let copy = self.copies.get_mut(&sequence).expect("it is sent");
                assert_eq!((copy.packet_id, copy.released), (Some(packet_id), None));
                assert_eq!(copy.parts, parts);
                copy.released = Some(order);
                copy.parts = StoredParts { copy: false, sent: true };
            }
            Record::Completed { copy: StoredCopy { sequence, parts }, .. } => {
                let copy = self.copies.remove(&sequence).expect("it is sent");
                assert!(copy.packet_id.is_some() && copy.parts == parts);
            }
            Record::Received { packet_id, .. } => assert!(self.received.insert(packet_id)),
            Record::ReceivedReleased { packet_id, .. } => {
                self.received.remove(&packet_id);
            }
            Record::Will { will, .. } => self.will = Some(will),
            Record::WillGone { .. } => assert!(self.will.take().is_some()),
            other => panic!("{other:?}"),
        }
    }

    fn check(&self, shard: &Shard, session: &Session) {
        assert_eq!(self.client_id.as_ref(), Some(session.client_id()));
        assert_eq!(self.user_name, session.identity.user_name);
        let expiry = SessionExpiry::from_seconds(self.expiry_interval_seconds);
        assert_eq!(expiry, session.expiry);
        let ends_at = self.disconnected_at.map_or(Timestamp::NEVER, |at| expiry.session_end(at));
        assert_eq!((ends_at, self.disconnected_at.is_none()), (session.ends_at, session.conn.is_some()));
        let filters: BTreeSet<Cow<'_, str>> =
            self.filters.values().map(|filter| (&**filter).into()).collect();
        assert_eq!(filters, session.filters.iter().map(|filter| shard.filter_text(filter)).collect());
        let refused = |packet_id: &PacketId| session.receiver.refusal(*packet_id).is_some();
        let known: BTreeSet<_> = session.receiver.snapshot().into_iter().collect();
        assert!(self.received.is_subset(&known) && known.difference(&self.received).all(refused));
        let pending = session.pending_will.as_ref().map(|pending| pending.will());
        assert_eq!(self.will.as_deref(), session.will.as_deref().or(pending));
        self.check_copies(session);
    }

    fn check_copies(&self, session: &Session) {
        let snapshot = session.sender.snapshot();
        let (released, sent): (Vec<_>, Vec<_>) = snapshot
            .exchanges
            .iter()
            .map(|exchange| (exchange.stored.sequence, Some(exchange.packet_id), exchange.state))
            .partition(|(.., state)| *state == InflightState::AwaitPubcomp);
        let state = |copy: &RecordedCopy| match copy.qos {
            _ if copy.released.is_some() => InflightState::AwaitPubcomp,
            QoS::ExactlyOnce => InflightState::AwaitPubrec,
            _ => InflightState::AwaitPuback,
        };
        let exchanges = self.copies.iter().filter(|(_, copy)| copy.packet_id.is_some());
        let (mut recorded_released, recorded_sent): (Vec<_>, Vec<_>) =
            exchanges.partition(|(_, copy)| copy.released.is_some());
        recorded_released.sort_unstable_by_key(|(_, copy)| copy.released);
        let exchange = |(sequence, copy): (&u64, &RecordedCopy)| (*sequence, copy.packet_id, state(copy));
        assert!(released.into_iter().eq(recorded_released.into_iter().map(exchange)));
        assert!(sent.into_iter().eq(recorded_sent.into_iter().map(exchange)));
        let queued =
            snapshot.queue.iter().map(|delivery| (delivery.sequence, delivery.message.topic.clone()));
        let recorded = self.copies.iter().filter(|(_, copy)| copy.packet_id.is_none());
        assert!(queued.eq(recorded.map(|(sequence, copy)| (*sequence, copy.topic.clone()))));
    }
}
