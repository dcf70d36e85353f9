//! Where a state was read, and what was found there.

use std::path::PathBuf;

use super::{Compression, StorageError};
use crate::handle::Snapshot;
use crate::protocol::{DataFormat, Zxid};
use crate::store::Recovered;

/// Where a [`Snapshot`] was read, and what was found there.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("minikeeper-origin-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// use minikeeper::{Server, Snapshot};
///
/// let server = Server::start()?;
/// assert!(server.snapshot().origin().is_none(), "it was never read");
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
    /// The file of the snapshot; `None` if there was none.
    pub snapshot: Option<PathBuf>,
    /// How that is compressed.
    pub compression: Compression,
    /// The oldest release that can have written it, as far as it tells; `None` where the logs hold nothing.
    pub format: Option<DataFormat>,
    /// The logs that were read after it, the oldest first.
    pub logs: Vec<PathBuf>,
    /// How many transactions were in them that were not in the snapshot.
    pub replayed: u64,
    /// The digest of the tree, if one is kept.
    pub digest: Option<u64>,
    /// The first transaction after which the tree had another digest than the files say.
    pub digest_mismatch: Option<Zxid>,
    /// First transactions that are in no log although later ones are, from the first missing to the last: a log has
    /// gone. Present only with [`recover`](super::Storage::recover), which leaves out the later transactions; without
    /// it the gap is [`StorageError::Missing`].
    pub missing: Option<(Zxid, Zxid)>,
    /// The first transaction that came again after later ones: two servers wrote to the folder at once.
    pub repeated: Option<Zxid>,
    /// Newer snapshots that were passed over, and what is wrong with them.
    pub passed_over: Vec<StorageError>,
    /// Ends of logs that were passed over since a crash has torn them.
    pub torn: Vec<StorageError>,
    /// Ends of logs that were passed over although they are damaged, as [`recover`](super::Storage::recover) allows.
    pub cut: Vec<StorageError>,
}

impl Snapshot {
    /// Where it was [opened](Self::open), and what was found there. It belongs to this value: the snapshot of a server has none, be it
    /// one that was started from a folder or a copy.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.read_from()
    }
}

impl From<Recovered> for Origin {
    fn from(recovered: Recovered) -> Self {
        Self {
            snapshot: recovered.snapshot,
            compression: recovered.compression,
            format: recovered.format,
            logs: recovered.logs,
            replayed: recovered.replayed,
            digest: recovered.digest,
            digest_mismatch: recovered.digest_mismatch,
            missing: recovered.missing,
            repeated: recovered.repeated,
            passed_over: recovered.passed_over,
            torn: recovered.torn,
            cut: recovered.cut,
        }
    }
}
