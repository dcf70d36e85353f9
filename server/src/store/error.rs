//! Errors of folders and their files, one line each.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::protocol::{DataFormat, SessionId, Zxid};

/// Error for a data folder that cannot be read or written. Nothing on the disk was changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk refused an operation.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// Error of the operating system.
        source: Arc<io::Error>,
    },
    /// A file is damaged.
    #[error("{}: damaged at offset {offset}: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Offset of the damage in bytes; in a compressed file, in its decompressed content.
        offset: u64,
        /// Kind of the damage.
        reason: String,
    },
    /// Transactions are missing although later ones are there: a log was removed, or never copied.
    #[error(
        "{}: {} before offset {offset}: a transaction log is missing; restore it, or rerun with --recover \
         (`Storage::recover`) to ignore all later transactions (their logs are saved as damaged-log.*)",
        file.display(),
        missing(*first, *last)
    )]
    Missing {
        /// The log with the later transactions.
        file: PathBuf,
        /// Offset of the first later transaction, in bytes from the beginning of the file.
        offset: u64,
        /// The first missing transaction.
        first: Zxid,
        /// The last missing transaction of this gap.
        last: Zxid,
    },
    /// A transaction needs an ACL that the snapshot refers to by its number and does not list, before any transaction
    /// supplies it.
    #[error(
        "{}: transaction {zxid} needs the ACL of {path}, number {number}, which the snapshot does not list: a real \
         server does not start from this folder (\"Failed to fetch acls for {number}\"); rerun with --recover \
         (`Storage::recover`) to replay it without that ACL, as releases before 3.8.4 and 3.9.2 do",
        file.display()
    )]
    UnlistedAcl {
        /// The log.
        file: PathBuf,
        /// The transaction.
        zxid: Zxid,
        /// The znode.
        path: Box<str>,
        /// The number of its ACL in the snapshot.
        number: i64,
    },
    /// There are transaction logs but no snapshot, so earlier data may be missing.
    #[error(
        "{}: there are transaction logs but no snapshot, so part of the data may be missing; restore a snapshot, or \
         set snapshot.trust.empty (`Storage::trust_empty`) to read the logs alone",
        folder.display()
    )]
    NoSnapshot {
        /// The folder of the snapshots.
        folder: PathBuf,
    },
    /// None of the snapshots can be read.
    #[error(
        "{}: none of the {count} snapshots is valid; restore one from a backup; the newest: {newest}",
        folder.display()
    )]
    NoValidSnapshot {
        /// The folder of the snapshots.
        folder: PathBuf,
        /// Number of snapshots.
        count: usize,
        /// Error of the newest snapshot.
        newest: Box<Self>,
    },
    /// Another server uses the folder.
    #[error("{}: in use by another server; stop that server, or choose another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder was removed, renamed or replaced while a server used it. Its lock or its newest log no longer
    /// exists, or belongs to another folder.
    #[error(
        "{}: the folder or its newest log was removed, renamed or replaced while the server ran; acknowledged writes \
         may be lost: restore the folder before the next start",
        folder.display()
    )]
    Gone {
        /// The folder.
        folder: PathBuf,
    },
    /// This build does not support the compression of a file.
    #[error(
        "{}: compressed with {method}, which this build does not support; enable minikeeper's feature `compression`",
        file.display()
    )]
    NoCompression {
        /// The file.
        file: PathBuf,
        /// `gz` or `snappy`.
        method: &'static str,
    },
    /// A state cannot be written to a folder that has files.
    #[error("{}: not empty; choose a new or an empty folder", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder has a session of a server with id 255. A server with extended types takes the ephemerals of this
    /// session for znodes with a time to live, or does not start.
    #[error(
        "{}: session {session} belongs to a server with id 255, whose ephemerals look like TTL znodes; \
         switch extended types off (extendedTypesEnabled=false, --extended-types false, `Config::extended_types`)",
        folder.display()
    )]
    ServerId255 {
        /// The folder of the snapshots.
        folder: PathBuf,
        /// The session.
        session: SessionId,
    },
    /// The files have a znode that no server makes, although their checksums match.
    #[error(
        "{}: znode {path:?} {reason}; no ZooKeeper server writes that, so the files were changed: restore them",
        folder.display()
    )]
    Impossible {
        /// The folder of the snapshots, or the one file that was read.
        folder: PathBuf,
        /// The znode.
        path: Box<str>,
        /// The reason.
        reason: &'static str,
    },
    /// The files of a release cannot store the state.
    #[error("{}: ZooKeeper {format} cannot store {what}; choose a later data format", folder.display())]
    NotInFormat {
        /// The folder to write.
        folder: PathBuf,
        /// The requested format.
        format: DataFormat,
        /// Description of what it cannot store; of several znodes, the first by its path.
        what: String,
    },
    /// There is nothing to read. The path is most likely mistyped.
    #[error("{}: {missing}; check the path", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// Description of what is missing.
        missing: &'static str,
    },
    /// Snapshots are in the folder of the logs, or the other way round: `dataDir` and `dataLogDir` were changed or
    /// swapped.
    #[error(
        "{}: found {what}, which belong in the other folder; check whether dataDir and dataLogDir are swapped",
        folder.display()
    )]
    Misplaced {
        /// The folder.
        folder: PathBuf,
        /// `snapshots` or `logs`.
        what: &'static str,
    },
}

impl StorageError {
    /// Makes the error for an operation that the disk refused.
    pub(crate) fn io(file: &Path, source: io::Error) -> Self {
        Self::Io {
            file: file.to_path_buf(),
            source: Arc::new(source),
        }
    }

    /// Whether a file or folder does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Makes the error for damage.
    pub(crate) fn damaged(file: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_path_buf(),
            offset,
            reason: reason.into(),
        }
    }
}

/// Describes the transactions of a gap.
fn missing(first: Zxid, last: Zxid) -> String {
    match first == last {
        true => format!("transaction {first} is missing"),
        false => format!("transactions {first} to {last} are missing"),
    }
}
