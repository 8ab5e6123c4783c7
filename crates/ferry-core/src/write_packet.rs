use ferry_codec::wire_shape::{encode_publish, encoded_publish_length};
use ferry_codec::{
    Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, SubscriptionIds, encode,
};
use ferry_session::{AliasChoice, Delivery, DropReason, Timestamp, TopicAliasOut};

use crate::conn::Conn;
use crate::deliver::Target;
use crate::publication::Publication;
use crate::turn::Turn;
use crate::wire_shapes::{Shape, publish_first_byte};
use crate::{ConnId, Counters};

/// Tells the driver once that there is output.
pub(crate) fn mark_dirty(turn: &mut Turn<'_>, id: ConnId, conn: &mut Conn) {
    if !conn.dirty {
        conn.dirty = true;
        turn.effects.dirty.push(id);
    }
}

/// Copies an encoded PUBLISH to a connection and patches what is its own: first byte, packet identifier, alias.
/// The shape is not larger than the client takes. `topic_hash` is only needed for aliases.
pub(crate) fn write_live(
    conn: &mut Conn,
    counters: &mut Counters,
    shape: Shape<'_>,
    publication: &Publication<'_>,
    target: &Target,
    packet_id: Option<PacketId>,
    topic_hash: impl FnOnce() -> u64,
) {
    let Target { qos, retain, .. } = *target;
    let alias = choose_alias(conn.alias_out.as_deref_mut(), publication.topic, topic_hash);
    let before = conn.output.len();
    if alias == AliasChoice::None {
        let out = conn.output.appending();
        let start = out.len();
        out.extend_from_slice(shape.bytes);
        let packet = &mut out[start..];
        // It is new, so DUP is 0 [MQTT-3.3.1-3] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT3-3.3.1-3]
        // [MQTT3-4.3.1-1].
        packet[0] = publish_first_byte(false, qos, retain);
        if let Some(packet_id) = packet_id {
            shape.layout.set_packet_id(packet, packet_id);
        }
    } else {
        let mut packet = publication.packet();
        packet.qos = qos;
        packet.retain = retain;
        packet.packet_id = packet_id;
        packet.subscription_ids = SubscriptionIds::from_slice(&target.subscription_ids);
        write_aliased(conn, packet, alias);
    }
    count_publish(conn, counters, qos, 1, publication.payload.len(), conn.output.len() - before);
}

/// Encodes a copy that was kept: out of a queue, a re-send or a retained message.
///
/// # Errors
/// The client does not take packets of this size: nothing was written.
pub(crate) fn write_queued(
    conn: &mut Conn,
    counters: &mut Counters,
    delivery: &Delivery,
    packet_id: Option<PacketId>,
    dup: bool,
    now: Timestamp,
    topic_hash: impl FnOnce() -> u64,
) -> Result<(), DropReason> {
    let message = &delivery.message;
    // Only a re-send is marked [MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT3-3.3.1-1] [MQTT3-3.3.1-3].
    let packet = Publish { dup, packet_id, ..queued_packet(delivery, now) };
    if !conn.takes_all_sizes() {
        fitting_length(conn, &packet)?;
    }
    let alias = choose_alias(conn.alias_out.as_deref_mut(), &message.topic, topic_hash);
    let before = conn.output.len();
    write_aliased(conn, packet, alias);
    count_publish(conn, counters, delivery.qos, 1, message.payload.len(), conn.output.len() - before);
    Ok(())
}

/// Bytes of a copy that was kept, for its receiver.
///
/// # Errors
/// The client does not take packets of this size.
pub(crate) fn queued_length(conn: &Conn, delivery: &Delivery, now: Timestamp) -> Result<usize, DropReason> {
    fitting_length(conn, &queued_packet(delivery, now))
}

fn queued_packet(delivery: &Delivery, now: Timestamp) -> Publish<'_> {
    let message = &delivery.message;
    Publish {
        qos: delivery.qos,
        retain: delivery.retain,
        packet_id: (delivery.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        topic: &message.topic,
        // [MQTT-3.3.2-6]
        properties: message.properties_at(now),
        subscription_ids: SubscriptionIds::from_slice(&delivery.subscription_ids),
        payload: &message.payload,
        ..Publish::default()
    }
}

/// [MQTT-3.1.2-24]
fn fitting_length(conn: &Conn, packet: &Publish<'_>) -> Result<usize, DropReason> {
    let length = encoded_publish_length(packet, conn.version);
    if length > conn.maximum_packet_size as usize { Err(DropReason::PacketTooLarge) } else { Ok(length) }
}

/// PUBREL that is owed [MQTT-4.3.3-4].
pub(crate) fn write_pubrel(conn: &mut Conn, counters: &mut Counters, packet_id: PacketId) {
    let packet = Packet::Pubrel(Ack::new(packet_id, ReasonCode::SUCCESS));
    let length = encode(&packet, conn.version, conn.output.appending());
    counters.packets_sent[6] += 1;
    counters.bytes_sent += length as u64;
}

/// Appends a PUBLISH whose topic may be replaced by an alias. If the alias is new and the packet would be too
/// large with it, the alias is not established [MQTT-3.1.2-24].
fn write_aliased(conn: &mut Conn, mut packet: Publish<'_>, alias: AliasChoice) {
    match alias {
        AliasChoice::None => {}
        AliasChoice::Existing(alias) => {
            packet.topic = "";
            packet.topic_alias = Some(alias);
        }
        AliasChoice::New(alias) => {
            packet.topic_alias = Some(alias);
            if encoded_publish_length(&packet, ProtocolVersion::V5) > conn.maximum_packet_size as usize {
                packet.topic_alias = None;
                if let Some(aliases) = &mut conn.alias_out {
                    aliases.undo(alias);
                }
            }
        }
    }
    encode_publish(&packet, conn.version, conn.output.appending());
}

fn choose_alias(
    aliases: Option<&mut TopicAliasOut>,
    topic: &str,
    topic_hash: impl FnOnce() -> u64,
) -> AliasChoice {
    aliases.map_or(AliasChoice::None, |aliases| aliases.choose(topic, topic_hash()))
}

/// So many PUBLISH packets, of so many bytes altogether, were appended.
pub(crate) fn count_publish(
    conn: &mut Conn,
    counters: &mut Counters,
    qos: QoS,
    count: u64,
    payload_bytes: usize,
    packet_bytes: usize,
) {
    conn.output.count_messages(count);
    counters.packets_sent[3] += count;
    counters.bytes_sent += packet_bytes as u64;
    counters.publish_sent_by_qos[usize::from(qos.to_byte())] += count;
    counters.publish_bytes_sent += payload_bytes as u64;
}
