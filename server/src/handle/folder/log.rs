//! Transactions of the logs in a folder.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::control::Data;
use crate::handle::ZnodeKind;
use crate::protocol::{Acl, CreatedKind, ErrorCode, SessionId, Timestamp, TxnRecord, Zxid};
use crate::store::{
    Disk as _, FileKind, FileName, LogEntry, LogReader, RealDisk, StorageError, version_folder,
};

/// Iterator over the transactions of one log file, or of all logs of a folder in order. The disk is not changed, and a
/// server may use the folder meanwhile.
///
/// After damage the iterator continues with the next log. A torn end is an error too, except in the newest log: there a
/// crash leaves one, so the iterator skips it, and [`torn`](Self::torn) returns it.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("minikeeper-log-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// let server = minikeeper::Server::builder().data_dir(&folder).start()?;
/// server.create("/config", b"v1")?;
/// let log = minikeeper::folder::Log::open(&folder)?;
/// let last = log.last().expect("there was a transaction")?;
/// assert_eq!(last.change.to_string(), r#"create /config "v1""#);
/// # drop(server);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Log {
    /// Files after the one that is being read.
    files: VecDeque<PathBuf>,
    reading: Option<(PathBuf, LogReader)>,
    torn: Option<StorageError>,
}

/// Transaction of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// File of the log.
    pub file: PathBuf,
    /// Offset of the entry in the file, in bytes.
    pub offset: u64,
    /// Session of the request; 0 for the server itself.
    pub session: SessionId,
    /// Number that the client gave to the request.
    pub cxid: i32,
    /// Id of the transaction.
    pub zxid: Zxid,
    /// Time of the transaction.
    pub time: Timestamp,
    /// Change of the transaction.
    pub change: Change,
    /// Digest of the tree after the transaction, if the file has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
}

/// Change that a transaction made. In text and JSON it has the name that ZooKeeper uses; see [`name`](Self::name).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
#[non_exhaustive]
pub enum Change {
    /// A session was created.
    CreateSession {
        /// Timeout of the session, in milliseconds.
        timeout_ms: i32,
    },
    /// A session was closed or has expired.
    CloseSession {
        /// Ephemeral znodes that were deleted with the session. A log of ZooKeeper 3.5 or earlier does not have them.
        deleted: Vec<String>,
    },
    /// A write was refused.
    Error {
        /// Error code of the reply.
        error: ErrorCode,
    },
    /// A znode was deleted.
    Delete {
        /// Path of the znode.
        path: String,
    },
    /// The server removed a container or a znode with a time to live.
    DeleteContainer {
        /// Path of the znode.
        path: String,
    },
    /// The data of a znode were set.
    SetData {
        /// Path of the znode.
        path: String,
        /// New data of the znode; `None` is null.
        data: Option<Data<'static>>,
        /// New version of the znode.
        version: i32,
    },
    /// The ACL of a znode was set.
    #[serde(rename = "setACL")]
    SetAcl {
        /// Path of the znode.
        path: String,
        /// New ACL of the znode.
        acl: Vec<Acl>,
        /// New `aversion` of the znode.
        aversion: i32,
    },
    /// A version was checked, in a multi.
    Check {
        /// Path of the znode.
        path: String,
        /// Version that the znode would have after a write.
        version: i32,
    },
    /// Several changes of one multi. If one is an [`Error`](Self::Error), none took effect.
    Multi {
        /// Change of each operation.
        changes: Vec<Self>,
    },
    /// A znode was created. As data its type is `create`, `createContainer` or `createTTL`.
    #[serde(untagged)]
    Create {
        /// Lifetime of the znode.
        #[serde(flatten, with = "create_type")]
        kind: ZnodeKind,
        /// Path of the znode, sequence number included.
        path: String,
        /// Data of the znode; `None` is null.
        data: Option<Data<'static>>,
        /// ACL of the znode.
        acl: Vec<Acl>,
        /// Number of children ever created in the parent, this one included.
        parent_cversion: i32,
    },
}

/// The lifetime of a created znode as ZooKeeper's log has it: three types of record.
mod create_type {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ZnodeKind;

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum CreateType {
        #[serde(rename = "create")]
        Create { ephemeral: bool },
        #[serde(rename = "createContainer")]
        Container,
        #[serde(rename = "createTTL")]
        Ttl { ttl_ms: u64 },
    }

    pub(super) fn serialize<S: Serializer>(kind: &ZnodeKind, to: S) -> Result<S::Ok, S::Error> {
        let create = match kind {
            ZnodeKind::Persistent => CreateType::Create { ephemeral: false },
            ZnodeKind::Ephemeral => CreateType::Create { ephemeral: true },
            ZnodeKind::Container => CreateType::Container,
            ZnodeKind::Ttl(ttl) => CreateType::Ttl {
                ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            },
        };
        create.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ZnodeKind, D::Error> {
        Ok(match CreateType::deserialize(from)? {
            CreateType::Create { ephemeral: false } => ZnodeKind::Persistent,
            CreateType::Create { ephemeral: true } => ZnodeKind::Ephemeral,
            CreateType::Container => ZnodeKind::Container,
            CreateType::Ttl { ttl_ms } => ZnodeKind::Ttl(Duration::from_millis(ttl_ms)),
        })
    }
}

impl Log {
    /// Opens one log file, or all logs of a folder: `dataDir`, `dataLogDir` or the `version-2` in it.
    ///
    /// # Errors
    ///
    /// If there is no such file or folder, the folder has no logs, or the disk refuses a read. Damage is returned by
    /// the iterator.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let path = path.as_ref();
        let on = |error| StorageError::io(path, error);
        let files = match logs_in(&version_folder(path)) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                VecDeque::from([path.to_path_buf()])
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let files = logs_in(path).map_err(on)?;
                if files.is_empty() {
                    return Err(StorageError::Empty {
                        folder: path.to_path_buf(),
                        missing: "there is neither a version-2 nor a log here",
                    });
                }
                files
            }
            Err(error) => return Err(on(error)),
        };
        Ok(Self {
            files,
            reading: None,
            torn: None,
        })
    }

    /// Returns the torn end of the newest log, which a crash can leave. A server ignores a torn end when it starts. It
    /// is known once all transactions are read.
    ///
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("minikeeper-torn-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// # minikeeper::Server::builder().data_dir(&folder).start()?.create("/config", b"v1")?;
    /// let mut log = minikeeper::folder::Log::open(&folder)?;
    /// for transaction in &mut log {
    ///     println!("{}", transaction?);
    /// }
    /// assert!(log.torn().is_none());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn torn(&self) -> Option<&StorageError> {
        self.torn.as_ref()
    }
}

/// Returns the logs in a folder, by the ids of their first transactions.
fn logs_in(folder: &Path) -> io::Result<VecDeque<PathBuf>> {
    let mut logs: Vec<(Zxid, String)> = RealDisk
        .list(folder)?
        .into_iter()
        .filter_map(|name| {
            let FileName { zxid, .. } =
                FileName::of(&name).filter(|name| name.kind == FileKind::Log)?;
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
            let Some((file, reader)) = &mut self.reading else {
                let file = self.files.pop_front()?;
                match LogReader::open(&RealDisk, &file) {
                    Ok(reader) => self.reading = Some((file, reader)),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            match reader.next() {
                Ok(Some(entry)) => return Some(Ok(Transaction::of(file, &entry))),
                Ok(None) => {
                    let torn = reader.torn();
                    self.reading = None;
                    if self.files.is_empty() {
                        self.torn = torn;
                    } else if let Some(error) = torn {
                        return Some(Err(error));
                    }
                }
                Err(error) => {
                    self.reading = None;
                    return Some(Err(error));
                }
            }
        }
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
            change: Change::of(&txn.record),
            digest: entry.digest.map(|digest| digest.digest),
        }
    }

    /// Returns the paths of the transaction, including those of the operations of a multi.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        self.change.add_paths(&mut paths);
        paths
    }
}

/// Prints one line: zxid, session, cxid and change.
impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} session {} cxid {}: {}",
            self.zxid, self.session, self.cxid, self.change
        )
    }
}

impl Change {
    /// Returns the name of the change in ZooKeeper: `create`, `createContainer`, `createTTL`, `delete`,
    /// `deleteContainer`, `setData`, `setACL`, `check`, `multi`, `createSession`, `closeSession`, `error`.
    ///
    /// ```
    /// let change = minikeeper::folder::Change::Delete { path: "/a".to_owned() };
    /// assert_eq!(change.name(), "delete");
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateSession { .. } => "createSession",
            Self::CloseSession { .. } => "closeSession",
            Self::Error { .. } => "error",
            Self::Create { kind, .. } => match kind {
                ZnodeKind::Persistent | ZnodeKind::Ephemeral => "create",
                ZnodeKind::Container => "createContainer",
                ZnodeKind::Ttl(_) => "createTTL",
            },
            Self::Delete { .. } => "delete",
            Self::DeleteContainer { .. } => "deleteContainer",
            Self::SetData { .. } => "setData",
            Self::SetAcl { .. } => "setACL",
            Self::Check { .. } => "check",
            Self::Multi { .. } => "multi",
        }
    }

    fn of(record: &TxnRecord<'_>) -> Self {
        let data = |data: &Option<std::borrow::Cow<'_, [u8]>>| {
            let data = data.as_deref();
            data.map(|data| Data::of(data).into_owned())
        };
        match record {
            TxnRecord::CreateSession { timeout_ms } => Self::CreateSession {
                timeout_ms: *timeout_ms,
            },
            TxnRecord::CloseSession { paths } => Self::CloseSession {
                deleted: paths.iter().map(|path| path.clone().into_owned()).collect(),
            },
            TxnRecord::Error { code } => Self::Error { error: *code },
            TxnRecord::Create(create) => Self::Create {
                kind: match create.kind {
                    CreatedKind::Persistent => ZnodeKind::Persistent,
                    CreatedKind::Ephemeral => ZnodeKind::Ephemeral,
                    CreatedKind::Container => ZnodeKind::Container,
                    CreatedKind::Ttl { ms } => {
                        ZnodeKind::Ttl(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
                    }
                },
                path: create.path.clone().into_owned(),
                data: data(&create.data),
                acl: create.acl.to_vec(),
                parent_cversion: create.parent_cversion,
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
                aversion: *version,
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

/// Prints the name, the path and the most important fields.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |f: &mut fmt::Formatter<'_>, data: &Option<Data>| match data {
            Some(data) => write!(f, " {data}"),
            None => f.write_str(" null"),
        };
        f.write_str(self.name())?;
        match self {
            Self::CreateSession { timeout_ms } => write!(f, " timeout {timeout_ms} ms"),
            Self::CloseSession { deleted } if deleted.is_empty() => Ok(()),
            Self::CloseSession { deleted } => write!(f, " deletes {}", deleted.join(" ")),
            Self::Error { error } => write!(f, " {} {}", error.number(), error.name()),
            Self::Create {
                kind, path, data, ..
            } => {
                write!(f, " {path}")?;
                shown(f, data)?;
                match kind {
                    ZnodeKind::Persistent | ZnodeKind::Container => Ok(()),
                    ZnodeKind::Ephemeral => f.write_str(" ephemeral"),
                    ZnodeKind::Ttl(ttl) => write!(f, " ttl {} ms", ttl.as_millis()),
                }
            }
            Self::Delete { path } | Self::DeleteContainer { path } => write!(f, " {path}"),
            Self::SetData {
                path,
                data,
                version,
            } => {
                write!(f, " {path}")?;
                shown(f, data)?;
                write!(f, " version {version}")
            }
            Self::SetAcl {
                path,
                acl,
                aversion,
            } => {
                let entries: Vec<String> = acl.iter().map(Acl::to_string).collect();
                write!(f, " {path} aversion {aversion} acl {}", entries.join(","))
            }
            Self::Check { path, version } => write!(f, " {path} version {version}"),
            Self::Multi { changes } => {
                let changes: Vec<String> = changes.iter().map(Self::to_string).collect();
                write!(f, " [{}]", changes.join("; "))
            }
        }
    }
}
