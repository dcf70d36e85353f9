//! Holds: messages that a test holds and releases.

use minikeeper::hold::{Held, Release, ReleaseError};
use minikeeper::{Matcher, Server};
use serde::{Deserialize, Serialize};

use super::data::Id;
use super::faults::VERIFY;
use super::instance::PlacedHold;
use super::servers::Findings;
use super::start::HoldForm;
use crate::error::Failure;
use crate::route::{Call, Created, Json, Route};

/// Hold to place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NewHold {
    #[serde(default)]
    on: Matcher,
    /// Free text, shown in lists.
    #[serde(default)]
    name: Option<String>,
}

/// A hold, and the messages that it holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HoldView {
    id: String,
    name: Option<String>,
    on: Matcher,
    /// Oldest first.
    held: Vec<Held>,
}

/// All holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HoldList {
    holds: Vec<HoldView>,
}

/// Messages that were released.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Released {
    released: Vec<Held>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/holds",
            "list_holds",
            "Lists the holds with their messages.",
            list,
        ),
        Route::post(
            "/v1/servers/{server}/holds",
            "add_hold",
            "Holds the messages that match, from now on.",
            add,
        ),
        Route::get(
            "/v1/servers/{server}/holds/{hold}",
            "get_hold",
            "Returns a hold with its messages.",
            get,
        ),
        Route::post(
            "/v1/servers/{server}/holds/{hold}/release",
            "release",
            "Releases held messages.",
            release,
        ),
        Route::delete(
            "/v1/servers/{server}/holds/{hold}",
            "delete_hold",
            "Ends a hold, and releases its messages.",
            delete,
        )
        .query(&VERIFY),
    ]
}

pub(super) fn place(server: &Server, form: HoldForm) -> Result<PlacedHold, Failure> {
    let guard = server.try_hold(form.on.clone()).map_err(Failure::refused)?;
    Ok(PlacedHold {
        name: form.name,
        on: form.on,
        guard,
    })
}

impl HoldView {
    fn of(id: &str, hold: &PlacedHold) -> Self {
        Self {
            id: id.to_owned(),
            name: hold.name.clone(),
            on: hold.on.clone(),
            held: hold.guard.held(),
        }
    }
}

fn list(call: &Call) -> Result<Json<HoldList>, Failure> {
    let holds = call.instance()?.things().holds.all();
    let holds = holds.iter().map(|(id, hold)| HoldView::of(id, hold));
    Ok(Json(HoldList {
        holds: holds.collect(),
    }))
}

fn add(call: &Call, form: NewHold) -> Result<Created<Id>, Failure> {
    let instance = call.instance()?;
    let NewHold { on, name } = form;
    let hold = place(&instance.server, HoldForm { on, name })?;
    let id = instance.things().holds.add(hold);
    let location = format!("/v1/servers/{}/holds/{id}", instance.id);
    Ok(Created(location, Id { id }))
}

fn get(call: &Call) -> Result<Json<HoldView>, Failure> {
    let id = call.param("hold");
    let hold = call.instance()?.things().holds.get(id)?;
    Ok(Json(HoldView::of(id, &hold)))
}

fn release(call: &Call, which: Release) -> Result<Json<Released>, Failure> {
    let id = call.param("hold");
    let hold = call.instance()?.things().holds.get(id)?;
    let released = hold.guard.release(&which);
    let nothing = || {
        let failure = Failure::conflict(format!("the hold {id} holds no message"));
        failure.hint(format!(
            r#"POST .../waits {{"held": {{"hold": "{id}", "number": 1}}}} waits for one"#
        ))
    };
    let released = released.map_err(|error| {
        if error == ReleaseError::NothingHeld {
            nothing()
        } else {
            Failure::conflict(format!("the hold {id}: {error}"))
        }
    })?;
    if released.is_empty() && matches!(which, Release::First { count: 1.. }) {
        return Err(nothing());
    }
    Ok(Json(Released { released }))
}

fn delete(call: &Call) -> Result<Json<Findings>, Failure> {
    let instance = call.instance()?;
    let hold = instance.things().holds.remove(call.param("hold"))?;
    drop(hold);
    Ok(Json(Findings::of(Vec::new(), &instance)))
}
