//! Settings of a data folder.

use std::path::PathBuf;
use std::time::Duration;

use super::Compression;
use crate::protocol::DataFormat;

/// Where a server keeps its state, and how; without a [`data_dir`](Self::data_dir), which is the default, nowhere but
/// in memory.
///
/// The folder is ZooKeeper's own: a real server of the release that [`data_format`](Self::data_format) names opens
/// what is written here, and its folder is opened here.
///
/// ```
/// use minikeeper::folder::Storage;
///
/// let storage: Storage = serde_json::from_str(r#"{"data_dir": "/data", "force_sync": false}"#)?;
/// assert_eq!(storage.data_dir.as_deref(), Some("/data".as_ref()));
/// assert_eq!(storage.snap_count, 100_000);
///
/// // In code, all but what differs is the default.
/// let mut storage = Storage::default();
/// storage.force_sync = false;
/// storage.data_format = Some(minikeeper::folder::DataFormat::V3_6);
/// let builder = minikeeper::Server::builder().storage(storage).data_dir("/data");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Storage {
    /// The folder (`dataDir`); what is kept lies in `version-2` within it. It is made if it is not there.
    pub data_dir: Option<PathBuf>,
    /// The folder of the logs (`dataLogDir`). Default: the same.
    pub data_log_dir: Option<PathBuf>,
    /// Whether a write is answered when the disk has it (`forceSync`), and not already when the operating system has.
    /// Default true.
    pub force_sync: bool,
    /// A flush to the disk that takes longer is told in the log, by `tracing` (`fsync.warningthresholdms`). Default 1
    /// s.
    pub fsync_warning: Duration,
    /// After about so many transactions a snapshot is written and the next log begun (`snapCount`): after half of it
    /// to all of it, drawn each time. At least 2. Default 100,000.
    pub snap_count: u32,
    /// After about so many bytes of transactions, likewise (`snapSizeLimitInKb`, in KiB there); 0 is never. Default 4
    /// GiB.
    pub snap_size_limit: u64,
    /// A log that has grown beyond so many bytes is followed by the next (`txnLogSizeLimitInKb`, in KiB there),
    /// without a snapshot; 0, the default, is never. What is filled with zeros ahead does not count, as it does on a
    /// real server.
    pub log_size_limit: u64,
    /// At most so many bytes of a log are filled with zeros ahead of what is written (`preAllocSize`, in KiB there),
    /// and more than 1 MiB never are. Default 64 MiB.
    pub pre_alloc_size: u64,
    /// How snapshots are compressed (`zookeeper.snapshot.compression.method`). Default: not at all.
    pub compression: Compression,
    /// How many snapshots a purge leaves, with the logs that go with them (`autopurge.snapRetainCount`), at least 3.
    /// Default 3.
    pub purge_retain: u32,
    /// How often it is purged (`autopurge.purgeInterval`, in hours there): at the start, and with the first snapshot
    /// after so long. Zero, the default: never.
    pub purge_interval: Duration,
    /// Whether a folder with logs and no snapshot is opened (`zookeeper.snapshot.trust.empty`). Default false.
    pub trust_empty: bool,
    /// Whether a log is cut where damage or a gap in the zxids begins. A copy of it is saved as `damaged-log.*`
    /// beside it. Logs behind a gap are removed, with a copy too. Default false: damage and gaps are errors.
    pub recover: bool,
    /// Which release's folder it is; what that could not hold is refused. Default: as the folder is found, and 3.9 for
    /// an empty one.
    pub data_format: Option<DataFormat>,
    /// Whether the digest of the tree is written and checked (`zookeeper.digest.enabled`). Default true.
    pub digest: bool,
    /// Whether a snapshot of 3.9 ends with the number of the last transaction
    /// (`zookeeper.serializeLastProcessedZxid.enabled`). Default true.
    pub last_zxid: bool,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: None,
            data_log_dir: None,
            force_sync: true,
            fsync_warning: Duration::from_secs(1),
            snap_count: 100_000,
            snap_size_limit: 4 << 30,
            log_size_limit: 0,
            pre_alloc_size: 64 << 20,
            compression: Compression::None,
            purge_retain: 3,
            purge_interval: Duration::ZERO,
            trust_empty: false,
            recover: false,
            data_format: None,
            digest: true,
            last_zxid: true,
        }
    }
}
