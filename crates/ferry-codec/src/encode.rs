//! Writing packets: each is described once, as what it writes into a [`Sink`].

use crate::packet::AckKind;
use crate::primitive::VARIABLE_BYTE_INTEGER_MAX;
use crate::{Packet, ProtocolVersion, UserProperties, frame, property};

/// Where encoded bytes go: into a `Vec`, or only into a count of them.
pub(crate) trait Sink {
    fn put_bytes(&mut self, bytes: &[u8]);

    fn put_byte(&mut self, byte: u8) {
        self.put_bytes(&[byte]);
    }

    fn put_two_byte_integer(&mut self, value: u16) {
        self.put_bytes(&value.to_be_bytes());
    }

    fn put_four_byte_integer(&mut self, value: u32) {
        self.put_bytes(&value.to_be_bytes());
    }

    /// A length of two bytes and as many bytes; what is longer than 65,535 bytes is cut.
    fn put_binary_data(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.put_two_byte_integer(length);
        self.put_bytes(bytes.get(..usize::from(length)).unwrap_or(bytes));
    }

    /// As [`put_binary_data`](Self::put_binary_data), cut between two characters.
    fn put_string(&mut self, text: &str) {
        let mut end = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.put_binary_data(text.as_bytes().get(..end).unwrap_or_default());
    }

    /// In as few bytes as possible `[MQTT-1.5.5-1]`.
    fn put_variable_byte_integer(&mut self, mut value: u32) {
        while value >= 0x80 {
            let [.., low] = value.to_be_bytes();
            self.put_byte(low | 0x80);
            value = value.wrapping_shr(7);
        }
        let [.., low] = value.to_be_bytes();
        self.put_byte(low);
    }

    /// A length as a Variable Byte Integer. Precondition: it fits one.
    fn put_length(&mut self, length: usize) {
        debug_assert!(length <= VARIABLE_BYTE_INTEGER_MAX as usize);
        self.put_variable_byte_integer(u32::try_from(length).unwrap_or(VARIABLE_BYTE_INTEGER_MAX));
    }

    /// A property section with its length in front, which is there even if it is 0 `[MQTT-2.2.2-1]`.
    fn put_properties(&mut self, properties: &impl Properties)
    where
        Self: Sized,
    {
        let length = properties.properties_length();
        self.put_length(length);
        if length > 0 {
            properties.write_properties(self);
        }
    }

    fn put_flag_property(&mut self, identifier: u8, value: Option<bool>) {
        if let Some(value) = value {
            self.put_byte(identifier);
            self.put_byte(u8::from(value));
        }
    }

    fn put_two_byte_property(&mut self, identifier: u8, value: Option<u16>) {
        if let Some(value) = value {
            self.put_byte(identifier);
            self.put_two_byte_integer(value);
        }
    }

    fn put_four_byte_property(&mut self, identifier: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.put_byte(identifier);
            self.put_four_byte_integer(value);
        }
    }

    fn put_string_property(&mut self, identifier: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.put_byte(identifier);
            self.put_string(value);
        }
    }

    fn put_binary_property(&mut self, identifier: u8, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.put_byte(identifier);
            self.put_binary_data(value);
        }
    }

    /// In their order `[MQTT-3.3.2-18]`.
    fn put_user_properties(&mut self, properties: UserProperties<'_>) {
        if let Some(encoded) = properties.as_contiguous() {
            self.put_bytes(encoded);
            return;
        }
        for (name, value) in properties {
            self.put_byte(property::USER_PROPERTY);
            self.put_string(name);
            self.put_string(value);
        }
    }
}

impl Sink for Vec<u8> {
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// A packet that can be encoded: a first byte and what follows the Remaining Length.
pub(crate) trait Body {
    fn first_byte(&self) -> u8;

    /// Written twice for each packet, the first time into a [`Count`], so it must write the same both times.
    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink);

    fn length(&self, version: ProtocolVersion) -> usize {
        let mut count = Count::default();
        self.write(version, &mut count);
        count.0
    }
}

/// A property section without the length in front.
pub(crate) trait Properties {
    fn write_properties(&self, sink: &mut impl Sink);

    fn properties_length(&self) -> usize {
        let mut count = Count::default();
        self.write_properties(&mut count);
        count.0
    }
}

/// Counts bytes instead of keeping them.
#[derive(Default)]
pub(crate) struct Count(usize);

impl Sink for Count {
    #[inline]
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }

    /// One section is counted once, not once more inside itself.
    fn put_properties(&mut self, properties: &impl Properties) {
        let length = properties.properties_length();
        self.put_length(length);
        self.0 = self.0.saturating_add(length);
    }
}

/// Appends `packet` to `out` in the form of `version` and returns its length in bytes.
///
/// What the version has no place for is left out; AUTH, which 3.x does not have, is nothing at all there.
/// Precondition: the packet is at most 268,435,455 bytes behind its fixed header. A string or binary field above
/// 65,535 bytes is cut.
pub fn encode(packet: &Packet<'_>, version: ProtocolVersion, out: &mut Vec<u8>) -> usize {
    match packet {
        Packet::Connect(connect) => append(connect, version, out),
        Packet::Connack(connack) => append(connack, version, out),
        Packet::Publish(publish) => append(publish, version, out),
        Packet::Puback(ack) => append(&(AckKind::Puback, ack), version, out),
        Packet::Pubrec(ack) => append(&(AckKind::Pubrec, ack), version, out),
        Packet::Pubrel(ack) => append(&(AckKind::Pubrel, ack), version, out),
        Packet::Pubcomp(ack) => append(&(AckKind::Pubcomp, ack), version, out),
        Packet::Subscribe(subscribe) => append(subscribe, version, out),
        Packet::Suback(suback) => append(suback, version, out),
        Packet::Unsubscribe(unsubscribe) => append(unsubscribe, version, out),
        Packet::Unsuback(unsuback) => append(unsuback, version, out),
        Packet::Pingreq => append_empty(frame::PINGREQ, out),
        Packet::Pingresp => append_empty(frame::PINGRESP, out),
        Packet::Disconnect(disconnect) => append(disconnect, version, out),
        Packet::Auth(_) if version.is_v3() => 0,
        Packet::Auth(auth) => append(auth, version, out),
    }
}

/// The bytes that [`encode`] would append.
#[must_use]
pub fn encoded_length(packet: &Packet<'_>, version: ProtocolVersion) -> usize {
    let body_length = match packet {
        Packet::Connect(connect) => connect.length(version),
        Packet::Connack(connack) => connack.length(version),
        Packet::Publish(publish) => publish.length(version),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            (AckKind::Puback, ack).length(version)
        }
        Packet::Subscribe(subscribe) => subscribe.length(version),
        Packet::Suback(suback) => suback.length(version),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.length(version),
        Packet::Unsuback(unsuback) => unsuback.length(version),
        Packet::Pingreq | Packet::Pingresp => 0,
        Packet::Disconnect(disconnect) => disconnect.length(version),
        Packet::Auth(_) if version.is_v3() => return 0,
        Packet::Auth(auth) => auth.length(version),
    };
    header_length(body_length).saturating_add(body_length)
}

/// Appends a packet of any kind.
pub(crate) fn append(packet: &impl Body, version: ProtocolVersion, out: &mut Vec<u8>) -> usize {
    let body_length = packet.length(version);
    let length = header_length(body_length).saturating_add(body_length);
    out.reserve(length);
    out.put_byte(packet.first_byte());
    out.put_length(body_length);
    packet.write(version, out);
    length
}

fn append_empty(packet_type: u8, out: &mut Vec<u8>) -> usize {
    out.put_byte(first_byte(packet_type));
    out.put_byte(0);
    2
}

/// The first byte of any packet but PUBLISH.
pub(crate) const fn first_byte(packet_type: u8) -> u8 {
    packet_type.wrapping_shl(4) | frame::required_flags(packet_type)
}

/// Bytes of the fixed header in front of so many bytes.
pub(crate) const fn header_length(body_length: usize) -> usize {
    variable_byte_integer_length(body_length).saturating_add(1)
}

/// Bytes of the fixed header of a packet of so many bytes in all.
pub(crate) const fn header_length_of(length: usize) -> usize {
    match length {
        0..=0x81 => 2,
        0x82..=0x4002 => 3,
        0x4003..=0x0020_0003 => 4,
        _ => 5,
    }
}

/// Bytes of a Variable Byte Integer (Table 1-1).
pub(crate) const fn variable_byte_integer_length(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x001F_FFFF => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_found_from_either_length() {
        for edge in [0, 0x7F, 0x80, 0x3FFF, 0x4000, 0x001F_FFFF, 0x0020_0000, 0x0FFF_FFFF] {
            let header = header_length(edge);
            assert_eq!(header_length_of(edge + header), header, "{edge}");
        }
    }
}
