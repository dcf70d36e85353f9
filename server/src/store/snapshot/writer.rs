//! Writing a snapshot.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use simd_adler32::Adler32;

use super::{DATABASE, MAGIC, VERSION, unlisted_number_mapped};
use crate::jute::Writer;
use crate::protocol::{
    Acl, DataFormat, SessionRecord, ZnodeRecord, Zxid, open_acl, unlisted_number,
};
use crate::store::compression::{Compressor, compressor};
use crate::store::folder::FileKind;
use crate::store::txn::{DIGEST_VERSION, write_acl};
use crate::store::{Compression, DiskFile, Folder, StorageError};

/// Form in which a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotForm {
    pub(crate) format: DataFormat,
    pub(crate) compression: Compression,
    /// Whether the file is durable as soon as it has its name.
    pub(crate) synced: bool,
    /// Whether the file ends with the zxid of the last transaction, if the format has a place for it.
    pub(crate) last_zxid: bool,
}

impl SnapshotForm {
    /// Checks that this build can write the form and that the release can read it, before anything is created in the
    /// folder.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoCompression`], [`StorageError::NotInFormat`].
    pub(crate) fn check(self, folder: &Path) -> Result<(), StorageError> {
        if self.compression == Compression::None {
            return Ok(());
        }
        // `SnapStream` came with 3.6.
        if self.format < DataFormat::V3_6 {
            return Err(StorageError::NotInFormat {
                folder: folder.to_path_buf(),
                format: self.format,
                what: "compressed snapshots".to_owned(),
            });
        }
        self.compression.check(folder)
    }
}

/// Writes the snapshot of the state after a transaction. Returns its path. The file has a temporary name until it is
/// complete. The digest is written if the format has a place for it.
///
/// # Errors
///
/// [`StorageError::Io`], [`StorageError::Gone`], [`StorageError::NoCompression`], [`StorageError::NotInFormat`]. An
/// incomplete file is removed, if the disk allows.
pub(crate) fn write_snapshot<'a>(
    folder: &Folder,
    form: SnapshotForm,
    zxid: Zxid,
    digest: Option<u64>,
    sessions: impl Iterator<Item = SessionRecord>,
    znodes: impl Iterator<Item = ZnodeRecord<'a>> + Clone,
) -> Result<PathBuf, StorageError> {
    form.check(folder.snapshots())?;
    folder.check_in_place()?;
    let name = FileKind::Snapshot.name(zxid) + form.compression.extension();
    let path = folder.snapshots().join(&name);
    let temporary = folder.snapshots().join(format!("tmp-{name}"));
    let disk = folder.disk();
    let file = disk
        .create(&temporary)
        .map_err(|error| StorageError::io(&temporary, error))?;
    let written = write(&*file, &temporary, form, zxid, digest, sessions, znodes).and_then(|()| {
        disk.rename(&temporary, &path)
            .map_err(|error| StorageError::io(&path, error))?;
        if form.synced {
            disk.sync_folder(folder.snapshots())
                .map_err(|error| StorageError::io(folder.snapshots(), error))?;
        }
        Ok(())
    });
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            // The first error is the one that matters.
            let _ = disk.remove(&temporary);
            Err(error)
        }
    }
}

fn write<'a>(
    file: &dyn DiskFile,
    path: &Path,
    form: SnapshotForm,
    zxid: Zxid,
    digest: Option<u64>,
    sessions: impl Iterator<Item = SessionRecord>,
    znodes: impl Iterator<Item = ZnodeRecord<'a>> + Clone,
) -> Result<(), StorageError> {
    let on_disk = OnDisk {
        file,
        at: 0,
        synced: form.synced.then_some(0),
    };
    let mut out = Output {
        compressor: compressor(on_disk, form.compression, path)?,
        bytes: BytesMut::with_capacity(CHUNK.saturating_mul(2)),
        checksum: Adler32::new(),
    };
    let write = || {
        out.bytes.write_int(MAGIC);
        out.bytes.write_int(VERSION);
        out.bytes.write_long(DATABASE);
        let sessions: Vec<SessionRecord> = sessions.collect();
        out.bytes.write_length(sessions.len());
        for session in &sessions {
            out.bytes.write_long(session.id.0);
            out.bytes.write_int(session.timeout_ms);
            out.make_room()?;
        }
        let mut acls = Acls::of(znodes.clone());
        acls.write(&mut out)?;
        for znode in znodes {
            write_znode(&znode, acls.number(znode.acl), &mut out.bytes);
            out.make_room()?;
        }
        out.bytes.write_ustring("/");
        out.seal()?;
        if form.format >= DataFormat::V3_6 {
            // Zeros if there is none, as in `DataTree.serializeZxidDigest`: 3.9 would take the next field for a digest.
            let (of, digest) = digest.map_or((0, 0), |digest| (zxid.0, digest));
            out.bytes.write_long(of);
            out.bytes.write_int(DIGEST_VERSION);
            out.bytes.write_long(digest.cast_signed());
            out.seal()?;
        }
        if form.format >= DataFormat::V3_9 && form.last_zxid {
            out.bytes.write_long(zxid.0);
            out.seal()?;
        }
        out.compressor.end()?;
        if form.synced {
            file.sync_data()?;
        }
        Ok(())
    };
    write().map_err(|error| StorageError::io(path, error))
}

fn write_znode(znode: &ZnodeRecord<'_>, acl: i64, out: &mut BytesMut) {
    let stat = &znode.stat;
    out.write_ustring(match znode.path {
        "/" => "",
        path => path,
    });
    out.write_buffer(znode.data);
    out.write_long(acl);
    out.write_long(stat.czxid.0);
    out.write_long(stat.mzxid.0);
    out.write_long(stat.ctime.0);
    out.write_long(stat.mtime.0);
    out.write_int(stat.version);
    out.write_int(stat.cversion);
    out.write_int(stat.aversion);
    out.write_long(stat.ephemeral_owner);
    out.write_long(stat.pzxid.0);
}

/// ACLs of a snapshot, numbered in the order of their first znodes.
struct Acls {
    /// Numbers by the address of the list in memory, since equal lists are mostly shared.
    by_address: BTreeMap<usize, i64>,
    numbered: BTreeMap<Arc<[Acl]>, i64>,
    last: (usize, i64),
}

impl Acls {
    fn of<'a>(znodes: impl Iterator<Item = ZnodeRecord<'a>>) -> Self {
        let mut acls = Self {
            by_address: BTreeMap::new(),
            numbered: BTreeMap::new(),
            last: (0, -1),
        };
        for znode in znodes {
            let address = address_of(znode.acl);
            if address != acls.last.0 {
                acls.last = (address, acls.take(address, znode.acl));
            }
        }
        acls
    }

    fn take(&mut self, address: usize, acl: &Arc<[Acl]>) -> i64 {
        if let Some(number) = self.by_address.get(&address) {
            return *number;
        }
        // The open ACL has the number -1 and is never listed.
        let number = if **acl == *open_acl() {
            -1
        } else if let Some(number) = unlisted_number(acl) {
            unlisted_number_mapped(number)
        } else {
            let next = i64::try_from(self.numbered.len())
                .unwrap_or(i64::MAX)
                .saturating_add(1);
            *self.numbered.entry(Arc::clone(acl)).or_insert(next)
        };
        self.by_address.insert(address, number);
        number
    }

    fn number(&mut self, acl: &Arc<[Acl]>) -> i64 {
        let address = address_of(acl);
        if address != self.last.0 {
            let number = self.by_address.get(&address).copied();
            self.last = (address, number.unwrap_or(-1));
        }
        self.last.1
    }

    fn write(&self, out: &mut Output<'_>) -> io::Result<()> {
        out.bytes.write_length(self.numbered.len());
        for (acl, number) in &self.numbered {
            out.bytes.write_long(*number);
            write_acl(acl, &mut out.bytes);
            out.make_room()?;
        }
        Ok(())
    }
}

fn address_of(acl: &Arc<[Acl]>) -> usize {
    Arc::as_ptr(acl).cast::<Acl>().addr()
}

const CHUNK: usize = 1 << 20;

/// Bytes that were not passed to the compressor yet, and the checksum of all bytes before.
struct Output<'w> {
    compressor: Box<dyn Compressor + 'w>,
    bytes: BytesMut,
    checksum: Adler32,
}

impl Output<'_> {
    /// Writes the buffered bytes, if they are many.
    #[inline]
    fn make_room(&mut self) -> io::Result<()> {
        match self.bytes.len() >= CHUNK {
            true => self.write_out(),
            false => Ok(()),
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.checksum.write(&self.bytes);
        self.compressor.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    /// Writes the checksum of all bytes before: `SnapStream.sealStream`.
    fn seal(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.bytes.write_long(self.checksum.finish().into());
        self.bytes.write_ustring("/");
        self.write_out()
    }
}

/// Appends to a file, and flushes it every few MiB: one large flush would delay those of the log on the same disk.
struct OnDisk<'f> {
    file: &'f dyn DiskFile,
    at: u64,
    /// Offset up to which the file is flushed; `None` if it is not to be flushed.
    synced: Option<u64>,
}

impl Write for OnDisk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.at, bytes)?;
        self.at = self
            .at
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(synced) = &mut self.synced
            && self.at.saturating_sub(*synced) >= 8 << 20
        {
            self.file.sync_data()?;
            *synced = self.at;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
