use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_client::{Message, Properties, QoS};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::client::{check_topic_name, qos};
use crate::payload_format::WrittenFormat;

/// What stands on one line.
#[derive(Debug)]
pub(crate) enum JsonLine {
    /// Nothing to publish: the first line of a recording, or an empty one.
    Nothing,
    Message(Box<LineMessage>),
}

/// A message as a line has it: what it does not say is left to the options.
#[derive(Debug, Default)]
pub(crate) struct LineMessage {
    pub(crate) time: Option<Timestamp>,
    pub(crate) topic: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: Option<QoS>,
    pub(crate) retain: Option<bool>,
    pub(crate) properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    ferry_record: u32,
    #[serde(rename = "begun")]
    _begun: Option<IgnoredAny>,
    #[serde(rename = "filters")]
    _filters: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageObject<'a> {
    #[serde(alias = "tst", borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "raw")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    payload_base64: Option<Cow<'a, str>>,
    qos: Option<u8>,
    #[serde(default, deserialize_with = "flag")]
    retain: Option<bool>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    // What received messages have, and published ones have not.
    #[serde(rename = "payloadlen")]
    _payloadlen: Option<IgnoredAny>,
    #[serde(rename = "mid")]
    _mid: Option<IgnoredAny>,
    #[serde(rename = "dup")]
    _dup: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PropertiesObject {
    #[serde(alias = "payload-format-indicator", default, deserialize_with = "flag")]
    payload_format_indicator: Option<bool>,
    #[serde(alias = "message-expiry-interval")]
    message_expiry_interval: Option<u32>,
    #[serde(alias = "content-type")]
    content_type: Option<String>,
    #[serde(alias = "response-topic")]
    response_topic: Option<String>,
    #[serde(alias = "correlation-data")]
    correlation_data: Option<String>,
    #[serde(alias = "correlation-data-base64")]
    correlation_data_base64: Option<String>,
    #[serde(alias = "user-properties", default, deserialize_with = "pairs")]
    user_properties: Vec<(String, String)>,
    #[serde(rename = "subscription-identifier", alias = "topic-alias")]
    _of_the_connection: Option<IgnoredAny>,
}

impl JsonLine {
    /// Reads a line, without its end. Its `payload` is written in `format`; without one it is itself, as `payload_base64` always
    /// is.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(line: &[u8], format: Option<WrittenFormat>) -> Result<Self, String> {
        if line.trim_ascii().is_empty() {
            return Ok(Self::Nothing);
        }
        if line.starts_with(b"{\"ferry_record\"") {
            let header: Header = serde_json::from_slice(line).map_err(|error| words_of(&error))?;
            return match header.ferry_record {
                1 => Ok(Self::Nothing),
                version => Err(format!("a recording of version {version}; this program knows version 1")),
            };
        }
        if !line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok() {
            return Err("not an object such as {\"topic\":\"a\",\"payload\":\"x\"}".to_owned());
        }
        let object: MessageObject<'_> = serde_json::from_slice(line).map_err(|error| words_of(&error))?;
        object.into_message(format).map(|message| Self::Message(Box::new(message)))
    }
}

impl LineMessage {
    /// The message, with what it lacks taken from `defaults`.
    ///
    /// # Errors
    /// There is no topic, or it is not one.
    pub(crate) fn into_message(self, defaults: &Message) -> Result<Message, String> {
        let topic = self.topic.unwrap_or_else(|| defaults.topic.clone());
        if topic.is_empty() {
            return Err("topic is missing; add it to the line, or say it with -t for all lines".to_owned());
        }
        check_topic_name(&topic)?;
        Ok(Message {
            topic,
            payload: self.payload,
            qos: self.qos.unwrap_or(defaults.qos),
            retain: self.retain.unwrap_or(defaults.retain),
            properties: self.properties.map(Box::new).or_else(|| defaults.properties.clone()),
            ..Message::default()
        })
    }
}

impl MessageObject<'_> {
    fn into_message(self, format: Option<WrittenFormat>) -> Result<LineMessage, String> {
        let payload = match (self.payload, self.payload_base64) {
            (Some(_), Some(_)) => return Err("payload and payload_base64: one of them is enough".to_owned()),
            (Some(json), None) => match format {
                Some(format) => written_payload_of(json, format)?,
                None => payload_of(json)?,
            },
            (None, Some(text)) => bytes_of_base64("payload_base64", &text)?,
            (None, None) => return Err("payload is missing; an empty one is \"payload\":null".to_owned()),
        };
        let qos = match self.qos {
            Some(number @ 0..=2) => Some(qos(number)),
            Some(number) => return Err(format!("qos: {number} is not 0, 1 or 2")),
            None => None,
        };
        let time = self.time.as_deref().map(time_of).transpose()?;
        let properties = self.properties.map(properties_of).transpose()?;
        let topic = self.topic.map(Cow::into_owned);
        Ok(LineMessage { time, topic, payload, qos, retain: self.retain, properties })
    }
}

impl PropertiesObject {
    fn into_properties(self) -> Result<Properties, String> {
        let correlation_data = match (self.correlation_data, self.correlation_data_base64) {
            (Some(_), Some(_)) => {
                return Err("correlation_data and correlation_data_base64: one of them is enough".to_owned());
            }
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(text)) => Some(bytes_of_base64("correlation_data_base64", &text)?),
            (None, None) => None,
        };
        Ok(Properties {
            payload_format_indicator: self.payload_format_indicator,
            message_expiry_interval: self.message_expiry_interval,
            content_type: self.content_type,
            response_topic: self.response_topic,
            correlation_data,
            user_properties: self.user_properties,
            subscription_identifiers: Vec::new(),
        })
    }
}

/// A text as it is, an array as bytes, and everything else as the JSON that it is, with numbers as they are written.
fn payload_of(json: &RawValue) -> Result<Vec<u8>, String> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(text).map_err(|error| words_of(&error))?;
            Ok(text.into_bytes())
        }
        Some(b'[') => serde_json::from_str(text).map_err(|_| {
            "payload: an array has the bytes of the payload, 0 to 255; a payload that is JSON with [ at its beginning is \
             given as a text"
                .to_owned()
        }),
        Some(b'n') => Ok(Vec::new()),
        _ => Ok(text.as_bytes().to_vec()),
    }
}

/// A text is in the format, and everything else as it is written.
fn written_payload_of(json: &RawValue, format: WrittenFormat) -> Result<Vec<u8>, String> {
    let text = json.get();
    let written = if text.starts_with('"') {
        serde_json::from_str(text).map_err(|error| words_of(&error))?
    } else {
        text.to_owned()
    };
    format.payload(written.into_bytes()).map_err(|words| format!("payload: {words}"))
}

/// An array is not taken for the members in their order.
fn properties_of(json: &RawValue) -> Result<Properties, String> {
    if !json.get().starts_with('{') {
        return Err("properties: not an object such as {\"content_type\":\"text/plain\"}".to_owned());
    }
    let object: PropertiesObject = serde_json::from_str(json.get()).map_err(|error| words_of(&error))?;
    object.into_properties()
}

fn bytes_of_base64(name: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("{name}: not base64: {error}"))
}

/// RFC 3339; and `Z+0100` at the end, as `%j` has it.
fn time_of(text: &str) -> Result<Timestamp, String> {
    let wrong = |_| format!("time: {text:?} is not such as 2026-01-31T12:00:00.5Z");
    match text.rsplit_once("Z+").map(|(time, zone)| format!("{time}+{zone}")).or_else(|| {
        let (time, zone) = text.rsplit_once("Z-")?;
        Some(format!("{time}-{zone}"))
    }) {
        Some(time) => time.parse().map_err(wrong),
        None => text.parse().map_err(wrong),
    }
}

/// Without the number of the line within the line, which is always 1.
fn words_of(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let (words, _) = words.rsplit_once(" at line ").unwrap_or((&words, ""));
    let words = WORDS.iter().fold(words.to_owned(), |words, (theirs, ours)| words.replace(theirs, ours));
    if error.is_data() { words } else { format!("not JSON at column {}: {words}", error.column()) }
}

/// What a parser of Rust's values calls things, and what they are on a line.
const WORDS: [(&str, &str); 6] = [
    ("expected u8", "expected 0, 1 or 2"),
    ("expected u32", "expected a number up to 4294967295"),
    ("a tuple of size 2", "a pair of texts"),
    ("type: sequence", "type: array"),
    ("type: map", "type: object"),
    ("type: unit", "type: null"),
];

/// `null` too is a value.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// true, false, 1 or 0.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = Option<bool>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            match value {
                0 => Ok(Some(false)),
                1 => Ok(Some(true)),
                _ => Err(E::custom(format!("{value} is neither 0 nor 1"))),
            }
        }
    }
    deserializer.deserialize_any(Flag)
}

/// A list of pairs, or an object; both in their order, with names that come several times.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs(PhantomData<()>);
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of pairs of texts, or an object")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = list.next_element()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = object.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_any(Pairs(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_line::{append_header, append_message};

    fn parse(line: &str) -> Result<Message, String> {
        match JsonLine::parse(line.as_bytes(), None)? {
            JsonLine::Nothing => panic!("{line}: nothing"),
            JsonLine::Message(message) => message.into_message(&Message::default()),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let time: Timestamp = "2026-01-31T12:00:00.000005Z".parse().unwrap();
        let plain = Message::new("a/b", "x \"y\" \u{1F98B}\n\u{0}");
        let binary = Message::new("a", [0xFF, 0, 10]).qos(QoS::ExactlyOnce).retain(true);
        let properties = Message::new("ä", "")
            .content_type("text/plain")
            .expiry_seconds(7)
            .response_topic("r")
            .correlation_data([1, 255])
            .user_property("a", "1")
            .user_property("a", "2");
        let mut text = properties.clone().correlation_data("seven");
        text.properties_mut().payload_format_indicator = Some(true);
        let mut output = Vec::new();
        append_header(time, &["a/#".to_owned()], &mut output);
        let messages = [plain, binary, properties, text];
        for message in &messages {
            append_message(message, time, &mut output);
        }
        let mut lines = output.split(|byte| *byte == b'\n');
        assert!(matches!(JsonLine::parse(lines.next().unwrap(), None), Ok(JsonLine::Nothing)));
        for message in messages {
            let Ok(JsonLine::Message(read)) = JsonLine::parse(lines.next().unwrap(), None) else { panic!() };
            assert_eq!(read.time, Some(time));
            assert_eq!(read.into_message(&Message::default()), Ok(message));
        }
        assert!(matches!(JsonLine::parse(lines.next().unwrap(), None), Ok(JsonLine::Nothing)));
    }

    #[test]
    fn payloads_are_texts_bytes_or_json() {
        for (json, payload) in [
            ("\"a\\n\"", b"a\n".as_slice()),
            ("null", b""),
            ("[0,255]", &[0, 255]),
            ("21.50", b"21.50"),
            ("true", b"true"),
            ("{\"a\": 1}", b"{\"a\": 1}"),
        ] {
            let message = parse(&format!("{{\"topic\":\"t\",\"payload\":{json}}}")).unwrap();
            assert_eq!(message.payload, payload, "{json}");
        }
    }

    #[test]
    fn the_output_of_mosquitto_sub_is_understood() {
        let line = r#"{"tst":"2026-01-31T12:00:00.250000Z+0100","topic":"a","qos":1,"retain":1,"payloadlen":1,"mid":3,"properties":{"content-type":"x","user-properties":{"a":"1","a":"2"}},"payload":"y"}"#;
        let Ok(JsonLine::Message(message)) = JsonLine::parse(line.as_bytes(), None) else { panic!() };
        assert_eq!(message.time, Some("2026-01-31T11:00:00.25Z".parse().unwrap()));
        let expected = Message::new("a", "y").qos(QoS::AtLeastOnce).retain(true).content_type("x");
        let expected = expected.user_property("a", "1").user_property("a", "2");
        assert_eq!(message.into_message(&Message::default()), Ok(expected));
    }

    #[test]
    fn what_a_line_lacks_is_taken_from_the_options() {
        let defaults = Message::new("t", "").qos(QoS::AtLeastOnce).retain(true).content_type("c");
        let Ok(JsonLine::Message(line)) = JsonLine::parse(b"{\"payload\":\"x\"}", None) else { panic!() };
        assert_eq!(line.into_message(&defaults), Ok(Message { payload: b"x".to_vec(), ..defaults }));
    }

    #[test]
    fn payloads_are_written_in_a_format() {
        let payload = |format: WrittenFormat, json: &str| match JsonLine::parse(
            format!("{{{json}}}").as_bytes(),
            Some(format),
        )? {
            JsonLine::Nothing => panic!("{json}: nothing"),
            JsonLine::Message(message) => Ok(message.payload),
        };
        for (format, json, expected) in [
            (WrittenFormat::Hex, "\"payload\":\"00 ff\"", Ok(vec![0, 255])),
            (WrittenFormat::Hex, "\"payload_base64\":\"/w==\"", Ok(vec![255])),
            (WrittenFormat::Hex, "\"payload\":1234", Ok(vec![0x12, 0x34])),
            (WrittenFormat::Cbor, "\"payload\":[1,2]", Ok(vec![0x82, 1, 2])),
            (WrittenFormat::Cbor, "\"payload\":\"[1,2]\"", Ok(vec![0x82, 1, 2])),
            (WrittenFormat::Cbor, "\"payload\":null", Ok(vec![0xF6])),
            (WrittenFormat::Json, "\"payload\":{\"a\": 1.50}", Ok(b"{\"a\": 1.50}".to_vec())),
            (
                WrittenFormat::Hex,
                "\"payload\":\"xy\"",
                Err("payload: 'x' at character 1 is no hexadecimal digit".to_owned()),
            ),
        ] {
            assert_eq!(payload(format, json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("{", "not JSON at column 1"),
            ("hello", "not JSON at column 1"),
            ("[]", "not an object such as"),
            ("[null,\"a\",\"x\"]", "not an object such as"),
            (
                "{\"topic\":\"a\",\"payload\":\"a\",\"qos\":\"1\"}",
                "invalid type: string \"1\", expected 0, 1 or 2",
            ),
            ("{\"topic\":\"a\",\"payload\":\"a\",\"properties\":1}", "properties: not an object"),
            ("{\"topic\":\"a\",\"payload\":\"a\",\"properties\":[true]}", "properties: not an object"),
            (
                "{\"topic\":\"a\",\"payload\":\"a\",\"properties\":{\"message_expiry_interval\":-1}}",
                "expected a number up to 4294967295",
            ),
            (
                "{\"topic\":\"a\",\"payload\":\"a\",\"properties\":{\"user_properties\":[[\"a\"]]}}",
                "expected a pair of texts",
            ),
            ("{\"topic\":[\"a\"],\"payload\":\"a\"}", "invalid type: array, expected a string"),
            ("{\"ferry_record\":-1}", "expected a number up to"),
            ("{\"topic\":\"a\"}", "payload is missing"),
            ("{\"payload\":\"a\"}", "topic is missing"),
            ("{\"topic\":\"a/#\",\"payload\":\"a\"}", "+ and # are for subscribing"),
            ("{\"topic\":\"a\",\"payload\":\"a\",\"qos\":3}", "qos: 3 is not 0, 1 or 2"),
            ("{\"topic\":\"a\",\"payload\":\"a\",\"retian\":true}", "unknown field `retian`"),
            ("{\"topic\":\"a\",\"payload\":\"a\",\"retain\":2}", "2 is neither 0 nor 1"),
            ("{\"topic\":\"a\",\"payload\":[1,\"x\"]}", "an array has the bytes"),
            ("{\"topic\":\"a\",\"payload_base64\":\"=\"}", "payload_base64: not base64"),
            ("{\"topic\":\"a\",\"payload\":\"\",\"payload_base64\":\"\"}", "one of them is enough"),
            ("{\"topic\":\"a\",\"payload\":\"\",\"time\":\"noon\"}", "time: \"noon\" is not such as"),
            ("{\"ferry_record\":2}", "a recording of version 2"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
