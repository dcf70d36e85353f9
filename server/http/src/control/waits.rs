//! Waits: long polls that always answer, and waits that are armed before the act.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use hyper::{Method, StatusCode};
use minikeeper::journal::{Entry, Mark, TimedOut, WaitFor};
use minikeeper::{Matcher, Server};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::data::{Data, Znode};
use super::instance::{Instance, tail};
use super::race::{First, first};
use super::{Context, limit_reached};
use crate::error::Failure;
use crate::query::Param;
use crate::reply::Reply;
use crate::route::{Call, Created, Done, Json, Outcome, Route};

/// Wait for a message, a sequence of messages, or a state. Exactly one of the first five fields is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WaitForm {
    matcher: Option<Matcher>,
    /// Messages in this order, with any others in between.
    sequence: Option<Vec<Matcher>>,
    state: Option<State>,
    /// Id of a fault that has happened.
    fault: Option<String>,
    held: Option<HeldForm>,
    /// Number of the match, with `matcher`; 1 by default.
    nth: Option<usize>,
    /// Number of times, with `fault`; 1 by default.
    times: Option<u64>,
    /// Mark from which messages count, with `matcher` and `sequence`; now by default.
    since: Option<Mark>,
    /// Time of the wait; 10,000 by default.
    within_ms: Option<u64>,
    /// Whether the call returns at once, and the wait is collected later.
    arm: bool,
}

/// State that a server reaches.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum State {
    /// A znode exists.
    Znode(String),
    /// A znode does not exist.
    NoZnode(String),
    /// A znode has these data.
    Data(DataState),
    /// A path has this number of watches.
    Watch(WatchState),
    /// A client with this label has a session.
    Session(String),
    /// Clients have closed everything.
    NoLeaks,
    /// The disk has failed.
    Failure,
}

/// Data of a znode.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DataState {
    path: String,
    data: Data,
}

/// Number of watches of a path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WatchState {
    path: String,
    #[serde(default = "one")]
    number: usize,
}

/// Number of messages that a hold holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HeldForm {
    hold: String,
    #[serde(default = "one")]
    number: usize,
}

fn one() -> usize {
    1
}

/// Outcome of a wait.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum WaitOutcome {
    Matched {
        /// The messages that matched.
        entries: Vec<Entry>,
        /// Place behind the last of them, for `since` of the next wait.
        mark: Mark,
        /// The znode, session, watches or messages of a wait for a state.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
    },
    TimedOut {
        message: String,
        /// Last lines of the journal.
        last: Vec<String>,
        /// Value for `since` of a repetition, which loses nothing.
        mark: Mark,
        /// Whether the poll ended before the time that was asked for.
        more: bool,
    },
}

/// Id of an armed wait, and the mark from which messages count.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NewWait {
    id: String,
    mark: Mark,
}

/// Wait that is being awaited: the entries and the value that it found.
type Finding = Pin<Box<dyn Future<Output = Result<Found, TimedOut>> + Send>>;
type Found = (Vec<Entry>, Option<Value>);

/// Wait that was armed, to be collected.
pub(super) struct Armed {
    form: WaitForm,
    since: Mark,
    /// `None` once it was collected.
    finding: Mutex<Option<Finding>>,
    _slot: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Armed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Armed")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

const WITHIN: [Param; 1] = [Param::number(
    "within_ms",
    "Time of the wait, in milliseconds; 10,000 by default.",
)];

/// Default time of a wait.
const DEFAULT_MS: u64 = 10_000;
/// Time of an armed wait; each poll has its own.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::waiting::<Json<WaitOutcome>, _>(
            Method::POST,
            "/v1/servers/{server}/waits",
            "wait",
            "Waits for a message or a state, or arms a wait.",
            wait,
        )
        .with_body::<WaitForm>()
        .or::<Created<NewWait>>(),
        Route::waiting::<Json<WaitOutcome>, _>(
            Method::GET,
            "/v1/servers/{server}/waits/{wait}",
            "collect_wait",
            "Waits for an armed wait.",
            collect,
        )
        .query(&WITHIN),
        Route::delete(
            "/v1/servers/{server}/waits/{wait}",
            "delete_wait",
            "Removes an armed wait.",
            delete,
        ),
    ]
}

async fn wait(call: Call) -> Outcome {
    let instance = call.instance()?;
    let form: WaitForm = call.json()?;
    let slot = slot(&call.context)?;
    let since = form.since.unwrap_or_else(|| instance.server.mark());
    if form.arm {
        let finding = begin(&instance, &form, form.since, FOREVER)?;
        let id = instance.things().waits.add(Armed {
            form,
            since,
            finding: Mutex::new(Some(finding)),
            _slot: slot,
        });
        let location = format!("/v1/servers/{}/waits/{id}", instance.id);
        return Ok(reply(Created(location, NewWait { id, mark: since })));
    }
    let (span, more) = span(&call.context, form.within_ms);
    let finding = begin(&instance, &form, form.since, span)?;
    let outcome = match first(finding, instance.closed()).await {
        First::One(found) => WaitOutcome::of(found, &instance, since, more),
        First::Other(()) => return Err(deleted(&instance)),
    };
    Ok(Reply::json(StatusCode::OK, &outcome))
}

async fn collect(call: Call) -> Outcome {
    let instance = call.instance()?;
    let id = call.param("wait");
    let armed = instance.things().waits.get(id)?;
    let (span, more) = span(&call.context, call.query.number("within_ms"));
    let Ok(mut finding) = armed.finding.try_lock() else {
        return Err(Failure::conflict(format!(
            "the wait {id} is being collected by another request"
        )));
    };
    let Some(waited) = finding.as_mut() else {
        return Err(Failure::not_found(format!(
            "the wait {id} was collected already"
        )));
    };
    let polled = tokio::time::timeout(span, waited);
    let found = match first(polled, instance.closed()).await {
        First::One(Ok(found)) => found,
        // A wait of the same form that ends at once has the message.
        First::One(Err(_)) => {
            begin(&instance, &armed.form, Some(armed.since), Duration::ZERO)?.await
        }
        First::Other(()) => return Err(deleted(&instance)),
    };
    if found.is_ok() {
        *finding = None;
        // Another request may have removed it.
        let _ = instance.things().waits.remove(id);
    }
    let mut outcome = WaitOutcome::of(found, &instance, armed.since, more);
    if let WaitOutcome::TimedOut { message, .. } = &mut outcome {
        // The span of this request, and not of the wait that had only to end.
        *message = message.replacen(
            "timed out after 0ns",
            &format!("timed out after {span:?}"),
            1,
        );
    }
    Ok(Reply::json(StatusCode::OK, &outcome))
}

fn delete(call: &Call) -> Result<Json<Done>, Failure> {
    call.instance()?.things().waits.remove(call.param("wait"))?;
    Ok(Json(Done {}))
}

fn reply(answer: impl crate::route::Answer) -> Reply {
    answer.into_reply()
}

fn deleted(instance: &Instance) -> Failure {
    let id = &instance.id;
    Failure::not_found(format!(
        "the server {id} was deleted while the request waited"
    ))
}

fn slot(context: &Context) -> Result<OwnedSemaphorePermit, Failure> {
    let slot = std::sync::Arc::clone(&context.wait_slots).try_acquire_owned();
    slot.map_err(|_| limit_reached("waits", context.limits.waits))
}

/// Time of one poll, and whether it is shorter than the time that was asked for.
fn span(context: &Context, within_ms: Option<u64>) -> (Duration, bool) {
    let asked = Duration::from_millis(within_ms.unwrap_or(DEFAULT_MS));
    let most = context.limits.wait;
    (asked.min(most), asked > most)
}

impl WaitOutcome {
    fn of(found: Result<Found, TimedOut>, instance: &Instance, since: Mark, more: bool) -> Self {
        match found {
            Ok((entries, value)) => Self::Matched {
                mark: entries
                    .last()
                    .map_or_else(|| instance.server.mark(), |last| Mark::from(last.number)),
                entries,
                value,
            },
            Err(error) => Self::TimedOut {
                message: error.reason().to_owned(),
                last: tail(&instance.server),
                mark: since,
                more,
            },
        }
    }
}

/// Begins a wait. Messages count from now on, or from `since`.
///
/// # Errors
///
/// If the form has no or several conditions, or one that can never be met.
fn begin(
    instance: &Instance,
    form: &WaitForm,
    since: Option<Mark>,
    span: Duration,
) -> Result<Finding, Failure> {
    check_form(form)?;
    let server = &instance.server;
    if let Some(matcher) = &form.matcher {
        server.check(matcher).map_err(Failure::refused)?;
        let wait = server
            .wait_for(matcher)
            .nth(form.nth.unwrap_or(1))
            .within(span);
        let wait = match since {
            Some(mark) => wait.since(mark),
            None => wait,
        };
        return Ok(found(wait, |entry| (vec![entry], None)));
    }
    if let Some(steps) = &form.sequence {
        for step in steps {
            server.check(step).map_err(Failure::refused)?;
        }
        let wait = server.wait_for_sequence(steps.iter().cloned()).within(span);
        let wait = match since {
            Some(mark) => wait.since(mark),
            None => wait,
        };
        return Ok(found(wait, |entries| (entries, None)));
    }
    if let Some(id) = &form.fault {
        let fault = instance.things().faults.get(id)?;
        let times = form.times.unwrap_or(1);
        if let Some(most) = fault.rule.times.filter(|most| *most < times) {
            let message = format!("the fault {id} happens at most {most} times, never {times}");
            return Err(Failure::refused(message));
        }
        let wait = fault.guard.happened_times(times).within(span);
        return Ok(found(wait, |()| (Vec::new(), None)));
    }
    if let Some(held) = &form.held {
        let hold = instance.things().holds.get(&held.hold)?;
        let wait = hold.guard.wait_for(held.number).within(span);
        return Ok(found(wait, move |()| {
            (Vec::new(), Some(to_value(hold.guard.held())))
        }));
    }
    match &form.state {
        Some(state) => begin_state(server, state, span),
        None => Err(Failure::bad_request(NO_CONDITION)),
    }
}

const NO_CONDITION: &str =
    "the body: a wait needs one of `matcher`, `sequence`, `state`, `fault` and `held`";

fn check_form(form: &WaitForm) -> Result<(), Failure> {
    let conditions = [
        form.matcher.is_some(),
        form.sequence.is_some(),
        form.state.is_some(),
        form.fault.is_some(),
        form.held.is_some(),
    ];
    let bad = |message: &str| Err(Failure::bad_request(message));
    if conditions.into_iter().filter(|is| *is).count() != 1 {
        return bad(NO_CONDITION);
    }
    if form.nth.is_some() && form.matcher.is_none() {
        return bad("nth: only a wait with `matcher` has it");
    }
    if form.times.is_some() && form.fault.is_none() {
        return bad("times: only a wait with `fault` has it");
    }
    if form.nth == Some(0) || form.times == Some(0) {
        return bad("nth, times: matches are counted from 1");
    }
    Ok(())
}

fn begin_state(server: &Server, state: &State, span: Duration) -> Result<Finding, Failure> {
    let of_znode = |znode| (Vec::new(), Some(to_value(Znode::of(znode))));
    Ok(match state {
        State::Znode(path) => found(server.wait_for_znode(path).within(span), of_znode),
        State::NoZnode(path) => found(server.wait_for_no_znode(path).within(span), |()| {
            (Vec::new(), None)
        }),
        State::Data(DataState { path, data }) => {
            let wait = server.wait_for_data(path, data.bytes());
            found(wait.within(span), of_znode)
        }
        State::Watch(WatchState { path, number }) => {
            let wait = server.wait_for_watch(path, *number);
            found(wait.within(span), |watches| {
                (Vec::new(), Some(to_value(watches)))
            })
        }
        State::Session(label) => {
            let by_label = Matcher::any().label(label);
            server.check(&by_label).map_err(Failure::refused)?;
            let wait = server.wait_for_session(label);
            found(wait.within(span), |session| {
                (Vec::new(), Some(to_value(session)))
            })
        }
        State::NoLeaks => found(server.wait_for_no_leaks().within(span), |()| {
            (Vec::new(), None)
        }),
        State::Failure => {
            // The disk is not part of the journal, so a wait that can never end has the message.
            let failure = server.wait_for_failure();
            let never = server.wait_until(|_| false).within(span);
            Box::pin(async move {
                match first(failure, never).await {
                    First::One(failure) => Ok((Vec::new(), Some(to_value(failure.to_string())))),
                    First::Other(never) => never.map(|()| (Vec::new(), None)),
                }
            })
        }
    })
}

fn found<T: 'static>(wait: WaitFor<T>, take: impl FnOnce(T) -> Found + Send + 'static) -> Finding {
    Box::pin(async move { wait.await.map(take) })
}

fn to_value(value: impl Serialize) -> Value {
    // All keys are texts, so JSON can express everything.
    serde_json::to_value(value).unwrap_or_default()
}
