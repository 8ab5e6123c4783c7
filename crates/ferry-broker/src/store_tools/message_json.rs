//! Messages, their properties and their payloads as JSON, and back.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_codec::topic::validate_topic_name;
use ferry_codec::{DecodeLimits, MessageProperties, QoS, StoredProperties, UserPropertiesBuf};
use ferry_session::{Message, Payload, StoredWill, Timestamp};
use serde_json::{Map, Value as Json, json};

/// What is wrong with a line.
pub(super) type Wrong = String;

pub(super) fn message_json(message: &Message) -> Map<String, Json> {
    let mut json = Map::new();
    put_content(&mut json, &message.topic, &message.payload, &message.properties);
    json.insert("qos".to_owned(), message.qos.to_byte().into());
    json.insert("retain".to_owned(), message.retain.into());
    json.insert("received_at".to_owned(), message.received_at.0.into());
    put_some(&mut json, "expires_at", message.expires_at.map(|time| time.0));
    put_some(&mut json, "publisher", message.publisher.as_deref());
    json
}

pub(super) fn message(json: &Fields<'_>) -> Result<Arc<Message>, Wrong> {
    let (topic, payload, properties) = content(json)?;
    Ok(Arc::new(Message {
        topic: topic.into(),
        payload: Payload::from_vec(payload.into_vec()),
        properties,
        qos: json.qos("qos")?,
        retain: json.flag("retain")?,
        received_at: Timestamp(json.number("received_at")?),
        expires_at: json.some_number("expires_at")?.map(Timestamp),
        publisher: json.some_text("publisher")?.map(Arc::from),
    }))
}

pub(super) fn will_json(will: &StoredWill) -> Map<String, Json> {
    let mut json = Map::new();
    put_content(&mut json, &will.topic, &will.payload, &will.properties);
    json.insert("qos".to_owned(), will.qos.to_byte().into());
    json.insert("retain".to_owned(), will.retain.into());
    json.insert("delay_interval_seconds".to_owned(), will.delay_interval_seconds.into());
    put_some(&mut json, "message_expiry_interval_seconds", will.message_expiry_interval_seconds);
    json
}

pub(super) fn will(json: &Fields<'_>) -> Result<Box<StoredWill>, Wrong> {
    let (topic, payload, properties) = content(json)?;
    Ok(Box::new(StoredWill {
        topic,
        payload,
        properties,
        qos: json.qos("qos")?,
        retain: json.flag("retain")?,
        delay_interval_seconds: json.small("delay_interval_seconds")?,
        message_expiry_interval_seconds: json.some_small("message_expiry_interval_seconds")?,
    }))
}

pub(super) fn put_some(json: &mut Map<String, Json>, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        json.insert(name.to_owned(), value.into());
    }
}

fn put_content(json: &mut Map<String, Json>, topic: &str, payload: &[u8], properties: &StoredProperties) {
    json.insert("topic".to_owned(), topic.into());
    match std::str::from_utf8(payload) {
        Ok(text) => json.insert("payload".to_owned(), text.into()),
        Err(_) => json.insert("payload_base64".to_owned(), STANDARD.encode(payload).into()),
    };
    let properties = properties.properties();
    put_some(json, "payload_format_indicator", properties.payload_format_indicator);
    put_some(json, "content_type", properties.content_type);
    put_some(json, "response_topic", properties.response_topic);
    put_some(json, "correlation_data_base64", properties.correlation_data.map(|data| STANDARD.encode(data)));
    if !properties.user_properties.is_empty() {
        let pairs = properties.user_properties.iter().map(|(name, value)| json!([name, value]));
        json.insert("user_properties".to_owned(), pairs.collect());
    }
}

type Content = (Box<str>, Box<[u8]>, StoredProperties);

fn content(json: &Fields<'_>) -> Result<Content, Wrong> {
    let topic = json.text("topic")?;
    validate_topic_name(topic, &DecodeLimits::UNLIMITED).map_err(|error| error.detail().to_owned())?;
    let payload = match json.some_bytes("payload_base64")? {
        Some(payload) => payload,
        None => json.text("payload")?.as_bytes().to_vec(),
    };
    let mut user_properties = UserPropertiesBuf::new();
    for pair in json.list("user_properties")? {
        let pair = pair
            .as_array()
            .map(|pair| (pair.first().and_then(Json::as_str), pair.get(1).and_then(Json::as_str)));
        let Some((Some(name), Some(value))) = pair else {
            return Err("user_properties: not a list of pairs of texts".to_owned());
        };
        user_properties.push(name, value);
    }
    let correlation_data = json.some_bytes("correlation_data_base64")?;
    let properties = StoredProperties::new(&MessageProperties {
        payload_format_indicator: json.some_flag("payload_format_indicator")?,
        message_expiry_interval: None,
        content_type: json.some_text("content_type")?,
        response_topic: json.some_text("response_topic")?,
        correlation_data: correlation_data.as_deref(),
        user_properties: user_properties.as_user_properties(),
    });
    // Such as a text that is too long.
    let properties = StoredProperties::from_bytes(properties.as_bytes().into());
    Ok((topic.into(), payload.into(), properties.map_err(|error| error.detail.to_owned())?))
}

/// The fields of a line.
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Json>);

impl<'a> Fields<'a> {
    /// Only these, and the kind: another one might be what limits the rest.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Wrong> {
        match self.0.keys().find(|key| *key != "kind" && !names.contains(&key.as_str())) {
            Some(key) => Err(format!("{key:?} is not known; there are {}", names.join(", "))),
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Wrong> {
        self.some_text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn some_text(&self, name: &str) -> Result<Option<&'a str>, Wrong> {
        self.some(name, "a text", Json::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, Wrong> {
        self.some_number(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn some_number(&self, name: &str) -> Result<Option<u64>, Wrong> {
        self.some(name, "a whole number", Json::as_u64)
    }

    /// A number that fits.
    pub(super) fn small<T: TryFrom<u64>>(&self, name: &str) -> Result<T, Wrong> {
        self.some_small(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn some_small<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, Wrong> {
        let number = self.some_number(name)?;
        number.map(|number| T::try_from(number).map_err(|_| format!("{name} is too large"))).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Wrong> {
        self.some_flag(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn some_flag(&self, name: &str) -> Result<Option<bool>, Wrong> {
        self.some(name, "true or false", Json::as_bool)
    }

    pub(super) fn qos(&self, name: &str) -> Result<QoS, Wrong> {
        QoS::from_byte(self.small(name)?).ok_or_else(|| format!("{name} is not 0, 1 or 2"))
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Json], Wrong> {
        Ok(self.some(name, "a list", Json::as_array)?.map_or(&[], Vec::as_slice))
    }

    pub(super) fn fields(&self, name: &str) -> Result<Option<Fields<'a>>, Wrong> {
        Ok(self.some(name, "an object", Json::as_object)?.map(Fields))
    }

    fn some_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Wrong> {
        let text = self.some_text(name)?;
        text.map(|text| STANDARD.decode(text).map_err(|error| format!("{name}: {error}"))).transpose()
    }

    fn some<T>(
        &self,
        name: &str,
        what: &str,
        read: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(json) => read(json).map(Some).ok_or_else(|| format!("{name} is not {what}")),
        }
    }
}
