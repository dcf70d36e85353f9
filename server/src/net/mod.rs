//! The world: sockets, tasks, the clock. It moves things and decides nothing.
//!
//! Everything that happens, be it a frame, the passing of time or the wish of a test, enters through
//! [`Engine`](engine::Engine), one at a time.

mod chaos;
mod clock;
mod connection;
mod control;
mod crew;
mod criterion;
mod deferred;
mod engine;
mod entrance;
mod facts;
mod fault;
mod followed;
mod hold;
mod hosted;
mod journal;
mod kind;
mod known;
mod link;
mod listener;
mod log;
mod long_word;
mod machine;
mod matcher;
mod near;
mod op;
mod outbox;
mod outgoing;
mod path_pattern;
mod patience;
mod port;
mod ports;
mod possible;
mod report;
mod sight;
mod sink;
mod thread;
mod time;
mod timed_out;
mod treatment;
mod turns;
mod wait;
mod wish;

pub use chaos::{Chaos, ChaosRule};
pub use clock::ClockKind;
pub(crate) use clock::{Clock, NoRuntime};
pub(crate) use engine::{Engine, Limits};
pub(crate) use entrance::Entrance;
pub use fault::{Fault, FaultError, FaultRule};
pub(crate) use fault::{FaultId, FaultOutcome};
pub use followed::{Followed, Leading, SentEvent};
pub(crate) use hold::HoldId;
pub use hold::{Held, HeldMessage, HoldError, Release, ReleaseError};
pub(crate) use hosted::{AsyncRead, AsyncWrite, Hosted};
pub(crate) use journal::BudgetId;
pub use journal::{
    BadJournal, Budget, Claim, ClaimBroken, Data, Entry, Exceeded, Journal, JournalMode, Mark,
    MultiPart, What,
};
pub use kind::Kind;
pub use link::Direction;
pub use log::Storage;
pub(crate) use log::{Log, Opened, read as read_folder, write as write_folder};
pub(crate) use machine::read as read_file;
pub use matcher::Matcher;
pub use op::Op;
pub(crate) use outbox::Outbox;
pub use path_pattern::{BadPattern, PathPattern};
pub(crate) use port::ReservedPort;
pub(crate) use ports::{PortError, Ports};
pub use possible::NeverMatches;
pub use report::FourLetterWords;
use thread::ServerThread;
pub use timed_out::TimedOut;
pub(crate) use wait::{Condition, Waiting};
