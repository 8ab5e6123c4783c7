use ferry_codec::{MessageProperties, Publish, QoS, StoredProperties, UserPropertiesBuf};
use ferry_session::{TRACEPARENT, Timestamp, TraceParent};

/// An application message, to be published or received.
///
/// ```
/// use ferry_client::{Message, QoS};
///
/// let message = Message::new("lamp/1/state", "on").qos(QoS::AtLeastOnce).retain(true).expiry_seconds(3600);
/// assert_eq!(message.text(), Ok("on"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic name.
    pub topic: String,
    /// The application data.
    pub payload: Vec<u8>,
    /// How it is delivered.
    pub qos: QoS,
    /// Published: the server keeps it as the last message of its topic. Received: it was kept.
    pub retain: bool,
    /// Received: this may be a repetition (`[MQTT-3.3.1-1]`). Ignored when publishing.
    pub dup: bool,
    /// Received with QoS 1 or 2: its Packet Identifier on the connection, for logs. Ignored when publishing.
    pub packet_id: Option<u16>,
    /// MQTT 5.0 only; absent if there are none.
    pub properties: Option<Box<Properties>>,
}

/// The properties of a message (section 3.3.2.3), MQTT 5.0 only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `Some(true)`: the payload is UTF-8.
    pub payload_format_indicator: Option<bool>,
    /// Seconds after which the message is of no use; absent: it stays.
    pub message_expiry_interval: Option<u32>,
    /// Such as a MIME type.
    pub content_type: Option<String>,
    /// Where an answer is to be published.
    pub response_topic: Option<String>,
    /// To be sent back with an answer.
    pub correlation_data: Option<Vec<u8>>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
    /// Received: those of the subscriptions that it matches `[MQTT-3.3.4-3]`. Never sent `[MQTT-3.3.4-6]`.
    pub subscription_identifiers: Vec<u32>,
}

impl Message {
    /// With QoS 0, not retained, without properties.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), ..Self::default() }
    }

    /// Sets the QoS.
    #[must_use]
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Sets RETAIN.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets the Message Expiry Interval, counted from now: what waits longer, here or at the server, is discarded.
    #[must_use]
    pub fn expiry_seconds(mut self, seconds: u32) -> Self {
        self.properties_mut().message_expiry_interval = Some(seconds);
        self
    }

    /// Sets the Content Type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.properties_mut().content_type = Some(content_type.into());
        self
    }

    /// Sets the Response Topic.
    #[must_use]
    pub fn response_topic(mut self, topic: impl Into<String>) -> Self {
        self.properties_mut().response_topic = Some(topic.into());
        self
    }

    /// Sets the Correlation Data.
    #[must_use]
    pub fn correlation_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.properties_mut().correlation_data = Some(data.into());
        self
    }

    /// Appends a User Property.
    #[must_use]
    pub fn user_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties_mut().user_properties.push((name.into(), value.into()));
        self
    }

    /// The value of the first User Property of this name.
    #[must_use]
    pub fn find_user_property(&self, name: &str) -> Option<&str> {
        let properties = &self.properties.as_ref()?.user_properties;
        properties.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Appends the place of the message in a trace (W3C Trace Context), as the User Property `traceparent`.
    #[must_use]
    pub fn trace_parent(self, parent: TraceParent) -> Self {
        self.user_property(TRACEPARENT, parent.to_string())
    }

    /// The place of the message in a trace; `None` without a `traceparent`, and if it is malformed.
    #[must_use]
    pub fn find_trace_parent(&self) -> Option<TraceParent> {
        let pairs = &self.properties.as_ref()?.user_properties;
        TraceParent::of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The properties, made if there are none yet.
    pub fn properties_mut(&mut self) -> &mut Properties {
        self.properties.get_or_insert_default()
    }

    /// The payload as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.payload)
    }

    /// An answer to this message: for its Response Topic, with its Correlation Data and QoS. `None` if it does not ask
    /// for one.
    #[must_use]
    pub fn response(&self, payload: impl Into<Vec<u8>>) -> Option<Self> {
        let properties = self.properties.as_ref()?;
        let mut response = Self::new(properties.response_topic.clone()?, payload).qos(self.qos);
        if let Some(data) = &properties.correlation_data {
            response = response.correlation_data(data.clone());
        }
        Some(response)
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |properties| properties.size_bytes());
        size_of::<Self>() + self.topic.len() + self.payload.len() + properties
    }

    /// Out of a received PUBLISH whose alias is resolved.
    pub(crate) fn from_publish(publish: &Publish<'_>, topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id: publish.packet_id.map(ferry_codec::PacketId::get),
            properties: Properties::from_publish(publish).map(Box::new),
        }
    }

    /// What the session keeps of it until it is delivered. The Message Expiry Interval begins now.
    pub(crate) fn into_queued(self, now: Timestamp) -> ferry_session::Message {
        let expiry = self.properties.as_ref().and_then(|properties| properties.message_expiry_interval);
        let properties = match &self.properties {
            None => StoredProperties::default(),
            Some(properties) => properties.with_encoded(|properties| StoredProperties::new(&properties)),
        };
        ferry_session::Message {
            topic: self.topic.into(),
            payload: ferry_session::Payload::from_vec(self.payload),
            properties,
            qos: self.qos,
            retain: self.retain,
            received_at: now,
            expires_at: expiry.map(|seconds| now.plus_seconds(seconds)),
            publisher: None,
        }
    }

    /// Calls `with` with the PUBLISH that sends it, without a packet identifier.
    pub(crate) fn with_publish<R>(&self, with: impl FnOnce(Publish<'_>) -> R) -> R {
        let publish = Publish {
            qos: self.qos,
            retain: self.retain,
            topic: &self.topic,
            payload: &self.payload,
            ..Publish::default()
        };
        match &self.properties {
            None => with(publish),
            Some(properties) => properties.with_encoded(|properties| with(Publish { properties, ..publish })),
        }
    }
}

impl Properties {
    /// Calls `with` with these properties as the codec has them.
    pub(crate) fn with_encoded<R>(&self, with: impl FnOnce(MessageProperties<'_>) -> R) -> R {
        let user_properties = user_properties(&self.user_properties);
        with(MessageProperties {
            payload_format_indicator: self.payload_format_indicator,
            message_expiry_interval: self.message_expiry_interval,
            content_type: self.content_type.as_deref(),
            response_topic: self.response_topic.as_deref(),
            correlation_data: self.correlation_data.as_deref(),
            user_properties: user_properties.as_user_properties(),
        })
    }

    fn from_publish(publish: &Publish<'_>) -> Option<Self> {
        let received = &publish.properties;
        let is_empty = publish.subscription_ids.is_empty()
            && received.user_properties.is_empty()
            && received.payload_format_indicator.is_none()
            && received.message_expiry_interval.is_none()
            && received.content_type.is_none()
            && received.response_topic.is_none()
            && received.correlation_data.is_none();
        if is_empty {
            return None;
        }
        Some(Self {
            payload_format_indicator: received.payload_format_indicator,
            message_expiry_interval: received.message_expiry_interval,
            content_type: received.content_type.map(str::to_owned),
            response_topic: received.response_topic.map(str::to_owned),
            correlation_data: received.correlation_data.map(<[u8]>::to_vec),
            user_properties: owned_pairs(received.user_properties),
            subscription_identifiers: publish.subscription_ids.iter().collect(),
        })
    }

    fn size_bytes(&self) -> usize {
        let pairs = self.user_properties.iter().map(|(name, value)| name.len() + value.len() + 48);
        size_of::<Self>()
            + self.content_type.as_ref().map_or(0, String::len)
            + self.response_topic.as_ref().map_or(0, String::len)
            + self.correlation_data.as_ref().map_or(0, Vec::len)
            + pairs.sum::<usize>()
    }
}

/// User properties in the form in which they are sent.
pub(crate) fn user_properties(pairs: &[(String, String)]) -> UserPropertiesBuf {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// User properties in the form in which users get them.
pub(crate) fn owned_pairs(properties: ferry_codec::UserProperties<'_>) -> Vec<(String, String)> {
    properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_with_the_message() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("valid");
        let message = Message::new("t", "").user_property("a", "1").trace_parent(parent);
        assert_eq!(message.find_trace_parent(), Some(parent));
        assert_eq!(Message::new("t", "").user_property("traceparent", "1").find_trace_parent(), None);
        assert_eq!(Message::new("t", "").find_trace_parent(), None);
    }

    #[test]
    fn what_is_queued_comes_out_as_it_went_in() {
        let message = Message::new("a/b", "x")
            .qos(QoS::ExactlyOnce)
            .retain(true)
            .expiry_seconds(10)
            .content_type("text/plain")
            .response_topic("r")
            .correlation_data([0, 255])
            .user_property("a", "1")
            .user_property("a", "2");
        let queued = message.clone().into_queued(Timestamp(5));
        assert_eq!(queued.expires_at, Some(Timestamp(10_005)));
        let properties = queued.properties_at(Timestamp(5));
        let publish = Publish { qos: queued.qos, retain: queued.retain, properties, ..Publish::default() };
        let publish = Publish { payload: &queued.payload, ..publish };
        assert_eq!(Message::from_publish(&publish, &queued.topic), message);
        assert_eq!(message.find_user_property("a"), Some("1"));
    }

    #[test]
    fn an_answer_goes_where_it_is_expected() {
        assert_eq!(Message::new("t", "x").response("y"), None);
        let request = Message::new("t", "x").response_topic("r").correlation_data("7").qos(QoS::AtLeastOnce);
        let response = request.response("y").unwrap();
        assert_eq!(response, Message::new("r", "y").correlation_data("7").qos(QoS::AtLeastOnce));
    }
}
