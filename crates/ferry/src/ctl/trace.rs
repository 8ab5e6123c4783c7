//! `ferry ctl trace`: what one client sends and is sent, a line for each packet.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::arguments::TraceArguments;
use super::failure::Failure;
use super::http::{Api, encoded};
use super::table::visible;
use crate::output;

/// Prints until the trace ends.
pub(super) fn trace(api: &Api, json: bool, arguments: &TraceArguments) -> Result<(), Failure> {
    let mut path = format!(
        "/clients/{}/trace?seconds={}&events={}",
        encoded(&arguments.client_id),
        arguments.seconds,
        arguments.events
    );
    if let Some(payload_bytes) = arguments.payload {
        path.push_str(&format!("&payload_bytes={payload_bytes}"));
    }
    let mut is_whole = false;
    api.lines(&path, |event| {
        is_whole |= event["event"] == "end";
        match event["event"].as_str() {
            _ if json => output::line(&event.to_string()),
            // Not packets, but about them.
            Some("start" | "end") => output::note(visible(&words(event))),
            _ => output::line(&visible(&words(event))),
        }
    })?;
    if is_whole {
        return Ok(());
    }
    Err(Failure::no_answer("the trace was cut off", "look whether the broker still runs, and trace again"))
}

/// An event as people read it.
fn words(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let number = |name: &str| event[name].as_u64().unwrap_or(0);
    let at = event["at_milliseconds"].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    let at = at.map_or(String::new(), |at| at.to_zoned(TimeZone::system()).strftime("%T.%3f").to_string());
    let what = match text("event") {
        "start" if event["is_connected"] == true => {
            return format!("trace of {}, which is connected", text("client_id"));
        }
        "start" => return format!("trace of {}, which is not connected", text("client_id")),
        "packet" => packet(event),
        "dropped" => {
            let (count, reason, topic) = (number("count"), text("reason"), text("last_topic"));
            format!("dropped {count} for it: {reason}, the last on {topic}")
        }
        "refused" | "disconnected" => {
            let detail = text("detail");
            let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
            let (code, reason) = (number("reason_code"), text("reason"));
            format!("{} {}: 0x{code:02X} {reason}{detail}", text("event"), text("address"))
        }
        "closed" => format!("connection closed by {}", text("closed_by")),
        "end" => {
            let missed = number("missed");
            return format!("end: {}; {} events, {missed} missed", text("cause"), number("events"));
        }
        other => other.to_owned(),
    };
    match number("missed") {
        0 => format!("{at} {what}"),
        missed => format!("{at} {what} ({missed} events did not fit and are missing)"),
    }
}

fn packet(event: &Value) -> String {
    let arrow = if event["direction"] == "in" { "in " } else { "out" };
    let mut words = format!("{arrow} {:<11}", event["type"].as_str().unwrap_or("malformed"));
    let mut add = |name: &str, before: &str| match &event[name] {
        Value::Null => {}
        Value::String(text) => words.push_str(&format!(" {before}{text}")),
        Value::Bool(true) => words.push_str(&format!(" {before}")),
        Value::Bool(false) => {}
        other => words.push_str(&format!(" {before}{other}")),
    };
    add("malformed", "");
    add("packet_id", "id ");
    add("user_name", "user ");
    add("clean_start", "clean start");
    add("keep_alive_seconds", "keep alive ");
    add("session_present", "session present");
    add("topic", "");
    add("topic_alias", "alias ");
    add("qos", "QoS ");
    add("retain", "retain");
    add("dup", "dup");
    add("payload_bytes", "payload bytes ");
    add("payload", "");
    add("payload_base64", "base64 ");
    add("filters", "");
    add("reason_codes", "");
    add("reason", "");
    add("reason_string", "");
    add("authentication_method", "");
    words.push_str(&format!(" ({} bytes)", event["bytes"].as_u64().unwrap_or(0)));
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_one_line_each() {
        let publish = json!({
            "event": "packet", "direction": "in", "bytes": 20, "type": "PUBLISH", "packet_id": 7, "topic": "t/1",
            "qos": 1, "retain": true, "dup": false, "payload_bytes": 12,
        });
        assert_eq!(words(&publish), " in  PUBLISH     id 7 t/1 QoS 1 retain payload bytes 12 (20 bytes)");
        let suback = json!({ "event": "packet", "direction": "out", "type": "SUBACK", "bytes": 6, "reason_codes": [1, 135] });
        assert_eq!(words(&suback), " out SUBACK      [1,135] (6 bytes)");
        let refused = json!({
            "event": "refused", "address": "127.0.0.1:1", "reason_code": 0x87, "reason": "Not authorized",
            "detail": "", "missed": 3,
        });
        assert_eq!(
            words(&refused),
            " refused 127.0.0.1:1: 0x87 Not authorized (3 events did not fit and are missing)"
        );
    }
}
