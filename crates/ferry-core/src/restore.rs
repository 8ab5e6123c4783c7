use ferry_codec::topic::SharedFilter;
use ferry_session::{
    Exchange, InflightState, PendingWill, Receiver, Sender, SenderSnapshot, SessionExpiry, StoredCopy,
    Timestamp,
};

use crate::persistence::{Forwarded, RestoredCopy, RestoredExchange, RestoredSession};
use crate::publication::Publication;
use crate::record::share_filter;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::shared_subscription::key_of;
use crate::subscribe::{Grant, shared_filter};
use crate::turn::Turn;
use crate::{Effects, Identity, Record, home_shard};

impl Shard {
    /// Takes a session that the store has, before the first turn. Deadlines that have passed are met by the first
    /// [`Event::Tick`](crate::Event::Tick), when all shards have theirs. What is to be recorded because of it is
    /// appended to `records`; see [`Restored::clean_up`](crate::persistence::Restored::clean_up).
    ///
    /// # Panics
    /// If the home of its client is another shard.
    pub fn restore(&mut self, session: RestoredSession, records: &mut Vec<Record>) {
        assert_eq!(
            home_shard(session.client_id(), self.shard_count()),
            self.id,
            "a session of another shard"
        );
        let identity = Identity {
            client_id: session.client_id.clone(),
            user_name: session.user_name.clone(),
            origin: None,
        };
        let session_id = self.new_session(identity);
        self.restore_subscriptions(session_id, &session);
        let was_connected = session.disconnected_at.is_none();
        let disconnected_at = session.disconnected_at.unwrap_or(self.now);
        let expiry = SessionExpiry::from_seconds(session.expiry_interval_seconds);
        let Some(restored) = self.sessions.get_mut(session_id) else { return };
        restored.recorded = Some(session.number);
        restored.expiry = expiry;
        restored.expiry_in_connect = expiry;
        restored.ends_at = expiry.session_end(disconnected_at);
        restored.pending_will =
            session.will.map(|will| PendingWill::new(will, disconnected_at, restored.ends_at));
        restored.receiver = Receiver::restore(session.received);
        let groups = &self.share_groups;
        let with_group = |copy: RestoredCopy| {
            let RestoredCopy { mut delivery, shared_subscription } = copy;
            let shared = shared_subscription.as_deref().and_then(|filter| shared_filter(filter).ok()?);
            let group = shared.and_then(|SharedFilter { group, filter }| groups.id(group, filter));
            delivery.shared_subscription = group.and_then(key_of);
            delivery
        };
        let exchange = |exchange: RestoredExchange| {
            let RestoredExchange { sequence, packet_id, parts, copy, .. } = exchange;
            let delivery = copy.map(with_group);
            let state = match &delivery {
                None => InflightState::AwaitPubcomp,
                Some(delivery) => InflightState::of_unacknowledged(delivery.qos),
            };
            Exchange { packet_id, state, stored: StoredCopy { sequence, parts }, delivery }
        };
        let snapshot = SenderSnapshot {
            last_packet_id: session.last_packet_id.map_or(0, |packet_id| packet_id.get()),
            last_sequence: session.last_sequence,
            exchanges: session.exchanges.into_iter().map(exchange).collect(),
            queue: session.waiting.into_iter().map(with_group).collect(),
            spilled: session.spilled,
        };
        // Packet identifiers are there once, and what is unacknowledged has its message.
        restored.sender = Sender::restore(snapshot).unwrap_or_default();
        let queued = (restored.sender.queue_len(), restored.sender.queue_bytes());
        self.counters.queue_changed((0, 0), queued);
        self.counters.inflight_changed(0, restored.sender.inflight_len());
        if was_connected {
            // Its time runs from now on, even if the next start is late.
            let mut effects = Effects::new();
            self.record_session(&mut Turn { now: self.now, effects: &mut effects }, session_id);
            records.append(&mut effects.records);
        }
        self.arm_session(session_id);
    }

    /// Takes the copies of a message that was on its way to another shard, when all shards have all their sessions. Of
    /// those for one member of a shared subscription, one shard takes it.
    pub fn restore_forwarded(&mut self, forwarded: &Forwarded, records: &mut Vec<Record>) {
        let Forwarded { number, to, shard_count, shared_subscription, message } = forwarded;
        let mut effects = Effects::new();
        let turn = &mut Turn { now: self.now, effects: &mut effects };
        let mut publication = Publication::from_message(message, None, turn.now);
        let Some(shared) = shared_subscription else {
            publication.only_home = Some((*to, *shard_count));
            self.deliver_matching(turn, &mut publication);
            return records.append(&mut effects.records);
        };
        let routes = &self.shared.route_table;
        let mut chosen = None;
        // All shards choose alike.
        routes.share_targets(&message.topic, *number, |group, shard| {
            if shard == self.id && share_filter(routes, group).as_ref() == Some(shared) {
                chosen = Some(group);
            }
        });
        if let Some(group) = chosen {
            self.deliver_shared(turn, &mut publication, group);
        }
        records.append(&mut effects.records);
    }

    fn restore_subscriptions(&mut self, session_id: SessionId, session: &RestoredSession) {
        for (number, subscription) in &session.subscriptions {
            let filter = &*subscription.filter;
            let grant =
                Grant { options: subscription.options, subscription_id: subscription.subscription_id };
            // Only valid filters are restored.
            let shared = shared_filter(filter).ok().flatten();
            let known = self.filter_of(filter, shared);
            let Some(restored) = self.sessions.get(session_id) else { return };
            if known.is_some_and(|filter| restored.filters.contains(filter)) {
                continue;
            }
            let subscribed = self.add_filter(session_id, filter, shared, grant);
            if let Some(restored) = self.sessions.get_mut(session_id) {
                restored.filters.restore(subscribed, *number);
            }
        }
        self.set_shares_online(session_id, false);
    }

    /// Looks for retained messages that have expired while the broker was down.
    pub(crate) fn sweep_restored(&mut self) {
        if self.id.0 == 0 && !self.shared.retained.is_empty() {
            self.arm_retained_sweep(Timestamp(0));
        }
    }
}
