//! A pure-Rust, embedded, ZooKeeper-compatible coordination server for tests: *the miniredis of ZooKeeper*.
//!
//! [`Server::start`] gives a test a server of its own on a free port, which speaks ZooKeeper's wire protocol so exactly
//! that clients cannot tell it from a standalone ZooKeeper 3.9. It needs no async runtime and works under any.
//!
//! ```
//! use std::time::Duration;
//!
//! // Time stands still until the test moves it; leave that out and the machine's clock counts.
//! let zk = minikeeper::Server::builder().manual_clock().start()?;
//!
//! // Give this to whatever is tested, with any client in any language.
//! let _connect_string = zk.connect_string();
//!
//! // The test itself reads and writes without a client; watches fire as for any write.
//! zk.create("/config", b"v1")?;
//! zk.set("/config", b"v2")?;
//! assert_eq!(zk.data("/config").as_deref(), Some(&b"v2"[..]));
//!
//! // Let sessions fall silent, and their time pass, at once.
//! zk.sessions().iter().for_each(|session| zk.mute(session.id));
//! zk.advance(Duration::from_secs(60));
//! assert!(zk.sessions().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What no real ensemble gives a test, all of it plain data at its core:
//!
//! | power | begins at |
//! |---|---|
//! | time that stands still until it is turned | [`ServerBuilder::manual_clock`], [`Server::advance`], [`Server::expire`] |
//! | faults where a test wants them, chaos by a seed, links that are cut | [`Server::fault`], [`Server::chaos`], [`Server::partition`] |
//! | events, replies and requests that are held, and let go in any order across clients | [`Server::hold`] |
//! | a journal of all that passes, to wait on and to make claims about | [`Server::journal`], [`Server::wait_for`], [`Server::budget`] |
//! | clients told apart in any language | [`Server::labelled`] |
//! | members that stop, part from the others, lag | [`Ensemble`] |
//! | state as a value, to fork, to compare, to begin with | [`Server::snapshot`], [`tree!`], [`Tree`] |
//! | state that lasts, and a real server's to begin with | [`ServerBuilder::data_dir`], [`Server::open_copy`], [`Server::export`] |
//! | any stream on the test's own runtime | [`ServerBuilder::without_listener`], [`Server::serve`] |
//!
//! State is in memory and goes with the last handle, unless the server is given a folder for it:
//! [`ServerBuilder::data_dir`] keeps it in ZooKeeper's own files, [`Server::open_copy`] begins with those of a real server.

mod control;
mod handle;
mod jute;
mod keeper;
mod net;
mod persistence;
mod protocol;
mod store;
mod wire;

pub use handle::{
    Address, ApplyError, BadJournal, BadPattern, Budget, BudgetGuard, Change, Chaos, ChaosGuard,
    ChaosRule, Claim, ClaimBroken, ClockKind, CloseReason, Compression, Config, ConnectionView,
    Data, Diff, DigestAlgorithm, Direction, Effects, Ensemble, Entry, EventKind, Exceeded, Failure,
    Fault, FaultBuilder, FaultError, FaultGuard, FaultRule, FileKind, FileName, FourLetterWords,
    Held, HeldMessage, Hold, HoldError, Journal, JournalMode, Lag, Leading, Leak, LeakKind, Log,
    Mark, Matcher, Member, MemberPartition, MemberView, MultiPart, NeverHappened, NeverMatches,
    NoSuchCompression, NoSuchSession, Op, OpenOptions, Origin, Partition, PathPattern, Release,
    ReleaseError, SeedError, SentEvent, Server, ServerBuilder, SessionView, Snapshot, StartError,
    Storage, StorageError, TestSession, TimedOut, Transaction, Tree, TreeError, WaitFor, WatchKind,
    WatchView, What, Znode, ZnodeKind, ZnodeView, version_folder,
};
pub use protocol::{
    Acl, AuthId, DataFormat, EnsembleAction, EnsembleError, ErrorCode, EventType, MemberId, Mode,
    NoDataFormat, Operation, Permissions, SessionId, Stat, Timestamp, Zxid,
};
