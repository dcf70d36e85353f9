//! Kinds of znodes that the server removes by itself.

/// What the server removes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reapable {
    /// Containers without children that have had some.
    Containers,
    /// Znodes without children whose time to live is over.
    TtlZnodes,
}
