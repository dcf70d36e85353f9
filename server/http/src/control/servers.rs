//! Servers: made from a description, listed, reset, stopped, deleted.

use std::collections::BTreeMap;

use minikeeper::Matcher;
use minikeeper::ensemble::{EnsembleAction, MemberId, Mode};
use serde::Serialize;

use super::instance::{Finding, FindingKind, Instance, Origin, tail};
use super::start::{Clock, Description};
use crate::error::Failure;
use crate::query::Param;
use crate::route::{Call, Created, Json, Nothing, Route};

/// A server.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServerView {
    id: String,
    /// Free text of the description.
    name: Option<String>,
    /// Addresses for a client without a label.
    connect_string: String,
    /// Connect strings by label.
    addresses: BTreeMap<String, String>,
    members: Vec<MemberAddress>,
    clock: Clock,
    /// Present end of the journal.
    mark: u64,
    faults: Vec<String>,
    chaos: Vec<String>,
    holds: Vec<String>,
    budgets: Vec<String>,
    claims: Vec<String>,
    links: Vec<String>,
    running: bool,
}

/// Address and mode of a member.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MemberAddress {
    member: MemberId,
    connect_string: String,
    mode: Mode,
}

/// All servers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Servers {
    servers: Vec<ServerView>,
}

/// Failures that deleting something reports.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Findings {
    failures: Vec<Finding>,
    /// Last lines of the journal, if there are failures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    journal_tail: Vec<String>,
}

/// Whether a server runs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Running {
    running: bool,
}

/// Failure of the disk.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DiskFailure {
    failure: Option<String>,
}

const DELETE: [Param; 2] = [
    Param::bool("verify", "Whether failures are reported; true by default."),
    Param::bool(
        "leaks",
        "Whether what clients have not closed is reported too.",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/servers",
            "create_server",
            "Starts a server from a description, complete or not at all.",
            create,
        ),
        Route::get("/v1/servers", "list_servers", "Lists the servers.", list),
        Route::get(
            "/v1/servers/{server}",
            "get_server",
            "Returns a server.",
            get,
        ),
        Route::delete(
            "/v1/servers/{server}",
            "delete_server",
            "Deletes a server, and reports what its test has proved wrong.",
            delete,
        )
        .query(&DELETE),
        Route::post(
            "/v1/servers/{server}/reset",
            "reset_server",
            "Removes everything from a server, and restores its seed.",
            reset,
        ),
        Route::post(
            "/v1/servers/{server}/stop",
            "stop_server",
            "Stops a server; its state and ports remain.",
            stop,
        ),
        Route::post(
            "/v1/servers/{server}/start",
            "start_server",
            "Starts a stopped server again.",
            start,
        ),
        Route::post(
            "/v1/servers/{server}/restart",
            "restart_server",
            "Stops a server and starts it again.",
            restart,
        ),
        Route::get(
            "/v1/servers/{server}/failure",
            "get_failure",
            "Returns the failure of the disk that has stopped a server.",
            failure,
        ),
    ]
}

impl ServerView {
    fn of(instance: &Instance) -> Self {
        let server = &instance.server;
        let things = instance.things();
        let members = server.ensemble().members();
        let labels = server.labels();
        Self {
            id: instance.id.clone(),
            name: instance.name.clone(),
            connect_string: server.connect_string(),
            addresses: labels
                .iter()
                .map(|address| (address.label().to_owned(), address.connect_string()))
                .collect(),
            members: members
                .iter()
                .map(|member| MemberAddress {
                    member: member.id(),
                    connect_string: member.connect_string(),
                    mode: member.mode(),
                })
                .collect(),
            clock: super::clock::kind(server),
            mark: server.mark().into(),
            faults: things.faults.ids(),
            chaos: things.chaos.ids(),
            holds: things.holds.ids(),
            budgets: things.budgets.ids(),
            claims: things.claims.ids(),
            links: things.links.ids(),
            running: server.is_running(),
        }
    }
}

impl Findings {
    pub(super) fn of(failures: Vec<Finding>, instance: &Instance) -> Self {
        let journal_tail = if failures.is_empty() {
            Vec::new()
        } else {
            tail(&instance.server)
        };
        Self {
            failures,
            journal_tail,
        }
    }
}

fn create(call: &Call, description: Description) -> Result<Created<ServerView>, Failure> {
    let instance = description.start(&call.context)?;
    let view = ServerView::of(&instance);
    let location = format!("/v1/servers/{}", instance.id);
    call.context.add(instance);
    Ok(Created(location, view))
}

fn list(call: &Call) -> Result<Json<Servers>, Failure> {
    let servers = call.context.all();
    let servers = servers.iter().map(|instance| ServerView::of(instance));
    Ok(Json(Servers {
        servers: servers.collect(),
    }))
}

fn get(call: &Call) -> Result<Json<ServerView>, Failure> {
    Ok(Json(ServerView::of(&*call.instance()?)))
}

fn delete(call: &Call) -> Result<Json<Findings>, Failure> {
    let instance = call.context.remove(call.param("server"))?;
    instance.close();
    let verify = call.query.bool("verify", true);
    let leaks = call.query.bool("leaks", instance.check_leaks);
    let mut failures = instance.clear(verify);
    if verify && leaks {
        let leaks = instance.server.leaks().into_iter();
        failures.extend(leaks.map(|leak| Finding::new(FindingKind::Leak, None, leak)));
    }
    if verify && let Some(failure) = instance.server.failure() {
        failures.push(Finding::new(FindingKind::Server, None, failure));
    }
    let mut findings = Findings::of(failures, &instance);
    findings.failures.extend(instance.end());
    Ok(Json(findings))
}

/// Removes what requests and clients have put on a server. Ports, labels, the kind of the clock and its time remain.
fn reset(call: &Call, _: Nothing) -> Result<Json<Findings>, Failure> {
    let instance = call.instance()?;
    let server = &instance.server;
    let findings = Findings::of(instance.clear(true), &instance);
    server.start_again().map_err(Failure::refused)?;
    let ensemble = server.ensemble();
    ensemble.regain_quorum();
    for member in ensemble.view() {
        if member.mode == Mode::Stopped {
            ensemble
                .member(member.id.0)
                .start_again()
                .map_err(Failure::refused)?;
        }
        if member.behind.is_some() {
            let caught_up = EnsembleAction::CatchUp { member: member.id };
            ensemble.apply(caught_up).map_err(Failure::refused)?;
        }
    }
    for session in server.sessions() {
        server.expire(session.id);
    }
    server.disconnect(Matcher::any());
    let refused = |code| Failure::zookeeper(code, "/");
    server.delete_all("/").map_err(refused)?;
    server.set("/", b"").map_err(refused)?;
    match &instance.origin {
        Origin::Empty => {}
        Origin::Seed(tree) => server.seed(tree).map_err(Failure::refused)?,
        Origin::Snapshot(snapshot) => server.seed(&snapshot.tree()).map_err(Failure::refused)?,
    }
    server.clear_journal();
    Ok(Json(findings))
}

fn stop(call: &Call, _: Nothing) -> Result<Json<Running>, Failure> {
    running(call, |instance| {
        instance.server.stop();
        Ok(())
    })
}

fn start(call: &Call, _: Nothing) -> Result<Json<Running>, Failure> {
    running(call, |instance| {
        instance.server.start_again().map_err(Failure::refused)
    })
}

fn restart(call: &Call, _: Nothing) -> Result<Json<Running>, Failure> {
    running(call, |instance| {
        instance.server.restart().map_err(Failure::refused)
    })
}

fn running(
    call: &Call,
    act: impl FnOnce(&Instance) -> Result<(), Failure>,
) -> Result<Json<Running>, Failure> {
    let instance = call.instance()?;
    act(&instance)?;
    Ok(Json(Running {
        running: instance.server.is_running(),
    }))
}

fn failure(call: &Call) -> Result<Json<DiskFailure>, Failure> {
    let failure = call.instance()?.server.failure();
    Ok(Json(DiskFailure {
        failure: failure.map(|failure| failure.to_string()),
    }))
}
