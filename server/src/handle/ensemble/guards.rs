//! Owners of the partitions and lags of members.

use crate::protocol::{EnsembleAction, MemberId};

/// Lasting effect of a guard on a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    Partition,
    Lag,
}

impl Lasting {
    pub(super) fn begin(self, member: MemberId) -> EnsembleAction {
        match self {
            Self::Partition => EnsembleAction::Partition { member },
            Self::Lag => EnsembleAction::Lag { member },
        }
    }

    pub(super) fn end(self, member: MemberId) -> EnsembleAction {
        match self {
            Self::Partition => EnsembleAction::Heal { member },
            Self::Lag => EnsembleAction::CatchUp { member },
        }
    }
}

/// Owners of partitions and lags: guards, and actions without a guard.
#[derive(Debug, Default)]
pub(in crate::handle) struct MemberGuards {
    held: Vec<(u64, MemberId, Lasting)>,
    next: u64,
}

impl MemberGuards {
    /// Number for an action without a guard, which lasts until another action ends it.
    const ACTION: u64 = 0;

    pub(super) fn add(&mut self, member: MemberId, what: Lasting) -> u64 {
        self.next += 1;
        self.held.push((self.next, member, what));
        self.next
    }

    /// Removes a guard. Returns whether it still counted.
    pub(super) fn remove(&mut self, hold: u64) -> bool {
        let before = self.held.len();
        self.held.retain(|(other, ..)| *other != hold);
        self.held.len() < before
    }

    pub(super) fn has(&self, member: MemberId, what: Lasting) -> bool {
        let mut held = self.held.iter();
        held.any(|(_, of, other)| (*of, *other) == (member, what))
    }

    pub(super) fn forget(&mut self, is_over: impl Fn(MemberId, Lasting) -> bool) {
        self.held
            .retain(|(_, member, what)| !is_over(*member, *what));
    }

    /// Records an action without a guard: it begins a lasting state, or ends the state for all guards.
    pub(super) fn note(&mut self, action: EnsembleAction, members: impl Iterator<Item = MemberId>) {
        let mut begin = |member, what| {
            if !self.held.contains(&(Self::ACTION, member, what)) {
                self.held.push((Self::ACTION, member, what));
            }
        };
        match action {
            EnsembleAction::Partition { member } => begin(member, Lasting::Partition),
            EnsembleAction::Lag { member } => begin(member, Lasting::Lag),
            EnsembleAction::LoseQuorum => {
                members.for_each(|member| begin(member, Lasting::Partition));
            }
            EnsembleAction::Heal { member } => {
                self.forget(|of, what| (of, what) == (member, Lasting::Partition));
            }
            EnsembleAction::CatchUp { member } => {
                self.forget(|of, what| (of, what) == (member, Lasting::Lag));
            }
            EnsembleAction::RegainQuorum => self.forget(|_, what| what == Lasting::Partition),
            EnsembleAction::Stop { .. }
            | EnsembleAction::Start { .. }
            | EnsembleAction::Elect { .. }
            | EnsembleAction::Release { .. } => {}
        }
    }
}
