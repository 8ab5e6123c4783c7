//! `%j` and `%J`: a message as one value of JSON.

use ferry_client::{Message, Properties};

use super::Received;
use crate::json_text::{compact, on_several_lines};

/// `%j`: the payload is a string; one that is not UTF-8 is an array of its bytes.
pub(super) fn append(message: &Message, received: &Received, pretty: bool, output: &mut Vec<u8>) {
    let payload = match std::str::from_utf8(&message.payload) {
        _ if message.payload.is_empty() => "null".to_owned(),
        Ok(text) => string(text),
        Err(_) => {
            let bytes: Vec<String> = message.payload.iter().map(u8::to_string).collect();
            format!("[{}]", bytes.join(","))
        }
    };
    finish(message, received, &payload, pretty, output);
}

/// `%J`: the payload is JSON itself.
///
/// # Errors
/// It is not; nothing is appended.
pub(super) fn append_with_json_payload(
    message: &Message,
    received: &Received,
    pretty: bool,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    let wrong = || format!("message payload is not valid JSON on topic {}", message.topic);
    let text = if message.payload.is_empty() { "null" } else { message.text().map_err(|_| wrong())? };
    serde_json::from_str::<serde_json::Value>(text).map_err(|_| wrong())?;
    finish(message, received, &compact(text), pretty, output);
    Ok(())
}

fn finish(message: &Message, received: &Received, payload: &str, pretty: bool, output: &mut Vec<u8>) {
    // Nobody needs the Z before the zone, but programs that read this are used to it.
    let time = received.formatted("%Y-%m-%dT%H:%M:%S");
    let microseconds = received.time.subsec_nanosecond() / 1000;
    let mut text = format!(
        "{{\"tst\":\"{time}.{microseconds:06}Z{}\",\"topic\":{},\"qos\":{},\"retain\":{},\"payloadlen\":{}",
        received.formatted("%z"),
        string(&message.topic),
        message.qos as u8,
        u8::from(message.retain),
        message.payload.len(),
    );
    if let Some(packet_id) = message.packet_id {
        text.push_str(&format!(",\"mid\":{packet_id}"));
    }
    if let Some(properties) = message.properties.as_deref().and_then(properties) {
        text.push_str(",\"properties\":");
        text.push_str(&properties);
    }
    text.push_str(",\"payload\":");
    text.push_str(payload);
    text.push('}');
    let text = if pretty { on_several_lines(&text) } else { text };
    output.extend_from_slice(text.as_bytes());
}

fn properties(properties: &Properties) -> Option<String> {
    let mut members = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        members.extend(value.map(|value| format!("\"{name}\":{value}")));
    };
    let number = |number: u32| number.to_string();
    add(
        "payload-format-indicator",
        properties.payload_format_indicator.map(|is_text| number(is_text.into())),
    );
    add("message-expiry-interval", properties.message_expiry_interval.map(number));
    add("content-type", properties.content_type.as_deref().map(string));
    add("response-topic", properties.response_topic.as_deref().map(string));
    let correlation_data = properties.correlation_data.as_deref();
    add("correlation-data", correlation_data.map(|data| string(&String::from_utf8_lossy(data))));
    for id in &properties.subscription_identifiers {
        add("subscription-identifier", Some(number(*id)));
    }
    if !properties.user_properties.is_empty() {
        let pairs = properties.user_properties.iter();
        let pairs: Vec<_> =
            pairs.map(|(name, value)| format!("{}:{}", string(name), string(value))).collect();
        add("user-properties", Some(format!("{{{}}}", pairs.join(","))));
    }
    if members.is_empty() { None } else { Some(format!("{{{}}}", members.join(","))) }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
