use ferry_codec::wire_shape::{PublishLayout, encode_publish};
use ferry_codec::{PacketId, ProtocolVersion, QoS, SubscriptionIds};
use smallvec::SmallVec;

use crate::publication::Publication;

/// One message encoded once for each form in which its receivers want it: with or without properties, packet
/// identifier and Subscription Identifiers. What else differs is patched after it was copied to a connection.
#[derive(Default)]
pub(crate) struct WireShapes {
    bytes: Vec<u8>,
    /// Those in use first; what is behind them is used again.
    shapes: Vec<WireShape>,
    used: usize,
}

#[derive(Default)]
struct WireShape {
    with_properties: bool,
    with_packet_id: bool,
    subscription_ids: SmallVec<[u32; 4]>,
    start: usize,
    layout: PublishLayout,
}

/// An encoded PUBLISH to be copied and patched.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) layout: PublishLayout,
}

/// If there are more forms than this, as when every subscriber has an identifier of its own, the last is
/// overwritten.
const SHAPES_MAX: usize = 8;

/// More memory than this is not kept from one message to the next.
const BYTES_KEPT_MAX: usize = 256 * 1024;

impl WireShapes {
    /// Forgets the last message.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.bytes.clear();
        self.bytes.shrink_to(BYTES_KEPT_MAX);
    }

    /// The form for a receiver.
    pub(crate) fn get(
        &mut self,
        publication: &Publication<'_>,
        version: ProtocolVersion,
        qos: QoS,
        subscription_ids: &[u32],
    ) -> Shape<'_> {
        let with_properties = version == ProtocolVersion::V5;
        let with_packet_id = qos != QoS::AtMostOnce;
        let subscription_ids = if with_properties { subscription_ids } else { &[] };
        let known = self.shapes[..self.used].iter().position(|shape| {
            shape.with_properties == with_properties
                && shape.with_packet_id == with_packet_id
                && shape.subscription_ids.len() == subscription_ids.len()
                // Nearly always there are none, and even to compare nothing takes a call.
                && (subscription_ids.is_empty() || *shape.subscription_ids == *subscription_ids)
        });
        let index = known.unwrap_or_else(|| self.encode(publication, version, qos, subscription_ids));
        let WireShape { start, layout, .. } = &self.shapes[index];
        Shape { bytes: &self.bytes[*start..*start + layout.length], layout: *layout }
    }

    fn encode(
        &mut self,
        publication: &Publication<'_>,
        version: ProtocolVersion,
        qos: QoS,
        subscription_ids: &[u32],
    ) -> usize {
        if self.used == SHAPES_MAX {
            self.used -= 1;
            self.bytes.truncate(self.shapes[self.used].start);
        }
        let mut packet = publication.packet();
        packet.qos = qos;
        packet.packet_id = (qos != QoS::AtMostOnce).then_some(PacketId::MIN);
        packet.subscription_ids = SubscriptionIds::from_slice(subscription_ids);
        let start = self.bytes.len();
        let layout = encode_publish(&packet, version, &mut self.bytes);
        if self.used == self.shapes.len() {
            self.shapes.push(WireShape::default());
        }
        // In its place: made elsewhere and moved it takes the processor as long again as to encode.
        let shape = &mut self.shapes[self.used];
        shape.with_properties = version == ProtocolVersion::V5;
        shape.with_packet_id = qos != QoS::AtMostOnce;
        if shape.subscription_ids.spilled() {
            shape.subscription_ids = SmallVec::new();
        }
        shape.subscription_ids.clear();
        shape.subscription_ids.extend_from_slice(subscription_ids);
        shape.start = start;
        shape.layout = layout;
        self.used += 1;
        self.used - 1
    }
}

/// The first byte of a PUBLISH (section 3.3.1).
pub(crate) fn publish_first_byte(dup: bool, qos: QoS, retain: bool) -> u8 {
    0x30 | u8::from(dup) << 3 | qos.to_byte() << 1 | u8::from(retain)
}
