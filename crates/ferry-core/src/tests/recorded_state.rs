//! What a store has that did as the records say, to be compared with what the shard has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_session::{InflightState, SessionExpiry, StoredWill};

use super::harness::Broker;
use crate::session::Session;
use crate::*;

#[derive(Default)]
pub(super) struct RecordedState {
    sessions: BTreeMap<Arc<str>, RecordedSession>,
    retained: BTreeMap<Box<str>, u64>,
}

#[derive(Default)]
struct RecordedSession {
    user_name: Option<Arc<str>>,
    expiry_interval_seconds: u32,
    disconnected_at: Option<Timestamp>,
    filters: BTreeSet<Box<str>>,
    copies: BTreeMap<u64, RecordedCopy>,
    received: BTreeSet<PacketId>,
    will: Option<Box<StoredWill>>,
}

struct RecordedCopy {
    topic: Box<str>,
    qos: QoS,
    packet_id: Option<PacketId>,
    released: bool,
}

impl RecordedState {
    /// Applies what was recorded since the last time and compares.
    pub(super) fn check(&mut self, broker: &mut Broker) {
        for record in std::mem::take(&mut broker.records) {
            self.apply(record);
        }
        let shard = &broker.shards[0];
        let sessions = shard.sessions.iter().filter(|(_, session)| session.recorded);
        let mut count = 0;
        for (_, session) in sessions {
            self.sessions[session.client_id()].check(session);
            count += 1;
        }
        assert_eq!(self.sessions.len(), count);
        for (topic, order) in &self.retained {
            assert_eq!(
                shard.shared.retained.get(topic).map(|message| message.order),
                Some(*order),
                "{topic}"
            );
        }
        assert_eq!(self.retained.len(), shard.shared.retained.len());
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Session { client_id, user_name, expiry_interval_seconds, disconnected_at } => {
                let session = self.sessions.entry(client_id).or_default();
                session.user_name = user_name;
                session.expiry_interval_seconds = expiry_interval_seconds;
                session.disconnected_at = disconnected_at;
            }
            Record::SessionEnded { client_id } => assert!(self.sessions.remove(&client_id).is_some()),
            Record::Retained { message, order } => {
                assert!(self.retained.insert(message.topic.clone(), order).is_none_or(|old| old < order));
            }
            Record::RetainedCleared { topic, order } => assert_eq!(self.retained.remove(&topic), Some(order)),
            Record::Subscribed { ref client_id, .. }
            | Record::Unsubscribed { ref client_id, .. }
            | Record::Queued { ref client_id, .. }
            | Record::Sent { ref client_id, .. }
            | Record::Dropped { ref client_id, .. }
            | Record::Released { ref client_id, .. }
            | Record::Completed { ref client_id, .. }
            | Record::Received { ref client_id, .. }
            | Record::ReceivedReleased { ref client_id, .. }
            | Record::Will { ref client_id, .. }
            | Record::WillGone { ref client_id } => {
                self.sessions.get_mut(client_id).expect("a Session comes first").apply(record);
            }
        }
    }
}

impl RecordedSession {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Subscribed { filter, .. } => {
                self.filters.insert(filter);
            }
            Record::Unsubscribed { filter, .. } => assert!(self.filters.remove(&filter)),
            Record::Queued { sequence, message, qos, .. } => {
                assert!(self.copies.keys().all(|earlier| *earlier < sequence));
                let topic = message.topic.clone();
                self.copies.insert(sequence, RecordedCopy { topic, qos, packet_id: None, released: false });
            }
            Record::Sent { sequence, packet_id, .. } => {
                let copy = self.copies.get_mut(&sequence).expect("it is queued");
                assert!(copy.packet_id.replace(packet_id).is_none());
            }
            Record::Dropped { sequence, .. } => assert!(self.copies.remove(&sequence).is_some()),
            Record::Released { sequence, packet_id, .. } => {
                let copy = self.copies.get_mut(&sequence).expect("it is sent");
                assert_eq!((copy.packet_id, copy.released), (Some(packet_id), false));
                copy.released = true;
            }
            Record::Completed { sequence, packet_id, .. } => {
                let copy = self.copies.remove(&sequence).expect("it is sent");
                assert_eq!(copy.packet_id, Some(packet_id));
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

    fn check(&self, session: &Session) {
        assert_eq!(self.user_name, session.identity.user_name);
        let expiry = SessionExpiry::from_seconds(self.expiry_interval_seconds);
        assert_eq!(expiry, session.expiry);
        let ends_at = self.disconnected_at.map_or(Timestamp::NEVER, |at| expiry.session_end(at));
        assert_eq!((ends_at, self.disconnected_at.is_none()), (session.ends_at, session.conn.is_some()));
        assert!(self.filters.iter().map(|filter| &**filter).eq(session.filters.iter()));
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
            .map(|exchange| (exchange.sequence, Some(exchange.packet_id), exchange.state))
            .partition(|(.., state)| *state == InflightState::AwaitPubcomp);
        let state = |copy: &RecordedCopy| match copy.qos {
            _ if copy.released => InflightState::AwaitPubcomp,
            QoS::ExactlyOnce => InflightState::AwaitPubrec,
            _ => InflightState::AwaitPuback,
        };
        let exchanges = self.copies.iter().filter(|(_, copy)| copy.packet_id.is_some());
        let (recorded_released, recorded_sent): (Vec<_>, Vec<_>) = exchanges
            .map(|(sequence, copy)| (*sequence, copy.packet_id, state(copy)))
            .partition(|(.., state)| *state == InflightState::AwaitPubcomp);
        // Clients of chance do not send their PUBRECs in order.
        let set = |exchanges: Vec<(u64, _, _)>| {
            exchanges.iter().map(|exchange| exchange.0).collect::<BTreeSet<_>>()
        };
        assert_eq!(set(released), set(recorded_released));
        assert_eq!(sent, recorded_sent);
        let queued =
            snapshot.queue.iter().map(|delivery| (delivery.sequence, delivery.message.topic.clone()));
        let recorded = self.copies.iter().filter(|(_, copy)| copy.packet_id.is_none());
        assert!(queued.eq(recorded.map(|(sequence, copy)| (*sequence, copy.topic.clone()))));
    }
}
