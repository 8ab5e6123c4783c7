//! Entries as lines of a dump, and back.

use std::num::NonZeroU64;
use std::sync::Arc;

use ferry_codec::{PacketId, SubscriptionOptions};
use ferry_core::persistence::{EntryKey, QueuedValue, Space, Value};
use ferry_core::{ShardId, Timestamp};
use ferry_session::Subscription;
use serde_json::{Map, Value as Json, json};

use super::message_json::{Fields, Wrong, message, message_json, put_some, will, will_json};

/// The name of each kind, and that of the number that its key has.
const KINDS: [(Space, &str, Option<&str>); 9] = [
    (Space::Retained, "retained", Some("number")),
    (Space::Body, "message", Some("number")),
    (Space::Forwarded, "forwarded", Some("number")),
    (Space::Session, "session", None),
    (Space::Subscription, "subscription", Some("number")),
    (Space::Will, "will", None),
    (Space::Received, "received", Some("packet_id")),
    (Space::Sent, "sent", Some("sequence")),
    (Space::Queued, "queued", Some("sequence")),
];

/// An entry that was read from a line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: EntryKey,
    pub(super) value: Value,
    /// The body that it refers to.
    pub(super) body: Option<EntryKey>,
}

/// The line of an entry; `body` is the one that it refers to.
pub(super) fn line_of(key: EntryKey, value: &Value, body: Option<EntryKey>) -> Option<Json> {
    let (_, kind, number) = KINDS.into_iter().find(|(space, _, _)| *space as u8 == key.space)?;
    let mut json = fields_of(value);
    json.insert("kind".to_owned(), kind.into());
    if key.group > 0 {
        json.insert("session".to_owned(), key.group.into());
    }
    if let Some(number) = number {
        json.insert(number.to_owned(), key.item.into());
    }
    put_some(&mut json, "message_number", body.map(|body| body.item));
    Some(Json::Object(json))
}

/// The entry of a line.
pub(super) fn entry_of(line: &Map<String, Json>) -> Result<Entry, Wrong> {
    let fields = Fields(line);
    let kind = fields.text("kind")?;
    let found = KINDS.into_iter().find(|(_, name, _)| *name == kind);
    let (space, _, number) = found.ok_or_else(|| format!("there is no kind \"{kind}\""))?;
    let is_of_session = space as u8 >= Space::Session as u8;
    let group = match is_of_session {
        true => NonZeroU64::new(fields.number("session")?).ok_or("session 0 is none")?.get(),
        false => 0,
    };
    let item = number.map_or(Ok(0), |number| fields.number(number))?;
    if item >= 1 << 56 {
        return Err("a number is too large".to_owned());
    }
    let body = fields.some_number("message_number")?;
    let body = body.map(|item| EntryKey { group: 0, space: Space::Body as u8, item });
    let value = value_of(space, &fields, body.is_some())?;
    Ok(Entry { key: EntryKey { group, space: space as u8, item }, value, body })
}

fn fields_of(value: &Value) -> Map<String, Json> {
    let json = match value {
        Value::Message(message) => return message_json(message),
        Value::Will(will) => return will_json(will),
        Value::Queued(queued) => return queued_json(queued),
        Value::Received => json!({}),
        Value::Forwarded { to, shard_count, shared_subscription, message } => json!({
            "to_shard": to.0, "shard_count": shard_count, "shared_subscription": shared_subscription,
            "message": message_json(message),
        }),
        Value::Session { client_id, user_name, expiry_interval_seconds, disconnected_at } => json!({
            "client_id": &**client_id, "user_name": user_name.as_deref(),
            "expiry_interval_seconds": expiry_interval_seconds,
            "disconnected_at": disconnected_at.map(|time| time.0),
        }),
        Value::Subscription(Subscription { filter, options, subscription_id }) => json!({
            "filter": filter, "maximum_qos": options.maximum_qos.to_byte(), "no_local": options.no_local,
            "retain_as_published": options.retain_as_published,
            "retain_handling": options.to_byte() >> 4 & 3, "subscription_id": subscription_id,
        }),
        Value::Sent { packet_id, qos, released } => json!({
            "packet_id": packet_id.get(), "qos": qos.to_byte(), "released": released,
        }),
    };
    let Json::Object(mut json) = json else { return Map::new() };
    json.retain(|_, value| !value.is_null());
    json
}

fn queued_json(queued: &QueuedValue) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert("size_bytes".to_owned(), queued.size_bytes.into());
    json.insert("qos".to_owned(), queued.qos.to_byte().into());
    json.insert("retain".to_owned(), queued.retain.into());
    put_some(&mut json, "expires_at", queued.expires_at.map(|time| time.0));
    put_some(&mut json, "packet_id", queued.packet_id.map(PacketId::get));
    put_some(&mut json, "shared_subscription", queued.shared_subscription.as_deref());
    if !queued.subscription_ids.is_empty() {
        json.insert("subscription_ids".to_owned(), queued.subscription_ids.as_slice().into());
    }
    put_some(&mut json, "message", queued.message.as_deref().map(message_json));
    json
}

fn value_of(space: Space, fields: &Fields<'_>, has_body: bool) -> Result<Value, Wrong> {
    Ok(match space {
        Space::Retained | Space::Body => Value::Message(message(fields)?),
        Space::Forwarded => Value::Forwarded {
            to: ShardId(fields.small("to_shard")?),
            shard_count: fields.small("shard_count")?,
            shared_subscription: fields.some_text("shared_subscription")?.map(Box::from),
            message: message(&fields.fields("message")?.ok_or("message is missing")?)?,
        },
        Space::Session => Value::Session {
            client_id: fields.text("client_id")?.into(),
            user_name: fields.some_text("user_name")?.map(Arc::from),
            expiry_interval_seconds: fields.small("expiry_interval_seconds")?,
            disconnected_at: fields.some_number("disconnected_at")?.map(Timestamp),
        },
        Space::Subscription => Value::Subscription(Subscription {
            filter: fields.text("filter")?.into(),
            options: options(fields)?,
            subscription_id: fields.some_small("subscription_id")?,
        }),
        Space::Will => Value::Will(will(fields)?),
        Space::Received => Value::Received,
        Space::Sent => Value::Sent {
            packet_id: packet_id(fields.small("packet_id")?)?,
            qos: fields.qos("qos")?,
            released: fields.some_number("released")?,
        },
        Space::Queued => Value::Queued(Box::new(queued(fields, has_body)?)),
    })
}

fn queued(fields: &Fields<'_>, has_body: bool) -> Result<QueuedValue, Wrong> {
    let inline = fields.fields("message")?.map(|fields| message(&fields)).transpose()?;
    if inline.is_some() == has_body {
        return Err("either message or message_number is needed".to_owned());
    }
    let id = |id: &Json| id.as_u64().and_then(|id| u32::try_from(id).ok());
    let subscription_ids = fields.list("subscription_ids")?.iter().map(id).collect::<Option<_>>();
    Ok(QueuedValue {
        size_bytes: fields.small("size_bytes")?,
        expires_at: fields.some_number("expires_at")?.map(Timestamp),
        qos: fields.qos("qos")?,
        retain: fields.flag("retain")?,
        packet_id: fields.some_small("packet_id")?.map(packet_id).transpose()?,
        subscription_ids: subscription_ids.ok_or("subscription_ids are numbers")?,
        shared_subscription: fields.some_text("shared_subscription")?.map(Box::from),
        message: inline,
    })
}

fn options(fields: &Fields<'_>) -> Result<SubscriptionOptions, Wrong> {
    let retain_handling: u8 = fields.small("retain_handling")?;
    let byte = fields.qos("maximum_qos")?.to_byte()
        | u8::from(fields.flag("no_local")?) << 2
        | u8::from(fields.flag("retain_as_published")?) << 3
        | (retain_handling & 0x0F) << 4;
    SubscriptionOptions::from_byte(byte).ok_or_else(|| "retain_handling is not 0, 1 or 2".to_owned())
}

fn packet_id(number: u16) -> Result<PacketId, Wrong> {
    PacketId::new(number).ok_or_else(|| "packet_id is not 0".to_owned())
}

#[cfg(test)]
mod tests {
    use ferry_codec::{MessageProperties, QoS, StoredProperties, UserPropertiesBuf};
    use ferry_session::{Message, Payload, StoredWill};

    use super::*;

    fn every_message() -> [Message; 2] {
        let mut user_properties = UserPropertiesBuf::new();
        user_properties.push("a", "1");
        user_properties.push("a", "\u{fe0f} \"2\"");
        let properties = StoredProperties::new(&MessageProperties {
            payload_format_indicator: Some(true),
            message_expiry_interval: None,
            content_type: Some("text/plain"),
            response_topic: Some("re"),
            correlation_data: Some(b"\xFF\x00"),
            user_properties: user_properties.as_user_properties(),
        });
        let plain = Message {
            topic: "t".into(),
            payload: Payload::from_slice(b"\xFE\xFF"),
            properties: StoredProperties::default(),
            qos: QoS::AtMostOnce,
            retain: false,
            received_at: Timestamp(7),
            expires_at: None,
            publisher: None,
        };
        let full = Message {
            payload: Payload::from_slice(b"line\nbreak"),
            properties,
            qos: QoS::ExactlyOnce,
            retain: true,
            expires_at: Some(Timestamp(u64::MAX)),
            publisher: Some("p".into()),
            ..plain.clone()
        };
        [plain, full]
    }

    fn values() -> Vec<(Space, Value, Option<u64>)> {
        let mut values = vec![
            (Space::Received, Value::Received, None),
            (Space::Session, session(None), None),
            (Space::Session, session(Some("u")), None),
        ];
        let one = PacketId::new(1).expect("not 0");
        for released in [None, Some(9)] {
            values.push((Space::Sent, Value::Sent { packet_id: one, qos: QoS::ExactlyOnce, released }, None));
        }
        for byte in [0_u8, 0b10_1101] {
            let options = SubscriptionOptions::from_byte(byte).expect("options");
            let subscription_id = (byte > 0).then_some(5);
            let filter = "$share/g/#".into();
            values.push((
                Space::Subscription,
                Value::Subscription(Subscription { filter, options, subscription_id }),
                None,
            ));
        }
        for message in every_message().map(Arc::new) {
            let shared_subscription = message.retain.then(|| "$share/g/t".into());
            let queued = |message, body: Option<u64>| {
                let queued = QueuedValue {
                    size_bytes: 3,
                    expires_at: body.map(Timestamp),
                    qos: QoS::AtLeastOnce,
                    retain: body.is_some(),
                    packet_id: body.map(|_| one),
                    subscription_ids: [1, 268_435_455].into_iter().collect(),
                    shared_subscription: shared_subscription.clone(),
                    message,
                };
                (Space::Queued, Value::Queued(Box::new(queued)), body)
            };
            values.push(queued(Some(Arc::clone(&message)), None));
            values.push(queued(None, Some(77)));
            values.push((Space::Will, Value::Will(Box::new(will_of(&message))), None));
            let (to, shard_count, shared_subscription) = (ShardId(1), 2, shared_subscription.clone());
            let forwarded =
                Value::Forwarded { to, shard_count, shared_subscription, message: Arc::clone(&message) };
            values.push((Space::Forwarded, forwarded, None));
            values.push((Space::Retained, Value::Message(Arc::clone(&message)), None));
            values.push((Space::Body, Value::Message(message), None));
        }
        values
    }

    fn session(user_name: Option<&str>) -> Value {
        Value::Session {
            client_id: "\u{1}c".into(),
            user_name: user_name.map(Arc::from),
            expiry_interval_seconds: u32::MAX,
            disconnected_at: user_name.map(|_| Timestamp(8)),
        }
    }

    fn will_of(message: &Message) -> StoredWill {
        StoredWill {
            topic: (*message.topic).into(),
            payload: (*message.payload).into(),
            properties: message.properties.clone(),
            qos: message.qos,
            retain: message.retain,
            delay_interval_seconds: 4,
            message_expiry_interval_seconds: message.expires_at.map(|_| 5),
        }
    }

    #[test]
    fn every_kind_of_entry_comes_back_from_its_line() {
        for (space, value, body) in values() {
            let (group, item) = if (space as u8) < Space::Session as u8 { (0, 12) } else { (3, 12) };
            let item = if matches!(space, Space::Session | Space::Will) { 0 } else { item };
            let key = EntryKey { group, space: space as u8, item };
            let body = body.map(|item| EntryKey { group: 0, space: Space::Body as u8, item });
            let line = line_of(key, &value, body).expect("a line").to_string();
            let Json::Object(json) = serde_json::from_str(&line).expect("JSON") else { panic!("{line}") };
            let entry = entry_of(&json).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
            assert_eq!((entry.key, entry.body), (key, body), "{line}");
            let (mut before, mut after) = (Vec::new(), Vec::new());
            value.write(&mut before);
            entry.value.write(&mut after);
            assert_eq!(before, after, "{line}");
        }
    }
}
