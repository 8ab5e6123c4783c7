use std::sync::Arc;

use ferry_session::{DropReason, Outgoing};

use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::write_packet::{mark_dirty, write_pubrel, write_queued};
use crate::{Durability, Record};

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
        let authorizer = self.authorizer.restricts_receiving().then_some(&*self.authorizer);
        let records = self.config.durability == Durability::Recorded && session.expiry.outlives_connection();
        let before = (session.sender.queue_len(), session.sender.queue_bytes());
        let inflight_before = session.sender.inflight_len();
        while conn.output.len() < self.config.output_bytes_max {
            let Some(outgoing) = session.sender.next(turn.now) else { break };
            let client_id = &session.identity.client_id;
            let unsent = match outgoing {
                Outgoing::Pubrel { packet_id } => {
                    write_pubrel(conn, &mut self.counters, packet_id);
                    None
                }
                Outgoing::Dropped(dropped) => {
                    self.counters.drops.count(dropped.reason, client_id, &dropped.delivery.message.topic);
                    if records {
                        turn.effects.records.push(Record::Dropped { client_id: Arc::clone(client_id) });
                    }
                    None
                }
                Outgoing::Publish { packet_id, delivery, dup } => {
                    let topic = &*delivery.message.topic;
                    let allowed = authorizer.is_none_or(|rules| rules.may_receive(&session.identity, topic));
                    let topic_hash = || self.hasher.hash_one(topic);
                    let sent = if allowed {
                        write_queued(
                            conn,
                            &mut self.counters,
                            &delivery,
                            packet_id,
                            dup,
                            turn.now,
                            topic_hash,
                        )
                    } else {
                        Err(DropReason::NotAuthorized)
                    };
                    match (sent, packet_id) {
                        (Ok(()), Some(packet_id)) if records && !dup => {
                            let client_id = Arc::clone(client_id);
                            turn.effects.records.push(Record::Sent { client_id, packet_id });
                        }
                        (Err(reason), _) => self.counters.drops.count(reason, client_id, topic),
                        (Ok(()), _) => {}
                    }
                    sent.err().and(packet_id)
                }
            };
            if let Some(packet_id) = unsent {
                // Behaves as if it had been sent and acknowledged [MQTT-3.1.2-25].
                session.sender.skip(packet_id);
            }
        }
        if !conn.output.is_empty() {
            mark_dirty(turn, id, conn);
        }
        let after = (session.sender.queue_len(), session.sender.queue_bytes());
        self.counters.queue_changed(before, after);
        self.counters.inflight_changed(inflight_before, session.sender.inflight_len());
    }
}
