//! One encoded PUBLISH for many connections: what differs between them is patched in place.
//!
//! The wire shape of a PUBLISH is the version, whether the QoS is above 0, its subscription identifiers and
//! whether it has a topic alias. For each shape that a message needs it is encoded once; a copy for one more
//! connection is an append and a few bytes.

use crate::encode::{
    Body, Properties, Sink, append, header_length, header_length_of, variable_byte_integer_length,
};
use crate::{PacketId, ProtocolVersion, Publish, QoS};

/// Where the parts of an encoded PUBLISH lie. Offsets count from its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishLayout {
    /// Bytes of the whole packet.
    pub length: usize,
    /// Two bytes, big-endian; there if the QoS is not 0.
    pub packet_id_offset: Option<usize>,
    /// Two bytes, big-endian; there if the PUBLISH has a topic alias, in 5.0.
    pub topic_alias_offset: Option<usize>,
}

/// Appends `publish` to `out`, as [`encode`](crate::encode()) does, and tells where the parts to patch are.
///
/// If the QoS is not 0 and there is no packet identifier yet, its place is filled with 0.
pub fn encode_publish(publish: &Publish<'_>, version: ProtocolVersion, out: &mut Vec<u8>) -> PublishLayout {
    let length = append(publish, version, out);
    let behind_topic = header_length_of(length)
        .saturating_add(2)
        .saturating_add(publish.topic.len().min(usize::from(u16::MAX)));
    let has_packet_id = publish.qos != QoS::AtMostOnce;
    let has_topic_alias = publish.topic_alias.is_some() && version == ProtocolVersion::V5;
    let topic_alias_offset = has_topic_alias.then(|| {
        // Behind the packet identifier, the property length and the property's own identifier.
        let property_length = variable_byte_integer_length(publish.properties_length());
        behind_topic
            .saturating_add(if has_packet_id { 2 } else { 0 })
            .saturating_add(property_length)
            .saturating_add(1)
    });
    PublishLayout { length, packet_id_offset: has_packet_id.then_some(behind_topic), topic_alias_offset }
}

/// Appends `publish` without its payload, whose bytes have to follow it: for one that is too large to be copied.
pub fn encode_publish_head(publish: &Publish<'_>, version: ProtocolVersion, out: &mut Vec<u8>) {
    out.put_byte(publish.first_byte());
    out.put_length(publish.length(version));
    Publish { payload: &[], ..*publish }.write(version, out);
}

/// The bytes that [`encode_publish`] would append.
#[must_use]
pub fn encoded_publish_length(publish: &Publish<'_>, version: ProtocolVersion) -> usize {
    let body_length = publish.length(version);
    header_length(body_length).saturating_add(body_length)
}

impl PublishLayout {
    /// Writes the packet identifier into `packet`, an encoded PUBLISH of this layout.
    pub fn set_packet_id(&self, packet: &mut [u8], packet_id: PacketId) {
        write_two_bytes(packet, self.packet_id_offset, packet_id.get());
    }

    /// Writes the topic alias into `packet`, an encoded PUBLISH of this layout.
    pub fn set_topic_alias(&self, packet: &mut [u8], topic_alias: u16) {
        write_two_bytes(packet, self.topic_alias_offset, topic_alias);
    }
}

/// Sets or clears DUP in the first byte of `packet`, an encoded PUBLISH of QoS 1 or 2.
pub fn set_dup(packet: &mut [u8], dup: bool) {
    set_flag(packet, 0x08, dup);
}

/// Sets or clears RETAIN in the first byte of `packet`, an encoded PUBLISH.
pub fn set_retain(packet: &mut [u8], retain: bool) {
    set_flag(packet, 0x01, retain);
}

/// Changes the QoS in the first byte of `packet`, an encoded PUBLISH, between 1 and 2: from and to 0 the packet
/// has another form.
pub fn set_qos(packet: &mut [u8], qos: QoS) {
    set_flag(packet, 0x02, qos == QoS::AtLeastOnce);
    set_flag(packet, 0x04, qos == QoS::ExactlyOnce);
}

fn set_flag(packet: &mut [u8], flag: u8, value: bool) {
    if let Some(first) = packet.first_mut() {
        *first = *first & !flag | if value { flag } else { 0 };
    }
}

fn write_two_bytes(packet: &mut [u8], offset: Option<usize>, value: u16) {
    let place = offset.and_then(|offset| packet.get_mut(offset..)).and_then(<[u8]>::first_chunk_mut);
    if let Some(place) = place {
        *place = value.to_be_bytes();
    }
}
