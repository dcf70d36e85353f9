//! A pure-Rust, embedded, ZooKeeper-compatible coordination server for tests: *the miniredis of ZooKeeper*.
//!
//! [`Server::start`] starts a server on a free port of 127.0.0.1. It speaks ZooKeeper's wire protocol so exactly that
//! clients cannot distinguish it from a standalone ZooKeeper 3.9. It needs no async runtime and works under any.
//!
//! ```
//! use std::time::Duration;
//!
//! // The clock stands still until the test moves it; without this line, the system clock is used.
//! let zk = minikeeper::Server::builder().manual_clock().start()?;
//!
//! // Pass this to the code under test, with any client in any language.
//! let _connect_string = zk.connect_string();
//!
//! // The test reads and writes without a client; watches fire as for any write.
//! zk.create("/config", b"v1")?;
//! zk.set("/config", b"v2")?;
//! assert_eq!(zk.data("/config").as_deref(), Some(&b"v2"[..]));
//!
//! // Mute all sessions and let them expire, without waiting.
//! zk.sessions().iter().for_each(|session| zk.mute(session.id));
//! zk.advance(Duration::from_secs(60));
//! assert!(zk.sessions().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A test controls what it cannot control in a real ensemble:
//!
//! | control of | methods |
//! |---|---|
//! | time | [`ServerBuilder::manual_clock`], [`Server::advance`], [`Server::expire`] |
//! | faults at chosen messages, random faults from a seed, cut links | [`fault`], [`Server::fault`] |
//! | delivery of events, replies and requests, in any order across clients | [`hold`], [`Server::hold`] |
//! | a journal of all messages, with waits, claims and budgets | [`journal`], [`Server::wait_for`] |
//! | clients by label, in any language | [`label`], [`Server::labelled`] |
//! | members that stop, are partitioned or lag | [`ensemble`], [`Ensemble`] |
//! | state as a value, to fork, compare and start from | [`state`], [`Server::snapshot`], [`tree!`] |
//! | ZooKeeper's data folder | [`folder`], [`ServerBuilder::data_dir`], [`Server::open_copy`] |
//! | any byte stream on the runtime of the test | [`ServerBuilder::without_listener`], [`Server::serve`] |
//!
//! The state is in memory and is dropped with the last handle. [`ServerBuilder::data_dir`] stores it in ZooKeeper's own
//! files, and [`Server::open_copy`] starts from the files of a real server.

pub mod config;
mod control;
mod handle;
mod jute;
mod keeper;
mod net;
mod persistence;
pub mod protocol;
mod store;
mod wire;

// Each public item has one path: here, or in one of the modules below.
pub use config::settings::Config;
pub use control::{Fault, Journal, Matcher, Op};
pub use handle::{Ensemble, Hold, Server, ServerBuilder, Snapshot, StartError, Tree};
pub use protocol::error_code::ErrorCode;
pub use protocol::ids::SessionId;

/// Reports and commands of four-letter words and of the AdminServer, as data.
///
/// They begin with [`Server::admin`](crate::Server::admin).
///
/// ```
/// use minikeeper::Server;
/// use minikeeper::admin::Admin;
///
/// let server = Server::start()?;
/// let admin: Admin = server.admin();
/// for metric in admin.metrics() {
///     println!("{} is a {}", metric.name, metric.kind());
/// }
/// # Ok::<(), minikeeper::StartError>(())
/// ```
pub mod admin {
    pub use crate::handle::{Admin, Denied, Details, Quorum, RestoreError};
    pub use crate::wire::{
        ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport, Metric,
        MetricNumber, MetricValue, Quantiles, Sample, ServerReport, Summary,
    };
}

/// Members of an ensemble in one process: stops, partitions, lag, elections.
///
/// It begins with [`Ensemble::start`](crate::Ensemble::start).
///
/// ```
/// use minikeeper::Ensemble;
/// use minikeeper::ensemble::{MemberId, Mode};
///
/// let ensemble = Ensemble::start(3)?;
/// let effects = ensemble.elect(MemberId(2))?;
/// assert_eq!(effects.leading.and_then(|leading| leading.leader), Some(MemberId(2)));
/// assert_eq!(ensemble.member(1).mode(), Mode::Follower);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod ensemble {
    pub use crate::control::Leading;
    pub use crate::handle::{ApplyError, Lag, Member, MemberPartition, MemberView};
    pub use crate::protocol::ensemble::{EnsembleAction, EnsembleError, Mode};
    pub use crate::protocol::ids::MemberId;
}

/// Faults on single operations, cut links and chaos.
///
/// A fault begins with [`Server::fault`](crate::Server::fault), a cut link with
/// [`Server::partition`](crate::Server::partition), chaos with [`Server::chaos`](crate::Server::chaos).
///
/// ```
/// use minikeeper::fault::FaultRule;
/// use minikeeper::{Fault, Matcher, Op, Server};
///
/// let server = Server::start()?;
/// let mut rule = FaultRule::new("no creates", Matcher::request(Op::Create), Fault::DropBefore);
/// rule.optional = true;
/// let fault = server.add_fault(rule)?;
/// assert_eq!(fault.hits(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod fault {
    pub use crate::control::{Chaos, ChaosRule, Direction, FaultError, FaultRule};
    pub use crate::handle::{ChaosGuard, FaultBuilder, FaultGuard, NeverHappened, Partition};
}

/// ZooKeeper's data folder: snapshots and transaction logs as files.
///
/// ```
/// use minikeeper::Snapshot;
/// use minikeeper::folder::OpenOptions;
///
/// let mut options = OpenOptions::default();
/// options.recover = true;
/// let error = Snapshot::open_with("/no/such/folder", &options).unwrap_err();
/// assert!(error.to_string().contains("/no/such/folder"));
/// ```
pub mod folder {
    pub use crate::config::compression::{Compression, NoSuchCompression};
    pub use crate::config::settings::Storage;
    pub use crate::handle::{Change, Failure, Log, Transaction};
    pub use crate::protocol::persisted::{DataFormat, NoDataFormat};
    pub use crate::store::{FileKind, FileName, OpenOptions, Origin, StorageError, version_folder};
}

/// Messages that a test holds and releases.
///
/// A hold begins with [`Server::hold`](crate::Server::hold).
///
/// ```
/// use minikeeper::hold::HeldMessage;
/// use minikeeper::{Matcher, Server};
///
/// let server = Server::start()?;
/// let hold = server.hold(Matcher::watch_event().path("/leader"));
/// assert!(hold.held().iter().all(|held| matches!(held.message, HeldMessage::WatchEvent { .. })));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
pub mod hold {
    pub use crate::control::{Held, HeldMessage, HoldError, Release, ReleaseError};
}

/// Views of a running server: connections, sessions, watches, znodes, leaks, and the effects of an action.
///
/// ```
/// use minikeeper::Server;
/// use minikeeper::inspect::ZnodeView;
///
/// let server = Server::start()?;
/// server.create("/config", b"v1")?;
/// let znode: ZnodeView = server.znode("/config").expect("it was created");
/// assert_eq!(znode.stat.version, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod inspect {
    pub use crate::control::{Effects, SentEvent};
    pub use crate::handle::{
        ConnectionView, Leak, LeakKind, SessionView, WatchKind, WatchView, ZnodeView,
    };
}

/// The journal of a server: entries, waits, claims and budgets.
///
/// It begins with [`Server::journal`](crate::Server::journal) and [`Server::wait_for`](crate::Server::wait_for).
///
/// ```
/// use minikeeper::Server;
/// use minikeeper::journal::Budget;
///
/// let server = Server::start()?;
/// let _no_herd = server.budget(Budget::events_per_transaction(1));
/// server.create("/config", b"v1")?;
/// println!("{}", server.journal());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod journal {
    pub use crate::config::journal_mode::{JournalMode, NoSuchJournalMode};
    pub use crate::control::{
        BadJournal, Budget, Claim, ClaimBroken, Data, Entry, Event, Exceeded, Mark, MultiPart,
        Paths, TimedOut,
    };
    pub use crate::handle::{BudgetGuard, WaitFor};
    pub use crate::keeper::CloseReason;
}

/// Labels for clients, and sessions that the test itself owns.
///
/// A label begins with [`Server::labelled`](crate::Server::labelled).
///
/// ```
/// use minikeeper::Server;
/// use minikeeper::label::Address;
///
/// let server = Server::start()?;
/// let worker: Address = server.labelled("worker")?;
/// println!("the worker connects to {}", worker.connect_string());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
pub mod label {
    pub use crate::handle::{Address, NoSuchSession, TestSession};
}

/// Parts of a [`Matcher`]: kinds of events and patterns of paths.
///
/// ```
/// use minikeeper::Matcher;
/// use minikeeper::matcher::EventKind;
///
/// assert_eq!(Matcher::of(EventKind::SessionExpired).kind, Some(EventKind::SessionExpired));
/// ```
pub mod matcher {
    pub use crate::control::{BadPattern, EventKind, MatcherConflict, NeverMatches, PathPattern};
}

// The harness draws from the same generator as `Chaos`, so that one tested implementation keeps the meaning of printed
// seeds. The module is public only for the harness. It is no part of the API and may change in any release.
/// Random numbers from a seed, for the tools of this repository.
#[doc(hidden)]
pub mod random {
    pub use crate::control::SplitMix64;
}

/// State as a value: znodes, trees and differences.
///
/// ```
/// use minikeeper::state::Znode;
/// use minikeeper::tree;
///
/// let tree = tree! { "/locks" => Znode::new("").container() };
/// assert_eq!(tree.len(), 1);
/// ```
pub mod state {
    pub use crate::handle::{Diff, SeedError, TreeError, Znode, ZnodeKind};
}
