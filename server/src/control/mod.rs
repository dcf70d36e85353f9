//! Control of a test over a server: faults, holds, cut links, chaos, the journal, budgets and waits.
//!
//! Plain data and decisions, without I/O, clock, task or lock. [`Control`] is asked at two places: before the rules take
//! a request, and where a message leaves them.

mod chaos;
mod criterion;
mod direction;
mod effects;
mod event_kind;
mod fault;
mod hold;
mod journal;
mod known;
mod listener_id;
mod matcher;
mod near;
mod op;
mod path_pattern;
mod possible;
mod sight;
mod state;
mod timed_out;
mod treatment;
mod wait;

pub use chaos::{Chaos, ChaosRule};
pub use direction::Direction;
pub use effects::{Effects, Leading, SentEvent};
pub use event_kind::EventKind;
pub use fault::{Fault, FaultError, FaultRule};
pub(crate) use fault::{FaultId, FaultOutcome};
pub(crate) use hold::HoldId;
pub use hold::{Held, HeldMessage, HoldError, Release, ReleaseError};
pub use journal::{
    BadJournal, Budget, Claim, ClaimBroken, Data, Entry, Exceeded, Journal, JournalMode, Mark,
    MultiPart, What,
};
pub(crate) use journal::{BadMark, BudgetId, Kept, Notes, Source};
pub(crate) use known::Known;
pub(crate) use listener_id::ListenerId;
pub use matcher::Matcher;
pub(crate) use near::Near;
pub use op::Op;
pub use path_pattern::{BadPattern, PathPattern};
pub use possible::NeverMatches;
pub(crate) use sight::{Sight, Who};
pub(crate) use state::Control;
pub(crate) use timed_out::GONE;
pub use timed_out::TimedOut;
pub(crate) use treatment::{Gate, Pieces, Stage, Treatment, Verdict};
pub(crate) use wait::{Condition, WaitId, Waits};
