//! The state as a value: snapshots and forks of all of it, and trees as people write them.
//!
//! A [`Snapshot`] is everything a server had; a [`Tree`] is what somebody wants to say about znodes.

mod diff;
mod error;
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
