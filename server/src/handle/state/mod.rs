//! State as a value: snapshots and forks of a server, and trees of znodes.
//!
//! A [`Snapshot`] is the whole state of a server. A [`Tree`] has only the properties of znodes that a test sets or
//! checks.

mod diff;
mod error;
mod fork;
mod seed;
mod snapshot;
mod text;
mod tree;
#[cfg(feature = "yaml")]
mod yaml;

pub use diff::Diff;
pub use error::{SeedError, TreeError};
pub use snapshot::Snapshot;
pub use tree::{Tree, Znode, ZnodeKind};
