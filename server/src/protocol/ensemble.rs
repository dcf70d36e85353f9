//! Actions on the members of an ensemble, and the modes of a member.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MemberId;

/// An action of a test on an ensemble. It is plain data, so it can come from a file or a message.
///
/// ```
/// use minikeeper::ensemble::{EnsembleAction, MemberId};
///
/// let action = EnsembleAction::Partition { member: MemberId(2) };
/// assert_eq!(serde_json::to_string(&action)?, r#"{"action":"partition","member":2}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EnsembleAction {
    /// Stops a member as if its process ended: its connections are closed, and new ones are refused.
    Stop {
        /// The member.
        member: MemberId,
    },
    /// Starts a stopped member.
    Start {
        /// The member.
        member: MemberId,
    },
    /// Cuts a running member off from the other members. Clients still reach it.
    Partition {
        /// The member.
        member: MemberId,
    },
    /// Ends the partition of a member.
    Heal {
        /// The member.
        member: MemberId,
    },
    /// Holds an election. This member wins it, or, if none is given, another member than the current leader.
    Elect {
        /// The member that wins.
        #[serde(default)]
        leader: Option<MemberId>,
    },
    /// Makes a member apply transactions of the others only on request, or when a write, a `sync` or a new session
    /// comes through it.
    Lag {
        /// The member.
        member: MemberId,
    },
    /// Lets a lagging member apply its next transactions.
    Release {
        /// The member.
        member: MemberId,
        /// Number of transactions; all if it is not given.
        #[serde(default)]
        transactions: Option<usize>,
    },
    /// Lets a lagging member apply everything and stop lagging.
    CatchUp {
        /// The member.
        member: MemberId,
    },
    /// Cuts all members off from each other, so there is no leader.
    LoseQuorum,
    /// Ends the partitions of all members.
    RegainQuorum,
}

/// Mode of a member. It is displayed as ZooKeeper's `srvr` does.
///
/// ```
/// assert_eq!(minikeeper::ensemble::Mode::ReadOnly.to_string(), "read-only");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// The server is no ensemble.
    #[default]
    Standalone,
    /// The member leads.
    Leader,
    /// Another member leads.
    Follower,
    /// The member reaches no quorum, and serves clients that accept a read-only server.
    ReadOnly,
    /// The member reaches no quorum and serves no client.
    NotServing,
    /// The member does not run.
    Stopped,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::ReadOnly => "read-only",
            Self::NotServing => "not serving",
            Self::Stopped => "stopped",
        })
    }
}

/// Reason why an action on an ensemble is impossible.
///
/// ```
/// use minikeeper::ensemble::{EnsembleError, MemberId};
///
/// let error = EnsembleError::NoSuchMember(MemberId(4));
/// assert_eq!(error.to_string(), "the ensemble has no member 4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EnsembleError {
    /// The ensemble has fewer members.
    #[error("the ensemble has no member {0}")]
    NoSuchMember(MemberId),
    /// The member is stopped or partitioned, so it cannot win an election.
    #[error("member {0} cannot lead: it is stopped, or partitioned from the others")]
    CannotLead(MemberId),
    /// Too few members run and reach each other.
    #[error("too few members reach one another for an election")]
    NoQuorum,
    /// Only a member that follows or leads can lag.
    #[error("member {0} cannot lag: it has no leader")]
    CannotLag(MemberId),
}
