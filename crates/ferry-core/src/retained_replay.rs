use std::collections::VecDeque;
use std::sync::Arc;

use ferry_codec::QoS;
use ferry_router::RetainedCursor;
use ferry_session::{Delivery, DropReason, Message};

use crate::session::SessionId;
use crate::shard::Shard;
use crate::subscribe::Grant;
use crate::turn::Turn;
use crate::write_packet::{mark_dirty, write_queued};

/// The retained messages that a session is still to get for its new subscriptions, in the order of these.
///
/// However many there are, they are fetched a few at a time, when the client has taken those before: a `#` over a
/// million retained messages neither holds up a turn nor fills the session's queue.
#[derive(Default)]
pub(crate) struct RetainedReplays {
    replays: VecDeque<Replay>,
    /// In [`Shard::replaying`].
    scheduled: bool,
}

struct Replay {
    filter: Box<str>,
    grant: Grant,
    cursor: RetainedCursor,
    /// All were fetched.
    complete: bool,
    /// Fetched and not yet delivered.
    fetched: VecDeque<Arc<Message>>,
}

/// Copies of QoS 1 and 2 that may wait in the session's queue before fetching goes on.
const QUEUED_MAX: usize = 64;

impl Shard {
    /// A new subscription wants the retained messages.
    pub(crate) fn add_replay(&mut self, session_id: SessionId, filter: &str, grant: Grant) {
        if self.shared.retained.is_empty() || !self.config.retain_available {
            return;
        }
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let replays = &mut session.replays.get_or_insert_default().replays;
        // Subscribed to again: from the start, with what is granted now.
        replays.retain(|replay| *replay.filter != *filter);
        replays.push_back(Replay {
            filter: filter.into(),
            grant,
            cursor: RetainedCursor::default(),
            complete: false,
            fetched: VecDeque::new(),
        });
    }

    pub(crate) fn cancel_replay(&mut self, session_id: SessionId, filter: &str) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        if let Some(replays) = &mut session.replays {
            replays.replays.retain(|replay| *replay.filter != *filter);
        }
    }

    /// Right after SUBSCRIBE: usually this is all there is.
    pub(crate) fn replay_first_steps(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(replays) = self.sessions.get(session_id).and_then(|session| session.replays.as_ref()) else {
            return;
        };
        for _ in 0..replays.replays.len() {
            if !self.replay_step(turn, session_id) {
                break;
            }
        }
        self.continue_replay(session_id);
    }

    /// The client has taken something: the replay may go on in the next tick.
    pub(crate) fn continue_replay(&mut self, session_id: SessionId) {
        if self.may_replay(session_id)
            && let Some(replays) =
                self.sessions.get_mut(session_id).and_then(|session| session.replays.as_mut())
            && !replays.scheduled
        {
            replays.scheduled = true;
            self.replaying.push_back(session_id);
        }
    }

    /// One step for each session whose replay can go on.
    pub(crate) fn replay_retained(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..self.replaying.len() {
            let Some(session_id) = self.replaying.pop_front() else { return };
            let Some(session) = self.sessions.get_mut(session_id) else { continue };
            let Some(replays) = &mut session.replays else { continue };
            replays.scheduled = false;
            self.replay_step(turn, session_id);
            self.continue_replay(session_id);
        }
    }

    /// Whether there is something to replay and room for it.
    fn may_replay(&self, session_id: SessionId) -> bool {
        let Some(session) = self.sessions.get(session_id) else { return false };
        let Some(conn) = session.conn.and_then(|conn| self.conns.get(conn)) else { return false };
        session.replays.is_some()
            // Its copies could not be stored.
            && (self.store_writable || session.recorded.is_none())
            && conn.acknowledged
            && session.sender.queue_len() < QUEUED_MAX.min(self.config.queue_messages_max as usize)
            && conn.unwritten_bytes() < self.config.output_bytes_max
    }

    /// Fetches and delivers some messages of the first replay; whether there may be room for more.
    fn replay_step(&mut self, turn: &mut Turn<'_>, session_id: SessionId) -> bool {
        if !self.may_replay(session_id) {
            return false;
        }
        let Some(session) = self.sessions.get_mut(session_id) else { return false };
        let Some(replays) = &mut session.replays else { return false };
        let Some(mut replay) = replays.replays.pop_front() else {
            session.replays = None;
            return false;
        };
        let waited = !replay.fetched.is_empty();
        if !waited && !replay.complete {
            let fetched = &mut replay.fetched;
            let steps = self.config.retained_replay_steps;
            replay.complete = self.shared.retained.for_each_matching(
                &replay.filter,
                &mut replay.cursor,
                steps,
                |_, message| fetched.push_back(Arc::clone(message)),
            );
        }
        while let Some(message) = replay.fetched.pop_front() {
            // What replaced it meanwhile has been sent already: the old one must not come after it.
            let retained = if waited { self.retained_now(&message.topic) } else { Some(message) };
            if let Some(message) = retained {
                self.deliver_retained(turn, session_id, message, replay.grant);
            }
            if !self.may_replay(session_id) {
                break;
            }
        }
        let Some(session) = self.sessions.get_mut(session_id) else { return false };
        if let Some(replays) = &mut session.replays {
            if !replay.complete || !replay.fetched.is_empty() {
                replays.replays.push_front(replay);
            }
            if replays.replays.is_empty() {
                session.replays = None;
                return false;
            }
        }
        true
    }

    fn retained_now(&self, topic: &str) -> Option<Arc<Message>> {
        self.shared.retained.get(topic).map(|retained| retained.message)
    }

    /// A retained message that is sent because of a new subscription has RETAIN set [MQTT3-3.3.1-6] [MQTT3-3.3.1-8].
    fn deliver_retained(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        message: Arc<Message>,
        grant: Grant,
    ) {
        let Some(session) = self.sessions.get(session_id) else { return };
        // Only now: the client may have come for it long after it was fetched [MQTT-3.3.2-5].
        if message.is_expired(turn.now) {
            return;
        }
        // No Local holds for retained messages too [MQTT-3.8.3-3].
        if grant.options.no_local && message.publisher.as_ref() == Some(session.client_id()) {
            return;
        }
        let authorizer = &self.authorizer;
        if self.answers.restrict_receiving && !authorizer.may_receive(&session.identity, &message.topic) {
            self.counters.drops.count(DropReason::NotAuthorized, session.client_id(), &message.topic);
            return;
        }
        let qos = message.qos.min(grant.options.maximum_qos);
        let is_stored = session.recorded.is_some() && self.config.durability_of(&message.topic).is_stored();
        let mut delivery = Delivery::new(message, qos, true);
        delivery.stored.copy = is_stored;
        delivery.subscription_ids.extend(grant.subscription_id);
        if qos != QoS::AtMostOnce {
            self.enqueue(turn, session_id, delivery);
            return self.pump(turn, session_id);
        }
        let Some((id, conn)) = session.conn.and_then(|id| Some((id, self.conns.get_mut(id)?))) else {
            return;
        };
        let topic = &*delivery.message.topic;
        let topic_hash = || self.hasher.hash_one(topic);
        match write_queued(conn, &mut self.counters, &delivery, None, false, turn.now, topic_hash) {
            Ok(()) => mark_dirty(turn, id, conn),
            Err(reason) => self.counters.drops.count(reason, session.client_id(), topic),
        }
        self.watch_output(turn.now, id);
    }
}
