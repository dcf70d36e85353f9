//! Check of every fault, hold, wait, claim and budget: whether some event can match.
//!
//! A matcher that nothing can match makes a fault that never happens and a claim that never fails. So it is refused
//! where it is used, with the reason and advice. Sessions, connections and paths may come later; labels, members and
//! marks are known beforehand.

mod form;

use super::criterion::Criterion;
use super::event_kind::EventKind;
use super::known::Known;
use super::matcher::Matcher;
use super::op::Op;
use crate::protocol::SessionId;
use form::Form;

/// Reason why no event can ever match a matcher, with advice.
///
/// ```
/// use minikeeper::{Matcher, Op};
///
/// let server = minikeeper::Server::start()?;
/// let refused = server.check(&Matcher::request(Op::GetData).ephemeral()).unwrap_err();
/// assert!(refused.to_string().starts_with("Matcher::request(Op::GetData).ephemeral() can never match: "));
/// // The label was never named.
/// assert!(server.check(&Matcher::watch_event().label("wroker")).is_err());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{matcher} can never match: {reason}")]
pub struct NeverMatches {
    matcher: Box<Matcher>,
    reason: String,
}

impl Matcher {
    /// Whether some event of a kind can match, regardless of labels and members.
    pub(crate) fn is_possible_as(&self, kind: EventKind) -> bool {
        self.kind.is_none_or(|own| own == kind)
            && Form::of(kind).into_iter().any(|form| {
                let mut criteria = Criterion::ALL.iter();
                criteria.all(|criterion| form.can_meet(*criterion, self, None))
            })
    }

    /// Refuses a matcher that no event of these kinds can match.
    pub(crate) fn check(&self, known: &Known, kinds: &[EventKind]) -> Result<(), NeverMatches> {
        let refuse = |reason| {
            let matcher = Box::new(self.clone());
            Err(NeverMatches { matcher, reason })
        };
        if let Some(kind) = self.kind
            && !kinds.contains(&kind)
        {
            let others: Vec<&str> = kinds.iter().map(|kind| kind.words().1).collect();
            return refuse(format!(
                "it is for {}, and here only these count: {}",
                kind.words().1,
                others.join(", ")
            ));
        }
        if self.kind == Some(EventKind::Committed) && known.without_transactions {
            return refuse(
                "this server does not journal transactions: start it with journal_transactions(true)".to_owned(),
            );
        }
        let kinds = kinds
            .iter()
            .filter(|kind| **kind != EventKind::Committed || !known.without_transactions)
            .filter(|kind| self.kind.is_none_or(|own| own == **kind));
        // The form that meets most conditions, and the last condition that it cannot meet.
        let mut nearest: Option<(usize, Criterion)> = None;
        for form in kinds.flat_map(|kind| Form::of(*kind)) {
            let misses = Criterion::ALL
                .into_iter()
                .filter(|criterion| !form.can_meet(*criterion, self, Some(known)));
            let Some(last) = misses.clone().next_back() else {
                return Ok(());
            };
            let miss = (misses.count(), last);
            if nearest.is_none_or(|(count, it)| miss.0 < count || (miss.0 == count && miss.1 > it))
            {
                nearest = Some(miss);
            }
        }
        match nearest {
            Some((_, criterion)) => refuse(self.why_never(criterion, known)),
            None => refuse("nothing counts here".to_owned()),
        }
    }

    /// Refuses a matcher of connections with a condition that connections do not have.
    pub(crate) fn check_connections(&self, known: &Known) -> Result<(), NeverMatches> {
        let of_connections = Self {
            label: self.label.clone(),
            session: self.session,
            member: self.member,
            connection: self.connection,
            ..Self::any()
        };
        if of_connections == *self {
            self.check(known, &[EventKind::Closing])
        } else {
            Err(NeverMatches {
                matcher: Box::new(self.clone()),
                reason: "connections are matched here, and they have a label, a session, a member and a number alone: \
                         leave the rest out"
                    .to_owned(),
            })
        }
    }

    /// Reason why an event that meets all other conditions cannot meet this one, with advice.
    // Longer than 60 lines: one arm for each condition, with its text.
    fn why_never(&self, criterion: Criterion, known: &Known) -> String {
        let several = self
            .kind
            .map_or("events that meet all other conditions", |kind| {
                kind.words().1
            });
        match criterion {
            Criterion::Connection if self.connection == Some(0) => {
                "connections are numbered from 1".to_owned()
            }
            Criterion::Connection => format!("{several} pass on no connection: leave connection(..) out"),
            Criterion::Session if self.session == Some(SessionId::NONE) => format!(
                "{several} always belong to a session, and 0 is none: only the first request of a connection comes \
                 without"
            ),
            Criterion::Session => format!(
                "{several} belong to no session: leave session(..) out, or match what a connection does once it has \
                 a session"
            ),
            Criterion::Member => match self.member.and_then(|member| known.unknown_member(member)) {
                Some(unknown) => unknown,
                None => format!("{several} pass on no connection, and so at no member: leave member(..) out"),
            },
            Criterion::Label => match known.unknown_label(self) {
                Some(unknown) => unknown,
                None => format!("{several} belong to no client: leave label(..) out"),
            },
            Criterion::Op if self.op == Some(Op::Connect) => {
                "the first request of a connection and its answer are kinds of their own: \
                 Matcher::request(Op::Connect), Matcher::reply(Op::Connect)"
                    .to_owned()
            }
            Criterion::Op => format!(
                "there are no {several} with this operation: only requests, replies and writes of the test have one"
            ),
            Criterion::Path if !self.is_about_root_alone() => format!(
                "{several} name no path: leave path(..) out, or match an operation or watch event that has one"
            ),
            Criterion::Path => "the root is never created or deleted".to_owned(),
            Criterion::EventType => "only watch events have a type: Matcher::watch_event()".to_owned(),
            Criterion::Error => {
                "only replies and writes of the test carry an error: Matcher::reply(..)".to_owned()
            }
            Criterion::Watching if self.watching == Some(false) => {
                "addWatch and setWatches always set a watch: leave not_watching() out".to_owned()
            }
            Criterion::Watching => {
                "only exists, getData, getChildren, addWatch and setWatches set a watch, and only their requests and \
                 replies say so"
                    .to_owned()
            }
            Criterion::Ephemeral => {
                "only creates make ephemerals, and only requests and replies say so: \
                 Matcher::request(Op::Create)".to_owned()
            }
            Criterion::Sequential => {
                "only creates make sequential znodes, and only requests and replies say so: \
                 Matcher::request(Op::Create)"
                    .to_owned()
            }
        }
    }

    /// Whether the pattern matches the root and no other path.
    fn is_about_root_alone(&self) -> bool {
        let pattern = self.path.as_ref();
        pattern.is_some_and(|pattern| !pattern.matches_below_root())
    }
}

#[cfg(test)]
mod tests;
