//! Forms of events.

use crate::control::criterion::Criterion;
use crate::control::event_kind::EventKind;
use crate::control::known::Known;
use crate::control::matcher::Matcher;
use crate::control::op::Op;
use crate::protocol::{EventType, Operation, SessionId};

/// Whether events of a form have a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Never,
    Sometimes,
    Always,
}

/// Form of events: a kind, with an operation if the kind has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    kind: EventKind,
    /// The operation; `None` for an unknown operation, or where no operation is asked for.
    operation: Option<Operation>,
    /// Operation of a multi or multiRead.
    part: Option<Operation>,
}

/// Operations that a client can ask for.
pub(crate) const OPERATIONS: [Operation; 28] = [
    Operation::Create,
    Operation::Create2,
    Operation::CreateContainer,
    Operation::CreateTtl,
    Operation::Delete,
    Operation::SetData,
    Operation::SetAcl,
    Operation::Multi,
    Operation::MultiRead,
    Operation::Reconfig,
    Operation::Exists,
    Operation::GetData,
    Operation::GetAcl,
    Operation::GetChildren,
    Operation::GetChildren2,
    Operation::GetAllChildrenNumber,
    Operation::GetEphemerals,
    Operation::Sync,
    Operation::Ping,
    Operation::SetWatches,
    Operation::SetWatches2,
    Operation::AddWatch,
    Operation::CheckWatches,
    Operation::RemoveWatches,
    Operation::WhoAmI,
    Operation::Auth,
    Operation::Sasl,
    Operation::CloseSession,
];

/// Operations of the test's own writes.
const WRITTEN: [Operation; 4] = [
    Operation::Create2,
    Operation::Delete,
    Operation::SetData,
    Operation::SetAcl,
];

/// Operations that a multi can contain.
const IN_MULTI: [Operation; 9] = [
    Operation::Create,
    Operation::Create2,
    Operation::CreateContainer,
    Operation::CreateTtl,
    Operation::Delete,
    Operation::SetData,
    Operation::Check,
    Operation::GetData,
    Operation::GetChildren,
];

/// Operations that a multiRead can contain.
const IN_MULTI_READ: [Operation; 2] = [Operation::GetData, Operation::GetChildren];

impl Form {
    /// Forms of a kind.
    pub(crate) fn of(kind: EventKind) -> Vec<Self> {
        let with = |operation| Self {
            kind,
            operation,
            part: None,
        };
        let inside = |whole, parts: &[Operation]| {
            let parts = parts.iter().map(|part| Self {
                kind,
                operation: Some(whole),
                part: Some(*part),
            });
            parts.collect::<Vec<_>>()
        };
        match kind {
            EventKind::Request | EventKind::Reply => {
                let mut forms: Vec<Self> = OPERATIONS.map(Some).map(with).to_vec();
                forms.push(with(None));
                forms.extend(inside(Operation::Multi, &IN_MULTI));
                forms.extend(inside(Operation::MultiRead, &IN_MULTI_READ));
                forms
            }
            EventKind::Wrote => WRITTEN.map(Some).map(with).to_vec(),
            EventKind::Accepted
            | EventKind::Disconnected
            | EventKind::Closing
            | EventKind::Connect
            | EventKind::Connected
            | EventKind::WatchEvent
            | EventKind::SessionClosed
            | EventKind::SessionExpired
            | EventKind::Reaped
            | EventKind::Fault
            | EventKind::Held
            | EventKind::Released
            | EventKind::Ensemble
            | EventKind::Leading
            | EventKind::Clock
            | EventKind::Committed
            | EventKind::Muted
            | EventKind::Unmuted
            | EventKind::Cut
            | EventKind::Healed
            | EventKind::Stopped
            | EventKind::Started => vec![with(None)],
        }
    }

    /// Whether events of this form pass on a connection.
    fn is_on_connection(self) -> bool {
        match self.kind {
            EventKind::Accepted
            | EventKind::Disconnected
            | EventKind::Closing
            | EventKind::Connect
            | EventKind::Connected
            | EventKind::Request
            | EventKind::Reply
            | EventKind::WatchEvent
            | EventKind::Fault
            | EventKind::Held
            | EventKind::Released
            // A fault cuts a link of the connection on which a message passes.
            | EventKind::Cut => true,
            EventKind::SessionClosed
            | EventKind::SessionExpired
            | EventKind::Reaped
            | EventKind::Ensemble
            | EventKind::Leading
            | EventKind::Clock
            | EventKind::Wrote
            | EventKind::Committed
            | EventKind::Muted
            | EventKind::Unmuted
            | EventKind::Healed
            | EventKind::Stopped
            | EventKind::Started => false,
        }
    }

    /// Whether events of this form belong to a session.
    fn session(self) -> Has {
        match self.kind {
            EventKind::Request
            | EventKind::Reply
            | EventKind::WatchEvent
            | EventKind::SessionClosed
            | EventKind::SessionExpired
            | EventKind::Muted
            | EventKind::Unmuted => Has::Always,
            EventKind::Disconnected
            | EventKind::Closing
            | EventKind::Connect
            | EventKind::Connected
            | EventKind::Fault
            | EventKind::Held
            | EventKind::Released
            | EventKind::Committed
            | EventKind::Cut => Has::Sometimes,
            EventKind::Accepted
            | EventKind::Reaped
            | EventKind::Ensemble
            | EventKind::Leading
            | EventKind::Clock
            | EventKind::Wrote
            | EventKind::Healed
            | EventKind::Stopped
            | EventKind::Started => Has::Never,
        }
    }

    /// Whether events of this form are about paths.
    fn has_path(self) -> bool {
        match self.kind {
            EventKind::Request | EventKind::Reply | EventKind::Wrote => {
                self.part.is_some() || self.operation.is_some_and(has_path)
            }
            EventKind::WatchEvent
            | EventKind::SessionClosed
            | EventKind::SessionExpired
            | EventKind::Reaped
            | EventKind::Committed
            | EventKind::Held
            | EventKind::Released => true,
            EventKind::Accepted
            | EventKind::Disconnected
            | EventKind::Closing
            | EventKind::Connect
            | EventKind::Connected
            | EventKind::Fault
            | EventKind::Ensemble
            | EventKind::Leading
            | EventKind::Clock
            | EventKind::Muted
            | EventKind::Unmuted
            | EventKind::Cut
            | EventKind::Healed
            | EventKind::Stopped
            | EventKind::Started => false,
        }
    }

    /// Whether events of this form can be about the root, which is never created or deleted.
    fn has_root(self, event_type: Option<EventType>) -> bool {
        let goes = matches!(
            self.kind,
            EventKind::SessionClosed | EventKind::SessionExpired | EventKind::Reaped
        );
        let comes_or_goes = matches!(
            event_type,
            Some(EventType::NodeCreated | EventType::NodeDeleted)
        );
        !(goes || self.kind == EventKind::WatchEvent && comes_or_goes)
    }

    fn watch(self) -> Has {
        match self.operation {
            Some(
                Operation::Exists
                | Operation::GetData
                | Operation::GetChildren
                | Operation::GetChildren2,
            ) => Has::Sometimes,
            Some(Operation::AddWatch | Operation::SetWatches | Operation::SetWatches2) => {
                Has::Always
            }
            _ => Has::Never,
        }
    }

    /// Whether the operation creates a znode, whose mode may be any.
    fn mode(self) -> Has {
        match self.part.or(self.operation) {
            Some(
                Operation::Create
                | Operation::Create2
                | Operation::CreateContainer
                | Operation::CreateTtl,
            ) => Has::Sometimes,
            _ => Has::Never,
        }
    }

    /// Whether the operation, or that of the multi, belongs to a family.
    fn is_of(self, op: Op) -> bool {
        if let EventKind::Connect | EventKind::Connected = self.kind {
            return op == Op::Connect;
        }
        match self.operation {
            Some(whole) => op.contains(whole) || self.part.is_some_and(|part| op.contains(part)),
            None => op == Op::Any && self.is_asked(),
        }
    }

    /// Whether the form is a request of a client, or the reply to one.
    fn is_asked(self) -> bool {
        matches!(self.kind, EventKind::Request | EventKind::Reply)
    }

    /// Whether an event of this form can meet a condition of the matcher.
    pub(crate) fn can_meet(
        self,
        criterion: Criterion,
        matcher: &Matcher,
        known: Option<&Known>,
    ) -> bool {
        let flag = |wanted: Option<bool>, has: Has| {
            wanted.is_none_or(|wanted| {
                self.is_asked() && has != if wanted { Has::Never } else { Has::Always }
            })
        };
        match criterion {
            Criterion::Connection => matcher
                .connection
                .is_none_or(|number| number != 0 && self.is_on_connection()),
            Criterion::Session => matcher.session.is_none_or(|session| {
                let has_none = session == SessionId::NONE;
                self.session() != if has_none { Has::Always } else { Has::Never }
            }),
            Criterion::Member => matcher.member.is_none_or(|member| {
                let unknown = known.and_then(|known| known.unknown_member(member));
                unknown.is_none() && self.is_on_connection()
            }),
            Criterion::Label => {
                let unknown = known.and_then(|known| known.unknown_label(matcher));
                let of_session = self.session() == Has::Always || self.kind == EventKind::Committed;
                let has_client = self.is_on_connection() || of_session;
                matcher.label.is_none() || unknown.is_none() && has_client
            }
            Criterion::Op => matcher.op.is_none_or(|op| self.is_of(op)),
            Criterion::Path => matcher.path.as_ref().is_none_or(|pattern| {
                let root = self.has_root(matcher.event_type);
                self.has_path() && (root || pattern.matches_below_root())
            }),
            Criterion::EventType => {
                matcher.event_type.is_none() || self.kind == EventKind::WatchEvent
            }
            Criterion::Error => {
                matcher.error.is_none() || matches!(self.kind, EventKind::Reply | EventKind::Wrote)
            }
            Criterion::Watching => flag(matcher.watching, self.watch()),
            Criterion::Ephemeral => flag(matcher.ephemeral, self.mode()),
            Criterion::Sequential => flag(matcher.sequential, self.mode()),
        }
    }
}

/// Whether a request for this operation names a path.
fn has_path(operation: Operation) -> bool {
    match operation {
        Operation::Create
        | Operation::Create2
        | Operation::CreateContainer
        | Operation::CreateTtl
        | Operation::Delete
        | Operation::SetData
        | Operation::SetAcl
        | Operation::Check
        | Operation::Exists
        | Operation::GetData
        | Operation::GetAcl
        | Operation::GetChildren
        | Operation::GetChildren2
        | Operation::GetAllChildrenNumber
        | Operation::GetEphemerals
        | Operation::Sync
        | Operation::SetWatches
        | Operation::SetWatches2
        | Operation::AddWatch
        | Operation::CheckWatches
        | Operation::RemoveWatches => true,
        // The parts of these have the paths.
        Operation::Multi | Operation::MultiRead => false,
        Operation::Reconfig
        | Operation::Ping
        | Operation::WhoAmI
        | Operation::Auth
        | Operation::Sasl
        | Operation::CloseSession => false,
    }
}
