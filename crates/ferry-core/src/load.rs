use ferry_codec::topic::matches;
use ferry_router::SubscriptionTrie;
use ferry_session::{Delivery, DropReason, Dropped};

use crate::filter_set::FilterSet;
use crate::persistence::read_copy;
use crate::session::{Session, SessionId, record_dropped};
use crate::shard::Shard;
use crate::subscribe::{Grant, shared_filter};
use crate::turn::Turn;
use crate::{Counters, SessionNumber};

/// Copies that are to be read back from the store: what comes next in a queue whose client is connected. Answer with
/// [`Event::Loaded`](crate::Event::Loaded), always, with what the store has after all records of this turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// The session.
    pub session: SessionNumber,
    /// The copies, ascending: their keys are
    /// [`Space::Queued.of_session(session, sequence)`](crate::persistence::Space::of_session).
    pub sequences: Vec<u64>,
    /// Where the shard finds the session.
    pub(crate) session_id: SessionId,
}

/// What the store has of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedCopy {
    /// Its value; `None` if there is none, or if it cannot be read.
    pub value: Option<Vec<u8>>,
    /// The value that this one refers to.
    pub shared: Option<Vec<u8>>,
}

/// What a client may not have any more, although the store has copies for it.
pub(crate) struct DeniedFilters {
    /// The last copy that was queued when it could have it.
    pub(crate) last_sequence: u64,
    pub(crate) filters: Vec<Box<str>>,
}

impl Shard {
    /// Asks for what comes next in a queue, if it is only in the store and its turn comes soon.
    pub(crate) fn begin_load(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let messages_max = self.config.queue_messages_in_memory_max as usize;
        let bytes_max = self.config.queue_bytes_in_memory_max;
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        if let Some(number) = session.recorded
            && let Some(sequences) = session.sender.begin_load(messages_max, bytes_max)
        {
            turn.effects.load.push(LoadRequest { session: number, sequences, session_id });
        }
    }

    /// Copies were read back, one for each sequence number that was asked for.
    pub(crate) fn loaded(&mut self, turn: &mut Turn<'_>, request: &LoadRequest, copies: Vec<LoadedCopy>) {
        let session_id = request.session_id;
        let session = self.sessions.get_mut(session_id);
        // It may have ended, and another one may have its place.
        let Some(session) = session.filter(|session| session.recorded == Some(request.session)) else {
            return;
        };
        let subscriptions = &self.subscriptions;
        let is_wanted =
            |filters: &FilterSet, topic: &str| has_matching(subscriptions, filters, session_id, topic);
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let mut copies = copies.into_iter();
        for sequence in &request.sequences {
            let LoadedCopy { value, shared } = copies.next().unwrap_or_default();
            let delivery = value.and_then(|value| read_copy(&value, shared.as_deref()));
            let denied =
                delivery.as_ref().is_some_and(|delivery| session.is_denied(*sequence, delivery, is_wanted));
            if denied && let Some(dropped) = session.sender.drop_spilled(*sequence, DropReason::NotAuthorized)
            {
                count_dropped(&mut self.counters, session, &dropped, delivery.as_ref(), turn);
            } else if let Some(dropped) = session.sender.loaded(*sequence, delivery) {
                count_dropped(&mut self.counters, session, &dropped, None, turn);
            }
        }
        session.sender.end_load();
        if session.sender.spilled_len() == 0 {
            session.denied = None;
        }
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        self.counters.queue_changed(before, after);
        self.pump(turn, session_id);
        self.continue_replay(session_id);
    }
}

fn count_dropped(
    counters: &mut Counters,
    session: &Session,
    dropped: &Dropped,
    delivery: Option<&Delivery>,
    turn: &mut Turn<'_>,
) {
    let topic = delivery.map_or("", |delivery| &delivery.message.topic);
    counters.drops.count(dropped.reason, session.client_id(), topic);
    record_dropped(session.recorded, dropped.stored, &mut turn.effects.records);
}

impl Session {
    /// Whether a copy came through a subscription that was taken away, and only through that.
    fn is_denied(
        &self,
        sequence: u64,
        delivery: &Delivery,
        is_wanted: impl Fn(&FilterSet, &str) -> bool,
    ) -> bool {
        let Some(denied) = self.denied.as_ref().filter(|denied| sequence <= denied.last_sequence) else {
            return false;
        };
        let topic = &delivery.message.topic;
        denied.filters.iter().any(|filter| plain_matches(filter, topic)) && !is_wanted(&self.filters, topic)
    }
}

/// Whether one of a session's subscriptions matches the topic.
pub(crate) fn has_matching(
    subscriptions: &SubscriptionTrie<SessionId, Grant>,
    filters: &FilterSet,
    session: SessionId,
    topic: &str,
) -> bool {
    let mut found = filters.shared().any(|filter| plain_matches(filter, topic));
    subscriptions.matches(topic, |key, _| found |= key == session);
    found
}

/// Whether a filter, without its `$share/group/`, matches the topic.
pub(crate) fn plain_matches(filter: &str, topic: &str) -> bool {
    let shared = shared_filter(filter).ok().flatten();
    matches(shared.map_or(filter, |shared| shared.filter), topic)
}
