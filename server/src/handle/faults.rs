//! Faults and cut links: each lasts as long as the guard that a test holds.

use std::thread;

use super::Server;
use crate::net::{Direction, Fault, FaultError, FaultId, FaultRule, Matcher, Op};
use crate::protocol::SessionId;

/// A fault that was placed: it lasts as long as this is held.
///
/// # Panics
///
/// Dropping it panics if it never happened, unless it is [optional](FaultRule::optional) or the thread panics already: a
/// fault that does not happen proves nothing.
///
/// ```
/// use minikeeper::{ErrorCode, Fault, Op};
///
/// let server = minikeeper::Server::start()?;
/// let fault = server.fault("no writes").on(Op::Write).optional().then(Fault::Error { code: ErrorCode::NoAuth });
/// assert_eq!(fault.hits(), 0);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "a fault lasts as long as its guard"]
pub struct FaultGuard {
    server: Server,
    id: FaultId,
    name: String,
    optional: bool,
}

impl FaultGuard {
    /// How often it happened.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.server.shared.engine.fault_hits(self.id)
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let hits = self.server.shared.engine.remove_fault(self.id);
        assert!(
            hits > 0 || self.optional,
            "the fault {:?} never happened: nothing matched it; if that is all right, say optional()",
            self.name
        );
    }
}

/// Says where and how often a fault happens. Ends with [`then`](Self::then).
#[derive(Debug)]
#[must_use = "a fault is placed by `then`"]
pub struct FaultBuilder<'s> {
    server: &'s Server,
    rule: FaultRule,
}

impl FaultBuilder<'_> {
    /// Happens to requests of this family.
    pub fn on(mut self, op: Op) -> Self {
        self.rule.on = Matcher {
            kind: Matcher::request(op).kind,
            op: Some(op),
            ..self.rule.on
        };
        self
    }

    /// Happens to what a matcher means.
    pub fn on_any(mut self, on: Matcher) -> Self {
        self.rule.on = on;
        self
    }

    /// Only to what is about a path that the pattern stands for; see [`PathPattern`](crate::PathPattern).
    ///
    /// # Panics
    ///
    /// If it is no pattern.
    pub fn path(mut self, pattern: &str) -> Self {
        self.rule.on = self.rule.on.path(pattern);
        self
    }

    /// Only on connections to the address with this label.
    pub fn from(mut self, label: &str) -> Self {
        self.rule.on = self.rule.on.label(label);
        self
    }

    /// Only on connections of this session.
    pub fn session(mut self, session: SessionId) -> Self {
        self.rule.on = self.rule.on.session(session);
        self
    }

    /// Begins with the match of this number; the first is 1.
    pub fn nth(mut self, nth: u64) -> Self {
        self.rule.nth = nth;
        self
    }

    /// Happens so many times, and not once.
    pub fn times(mut self, times: u64) -> Self {
        self.rule.times = Some(times);
        self
    }

    /// Happens every time, and not once.
    pub fn always(mut self) -> Self {
        self.rule.times = None;
        self
    }

    /// It is all right if it never happens.
    pub fn optional(mut self) -> Self {
        self.rule.optional = true;
        self
    }

    /// Places it: this is what happens.
    ///
    /// # Panics
    ///
    /// If it cannot happen to what is matched: an event cannot be refused. To be told instead, use [`Server::place`].
    pub fn then(mut self, fault: Fault) -> FaultGuard {
        self.rule.then = fault;
        match self.server.place(self.rule) {
            Ok(guard) => guard,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A link that is cut as long as this is held; what was sent meanwhile arrives afterwards.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let partition = server.partition("worker");
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
    /// Makes the link whole again. What was sent meanwhile arrives now, be it that the connection is closed.
    pub fn heal(self) {
        drop(self);
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.server.shared.engine.heal(self.id);
        }
    }
}

impl Server {
    /// Says that something goes wrong, once, at the first match, unless told otherwise.
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
            rule: FaultRule::new(name, Matcher::request(Op::Any), Fault::DropBefore),
        }
    }

    /// Places a fault that is given as data.
    ///
    /// # Errors
    ///
    /// If it cannot happen to what is matched.
    pub fn place(&self, rule: FaultRule) -> Result<FaultGuard, FaultError> {
        let (name, optional) = (rule.name.clone(), rule.optional);
        let id = self.shared.engine.place_fault(rule)?;
        Ok(FaultGuard {
            server: self.clone(),
            id,
            name,
            optional,
        })
    }

    /// Cuts the links of whoever connected, or connects, to the address with this label, both ways: nothing passes, and
    /// nobody is told. A session whose requests do not arrive falls silent, on a manual clock too.
    pub fn partition(&self, label: &str) -> Partition {
        self.cut(Matcher::any().label(label), Direction::Both)
    }

    /// Cuts some links one way or both, those included that are made later. Of the matcher only label, session, member and
    /// connection count.
    ///
    /// ```
    /// use minikeeper::{Direction, Matcher};
    ///
    /// let server = minikeeper::Server::start()?;
    /// // A half-open link: the server hears the worker, the worker hears nothing.
    /// let partition = server.cut(Matcher::any().label("worker"), Direction::ToClient);
    /// # drop(partition);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn cut(&self, whose: Matcher, direction: Direction) -> Partition {
        Partition {
            server: self.clone(),
            id: self.shared.engine.cut(whose, direction),
        }
    }
}
