//! What can be wrong with a folder or a file of it, one clear line each.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::protocol::{DataFormat, SessionId, Zxid};

/// Why a folder or a file of ZooKeeper's cannot be read or written. Nothing on the disk was changed by it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk refused.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The file holds what cannot be.
    #[error("{}: damaged at offset {offset}: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where, in bytes from its beginning; of a compressed file, in what is compressed.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Transactions are in no log although later ones are: a log was removed, or never copied.
    #[error(
        "{}: {} before offset {offset}: a transaction log is missing; restore it, or rerun with --recover \
         (`Storage::recover`) to leave out all later transactions too (their logs are saved as damaged-log.*)",
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
         server does not start from this folder (\"Failed to fetch acls for {number}\"); rerun with --recover (`Storage::recover`) to replay it \
         without that ACL, as releases before 3.8.4 and 3.9.2 do",
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
    /// There are transaction logs but no snapshot, so that what was before them may be missing.
    #[error(
        "{}: there are transaction logs but no snapshot: part of the data may be missing (snapshot.trust.empty opens them nevertheless)",
        folder.display()
    )]
    NoSnapshot {
        /// The folder of the snapshots.
        folder: PathBuf,
    },
    /// None of the snapshots can be read.
    #[error("{}: none of its {count} snapshots is valid; the newest: {newest}", folder.display())]
    NoValidSnapshot {
        /// The folder of the snapshots.
        folder: PathBuf,
        /// How many there are.
        count: usize,
        /// What is wrong with the newest.
        newest: Box<Self>,
    },
    /// Another process has the folder.
    #[error("{}: another server has this folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder was removed, renamed or replaced while a server used it: its lock or its newest log does not exist
    /// any more, or belongs to another folder.
    #[error(
        "{}: the folder or its newest log was removed, renamed or replaced while the server ran; acknowledged writes \
         may be lost: restore the folder before the next start",
        folder.display()
    )]
    Gone {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is compressed, and this build cannot read or write that.
    #[error("{}: compressed by {method}: that needs minikeeper's feature `compression`", file.display())]
    NoCompression {
        /// The file.
        file: PathBuf,
        /// `gz` or `snappy`.
        method: &'static str,
    },
    /// A state is to be written where there is something already.
    #[error("{}: not empty", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder has a session of a server with id 255. A server with extended types takes the ephemerals of such a
    /// session for znodes with a time to live, or does not start.
    #[error(
        "{}: session {session} belongs to a server with id 255, whose ephemerals cannot be told from TTL znodes: \
         switch extended types off (extendedTypesEnabled=false, --extended-types false, `Config::extended_types`)",
        folder.display()
    )]
    ServerId255 {
        /// The folder of the snapshots.
        folder: PathBuf,
        /// The session.
        session: SessionId,
    },
    /// The files have a znode that no server makes, although their checksums are right.
    #[error(
        "{}: znode {path:?} {reason}: no ZooKeeper server writes that, so the files were changed; restore them",
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
    /// What is to be written cannot be held by files of that release.
    #[error("{}: ZooKeeper {format} cannot hold {what}", folder.display())]
    NotInFormat {
        /// The folder that is to be written.
        folder: PathBuf,
        /// The format asked for.
        format: DataFormat,
        /// What it cannot hold; of several znodes, the first by its path.
        what: String,
    },
    /// There is nothing to be read: the path is most likely another than was meant.
    #[error("{}: {missing}: is this the folder that was meant?", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// What is not there.
        missing: &'static str,
    },
    /// Snapshots lie where only logs belong, or the other way round: `dataDir` and `dataLogDir` were changed or swapped.
    #[error("{}: there are {what} here: check dataDir and dataLogDir", folder.display())]
    Misplaced {
        /// The folder.
        folder: PathBuf,
        /// What lies there.
        what: &'static str,
    },
}

impl StorageError {
    /// What the disk refused, with the file's name.
    pub(crate) fn io(file: &Path, source: io::Error) -> Self {
        Self::Io {
            file: file.to_path_buf(),
            source: Arc::new(source),
        }
    }

    /// Whether a file or folder is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// What cannot be, with its place.
    pub(crate) fn damaged(file: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_path_buf(),
            offset,
            reason: reason.into(),
        }
    }
}

/// Transactions of a gap, in words.
fn missing(first: Zxid, last: Zxid) -> String {
    match first == last {
        true => format!("transaction {first} is missing"),
        false => format!("transactions {first} to {last} are missing"),
    }
}
