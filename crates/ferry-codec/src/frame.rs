//! The fixed header (section 2.1): packet type, flags, Remaining Length.

use crate::fault::{self, Decoded, Fault};
use crate::primitive::Reader;
use crate::{DecodeError, DecodeLimits, ProtocolVersion};

pub(crate) const CONNECT: u8 = 1;
pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBSCRIBE: u8 = 10;
pub(crate) const UNSUBACK: u8 = 11;
pub(crate) const PINGREQ: u8 = 12;
pub(crate) const PINGRESP: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;
pub(crate) const AUTH: u8 = 15;

/// Looks at the front of `input` for the length of the first packet in bytes, fixed header included.
///
/// `Ok(None)`: more bytes are needed. What is returned may be more than `input` holds.
///
/// # Errors
/// As early as they can be seen: packet type 0, a PUBLISH of QoS 3 `[MQTT-3.3.1-4]`, a Remaining Length of more
/// than four bytes, a packet above `packet_size_max` (0x95, `U5-035`, `U5-013`). What depends on the protocol
/// version is left to [`decode`](crate::decode()).
#[inline]
pub fn frame_length(input: &[u8], limits: &DecodeLimits) -> Result<Option<usize>, DecodeError> {
    measure(input, limits).map_err(|fault| fault.error(None))
}

/// The first packet of `input`, if it is whole: its length in bytes, and the topic if it is a PUBLISH with one. Whether the
/// packet is valid is left to [`decode`](crate::decode()): this is for what may be done in vain before.
#[must_use]
pub fn peek_topic<'a>(input: &'a [u8], limits: &DecodeLimits) -> Option<(usize, Option<&'a str>)> {
    let length = measure(input, limits).ok().flatten()?;
    let (packet, _) = input.split_at_checked(length)?;
    Some((length, topic_of(packet)))
}

fn topic_of(packet: &[u8]) -> Option<&str> {
    let frame = Frame::new(packet).ok().filter(|frame| frame.first.wrapping_shr(4) == PUBLISH)?;
    let (topic_bytes, rest) = frame.body.split_first_chunk()?;
    let topic = rest.get(..usize::from(u16::from_be_bytes(*topic_bytes)))?;
    std::str::from_utf8(topic).ok().filter(|topic| !topic.is_empty())
}

fn measure(input: &[u8], limits: &DecodeLimits) -> Decoded<Option<usize>> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    match first.wrapping_shr(4) {
        0 => return Err(&fault::PACKET_TYPE_RESERVED),
        PUBLISH if first & 0x06 == 0x06 => return Err(&fault::PUBLISH_QOS_RESERVED),
        _ => {}
    }
    let Some(remaining_length) = RemainingLength::read(rest)? else { return Ok(None) };
    // At most 5 + 268,435,455.
    let length =
        remaining_length.encoded_bytes.saturating_add(1).saturating_add(remaining_length.value as usize);
    if length > limits.packet_size_max as usize {
        return Err(&fault::PACKET_TOO_LARGE);
    }
    Ok(Some(length))
}

struct RemainingLength {
    value: u32,
    encoded_bytes: usize,
    /// Its last byte carries nothing: a shorter form would have said the same.
    overlong: bool,
}

impl RemainingLength {
    /// `None`: it does not end within `bytes`.
    #[inline]
    fn read(bytes: &[u8]) -> Decoded<Option<Self>> {
        let mut value = 0_u32;
        let mut encoded_bytes = 0_usize;
        for (&byte, shift) in bytes.iter().zip([0_u32, 7, 14, 21]) {
            value |= u32::from(byte & 0x7F).wrapping_shl(shift);
            encoded_bytes = encoded_bytes.saturating_add(1);
            if byte < 0x80 {
                return Ok(Some(Self { value, encoded_bytes, overlong: byte == 0 && encoded_bytes > 1 }));
            }
        }
        if encoded_bytes == 4 { Err(&fault::INTEGER_TOO_LONG) } else { Ok(None) }
    }
}

/// One whole packet, taken apart at its fixed header.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) first: u8,
    pub(crate) body: &'a [u8],
    overlong_length: bool,
}

impl<'a> Frame<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Decoded<Self> {
        let Some((&first, rest)) = bytes.split_first() else { return Err(&fault::FRAME_LENGTH_WRONG) };
        let Some(remaining_length) = RemainingLength::read(rest)? else {
            return Err(&fault::FRAME_LENGTH_WRONG);
        };
        let body = rest.get(remaining_length.encoded_bytes..).unwrap_or_default();
        if body.len() != remaining_length.value as usize {
            return Err(&fault::FRAME_LENGTH_WRONG);
        }
        Ok(Self { first, body, overlong_length: remaining_length.overlong })
    }

    #[inline]
    pub(crate) const fn packet_type(&self) -> u8 {
        self.first.wrapping_shr(4)
    }

    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.body)
    }

    /// What of the fixed header depends on the version.
    ///
    /// Only 5.0 asks for the shortest Remaining Length `[MQTT-1.5.5-1]`; there are 3.x clients that write it
    /// with a fixed number of bytes. 3.1 has flags that are "not used" instead of reserved.
    #[inline]
    pub(crate) fn check_header(&self, version: ProtocolVersion) -> Decoded<()> {
        if self.overlong_length && version == ProtocolVersion::V5 {
            return Err(&fault::INTEGER_NOT_MINIMAL);
        }
        let packet_type = self.packet_type();
        if packet_type == PUBLISH || version == ProtocolVersion::V31 {
            return Ok(());
        }
        // [MQTT-2.1.3-1], U5-005, [MQTT3-2.2.2-1], [MQTT3-2.2.2-2].
        if self.first & 0x0F == required_flags(packet_type) { Ok(()) } else { Err(flags_fault(packet_type)) }
    }
}

/// The flags of the fixed header (Table 2-2) of any packet but PUBLISH, whose flags mean something.
pub(crate) const fn required_flags(packet_type: u8) -> u8 {
    match packet_type {
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => 0x02,
        _ => 0x00,
    }
}

fn flags_fault(packet_type: u8) -> &'static Fault {
    match packet_type {
        PUBREL => &fault::PUBREL_FLAGS,
        SUBSCRIBE => &fault::SUBSCRIBE_FLAGS,
        UNSUBSCRIBE => &fault::UNSUBSCRIBE_FLAGS,
        DISCONNECT => &fault::DISCONNECT_FLAGS,
        AUTH => &fault::AUTH_FLAGS,
        _ => &fault::FLAGS_INVALID,
    }
}
