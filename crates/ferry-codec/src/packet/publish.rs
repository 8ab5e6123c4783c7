use crate::encode::{Body, Properties, Sink};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{
    DecodeLimits, Direction, MessageProperties, PacketId, ProtocolVersion, QoS, SubscriptionIds, frame,
};

/// PUBLISH: an application message on its way (section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publish<'a> {
    /// This may be a re-delivery; never with QoS 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// How it is delivered.
    pub qos: QoS,
    /// From a client: store it; from a server: it was stored, or retain-as-published.
    pub retain: bool,
    /// There exactly if the QoS is not 0 `[MQTT-2.2.1-2]`.
    pub packet_id: Option<PacketId>,
    /// A valid topic name; empty only if there is an alias (`U5-052`).
    pub topic: &'a str,
    /// 5.0 only; never 0 `[MQTT-3.3.2-8]`. Whether it is below the maximum is the receiver's to check.
    pub topic_alias: Option<u16>,
    /// 5.0 only.
    pub properties: MessageProperties<'a>,
    /// From a server only `[MQTT-3.3.4-6]`.
    pub subscription_ids: SubscriptionIds<'a>,
    /// The application message; may be empty.
    pub payload: &'a [u8],
}

/// The flags of the fixed header (section 3.3.1).
const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;

impl<'a> Publish<'a> {
    #[inline]
    pub(crate) fn decode(
        first: u8,
        mut body: Reader<'a>,
        version: ProtocolVersion,
        direction: Direction,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        // [MQTT-3.3.1-4], U5-050, U5-051.
        let Some(qos) = QoS::from_byte(first.wrapping_shr(1) & 0x03) else {
            return Err(&fault::PUBLISH_QOS_RESERVED);
        };
        let mut publish = Self {
            dup: first & DUP != 0,
            qos,
            retain: first & RETAIN != 0,
            topic: body.topic_name(limits)?,
            ..Self::default()
        };
        if qos == QoS::AtMostOnce {
            // [MQTT-3.3.1-2]; 3.1 does not forbid it, and there it means nothing.
            if publish.dup && version != ProtocolVersion::V31 {
                return Err(&fault::PUBLISH_DUP_WITHOUT_QOS);
            }
            publish.dup = false;
        } else {
            // [MQTT-2.2.1-2], [MQTT-2.2.1-3], [MQTT3-2.3.1-5].
            publish.packet_id = Some(body.packet_id()?);
        }
        if version == ProtocolVersion::V5 {
            publish.read_properties(&mut body, direction, limits)?;
        }
        // U5-052, [MQTT-4.7.3-1].
        if publish.topic.is_empty() && publish.topic_alias.is_none() {
            return Err(&fault::PUBLISH_TOPIC_MISSING);
        }
        publish.payload = body.rest();
        Ok(publish)
    }

    #[inline]
    fn read_properties(
        &mut self,
        body: &mut Reader<'a>,
        direction: Direction,
        limits: &DecodeLimits,
    ) -> Decoded<()> {
        if body.skip_if(0) {
            return Ok(());
        }
        let section = match direction {
            Direction::FromClient => PropertySection::PublishFromClient,
            Direction::FromServer => PropertySection::PublishFromServer,
        };
        let mut properties = PropertyReader::open(body, section, limits)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::TopicAlias(value) => self.topic_alias = Some(value),
                other => self.properties.set(other),
            }
        }
        self.properties.user_properties = properties.user_properties();
        self.subscription_ids = properties.subscription_ids();
        Ok(())
    }
}

impl Body for Publish<'_> {
    fn first_byte(&self) -> u8 {
        // [MQTT-3.3.1-2].
        let dup = if self.dup && self.qos != QoS::AtMostOnce { DUP } else { 0 };
        frame::PUBLISH.wrapping_shl(4) | dup | self.qos.to_byte().wrapping_shl(1) | u8::from(self.retain)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_string(self.topic);
        if self.qos != QoS::AtMostOnce {
            sink.put_two_byte_integer(self.packet_id.map_or(0, PacketId::get));
        }
        if version == ProtocolVersion::V5 {
            sink.put_properties(self);
        }
        sink.put_bytes(self.payload);
    }
}

impl Properties for Publish<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        // The alias comes first: `wire_shape` knows its place.
        sink.put_two_byte_property(property::TOPIC_ALIAS, self.topic_alias);
        self.properties.write(sink);
        for subscription_id in self.subscription_ids {
            sink.put_byte(property::SUBSCRIPTION_IDENTIFIER);
            sink.put_variable_byte_integer(subscription_id);
        }
    }
}
