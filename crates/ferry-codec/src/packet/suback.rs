use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, PacketId, ProtocolVersion, UserProperties, frame};

/// SUBACK: one reason code for each filter of a SUBSCRIBE, in its order `[MQTT-3.9.3-1]` (section 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// That of the SUBSCRIBE `[MQTT-2.2.1-6]`.
    pub packet_id: PacketId,
    /// In 3.1.1 `encode` writes every failure as 0x80 `[MQTT3-3.9.3-2]`; 3.1 has no failure, so it gets QoS 0.
    pub reason_codes: &'a [u8],
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}

impl<'a> Suback<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let packet_id = body.packet_id()?;
        let mut reason_string = None;
        let mut user_properties = UserProperties::EMPTY;
        if version == ProtocolVersion::V5 {
            let mut properties = PropertyReader::open(&mut body, PropertySection::Suback, limits)?;
            while let Some(property) = properties.next()? {
                if let Property::ReasonString(value) = property {
                    reason_string = Some(value);
                }
            }
            user_properties = properties.user_properties();
        }
        let reason_codes = body.rest();
        // [MQTT-3.8.4-6].
        if reason_codes.is_empty() {
            return Err(&fault::SUBACK_EMPTY);
        }
        if !reason_codes.iter().all(|code| is_reason_code(*code, version)) {
            return Err(&fault::SUBACK_REASON_CODE);
        }
        Ok(Self { packet_id, reason_codes, reason_string, user_properties })
    }
}

/// `[MQTT-3.9.3-2]`, `[MQTT3-3.9.3-2]`. Servers send 0x80 to clients of 3.1 too, though it has no such code.
fn is_reason_code(code: u8, version: ProtocolVersion) -> bool {
    match code {
        0x00..=0x02 | 0x80 => true,
        0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2 => version == ProtocolVersion::V5,
        _ => false,
    }
}

impl Body for Suback<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::SUBACK)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_two_byte_integer(self.packet_id.get());
        let failure = match version {
            ProtocolVersion::V5 => {
                sink.put_properties(self);
                sink.put_bytes(self.reason_codes);
                return;
            }
            ProtocolVersion::V311 => 0x80,
            ProtocolVersion::V31 => 0x00,
        };
        for code in self.reason_codes {
            sink.put_byte(if *code >= 0x80 { failure } else { *code });
        }
    }
}

impl Properties for Suback<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
    }
}
