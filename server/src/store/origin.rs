//! Report on a folder that was read.

use std::path::PathBuf;

use super::{Compression, StorageError};
use crate::protocol::{DataFormat, Zxid};

/// Files that a [`Snapshot`](crate::Snapshot) was read from, and what was found in them.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("minikeeper-origin-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// use minikeeper::{Server, Snapshot};
///
/// let server = Server::start()?;
/// assert!(server.snapshot().origin().is_none(), "it was not read from files");
/// server.export(&folder)?;
/// let snapshot = Snapshot::open(&folder)?;
/// let origin = snapshot.origin().expect("it was read");
/// assert_eq!((origin.logs.len(), origin.digest_mismatch), (0, None));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// File of the snapshot; `None` if there was none.
    pub snapshot: Option<PathBuf>,
    /// Compression of that file.
    pub compression: Compression,
    /// Oldest release that can have written the files; `None` if there was no snapshot and no log had a transaction.
    pub format: Option<DataFormat>,
    /// Logs that were read after the snapshot, the oldest first.
    pub logs: Vec<PathBuf>,
    /// Number of transactions that were in the logs and not in the snapshot.
    pub replayed: u64,
    /// Digest of the tree, if digests are enabled.
    pub digest: Option<u64>,
    /// First transaction after which the tree had another digest than the files say.
    pub digest_mismatch: Option<Zxid>,
    /// First gap in the zxids, from the first missing transaction to the last: a log was removed, or never copied.
    /// Present only with [`OpenOptions::recover`](crate::folder::OpenOptions::recover), which ignores all later
    /// transactions; without it the gap is [`StorageError::Missing`].
    pub missing: Option<(Zxid, Zxid)>,
    /// First transaction that came after a later one: two servers wrote to the folder at the same time.
    pub repeated: Option<Zxid>,
    /// Newer snapshots that were skipped because they are damaged, each with the damage.
    pub passed_over: Vec<StorageError>,
    /// Torn ends of logs, as a crash leaves them: cut off if the folder was opened for writing, else ignored.
    pub torn: Vec<StorageError>,
    /// Damaged ends of logs that were cut off or ignored, as
    /// [`OpenOptions::recover`](crate::folder::OpenOptions::recover) allows.
    pub cut: Vec<StorageError>,
    /// Last transaction, 0 in an empty folder.
    pub(crate) last_zxid: Zxid,
    /// Whether ephemerals of missing sessions were removed, which no transaction does: the server must write a snapshot
    /// before the first transaction.
    pub(crate) has_dropped: bool,
}

impl Origin {
    /// Report on an empty folder, to be filled in while files are read.
    pub(crate) fn empty() -> Self {
        Self {
            snapshot: None,
            compression: Compression::None,
            format: None,
            logs: Vec::new(),
            replayed: 0,
            digest: None,
            digest_mismatch: None,
            missing: None,
            repeated: None,
            passed_over: Vec::new(),
            torn: Vec::new(),
            cut: Vec::new(),
            last_zxid: Zxid(0),
            has_dropped: false,
        }
    }

    /// Whether neither a snapshot nor a log was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.logs.is_empty()
    }
}
