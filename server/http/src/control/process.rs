//! The process: version, features, limits.

use hyper::StatusCode;
use serde::Serialize;

use crate::VERSION;
use crate::error::Failure;
use crate::reply::{JSON, Reply};
use crate::route::{Answer, Call, Json, Route};

/// Version of the routes.
const API: u32 = 1;

/// Powers that a client may ask for.
const FEATURES: [&str; 13] = [
    "servers",
    "ensembles",
    "faults",
    "holds",
    "journal",
    "waits",
    "labels",
    "sessions",
    "stream",
    "snapshots",
    "files",
    "openapi",
    "config",
];

/// The process.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Process {
    version: &'static str,
    /// Version of the routes: the number behind `/v`.
    api: u32,
    features: &'static [&'static str],
    limits: Limits,
    /// Number of servers.
    servers: usize,
    /// Number of waits, armed ones and long polls.
    waits: usize,
}

/// Limits of the process.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Limits {
    body_bytes: u64,
    connections: usize,
    servers: usize,
    snapshots: usize,
    waits: usize,
    streams: usize,
    /// Maximum time of one long poll.
    wait_ms: u64,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1",
            "get_process",
            "Returns the version, features and limits of the process.",
            process,
        ),
        Route::get(
            "/v1/openapi.json",
            "get_openapi",
            "Returns this document.",
            openapi,
        ),
    ]
}

/// The OpenAPI document. The test of `openapi.rs` makes it from the table of routes.
const DOCUMENT: &str = include_str!("../../openapi.json");

/// JSON that is a text already.
struct Document(&'static str);

impl Answer for Document {
    const CONTENT_TYPE: &'static str = JSON;

    fn into_reply(self) -> Reply {
        Reply::of(StatusCode::OK, JSON, self.0)
    }

    #[cfg(test)]
    fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemars::json_schema!({"type": "object"}))
    }
}

fn openapi(_: &Call) -> Result<Document, Failure> {
    Ok(Document(DOCUMENT))
}

fn process(call: &Call) -> Result<Json<Process>, Failure> {
    let limits = call.context.limits;
    Ok(Json(Process {
        version: VERSION,
        api: API,
        features: &FEATURES,
        limits: Limits {
            body_bytes: limits.body_bytes,
            connections: limits.connections,
            servers: limits.servers,
            snapshots: limits.snapshots,
            waits: limits.waits,
            streams: limits.streams,
            wait_ms: u64::try_from(limits.wait.as_millis()).unwrap_or(u64::MAX),
        },
        servers: call.context.count(),
        waits: limits.waits - call.context.free_waits(),
    }))
}
