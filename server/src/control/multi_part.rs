//! Operations of a multi, as an event has them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MultiPart<'a> {
    /// Operation; `None` for a write in a multiRead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Path of the operation; `None` if the client sent null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Cow<'a, str>>,
    /// Whether the operation creates an ephemeral.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// Whether the operation creates a sequential znode.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sequential: bool,
    /// In a reply: the error of the operation, or that it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// In a reply: the path that the operation created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Cow<'a, str>>,
}

impl MultiPart<'_> {
    /// Whether `accepts` is true for the path of the operation, or the path that it created.
    pub(super) fn is_about(&self, accepts: impl FnMut(&str) -> bool) -> bool {
        let own = self.path.as_deref();
        let created = self.created.as_deref();
        own.into_iter().chain(created).any(accepts)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(super) fn is_false(is: &bool) -> bool {
    !is
}
