//! Options for reading a folder.

use std::path::PathBuf;

use crate::protocol::DataFormat;

/// Options for reading a data folder as a [`Snapshot`](crate::Snapshot), each with the meaning and the default of the
/// setting of that name in [`Storage`](crate::folder::Storage).
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("minikeeper-options-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// use minikeeper::{Server, Snapshot, folder::OpenOptions};
///
/// let server = Server::builder().data_dir(&folder).start()?;
/// server.create("/config", b"v1")?;
/// # drop(server);
/// // Even if a log is damaged, everything before the damage is read.
/// let mut options = OpenOptions::default();
/// options.recover = true;
/// let snapshot = Snapshot::open_with(&folder, &options)?;
/// assert!(snapshot.znode("/config").is_some());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Folder of the logs, if they are in another folder (`dataLogDir`).
    pub data_log_dir: Option<PathBuf>,
    /// Release whose state is read where the files do not say it: logs without a snapshot, for example.
    pub data_format: Option<DataFormat>,
    /// Whether logs without any snapshot are replayed onto an empty tree (`zookeeper.snapshot.trust.empty`).
    pub trust_empty: bool,
    /// Whether a log is ignored from the first damage or gap on. A server that opens the folder for writing also cuts
    /// the log there.
    pub recover: bool,
    /// Whether the digest of the tree is calculated and compared with the files (`zookeeper.digest.enabled`).
    pub digest: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            data_log_dir: None,
            data_format: None,
            trust_empty: false,
            recover: false,
            digest: true,
        }
    }
}
