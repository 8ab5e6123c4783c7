//! What requests and answers look like, for the OpenAPI document.

use serde_json::{Map, Value, json};

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
    add("Health", object(&[("status", text()), ("shards", count())]));
    add(
        "Ready",
        object(&[
            ("status", text()),
            ("listeners", text()),
            ("storage", text()),
            ("detail", maybe("string")),
        ]),
    );
    add("OpenApi", json!({ "type": "object" }));
    add("Done", object(&[("done", text())]));
    add("Broker", broker());
    of_the_broker(add);
    of_clients(add);
    of_messages(add);
    add("History", history());
    add(
        "LogRequest",
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["levels"],
            "properties": { "levels": { "type": "string" } },
        }),
    );
    add("DisconnectRequest", disconnect_request());
    add("PublishRequest", publish_request());
    Value::Object(all)
}

fn broker() -> Value {
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
        ("limits", json!({ "type": "object" })),
    ])
}

fn client() -> Value {
    let connection = object(&[
        ("address", text()),
        ("listener", text()),
        ("transport", text()),
        ("protocol_version", text()),
        ("keep_alive_seconds", count()),
        ("silent_seconds", count()),
        ("unwritten_bytes", count()),
        ("is_paused", json!({ "type": "boolean" })),
        ("certificate_common_name", maybe("string")),
    ]);
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
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "reason_code": {
                "type": "integer", "minimum": 128, "maximum": 162,
                "description": "Of DISCONNECT, for MQTT 5.0 clients; 152 (Administrative action) if absent.",
            },
            "reason": { "type": "string", "maxLength": 1000, "description": "Words for people (Reason String)." },
            "server_reference": {
                "type": "string", "maxLength": 1000,
                "description": "Another server, with 156 (Use another server) and 157 (Server moved).",
            },
        },
    })
}

fn publish_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["topic"],
        "properties": {
            "topic": { "type": "string", "minLength": 1 },
            "payload": { "type": "string", "description": "The message as text." },
            "payload_base64": { "type": "string", "description": "The message as bytes, in place of payload." },
            "qos": { "type": "integer", "minimum": 0, "maximum": 2 },
            "retain": { "type": "boolean" },
            "content_type": { "type": "string" },
            "response_topic": { "type": "string" },
            "message_expiry_interval_seconds": { "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 },
        },
    })
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
        ("what", json!({ "enum": ["refused", "disconnected"] })),
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
fn page(item: Value) -> Value {
    object(&[("items", list(item)), ("next", maybe("string"))])
}

/// An object that has all of these.
fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let members: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": members, "required": names })
}

fn list(item: Value) -> Value {
    let mut schema = json!({ "type": "array" });
    schema["items"] = item;
    schema
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}
