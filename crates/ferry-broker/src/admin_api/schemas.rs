//! What requests and answers look like, for the OpenAPI document.

use serde_json::{Map, Value, json};

use super::access_schemas::of_access;
use super::clients::TEXT_CHARACTERS_MAX;

/// The regular expression (ECMA-262) of a topic name, section 4.7.
pub(super) const TOPIC_NAME: &str = r"^[^+#\u0000]+$";

/// Of a topic filter that is not shared.
pub(super) const TOPIC_FILTER: &str = r"^(?!$|\$share/)(([^/+#\u0000]*|\+)/)*([^/+#\u0000]*|\+|#)$";

/// Of a filter for what may be deleted.
pub(super) const DELETED_FILTER: &str = r"^(?!$|\$share/|\$SYS)(([^/+#\u0000]*|\+)/)*([^/+#\u0000]*|\+|#)$";

/// Of a cursor, which is opaque otherwise.
pub(super) const CURSOR: &str = "^[A-Za-z0-9_.-]+$";

/// Of a topic that others than the broker may publish to.
const PUBLISHED_TOPIC: &str = r"^(?!\$SYS($|/))[^+#\u0000]+$";

/// Of any text that MQTT allows [MQTT-1.5.4-2].
pub(super) const TEXT: &str = r"^[^\u0000]*$";

/// Of levels of the log: for all, and others for modules; `off` for all alone would log nothing.
const LOG_LEVELS: &str = concat!(
    "^(off,)?(error|warn|info|debug|trace|[A-Za-z_][A-Za-z0-9_:]*=(off|error|warn|info|debug|trace))",
    "(,(error|warn|info|debug|trace|[A-Za-z_][A-Za-z0-9_:]*=(off|error|warn|info|debug|trace)))*$"
);

/// Of bytes in base64 with padding, RFC 4648: bits that mean nothing are 0.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// Every schema by its name.
pub(super) fn schemas() -> Value {
    let mut all = Map::new();
    let add = &mut |name: &str, schema: Value| {
        all.insert(name.to_owned(), schema);
    };
    add(
        "Problem",
        object(&[
            ("type", text()),
            ("title", text()),
            ("status", count()),
            ("detail", text()),
            ("remedy", text()),
        ]),
    );
    add("Health", object(&[("status", text()), ("shards", count()), ("certificates", certificates())]));
    add(
        "Ready",
        object(&[
            ("status", text()),
            ("listeners", text()),
            ("storage", text()),
            ("overload", maybe("string")),
            ("detail", maybe("string")),
        ]),
    );
    add("OpenApi", json!({ "type": "object" }));
    add("Done", object(&[("done", text())]));
    add("Broker", broker());
    of_the_broker(add);
    of_clients(add);
    of_messages(add);
    of_access(add);
    add("History", history());
    add("TraceEvent", trace_event());
    of_traffic(add);
    add(
        "LogRequest",
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["levels"],
            "properties": { "levels": matching(LOG_LEVELS, "Such as info,ferry_broker::driver=debug.") },
        }),
    );
    add("DisconnectRequest", disconnect_request());
    add("PublishRequest", publish_request());
    Value::Object(all)
}

fn broker() -> Value {
    let mut traces = object(&[
        ("endpoint", text()),
        ("spans_exported", count()),
        ("spans_dropped", count()),
        ("fault", maybe("string")),
    ]);
    traces["type"] = json!(["object", "null"]);
    object(&[
        ("version", text()),
        ("name", text()),
        ("uptime_seconds", count()),
        ("shards", count()),
        ("process", json!({ "type": "object" })),
        ("clients_connected", count()),
        ("connections", count()),
        ("sessions", count()),
        ("subscriptions", count()),
        ("retained_messages", count()),
        ("retained_bytes", count()),
        ("queue_messages", count()),
        ("queue_bytes", count()),
        ("inflight_messages", count()),
        ("messages_dropped", count()),
        ("storage", text()),
        ("traces", traces),
        ("certificates", certificates()),
        ("limits", json!({ "type": "object" })),
    ])
}

/// Files, and when the first thing in them ends, in seconds since 1970.
fn certificates() -> Value {
    list(object(&[("file", text()), ("ends_at_seconds", json!({ "type": "integer" }))]))
}

fn client() -> Value {
    let mut certificate_names = list(text());
    certificate_names["type"] = json!(["array", "null"]);
    let mut connection = object(&[
        ("address", text()),
        ("listener", text()),
        ("transport", text()),
        ("protocol_version", text()),
        ("keep_alive_seconds", count()),
        ("silent_seconds", count()),
        ("unwritten_bytes", count()),
        ("is_paused", json!({ "type": "boolean" })),
        ("bytes_received", count()),
        ("bytes_sent", count()),
        ("messages_received", count()),
        ("messages_sent", count()),
        ("certificate_common_name", maybe("string")),
        ("certificate_subject", maybe("string")),
        ("certificate_alternative_names", certificate_names),
        ("certificate_fingerprint", maybe("string")),
    ]);
    connection["description"] = "Bytes and messages are counted since the client has connected.".into();
    object(&[
        ("client_id", text()),
        ("user_name", maybe("string")),
        ("connected", json!({ "type": "boolean" })),
        ("connection", json!({ "oneOf": [connection, { "type": "null" }] })),
        ("subscriptions", count()),
        ("queue_messages", count()),
        ("queue_bytes", count()),
        ("inflight_messages", count()),
        ("expiry_interval_seconds", maybe("integer")),
        ("ends_at_milliseconds", maybe("integer")),
    ])
}

fn disconnect_request() -> Value {
    let words = |about| {
        let mut schema = matching(TEXT, about);
        schema["maxLength"] = TEXT_CHARACTERS_MAX.into();
        schema
    };
    let reason = words("Words for people (Reason String).");
    let reason_code = json!({
        "type": "integer", "minimum": 128, "maximum": 162,
        "description": "Of DISCONNECT, for MQTT 5.0 clients; 152 (Administrative action) if absent.",
    });
    let referring = json!({ "enum": [156, 157], "description": "Use another server, Server moved." });
    let mut elsewhere = exactly(&[
        ("reason_code", referring),
        ("reason", reason.clone()),
        ("server_reference", words("Another server.")),
    ]);
    elsewhere["required"] = json!(["reason_code", "server_reference"]);
    json!({ "anyOf": [exactly(&[("reason_code", reason_code), ("reason", reason)]), elsewhere] })
}

fn publish_request() -> Value {
    let with = |payload: &'static str, schema: Value| {
        let mut request = exactly(&[
            ("topic", matching(PUBLISHED_TOPIC, "A topic name that is not below $SYS.")),
            (payload, schema),
            ("qos", json!({ "type": "integer", "minimum": 0, "maximum": 2 })),
            ("retain", json!({ "type": "boolean" })),
            ("content_type", matching(TEXT, "What the payload is, such as application/json.")),
            ("response_topic", matching(TOPIC_NAME, "Where an answer is expected.")),
            (
                "message_expiry_interval_seconds",
                json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 }),
            ),
        ]);
        request["required"] = json!(["topic"]);
        request
    };
    json!({ "anyOf": [
        with("payload", json!({ "type": "string", "description": "The message as text." })),
        with("payload_base64", matching(BASE64, "The message as bytes.")),
    ] })
}

fn of_the_broker(add: &mut dyn FnMut(&str, Value)) {
    add(
        "Listeners",
        page(object(&[
            ("address", text()),
            ("connections", count()),
            ("connections_max", maybe("integer")),
            ("maximum_qos", count()),
            ("protocol_versions", list(text())),
            ("allow_anonymous", json!({ "type": "boolean" })),
        ])),
    );
    add(
        "Drops",
        object(&[
            ("total", count()),
            (
                "items",
                list(object(&[
                    ("reason", text()),
                    ("count", count()),
                    ("last_client_id", maybe("string")),
                    ("last_topic", maybe("string")),
                ])),
            ),
        ]),
    );
    add(
        "Configuration",
        object(&[(
            "items",
            list(object(&[
                ("option", text()),
                ("value", text()),
                ("origin", text()),
                ("is_default", json!({ "type": "boolean" })),
                ("reload", json!({ "enum": ["live", "restart"] })),
            ])),
        )]),
    );
    let changes = || list(object(&[("option", text()), ("before", text()), ("after", text())]));
    add("Reloaded", object(&[("live", changes()), ("restart", changes())]));
}

fn of_clients(add: &mut dyn FnMut(&str, Value)) {
    add("Client", client());
    add("Clients", page(json!({ "$ref": "#/components/schemas/Client" })));
    add("Subscriptions", page(json!({ "$ref": "#/components/schemas/Subscription" })));
    add(
        "Subscription",
        object(&[
            ("client_id", text()),
            ("filter", text()),
            ("maximum_qos", count()),
            ("no_local", json!({ "type": "boolean" })),
            ("retain_as_published", json!({ "type": "boolean" })),
            ("retain_handling", count()),
            ("subscription_id", maybe("integer")),
        ]),
    );
}

fn history() -> Value {
    let decision = object(&[
        ("what", json!({ "enum": ["refused", "disconnected", "slowed"] })),
        ("at_milliseconds", count()),
        ("reason_code", count()),
        ("reason", text()),
        ("detail", text()),
        ("address", text()),
        ("listener", text()),
        ("count", count()),
    ]);
    object(&[
        ("client_id", text()),
        ("has_session", json!({ "type": "boolean" })),
        ("is_connected", json!({ "type": "boolean" })),
        ("decisions", list(decision)),
        ("drops", list(object(&[("reason", text()), ("count", count())]))),
        ("last_dropped_topic", maybe("string")),
    ])
}

fn of_traffic(add: &mut dyn FnMut(&str, Value)) {
    let talker = object(&[
        ("client_id", text()),
        ("bytes_received", count()),
        ("bytes_sent", count()),
        ("messages_received", count()),
        ("messages_sent", count()),
        ("bytes_per_second", count()),
        ("messages_received_per_second", count()),
        ("messages_sent_per_second", count()),
        ("seconds", count()),
    ]);
    add("TopTalkers", object(&[("items", list(talker)), ("error_bytes_max", count())]));
    let waiting = object(&[
        ("waiting_bytes", count()),
        ("oldest_waiting_milliseconds", maybe("integer")),
        ("drops", json!({ "type": "object", "additionalProperties": count() })),
    ]);
    let subscriber = json!({ "allOf": [{ "$ref": "#/components/schemas/Client" }, waiting] });
    let complete = json!({ "type": "boolean" });
    add("SlowSubscribers", object(&[("items", list(subscriber)), ("is_complete", complete)]));
}

fn trace_event() -> Value {
    json!({
        "type": "object",
        "required": ["event", "at_milliseconds"],
        "properties": {
            "event": { "enum": ["start", "packet", "dropped", "refused", "disconnected", "closed", "end"] },
            "at_milliseconds": count(),
            "direction": { "enum": ["in", "out"] },
            "type": text(),
            "bytes": count(),
            "packet_id": count(),
            "topic": text(),
            "qos": count(),
            "payload_bytes": count(),
            "reason_code": count(),
            "missed": { "type": "integer", "minimum": 0, "description": "Events before this one that did not fit." },
        },
    })
}

fn of_messages(add: &mut dyn FnMut(&str, Value)) {
    add(
        "Topic",
        object(&[
            ("topic", text()),
            ("subscriber_count", count()),
            ("subscribers", list(object(&[("client_id", text()), ("maximum_qos", count())]))),
            ("is_retained", json!({ "type": "boolean" })),
        ]),
    );
    let retained = || {
        vec![
            ("topic", text()),
            ("payload_bytes", count()),
            ("qos", count()),
            ("publisher", maybe("string")),
            ("received_at_milliseconds", count()),
            ("expires_at_milliseconds", maybe("integer")),
        ]
    };
    add("RetainedMessages", page(object(&retained())));
    let mut message = object(&retained());
    message["properties"]["payload"] = text();
    message["properties"]["payload_base64"] = text();
    add("RetainedMessage", message);
    add("Deleted", object(&[("deleted", count()), ("is_complete", json!({ "type": "boolean" }))]));
}

/// A page of items.
pub(super) fn page(item: Value) -> Value {
    object(&[("items", list(item)), ("next", maybe("string"))])
}

/// An object that has all of these.
pub(super) fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let members: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": members, "required": names })
}

/// An object that may have these and no others.
pub(super) fn exactly(properties: &[(&str, Value)]) -> Value {
    let mut schema = object(properties);
    schema["additionalProperties"] = false.into();
    if let Some(members) = schema.as_object_mut() {
        members.remove("required");
    }
    schema
}

/// A text for this regular expression.
pub(super) fn matching(pattern: &str, about: &str) -> Value {
    json!({ "type": "string", "pattern": pattern, "description": about })
}

fn list(item: Value) -> Value {
    let mut schema = json!({ "type": "array" });
    schema["items"] = item;
    schema
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}
