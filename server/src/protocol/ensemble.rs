//! What can be done to the members of an ensemble, and how a member serves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MemberId;

/// What a test can do to an ensemble; as plain data, so that it can come from anywhere.
///
/// ```
/// use minikeeper::ensemble::{EnsembleAction, MemberId};
///
/// let action = EnsembleAction::Partition { member: MemberId(2) };
/// assert_eq!(serde_json::to_string(&action)?, r#"{"action":"partition","member":2}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnsembleAction {
    /// The member ends as a process does: its connections are closed, and who connects is refused.
    Stop {
        /// The member.
        member: MemberId,
    },
    /// A member that was stopped runs again.
    Start {
        /// The member.
        member: MemberId,
    },
    /// The member runs and reaches no other member any more; clients reach it.
    Partition {
        /// The member.
        member: MemberId,
    },
    /// A member that was partitioned reaches the others again.
    Heal {
        /// The member.
        member: MemberId,
    },
    /// There is an election, which this member wins, or without a number another one than leads now.
    Elect {
        /// Who wins.
        #[serde(default)]
        leader: Option<MemberId>,
    },
    /// From now on the member takes in what the others commit only when it is told to, or when a write, a `sync` or a new
    /// session comes through it.
    Lag {
        /// The member.
        member: MemberId,
    },
    /// A member that lags takes in the next transactions.
    Release {
        /// The member.
        member: MemberId,
        /// How many; without a number, all that there are.
        #[serde(default)]
        transactions: Option<usize>,
    },
    /// A member that lags takes in everything, and lags no longer.
    CatchUp {
        /// The member.
        member: MemberId,
    },
    /// No member reaches another one any more, so nobody leads.
    LoseQuorum,
    /// Every member that was partitioned reaches the others again.
    RegainQuorum,
}

/// How a member serves, in the words of ZooKeeper's `srvr`.
///
/// ```
/// assert_eq!(minikeeper::ensemble::Mode::ReadOnly.to_string(), "read-only");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// It is no ensemble.
    #[default]
    Standalone,
    /// It leads.
    Leader,
    /// Another one leads.
    Follower,
    /// It reaches no quorum, and serves those who are content with reading.
    ReadOnly,
    /// It reaches no quorum, and serves nobody.
    NotServing,
    /// It does not run.
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

/// Why something cannot be done to an ensemble.
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
    /// It has fewer members.
    #[error("the ensemble has no member {0}")]
    NoSuchMember(MemberId),
    /// Whoever leads has to run, and to reach a quorum of the others.
    #[error("member {0} cannot lead: it is stopped, or partitioned from the others")]
    CannotLead(MemberId),
    /// Too few members run and reach one another.
    #[error("too few members reach one another for an election")]
    NoQuorum,
    /// Only a member that follows or leads can lag.
    #[error("member {0} cannot lag: it has no leader")]
    CannotLag(MemberId),
}
