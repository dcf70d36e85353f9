//! The OpenAPI document, made from the table of routes and the types of their bodies.
//!
//! It is committed as `docs/openapi.json`, and the API serves that file. This command writes it:
//!
//! ```sh
//! cargo test -p minikeeper-http --lib -- --ignored write_the_document
//! ```

mod examples;
mod plain;

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::examples::EXAMPLES;

use crate::VERSION;
use crate::check::BodyKind;
use crate::control::routes;
use crate::query::{Kind, Param};
use crate::reply::{JSON, OCTETS};
use crate::route::Route;

/// Makes the document.
fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut schemas = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(&route, &mut schemas);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "minikeeper control API",
            "version": VERSION,
            "description": "Every power of a minikeeper server over HTTP. 64-bit ids are text in hexadecimal. \
                Unknown fields are refused. docs/guide/control.md explains the use, docs/json.md the forms.",
            "license": {"name": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "http://127.0.0.1:2180"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Error": {
                "description": "The request is malformed, refused, or cannot be carried out now.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
            }},
            "schemas": with_error(schemas.take_definitions(true))
        }
    });
    plain::strip(&mut document);
    document
}

fn with_error(mut schemas: Map<String, Value>) -> Value {
    let codes = [
        "bad_request",
        "unauthorized",
        "forbidden",
        "not_found",
        "method_not_allowed",
        "timeout",
        "conflict",
        "too_large",
        "unsupported_media_type",
        "refused",
        "limit_reached",
        "internal",
    ];
    schemas.insert(
        "Error".to_owned(),
        json!({
            "type": "object",
            "properties": {"error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "enum": codes},
                    "message": {"type": "string"},
                    "hint": {"type": "string", "description": "What the caller can do."},
                    "zookeeper": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "code": {"type": "integer"}},
                        "required": ["name", "code"]
                    }
                },
                "required": ["code", "message"]
            }},
            "required": ["error"]
        }),
    );
    Value::Object(schemas)
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = names(route.path)
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
        })
        .collect();
    parameters.extend(route.params.iter().map(parameter));
    let mut responses = json!({"4XX": {"$ref": "#/components/responses/Error"}});
    for answer in &route.described.answers {
        let schema = (answer.schema)(schemas);
        let schema = schema.map_or_else(|| json!({"type": "string"}), Value::from);
        let response = &mut responses[answer.status.to_string()];
        response["description"] = json!(if answer.status == 201 {
            "It was made."
        } else {
            "Done."
        });
        response["content"][answer.content_type] = json!({"schema": schema});
    }
    let tag = route
        .path
        .split('/')
        .rfind(|part| !part.is_empty() && !part.starts_with('{') && *part != "v1");
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [group(route.path).or(tag).unwrap_or("process")],
        "parameters": parameters,
        "responses": responses
    });
    match (route.body, route.described.request) {
        (Some(BodyKind::Octets), _) => {
            operation["requestBody"] = json!({"required": true, "content": {OCTETS: {}}});
        }
        (Some(BodyKind::Json), Some(request)) => {
            let schema = Value::from(request(schemas));
            let example = EXAMPLES.iter().find(|(id, _)| *id == route.id);
            let example = example.map_or("{}", |(_, example)| example);
            let example: Value = serde_json::from_str(example).expect("examples are JSON");
            let content = json!({JSON: {"schema": schema, "example": example}});
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        (Some(BodyKind::Json), None) | (None, _) => {}
    }
    operation
}

/// Part of the path behind the server: the kind of thing that a route is about.
fn group(path: &str) -> Option<&str> {
    let mut parts = path.split('/').skip(2);
    let first = parts.next()?;
    let second = parts.nth(1);
    Some(if first == "servers" {
        second.unwrap_or(first)
    } else {
        first
    })
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Json => json!({"$ref": "#/components/schemas/Matcher"}),
    };
    let mut parameter = json!({
        "name": param.name,
        "in": "query",
        "required": param.required,
        "description": param.about
    });
    match param.kind {
        Kind::Json => parameter["content"] = json!({JSON: {"schema": schema}}),
        Kind::Text | Kind::Number | Kind::Bool => parameter["schema"] = schema,
    }
    parameter
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

fn text() -> String {
    serde_json::to_string_pretty(&document()).expect("all keys are texts") + "\n"
}

#[test]
fn the_document_is_current() {
    let committed = std::fs::read_to_string(file()).expect("the document exists");
    assert!(
        committed == text(),
        "docs/openapi.json is stale: cargo test -p minikeeper-http --lib -- --ignored write_the_document"
    );
}

#[test]
#[ignore = "writes docs/openapi.json"]
fn write_the_document() {
    std::fs::write(file(), text()).expect("the document can be written");
}

#[test]
fn every_route_has_an_entry_of_its_own() {
    let document = document();
    let mut ids = BTreeSet::new();
    for route in routes() {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][method];
        assert_eq!(operation["operationId"], route.id, "{}", route.path);
        assert!(
            ids.insert(route.id),
            "two operations are named {}",
            route.id
        );
        assert!(route.summary.ends_with('.'), "{}", route.summary);
        assert!(
            route.method != hyper::Method::POST || route.body.is_some(),
            "{}",
            route.id
        );
    }
}

#[test]
fn every_example_is_of_an_operation() {
    for (id, _) in EXAMPLES {
        assert!(routes().iter().any(|route| route.id == *id), "{id}");
    }
}

#[test]
fn every_reference_leads_to_a_schema() {
    let document = document();
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("it is local");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                values.extend(fields.values());
            }
            Value::Array(items) => values.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
