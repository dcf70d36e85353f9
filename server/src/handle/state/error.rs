//! Errors of trees and seeds.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::protocol::ErrorCode;

/// Error of a text that is not a [`Tree`](crate::Tree), in one line.
///
/// ```
/// let error = minikeeper::Tree::from_json(r#"{"/config": 1}"#).unwrap_err();
/// assert_eq!(error.to_string(), "1:13: /config: data are text: put 1 in quotes");
/// assert_eq!(error.position, Some((1, 13)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct TreeError {
    /// File of the text, if it was read from one.
    pub file: Option<PathBuf>,
    /// Line and column at which reading ended, from 1.
    pub position: Option<(usize, usize)>,
    /// Reason of the error.
    pub reason: String,
}

impl TreeError {
    pub(super) fn new(reason: String) -> Self {
        Self {
            file: None,
            position: None,
            reason,
        }
    }

    pub(super) fn at(position: Option<(usize, usize)>, reason: String) -> Self {
        Self {
            position,
            ..Self::new(reason)
        }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        if self.file.is_some() || self.position.is_some() {
            f.write_str(" ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Error of a seed: the znode that the server refused. The znodes before it, by path, are written.
///
/// ```
/// use minikeeper::{ErrorCode, Server, state::Znode, tree};
///
/// let server = Server::start()?;
/// let unknown = Znode::new("").acl(["unknown:scheme:r".parse()?]);
/// let error = server.seed(&tree! { "/secret" => unknown }).unwrap_err();
/// assert_eq!(error.to_string(), "/secret cannot be written: the ACL is not valid");
/// assert_eq!(error.code, ErrorCode::InvalidAcl);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be written: {code}")]
#[non_exhaustive]
pub struct SeedError {
    /// Path of the znode.
    pub path: String,
    /// Error code of the refused write.
    pub code: ErrorCode,
}

impl SeedError {
    pub(super) fn new(path: &str, code: ErrorCode) -> Self {
        Self {
            path: path.to_owned(),
            code,
        }
    }
}
