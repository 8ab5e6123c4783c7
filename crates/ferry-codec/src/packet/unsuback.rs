use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, PacketId, ProtocolVersion, UserProperties, frame};

/// UNSUBACK: one reason code for each filter of an UNSUBSCRIBE, in its order `[MQTT-3.11.3-1]` (section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// That of the UNSUBSCRIBE `[MQTT-2.2.1-6]`.
    pub packet_id: PacketId,
    /// Not sent in 3.x, and empty when decoded from it.
    pub reason_codes: &'a [u8],
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}

impl<'a> Unsuback<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let mut unsuback = Self {
            packet_id: body.packet_id()?,
            reason_codes: &[],
            reason_string: None,
            user_properties: UserProperties::EMPTY,
        };
        if version.is_v3() {
            body.end()?;
            return Ok(unsuback);
        }
        let mut properties = PropertyReader::open(&mut body, PropertySection::Unsuback, limits)?;
        while let Some(property) = properties.next()? {
            if let Property::ReasonString(value) = property {
                unsuback.reason_string = Some(value);
            }
        }
        unsuback.user_properties = properties.user_properties();
        unsuback.reason_codes = body.rest();
        if unsuback.reason_codes.is_empty() {
            return Err(&fault::UNSUBACK_EMPTY);
        }
        // [MQTT-3.11.3-2].
        if !unsuback.reason_codes.iter().all(|code| is_reason_code(*code)) {
            return Err(&fault::UNSUBACK_REASON_CODE);
        }
        Ok(unsuback)
    }
}

fn is_reason_code(code: u8) -> bool {
    matches!(code, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91)
}

impl Body for Unsuback<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::UNSUBACK)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_two_byte_integer(self.packet_id.get());
        if version == ProtocolVersion::V5 {
            sink.put_properties(self);
            sink.put_bytes(self.reason_codes);
        }
    }
}

impl Properties for Unsuback<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
    }
}
