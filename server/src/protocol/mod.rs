//! ZooKeeper's own vocabulary as plain data: ids, stats, ACLs, error codes, operations.
//!
//! ```
//! use minikeeper::protocol::Zxid;
//!
//! assert_eq!(Zxid(0x10).to_string(), "0x10");
//! ```

mod acl;
mod create_mode;
mod ensemble;
mod error_code;
mod event;
mod ids;
mod long_list;
mod path;
mod persisted;
mod reply;
mod request;
mod restore;
mod stat;
mod time;
mod txn;

pub use acl::{Acl, AuthId, Permissions};
pub(crate) use acl::{AclEntry, AclList, open_acl, unlisted_acl, unlisted_number};
pub(crate) use create_mode::CreateMode;
pub use ensemble::{EnsembleAction, EnsembleError, Mode};
pub use error_code::ErrorCode;
pub use event::EventType;
pub(crate) use event::{AddWatchMode, KeeperState, WatchedEvent};
pub(crate) use ids::Xid;
pub use ids::{MemberId, SessionId, Zxid};
pub(crate) use long_list::{Cursor, LongCount, LongList, Names};
pub(crate) use path::{ancestors, is_ephemeral_prefix, name_of, parent_of, validate_path};
pub use persisted::{DataFormat, NoDataFormat};
pub(crate) use persisted::{Owner, SessionRecord, StatPersisted, ZnodeRecord};
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
