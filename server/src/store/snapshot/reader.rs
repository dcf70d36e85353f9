//! Reading a snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::input::Input;
use super::{MAGIC, SEAL, unlisted_number_mapped};
use crate::jute::{Malformed, Reader};
use crate::protocol::{
    Acl, DataFormat, Owner, Restore, SessionId, SessionRecord, StatPersisted, Timestamp,
    ZnodeRecord, Zxid, open_acl, unlisted_acl,
};
use crate::store::txn::read_acl;
use crate::store::{Compression, Disk, StorageError};

/// End of a snapshot, and what is known about the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEnd {
    /// Digest of the tree after a transaction, if the file has one.
    pub(crate) digest: Option<SnapshotDigest>,
    /// Last transaction in the snapshot, if the file says so (3.9). A real server goes by the name of the file even
    /// then.
    pub(crate) last_zxid: Option<Zxid>,
    /// Compression of the file.
    pub(crate) compression: Compression,
    /// Oldest release that can have written the file.
    pub(crate) least: DataFormat,
    pub(crate) sessions: u64,
    pub(crate) znodes: u64,
}

/// Digest of the tree after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotDigest {
    pub(crate) zxid: Zxid,
    pub(crate) version: i32,
    pub(crate) digest: u64,
}

/// Reads a snapshot, and checks its seals. Passes sessions and znodes on while it reads; if the result is an error,
/// they are worthless. Does not call [`Restore::loaded`], for which the caller knows the zxid.
///
/// # Errors
///
/// [`StorageError::Io`], [`StorageError::Damaged`], [`StorageError::NoCompression`].
pub(crate) fn read_snapshot(
    disk: &dyn Disk,
    path: &Path,
    restore: &mut dyn Restore,
) -> Result<SnapshotEnd, StorageError> {
    let mut input = Input::open(disk, path)?;
    restore.begin();
    check_magic(&mut input)?;
    // A real server checks neither the version nor the number: `FileSnap.deserialize`.
    input.record(|reader| Ok((reader.int()?, reader.long()?)))?;
    let sessions = read_sessions(&mut input, restore)?;
    let mut acls = read_acls(&mut input)?;
    let mut least = DataFormat::V3_4;
    let mut znodes = 0_u64;
    while read_znode(&mut input, &mut acls, &mut least, restore)? {
        znodes = znodes.saturating_add(1);
    }
    check_seal(&mut input)?;
    let (digest, last_zxid) = read_end(&mut input, &mut least)?;
    Ok(SnapshotEnd {
        digest,
        last_zxid,
        compression: input.compression(),
        least,
        sessions,
        znodes,
    })
}

fn check_magic(input: &mut Input) -> Result<(), StorageError> {
    let reason = match input.remaining(4)? {
        0 => "not a snapshot: the file is empty",
        4 if input.record(|reader| reader.int())? == MAGIC => return Ok(()),
        _ => "not a snapshot: it does not begin with ZKSN",
    };
    Err(input.damaged_at(0, reason))
}

fn read_sessions(input: &mut Input, restore: &mut dyn Restore) -> Result<u64, StorageError> {
    let count = input.record(|reader| reader.int())?;
    let mut read = 0_u64;
    // A negative count means none: `SerializeUtils.deserializeSnapshot`.
    for _ in 0..count {
        let session = input.record(|reader| {
            Ok(SessionRecord {
                id: SessionId(reader.long()?),
                timeout_ms: reader.int()?,
            })
        })?;
        restore.session(session);
        read = read.saturating_add(1);
    }
    Ok(read)
}

/// ACLs of a snapshot by their numbers, and the last one that was looked up.
struct Acls {
    by_number: BTreeMap<i64, Arc<[Acl]>>,
    last: (i64, Arc<[Acl]>),
}

/// Number of the open ACL, which is never listed: `ReferenceCountedACLCache.OPEN_UNSAFE_ACL_ID`.
const OPEN: i64 = -1;

impl Acls {
    /// ACL of a number, or the placeholder if the number is not listed. A real server writes the list before the
    /// znodes while writes go on (`DataTree.serialize`), so a znode may refer to a later ACL, which the log supplies.
    #[inline]
    fn find(&mut self, number: i64) -> &Arc<[Acl]> {
        if self.last.0 != number {
            let acl = match number {
                OPEN => open_acl(),
                _ => {
                    let listed = self.by_number.entry(number);
                    let given = if number < OPEN {
                        unlisted_number_mapped(number)
                    } else {
                        number
                    };
                    Arc::clone(listed.or_insert_with(|| unlisted_acl(given)))
                }
            };
            self.last = (number, acl);
        }
        &self.last.1
    }
}

fn read_acls(input: &mut Input) -> Result<Acls, StorageError> {
    let count = input.record(|reader| reader.int())?;
    let mut by_number = BTreeMap::new();
    for _ in 0..count {
        let (number, acl) = input.record(|reader| Ok((reader.long()?, read_acl(reader)?)))?;
        by_number.insert(number, acl);
    }
    Ok(Acls {
        by_number,
        last: (OPEN, open_acl()),
    })
}

/// Reads a znode and passes it on. Returns false at the end mark.
fn read_znode(
    input: &mut Input,
    acls: &mut Acls,
    least: &mut DataFormat,
    restore: &mut dyn Restore,
) -> Result<bool, StorageError> {
    let taken = input.record(|reader| {
        let Some(path) = reader.stored_ustring()? else {
            return Err(reader.malformed("a path"));
        };
        if path == "/" {
            return Ok(Ok(false));
        }
        let data = reader.buffer()?;
        let acl = reader.long()?;
        let stat = read_stat(reader)?;
        let acl = acls.find(acl);
        if let Owner::Container | Owner::Ttl { .. } = Owner::of(stat.ephemeral_owner, true) {
            *least = (*least).max(DataFormat::V3_5);
        }
        let path = match &*path {
            "" => "/",
            "/zookeeper/config" => {
                *least = (*least).max(DataFormat::V3_5);
                "/zookeeper/config"
            }
            path => path,
        };
        let znode = ZnodeRecord {
            path,
            data,
            acl,
            stat,
        };
        Ok(restore.znode(&znode).map(|()| true))
    })?;
    taken.map_err(|reason| input.damaged(reason))
}

#[inline]
fn read_stat(reader: &mut Reader<'_>) -> Result<StatPersisted, Malformed> {
    Ok(StatPersisted {
        czxid: Zxid(reader.long()?),
        mzxid: Zxid(reader.long()?),
        ctime: Timestamp(reader.long()?),
        mtime: Timestamp(reader.long()?),
        version: reader.int()?,
        cversion: reader.int()?,
        aversion: reader.int()?,
        ephemeral_owner: reader.long()?,
        pzxid: Zxid(reader.long()?),
    })
}

/// Compares a seal with the bytes before it: `SnapStream.checkSealIntegrity`.
fn check_seal(input: &mut Input) -> Result<(), StorageError> {
    let checksum = i64::from(input.checksum());
    let sealed = input.record(|reader| {
        let sealed = reader.long()?;
        match reader.stored_ustring()? {
            Some(mark) if mark == "/" => Ok(sealed),
            _ => Err(reader.malformed("the end of a seal")),
        }
    })?;
    if sealed == checksum {
        Ok(())
    } else {
        Err(input.damaged("the checksum does not match"))
    }
}

/// Reads the parts that may follow the first seal: a digest (3.6) and the last zxid (3.9), each with its own seal.
fn read_end(
    input: &mut Input,
    least: &mut DataFormat,
) -> Result<(Option<SnapshotDigest>, Option<Zxid>), StorageError> {
    const LAST_ZXID: usize = 8 + SEAL;
    const DIGEST: usize = 20 + SEAL;
    let mut digest = None;
    // With digests switched off, there is a last zxid without a digest.
    if input.remaining(DIGEST)? > LAST_ZXID {
        let read = input.record(|reader| {
            let zxid = Zxid(reader.long()?);
            let version = reader.int()?;
            // The oldest digests were texts: `DataTree.ZxidDigest.deserialize`.
            let digest = if version < 2 {
                let text = reader.stored_ustring()?.unwrap_or_default();
                u64::from_str_radix(&text, 16).unwrap_or_default()
            } else {
                reader.long()?.cast_unsigned()
            };
            Ok(SnapshotDigest {
                zxid,
                version,
                digest,
            })
        })?;
        check_seal(input)?;
        *least = (*least).max(DataFormat::V3_6);
        digest = (read.zxid.0 > 0).then_some(read);
    }
    let mut last_zxid = None;
    if input.remaining(1)? > 0 {
        last_zxid = Some(Zxid(input.record(|reader| reader.long())?));
        check_seal(input)?;
        *least = DataFormat::V3_9;
    }
    Ok((digest, last_zxid))
}
