//! One encoded PUBLISH for many connections: what differs between them is patched in place.

use crate::{PacketId, ProtocolVersion, Publish};

/// Where the parts of an encoded PUBLISH lie. Offsets count from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishLayout {
    /// Bytes of the whole packet.
    pub length: usize,
    /// Two bytes, big-endian; there if the QoS is not 0.
    pub packet_id_offset: Option<usize>,
    /// Two bytes, big-endian; there if the PUBLISH has a topic alias.
    pub topic_alias_offset: Option<usize>,
}

/// Appends `publish` to `out`, as [`encode`](crate::encode()) does, and tells where the parts to patch are.
pub fn encode_publish(publish: &Publish<'_>, version: ProtocolVersion, out: &mut Vec<u8>) -> PublishLayout {
    let _ = (publish, version, out);
    PublishLayout { length: 0, packet_id_offset: None, topic_alias_offset: None }
}

/// The bytes that [`encode_publish`] would append.
#[must_use]
pub fn encoded_publish_length(publish: &Publish<'_>, version: ProtocolVersion) -> usize {
    let _ = (publish, version);
    0
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

    /// Sets or clears DUP in the first byte of `packet`, an encoded PUBLISH.
    pub fn set_dup(packet: &mut [u8], dup: bool) {
        if let Some(first) = packet.first_mut() {
            *first = *first & !DUP | if dup { DUP } else { 0 };
        }
    }

    /// Sets or clears RETAIN in the first byte of `packet`, an encoded PUBLISH.
    pub fn set_retain(packet: &mut [u8], retain: bool) {
        if let Some(first) = packet.first_mut() {
            *first = *first & !RETAIN | u8::from(retain);
        }
    }
}

const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;

fn write_two_bytes(packet: &mut [u8], offset: Option<usize>, value: u16) {
    let place = offset.and_then(|offset| packet.get_mut(offset..)).and_then(<[u8]>::first_chunk_mut);
    if let Some(place) = place {
        *place = value.to_be_bytes();
    }
}
