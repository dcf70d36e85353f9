//! Numbers that must not be swapped.

use std::fmt;

/// The number of a transaction. Transactions are numbered densely from 1; the high 32 bits are the leader's epoch,
/// which a standalone server leaves at 0.
///
/// ```
/// assert_eq!(minikeeper::Zxid(31).to_string(), "0x1f");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

/// The number of a session. Its top byte is the number of the server that granted it; it is never 0 for a client.
///
/// ```
/// assert_eq!(minikeeper::SessionId(0x100_0000).to_string(), "0x1000000");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

/// The number a client gives to a request, which the reply repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Xid(pub(crate) i32);

impl Zxid {
    /// The number after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl SessionId {
    /// No session: the owner of what the server does by itself.
    pub(crate) const NONE: Self = Self(0);
}

impl Xid {
    /// The xid of a notification.
    pub(crate) const NOTIFICATION: Self = Self(-1);
    /// The xid of every reply to a ping.
    pub(crate) const PING: Self = Self(-2);
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

// In hexadecimal, as every log of ZooKeeper has them.
impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zxid({self})")
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}
