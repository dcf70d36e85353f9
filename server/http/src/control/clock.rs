//! The clock, and actions that fall due.

use std::time::Duration;

use minikeeper::Server;
use minikeeper::config::ClockKind;
use minikeeper::inspect::Effects;
use minikeeper::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::data::Caused;
use super::start::Clock;
use crate::error::Failure;
use crate::route::{Call, Json, Route};

/// The clock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ClockView {
    kind: Clock,
    now: Timestamp,
}

/// Span by which a manual clock is turned.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Advance {
    by_ms: u64,
}

/// Effects of an advance, and the new time.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Advanced {
    effects: Effects,
    now: Timestamp,
}

/// Kinds of znodes that the server removes by itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reap {
    containers: bool,
    ttl: bool,
}

impl Default for Reap {
    fn default() -> Self {
        Self {
            containers: true,
            ttl: true,
        }
    }
}

/// Part of an advance after which the caller looks whether the server is being deleted: 30 days.
const PART_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Longest advance: about a thousand years. The time stays far from the end of its range.
const LONGEST_MS: u64 = 1_000 * 365 * 24 * 60 * 60 * 1_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/clock",
            "get_clock",
            "Returns the kind and the time of the clock.",
            get,
        ),
        Route::post(
            "/v1/servers/{server}/clock/advance",
            "advance_clock",
            "Turns a manual clock, and returns the effects.",
            advance,
        ),
        Route::post(
            "/v1/servers/{server}/reap",
            "reap",
            "Removes empty containers and TTL znodes that are due.",
            reap,
        ),
    ]
}

/// Kind of a server's clock.
pub(super) fn kind(server: &Server) -> Clock {
    if server.config().clock == ClockKind::Manual {
        Clock::Manual
    } else {
        Clock::System
    }
}

fn get(call: &Call) -> Result<Json<ClockView>, Failure> {
    let instance = call.instance()?;
    Ok(Json(ClockView {
        kind: kind(&instance.server),
        now: instance.server.now(),
    }))
}

fn advance(call: &Call, advance: Advance) -> Result<Json<Advanced>, Failure> {
    let instance = call.instance()?;
    let server = &instance.server;
    if kind(server) != Clock::Manual {
        let message = "the server follows the system clock, which cannot be advanced";
        return Err(
            Failure::conflict(message).hint(r#"create the server with {"clock": "manual"}"#)
        );
    }
    let longest = i64::try_from(LONGEST_MS).unwrap_or(i64::MAX);
    if advance.by_ms > LONGEST_MS {
        let message = format!("by_ms: {} is more than a thousand years", advance.by_ms);
        return Err(Failure::bad_request(message));
    }
    if server.now().0 > longest.saturating_mul(100) {
        let message =
            "the time of the server is near the end of its range; use an earlier start_time_ms";
        return Err(Failure::bad_request(message));
    }
    let mut effects = Effects::default();
    let mut remaining = advance.by_ms;
    loop {
        let part = remaining.min(PART_MS);
        effects.append(server.advance(Duration::from_millis(part)));
        remaining -= part;
        if remaining == 0 {
            break;
        }
        if instance.is_closed() {
            return Err(Failure::conflict(
                "the server was deleted before its clock had advanced",
            ));
        }
    }
    Ok(Json(Advanced {
        effects,
        now: server.now(),
    }))
}

fn reap(call: &Call, reap: Reap) -> Result<Json<Caused>, Failure> {
    let instance = call.instance()?;
    let mut effects = Effects::default();
    if reap.containers {
        effects.append(instance.server.reap_containers());
    }
    if reap.ttl {
        effects.append(instance.server.reap_ttl());
    }
    Ok(Json(Caused { effects }))
}
