//! Tests of the store, and the disk in memory that tests of other layers use too.

mod disk;
mod golden;
mod hostile;
mod power;
mod torn;
mod txn;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;

pub(crate) use disk::{Fault, FaultyDisk, Seeded, Survival};

use super::{
    Compression, Folder, LogReader, LogSettings, LogWriter, OpenOptions, Origin, SnapshotForm,
    StorageError, encode_txn, write_snapshot,
};
use crate::protocol::{
    Acl, DataFormat, Restore, SessionId, SessionRecord, StatPersisted, Timestamp, Txn, TxnRecord,
    Xid, ZnodeRecord, Zxid,
};

/// Znode that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnedZnode {
    path: String,
    data: Option<Vec<u8>>,
    acl: Arc<[Acl]>,
    stat: StatPersisted,
}

impl OwnedZnode {
    fn record(&self) -> ZnodeRecord<'_> {
        ZnodeRecord {
            path: &self.path,
            data: self.data.as_deref(),
            acl: &self.acl,
            stat: self.stat,
        }
    }

    /// `DigestCalculator.calculateDigest`.
    fn digest(&self) -> u64 {
        if self.path.starts_with("/zookeeper/") {
            return 0;
        }
        let stat = &self.stat;
        let mut crc = crc32fast::Hasher::new();
        crc.update(self.path.strip_suffix('/').unwrap_or(&self.path).as_bytes());
        crc.update(self.data.as_deref().unwrap_or_default());
        for long in [
            stat.czxid.0,
            stat.mzxid.0,
            stat.pzxid.0,
            stat.ctime.0,
            stat.mtime.0,
        ] {
            crc.update(&long.to_be_bytes());
        }
        for int in [stat.version, stat.cversion, stat.aversion] {
            crc.update(&int.to_be_bytes());
        }
        crc.update(&stat.ephemeral_owner.to_be_bytes());
        crc.finalize().into()
    }
}

/// Everything that was read from a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Received {
    begun: usize,
    sessions: Vec<SessionRecord>,
    znodes: Vec<OwnedZnode>,
    loaded: Option<Zxid>,
    txns: Vec<Txn<'static>>,
}

impl Received {
    fn digest(&self) -> u64 {
        self.znodes
            .iter()
            .map(OwnedZnode::digest)
            .fold(0, u64::wrapping_add)
    }
}

impl Restore for Received {
    fn begin(&mut self) {
        self.begun += 1;
        self.sessions.clear();
        self.znodes.clear();
    }

    fn session(&mut self, session: SessionRecord) {
        self.sessions.push(session);
    }

    fn znode(&mut self, znode: &ZnodeRecord<'_>) -> Result<(), &'static str> {
        self.znodes.push(OwnedZnode {
            path: znode.path.to_owned(),
            data: znode.data.map(<[u8]>::to_vec),
            acl: Arc::clone(znode.acl),
            stat: znode.stat,
        });
        Ok(())
    }

    fn loaded(&mut self, zxid: Zxid) -> Option<u64> {
        self.loaded = Some(zxid);
        Some(self.digest())
    }

    fn needs_unlisted_acl(&self, _: &Txn<'_>) -> Option<(Box<str>, i64)> {
        None
    }

    fn replay(&mut self, txn: &Txn<'_>) -> Option<u64> {
        self.txns.push(txn.clone().into_owned());
        None
    }
}

fn data_dir() -> PathBuf {
    PathBuf::from("/data")
}

fn log_file(zxid: i64) -> PathBuf {
    data_dir().join(format!("version-2/log.{zxid:x}"))
}

fn snapshot_file(zxid: i64) -> PathBuf {
    data_dir().join(format!("version-2/snapshot.{zxid:x}"))
}

/// Returns a transaction that sets data of so many bytes.
fn set(zxid: i64, length: usize) -> Txn<'static> {
    let data: Vec<u8> = (1..=251_u8).cycle().take(length).collect();
    Txn {
        session: SessionId(0x1000),
        cxid: Xid(7),
        zxid: Zxid(zxid),
        time: Timestamp(1_700_000_000_000),
        record: TxnRecord::SetData {
            path: "/a".into(),
            data: Some(data.into()),
            version: 1,
        },
    }
}

/// Encodes transactions as one batch.
fn batch(txns: &[Txn<'_>]) -> BytesMut {
    let mut out = BytesMut::new();
    for txn in txns {
        encode_txn(DataFormat::V3_9, txn, Some(5), &mut out);
    }
    out
}

fn folder(disk: &FaultyDisk) -> Result<Folder, StorageError> {
    Folder::open_to_write(Arc::new(disk.clone()), &data_dir(), None)
}

/// Reads a folder without changing it.
fn recover(disk: &FaultyDisk, recover: bool) -> Result<(Origin, Received), StorageError> {
    let folder = Folder::open(Arc::new(disk.clone()), &data_dir(), None)?;
    let mut received = Received::default();
    let options = OpenOptions {
        trust_empty: true,
        recover,
        ..OpenOptions::default()
    };
    let recovered = crate::store::recover(&folder, &options, &mut received)?;
    Ok((recovered, received))
}

fn zxids(received: &Received) -> Vec<i64> {
    received.txns.iter().map(|txn| txn.zxid.0).collect()
}

fn read_log(disk: &FaultyDisk, path: &Path) -> Result<Vec<Txn<'static>>, StorageError> {
    let mut reader = LogReader::open(disk, path)?;
    let mut txns = Vec::new();
    while let Some(entry) = reader.next()? {
        txns.push(entry.txn.into_owned());
    }
    Ok(txns)
}

/// Returns a log of our writer in which each transaction is a flushed batch, without the zeros at its end.
fn log_of(txns: &[Txn<'_>]) -> Vec<u8> {
    let disk = FaultyDisk::default();
    let folder = Arc::new(folder(&disk).unwrap());
    let mut writer = LogWriter::new(
        folder,
        LogSettings {
            size_limit: 0,
            pre_alloc_size: 0,
            force_sync: true,
        },
    );
    for txn in txns {
        writer
            .write(txn.zxid, &mut batch(std::slice::from_ref(txn)))
            .unwrap();
        writer.sync().unwrap();
    }
    let mut log = disk.bytes(&log_file(txns[0].zxid.0)).unwrap();
    let last = log.iter().rposition(|byte| *byte != 0);
    log.truncate(last.unwrap() + 1);
    log
}

fn znode(path: &str, data: &[u8]) -> OwnedZnode {
    OwnedZnode {
        path: path.to_owned(),
        data: Some(data.to_vec()),
        acl: crate::protocol::open_acl(),
        stat: StatPersisted {
            czxid: Zxid(1),
            mzxid: Zxid(2),
            pzxid: Zxid(3),
            ctime: Timestamp(4),
            mtime: Timestamp(5),
            version: 6,
            cversion: 7,
            aversion: 8,
            ephemeral_owner: 0,
        },
    }
}

fn put_snapshot(
    folder: &Folder,
    zxid: i64,
    compression: Compression,
    received: &Received,
) -> Result<PathBuf, StorageError> {
    let form = SnapshotForm {
        format: DataFormat::V3_9,
        compression,
        synced: true,
        last_zxid: true,
    };
    write_snapshot(
        folder,
        form,
        Zxid(zxid),
        Some(received.digest()),
        received.sessions.iter().copied(),
        received.znodes.iter().map(OwnedZnode::record),
    )
}
