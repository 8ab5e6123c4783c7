use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, Direction, ProtocolVersion, ReasonCode, UserProperties, frame};

/// AUTH: a step of an enhanced authentication, MQTT 5.0 only (section 3.15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth<'a> {
    /// 0x00, 0x18 or 0x19 `[MQTT-3.15.2-1]`; the server alone sends 0x00, the client alone 0x19.
    pub reason_code: ReasonCode,
    /// Always there in a decoded packet (`U5-080`); must be the same as in CONNECT `[MQTT-4.12.0-5]`.
    pub authentication_method: Option<&'a str>,
    /// Its contents are the method's business.
    pub authentication_data: Option<&'a [u8]>,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}

impl<'a> Auth<'a> {
    pub(crate) fn decode(mut body: Reader<'a>, direction: Direction, limits: &DecodeLimits) -> Decoded<Self> {
        let mut auth = Self::default();
        if !body.is_empty() {
            auth.reason_code = ReasonCode::new(body.byte()?);
        }
        // [MQTT-3.15.2-1] and Table 3-11.
        match (auth.reason_code, direction) {
            (ReasonCode::CONTINUE_AUTHENTICATION, _)
            | (ReasonCode::SUCCESS, Direction::FromServer)
            | (ReasonCode::RE_AUTHENTICATE, Direction::FromClient) => {}
            _ => return Err(&fault::AUTH_REASON_CODE),
        }
        if !body.is_empty() {
            auth.read_properties(&mut body, limits)?;
        }
        // U5-080. An AUTH without properties is well-formed, but always lacks the method.
        if auth.authentication_method.is_none() {
            return Err(&fault::AUTH_WITHOUT_METHOD);
        }
        body.end()?;
        Ok(auth)
    }

    fn read_properties(&mut self, body: &mut Reader<'a>, limits: &DecodeLimits) -> Decoded<()> {
        let mut properties = PropertyReader::open(body, PropertySection::Auth, limits)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::AuthenticationMethod(value) => self.authentication_method = Some(value),
                Property::AuthenticationData(value) => self.authentication_data = Some(value),
                Property::ReasonString(value) => self.reason_string = Some(value),
                _ => {}
            }
        }
        self.user_properties = properties.user_properties();
        Ok(())
    }
}

impl Body for Auth<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::AUTH)
    }

    fn write(&self, _version: ProtocolVersion, sink: &mut impl Sink) {
        let has_properties = self.properties_length() > 0;
        if self.reason_code == ReasonCode::SUCCESS && !has_properties {
            return;
        }
        sink.put_byte(self.reason_code.code());
        if has_properties {
            sink.put_properties(self);
        }
    }
}

impl Properties for Auth<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_string_property(property::AUTHENTICATION_METHOD, self.authentication_method);
        sink.put_binary_property(property::AUTHENTICATION_DATA, self.authentication_data);
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
    }
}
