use std::borrow::Cow;

use ferry_codec::topic::{SharedFilter, has_wildcard, parse_shared};
use ferry_codec::{
    Packet, ProtocolVersion, QoS, ReasonCode, RetainHandling, Suback, Subscribe, SubscribeFilter,
    SubscriptionOptions, UserProperties,
};
use ferry_router::FilterId;
use smallvec::SmallVec;

use crate::fault::Fault;
use crate::filter_set::SubscribedFilter;
use crate::response::Response;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Record};

/// What a session was granted for one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// As asked for, with the QoS that was granted.
    pub(crate) options: SubscriptionOptions,
    pub(crate) subscription_id: Option<u32>,
}

impl Shard {
    /// SUBSCRIBE (section 3.8.4): each filter in turn [MQTT-3.8.4-5] [MQTT3-3.8.4-4], then one answer.
    pub(crate) fn subscribe_packet(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session: SessionId,
        subscribe: &Subscribe<'_>,
    ) -> Result<(), Fault> {
        self.check_subscribe(subscribe)?;
        let records_before = turn.effects.recorded();
        let mut reason_codes: SmallVec<[u8; 16]> = SmallVec::new();
        let mut reason = None;
        for filter in subscribe.filters {
            let result = self.subscribe(turn, conn, session, &filter, subscribe.subscription_id);
            // [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT3-3.8.4-5]: one code for each filter, in their order.
            reason_codes.push(match result {
                Ok(granted) => granted.to_byte(),
                Err(fault) => {
                    self.counters.refusals.count(fault.reason_code);
                    reason = Some(fault.detail);
                    fault.reason_code.code()
                }
            });
        }
        let suback = Packet::Suback(Suback {
            // [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT3-2.3.1-7] [MQTT3-3.8.4-2]
            packet_id: subscribe.packet_id,
            // [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT3-3.9.3-1]
            reason_codes: &reason_codes,
            reason_string: reason,
            user_properties: UserProperties::EMPTY,
        });
        if let Some(bytes) = self.encode_response(conn, &suback) {
            let recorded = turn.effects.recorded() > records_before;
            let wait = self.state_wait(turn, recorded);
            // [MQTT-3.8.4-1] [MQTT3-3.8.4-1]
            self.respond(turn, conn, Response::Encoded(bytes, 9), wait);
        }
        self.replay_first_steps(turn, session);
        self.limit_subscribes(turn, conn, subscribe.filters.len());
        self.check_output(turn, conn);
        Ok(())
    }

    /// What makes the whole packet wrong, before any of it is carried out.
    fn check_subscribe(&self, subscribe: &Subscribe<'_>) -> Result<(), Fault> {
        let config = &self.config;
        if subscribe.subscription_id.is_some() && !config.subscription_identifiers_available {
            // U5-042
            let code = ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
            return Err(Fault::new(code, "subscription identifiers are not supported"));
        }
        for SubscribeFilter { filter, options } in subscribe.filters {
            let shared = shared_filter(filter)?;
            if shared.is_some() && !config.shared_subscription_available {
                // U5-044
                let code = ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
                return Err(Fault::new(code, "shared subscriptions are not supported"));
            }
            if shared.is_some() && options.no_local {
                // [MQTT-3.8.3-4]
                return Err(Fault::protocol_error("No Local on a shared subscription"));
            }
            if has_wildcard(filter) && !config.wildcard_subscription_available {
                // U5-040 [MQTT3-3.8.3-2]
                let code = ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
                return Err(Fault::new(code, "wildcard subscriptions are not supported"));
            }
        }
        Ok(())
    }

    /// One filter. The subscription is in force when this returns.
    fn subscribe(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session_id: SessionId,
        wanted: &SubscribeFilter<'_>,
        subscription_id: Option<u32>,
    ) -> Result<QoS, Fault> {
        let filter = wanted.filter;
        let shared = shared_filter(filter)?;
        let Some(session) = self.sessions.get(session_id) else { return Ok(QoS::AtMostOnce) };
        let plain = shared.map_or(filter, |shared| shared.filter);
        if !self.authorizer.may_subscribe(&session.identity, plain) {
            return Err(Fault::new(
                ReasonCode::NOT_AUTHORIZED,
                "the client may not subscribe to this filter",
            ));
        }
        let is_new = !self.filter_of(filter, shared).is_some_and(|filter| session.filters.contains(filter));
        if is_new && session.filters.len() >= self.config.subscriptions_per_session_max as usize {
            return Err(Fault::new(ReasonCode::QUOTA_EXCEEDED, "the session has too many subscriptions"));
        }
        let highest_qos = self.authorizer.granted_qos(&session.identity, plain);
        let grant = self.grant(conn, wanted.options, highest_qos, subscription_id);
        let subscribed = self.add_filter(session_id, filter, shared, grant);
        self.record_subscription(turn, session_id, subscribed, filter, grant);
        let replay = match grant.options.retain_handling {
            // [MQTT-3.3.1-9] [MQTT-3.8.4-4] [MQTT3-3.8.4-3]
            RetainHandling::SendAtSubscribe => true,
            // [MQTT-3.3.1-10]
            RetainHandling::SendIfNew => is_new,
            // [MQTT-3.3.1-11]
            RetainHandling::DoNotSend => false,
        };
        // A shared subscription gets none (section 4.8.2).
        if replay && shared.is_none() {
            self.add_replay(session_id, filter, grant);
        }
        Ok(grant.options.maximum_qos)
    }

    /// The session has this subscription from now on, as new or instead of one with the same filter.
    pub(crate) fn record_subscription(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        subscribed: SubscribedFilter<'_>,
        filter: &str,
        grant: Grant,
    ) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let number = session.filters.insert(subscribed);
        turn.effects.records.extend(session.recorded.map(|session| Record::Subscribed {
            session,
            number,
            filter: filter.into(),
            options: grant.options,
            subscription_id: grant.subscription_id,
        }));
    }

    /// What a session was granted with one of its filters.
    pub(crate) fn grant_of(
        &self,
        session_id: SessionId,
        subscribed: SubscribedFilter<'_>,
        shared: Option<SharedFilter<'_>>,
    ) -> Option<&Grant> {
        match (subscribed, shared) {
            (SubscribedFilter::Plain(filter), _) => self.subscriptions.get(filter, session_id),
            (_, Some(shared)) => self.share_groups.get(shared.group, shared.filter, session_id),
            _ => None,
        }
    }

    /// The server may grant less than was asked for, never more [MQTT-3.2.2-10].
    fn grant(
        &self,
        conn: ConnId,
        asked: SubscriptionOptions,
        highest_qos: QoS,
        subscription_id: Option<u32>,
    ) -> Grant {
        let mut options = asked;
        options.maximum_qos = options.maximum_qos.min(self.config.maximum_qos).min(highest_qos);
        if let Some(conn) = self.conns.get(conn) {
            options.maximum_qos = options.maximum_qos.min(conn.info.listener.maximum_qos);
            if conn.bridge && conn.version != ProtocolVersion::V5 {
                options.no_local = true;
                options.retain_as_published = true;
            }
        }
        Grant { options, subscription_id }
    }

    /// What a session's [`FilterSet`](crate::filter_set::FilterSet) knows a filter by; `None` if no session has it.
    pub(crate) fn filter_of<'a>(
        &self,
        filter: &'a str,
        shared: Option<SharedFilter<'_>>,
    ) -> Option<SubscribedFilter<'a>> {
        match shared {
            Some(_) => Some(SubscribedFilter::Shared(filter)),
            None => self.subscriptions.find(filter).map(SubscribedFilter::Plain),
        }
    }

    /// A filter as the client wrote it.
    pub(crate) fn filter_text<'a>(&self, filter: SubscribedFilter<'a>) -> Cow<'a, str> {
        match filter {
            SubscribedFilter::Shared(filter) => filter.into(),
            SubscribedFilter::Plain(filter) => {
                let mut text = String::new();
                self.subscriptions.write_filter(filter, &mut text);
                text.into()
            }
        }
    }

    /// Makes a subscription or replaces it.
    pub(crate) fn add_filter<'a>(
        &mut self,
        session: SessionId,
        filter: &'a str,
        shared: Option<SharedFilter<'_>>,
        grant: Grant,
    ) -> SubscribedFilter<'a> {
        match shared {
            Some(shared) => {
                self.join_share(session, shared, grant);
                SubscribedFilter::Shared(filter)
            }
            None => SubscribedFilter::Plain(self.add_subscription(session, filter, grant)),
        }
    }

    /// Makes a subscription or replaces it, without a gap [MQTT-3.8.4-3] [MQTT3-3.8.4-3].
    fn add_subscription(&mut self, session: SessionId, filter: &str, grant: Grant) -> FilterId {
        let subscribed = self.subscriptions.subscribe(filter, session, grant);
        self.counters.subscriptions += usize::from(subscribed.replaced.is_none());
        if subscribed.first_of_filter {
            self.shared.route_table.add(self.id, filter);
        }
        subscribed.filter
    }

    /// Ends a subscription that is not shared; whether there was one.
    pub(crate) fn remove_subscription(&mut self, session: SessionId, filter: FilterId) -> bool {
        // With one shard there are no routes, and the text is not wanted.
        let text = (self.shard_count() > 1).then(|| self.filter_text(SubscribedFilter::Plain(filter)));
        let Some(removed) = self.subscriptions.unsubscribe_id(filter, session) else { return false };
        self.counters.subscriptions -= 1;
        if let Some(text) = text.filter(|_| removed.last_of_filter) {
            self.shared.route_table.remove(self.id, &text);
        }
        true
    }
}

/// The parts of a `$share` filter [MQTT-4.8.2-1] [MQTT-4.8.2-2].
pub(crate) fn shared_filter(filter: &str) -> Result<Option<SharedFilter<'_>>, Fault> {
    parse_shared(filter).map_err(|error| Fault::new(error.filter_reason_code(), error.detail()))
}
