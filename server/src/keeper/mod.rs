//! The rules: a deterministic state machine of znodes, sessions, watches and transactions.
//!
//! The state machine knows no socket, no clock and no task. [`Keeper::step`] processes one [`Input`] and emits its
//! effects in the order in which they must be sent. Each kind of rule has a file. This one declares the modules.

mod accept;
mod access;
mod acl_table;
mod admission;
mod apply;
mod connect;
mod connection;
mod deadline;
mod digest;
mod election;
mod ensemble;
mod expiry;
mod format;
mod index;
mod input;
mod java;
mod lag;
mod long_list;
mod output;
mod publish;
mod quota;
mod read;
mod reap;
mod reaper;
mod replica;
mod restore;
mod session;
mod shared;
mod slab;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod transaction;
mod tree;
mod tree_digest;
mod undo;
mod watch;
mod write;
mod znode;

pub(crate) use crate::config::Rules;
pub(crate) use access::digest_of;
pub(crate) use connection::{Connection, ConnectionId};
pub(crate) use input::Input;
pub use output::CloseReason;
pub(crate) use output::{Expiry, Output, Outputs};
pub(crate) use quota::{QuotaSums, sums as quota_sums};
pub(crate) use reap::Reapable;
pub(crate) use restore::Restored;
pub(crate) use session::Sessions;
#[cfg(test)]
pub(crate) use session::password;
pub(crate) use snapshot::Snapshot;
pub(crate) use state::Keeper;
pub(crate) use tree::Tree;
pub(crate) use watch::{Modes, Table, Watches};
pub(crate) use znode::{Owner, Znode};
