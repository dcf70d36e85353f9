//! A pure-Rust, embedded, ZooKeeper-compatible coordination server for tests.

mod handle;
mod jute;
mod keeper;
mod net;
mod protocol;
mod wire;

pub use handle::{
    ClockKind, Config, DigestAlgorithm, FourLetterWords, Server, ServerBuilder, SessionView,
    StartError, WatchKind, WatchView, ZnodeView,
};
pub use protocol::{
    Acl, AddWatchMode, AuthId, CreateMode, ErrorCode, EventType, KeeperState, Permissions,
    SessionId, Stat, Timestamp, Txn, TxnRecord, Xid, Zxid,
};
