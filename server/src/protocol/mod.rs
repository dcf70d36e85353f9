//! ZooKeeper's own vocabulary as plain data: ids, stats, ACLs, operations, types of events.
//!
//! [`ErrorCode`] and [`SessionId`] are at the root of the crate, and [`MemberId`] is in [`ensemble`](crate::ensemble).
//!
//! ```
//! use minikeeper::protocol::Zxid;
//!
//! assert_eq!(Zxid(0x10).to_string(), "0x10");
//! ```

// `lib.rs` shows items of the `pub(crate)` modules elsewhere, so that each item has one public path.
mod acl;
mod client_text;
mod create_mode;
pub(crate) mod ensemble;
pub(crate) mod error_code;
mod event;
pub(crate) mod ids;
mod long_list;
pub(crate) mod metrics_provider;
mod path;
pub(crate) mod persisted;
mod reply;
mod request;
mod restore;
mod stat;
mod time;
mod txn;

pub use acl::{Acl, AuthId, Permissions};
pub(crate) use acl::{AclEntry, AclList, open_acl, unlisted_acl, unlisted_number};
pub(crate) use client_text::ClientText;
pub(crate) use create_mode::CreateMode;
pub(crate) use ensemble::{EnsembleAction, EnsembleError, Mode};
pub(crate) use error_code::ErrorCode;
pub use event::EventType;
pub(crate) use event::{AddWatchMode, KeeperState, WatchedEvent};
pub use ids::Zxid;
pub(crate) use ids::{MemberId, SessionId, Xid};
pub(crate) use long_list::{Cursor, LongCount, LongList, Names};
pub(crate) use metrics_provider::MetricsProvider;
pub(crate) use path::{ancestors, is_ephemeral_prefix, name_of, parent_of, validate_path};
pub(crate) use persisted::{DataFormat, Owner, SessionRecord, StatPersisted, ZnodeRecord};
pub(crate) use reply::{ClientInfo, ConnectResponse, Message, MultiResult, Reply, Response};
pub use request::Operation;
pub(crate) use request::{
    CheckVersionRequest, ConnectRequest, CreateOperation, CreateRequest, DeleteRequest, MultiOp,
    MultiReadOp, Request, SetDataRequest, SetWatches, Text, WatcherType,
};
pub(crate) use restore::Restore;
pub use stat::Stat;
pub use time::Timestamp;
pub(crate) use txn::{CreateTxn, CreatedKind, Txn, TxnRecord};
