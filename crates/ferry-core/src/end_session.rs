use std::sync::Arc;

use ferry_codec::ReasonCode;
use ferry_codec::topic::parse_shared;
use ferry_session::{DropReason, PendingWill};

use crate::deferred::Deferred;
use crate::filter_set::SubscribedFilter;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::shared_subscription::group_of;
use crate::timers::TimerKey;
use crate::turn::Turn;

impl Shard {
    /// Discards a session and everything in it but its will, which is published now at the latest
    /// [MQTT-3.1.2-8]. What it had published to be retained stays [MQTT3-3.1.2-7]. It must not be connected
    /// [MQTT-4.1.0-1] [MQTT3-4.1.0-1] [MQTT3-4.1.0-2].
    pub(crate) fn end_session(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        self.publish_pending_will(turn, session_id);
        self.unsubscribe_all(session_id);
        let Some(mut session) = self.sessions.remove(session_id) else { return };
        self.timers.disarm(TimerKey::Session(session_id), &mut session.armed);
        self.counters.sessions -= 1;
        if self.spans.is_some() {
            self.end_spans_of_session(turn, session_id);
        }
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        self.counters.queue_changed(before, (0, 0));
        self.counters.inflight_changed(session.sender.inflight_len(), 0);
        let client_id = Arc::clone(session.client_id());
        let spilled = session.sender.take_all(&mut |delivery, sent| {
            let exactly_once = delivery.qos == ferry_codec::QoS::ExactlyOnce;
            match group_of(&delivery) {
                // A QoS 2 copy that is on its way to this client goes to nobody else [MQTT-4.8.2-5].
                Some(group) if !(sent && exactly_once) => {
                    self.deferred.push_back(Deferred::Redeliver { group, delivery });
                }
                _ => self.counters.drops.count(DropReason::SessionEnded, &client_id, &delivery.message.topic),
            }
        });
        self.counters.drops.count_many(DropReason::SessionEnded, &client_id, spilled);
        if let Some(session) = session.recorded {
            self.record_session_ended(turn, &client_id, session);
        }
    }

    /// An operator ends a session.
    pub(crate) fn end_session_of(&mut self, turn: &mut Turn<'_>, client_id: &str) {
        let reason = "an operator has deleted the session";
        self.disconnect_client(turn, client_id, ReasonCode::ADMINISTRATIVE_ACTION, Some(reason), None);
        if let Some(session_id) = self.sessions.find(client_id) {
            self.end_session(turn, session_id);
        }
    }

    /// Publishes the will of a connection that is closed, without waiting any longer.
    fn publish_pending_will(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let Some(pending) = session.pending_will.take() else { return };
        let publisher = Arc::clone(session.client_id());
        // [MQTT-3.1.2-10]: taken out, so it is published once.
        let message = pending.into_message(Some(publisher), turn.now);
        self.put_off_will(session_id, message);
    }

    /// Does for a session without a connection what is due, and waits for what is not.
    pub(crate) fn session_due(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        if session.conn.is_some() {
            return;
        }
        if session.ends_at <= turn.now {
            // [MQTT-4.1.0-2]
            self.counters.sessions_expired += 1;
            return self.end_session(turn, session_id);
        }
        if session.pending_will.as_ref().is_some_and(|will| PendingWill::is_due(will, turn.now)) {
            if session.recorded.is_some() {
                // Or it would be published once more.
                session.record_will_gone(&mut turn.effects.records);
                self.commit.hurry(turn.effects, self.config.durability);
            }
            self.publish_pending_will(turn, session_id);
        }
        self.arm_session(session_id);
    }

    pub(crate) fn arm_session(&mut self, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let deadline = session.deadline();
        self.timers.arm(TimerKey::Session(session_id), &mut session.armed, deadline);
    }

    fn unsubscribe_all(&mut self, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let filters = std::mem::take(&mut session.filters);
        for filter in filters.iter() {
            match filter {
                SubscribedFilter::Plain(filter) => self.remove_subscription(session_id, filter),
                SubscribedFilter::Shared(filter) => {
                    let Ok(Some(shared)) = parse_shared(filter) else { continue };
                    self.leave_share(session_id, shared.group, shared.filter)
                }
            };
        }
    }
}
