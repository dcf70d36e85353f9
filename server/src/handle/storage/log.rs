//! What the logs of a folder hold, for whoever looks into them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::handle::Data;
use crate::protocol::{Acl, ErrorCode, SessionId, Timestamp, TxnRecord, Zxid};
use crate::store::{Disk as _, LogEntry, LogReader, RealDisk, StorageError};

/// The transactions of one log file, or of all logs of a folder, in their order. Nothing on the disk is changed, and a server
/// may have the folder meanwhile.
///
/// After damage there is nothing more.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("minikeeper-log-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// let server = minikeeper::Server::builder().data_dir(&folder).start()?;
/// server.create("/config", b"v1")?;
/// let log = minikeeper::Log::open(&folder)?;
/// let last = log.last().expect("there was a transaction")?;
/// assert_eq!(last.what.to_string(), r#"create /config "v1""#);
/// # drop(server);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Log {
    /// Those that come after the one that is read.
    files: VecDeque<PathBuf>,
    reading: Option<(PathBuf, LogReader)>,
}

/// One transaction, as a log holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// The file.
    pub file: PathBuf,
    /// Where its entry begins there, in bytes.
    pub offset: u64,
    /// The session that asked; 0 for the server itself.
    pub session: SessionId,
    /// The number that the client gave to the request.
    pub cxid: i32,
    /// Its own number.
    pub zxid: Zxid,
    /// When it was made.
    pub time: Timestamp,
    /// What it changed.
    pub what: Change,
    /// The digest of the tree after it, where the file holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
}

/// What a transaction changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
#[non_exhaustive]
pub enum Change {
    /// A session began.
    CreateSession {
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session ended.
    CloseSession {
        /// The ephemeral znodes that went with it; a log of ZooKeeper 3.5 and before does not say.
        deleted: Vec<String>,
    },
    /// A write was refused.
    Error {
        /// Why.
        error: ErrorCode,
    },
    /// A znode was created.
    Create {
        /// Its path, sequence number included.
        path: String,
        /// Its data; `None` is null.
        data: Option<Data>,
        /// Its ACL.
        acl: Vec<Acl>,
        /// Whether it goes with the session.
        ephemeral: bool,
        /// How many children its parent has had, this one included.
        parent_cversion: i32,
    },
    /// A container was created.
    CreateContainer {
        /// Its path, sequence number included.
        path: String,
        /// Its data; `None` is null.
        data: Option<Data>,
        /// Its ACL.
        acl: Vec<Acl>,
        /// How many children its parent has had, this one included.
        parent_cversion: i32,
    },
    /// A znode with a time to live was created.
    CreateTtl {
        /// Its path, sequence number included.
        path: String,
        /// Its data; `None` is null.
        data: Option<Data>,
        /// Its ACL.
        acl: Vec<Acl>,
        /// How many children its parent has had, this one included.
        parent_cversion: i32,
        /// Its time to live in milliseconds.
        ttl_ms: i64,
    },
    /// A znode was deleted.
    Delete {
        /// Its path.
        path: String,
    },
    /// The server removed a container or a znode with a time to live.
    DeleteContainer {
        /// Its path.
        path: String,
    },
    /// Data were set.
    SetData {
        /// The znode.
        path: String,
        /// Its new data; `None` is null.
        data: Option<Data>,
        /// Its new version.
        version: i32,
    },
    /// An ACL was set.
    SetAcl {
        /// The znode.
        path: String,
        /// Its new ACL.
        acl: Vec<Acl>,
        /// Its new `aversion`.
        version: i32,
    },
    /// A version was checked, within a multi.
    Check {
        /// The znode.
        path: String,
        /// The version it would have after a write.
        version: i32,
    },
    /// Several at once. If one is an [`Error`](Self::Error), none took place.
    Multi {
        /// One for each operation.
        changes: Vec<Self>,
    },
}

impl Log {
    /// Opens one log file, or all logs of a folder: `dataDir`, `dataLogDir` or the `version-2` in it.
    ///
    /// # Errors
    ///
    /// When there is no such file or folder, or the disk refuses. What is damaged is told by the iterator.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let path = path.as_ref();
        let folder = path.join("version-2");
        let files = match logs_in(&folder).or_else(|_| logs_in(path)) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                VecDeque::from([path.to_path_buf()])
            }
            Err(error) => return Err(StorageError::io(path, error)),
        };
        Ok(Self {
            files,
            reading: None,
        })
    }
}

/// The logs in a folder, in the order of their first transactions.
fn logs_in(folder: &Path) -> io::Result<VecDeque<PathBuf>> {
    let mut logs: Vec<(i64, String)> = RealDisk
        .list(folder)?
        .into_iter()
        .filter_map(|name| {
            let zxid = i64::from_str_radix(name.strip_prefix("log.")?, 16).ok()?;
            Some((zxid, name))
        })
        .collect();
    logs.sort_unstable();
    Ok(logs
        .into_iter()
        .map(|(_, name)| folder.join(name))
        .collect())
}

impl Iterator for Log {
    type Item = Result<Transaction, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.reading.is_none() {
                let file = self.files.pop_front()?;
                match LogReader::open(&RealDisk, &file) {
                    Ok(reader) => self.reading = Some((file, reader)),
                    Err(error) => return Some(Err(self.end(error))),
                }
            }
            let (file, reader) = self.reading.as_mut()?;
            match reader.next() {
                Ok(Some(entry)) => return Some(Ok(Transaction::of(file, &entry))),
                Ok(None) => self.reading = None,
                Err(error) => return Some(Err(self.end(error))),
            }
        }
    }
}

impl Log {
    /// Nothing comes after this.
    fn end(&mut self, error: StorageError) -> StorageError {
        self.files.clear();
        self.reading = None;
        error
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Transaction {
    fn of(file: &Path, entry: &LogEntry<'_>) -> Self {
        let txn = &entry.txn;
        Self {
            file: file.to_owned(),
            offset: entry.offset,
            session: txn.session,
            cxid: txn.cxid.0,
            zxid: txn.zxid,
            time: txn.time,
            what: Change::of(&txn.record),
            digest: entry.digest.map(|digest| digest.digest),
        }
    }

    /// Every path that it names, those of the operations of a multi included.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        self.what.add_paths(&mut paths);
        paths
    }
}

/// A line, as for people: who, which number, what.
impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} session {} cxid {}: {}",
            self.zxid, self.session, self.cxid, self.what
        )
    }
}

impl Change {
    fn of(record: &TxnRecord<'_>) -> Self {
        let data = |data: &Option<std::borrow::Cow<'_, [u8]>>| data.as_deref().map(Data::of);
        match record {
            TxnRecord::CreateSession { timeout_ms } => Self::CreateSession {
                timeout_ms: *timeout_ms,
            },
            TxnRecord::CloseSession { paths } => Self::CloseSession {
                deleted: paths.iter().map(|path| path.clone().into_owned()).collect(),
            },
            TxnRecord::Error { code } => Self::Error { error: *code },
            TxnRecord::Create {
                path,
                data: bytes,
                acl,
                ephemeral,
                parent_cversion,
            } => Self::Create {
                path: path.clone().into_owned(),
                data: data(bytes),
                acl: acl.to_vec(),
                ephemeral: *ephemeral,
                parent_cversion: *parent_cversion,
            },
            TxnRecord::CreateContainer {
                path,
                data: bytes,
                acl,
                parent_cversion,
            } => Self::CreateContainer {
                path: path.clone().into_owned(),
                data: data(bytes),
                acl: acl.to_vec(),
                parent_cversion: *parent_cversion,
            },
            TxnRecord::CreateTtl {
                path,
                data: bytes,
                acl,
                parent_cversion,
                ttl_ms,
            } => Self::CreateTtl {
                path: path.clone().into_owned(),
                data: data(bytes),
                acl: acl.to_vec(),
                parent_cversion: *parent_cversion,
                ttl_ms: *ttl_ms,
            },
            TxnRecord::Delete { path } => Self::Delete {
                path: path.clone().into_owned(),
            },
            TxnRecord::DeleteContainer { path } => Self::DeleteContainer {
                path: path.clone().into_owned(),
            },
            TxnRecord::SetData {
                path,
                data: bytes,
                version,
            } => Self::SetData {
                path: path.clone().into_owned(),
                data: data(bytes),
                version: *version,
            },
            TxnRecord::SetAcl { path, acl, version } => Self::SetAcl {
                path: path.clone().into_owned(),
                acl: acl.to_vec(),
                version: *version,
            },
            TxnRecord::Check { path, version } => Self::Check {
                path: path.clone().into_owned(),
                version: *version,
            },
            TxnRecord::Multi(records) => Self::Multi {
                changes: records.iter().map(Self::of).collect(),
            },
        }
    }

    fn add_paths<'a>(&'a self, paths: &mut Vec<&'a str>) {
        match self {
            Self::CreateSession { .. } | Self::Error { .. } => {}
            Self::CloseSession { deleted } => paths.extend(deleted.iter().map(String::as_str)),
            Self::Create { path, .. }
            | Self::CreateContainer { path, .. }
            | Self::CreateTtl { path, .. }
            | Self::Delete { path }
            | Self::DeleteContainer { path }
            | Self::SetData { path, .. }
            | Self::SetAcl { path, .. }
            | Self::Check { path, .. } => paths.push(path),
            Self::Multi { changes } => {
                for change in changes {
                    change.add_paths(paths);
                }
            }
        }
    }
}

/// As `zkCli` would have it, or nearly.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |f: &mut fmt::Formatter<'_>, data: &Option<Data>| match data {
            Some(data) => write!(f, " {data}"),
            None => f.write_str(" null"),
        };
        match self {
            Self::CreateSession { timeout_ms } => write!(f, "createSession {timeout_ms} ms"),
            Self::CloseSession { deleted } => {
                f.write_str("closeSession")?;
                deleted.iter().try_for_each(|path| write!(f, " {path}"))
            }
            Self::Error { error } => write!(f, "refused: {error}"),
            Self::Create {
                path,
                data,
                ephemeral,
                ..
            } => {
                let flag = if *ephemeral { " -e" } else { "" };
                write!(f, "create{flag} {path}")?;
                shown(f, data)
            }
            Self::CreateContainer { path, data, .. } => {
                write!(f, "create -c {path}")?;
                shown(f, data)
            }
            Self::CreateTtl {
                path, data, ttl_ms, ..
            } => {
                write!(f, "create -t {ttl_ms} {path}")?;
                shown(f, data)
            }
            Self::Delete { path } => write!(f, "delete {path}"),
            Self::DeleteContainer { path } => write!(f, "deleteContainer {path}"),
            Self::SetData {
                path,
                data,
                version,
            } => {
                write!(f, "set {path}")?;
                shown(f, data)?;
                write!(f, " version {version}")
            }
            Self::SetAcl { path, acl, version } => {
                write!(f, "setAcl {path} ")?;
                for (index, entry) in acl.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{entry}")?;
                }
                write!(f, " version {version}")
            }
            Self::Check { path, version } => write!(f, "check {path} version {version}"),
            Self::Multi { changes } => {
                f.write_str("multi [")?;
                for (index, change) in changes.iter().enumerate() {
                    let comma = if index > 0 { "; " } else { "" };
                    write!(f, "{comma}{change}")?;
                }
                f.write_str("]")
            }
        }
    }
}
