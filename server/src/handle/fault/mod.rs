//! Faults and cut links. Each lasts until its guard is dropped.

mod chaos;

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub use chaos::ChaosGuard;

use crate::control::{
    Condition, Direction, Fault, FaultError, FaultId, FaultOutcome, FaultRule, Matcher,
    NeverMatches,
};
use crate::handle::{Server, WaitFor, last_error};
use crate::protocol::SessionId;

/// Guard of a fault. The fault lasts until the guard is dropped.
///
/// # Panics
///
/// Dropping the guard panics if the fault never happened, and the message lists the nearest misses: a fault that does
/// not happen proves nothing. Dropping it does not panic if the fault is [optional](FaultRule::optional) or the thread
/// is panicking already.
///
/// ```
/// use minikeeper::{ErrorCode, Fault, Op};
///
/// let server = minikeeper::Server::start()?;
/// let fault = server.fault("no writes").on(Op::Write).optional().then(Fault::Error { code: ErrorCode::NoAuth });
/// assert_eq!(fault.hits(), 0);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
///
/// A test that returns a `Result` drops its guards before the error is reported, so a panic here hides the error. In
/// such a test, call `optional()` and end with [`check`](Self::check):
///
/// ```
/// use minikeeper::{Fault, Op};
///
/// fn a_test() -> Result<(), Box<dyn std::error::Error>> {
///     let server = minikeeper::Server::start()?;
///     let fault = server.fault("no reply").on(Op::Create).optional().then(Fault::LoseReply);
///     // ... what may return an error ...
///     fault.check()?;
///     Ok(())
/// }
/// let error = a_test().unwrap_err().to_string();
/// assert!(error.starts_with(r#"the fault "no reply" never happened"#), "{error}");
/// ```
#[derive(Debug)]
#[must_use = "a fault lasts as long as its guard"]
pub struct FaultGuard {
    server: Server,
    id: FaultId,
    /// Whether [`check`](Self::check) has returned the error that the fault never happened.
    reported: AtomicBool,
    /// Number of errors that the thread had been given when the fault was placed.
    errors_before: u64,
    name: String,
    /// Maximum number of times that the fault happens.
    times: Option<u64>,
    placed_at: &'static Location<'static>,
}

/// Error for a fault that never happened: the messages that it waited for, and the nearest misses.
///
/// ```
/// use minikeeper::Fault;
///
/// let server = minikeeper::Server::start()?;
/// let fault = server.fault("no client connects").then(Fault::Refuse);
/// assert!(fault.check().unwrap_err().to_string().contains("no accepted connection passed"));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the fault {name:?} never happened: {why}. It was placed at {placed_at}")]
pub struct NeverHappened {
    name: String,
    why: String,
    placed_at: &'static Location<'static>,
}

/// Prints the same text as `Display`, since a test that unwraps or returns this error shows the `Debug` form.
impl std::fmt::Debug for NeverHappened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl NeverHappened {
    /// Returns the error without the place in the sources where the fault was placed, for a caller that placed the
    /// fault for another program.
    ///
    /// ```
    /// use minikeeper::{Fault, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let fault = server.fault("lost").on(Op::Create).then(Fault::LoseReply);
    /// let never = fault.check().unwrap_err();
    /// assert!(never.without_place().starts_with("the fault \"lost\" never happened: "));
    /// assert!(!never.without_place().contains("placed at"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn without_place(&self) -> String {
        format!("the fault {:?} never happened: {}", self.name, self.why)
    }
}

impl FaultGuard {
    /// Checks that the fault has happened, [optional](FaultRule::optional) or not. After an error from this call,
    /// dropping the guard does not panic.
    ///
    /// # Errors
    ///
    /// If the fault has never happened.
    pub fn check(&self) -> Result<(), NeverHappened> {
        let Some(why) = self.server.shared.engine.fault_waits_for(self.id) else {
            return Ok(());
        };
        self.reported.store(true, Ordering::Relaxed);
        Err(last_error::note(self.never(why)))
    }

    fn never(&self, why: String) -> NeverHappened {
        NeverHappened {
            name: self.name.clone(),
            why,
            placed_at: self.placed_at,
        }
    }

    /// Returns the number of times that the fault has happened.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.server.shared.engine.fault_hits(self.id)
    }

    /// Waits until the fault has happened. Returns at once if it has happened already.
    ///
    /// ```
    /// use std::time::Duration;
    /// use minikeeper::Fault;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let fault = server.fault("no connections").then(Fault::Refuse);
    /// let client = std::net::TcpStream::connect(server.addr())?;
    /// fault.happened().blocking()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn happened(&self) -> WaitFor<()> {
        self.happened_times(1)
    }

    /// Waits until the fault has happened this number of times.
    ///
    /// # Panics
    ///
    /// If `times` exceeds the number of times that the fault can happen: see [`FaultRule::times`].
    #[track_caller]
    pub fn happened_times(&self, times: u64) -> WaitFor<()> {
        if let Some(most) = self.times.filter(|most| *most < times) {
            panic!(
                "the fault {:?} happens at most {}, so it never happens {times} times; call times({times}) or always()",
                self.name,
                match most {
                    1 => "once".to_owned(),
                    most => format!("{most} times"),
                }
            );
        }
        let condition = Condition::Happened {
            fault: self.id,
            times,
        };
        WaitFor::new(&self.server, condition, |_| ())
    }

    /// Heals the links that a [partition](Fault::Partition) has cut. Messages that were sent meanwhile arrive now, and
    /// so do the ends of connections that were closed meanwhile.
    pub fn heal(&self) {
        self.server.shared.engine.heal_fault(self.id);
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        let engine = &self.server.shared.engine;
        if thread::panicking() && !engine.is_sound() {
            return;
        }
        if let FaultOutcome::Never(why) = engine.remove_fault(self.id)
            && !self.reported.load(Ordering::Relaxed)
            && !thread::panicking()
        {
            panic!(
                "{}. If the fault need not happen, call optional(). If the test returned an error before the fault \
                 could happen, this panic hides the error: call optional(), and check()? at the end{}",
                self.never(why),
                last_error::hidden(self.errors_before)
            );
        }
    }
}

/// Builder of a fault: the messages that it happens to, and the number of times. Ends with [`then`](Self::then).
#[derive(Debug)]
#[must_use = "a fault is placed by `then`"]
pub struct FaultBuilder<'s> {
    server: &'s Server,
    rule: FaultRule,
}

impl FaultBuilder<'_> {
    /// Selects the messages that the fault happens to: an [`Op`](crate::Op), an
    /// [`EventKind`](crate::matcher::EventKind) or a [`Matcher`].
    ///
    /// The conditions of the matcher are added to those set before, as [`Matcher::and`] does. An `Op` selects requests,
    /// or replies where the fault or another condition is about replies.
    ///
    /// # Panics
    ///
    /// If no message can meet the conditions of both, or if one matcher cannot express both.
    ///
    /// ```
    /// use minikeeper::{Fault, Matcher, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let lost = server.fault("lost reply").on(Op::Create).path("/jobs*").optional().then(Fault::LoseReply);
    /// let half = server
    ///     .fault("half an event")
    ///     .on(Matcher::watch_event().path("/leader"))
    ///     .optional()
    ///     .then(Fault::Truncate { bytes: 7 });
    /// # drop((lost, half));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn on(mut self, on: impl Into<Matcher>) -> Self {
        self.rule.on = self.rule.on.and(on);
        self
    }

    /// Selects the messages that a matcher matches, and no others: every condition set before is replaced.
    pub fn matching(mut self, matcher: impl Into<Matcher>) -> Self {
        self.rule.on = matcher.into();
        self
    }

    /// Selects only messages with a path that matches the pattern; see [`PathPattern`](crate::matcher::PathPattern).
    ///
    /// # Panics
    ///
    /// If the pattern is invalid.
    #[track_caller]
    pub fn path(mut self, pattern: &str) -> Self {
        self.rule.on = self.rule.on.path(pattern);
        self
    }

    /// Selects only messages on connections to the address with this label.
    pub fn label(mut self, label: &str) -> Self {
        self.rule.on = self.rule.on.label(label);
        self
    }

    /// Selects only messages on connections of this session.
    pub fn session(mut self, session: SessionId) -> Self {
        self.rule.on = self.rule.on.session(session);
        self
    }

    /// Selects only requests that set a watch.
    pub fn watching(mut self) -> Self {
        self.rule.on = self.rule.on.watching();
        self
    }

    /// Selects only requests that create an ephemeral znode.
    pub fn ephemeral(mut self) -> Self {
        self.rule.on = self.rule.on.ephemeral();
        self
    }

    /// Selects only requests that create a sequential znode.
    pub fn sequential(mut self) -> Self {
        self.rule.on = self.rule.on.sequential();
        self
    }

    /// Starts with the match of this number. The first match is 1.
    pub fn nth(mut self, nth: u64) -> Self {
        self.rule.nth = nth;
        self
    }

    /// Lets the fault happen this number of times, instead of once.
    pub fn times(mut self, times: u64) -> Self {
        self.rule.times = Some(times);
        self
    }

    /// Lets the fault happen every time, instead of once.
    pub fn always(mut self) -> Self {
        self.rule.times = None;
        self
    }

    /// Allows that the fault never happens.
    pub fn optional(mut self) -> Self {
        self.rule.optional = true;
        self
    }

    /// Places the fault.
    ///
    /// # Panics
    ///
    /// If the fault can never happen: no message can match, or the fault does not apply to the messages that match. To
    /// get an error instead, use [`Server::add_fault`].
    #[track_caller]
    pub fn then(mut self, fault: Fault) -> FaultGuard {
        self.rule.then = fault;
        match self.server.add_fault(self.rule) {
            Ok(guard) => guard,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Guard of cut links. The links are healed when the guard is dropped, and messages that were sent meanwhile arrive
/// then.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let worker = server.labelled("worker")?;
/// let partition = server.partition(worker.label());
/// partition.heal();
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "a link is cut as long as its guard is held"]
pub struct Partition {
    server: Server,
    id: u64,
}

impl Partition {
    /// Heals the links. Messages that were sent meanwhile arrive now, and so do the ends of connections that were
    /// closed meanwhile.
    pub fn heal(self) {
        drop(self);
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        let engine = &self.server.shared.engine;
        if !thread::panicking() || engine.is_sound() {
            engine.heal(self.id);
        }
    }
}

impl Server {
    /// Starts to build a fault. Unless set otherwise, it happens once, to the first message that matches.
    ///
    /// If several faults match the same request, only the first of them happens: the one that was placed first and can
    /// still happen. The others do not count the request.
    ///
    /// ```
    /// use minikeeper::{Fault, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let fault = server
    ///     .fault("the second create loses its reply")
    ///     .on(Op::Create)
    ///     .path("/locks/**")
    ///     .nth(2)
    ///     .optional()
    ///     .then(Fault::ApplyThenDrop);
    /// // ... the clients do their work ...
    /// assert_eq!(fault.hits(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn fault(&self, name: &str) -> FaultBuilder<'_> {
        FaultBuilder {
            server: self,
            rule: FaultRule::new(name, Matcher::any(), Fault::DropBefore),
        }
    }

    /// Places a fault that is given as data.
    ///
    /// # Errors
    ///
    /// If the fault can never happen.
    #[track_caller]
    pub fn add_fault(&self, rule: FaultRule) -> Result<FaultGuard, FaultError> {
        let (name, times) = (rule.name.clone(), rule.times);
        let id = self.shared.engine.place_fault(rule)?;
        Ok(FaultGuard {
            server: self.clone(),
            id,
            reported: AtomicBool::new(false),
            errors_before: last_error::count(),
            name,
            times,
            placed_at: Location::caller(),
        })
    }

    /// Ends all faults and all chaos, and heals all links. Existing guards still return the number of times that their
    /// faults happened, and no longer panic if they never did.
    ///
    /// ```
    /// use minikeeper::{Fault, Op};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let fault = server.fault("no replies").on(Op::Any).always().then(Fault::LoseReply);
    /// server.clear_faults();
    /// drop(fault);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn clear_faults(&self) {
        self.shared.engine.clear_faults();
    }

    /// Closes connections now and returns their number. When this returns, no view counts them any more. Bytes that
    /// were sent before still arrive, except for held and delayed messages, which are dropped. Sessions remain, and
    /// clients may reconnect.
    ///
    /// # Panics
    ///
    /// If the matcher has a condition other than label, session, member and connection, or can never match: a label
    /// must have been named before. To get an error instead, use [`try_disconnect`](Self::try_disconnect).
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.labelled("worker")?;
    /// assert_eq!(server.disconnect(&Matcher::any().label("worker")), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn disconnect(&self, matcher: impl Into<Matcher>) -> usize {
        match self.try_disconnect(matcher) {
            Ok(count) => count,
            Err(never) => panic!("{never}"),
        }
    }

    /// Closes connections as [`disconnect`](Self::disconnect) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If the matcher has a condition other than label, session, member and connection, or can never match.
    ///
    /// ```
    /// use minikeeper::Matcher;
    ///
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.try_disconnect(Matcher::any().label("nothing")).is_err());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_disconnect(&self, matcher: impl Into<Matcher>) -> Result<usize, NeverMatches> {
        self.shared.engine.close_connections(&matcher.into())
    }

    /// Cuts, in both directions, the links of clients that connect to the address with this label, now or later.
    /// Messages are delayed until the link is healed, and neither side gets an error. A session whose requests do not
    /// arrive counts as silent, on a manual clock too.
    ///
    /// The operating system still accepts connections to a cut address, but nothing arrives on them. The server may end
    /// a connection long before its client can see the end: the session expires, or moves to another connection. When
    /// the link is healed, the messages that were sent meanwhile arrive, then the end of the connection. If the server
    /// stops, its sockets are closed, and all clients see the end at once.
    ///
    /// # Panics
    ///
    /// If the label was not named before.
    #[track_caller]
    pub fn partition(&self, label: &str) -> Partition {
        self.cut(Matcher::any().label(label), Direction::Both)
    }

    /// Cuts some links in one or both directions, including links that are made later. A client that is cut by its
    /// session cannot resume the session on another connection until the link is healed.
    ///
    /// # Panics
    ///
    /// If the matcher has a condition other than label, session, member and connection, or can never match: a label
    /// must have been named before. To get an error instead, use [`try_cut`](Self::try_cut).
    ///
    /// ```
    /// use minikeeper::{Matcher, fault::Direction};
    ///
    /// let server = minikeeper::Server::start()?;
    /// server.labelled("worker")?;
    /// // A half-open link: the server hears the worker, the worker hears nothing.
    /// let partition = server.cut(Matcher::any().label("worker"), Direction::ToClient);
    /// # drop(partition);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[track_caller]
    pub fn cut(&self, matcher: impl Into<Matcher>, direction: Direction) -> Partition {
        match self.try_cut(matcher, direction) {
            Ok(guard) => guard,
            Err(never) => panic!("{never}"),
        }
    }

    /// Cuts links as [`cut`](Self::cut) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If the matcher has a condition other than label, session, member and connection, or can never match.
    ///
    /// ```
    /// use minikeeper::{Matcher, fault::Direction};
    ///
    /// let server = minikeeper::Server::start()?;
    /// let refused = server.try_cut(Matcher::any().label("wroker"), Direction::Both);
    /// assert!(refused.unwrap_err().to_string().contains("add it to the server first"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn try_cut(
        &self,
        matcher: impl Into<Matcher>,
        direction: Direction,
    ) -> Result<Partition, NeverMatches> {
        Ok(Partition {
            id: self.shared.engine.cut(matcher.into(), direction)?,
            server: self.clone(),
        })
    }
}
