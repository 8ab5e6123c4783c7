//! The OpenAPI document, made from the table of routes.

use serde_json::{Map, Value, json};

use super::access_schemas::{ROLE_NAME, USER_NAME};
use super::routes::{Access, Parameter, ParameterKind, ROUTES, Route};
use super::schemas::schemas;

/// The document, OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ferry admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "For those who run the broker. Errors are problem documents (RFC 9457) with a remedy.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Problem": {
                    "description": "It was not done; the document says why and what to do.",
                    "content": { "application/problem+json": { "schema": reference("Problem") } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route.query.iter().map(parameter).collect();
    for (name, description, schema) in path_parameters() {
        if route.path.contains(&format!("{{{name}}}")) {
            let parameter = json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": schema,
            });
            parameters.insert(0, parameter);
        }
    }
    let mut operation = json!({
        "operationId": format!("{:?}", route.operation),
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "Done.", "content": content(route) },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    match route.access {
        Access::Everybody => operation["security"] = json!([]),
        Access::Metrics => operation["security"] = json!([{}, { "token": [] }]),
        Access::Role(role) => {
            operation["security"] = json!([{ "token": [] }]);
            operation["description"] = format!("Role: {}.", role.name()).into();
        }
    }
    if let Some(body) = route.body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": reference(body) } } });
    }
    operation
}

/// What stands for `{...}` in paths.
fn path_parameters() -> [(&'static str, &'static str, Value); 4] {
    [
        ("client_id", "The client identifier, percent-encoded.", json!({ "type": "string", "minLength": 1 })),
        ("user", "The user name, percent-encoded.", json!({ "type": "string", "pattern": USER_NAME })),
        ("role", "The name of the role.", json!({ "type": "string", "pattern": ROLE_NAME })),
        ("group", "The name of the group.", json!({ "type": "string", "pattern": ROLE_NAME })),
    ]
}

fn content(route: &Route) -> Value {
    match route.answer {
        "" => json!({ "text/plain": { "schema": { "type": "string" } } }),
        // The schema is that of each line.
        "TraceEvent" => json!({ "application/x-ndjson": { "itemSchema": reference("TraceEvent") } }),
        name => json!({ "application/json": { "schema": reference(name) } }),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterKind::Text => json!({ "type": "string" }),
        ParameterKind::Matching(pattern) => json!({ "type": "string", "pattern": pattern }),
        ParameterKind::Flag => json!({ "type": "boolean" }),
        ParameterKind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in the document.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_there_once_and_whatever_is_referred_to() {
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        let operations: usize = paths.values().map(|path| path.as_object().map_or(0, Map::len)).sum();
        assert_eq!(operations, ROUTES.len());
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("a reference into the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for schema in document["components"]["schemas"].as_object().expect("schemas").keys() {
            let text = document.to_string();
            assert!(text.contains(&format!("schemas/{schema}\"")), "nobody uses {schema}");
        }
    }
}
