//! Kinds of znodes that the server removes by itself.

/// Kind of a znode that the server removes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reapable {
    /// Containers without children that had some before.
    Containers,
    /// Znodes without children whose time to live has passed.
    TtlZnodes,
}
