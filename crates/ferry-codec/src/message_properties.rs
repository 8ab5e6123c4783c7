use crate::encode::Sink;
use crate::fault::Decoded;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeError, DecodeLimits, ProtocolVersion, UserProperties};

/// The properties that belong to an application message rather than to one PUBLISH, and that a server
/// forwards unaltered (but for the expiry, which shrinks `[MQTT-3.3.2-6]`). Also those of a will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties<'a> {
    /// `Some(true)`: the payload is UTF-8. That it really is, is checked by
    /// [`payload_format_is_valid`](Self::payload_format_is_valid) `[MQTT-3.3.2-4]`.
    pub payload_format_indicator: Option<bool>,
    /// Seconds the message has left. Absent: it never expires.
    pub message_expiry_interval: Option<u32>,
    /// Defined by sender and receiver, such as a MIME type; a UTF-8 string `[MQTT-3.3.2-19]`, `[MQTT-3.3.2-20]`.
    pub content_type: Option<&'a str>,
    /// A valid topic name `[MQTT-3.3.2-14]`.
    pub response_topic: Option<&'a str>,
    /// Tells a requester which request this answers.
    pub correlation_data: Option<&'a [u8]>,
    /// Their order is kept `[MQTT-3.3.2-18]`.
    pub user_properties: UserProperties<'a>,
}

impl<'a> MessageProperties<'a> {
    /// Whether there is none of them.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.payload_format_indicator.is_none()
            && self.message_expiry_interval.is_none()
            && self.content_type.is_none()
            && self.response_topic.is_none()
            && self.correlation_data.is_none()
            && self.user_properties.is_empty()
    }

    /// False if the properties promise UTF-8 and `payload` is not (`U5-053`, `U5-022`); a receiver may then
    /// answer 0x99. Not checked by `decode`, because it costs a pass over the payload and is optional.
    #[must_use]
    pub fn payload_format_is_valid(&self, payload: &[u8]) -> bool {
        self.payload_format_indicator != Some(true) || std::str::from_utf8(payload).is_ok()
    }

    /// Appends the properties in their encoded form, without a length in front.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        self.write(out);
    }

    /// Reads what [`encode_into`](Self::encode_into) wrote.
    ///
    /// # Errors
    /// `bytes` holds something else.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        Self::read(bytes).map_err(|fault| fault.error(Some(ProtocolVersion::V5)))
    }

    fn read(bytes: &'a [u8]) -> Decoded<Self> {
        let mut reader = PropertyReader::new(bytes, PropertySection::Will, &DecodeLimits::UNLIMITED);
        let mut properties = Self::default();
        while let Some(property) = reader.next()? {
            properties.set(property);
        }
        properties.user_properties = reader.user_properties();
        Ok(properties)
    }

    /// Takes over a property if it is one of a message.
    #[inline]
    pub(crate) fn set(&mut self, property: Property<'a>) {
        match property {
            Property::PayloadFormatIndicator(value) => self.payload_format_indicator = Some(value),
            Property::MessageExpiryInterval(value) => self.message_expiry_interval = Some(value),
            Property::ContentType(value) => self.content_type = Some(value),
            Property::ResponseTopic(value) => self.response_topic = Some(value),
            Property::CorrelationData(value) => self.correlation_data = Some(value),
            _ => {}
        }
    }

    pub(crate) fn write(&self, sink: &mut impl Sink) {
        sink.put_flag_property(property::PAYLOAD_FORMAT_INDICATOR, self.payload_format_indicator);
        sink.put_four_byte_property(property::MESSAGE_EXPIRY_INTERVAL, self.message_expiry_interval);
        sink.put_string_property(property::CONTENT_TYPE, self.content_type);
        sink.put_string_property(property::RESPONSE_TOPIC, self.response_topic);
        sink.put_binary_property(property::CORRELATION_DATA, self.correlation_data);
        sink.put_user_properties(self.user_properties);
    }
}
