use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_client::{Message, Properties};
use jiff::Timestamp;

/// Appends the first line of a recording: what the file is, since when, and of which filters.
pub(crate) fn append_header(begun: Timestamp, filters: &[String], output: &mut Vec<u8>) {
    let filters = serde_json::json!(filters);
    let line = format!("{{\"ferry_record\":1,\"begun\":\"{begun:.6}\",\"filters\":{filters}}}");
    output.extend_from_slice(line.as_bytes());
    output.push(b'\n');
}

/// Appends a message and a line end. Nothing that can be published again is lost; Subscription Identifiers and the like are left
/// out.
pub(crate) fn append_message(message: &Message, time: Timestamp, output: &mut Vec<u8>) {
    output.extend_from_slice(format!("{{\"time\":\"{time:.6}\"").as_bytes());
    member("topic", &message.topic, output);
    raw_member("qos", &(message.qos as u8).to_string(), output);
    raw_member("retain", if message.retain { "true" } else { "false" }, output);
    if let Some(properties) = message.properties.as_deref() {
        append_properties(properties, output);
    }
    match std::str::from_utf8(&message.payload) {
        Ok(text) => member("payload", text, output),
        Err(_) => member("payload_base64", &STANDARD.encode(&message.payload), output),
    }
    output.extend_from_slice(b"}\n");
}

fn append_properties(properties: &Properties, output: &mut Vec<u8>) {
    let mut members = Vec::new();
    if let Some(is_text) = properties.payload_format_indicator {
        raw_member("payload_format_indicator", if is_text { "1" } else { "0" }, &mut members);
    }
    if let Some(seconds) = properties.message_expiry_interval {
        raw_member("message_expiry_interval", &seconds.to_string(), &mut members);
    }
    if let Some(content_type) = &properties.content_type {
        member("content_type", content_type, &mut members);
    }
    if let Some(topic) = &properties.response_topic {
        member("response_topic", topic, &mut members);
    }
    match properties.correlation_data.as_deref().map(|data| (std::str::from_utf8(data), data)) {
        None => {}
        Some((Ok(text), _)) => member("correlation_data", text, &mut members),
        Some((Err(_), data)) => member("correlation_data_base64", &STANDARD.encode(data), &mut members),
    }
    if !properties.user_properties.is_empty() {
        let pairs = serde_json::json!(properties.user_properties);
        raw_member("user_properties", &pairs.to_string(), &mut members);
    }
    // Without the comma before the first.
    if let Some(members) = members.get(1..) {
        output.extend_from_slice(b",\"properties\":{");
        output.extend_from_slice(members);
        output.push(b'}');
    }
}

fn member(name: &str, text: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(format!(",\"{name}\":").as_bytes());
    // Writing a text to memory cannot fail.
    let _written = serde_json::to_writer(output, text);
}

fn raw_member(name: &str, json: &str, output: &mut Vec<u8>) {
    output.extend_from_slice(format!(",\"{name}\":{json}").as_bytes());
}
