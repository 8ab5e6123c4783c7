use std::num::{NonZeroU16, NonZeroU32};

use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded, Fault};
use crate::frame::{self, Frame};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{
    DecodeError, DecodeLimits, MessageProperties, ProtocolVersion, QoS, UnsupportedVersion, UserProperties,
};

/// CONNECT: the first packet of a client `[MQTT-3.1.0-1]` (section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Found in the packet itself.
    pub protocol_version: ProtocolVersion,
    /// 3.x only: the private mark (0x80 of the level) of a bridge, which wants no-local and
    /// retain-as-published on all its subscriptions.
    pub bridge: bool,
    /// 3.x: Clean Session.
    pub clean_start: bool,
    /// 0: no keep alive.
    pub keep_alive_seconds: u16,
    /// Empty: the server assigns one (5.0; 3.1.1 with a clean session).
    pub client_id: &'a str,
    /// Published when the connection ends without a proper DISCONNECT.
    pub will: Option<Will<'a>>,
    /// Who the client says it is.
    pub user_name: Option<&'a str>,
    /// In 5.0 also without a user name.
    pub password: Option<&'a [u8]>,
    /// 5.0 only.
    pub properties: ConnectProperties<'a>,
}

/// The properties of a CONNECT (section 3.1.2.11). What is absent has the standard's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectProperties<'a> {
    /// Seconds; 0xFFFF_FFFF is never. Absent: 0, the session ends with the connection.
    pub session_expiry_interval: Option<u32>,
    /// QoS 1 and 2 messages the client takes at the same time. Absent: 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Bytes of a whole packet. Absent: no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Highest topic alias the client takes. Absent: 0.
    pub topic_alias_maximum: Option<u16>,
    /// Absent: false.
    pub request_response_information: Option<bool>,
    /// Absent: true.
    pub request_problem_information: Option<bool>,
    /// Its presence starts an enhanced authentication (section 4.12).
    pub authentication_method: Option<&'a str>,
    /// Only with a method (`U5-019`).
    pub authentication_data: Option<&'a [u8]>,
    /// Meaning not defined by the standard.
    pub user_properties: UserProperties<'a>,
}

/// The message that the server publishes for a client that is gone (sections 3.1.2.5 and 3.1.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Will<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// At most 65,535 bytes.
    pub payload: &'a [u8],
    /// The QoS to publish it with.
    pub qos: QoS,
    /// Whether to publish it as a retained message.
    pub retain: bool,
    /// Seconds between the end of the connection and the will. 0 if absent and in 3.x.
    pub delay_interval_seconds: u32,
    /// Published with it.
    pub properties: MessageProperties<'a>,
}

/// The bits of the connect flags (section 3.1.2.3).
const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// The private mark of a bridge in the protocol level of 3.x.
const BRIDGE: u8 = 0x80;

/// A client identifier of 3.1 has at most so many characters.
const CLIENT_ID_CHARACTERS_MAX_V31: usize = 23;

impl<'a> Connect<'a> {
    pub(crate) fn decode(frame: Frame<'a>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut body = frame.reader();
        let (version, bridge) = protocol(&mut body)?;
        let connect = || {
            frame.check_header(version)?;
            Self::decode_after_level(body, version, bridge, limits)
        };
        connect().map_err(|fault| fault.error(Some(version)))
    }

    fn decode_after_level(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        bridge: bool,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let flags = body.byte()?;
        let will_qos = will_qos(flags, version)?;
        let keep_alive_seconds = body.two_byte_integer()?;
        let properties = match version {
            ProtocolVersion::V5 => ConnectProperties::decode(&mut body, limits)?,
            ProtocolVersion::V31 | ProtocolVersion::V311 => ConnectProperties::default(),
        };
        let clean_start = flags & CLEAN_START != 0;
        let client_id = client_id(&mut body, version, clean_start, limits)?;
        let will = match will_qos {
            Some(qos) => Some(Will::decode(&mut body, version, qos, flags & WILL_RETAIN != 0, limits)?),
            None => None,
        };
        let user_name = match credential(&body, flags & USER_NAME, version, &fault::USER_NAME_MISSING)? {
            // [MQTT-3.1.3-12].
            true => Some(body.string(limits.reject_control_characters)?),
            false => None,
        };
        let password = match credential(&body, flags & PASSWORD, version, &fault::PASSWORD_MISSING)? {
            true => Some(body.binary_data()?),
            false => None,
        };
        // [MQTT-3.1.4-1]; also fields whose flag is not set [MQTT-3.1.2-16], [MQTT-3.1.2-18].
        if !body.is_empty() {
            return Err(&fault::CONNECT_BYTES_AFTER_END);
        }
        Ok(Self {
            protocol_version: version,
            bridge,
            clean_start,
            keep_alive_seconds,
            client_id,
            will,
            user_name,
            password,
            properties,
        })
    }
}

/// Protocol name and level (sections 3.1.2.1 and 3.1.2.2), and the bridge bit of 3.x.
fn protocol(body: &mut Reader<'_>) -> Result<(ProtocolVersion, bool), DecodeError> {
    let name = body.binary_data().map_err(|fault| fault.error(None))?;
    let level = body.byte().map_err(|fault| fault.error(None))?;
    let unsupported = |fault: &'static Fault, protocol_name_known| DecodeError {
        unsupported_version: Some(UnsupportedVersion { protocol_name_known, level }),
        ..fault.error(None)
    };
    match (name, level) {
        (b"MQTT", 5) => Ok((ProtocolVersion::V5, false)),
        (b"MQTT", 4) => Ok((ProtocolVersion::V311, false)),
        (b"MQIsdp", 3) => Ok((ProtocolVersion::V31, false)),
        (b"MQTT", 0x84) => Ok((ProtocolVersion::V311, true)),
        (b"MQIsdp", 0x83) => Ok((ProtocolVersion::V31, true)),
        // [MQTT-3.1.2-2], [MQTT3-3.1.2-2].
        (b"MQTT" | b"MQIsdp", _) => Err(unsupported(&fault::PROTOCOL_LEVEL_UNKNOWN, true)),
        // [MQTT-3.1.2-1], [MQTT3-3.1.2-1].
        _ => Err(unsupported(&fault::PROTOCOL_NAME_UNKNOWN, false)),
    }
}

/// Checks the connect flags; the QoS of the will if there is one. 3.1 has rules for none of them but the QoS.
fn will_qos(flags: u8, version: ProtocolVersion) -> Decoded<Option<QoS>> {
    let qos_bits = flags.wrapping_shr(3) & 0x03;
    if version != ProtocolVersion::V31 {
        // [MQTT-3.1.2-3], U5-008.
        if flags & RESERVED != 0 {
            return Err(&fault::CONNECT_FLAG_RESERVED);
        }
        // [MQTT-3.1.2-11], [MQTT3-3.1.2-13].
        if flags & WILL == 0 && qos_bits != 0 {
            return Err(&fault::WILL_QOS_WITHOUT_WILL);
        }
        // [MQTT-3.1.2-13], [MQTT3-3.1.2-15].
        if flags & (WILL | WILL_RETAIN) == WILL_RETAIN {
            return Err(&fault::WILL_RETAIN_WITHOUT_WILL);
        }
    }
    // [MQTT3-3.1.2-22]; 5.0 allows it.
    if version.is_v3() && flags & (USER_NAME | PASSWORD) == PASSWORD {
        return Err(&fault::PASSWORD_WITHOUT_USER_NAME);
    }
    if flags & WILL == 0 {
        return Ok(None);
    }
    // [MQTT-3.1.2-12], U5-009.
    QoS::from_byte(qos_bits).map(Some).ok_or(&fault::WILL_QOS_RESERVED)
}

fn client_id<'a>(
    body: &mut Reader<'a>,
    version: ProtocolVersion,
    clean_start: bool,
    limits: &DecodeLimits,
) -> Decoded<&'a str> {
    // [MQTT-3.1.3-3].
    if body.is_empty() {
        return Err(&fault::CLIENT_ID_MISSING);
    }
    // [MQTT-3.1.3-4].
    let client_id = body.string(limits.reject_control_characters)?;
    match version {
        ProtocolVersion::V31
            if client_id.is_empty() || client_id.chars().count() > CLIENT_ID_CHARACTERS_MAX_V31 =>
        {
            Err(&fault::CLIENT_ID_LENGTH_V31)
        }
        // [MQTT3-3.1.3-7], [MQTT3-3.1.3-8].
        ProtocolVersion::V311 if client_id.is_empty() && !clean_start => Err(&fault::CLIENT_ID_REJECTED),
        _ => Ok(client_id),
    }
}

/// Whether user name or password follows. In 3.1 the Remaining Length takes precedence over the flag.
fn credential(
    body: &Reader<'_>,
    flag: u8,
    version: ProtocolVersion,
    missing: &'static Fault,
) -> Decoded<bool> {
    match (flag != 0, body.is_empty()) {
        (false, _) => Ok(false),
        (true, false) => Ok(true),
        (true, true) if version == ProtocolVersion::V31 => Ok(false),
        // [MQTT-3.1.2-17], [MQTT-3.1.2-19].
        (true, true) => Err(missing),
    }
}

impl<'a> ConnectProperties<'a> {
    fn decode(body: &mut Reader<'a>, limits: &DecodeLimits) -> Decoded<Self> {
        let mut properties = Self::default();
        let mut reader = PropertyReader::open(body, PropertySection::Connect, limits)?;
        while let Some(property) = reader.next()? {
            properties.set(property);
        }
        properties.user_properties = reader.user_properties();
        // U5-019.
        if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
            return Err(&fault::AUTHENTICATION_DATA_WITHOUT_METHOD);
        }
        Ok(properties)
    }

    fn set(&mut self, property: Property<'a>) {
        match property {
            Property::SessionExpiryInterval(value) => self.session_expiry_interval = Some(value),
            Property::ReceiveMaximum(value) => self.receive_maximum = Some(value),
            Property::MaximumPacketSize(value) => self.maximum_packet_size = Some(value),
            Property::TopicAliasMaximum(value) => self.topic_alias_maximum = Some(value),
            Property::RequestResponseInformation(value) => self.request_response_information = Some(value),
            Property::RequestProblemInformation(value) => self.request_problem_information = Some(value),
            Property::AuthenticationMethod(value) => self.authentication_method = Some(value),
            Property::AuthenticationData(value) => self.authentication_data = Some(value),
            _ => {}
        }
    }
}

impl<'a> Will<'a> {
    /// Will Properties, Will Topic, Will Payload, in this order `[MQTT-3.1.3-1]`.
    fn decode(
        body: &mut Reader<'a>,
        version: ProtocolVersion,
        qos: QoS,
        retain: bool,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        // [MQTT-3.1.2-9].
        if body.is_empty() {
            return Err(&fault::WILL_MISSING);
        }
        let mut will = Self { qos, retain, ..Self::default() };
        if version == ProtocolVersion::V5 {
            will.read_properties(body, limits)?;
        }
        will.topic = body.topic_name(limits)?;
        if will.topic.is_empty() {
            return Err(&fault::NAME_EMPTY);
        }
        if body.is_empty() {
            return Err(&fault::WILL_MISSING);
        }
        // In 3.1 a string, published as the bytes that it is.
        will.payload = body.binary_data()?;
        Ok(will)
    }

    fn read_properties(&mut self, body: &mut Reader<'a>, limits: &DecodeLimits) -> Decoded<()> {
        let mut reader = PropertyReader::open(body, PropertySection::Will, limits)?;
        while let Some(property) = reader.next()? {
            match property {
                Property::WillDelayInterval(value) => self.delay_interval_seconds = value,
                other => self.properties.set(other),
            }
        }
        self.properties.user_properties = reader.user_properties();
        Ok(())
    }
}

impl Body for Connect<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::CONNECT)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_string(version.protocol_name());
        let bridge = if self.bridge && version.is_v3() { BRIDGE } else { 0 };
        sink.put_byte(version.level() | bridge);
        sink.put_byte(self.flags());
        sink.put_two_byte_integer(self.keep_alive_seconds);
        if version == ProtocolVersion::V5 {
            sink.put_properties(&self.properties);
        }
        sink.put_string(self.client_id);
        if let Some(will) = &self.will {
            if version == ProtocolVersion::V5 {
                sink.put_properties(will);
            }
            sink.put_string(will.topic);
            sink.put_binary_data(will.payload);
        }
        if let Some(user_name) = self.user_name {
            sink.put_string(user_name);
        }
        if let Some(password) = self.password {
            sink.put_binary_data(password);
        }
    }
}

impl Connect<'_> {
    fn flags(&self) -> u8 {
        let set = |flag: u8, condition: bool| if condition { flag } else { 0 };
        let will = self
            .will
            .map_or(0, |will| WILL | will.qos.to_byte().wrapping_shl(3) | set(WILL_RETAIN, will.retain));
        will | set(CLEAN_START, self.clean_start)
            | set(USER_NAME, self.user_name.is_some())
            | set(PASSWORD, self.password.is_some())
    }
}

impl Properties for ConnectProperties<'_> {
    #[rustfmt::skip]
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_four_byte_property(property::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        sink.put_two_byte_property(property::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        sink.put_four_byte_property(property::MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        sink.put_two_byte_property(property::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        sink.put_flag_property(property::REQUEST_RESPONSE_INFORMATION, self.request_response_information);
        sink.put_flag_property(property::REQUEST_PROBLEM_INFORMATION, self.request_problem_information);
        sink.put_user_properties(self.user_properties);
        sink.put_string_property(property::AUTHENTICATION_METHOD, self.authentication_method);
        sink.put_binary_property(property::AUTHENTICATION_DATA, self.authentication_data);
    }
}

impl Properties for Will<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        let delay = Some(self.delay_interval_seconds).filter(|seconds| *seconds > 0);
        sink.put_four_byte_property(property::WILL_DELAY_INTERVAL, delay);
        self.properties.write(sink);
    }
}
