use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, Direction, ProtocolVersion, ReasonCode, UserProperties, frame};

/// DISCONNECT: the last packet of a connection (section 3.14). Its default is a normal disconnection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Always 0x00 in 3.x, where none is sent.
    pub reason_code: ReasonCode,
    /// Seconds; from a client only `[MQTT-3.14.2-2]`. Absent: the value of CONNECT stays.
    pub session_expiry_interval: Option<u32>,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
    /// Another server to use, with 0x9C or 0x9D; sent by a server.
    pub server_reference: Option<&'a str>,
}

impl Disconnect<'_> {
    /// A DISCONNECT that carries a reason code and nothing else.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            session_expiry_interval: None,
            reason_string: None,
            user_properties: UserProperties::EMPTY,
            server_reference: None,
        }
    }
}

impl<'a> Disconnect<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        direction: Direction,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let mut disconnect = Self::default();
        // Without a reason code it is 0x00, without a property length there are no properties.
        if body.is_empty() {
            return Ok(disconnect);
        }
        if version.is_v3() {
            return Err(&fault::BYTES_AFTER_END);
        }
        disconnect.reason_code = reason_code(body.byte()?, direction)?;
        if body.is_empty() {
            return Ok(disconnect);
        }
        let section = match direction {
            Direction::FromClient => PropertySection::DisconnectFromClient,
            Direction::FromServer => PropertySection::DisconnectFromServer,
        };
        let mut properties = PropertyReader::open(&mut body, section, limits)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SessionExpiryInterval(value) => disconnect.session_expiry_interval = Some(value),
                Property::ReasonString(value) => disconnect.reason_string = Some(value),
                Property::ServerReference(value) => disconnect.server_reference = Some(value),
                _ => {}
            }
        }
        disconnect.user_properties = properties.user_properties();
        body.end()?;
        Ok(disconnect)
    }
}

/// `[MQTT-3.14.2-1]`, with the column "Sent by" of Table 3-10. 0x8C is missing there but allowed by Table 2-6.
fn reason_code(code: u8, direction: Direction) -> Decoded<ReasonCode> {
    let known = match code {
        0x00 | 0x80..=0x83 | 0x8C | 0x90 | 0x93..=0x99 => true,
        0x04 => direction == Direction::FromClient,
        0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2 => direction == Direction::FromServer,
        _ => false,
    };
    if known { Ok(ReasonCode::new(code)) } else { Err(&fault::DISCONNECT_REASON_CODE) }
}

impl Body for Disconnect<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::DISCONNECT)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        let has_properties = self.properties_length() > 0;
        if version.is_v3() || (self.reason_code == ReasonCode::SUCCESS && !has_properties) {
            return;
        }
        sink.put_byte(self.reason_code.code());
        if has_properties {
            sink.put_properties(self);
        }
    }
}

impl Properties for Disconnect<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_four_byte_property(property::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
        sink.put_string_property(property::SERVER_REFERENCE, self.server_reference);
    }
}
