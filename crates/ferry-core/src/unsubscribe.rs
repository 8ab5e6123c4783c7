use ferry_codec::{Packet, QoS, ReasonCode, Unsuback, Unsubscribe, UserProperties};
use ferry_session::{DropReason, Dropped};
use smallvec::SmallVec;

use crate::filter_set::SubscribedFilter;
use crate::load::{DeniedFilters, has_matching, plain_matches};
use crate::response::Response;
use crate::session::{SessionId, record_dropped};
use crate::shard::Shard;
use crate::subscribe::{Grant, shared_filter};
use crate::turn::Turn;
use crate::{ConnId, Record};

/// Subscriptions that are judged in one turn when the rules were replaced, and those of one client more. Each takes some
/// 3 us with 200 rules; nothing else happens on the shard meanwhile.
const JUDGED_PER_TURN: usize = 1_000;

impl Shard {
    /// UNSUBSCRIBE (section 3.10.4): each filter in turn [MQTT-3.10.4-6] [MQTT3-3.10.4-6], then one answer, even
    /// if there was nothing to end [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT3-3.10.4-4] [MQTT3-3.10.4-5].
    pub(crate) fn unsubscribe_packet(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session: SessionId,
        unsubscribe: &Unsubscribe<'_>,
    ) {
        let records_before = turn.effects.recorded();
        let mut reason_codes: SmallVec<[u8; 16]> = SmallVec::new();
        for filter in unsubscribe.filters {
            let existed = self.unsubscribe(turn, session, filter);
            let reason_code = if existed { ReasonCode::SUCCESS } else { ReasonCode::NO_SUBSCRIPTION_EXISTED };
            // [MQTT-3.11.3-1] [MQTT-3.11.3-2]
            reason_codes.push(reason_code.code());
        }
        let unsuback = Packet::Unsuback(Unsuback {
            // [MQTT-2.2.1-6] [MQTT3-2.3.1-7]
            packet_id: unsubscribe.packet_id,
            reason_codes: &reason_codes,
            reason_string: None,
            user_properties: UserProperties::EMPTY,
        });
        if let Some(bytes) = self.encode_response(conn, &unsuback) {
            let recorded = turn.effects.recorded() > records_before;
            let wait = self.state_wait(turn, recorded);
            self.respond(turn, conn, Response::Encoded(bytes, 11), wait);
        }
        self.limit_subscribes(turn, conn, unsubscribe.filters.len());
        self.check_output(turn, conn);
    }

    /// Ends the subscription to exactly this filter [MQTT-3.10.4-1] [MQTT3-3.10.4-1]. Nothing new is added
    /// [MQTT-3.10.4-2] [MQTT3-3.10.4-2]; what was queued or is on its way is still delivered [MQTT-3.10.4-3]
    /// [MQTT3-3.10.4-3].
    pub(crate) fn unsubscribe(&mut self, turn: &mut Turn<'_>, session_id: SessionId, filter: &str) -> bool {
        // Nobody has subscribed to one that is no filter.
        let Ok(shared) = shared_filter(filter) else { return false };
        let Some(subscribed) = self.filter_of(filter, shared) else { return false };
        let Some(session) = self.sessions.get_mut(session_id) else { return false };
        let Some(number) = session.filters.remove(subscribed) else { return false };
        let recorded = session.recorded;
        turn.effects.records.extend(recorded.map(|session| Record::Unsubscribed { session, number }));
        match (shared, subscribed) {
            (Some(shared), _) => self.leave_share(session_id, shared.group, shared.filter),
            (None, SubscribedFilter::Plain(filter)) => self.remove_subscription(session_id, filter),
            (None, SubscribedFilter::Shared(_)) => false,
        };
        self.cancel_replay(session_id, filter);
        true
    }

    /// The rules were replaced: goes on to judge the subscriptions of the clients that are connected, some in each turn. What
    /// is delivered meanwhile is judged by itself.
    pub(crate) fn judge_subscriptions(&mut self, turn: &mut Turn<'_>) {
        let mut judged = 0;
        while judged < JUDGED_PER_TURN {
            let Some(session_id) = self.unjudged.pop() else { break };
            judged += 1 + self.sessions.get(session_id).map_or(0, |session| session.filters.len());
            self.recheck_subscriptions(turn, session_id);
        }
        if self.unjudged.is_empty() {
            self.unjudged = Vec::new();
        }
    }

    /// A client is back, or its rights have changed: they may be fewer than when it subscribed. Ends what it may not have any
    /// more, and drops what waits for it because of that; lowers the maximum QoS of what it may have with a lower one only.
    pub(crate) fn recheck_subscriptions(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get(session_id) else { return };
        let mut denied: Vec<Box<str>> = Vec::new();
        let mut lowered: Vec<(Box<str>, Grant)> = Vec::new();
        for subscribed in session.filters.iter() {
            let filter = self.filter_text(subscribed);
            let shared = shared_filter(&filter).ok().flatten();
            let plain = shared.map_or(&*filter, |shared| shared.filter);
            if !self.authorizer.may_subscribe(&session.identity, plain) {
                denied.push(filter.into());
                continue;
            }
            let Some(mut grant) = self.grant_of(session_id, subscribed, shared).copied() else { continue };
            let granted = &mut grant.options.maximum_qos;
            if *granted == QoS::AtMostOnce {
                continue;
            }
            let highest_qos = self.authorizer.granted_qos(&session.identity, plain);
            if highest_qos < *granted {
                *granted = highest_qos;
                lowered.push((filter.into(), grant));
            }
        }
        for (filter, grant) in lowered {
            let shared = shared_filter(&filter).ok().flatten();
            let subscribed = self.add_filter(session_id, &filter, shared, grant);
            self.record_subscription(turn, session_id, subscribed, &filter, grant);
            self.counters.subscriptions_lowered += 1;
        }
        if !denied.is_empty() {
            self.end_denied(turn, session_id, denied);
        }
    }

    fn end_denied(&mut self, turn: &mut Turn<'_>, session_id: SessionId, denied: Vec<Box<str>>) {
        for filter in &denied {
            self.unsubscribe(turn, session_id, filter);
        }
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let (filters, client_id) = (&session.filters, &session.identity.client_id);
        let subscriptions = &self.subscriptions;
        let drops = &mut self.counters.drops;
        let recorded = session.recorded;
        let mut on_drop = |dropped: Dropped| {
            drops.count(dropped.reason, client_id, dropped.topic());
            record_dropped(recorded, dropped.stored, &mut turn.effects.records);
        };
        session.sender.retain_queued(
            |delivery| {
                // What was queued before an UNSUBSCRIBE is still delivered [MQTT-3.10.4-3].
                let topic = &delivery.message.topic;
                has_matching(subscriptions, filters, session_id, topic)
                    || !denied.iter().any(|filter| plain_matches(filter, topic))
            },
            DropReason::NotAuthorized,
            &mut on_drop,
        );
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        if session.sender.spilled_len() > 0 {
            // What is only in the store is judged when it is read back.
            let last_sequence = session.sender.last_sequence();
            let mut filters = session.denied.take().map_or(Vec::new(), |denied| denied.filters);
            filters.extend(denied);
            session.denied = Some(Box::new(DeniedFilters { last_sequence, filters }));
        }
        self.counters.queue_changed(before, after);
    }
}
