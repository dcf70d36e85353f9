//! Control of a test over a server: faults, holds, cut links, chaos, the journal, budgets and waits.
//!
//! Plain data and decisions, without I/O, clock, task or lock. `net` asks [`Control`] for a plan at three places:
//! where a connection is accepted, before the rules take a request, and where a message leaves them.

mod client;
mod criterion;
mod cuts;
mod data;
mod direction;
mod effects;
mod event;
mod event_kind;
mod fault;
mod held_message;
mod hold;
mod journal;
mod known;
mod listener_id;
mod matcher;
mod multi_part;
mod near;
mod op;
mod path_pattern;
mod paths;
mod possible;
mod random;
mod request_summary;
mod state;
mod timed_out;
mod unmet;
mod wait;

pub(crate) use client::Client;
pub use data::Data;
pub use direction::Direction;
pub use effects::{Effects, Leading, SentEvent};
pub use event::Event;
pub use event_kind::EventKind;
pub(crate) use fault::{
    AcceptPlan, FaultId, FaultOutcome, Pieces, Progress, ReplyPlan, RequestPlan,
};
pub use fault::{Chaos, ChaosRule, Fault, FaultError, FaultRule};
pub use held_message::HeldMessage;
pub use hold::{Held, HoldError, Release, ReleaseError};
pub(crate) use hold::{HeldItem, HoldId};
pub use journal::{BadJournal, Budget, Claim, ClaimBroken, Entry, Exceeded, Journal, Mark};
pub(crate) use journal::{BadMark, BudgetId, Recorded, Recorder, Source};
pub(crate) use known::Known;
pub(crate) use listener_id::ListenerId;
pub use matcher::{Matcher, MatcherConflict};
pub use multi_part::MultiPart;
pub use op::Op;
pub use path_pattern::{BadPattern, PathPattern};
pub use paths::Paths;
pub use possible::NeverMatches;
pub use random::SplitMix64;
pub(crate) use state::Control;
pub use timed_out::TimedOut;
pub(crate) use unmet::GONE;
pub(crate) use wait::{Condition, Wait, WaitId, Waits};

#[cfg(test)]
mod tests;
