use ferry_codec::QoS;
use ferry_router::ShardId;

use crate::Mail;
use crate::packed_messages::{OpenPack, PackedMessages};
use crate::rights_cache::Rules;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::wire_shapes::publish_first_byte;
use crate::write_packet::{count_publish, mark_dirty};

impl Shard {
    /// Delivers what another shard has packed.
    pub(crate) fn unpack(&mut self, turn: &mut Turn<'_>, from: ShardId, pack: PackedMessages) {
        let mut open = pack.open();
        // Messages to come that were looked at.
        let mut ahead = 0;
        while let Some((group, publication)) = open.next() {
            match group {
                None => {
                    self.deliver_matching(turn, publication);
                    if open.is_next_alike() {
                        self.deliver_alike(turn, &mut open);
                    }
                }
                Some(group) if self.has_members(group) => {
                    self.deliver_shared(turn, publication, group);
                }
                Some(group) => {
                    let message = self.message_of(publication, turn.now);
                    let returned = Mail::ShareReturned { group, message, receipt: None, forwarded: None };
                    turn.effects.mail.push(from, returned);
                }
            }
            self.settle(turn);
            ahead = match ahead {
                0 | 1 => self.read_pack_ahead(&open),
                _ => ahead - 1,
            };
        }
        turn.effects.mail.keep(pack);
    }

    /// Sends the messages that are alike the one delivered last, but for their payloads, to its only receiver at once,
    /// if that has it at QoS 0 and takes them all as it did that one. What is left is delivered one by one.
    fn deliver_alike(&mut self, turn: &mut Turn<'_>, open: &mut OpenPack<'_>) {
        let Some(target) = self.matches.only() else { return };
        // An answer that does not last is asked for each copy.
        let answers_last = !self.answers.restrict_receiving || self.answers.generation.is_some();
        if target.qos != QoS::AtMostOnce || !answers_last || self.spans.is_some() {
            return;
        }
        let rules = Rules { authorizer: &*self.authorizer, answers: self.answers };
        let publication = open.last();
        let Some(session) = self.sessions.get_mut(target.session) else { return };
        if !rules.may_receive(&mut session.rights, &session.identity, publication.topic) {
            return;
        }
        let Some((id, conn)) = session.conn.and_then(|id| Some((id, self.conns.get_mut(id)?))) else {
            return;
        };
        let is_full = conn.output.len() >= self.config.output_bytes_max;
        if !conn.acknowledged || conn.alias_out.is_some() || is_full {
            return;
        }
        let ids = &target.subscription_ids;
        let shape = self.shapes.get(publication, conn.version, target.qos, ids);
        if shape.bytes.len() > conn.maximum_packet_size as usize {
            return;
        }
        // It ends with the payload, and all have one of this length.
        let payload_bytes = publication.payload.len();
        let head = &shape.bytes[..shape.bytes.len() - payload_bytes];
        // New, so DUP is 0, as in the first of them [MQTT-3.3.1-3] [MQTT3-3.3.1-3].
        let first_byte = publish_first_byte(false, target.qos, target.retain);
        let (before, mut count) = (conn.output.len(), 0);
        while conn.output.len() < self.config.output_bytes_max
            && let Some(payload) = open.next_alike()
        {
            conn.output.prepare(&mut self.spare_buffers);
            let out = conn.output.appending();
            let start = out.len();
            out.extend_from_slice(head);
            out[start] = first_byte;
            out.extend_from_slice(payload);
            count += 1;
        }
        if count > 0 {
            let sent_bytes = conn.output.len() - before;
            count_publish(
                conn,
                &mut self.counters,
                target.qos,
                count,
                count as usize * payload_bytes,
                sent_bytes,
            );
            mark_dirty(turn, id, conn);
            self.watch_output(turn.now, id);
        }
    }
}
