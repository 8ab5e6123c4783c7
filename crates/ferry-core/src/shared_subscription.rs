use std::num::NonZeroU32;
use std::sync::Arc;

use ferry_codec::topic::SharedFilter;
use ferry_codec::wire_shape::encoded_publish_length;
use ferry_codec::{PacketId, QoS, SubscriptionIds};
use ferry_router::ShareGroupId;
use ferry_session::{Delivery, DropReason, InflightState, Message};

use smallvec::SmallVec;

use crate::conn::Conn;
use crate::deferred::Deferred;
use crate::deliver::Target;
use crate::mailbox::{arrived, is_refusable};
use crate::publication::Publication;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::subscribe::{Grant, shared_filter};
use crate::turn::Turn;
use crate::{Mail, Receipt, Refusal};

impl Shard {
    pub(crate) fn join_share(&mut self, session: SessionId, shared: SharedFilter<'_>, grant: Grant) {
        let routes = &self.shared.route_table;
        let SharedFilter { group, filter } = shared;
        let replaced = self.share_groups.subscribe(routes, group, filter, session, grant);
        self.counters.shared_subscriptions += usize::from(replaced.is_none());
    }

    /// Whether it was a member.
    pub(crate) fn leave_share(&mut self, session: SessionId, group: &str, filter: &str) -> bool {
        let left = self.share_groups.unsubscribe(&self.shared.route_table, group, filter, session).is_some();
        self.counters.shared_subscriptions -= usize::from(left);
        left
    }

    /// The connection of a session came or went.
    pub(crate) fn set_shares_online(&mut self, session_id: SessionId, is_online: bool) {
        if self.share_groups.is_empty() {
            return;
        }
        let Some(session) = self.sessions.get(session_id) else { return };
        let routes = &self.shared.route_table;
        for filter in session.filters.shared() {
            if let Ok(Some(SharedFilter { group, filter })) = shared_filter(filter) {
                self.share_groups.set_online(routes, group, filter, session_id, is_online);
            }
        }
    }

    /// Gives a message to one member of a share group on this shard: among those online the one with the least in
    /// flight. Returns what its publisher is to be told, if anything.
    pub(crate) fn deliver_shared(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &mut Publication<'_>,
        group: ShareGroupId,
    ) -> Option<Refusal> {
        // If all queues are full, one of them is dealt with as the overflow policy says.
        let chosen = self.choose_member(publication, group, false);
        let Some((session, grant)) = chosen.or_else(|| self.choose_member(publication, group, true)) else {
            self.counters.drops.count(DropReason::NoSharedSubscriber, "", publication.topic);
            return None;
        };
        let target = Target {
            session,
            // [MQTT-4.8.2-3]
            qos: publication.qos.min(grant.options.maximum_qos),
            retain: publication.retain && grant.options.retain_as_published,
            subscription_ids: grant.subscription_id.into_iter().collect(),
            shared_subscription: key_of(group),
        };
        let mut shapes = std::mem::take(&mut self.shapes);
        shapes.clear();
        let refused = self.deliver(turn, publication, &mut shapes, &target);
        self.shapes = shapes;
        refused
    }

    fn choose_member(
        &mut self,
        publication: &Publication<'_>,
        group: ShareGroupId,
        full_too: bool,
    ) -> Option<(SessionId, Grant)> {
        let (sessions, conns, config) = (&self.sessions, &self.conns, &self.config);
        let size = publication.topic.len() + publication.payload.len();
        let chosen = self.share_groups.choose(group, |session, grant, least| {
            let session = sessions.get(session)?;
            let queued = session.sender.queue_len();
            // Most are passed over here, so it comes first.
            let load =
                u32::try_from(session.sender.inflight_len() + queued).ok().filter(|load| *load < least)?;
            let conn = session.conn.and_then(|conn| conns.get(conn));
            let stuck = conn.is_some_and(|conn| conn.unwritten_bytes() >= config.output_bytes_max);
            let full = queued >= config.queue_messages_max as usize
                || session.sender.queue_bytes() + size >= config.queue_bytes_max
                || (stuck && publication.qos == QoS::AtMostOnce);
            // One that cannot take it is passed over.
            if conn.is_some_and(|conn| is_too_large(conn, publication, grant)) || (full && !full_too) {
                return None;
            }
            Some(load)
        });
        chosen.map(|(session, grant)| (session, *grant))
    }

    /// The member of a share group that had this copy is gone: another one gets it.
    pub(crate) fn redeliver(&mut self, turn: &mut Turn<'_>, group: ShareGroupId, delivery: Delivery) {
        // It was stored, and is not any more: the store must not be without it while it is on its way.
        let must_forward = delivery.stored.copy;
        self.pick(turn, group, delivery.message, None, None, must_forward);
    }

    /// Gives a message to a member of a share group, wherever there is one now.
    pub(crate) fn pick_again(
        &mut self,
        turn: &mut Turn<'_>,
        group: ShareGroupId,
        message: Arc<Message>,
        receipt: Option<Receipt>,
        forwarded: Option<u64>,
    ) {
        self.pick(turn, group, message, receipt, forwarded, false);
    }

    fn pick(
        &mut self,
        turn: &mut Turn<'_>,
        group: ShareGroupId,
        message: Arc<Message>,
        receipt: Option<Receipt>,
        mut forwarded: Option<u64>,
        must_forward: bool,
    ) {
        let mut target = None;
        let seed = self.random.next();
        self.shared.route_table.share_targets(&message.topic, seed, |candidate, shard| {
            if candidate == group {
                target = Some(shard);
            }
        });
        if let Some(shard) = target.filter(|shard| *shard != self.id && !message.is_expired(turn.now)) {
            if must_forward {
                forwarded = Some(self.forward(turn, shard, Some(group), &message));
            }
            return turn.effects.mail.push(shard, Mail::SharePick { group, message, receipt, forwarded });
        }
        let records_before = turn.effects.recorded();
        let mut refused = None;
        if message.is_expired(turn.now) {
            self.counters.drops.count(DropReason::Expired, "", &message.topic);
        } else if target.is_none() {
            self.counters.drops.count(DropReason::SessionEnded, "", &message.topic);
        } else {
            let mut publication = Publication::from_message(&message, None, turn.now);
            publication.is_refusable = is_refusable(receipt, forwarded);
            refused = self.deliver_shared(turn, &mut publication, group);
        }
        self.give_receipt_when_durable(turn, self.id, receipt, refused, records_before);
        turn.effects.records.extend(arrived(forwarded));
    }

    /// Whether the group has members on this shard.
    pub(crate) fn has_members(&self, group: ShareGroupId) -> bool {
        let members = self.share_groups.members(group);
        members.online + members.offline > 0
    }

    /// A member has lost its connection but keeps its session: what another member, who is online, can do instead
    /// goes to that one at once (section 4.8.2). What is on its way at QoS 2 stays [MQTT-4.8.2-4].
    pub(crate) fn hand_on_shared(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        if self.share_groups.is_empty() {
            return;
        }
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let groups = &self.share_groups;
        let movable = |delivery: &Delivery| {
            group_of(delivery).filter(|group| groups.members(*group).online > 0).is_some()
        };
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let inflight_before = session.sender.inflight_len();
        let unacknowledged: Vec<_> = session
            .sender
            .exchanges()
            .filter(|(_, state, delivery)| {
                *state == InflightState::AwaitPuback && delivery.is_some_and(movable)
            })
            .map(|(packet_id, ..)| packet_id)
            .collect();
        let mut moved: Vec<Delivery> =
            unacknowledged.into_iter().filter_map(|packet_id| session.sender.skip(packet_id)).collect();
        session.sender.retain_queued(
            |delivery| !movable(delivery),
            DropReason::SessionEnded,
            &mut |dropped| moved.extend(dropped.delivery),
        );
        self.counters.inflight_changed(inflight_before, session.sender.inflight_len());
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        self.counters.queue_changed(before, after);
        for delivery in &moved {
            session.record_dropped(delivery.stored_copy(), &mut turn.effects.records);
        }
        for delivery in moved {
            if let Some(group) = group_of(&delivery) {
                self.deferred.push_back(Deferred::Redeliver { group, delivery });
            }
        }
    }
}

/// Whether a member's copy would be larger than the packets it takes.
fn is_too_large(conn: &Conn, publication: &Publication<'_>, grant: &Grant) -> bool {
    if conn.takes_all_sizes() {
        return false;
    }
    let mut packet = publication.packet();
    let ids: SmallVec<[u32; 1]> = grant.subscription_id.into_iter().collect();
    packet.qos = publication.qos.min(grant.options.maximum_qos);
    packet.packet_id = (packet.qos != QoS::AtMostOnce).then_some(PacketId::MIN);
    packet.subscription_ids = SubscriptionIds::from_slice(&ids);
    encoded_publish_length(&packet, conn.version) > conn.maximum_packet_size as usize
}

/// The note of the share group that a copy carries.
pub(crate) fn key_of(group: ShareGroupId) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(group.0).ok()?.checked_add(1)?)
}

/// The share group through which a copy came.
pub(crate) fn group_of(delivery: &Delivery) -> Option<ShareGroupId> {
    delivery.shared_subscription.map(|key| ShareGroupId(u64::from(key.get() - 1)))
}
