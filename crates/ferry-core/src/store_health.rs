use ferry_codec::{PacketId, QoS, ReasonCode};

use crate::fault::Fault;
use crate::publication::Publication;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Record};

/// Why a copy was not taken, where its publisher is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The queue of a subscriber is full, and the operator wants its publishers to be refused.
    QueueFull,
    /// The store takes nothing at the moment.
    StoreUnwritable,
}

impl Refusal {
    /// What a 5.0 client is told.
    pub(crate) fn reason_code(self) -> ReasonCode {
        ReasonCode::QUOTA_EXCEEDED
    }

    /// In words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::QueueFull => "the queue of a subscriber is full",
            Self::StoreUnwritable => "the message cannot be stored now",
        }
    }
}

impl Shard {
    /// The store takes records again, or takes no more than it must. What has been acknowledged, deliveries and their
    /// acknowledgements go on in any case: they need little room, and make some.
    pub(crate) fn store_health(&mut self, turn: &mut Turn<'_>, writable: bool) {
        if std::mem::replace(&mut self.store_writable, writable) || !writable {
            return;
        }
        for id in self.conns.ids() {
            if self.conns.get(id).is_some_and(|conn| conn.withholds) {
                self.end_withheld(turn, id);
            }
        }
        let sessions: Vec<SessionId> = self.sessions.iter().map(|(id, _)| id).collect();
        sessions.into_iter().for_each(|session| self.continue_replay(session));
    }

    /// Whether a message needs the store, which does not take it now: looked at before anybody gets the message, so
    /// that those who could have it do not get it again when it is published again. Members of shared subscriptions
    /// and other shards are asked later, but not about a message whose QoS 2 exchange is recorded: it needs the store
    /// in any case, and once it has been taken, nobody refuses it any more.
    pub(crate) fn store_refuses(&self, publication: &Publication<'_>, records_exchange: bool) -> bool {
        if self.store_writable || !publication.is_stored(&self.config) {
            return false;
        }
        if records_exchange || (publication.retain && !publication.payload.is_empty()) {
            return true;
        }
        let mut needed = false;
        self.subscriptions.matches(publication.topic, |session, grant| {
            let is_own = grant.options.no_local && publication.publisher == Some(session);
            let qos = publication.qos.min(grant.options.maximum_qos);
            let recorded = || self.sessions.get(session).is_some_and(|session| session.recorded.is_some());
            needed |= !is_own && qos != QoS::AtMostOnce && recorded();
        });
        needed
    }

    /// A 3.x client cannot be told that its message was refused, and would take any acknowledgement as one: from here
    /// on it gets none, so that they stay in order [MQTT3-4.6.0-2] [MQTT3-4.6.0-3], until the store takes messages
    /// again. Then its connection ends, so that it sends them again [MQTT3-4.4.0-1].
    pub(crate) fn withhold(&mut self, turn: &mut Turn<'_>, id: ConnId, exchange: Option<PacketId>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.withholds = true;
        if let (Some(packet_id), Some(session)) = (exchange, self.session_of_mut(id)) {
            // It is to be taken as a new message then.
            let stored = session.recorded.filter(|_| session.receiver.is_stored(packet_id));
            session.receiver.pubrec_sent(packet_id, ReasonCode::QUOTA_EXCEEDED);
            turn.effects
                .records
                .extend(stored.map(|session| Record::ReceivedReleased { session, packet_id }));
        }
        if self.store_writable {
            self.end_withheld(turn, id);
        }
    }

    fn end_withheld(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let fault = Fault::new(ReasonCode::SERVER_BUSY, "messages could not be stored for a while");
        self.disconnect(turn, id, fault);
    }
}
