//! Sessions, connections, watches, labels and leaks.

use minikeeper::inspect::{ConnectionView, Leak, SessionView, WatchView};
use minikeeper::{Matcher, SessionId};
use serde::{Deserialize, Serialize};

use super::data::{Caused, session_id};
use super::instance::Instance;
use crate::error::Failure;
use crate::query::Param;
use crate::route::{Call, Created, Done, Json, Nothing, Route};

/// Sessions, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SessionList {
    sessions: Vec<SessionView>,
}

/// A session of the test.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NewSession {
    id: SessionId,
}

/// Number of connections that were closed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Disconnected {
    disconnected: usize,
}

/// Connections to close.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Disconnect {
    #[serde(default)]
    matcher: Matcher,
}

/// Connections, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConnectionList {
    connections: Vec<ConnectionView>,
}

/// Watches, by path.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WatchList {
    watches: Vec<WatchView>,
}

/// Name of the clients of one address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Label {
    label: String,
}

/// Address of a label.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LabelAddress {
    label: String,
    connect_string: String,
    /// Address at each member.
    addresses: Vec<String>,
}

/// Labels with an address.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LabelList {
    labels: Vec<LabelAddress>,
}

/// Connections, sessions, ephemeral znodes and watches that clients have not closed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeakList {
    leaks: Vec<LeakView>,
}

/// A leak, and its description.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeakView {
    #[serde(flatten)]
    leak: Leak,
    message: String,
}

const BY_LABEL: [Param; 1] = [Param::text("label", "Only the sessions of this label.")];
const BY_PATH: [Param; 1] = [Param::text("path", "Only the watches of this path.")];

// Longer than 60 lines: one table of routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/sessions",
            "list_sessions",
            "Lists the sessions.",
            list,
        )
        .query(&BY_LABEL),
        Route::post(
            "/v1/servers/{server}/sessions",
            "open_session",
            "Opens a session of the test itself.",
            open,
        ),
        Route::get(
            "/v1/servers/{server}/sessions/{session}",
            "get_session",
            "Returns a session, by its id or as `label:worker`.",
            get,
        ),
        Route::delete(
            "/v1/servers/{server}/sessions/{session}",
            "close_session",
            "Closes a session of the test itself.",
            close,
        ),
        Route::post(
            "/v1/servers/{server}/sessions/{session}/expire",
            "expire_session",
            "Expires a session now.",
            expire,
        ),
        Route::post(
            "/v1/servers/{server}/sessions/{session}/mute",
            "mute_session",
            "Ignores the pings of a session, so that it expires after its timeout.",
            mute,
        ),
        Route::post(
            "/v1/servers/{server}/sessions/{session}/unmute",
            "unmute_session",
            "Hears a muted session again.",
            unmute,
        ),
        Route::post(
            "/v1/servers/{server}/sessions/{session}/disconnect",
            "disconnect_session",
            "Closes the connection of a session.",
            disconnect_session,
        ),
        Route::get(
            "/v1/servers/{server}/connections",
            "list_connections",
            "Lists the connections.",
            connections,
        ),
        Route::post(
            "/v1/servers/{server}/connections/disconnect",
            "disconnect",
            "Closes the connections that a matcher selects.",
            disconnect,
        ),
        Route::get(
            "/v1/servers/{server}/watches",
            "list_watches",
            "Lists the watches.",
            watches,
        )
        .query(&BY_PATH),
        Route::get(
            "/v1/servers/{server}/labels",
            "list_labels",
            "Lists the labels that have an address.",
            labels,
        ),
        Route::post(
            "/v1/servers/{server}/labels",
            "add_label",
            "Listens on one more port, whose clients have a label.",
            add_label,
        ),
        Route::get(
            "/v1/servers/{server}/leaks",
            "list_leaks",
            "Lists what clients have not closed.",
            leaks,
        ),
    ]
}

/// Finds the session of a path: by its id, or by the label of its client.
fn find(call: &Call, instance: &Instance) -> Result<SessionView, Failure> {
    let text = call.param("session");
    let server = &instance.server;
    if let Some(label) = text.strip_prefix("label:") {
        let found = server.try_session(label);
        return found.map_err(|error| Failure::not_found(error.to_string()));
    }
    let id = session_id(text)?;
    let sessions = server.sessions();
    let ids: Vec<String> = sessions.iter().map(|it| it.id.to_string()).collect();
    let found = sessions.into_iter().find(|session| session.id == id);
    found.ok_or_else(|| {
        let others = super::numbered::in_words("session", ids.iter().map(String::as_str));
        Failure::not_found(format!("there is no session {id}; {others}"))
    })
}

fn list(call: &Call) -> Result<Json<SessionList>, Failure> {
    let mut sessions = call.instance()?.server.sessions();
    if let Some(label) = call.query.text("label") {
        sessions.retain(|session| session.label.as_deref() == Some(label));
    }
    Ok(Json(SessionList { sessions }))
}

fn open(call: &Call, _: Nothing) -> Result<Created<NewSession>, Failure> {
    let instance = call.instance()?;
    let id = instance.add_session(instance.server.open_session());
    let location = format!("/v1/servers/{}/sessions/{id}", instance.id);
    Ok(Created(location, NewSession { id }))
}

fn get(call: &Call) -> Result<Json<SessionView>, Failure> {
    let instance = call.instance()?;
    find(call, &instance).map(Json)
}

fn close(call: &Call) -> Result<Json<Done>, Failure> {
    let instance = call.instance()?;
    let id = find(call, &instance)?.id;
    let own = {
        let sessions = &mut instance.things().sessions;
        let at = sessions.iter().position(|session| session.id() == id);
        at.map(|at| sessions.swap_remove(at))
    };
    match own {
        Some(session) => session.end(),
        None => {
            let message = format!("the session {id} is of a client, which closes it itself");
            return Err(Failure::conflict(message).hint("POST .../expire ends it now"));
        }
    }
    Ok(Json(Done {}))
}

fn expire(call: &Call, _: Nothing) -> Result<Json<Caused>, Failure> {
    let instance = call.instance()?;
    let text = call.param("session");
    let effects = match text.strip_prefix("label:") {
        Some(label) => {
            let expired = instance.server.try_expire_label(label);
            expired.map_err(|error| Failure::not_found(error.to_string()))?
        }
        None => instance.server.expire(find(call, &instance)?.id),
    };
    Ok(Json(Caused { effects }))
}

fn mute(call: &Call, _: Nothing) -> Result<Json<Done>, Failure> {
    let instance = call.instance()?;
    let id = find(call, &instance)?.id;
    let muted = instance.server.try_mute(id);
    muted.map_err(|error| Failure::not_found(error.to_string()))?;
    Ok(Json(Done {}))
}

fn unmute(call: &Call, _: Nothing) -> Result<Json<Done>, Failure> {
    let instance = call.instance()?;
    instance.server.unmute(find(call, &instance)?.id);
    Ok(Json(Done {}))
}

fn disconnect_session(call: &Call, _: Nothing) -> Result<Json<Disconnected>, Failure> {
    let instance = call.instance()?;
    let id = find(call, &instance)?.id;
    close_connections(&instance, Matcher::any().session(id))
}

fn connections(call: &Call) -> Result<Json<ConnectionList>, Failure> {
    Ok(Json(ConnectionList {
        connections: call.instance()?.server.connections(),
    }))
}

fn disconnect(call: &Call, disconnect: Disconnect) -> Result<Json<Disconnected>, Failure> {
    close_connections(&*call.instance()?, disconnect.matcher)
}

fn close_connections(instance: &Instance, on: Matcher) -> Result<Json<Disconnected>, Failure> {
    let closed = instance.server.try_disconnect(on);
    Ok(Json(Disconnected {
        disconnected: closed.map_err(Failure::refused)?,
    }))
}

fn watches(call: &Call) -> Result<Json<WatchList>, Failure> {
    let mut watches = call.instance()?.server.watches();
    if let Some(path) = call.query.text("path") {
        watches.retain(|watch| watch.path == path);
    }
    Ok(Json(WatchList { watches }))
}

impl LabelAddress {
    fn of(address: &minikeeper::label::Address) -> Self {
        Self {
            label: address.label().to_owned(),
            connect_string: address.connect_string(),
            addresses: address.addrs().iter().map(ToString::to_string).collect(),
        }
    }
}

fn labels(call: &Call) -> Result<Json<LabelList>, Failure> {
    let labels = call.instance()?.server.labels();
    Ok(Json(LabelList {
        labels: labels.iter().map(LabelAddress::of).collect(),
    }))
}

fn add_label(call: &Call, label: Label) -> Result<Json<LabelAddress>, Failure> {
    let instance = call.instance()?;
    let address = instance.server.labelled(&label.label);
    address
        .map(|address| Json(LabelAddress::of(&address)))
        .map_err(Failure::refused)
}

fn leaks(call: &Call) -> Result<Json<LeakList>, Failure> {
    let leaks = call.instance()?.server.leaks().into_iter();
    let leaks = leaks.map(|leak| LeakView {
        message: leak.to_string(),
        leak,
    });
    Ok(Json(LeakList {
        leaks: leaks.collect(),
    }))
}
