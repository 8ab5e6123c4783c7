//! The JSON of OTLP: `ExportTraceServiceRequest`, and what is of interest in the answer. Identifiers are hexadecimal,
//! whole numbers of 64 bits are texts, names are those of protobuf in lower camel case (OTLP, "JSON Protobuf Encoding").

use ferry_codec::ProtocolVersion;
use ferry_core::{Span, SpanKind, SpanOutcome};
use serde_json::{Value, json};

use crate::admin_api::reason_code_label;

/// `SpanKind`: what others ask for, and what goes out to others.
const KIND_SERVER: u8 = 2;
const KIND_PRODUCER: u8 = 4;

const STATUS_ERROR: u8 = 2;

/// `SpanFlags`: it is sampled; it is known where the parent is; that is another process.
const SAMPLED: u32 = 0x01;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What all spans have in common: who tells them.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) service_name: String,
    /// The name of this broker among those of the same service.
    pub(super) instance_id: String,
}

/// The body of a request.
pub(super) fn request(resource: &Resource, spans: &[Span]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let attributes = [
        text("service.name", &resource.service_name),
        text("service.version", version),
        text("service.instance.id", &resource.instance_id),
    ];
    let spans: Vec<Value> = spans.iter().map(span_value).collect();
    json!({
        "resourceSpans": [{
            "resource": { "attributes": attributes },
            "scopeSpans": [{ "scope": { "name": "ferry", "version": version }, "spans": spans }],
        }],
    })
    .to_string()
}

/// How many spans of a request the collector did not take, and what it says about that: `partialSuccess`.
pub(super) fn rejected(answer: &[u8]) -> (u64, Option<String>) {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    let count = &partial["rejectedSpans"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
    let message = partial["errorMessage"].as_str().filter(|message| !message.is_empty());
    (count, message.map(str::to_owned))
}

fn span_value(span: &Span) -> Value {
    let (name, kind) = match span.kind {
        SpanKind::Receive => ("receive", KIND_SERVER),
        SpanKind::Deliver => ("deliver", KIND_PRODUCER),
    };
    let is_remote = span.kind == SpanKind::Receive && span.parent_id.is_some();
    let remote = if is_remote { IS_REMOTE } else { 0 };
    let mut value = json!({
        "traceId": format!("{:032x}", span.trace_id),
        "spanId": format!("{:016x}", span.span_id),
        "flags": SAMPLED | HAS_IS_REMOTE | remote,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": span.started_nanoseconds.to_string(),
        "endTimeUnixNano": span.ended_nanoseconds.to_string(),
        "attributes": attributes(span),
    });
    if let Some(parent_id) = span.parent_id {
        value["parentSpanId"] = format!("{parent_id:016x}").into();
    }
    if let Some(trace_state) = &span.trace_state {
        value["traceState"] = (**trace_state).into();
    }
    if let Some(error) = error(&span.outcome) {
        value["status"] = json!({ "code": STATUS_ERROR, "message": error });
    }
    value
}

/// By the semantic conventions for messaging, as far as these have a name for it; `mqtt.` is what the protocol adds, `ferry.`
/// what this broker does.
fn attributes(span: &Span) -> Vec<Value> {
    let (operation, operation_type) = match span.kind {
        SpanKind::Receive => ("receive", "receive"),
        SpanKind::Deliver => ("deliver", "send"),
    };
    let mut attributes = vec![
        text("messaging.system", "mqtt"),
        text("messaging.operation.name", operation),
        text("messaging.operation.type", operation_type),
        text("messaging.destination.name", &span.topic),
        text("messaging.client.id", &span.client_id),
        number("messaging.message.body.size", span.payload_bytes as u64),
        text("network.protocol.name", "mqtt"),
        number("mqtt.qos", u64::from(span.qos.to_byte())),
        flag("mqtt.retain", span.retain),
    ];
    attributes
        .extend(span.protocol_version.map(|version| text("network.protocol.version", name_of(version))));
    if span.kind == SpanKind::Deliver {
        attributes.push(flag("ferry.queued", span.is_queued));
    }
    match span.outcome {
        SpanOutcome::Done(reason_code) => {
            attributes.push(number("mqtt.reason_code", u64::from(reason_code.code())));
        }
        SpanOutcome::Dropped(reason) => attributes.push(text("ferry.dropped", reason.name())),
        SpanOutcome::Unfinished(why) => attributes.push(text("ferry.unfinished", why)),
    }
    attributes.extend(error(&span.outcome).map(|error| text("error.type", &error)));
    attributes
}

/// A word that is one of few.
fn error(outcome: &SpanOutcome) -> Option<String> {
    match outcome {
        SpanOutcome::Done(reason_code) => {
            reason_code.is_error().then(|| reason_code_label(reason_code.code()))
        }
        SpanOutcome::Dropped(reason) => Some(reason.name().to_owned()),
        SpanOutcome::Unfinished(_) => None,
    }
}

fn name_of(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V31 => "3.1",
        ProtocolVersion::V311 => "3.1.1",
        ProtocolVersion::V5 => "5.0",
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn flag(key: &str, value: bool) -> Value {
    json!({ "key": key, "value": { "boolValue": value } })
}

#[cfg(test)]
pub(super) mod tests {
    use std::num::{NonZeroU64, NonZeroU128};

    use ferry_codec::{QoS, ReasonCode};
    use ferry_core::DropReason;

    use super::*;

    /// A message of a publisher that is in a trace.
    pub(in super::super) fn span() -> Span {
        Span {
            kind: SpanKind::Receive,
            trace_id: NonZeroU128::new(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c).expect("not 0"),
            span_id: NonZeroU64::new(0x17).expect("not 0"),
            parent_id: NonZeroU64::new(0xb7ad_6b71_6920_3331),
            trace_state: Some("x=1".into()),
            started_nanoseconds: 1_790_000_000_000_000_001,
            ended_nanoseconds: 1_790_000_000_000_000_009,
            client_id: "lamp".into(),
            protocol_version: Some(ProtocolVersion::V5),
            topic: "a/\"b\"".into(),
            payload_bytes: 5,
            qos: QoS::AtLeastOnce,
            retain: true,
            is_queued: false,
            outcome: SpanOutcome::Done(ReasonCode::SUCCESS),
        }
    }

    fn only(span: Span) -> Value {
        let resource = Resource { service_name: "s".to_owned(), instance_id: "i".to_owned() };
        let request: Value = serde_json::from_str(&request(&resource, &[span])).expect("JSON");
        request["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone()
    }

    fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
        let attributes = span["attributes"].as_array().expect("a list");
        attributes
            .iter()
            .find(|attribute| attribute["key"] == key)
            .map_or(&Value::Null, |found| &found["value"])
    }

    #[test]
    fn a_span_is_as_the_protocol_has_it() {
        let value = only(span());
        assert_eq!(value["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(value["spanId"], "0000000000000017");
        assert_eq!(value["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(value["traceState"], "x=1");
        assert_eq!(value["flags"], 0x301);
        assert_eq!((&value["name"], &value["kind"]), (&json!("receive"), &json!(2)));
        assert_eq!(value["startTimeUnixNano"], "1790000000000000001");
        assert_eq!(attribute(&value, "messaging.destination.name"), &json!({ "stringValue": "a/\"b\"" }));
        assert_eq!(attribute(&value, "messaging.message.body.size"), &json!({ "intValue": "5" }));
        assert_eq!(attribute(&value, "mqtt.retain"), &json!({ "boolValue": true }));
        assert_eq!(attribute(&value, "network.protocol.version"), &json!({ "stringValue": "5.0" }));
        assert_eq!((&value["status"], attribute(&value, "error.type")), (&Value::Null, &Value::Null));
    }

    #[test]
    fn what_went_wrong_is_an_error() {
        let denied = SpanOutcome::Done(ReasonCode::NOT_AUTHORIZED);
        let value = only(Span { outcome: denied, parent_id: None, trace_state: None, ..span() });
        assert_eq!(value["status"], json!({ "code": 2, "message": "not_authorized" }));
        assert_eq!(attribute(&value, "mqtt.reason_code"), &json!({ "intValue": "135" }));
        assert_eq!((&value["parentSpanId"], &value["traceState"]), (&Value::Null, &Value::Null));
        assert_eq!(value["flags"], 0x101);
        let dropped = SpanOutcome::Dropped(DropReason::QueueFull);
        let value = only(Span { outcome: dropped, kind: SpanKind::Deliver, ..span() });
        assert_eq!(attribute(&value, "error.type"), &json!({ "stringValue": "queue_full" }));
        assert_eq!((&value["kind"], &value["flags"]), (&json!(4), &json!(0x101)));
        let value = only(Span { outcome: SpanOutcome::Unfinished("why"), ..span() });
        assert_eq!(
            (&value["status"], attribute(&value, "ferry.unfinished")),
            (&Value::Null, &json!({ "stringValue": "why" }))
        );
    }

    #[test]
    fn answers() {
        for nothing in ["", "{}", "no JSON", "[1]", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":7}"#] {
            assert_eq!(rejected(nothing.as_bytes()), (0, None), "{nothing}");
        }
        let some = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
        assert_eq!(rejected(some), (3, Some("too old".to_owned())));
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":3}}"#), (3, None));
    }
}
