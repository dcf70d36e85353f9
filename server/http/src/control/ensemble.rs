//! Members of an ensemble.

use std::net::SocketAddr;

use minikeeper::SessionId;
use minikeeper::ensemble::{ApplyError, EnsembleAction, EnsembleError, Member, MemberId, Mode};
use minikeeper::inspect::Effects;
use minikeeper::protocol::Zxid;
use serde::{Deserialize, Serialize};

use super::data::Caused;
use super::instance::Instance;
use crate::error::Failure;
use crate::route::{Call, Json, Nothing, Route};

/// A member.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MemberView {
    member: MemberId,
    mode: Mode,
    addr: SocketAddr,
    connect_string: String,
    /// Whether it is not stopped.
    running: bool,
    partitioned: bool,
    last_zxid: Zxid,
    /// Number of transactions that a lagging member has not taken in; null if it does not lag.
    pending: Option<usize>,
    /// Sessions whose clients are connected to it.
    sessions: Vec<SessionId>,
}

/// All members.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MemberList {
    members: Vec<MemberView>,
}

/// The ensemble.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EnsembleView {
    leader: Option<MemberId>,
    epoch: u32,
    connect_string: String,
    members: Vec<MemberView>,
}

/// Member that is elected; null is any member except the present leader.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Elect {
    #[serde(default)]
    leader: Option<MemberId>,
}

/// Number of transactions that a lagging member takes in; null is all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TakeIn {
    #[serde(default)]
    transactions: Option<usize>,
}

// Longer than 60 lines: one table of routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/ensemble",
            "get_ensemble",
            "Returns the leader, the epoch and the members.",
            get,
        ),
        Route::post(
            "/v1/servers/{server}/ensemble",
            "apply_action",
            "Does something to the members, and returns the effects.",
            act,
        ),
        Route::post(
            "/v1/servers/{server}/ensemble/elect",
            "elect",
            "Elects a leader.",
            elect,
        ),
        Route::post(
            "/v1/servers/{server}/ensemble/lose_quorum",
            "lose_quorum",
            "Partitions every member from all others.",
            |call, _: Nothing| apply(call, EnsembleAction::LoseQuorum),
        ),
        Route::post(
            "/v1/servers/{server}/ensemble/regain_quorum",
            "regain_quorum",
            "Heals all partitions of members.",
            |call, _: Nothing| apply(call, EnsembleAction::RegainQuorum),
        ),
        Route::get(
            "/v1/servers/{server}/members",
            "list_members",
            "Lists the members.",
            list,
        ),
        Route::get(
            "/v1/servers/{server}/members/{member}",
            "get_member",
            "Returns a member.",
            get_member,
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/stop",
            "stop_member",
            "Stops a member.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::Stop { member }),
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/start",
            "start_member",
            "Starts a stopped member again.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::Start { member }),
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/restart",
            "restart_member",
            "Stops a member and starts it again.",
            restart,
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/partition",
            "partition_member",
            "Partitions a member from all others.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::Partition { member }),
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/heal",
            "heal_member",
            "Heals the partition of a member.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::Heal { member }),
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/lag",
            "lag_member",
            "Makes a member lag: it takes in no transactions until they are released.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::Lag { member }),
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/release",
            "release_transactions",
            "Lets a lagging member take in transactions.",
            release,
        ),
        Route::post(
            "/v1/servers/{server}/members/{member}/catch_up",
            "catch_up_member",
            "Ends the lag of a member.",
            |call, _: Nothing| act_on(call, |member| EnsembleAction::CatchUp { member }),
        ),
    ]
}

impl MemberView {
    fn of(member: &Member) -> Self {
        let view = member.view();
        Self {
            member: view.id,
            mode: view.mode,
            addr: view.addr,
            connect_string: member.connect_string(),
            running: view.mode != Mode::Stopped,
            partitioned: view.partitioned,
            last_zxid: view.last_zxid,
            pending: view.behind,
            sessions: view.sessions,
        }
    }
}

fn views(instance: &Instance) -> Vec<MemberView> {
    let members = instance.server.ensemble().members();
    members.iter().map(MemberView::of).collect()
}

fn get(call: &Call) -> Result<Json<EnsembleView>, Failure> {
    let instance = call.instance()?;
    let ensemble = instance.server.ensemble();
    Ok(Json(EnsembleView {
        leader: ensemble.leader().map(|leader| leader.id()),
        epoch: ensemble.epoch(),
        connect_string: ensemble.connect_string(),
        members: views(&instance),
    }))
}

fn list(call: &Call) -> Result<Json<MemberList>, Failure> {
    Ok(Json(MemberList {
        members: views(&*call.instance()?),
    }))
}

/// Returns the member of the path.
fn member(call: &Call) -> Result<Member, Failure> {
    let text = call.param("member");
    let members = call.instance()?.server.ensemble().members();
    let count = members.len();
    let mut members = members.into_iter();
    let found = members.find(|member| member.id().to_string() == text);
    found.ok_or_else(|| {
        let message = format!("there is no member {text}; members are numbered from 1 to {count}");
        Failure::not_found(message)
    })
}

fn get_member(call: &Call) -> Result<Json<MemberView>, Failure> {
    Ok(Json(MemberView::of(&member(call)?)))
}

fn act(call: &Call, action: EnsembleAction) -> Result<Json<Caused>, Failure> {
    apply(call, action)
}

fn elect(call: &Call, elect: Elect) -> Result<Json<Caused>, Failure> {
    let leader = elect.leader;
    apply(call, EnsembleAction::Elect { leader })
}

fn act_on(
    call: &Call,
    action: impl FnOnce(MemberId) -> EnsembleAction,
) -> Result<Json<Caused>, Failure> {
    apply(call, action(member(call)?.id()))
}

fn release(call: &Call, take_in: TakeIn) -> Result<Json<Caused>, Failure> {
    let transactions = take_in.transactions;
    act_on(call, |member| EnsembleAction::Release {
        member,
        transactions,
    })
}

fn restart(call: &Call, _: Nothing) -> Result<Json<Caused>, Failure> {
    let id = member(call)?.id();
    let mut effects = applied(call, EnsembleAction::Stop { member: id })?;
    effects.append(applied(call, EnsembleAction::Start { member: id })?);
    Ok(Json(Caused { effects }))
}

fn apply(call: &Call, action: EnsembleAction) -> Result<Json<Caused>, Failure> {
    let effects = applied(call, action)?;
    Ok(Json(Caused { effects }))
}

fn applied(call: &Call, action: EnsembleAction) -> Result<Effects, Failure> {
    let ensemble = call.instance()?.server.ensemble();
    ensemble.apply(action).map_err(|error| {
        if let ApplyError::Ensemble(EnsembleError::NoSuchMember(_)) = error {
            Failure::not_found(error.to_string())
        } else {
            Failure::refused(error)
        }
    })
}
