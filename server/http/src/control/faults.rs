//! Faults, chaos, cut links, budgets and claims: what a test places, and verifies when it removes it.

use minikeeper::fault::{Chaos, Direction, FaultRule};
use minikeeper::journal::{Budget, Claim, Mark};
use minikeeper::{Matcher, Server};
use serde::{Deserialize, Serialize};

use super::data::Id;
use super::instance::{Finding, PlacedBudget, PlacedChaos, PlacedClaim, PlacedFault, PlacedLink};
use super::servers::Findings;
use crate::error::Failure;
use crate::query::Param;
use crate::reply::{JSON, Reply};
use crate::route::{Answer, Call, Created, Done, Json, Nothing, Route};

/// A fault.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FaultView {
    id: String,
    rule: FaultRule,
    /// Number of times that it has happened.
    hits: u64,
}

/// All faults.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FaultList {
    faults: Vec<FaultView>,
}

/// Failures of something that was removed, and how often it happened.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Removed {
    failures: Vec<Finding>,
    hits: u64,
}

/// A chaos.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChaosView {
    id: String,
    seed: u64,
    /// Number of faults that have happened.
    hits: u64,
    rule: Chaos,
}

/// All chaos.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChaosList {
    chaos: Vec<ChaosView>,
}

/// Id and seed of a new chaos.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NewChaos {
    id: String,
    seed: u64,
}

/// Links to cut: by a matcher, or by a label.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LinkForm {
    #[serde(default)]
    on: Option<Matcher>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default = "both")]
    direction: Direction,
}

fn both() -> Direction {
    Direction::Both
}

/// A cut link.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LinkView {
    id: String,
    on: Matcher,
    direction: Direction,
}

/// All cut links.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LinkList {
    links: Vec<LinkView>,
}

/// A budget.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BudgetView {
    id: String,
    budget: Budget,
    /// The way in which it is exceeded, if it is.
    failure: Option<String>,
}

/// All budgets.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BudgetList {
    budgets: Vec<BudgetView>,
}

/// Claim about the journal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ClaimForm {
    claim: Claim,
    /// Place from which entries count; the beginning by default.
    since: Option<Mark>,
    /// Whether the claim is checked when it is removed, instead of now.
    #[serde(default)]
    at_end: bool,
}

/// Outcome of a claim, or the id of one that is checked later.
enum ClaimReply {
    Now(ClaimOutcome),
    Later(Created<Id>),
}

impl Answer for ClaimReply {
    const CONTENT_TYPE: &'static str = JSON;

    fn into_reply(self) -> Reply {
        match self {
            Self::Now(outcome) => Json(outcome).into_reply(),
            Self::Later(created) => created.into_reply(),
        }
    }

    #[cfg(test)]
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Json::<ClaimOutcome>::schema(schemas)
    }
}

/// Outcome of a claim.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ClaimOutcome {
    Holds,
    Broken { message: String },
}

/// A claim that is checked later.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ClaimView {
    id: String,
    claim: Claim,
    since: Mark,
    /// The way in which it is broken now, if it is.
    failure: Option<String>,
}

/// All claims.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ClaimList {
    claims: Vec<ClaimView>,
}

/// Whether a message can match.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Possible {
    possible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) const VERIFY: [Param; 1] = [Param::bool(
    "verify",
    "Whether failures are reported; true by default.",
)];

// Longer than 60 lines: one table of routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/faults",
            "list_faults",
            "Lists the faults.",
            list_faults,
        ),
        Route::post(
            "/v1/servers/{server}/faults",
            "add_fault",
            "Places a fault.",
            add_fault,
        ),
        Route::post(
            "/v1/servers/{server}/faults/clear",
            "clear_faults",
            "Ends all faults and chaos, without verification.",
            clear_faults,
        ),
        Route::get(
            "/v1/servers/{server}/faults/{fault}",
            "get_fault",
            "Returns a fault.",
            get_fault,
        ),
        Route::delete(
            "/v1/servers/{server}/faults/{fault}",
            "delete_fault",
            "Ends a fault, and reports if it never happened.",
            delete_fault,
        )
        .query(&VERIFY),
        Route::post(
            "/v1/servers/{server}/faults/{fault}/heal",
            "heal_fault",
            "Heals the links that a fault has cut.",
            heal_fault,
        ),
        Route::get(
            "/v1/servers/{server}/chaos",
            "list_chaos",
            "Lists the chaos.",
            list_chaos,
        ),
        Route::post(
            "/v1/servers/{server}/chaos",
            "add_chaos",
            "Begins random faults.",
            add_chaos,
        ),
        Route::get(
            "/v1/servers/{server}/chaos/{chaos}",
            "get_chaos",
            "Returns a chaos.",
            get_chaos,
        ),
        Route::delete(
            "/v1/servers/{server}/chaos/{chaos}",
            "delete_chaos",
            "Ends random faults.",
            delete_chaos,
        )
        .query(&VERIFY),
        Route::post(
            "/v1/servers/{server}/chaos/{chaos}/heal",
            "heal_chaos",
            "Heals the links that a chaos has cut.",
            heal_chaos,
        ),
        Route::get(
            "/v1/servers/{server}/links",
            "list_links",
            "Lists the links that are cut.",
            list_links,
        ),
        Route::post(
            "/v1/servers/{server}/links",
            "cut_link",
            "Cuts the links of clients, by a matcher or a label.",
            add_link,
        ),
        Route::delete(
            "/v1/servers/{server}/links/{link}",
            "heal_link",
            "Heals a link.",
            delete_link,
        ),
        Route::get(
            "/v1/servers/{server}/budgets",
            "list_budgets",
            "Lists the budgets.",
            list_budgets,
        ),
        Route::post(
            "/v1/servers/{server}/budgets",
            "add_budget",
            "Watches a budget from now on.",
            add_budget,
        ),
        Route::get(
            "/v1/servers/{server}/budgets/{budget}",
            "get_budget",
            "Returns a budget, and whether it is exceeded.",
            get_budget,
        ),
        Route::delete(
            "/v1/servers/{server}/budgets/{budget}",
            "delete_budget",
            "Ends a budget, and reports if it was exceeded.",
            delete_budget,
        )
        .query(&VERIFY),
        Route::get(
            "/v1/servers/{server}/claims",
            "list_claims",
            "Lists the claims that are checked at the end.",
            list_claims,
        ),
        Route::post(
            "/v1/servers/{server}/claims",
            "check_claim",
            "Checks a claim about the journal, now or at the end.",
            add_claim,
        )
        .or::<Created<Id>>(),
        Route::get(
            "/v1/servers/{server}/claims/{claim}",
            "get_claim",
            "Returns a claim, and whether it is broken now.",
            get_claim,
        ),
        Route::delete(
            "/v1/servers/{server}/claims/{claim}",
            "delete_claim",
            "Checks a claim and removes it.",
            delete_claim,
        )
        .query(&VERIFY),
        Route::post(
            "/v1/servers/{server}/matchers/check",
            "check_matcher",
            "Checks whether a message can match.",
            check_matcher,
        ),
    ]
}

pub(super) fn place(server: &Server, rule: FaultRule) -> Result<PlacedFault, Failure> {
    let guard = server.add_fault(rule.clone()).map_err(Failure::refused)?;
    Ok(PlacedFault { rule, guard })
}

fn list_faults(call: &Call) -> Result<Json<FaultList>, Failure> {
    let faults = call.instance()?.things().faults.all();
    let faults = faults.iter().map(|(id, fault)| FaultView::of(id, fault));
    Ok(Json(FaultList {
        faults: faults.collect(),
    }))
}

impl FaultView {
    fn of(id: &str, fault: &PlacedFault) -> Self {
        Self {
            id: id.to_owned(),
            rule: fault.rule.clone(),
            hits: fault.guard.hits(),
        }
    }
}

fn add_fault(call: &Call, rule: FaultRule) -> Result<Created<Id>, Failure> {
    let instance = call.instance()?;
    let fault = place(&instance.server, rule)?;
    let id = instance.things().faults.add(fault);
    Ok(created(&instance.id, "faults", id))
}

fn created(server: &str, things: &str, id: String) -> Created<Id> {
    Created(format!("/v1/servers/{server}/{things}/{id}"), Id { id })
}

fn get_fault(call: &Call) -> Result<Json<FaultView>, Failure> {
    let id = call.param("fault");
    let fault = call.instance()?.things().faults.get(id)?;
    Ok(Json(FaultView::of(id, &fault)))
}

fn delete_fault(call: &Call) -> Result<Json<Removed>, Failure> {
    let id = call.param("fault");
    let fault = call.instance()?.things().faults.remove(id)?;
    let finding = fault.verify(id).filter(|_| is_verified(call));
    Ok(Json(Removed {
        failures: finding.into_iter().collect(),
        hits: fault.guard.hits(),
    }))
}

pub(super) fn is_verified(call: &Call) -> bool {
    call.query.bool("verify", true)
}

fn heal_fault(call: &Call, _: Nothing) -> Result<Json<Done>, Failure> {
    let fault = call.instance()?.things().faults.get(call.param("fault"))?;
    fault.guard.heal();
    Ok(Json(Done {}))
}

fn clear_faults(call: &Call, _: Nothing) -> Result<Json<Done>, Failure> {
    let instance = call.instance()?;
    let (faults, chaos) = {
        let mut things = instance.things();
        (things.faults.take(), things.chaos.take())
    };
    for (id, fault) in faults.all() {
        fault.verify(&id);
    }
    drop((faults, chaos));
    // Those that were placed by the owner of a server that was given.
    instance.server.clear_faults();
    Ok(Json(Done {}))
}

pub(super) fn place_chaos(server: &Server, rule: Chaos) -> Result<PlacedChaos, Failure> {
    const SEED: &str = "MINIKEEPER_SEED";
    if rule.seed.is_none()
        && let Ok(seed) = std::env::var(SEED)
        && seed.trim().parse::<u64>().is_err()
    {
        let message = format!("{SEED} of the process is {seed:?}, which is not a number");
        return Err(Failure::refused(message));
    }
    let guard = server.add_chaos(rule.clone()).map_err(Failure::refused)?;
    Ok(PlacedChaos { rule, guard })
}

impl ChaosView {
    fn of(id: &str, chaos: &PlacedChaos) -> Self {
        Self {
            id: id.to_owned(),
            seed: chaos.guard.seed(),
            hits: chaos.guard.hits(),
            rule: chaos.rule.clone(),
        }
    }
}

fn list_chaos(call: &Call) -> Result<Json<ChaosList>, Failure> {
    let chaos = call.instance()?.things().chaos.all();
    let chaos = chaos.iter().map(|(id, chaos)| ChaosView::of(id, chaos));
    Ok(Json(ChaosList {
        chaos: chaos.collect(),
    }))
}

fn add_chaos(call: &Call, rule: Chaos) -> Result<Created<NewChaos>, Failure> {
    let instance = call.instance()?;
    let chaos = place_chaos(&instance.server, rule)?;
    let seed = chaos.guard.seed();
    let id = instance.things().chaos.add(chaos);
    let location = format!("/v1/servers/{}/chaos/{id}", instance.id);
    Ok(Created(location, NewChaos { id, seed }))
}

fn get_chaos(call: &Call) -> Result<Json<ChaosView>, Failure> {
    let id = call.param("chaos");
    let chaos = call.instance()?.things().chaos.get(id)?;
    Ok(Json(ChaosView::of(id, &chaos)))
}

fn delete_chaos(call: &Call) -> Result<Json<Removed>, Failure> {
    let chaos = call
        .instance()?
        .things()
        .chaos
        .remove(call.param("chaos"))?;
    Ok(Json(Removed {
        failures: Vec::new(),
        hits: chaos.guard.hits(),
    }))
}

fn heal_chaos(call: &Call, _: Nothing) -> Result<Json<Done>, Failure> {
    let chaos = call.instance()?.things().chaos.get(call.param("chaos"))?;
    chaos.guard.heal();
    Ok(Json(Done {}))
}

pub(super) fn cut(server: &Server, form: LinkForm) -> Result<PlacedLink, Failure> {
    let on = match (form.on, form.label) {
        (Some(_), Some(_)) => {
            return Err(Failure::bad_request(
                "label: a link is named by `on` or by `label`, not by both",
            ));
        }
        (Some(on), None) => on,
        (None, Some(label)) => Matcher::any().label(&label),
        (None, None) => Matcher::any(),
    };
    let direction = form.direction;
    let guard = server.try_cut(on.clone(), direction);
    Ok(PlacedLink {
        guard: guard.map_err(Failure::refused)?,
        on,
        direction,
    })
}

fn list_links(call: &Call) -> Result<Json<LinkList>, Failure> {
    let links = call.instance()?.things().links.all();
    let links = links.into_iter().map(|(id, link)| LinkView {
        id,
        on: link.on.clone(),
        direction: link.direction,
    });
    Ok(Json(LinkList {
        links: links.collect(),
    }))
}

fn add_link(call: &Call, form: LinkForm) -> Result<Created<Id>, Failure> {
    let instance = call.instance()?;
    let link = cut(&instance.server, form)?;
    let id = instance.things().links.add(link);
    Ok(created(&instance.id, "links", id))
}

fn delete_link(call: &Call) -> Result<Json<Done>, Failure> {
    let link = call.instance()?.things().links.remove(call.param("link"))?;
    drop(link);
    Ok(Json(Done {}))
}

impl BudgetView {
    fn of(id: &str, placed: &PlacedBudget) -> Self {
        Self {
            id: id.to_owned(),
            budget: placed.budget.clone(),
            failure: placed.verify(id).map(|finding| finding.message),
        }
    }
}

fn list_budgets(call: &Call) -> Result<Json<BudgetList>, Failure> {
    let budgets = call.instance()?.things().budgets.all();
    let budgets = budgets
        .iter()
        .map(|(id, placed)| BudgetView::of(id, placed));
    Ok(Json(BudgetList {
        budgets: budgets.collect(),
    }))
}

fn add_budget(call: &Call, budget: Budget) -> Result<Created<Id>, Failure> {
    let instance = call.instance()?;
    let guard = instance.server.try_budget(budget.clone());
    let guard = guard.map_err(Failure::refused)?;
    let id = instance
        .things()
        .budgets
        .add(PlacedBudget { budget, guard });
    Ok(created(&instance.id, "budgets", id))
}

fn get_budget(call: &Call) -> Result<Json<BudgetView>, Failure> {
    let id = call.param("budget");
    let placed = call.instance()?.things().budgets.get(id)?;
    Ok(Json(BudgetView::of(id, &placed)))
}

fn delete_budget(call: &Call) -> Result<Json<Findings>, Failure> {
    let id = call.param("budget");
    let instance = call.instance()?;
    let placed = instance.things().budgets.remove(id)?;
    let finding = placed.end(id).filter(|_| is_verified(call));
    Ok(Json(Findings::of(finding.into_iter().collect(), &instance)))
}

/// Checks that each matcher of a claim can match.
pub(super) fn check_claim(server: &Server, claim: &Claim) -> Result<(), Failure> {
    let matchers: Vec<&Matcher> = match claim {
        Claim::Sequence { steps } => steps.iter().collect(),
        Claim::Exactly { matcher, .. } | Claim::AtMost { matcher, .. } => vec![matcher],
        _ => Vec::new(),
    };
    let mut checked = matchers.into_iter().map(|matcher| server.check(matcher));
    checked.try_for_each(|checked| checked.map_err(Failure::refused))
}

impl ClaimView {
    fn of(id: &str, placed: &PlacedClaim, server: &Server) -> Self {
        Self {
            id: id.to_owned(),
            claim: placed.claim.clone(),
            since: placed.since,
            failure: placed.verify(id, server).map(|finding| finding.message),
        }
    }
}

fn list_claims(call: &Call) -> Result<Json<ClaimList>, Failure> {
    let instance = call.instance()?;
    let claims = instance.things().claims.all();
    let claims = claims.iter();
    let claims = claims.map(|(id, placed)| ClaimView::of(id, placed, &instance.server));
    Ok(Json(ClaimList {
        claims: claims.collect(),
    }))
}

fn add_claim(call: &Call, form: ClaimForm) -> Result<ClaimReply, Failure> {
    let instance = call.instance()?;
    let since = form.since.unwrap_or(Mark::BEGINNING);
    check_claim(&instance.server, &form.claim)?;
    let placed = PlacedClaim {
        claim: form.claim,
        since,
    };
    if form.at_end {
        let id = instance.things().claims.add(placed);
        return Ok(ClaimReply::Later(created(&instance.id, "claims", id)));
    }
    let broken = placed.verify("", &instance.server);
    Ok(ClaimReply::Now(match broken {
        None => ClaimOutcome::Holds,
        Some(Finding { message, .. }) => ClaimOutcome::Broken { message },
    }))
}

fn get_claim(call: &Call) -> Result<Json<ClaimView>, Failure> {
    let id = call.param("claim");
    let instance = call.instance()?;
    let placed = instance.things().claims.get(id)?;
    Ok(Json(ClaimView::of(id, &placed, &instance.server)))
}

fn delete_claim(call: &Call) -> Result<Json<Findings>, Failure> {
    let id = call.param("claim");
    let instance = call.instance()?;
    let placed = instance.things().claims.remove(id)?;
    let finding = placed.verify(id, &instance.server);
    let finding = finding.filter(|_| is_verified(call));
    Ok(Json(Findings::of(finding.into_iter().collect(), &instance)))
}

fn check_matcher(call: &Call, matcher: Matcher) -> Result<Json<Possible>, Failure> {
    let checked = call.instance()?.server.check(&matcher);
    Ok(Json(Possible {
        possible: checked.is_ok(),
        reason: checked.err().map(|never| never.to_string()),
    }))
}
