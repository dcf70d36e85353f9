//! A server under the API, with everything that requests have placed on it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use minikeeper::fault::{Chaos, ChaosGuard, FaultGuard, FaultRule, Partition};
use minikeeper::journal::{Budget, BudgetGuard, Claim, Mark};
use minikeeper::label::TestSession;
use minikeeper::{Hold, Matcher, Server, SessionId, Snapshot, Tree};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::numbered::Numbered;
use super::waits::Armed;

/// A server under the API.
pub(crate) struct Instance {
    pub(super) id: String,
    /// Free text of the description.
    pub(super) name: Option<String>,
    pub(super) server: Server,
    /// State that a reset restores.
    pub(super) origin: Origin,
    /// Whether deleting the server reports leaks, unless the request says otherwise.
    pub(super) check_leaks: bool,
    things: Mutex<Things>,
    closed: watch::Sender<bool>,
    /// Slot of the limit of servers; `None` for a server that was given to the API.
    slot: Option<OwnedSemaphorePermit>,
}

/// State that a server began with.
#[derive(Clone, Debug, Default)]
pub(super) enum Origin {
    #[default]
    Empty,
    Seed(Tree),
    Snapshot(Snapshot),
}

/// Everything that requests have placed on a server.
#[derive(Debug)]
pub(super) struct Things {
    pub(super) faults: Numbered<PlacedFault>,
    pub(super) chaos: Numbered<PlacedChaos>,
    pub(super) holds: Numbered<PlacedHold>,
    pub(super) links: Numbered<PlacedLink>,
    pub(super) budgets: Numbered<PlacedBudget>,
    pub(super) claims: Numbered<PlacedClaim>,
    pub(super) waits: Numbered<Armed>,
    /// Sessions of the test.
    pub(super) sessions: Vec<TestSession>,
}

#[derive(Debug)]
pub(super) struct PlacedFault {
    pub(super) rule: FaultRule,
    pub(super) guard: FaultGuard,
}

#[derive(Debug)]
pub(super) struct PlacedChaos {
    pub(super) rule: Chaos,
    pub(super) guard: ChaosGuard,
}

#[derive(Debug)]
pub(super) struct PlacedHold {
    pub(super) name: Option<String>,
    pub(super) on: Matcher,
    pub(super) guard: Hold,
}

#[derive(Debug)]
pub(super) struct PlacedLink {
    pub(super) on: Matcher,
    pub(super) direction: minikeeper::fault::Direction,
    #[expect(dead_code, reason = "the link is cut as long as this exists")]
    pub(super) guard: Partition,
}

#[derive(Debug)]
pub(super) struct PlacedBudget {
    pub(super) budget: Budget,
    pub(super) guard: BudgetGuard,
}

#[derive(Debug)]
pub(super) struct PlacedClaim {
    pub(super) claim: Claim,
    pub(super) since: Mark,
}

/// Kind of a failure that deleting something reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum FindingKind {
    Fault,
    Budget,
    Claim,
    Leak,
    Server,
}

/// Failure of a test that deleting something reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding {
    pub(super) kind: FindingKind,
    /// Id of the fault, budget or claim.
    pub(super) id: Option<String>,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, id: Option<&str>, message: impl ToString) -> Self {
        Self {
            kind,
            id: id.map(str::to_owned),
            message: message.to_string(),
        }
    }
}

impl Default for Things {
    fn default() -> Self {
        Self {
            faults: Numbered::new("fault", 'f'),
            chaos: Numbered::new("chaos", 'x'),
            holds: Numbered::new("hold", 'h'),
            links: Numbered::new("link", 'l'),
            budgets: Numbered::new("budget", 'b'),
            claims: Numbered::new("claim", 'c'),
            waits: Numbered::new("wait", 'w'),
            sessions: Vec::new(),
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("id", &self.id)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl PlacedFault {
    /// Checks that the fault has happened, unless it is optional. Afterwards its guard can be dropped.
    pub(super) fn verify(&self, id: &str) -> Option<Finding> {
        let never = self.guard.check().err().filter(|_| !self.rule.optional)?;
        let message = never.without_place();
        Some(Finding::new(FindingKind::Fault, Some(id), message))
    }
}

impl PlacedBudget {
    /// Checks that the budget is not exceeded so far.
    pub(super) fn verify(&self, id: &str) -> Option<Finding> {
        let exceeded = self.guard.check().err()?;
        Some(Finding::new(FindingKind::Budget, Some(id), exceeded))
    }

    /// Ends the budget, and returns whether it was exceeded. Afterwards its guard can be dropped: later messages, also
    /// those that the end of other things causes, do not count.
    pub(super) fn end(&self, id: &str) -> Option<Finding> {
        let exceeded = self.guard.end().err()?;
        Some(Finding::new(FindingKind::Budget, Some(id), exceeded))
    }
}

impl PlacedClaim {
    pub(super) fn verify(&self, id: &str, server: &Server) -> Option<Finding> {
        let broken = server.journal_since(self.since).check(&self.claim).err()?;
        Some(Finding::new(FindingKind::Claim, Some(id), broken))
    }
}

impl Things {
    /// Takes everything. Later ids differ from those that were given.
    fn take(&mut self) -> Self {
        Self {
            faults: self.faults.take(),
            chaos: self.chaos.take(),
            holds: self.holds.take(),
            links: self.links.take(),
            budgets: self.budgets.take(),
            claims: self.claims.take(),
            waits: self.waits.take(),
            sessions: std::mem::take(&mut self.sessions),
        }
    }

    /// Prepares the guards to be dropped unchecked.
    pub(super) fn disarm(&self) {
        for (id, fault) in self.faults.all() {
            fault.verify(&id);
        }
        for (id, budget) in self.budgets.all() {
            budget.end(&id);
        }
    }

    /// Checks everything that can fail, and ends the budgets.
    fn verify(&self, server: &Server) -> Vec<Finding> {
        let faults = self.faults.all().into_iter();
        let budgets = self.budgets.all().into_iter();
        let claims = self.claims.all().into_iter();
        faults
            .filter_map(|(id, fault)| fault.verify(&id))
            .chain(budgets.filter_map(|(id, budget)| budget.end(&id)))
            .chain(claims.filter_map(|(id, claim)| claim.verify(&id, server)))
            .collect()
    }
}

impl Instance {
    pub(super) fn new(
        id: String,
        server: Server,
        things: Things,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            things: Mutex::new(things),
            slot: Some(slot),
            ..Self::given(id, server)
        }
    }

    /// Server that was given to the API, and that the API cannot delete.
    pub(super) fn given(id: String, server: Server) -> Self {
        Self {
            id,
            name: None,
            server,
            origin: Origin::Empty,
            check_leaks: false,
            things: Mutex::default(),
            closed: watch::Sender::new(false),
            slot: None,
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.slot.is_none()
    }

    pub(super) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the server is deleted.
    pub(super) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender exists as long as the instance.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Stores a session of the test, which stays open until it is closed by its id.
    pub(super) fn add_session(&self, session: TestSession) -> SessionId {
        let id = session.id();
        self.things().sessions.push(session);
        id
    }

    /// Takes everything that requests have placed. The test's sessions are closed, messages released, links healed.
    /// With `verify`, the failures are returned.
    pub(super) fn clear(&self, verify: bool) -> Vec<Finding> {
        let things = self.things().take();
        // In any case, since a guard that has not been checked panics when it is dropped.
        let findings = things.verify(&self.server);
        drop(things);
        if verify { findings } else { Vec::new() }
    }

    /// Whether the server ends.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Ends everything that waits for the server.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends everything that requests have placed, and stops the server unless it was given to the API. Returns a
    /// finding if the server panicked.
    pub(super) fn end(&self) -> Option<Finding> {
        self.close();
        self.clear(false);
        if self.is_given() {
            return None;
        }
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.server.stop()));
        stopped.err().map(|_| {
            let message = "the server panicked, which is a bug of minikeeper; \
                 the message is on the standard error of the process";
            Finding::new(FindingKind::Server, None, message)
        })
    }
}

/// Last lines of a server's journal.
pub(super) fn tail(server: &Server) -> Vec<String> {
    const LINES: usize = 20;
    server.journal().last_lines(LINES)
}
