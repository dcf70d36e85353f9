//! Why a text is no tree, and why a tree could not be sown.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::protocol::ErrorCode;

/// Why something is no [`Tree`](crate::Tree), in one line.
///
/// ```
/// let error = minikeeper::Tree::from_json(r#"{"/config": 1}"#).unwrap_err();
/// assert_eq!(error.to_string(), "1:13: /config: data are text: put 1 in quotes");
/// assert_eq!(error.position, Some((1, 13)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct TreeError {
    /// The file, if it is about one.
    pub file: Option<PathBuf>,
    /// The line and the column of the text at which reading it ended, from 1.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
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

/// Why a znode of a seed could not be written. Those that come before it by path were.
///
/// ```
/// use minikeeper::{ErrorCode, Server, state::Znode, tree};
///
/// let server = Server::start()?;
/// let nobody = Znode::new("").acl(["nobody:knows:r".parse()?]);
/// let error = server.seed(&tree! { "/secret" => nobody }).unwrap_err();
/// assert_eq!(error.to_string(), "/secret cannot be written: the ACL is not valid");
/// assert_eq!(error.code, ErrorCode::InvalidAcl);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be written: {code}")]
#[non_exhaustive]
pub struct SeedError {
    /// The path of the znode.
    pub path: String,
    /// Why the server refused it.
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
