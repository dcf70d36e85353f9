//! Answers of routes, before they become responses.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::VERSION;
use crate::body::Body;

/// Answer of a route.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const LINES: &str = "application/jsonl";
pub(crate) const OCTETS: &str = "application/octet-stream";
pub(crate) const EVENTS: &str = "text/event-stream";

impl Reply {
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // All keys are texts, so JSON can express everything.
        let json = serde_json::to_vec(value).unwrap_or_default();
        Self::of(status, JSON, json)
    }

    pub(crate) fn of(
        status: StatusCode,
        content_type: &'static str,
        bytes: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: Body::whole(bytes),
        }
    }

    pub(crate) fn stream(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: EVENTS,
            headers: Vec::new(),
            body: Body::stream(pieces),
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("content-type", self.content_type);
        put("cache-control", "no-store");
        put("x-content-type-options", "nosniff");
        put("minikeeper-version", VERSION);
        for (name, value) in &self.headers {
            put(name, value);
        }
        response
    }
}
