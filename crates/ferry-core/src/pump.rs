use ferry_codec::{PacketId, QoS};
use ferry_session::{DropReason, Outgoing, Sender, StoredCopy, StoredParts};

use crate::commit::{Commit, Promise, Waiter};
use crate::conn::Conn;
use crate::rights_cache::Rules;
use crate::session::{SessionId, record_dropped};
use crate::shard::Shard;
use crate::turn::Turn;
use crate::write_packet::{mark_dirty, queued_length, write_pubrel, write_queued};
use crate::{ConnId, Record, SessionNumber};

/// A PUBLISH with a packet identifier that the sender has just given.
struct Begun {
    packet_id: PacketId,
    copy: StoredCopy,
    qos: QoS,
    dup: bool,
    /// It was sent, or will be when it is recorded.
    sent: bool,
}

impl Begun {
    fn note(self, sender: &mut Sender, recorded: Option<SessionNumber>, records: &mut Vec<Record>) {
        let Self { packet_id, copy: StoredCopy { sequence, parts }, qos, dup, sent } = self;
        if !sent {
            // Behaves as if it had been sent and acknowledged [MQTT-3.1.2-25].
            record_dropped(recorded, self.copy, records);
            sender.skip(packet_id);
        } else if let Some(session) = recorded.filter(|_| !dup && (parts.copy || qos == QoS::ExactlyOnce)) {
            // Of a message that is not to be stored, only that its packet identifier is in use.
            sender.set_stored(packet_id, StoredParts { sent: true, ..parts });
            records.push(Record::Sent { session, sequence, packet_id, qos });
        }
    }
}

impl Shard {
    /// Sends what waits in the session's queue, as far as Receive Maximum and the output allow.
    pub(crate) fn pump(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let Some((id, conn)) = session.conn.and_then(|id| Some((id, self.conns.get_mut(id)?))) else {
            return;
        };
        if !conn.acknowledged {
            return;
        }
        if session.sender.is_idle() {
            if !conn.output.is_empty() {
                mark_dirty(turn, id, conn);
            }
            return;
        }
        conn.output.prepare(&mut self.spare_buffers);
        let rules = Rules { authorizer: &*self.authorizer, answers: self.answers };
        let recorded = session.recorded;
        let client_id = &session.identity.client_id;
        let (counters, now) = (&mut self.counters, turn.now);
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let inflight_before = session.sender.inflight_len();
        while conn.unwritten_bytes() < self.config.output_bytes_max {
            let Some(outgoing) = session.sender.next(now) else { break };
            let begun = match outgoing {
                Outgoing::Pubrel { packet_id } => {
                    write_pubrel(conn, counters, packet_id);
                    None
                }
                Outgoing::Dropped(dropped) => {
                    counters.drops.count(dropped.reason, client_id, dropped.topic());
                    record_dropped(recorded, dropped.stored, &mut turn.effects.records);
                    None
                }
                Outgoing::Publish { packet_id, delivery, dup } => {
                    let topic = &*delivery.message.topic;
                    let allowed = rules.may_receive(&mut session.rights, &session.identity, topic);
                    let topic_hash = || self.hasher.hash_one(topic);
                    let first = packet_id.filter(|_| recorded.is_some() && !dup);
                    let sent = match first.filter(|_| delivery.qos == QoS::ExactlyOnce) {
                        _ if !allowed => Err(DropReason::NotAuthorized),
                        Some(packet_id) => queued_length(conn, &delivery, now).map(|bytes| {
                            let promise = self.commit.promise(turn.effects, self.config.durability_max());
                            send_when_kept(&mut self.commit, promise, conn, id, packet_id, bytes);
                        }),
                        None => write_queued(conn, counters, &delivery, packet_id, dup, now, topic_hash),
                    };
                    if let Err(reason) = sent {
                        counters.drops.count(reason, client_id, topic);
                    }
                    let (copy, qos) = (delivery.stored_copy(), delivery.qos);
                    packet_id.map(|packet_id| Begun { packet_id, copy, qos, dup, sent: sent.is_ok() })
                }
            };
            if let Some(begun) = begun {
                begun.note(&mut session.sender, recorded, &mut turn.effects.records);
            }
        }
        if conn.output.is_empty() {
            conn.output.release(&mut self.spare_buffers);
        } else {
            mark_dirty(turn, id, conn);
        }
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        self.counters.queue_changed(before, after);
        self.counters.inflight_changed(inflight_before, session.sender.inflight_len());
        self.watch_output(now, id);
        self.begin_load(turn, session_id);
    }

    /// Sends a PUBLISH whose packet identifier is durable now, unless its exchange is over already.
    pub(crate) fn send_recorded(&mut self, turn: &mut Turn<'_>, id: ConnId, packet_id: PacketId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let session = conn.session().and_then(|session| self.sessions.get(session));
        let delivery = session.and_then(|session| session.sender.unacknowledged(packet_id));
        let Some(delivery) = delivery else { return };
        let topic_hash = || self.hasher.hash_one(&*delivery.message.topic);
        let packet_id = Some(packet_id);
        // That it is not too large was seen when it got its packet identifier.
        if write_queued(conn, &mut self.counters, delivery, packet_id, false, turn.now, topic_hash).is_ok() {
            mark_dirty(turn, id, conn);
        }
    }
}

/// Sends a QoS 2 PUBLISH of `bytes` once it is kept what the records of this turn promise.
pub(crate) fn send_when_kept(
    commit: &mut Commit,
    promise: Option<Promise>,
    conn: &mut Conn,
    id: ConnId,
    packet_id: PacketId,
    bytes: usize,
) {
    // There is a promise wherever there are records.
    let Some(promise) = promise else { return };
    conn.responses.push_publish(packet_id, bytes, promise);
    commit.wait(promise, Waiter::Conn(id));
}
