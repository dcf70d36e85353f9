//! Settings of a data folder.

use std::path::PathBuf;
use std::time::Duration;

use super::Compression;
use crate::protocol::DataFormat;

/// Settings of a data folder. Without a [`data_dir`](Self::data_dir), which is the default, the state is in memory.
///
/// The folder is ZooKeeper's own. A real server of the release that [`data_format`](Self::data_format) names opens
/// folders from here, and its folders open here.
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
    /// Folder (`dataDir`), with the files in `version-2` below it. It is created if it is missing.
    pub data_dir: Option<PathBuf>,
    /// Folder of the logs (`dataLogDir`). Default: `data_dir`.
    pub data_log_dir: Option<PathBuf>,
    /// Whether a write is flushed to the disk before its reply (`forceSync`). Otherwise the operating system flushes it
    /// later. Default true.
    pub force_sync: bool,
    /// Duration of a flush above which a warning is logged (`fsync.warningthresholdms`). Default 1 s.
    pub fsync_warning: Duration,
    /// Number of transactions after which a snapshot is written and the next log begins (`snapCount`). The actual
    /// number is drawn each time, between half of it and all of it. At least 2. Default 100,000.
    pub snap_count: u32,
    /// Number of bytes of transactions after which a snapshot is written, likewise (`snapSizeLimitInKb`, in KiB there);
    /// 0 is never. Default 4 GiB.
    pub snap_size_limit: u64,
    /// Size of a log in bytes after which the next log begins without a snapshot (`txnLogSizeLimitInKb`, in KiB there).
    /// Zeros ahead of the transactions do not count, but do count on a real server. Default 0: never.
    pub log_size_limit: u64,
    /// Number of bytes of a log that are filled with zeros ahead of the transactions (`preAllocSize`, in KiB there), of
    /// which at most 1 MiB is used. Default 64 MiB.
    pub pre_alloc_size: u64,
    /// Compression of snapshots (`zookeeper.snapshot.compression.method`). Default: none.
    pub compression: Compression,
    /// Number of snapshots that a purge retains, with their logs (`autopurge.snapRetainCount`), at least 3. Default 3.
    pub purge_retain: u32,
    /// Interval of purges (`autopurge.purgeInterval`, in hours there). The server purges at its start, and with the
    /// first snapshot after the interval. Default zero: never.
    pub purge_interval: Duration,
    /// Whether a folder with logs and no snapshot is opened (`zookeeper.snapshot.trust.empty`). Default false.
    pub trust_empty: bool,
    /// Whether a damaged log is truncated where the damage or a gap in the zxids begins. A copy is saved as
    /// `damaged-log.*` in the same folder; logs behind a gap are removed, with a copy too. Default false: damage and
    /// gaps are errors.
    pub recover: bool,
    /// Release of ZooKeeper that can read the folder. State that it cannot hold is refused. Default: the release of the
    /// existing files, and 3.9 for an empty folder.
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
