use std::sync::Arc;

use ferry_codec::ReasonCode;
use ferry_session::Message;

use crate::ConnId;
use crate::deferred::Deferred;
use crate::fault::Fault;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;

impl Shard {
    /// A new connection for a session that exists. In this order: the old connection is told and closed, its will
    /// is decided, Clean Start is processed. Returns the session if the new connection resumes it.
    pub(crate) fn take_over(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        newcomer: ConnId,
        clean_start: bool,
    ) -> Option<SessionId> {
        let session = self.sessions.get_mut(session_id)?;
        let mut ended = clean_start || session.ends_at <= turn.now;
        if let Some(old) = session.conn {
            let outlives = session.expiry.outlives_connection();
            ended |= !outlives;
            // The will goes out at once if it has no delay or if the session ends here; otherwise the new
            // connection came before it was due [MQTT-3.1.2-8] [MQTT-3.1.3-9].
            let will = session.will.take();
            if will.is_some() {
                session.record_will_gone(&mut turn.effects.records);
            }
            let will = will.filter(|will| ended || will.delay_interval_seconds == 0);
            let publisher = Arc::clone(session.client_id());
            self.counters.takeovers += 1;
            if let Some(will) = will {
                let message = will.into_message(Some(publisher), turn.now);
                self.put_off_will(session_id, message);
            }
            // [MQTT-3.1.4-3] [MQTT3-3.1.4-2]
            let fault =
                Fault::new(ReasonCode::SESSION_TAKEN_OVER, "another connection uses the client identifier");
            self.end_old_connection(turn, old, newcomer, fault);
        }
        if ended {
            // [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT3-3.1.2-6] [MQTT3-3.1.4-3]
            self.end_session(turn, session_id);
            return None;
        }
        // [MQTT-3.1.2-5]
        self.cancel_pending_will(turn, session_id);
        Some(session_id)
    }

    /// A will that waits is not published if its client is back in time, but one that was due is.
    fn cancel_pending_will(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let Some(pending) = session.pending_will.take() else { return };
        let client_id = Arc::clone(session.client_id());
        session.record_will_gone(&mut turn.effects.records);
        if pending.is_due(turn.now) {
            let message = pending.into_message(Some(client_id), turn.now);
            self.put_off_will(session_id, message);
        }
    }

    /// Publishes a will when the present step is complete, if its client may publish it.
    pub(crate) fn put_off_will(&mut self, session_id: SessionId, message: Message) {
        let Some(session) = self.sessions.get(session_id) else { return };
        if self.authorizer.may_publish(&session.identity, &message.topic, message.qos, message.retain) {
            let was_stored = session.recorded.is_some();
            self.deferred.push_back(Deferred::Will(message.into(), was_stored));
        } else {
            self.counters.publish_refused += 1;
        }
    }
}
