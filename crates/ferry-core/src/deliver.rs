use std::num::NonZeroU32;

use ferry_codec::QoS;
use ferry_session::{Delivery, DropReason, Dropped, Outgoing, OverflowPolicy, QueueLimits, StoredParts};
use smallvec::SmallVec;

use crate::deferred::Deferred;
use crate::publication::{Publication, Routed};
use crate::pump::send_when_kept;
use crate::record::queued;
use crate::rights_cache::Rules;
use crate::session::{SessionId, record_dropped};
use crate::shard::Shard;
use crate::subscribe::Grant;
use crate::turn::Turn;
use crate::wire_shapes::WireShapes;
use crate::write_packet::{mark_dirty, write_live};
use crate::{OverlappingSubscriptions, Record, Refusal, home_shard};

/// One copy of a message that is due to one session.
pub(crate) struct Target {
    pub(crate) session: SessionId,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) subscription_ids: SmallVec<[u32; 4]>,
    pub(crate) shared_subscription: Option<NonZeroU32>,
}

/// Room for the matches of one message, used again and again.
#[derive(Default)]
pub(crate) struct Matches {
    targets: Vec<Target>,
    /// By session: the message (by number) that matched it last, and where its target is.
    last_match: Vec<(u32, u32)>,
    number: u32,
}

impl Matches {
    /// The receiver of the last message, if it was for one session only.
    pub(crate) fn only(&self) -> Option<&Target> {
        match &self.targets[..] {
            [target] => Some(target),
            _ => None,
        }
    }

    fn begin(&mut self) {
        self.targets.clear();
        self.number = self.number.wrapping_add(1);
        if self.number == 0 {
            // Numbers begin anew: nothing may look like a match of this message.
            self.last_match.clear();
            self.number = 1;
        }
    }

    fn add(&mut self, session: SessionId, grant: &Grant, published: QoS, retain: bool, merge: bool) {
        // [MQTT-3.8.4-8] [MQTT3-3.8.4-6]
        let qos = published.min(grant.options.maximum_qos);
        // [MQTT-3.3.1-12] [MQTT-3.3.1-13] [MQTT3-3.3.1-9]
        let retain = retain && grant.options.retain_as_published;
        let index = session.0 as usize;
        if index >= self.last_match.len() {
            self.last_match.resize(index + 1, (0, 0));
        }
        let (number, at) = self.last_match[index];
        if merge && number == self.number {
            // At least the highest of the granted QoS [MQTT-3.3.4-2] [MQTT3-3.3.5-1], and every identifier
            // [MQTT-3.3.4-3] [MQTT-3.3.4-4].
            let target = &mut self.targets[at as usize];
            target.qos = target.qos.max(qos);
            target.retain |= retain;
            target.subscription_ids.extend(grant.subscription_id);
            return;
        }
        self.last_match[index] = (self.number, self.targets.len() as u32);
        let mut subscription_ids = SmallVec::new();
        if let Some(id) = grant.subscription_id {
            subscription_ids.push(id);
        }
        self.targets.push(Target { session, qos, retain, subscription_ids, shared_subscription: None });
    }
}

impl Shard {
    /// Gives a message to the subscribers on this shard: those whose filters match [MQTT-3.3.2-3] [MQTT3-3.3.2-3],
    /// with the identifiers of just these subscriptions (U5-059).
    pub(crate) fn deliver_matching(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
    ) -> Routed {
        let merge = self.config.overlapping_subscriptions == OverlappingSubscriptions::Once;
        let mut matches = std::mem::take(&mut self.matches);
        matches.begin();
        let sessions = &self.sessions;
        self.last_matches.matches(&self.subscriptions, publication.topic, |session, grant| {
            // [MQTT-3.8.3-3]
            let is_own = grant.options.no_local && publication.publisher == Some(session);
            let is_here = publication.only_home.is_none_or(|(shard, shard_count)| {
                let session = sessions.get(session);
                session.is_some_and(|session| home_shard(session.client_id(), shard_count) == shard)
            });
            if !is_own && is_here {
                matches.add(session, grant, publication.qos, publication.retain, merge);
            }
        });
        let mut shapes = std::mem::take(&mut self.shapes);
        shapes.clear();
        let mut routed = Routed { matched: !matches.targets.is_empty(), ..Routed::default() };
        let goes_elsewhere = self.shard_count() > 1 || self.shared.route_table.has_share_groups();
        let last = matches.targets.len().saturating_sub(1);
        for (index, target) in matches.targets.iter().enumerate() {
            publication.is_wanted_again = goes_elsewhere || index < last;
            let refused = self.deliver(turn, publication, &mut shapes, target);
            routed.refused = routed.refused.or(refused);
        }
        self.shapes = shapes;
        self.matches = matches;
        routed
    }

    /// Gives one copy to one session. Returns what its publisher is to be told, if anything.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        shapes: &mut WireShapes,
        target: &Target,
    ) -> Option<Refusal> {
        let before = if self.spans.is_some() { self.before_delivery(target.session) } else { None };
        let refused = self.deliver_copy(turn, publication, shapes, target);
        if let Some(before) = before {
            self.delivered(turn, publication, target, &before, refused);
        }
        refused
    }

    /// As [`deliver`](Self::deliver), whether the message is followed or not.
    #[inline]
    fn deliver_copy(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        shapes: &mut WireShapes,
        target: &Target,
    ) -> Option<Refusal> {
        let rules = Rules { authorizer: &*self.authorizer, answers: self.answers };
        let session = self.sessions.get_mut(target.session)?;
        if !rules.may_receive(&mut session.rights, &session.identity, publication.topic) {
            self.counters.drops.count(DropReason::NotAuthorized, session.client_id(), publication.topic);
            return None;
        }
        match target.qos {
            QoS::AtMostOnce => {
                self.deliver_qos0(turn, publication, shapes, target);
                None
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.deliver_qos1_2(turn, publication, shapes, target),
        }
    }

    /// Sent now or dropped: nothing is allocated.
    fn deliver_qos0(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &Publication<'_>,
        shapes: &mut WireShapes,
        target: &Target,
    ) {
        let Some(session) = self.sessions.get(target.session) else { return };
        let conn = session.conn.and_then(|id| Some((id, self.conns.get_mut(id)?)));
        let reason = match conn {
            None => DropReason::Qos0Offline,
            Some((_, conn)) if !conn.acknowledged => DropReason::Qos0Offline,
            Some((_, conn)) if conn.output.len() >= self.config.output_bytes_max => {
                DropReason::Qos0Backpressure
            }
            Some((id, conn)) => {
                let shape = shapes.get(publication, conn.version, target.qos, &target.subscription_ids);
                if shape.bytes.len() <= conn.maximum_packet_size as usize {
                    let topic_hash = || publication.topic_hash(&self.hasher);
                    conn.output.prepare(&mut self.spare_buffers);
                    write_live(conn, &mut self.counters, shape, publication, target, None, topic_hash);
                    mark_dirty(turn, id, conn);
                    self.watch_output(turn.now, id);
                    return;
                }
                // Only this receiver goes without it [MQTT-3.1.2-24] [MQTT-3.1.2-25].
                DropReason::PacketTooLarge
            }
        };
        self.counters.drops.count(reason, session.client_id(), publication.topic);
    }

    /// Sent now if nothing is ahead of it [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT3-4.6.0-5] [MQTT3-4.6.0-6], else queued:
    /// a session without a connection gets it later [MQTT-4.5.0-1] [MQTT3-4.5.0-1] [MQTT3-3.1.2-5].
    fn deliver_qos1_2(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        shapes: &mut WireShapes,
        target: &Target,
    ) -> Option<Refusal> {
        let message = self.message_of(publication, turn.now);
        let mut delivery = Delivery::new(message, target.qos, target.retain);
        if !target.subscription_ids.is_empty() {
            delivery.subscription_ids.clone_from(&target.subscription_ids);
        }
        delivery.shared_subscription = target.shared_subscription;
        let session = self.sessions.get_mut(target.session)?;
        delivery.stored.copy = session.recorded.is_some() && publication.is_stored(&self.config);
        if delivery.stored.copy && publication.is_refusable && !self.store_writable {
            let drops = &mut self.counters.drops;
            drops.count(DropReason::StoreUnwritable, session.client_id(), publication.topic);
            return Some(Refusal::StoreUnwritable);
        }
        let Some((id, conn)) = session.conn.and_then(|id| Some((id, self.conns.get_mut(id)?))) else {
            return self.enqueue(turn, target.session, delivery);
        };
        if !conn.acknowledged || conn.unwritten_bytes() >= self.config.output_bytes_max {
            return self.enqueue(turn, target.session, delivery);
        }
        // What has to wait is encoded when its turn comes; only whether it is too large is looked at now.
        let (version, ids) = (conn.version, &*target.subscription_ids);
        if !conn.takes_all_sizes()
            && shapes.get(publication, version, target.qos, ids).bytes.len()
                > conn.maximum_packet_size as usize
        {
            self.counters.drops.count(DropReason::PacketTooLarge, session.client_id(), publication.topic);
            return None;
        }
        match session.sender.send_now(delivery) {
            Ok(Outgoing::Publish { packet_id, delivery, .. }) => {
                self.counters.inflight_messages += 1;
                if let (Some(number), Some(packet_id)) = (session.recorded, packet_id) {
                    let (qos, sequence) = (target.qos, delivery.sequence);
                    if delivery.stored.copy {
                        let routes = &self.shared.route_table;
                        turn.effects.records.push(queued(number, &delivery, Some(packet_id), routes));
                    } else if qos == QoS::ExactlyOnce {
                        session.sender.set_stored(packet_id, StoredParts { copy: false, sent: true });
                        let sent = Record::Sent { session: number, sequence, packet_id, qos };
                        turn.effects.records.push(sent);
                    }
                    if qos == QoS::ExactlyOnce {
                        let bytes = shapes.get(publication, version, qos, ids).bytes.len();
                        let promise = self.commit.promise(turn.effects, self.config.durability_max());
                        send_when_kept(&mut self.commit, promise, conn, id, packet_id, bytes);
                        return None;
                    }
                }
                let shape = shapes.get(publication, version, target.qos, ids);
                let topic_hash = || publication.topic_hash(&self.hasher);
                conn.output.prepare(&mut self.spare_buffers);
                write_live(conn, &mut self.counters, shape, publication, target, packet_id, topic_hash);
                mark_dirty(turn, id, conn);
                self.watch_output(turn.now, id);
                None
            }
            Ok(_) => None,
            Err(delivery) => self.enqueue(turn, target.session, delivery),
        }
    }

    /// Queues a copy, or drops it or others as the overflow policy says.
    pub(crate) fn enqueue(
        &mut self,
        turn: &mut Turn<'_>,
        session_id: SessionId,
        delivery: Delivery,
    ) -> Option<Refusal> {
        let limits = self.queue_limits(session_id, delivery.size_bytes());
        let session = self.sessions.get_mut(session_id)?;
        let client_id = &session.identity.client_id;
        let recorded = session.recorded;
        let Some(limits) = limits else {
            let drops = &mut self.counters.drops;
            drops.count(DropReason::TotalQueueFull, client_id, &delivery.message.topic);
            return (self.config.overflow_policy == OverflowPolicy::RejectPublisher)
                .then_some(Refusal::QueueFull);
        };
        let routes = &self.shared.route_table;
        let stored = recorded.filter(|_| delivery.stored.copy);
        let mut record = stored.map(|session| queued(session, &delivery, None, routes));
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let drops = &mut self.counters.drops;
        let records = &mut turn.effects.records;
        let mut on_drop = |dropped: Dropped| {
            drops.count(dropped.reason, client_id, dropped.topic());
            record_dropped(recorded, dropped.stored, records);
        };
        let result = session.sender.enqueue(turn.now, delivery, &limits, &mut on_drop);
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        let conn = session.conn;
        self.counters.queue_changed(before, after);
        let refused = match result {
            Ok(taken) => {
                if let Some(Record::Queued { sequence, .. }) = &mut record {
                    *sequence = taken;
                }
                turn.effects.records.extend(record);
                return None;
            }
            Err(refused) => refused,
        };
        self.counters.drops.count(refused.reason, client_id, &refused.delivery.message.topic);
        match (refused.policy, conn) {
            (OverflowPolicy::RejectPublisher, _) => Some(Refusal::QueueFull),
            (OverflowPolicy::DisconnectReceiver, Some(conn)) => {
                self.deferred.push_back(Deferred::DisconnectSlow(conn));
                None
            }
            _ => None,
        }
    }

    /// What the queue of a session may hold; `None` if all queues together are full.
    fn queue_limits(&self, session: SessionId, size_bytes: usize) -> Option<QueueLimits> {
        let config = &self.config;
        let shards = usize::from(self.shard_count());
        if self.counters.queued_messages >= config.queue_messages_total_max.div_ceil(shards)
            || self.counters.queued_bytes + size_bytes > config.queue_bytes_total_max.div_ceil(shards)
        {
            return None;
        }
        let online = self.sessions.get(session).is_some_and(|session| session.conn.is_some());
        let overflow = match config.overflow_policy {
            OverflowPolicy::DisconnectReceiver if !online => OverflowPolicy::DropOldest,
            policy => policy,
        };
        Some(QueueLimits {
            queue_messages_max: config.queue_messages_max as usize,
            queue_bytes_max: config.queue_bytes_max,
            overflow,
            queue_qos0: false,
            queue_messages_in_memory_max: config.queue_messages_in_memory_max as usize,
            queue_bytes_in_memory_max: config.queue_bytes_in_memory_max,
        })
    }
}
