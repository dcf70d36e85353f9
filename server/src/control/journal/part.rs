//! Operations of a multi, as an entry has them.

use serde::{Deserialize, Serialize};

use super::entry::is_false;
use crate::control::sight::{Asked, Outcomes};
use crate::protocol::{ErrorCode, Operation};

/// Operation of a multi or multiRead.
///
/// ```
/// use minikeeper::journal::MultiPart;
///
/// let part: MultiPart = serde_json::from_str(r#"{"operation": "create", "path": "/a", "ephemeral": true}"#)?;
/// assert!(part.ephemeral && part.error.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MultiPart {
    /// The operation; `None` for a write in a multiRead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Path of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it creates an ephemeral.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// Whether it creates a sequential znode.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sequential: bool,
    /// In a reply: the error of the operation, or that it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// In a reply: the path that it created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

impl MultiPart {
    /// The operations of a request, with their results if they are known.
    pub(crate) fn all(asked: &Asked, outcomes: Outcomes<'_>) -> Vec<Self> {
        let parts = asked.parts().iter().enumerate();
        let parts = parts.map(|(at, part)| Self {
            operation: part.operation,
            path: asked.path_of(*part).map(str::to_owned),
            ephemeral: part.ephemeral,
            sequential: part.sequential,
            error: outcomes.error(at),
            created: outcomes.created(at).map(str::to_owned),
        });
        parts.collect()
    }
}
