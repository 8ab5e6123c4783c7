//! Reading the data types of section 1.5 from a slice, checked at every step.

use crate::fault::{self, Decoded};
use crate::{DecodeLimits, PacketId, topic};

/// What is left of a packet or of a part of it. No method can read past the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The largest Variable Byte Integer, 268,435,455 (section 1.5.5).
pub(crate) const VARIABLE_BYTE_INTEGER_MAX: u32 = 0x0FFF_FFFF;

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Decoded<u8> {
        let Some((&byte, rest)) = self.rest.split_first() else { return Err(&fault::PACKET_ENDS_EARLY) };
        self.rest = rest;
        Ok(byte)
    }

    /// Takes the next byte if it is `byte`.
    #[inline]
    pub(crate) fn skip_if(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn two_byte_integer(&mut self) -> Decoded<u16> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(&fault::PACKET_ENDS_EARLY);
        };
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn four_byte_integer(&mut self) -> Decoded<u32> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(&fault::PACKET_ENDS_EARLY);
        };
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// Must use the minimum number of bytes `[MQTT-1.5.5-1]`, four at most.
    #[inline]
    pub(crate) fn variable_byte_integer(&mut self) -> Decoded<u32> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u32::from(first));
        }
        let mut value = u32::from(first & 0x7F);
        for shift in [7_u32, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7F).wrapping_shl(shift);
            if byte < 0x80 {
                return if byte == 0 { Err(&fault::INTEGER_NOT_MINIMAL) } else { Ok(value) };
            }
        }
        Err(&fault::INTEGER_TOO_LONG)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(&fault::PACKET_ENDS_EARLY);
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Binary Data (section 1.5.6): a two byte length and as many bytes, so no string, topic or filter has more than
    /// 65,535 `[MQTT-4.7.3-3]`, `[MQTT3-4.7.3-3]`.
    #[inline]
    pub(crate) fn binary_data(&mut self) -> Decoded<&'a [u8]> {
        let length = self.two_byte_integer()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 Encoded String (section 1.5.4). A leading U+FEFF is a character like others and stays
    /// `[MQTT-1.5.4-3]`, `[MQTT3-1.5.3-3]`.
    #[inline]
    pub(crate) fn string(&mut self, reject_control_characters: bool) -> Decoded<&'a str> {
        let bytes = self.binary_data()?;
        // Also refuses surrogates and overlong forms [MQTT-1.5.4-1], U5-001.
        let Ok(text) = std::str::from_utf8(bytes) else { return Err(&fault::STRING_NOT_UTF8) };
        // [MQTT-1.5.4-2], U5-002.
        if bytes.contains(&0) {
            return Err(&fault::STRING_HAS_NUL);
        }
        if reject_control_characters && text.chars().any(is_disallowed) {
            return Err(&fault::STRING_HAS_CONTROL_CHARACTER);
        }
        Ok(text)
    }
}

impl<'a> Reader<'a> {
    /// A Packet Identifier, which is not 0 `[MQTT-2.2.1-3]`.
    #[inline]
    pub(crate) fn packet_id(&mut self) -> Decoded<PacketId> {
        PacketId::new(self.two_byte_integer()?).ok_or(&fault::PACKET_ID_ZERO)
    }

    /// A Topic Name (section 3.3.2.1); it may be empty here, the caller knows whether it may be.
    #[inline]
    pub(crate) fn topic_name(&mut self, limits: &DecodeLimits) -> Decoded<&'a str> {
        let bytes = self.binary_data()?;
        // [MQTT-3.3.2-1], [MQTT-3.1.3-11], [MQTT3-3.3.2-1], [MQTT3-3.1.3-10].
        let Ok(name) = std::str::from_utf8(bytes) else { return Err(&fault::STRING_NOT_UTF8) };
        if !name.is_empty() {
            topic::validate_topic_name(name, limits).map_err(fault::topic_name)?;
        }
        if limits.reject_control_characters && name.chars().any(is_disallowed) {
            return Err(&fault::STRING_HAS_CONTROL_CHARACTER);
        }
        Ok(name)
    }

    /// A Topic Filter (section 4.7), `[MQTT-3.8.3-1]`, `[MQTT-3.10.3-1]`, `[MQTT3-3.8.3-1]`, `[MQTT3-3.10.3-1]`.
    pub(crate) fn topic_filter(&mut self, limits: &DecodeLimits) -> Decoded<&'a str> {
        let filter = self.string(limits.reject_control_characters)?;
        topic::validate_topic_filter(filter, limits).map_err(fault::topic_filter)?;
        Ok(filter)
    }

    /// Nothing may follow the last field of a packet.
    #[inline]
    pub(crate) fn end(&self) -> Decoded<()> {
        if self.is_empty() { Ok(()) } else { Err(&fault::BYTES_AFTER_END) }
    }
}

/// The code points that a string SHOULD NOT include (`U5-003`, section 1.5.4): control characters and the
/// non-characters of Unicode.
pub(crate) fn is_disallowed(character: char) -> bool {
    let code = u32::from(character);
    matches!(code, 0x01..=0x1F | 0x7F..=0x9F | 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}
