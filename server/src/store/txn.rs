//! A transaction as the payload of a log entry: header, record, digest.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use crate::jute::{Malformed, Reader, Writer};
use crate::protocol::{
    Acl, AuthId, CreateTxn, CreatedKind, DataFormat, ErrorCode, Permissions, SessionId, Timestamp,
    Txn, TxnRecord, Xid, Zxid, open_acl,
};

/// Version of the digest that is written, the only one that can be compared: `DigestCalculator.DIGEST_VERSION`.
pub(crate) const DIGEST_VERSION: i32 = 2;

/// Digest of the tree after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TxnDigest {
    pub(crate) version: i32,
    pub(crate) digest: u64,
}

/// Transaction read from a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecodedTxn<'a> {
    pub(crate) txn: Txn<'a>,
    pub(crate) digest: Option<TxnDigest>,
    /// Offset up to which the file was durable when the entry was written, if our writer wrote it.
    pub(crate) synced: Option<u64>,
    /// Oldest release that can have written the entry.
    pub(crate) least: DataFormat,
}

/// Length of the head of an entry, in bytes: a checksum and the length of the payload.
pub(super) const ENTRY_HEAD: usize = 12;
/// Length of a transaction's header, in bytes: `TxnHeader`.
const TXN_HEAD: usize = 32;
/// Byte after the payload of an entry.
pub(super) const ENTRY_END: u8 = b'B';
/// Length of the mark that our writer puts at the end of each payload, in bytes: two of [`SYNCED_MARK`] and six of an
/// offset. Real servers have stopped reading there (`SerializeUtils.deserializeTxn`).
pub(super) const SYNCED_LENGTH: usize = 8;
/// `MK`, the first bytes of that mark.
pub(super) const SYNCED_MARK: u64 = 0x4d4b << 48;

mod op {
    pub(super) const CREATE_SESSION: i32 = -10;
    pub(super) const CLOSE_SESSION: i32 = -11;
    pub(super) const ERROR: i32 = -1;
    pub(super) const CREATE: i32 = 1;
    pub(super) const DELETE: i32 = 2;
    pub(super) const SET_DATA: i32 = 5;
    pub(super) const SET_ACL: i32 = 7;
    pub(super) const CHECK: i32 = 13;
    pub(super) const MULTI: i32 = 14;
    pub(super) const CREATE_2: i32 = 15;
    pub(super) const RECONFIG: i32 = 16;
    pub(super) const CREATE_CONTAINER: i32 = 19;
    pub(super) const DELETE_CONTAINER: i32 = 20;
    pub(super) const CREATE_TTL: i32 = 21;
}

/// Appends a transaction as a log entry. [`LogWriter`](super::LogWriter) fills in the checksum and how far the log is
/// durable.
pub(crate) fn encode_txn(
    format: DataFormat,
    txn: &Txn<'_>,
    digest: Option<u64>,
    out: &mut BytesMut,
) {
    let start = out.len();
    out.write(&head(txn));
    if let (TxnRecord::CloseSession { .. }, DataFormat::V3_4 | DataFormat::V3_5) =
        (&txn.record, format)
    {
        // These releases write no record and stop reading here. Later releases take the next bytes for the record, and
        // ignore a null list.
        out.write_int(-1);
    } else {
        write_record(&txn.record, out);
    }
    // A refused write has no digest: `PrepRequestProcessor.setTxnDigest`.
    if let Some(digest) = digest
        && format >= DataFormat::V3_6
        && !matches!(txn.record, TxnRecord::Error { .. })
    {
        out.write_int(DIGEST_VERSION);
        out.write_long(digest.cast_signed());
    }
    out.write_long(SYNCED_MARK.cast_signed());
    let length = out.len().saturating_sub(start).saturating_sub(ENTRY_HEAD);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(start.saturating_add(8)..start.saturating_add(ENTRY_HEAD)) {
        place.copy_from_slice(&length);
    }
    out.write(&[ENTRY_END]);
}

/// Empty head of an entry, and the header of the transaction. One array, since this runs for every transaction.
fn head(txn: &Txn<'_>) -> [u8; ENTRY_HEAD + TXN_HEAD] {
    let mut head = [0; ENTRY_HEAD + TXN_HEAD];
    let mut rest = head.get_mut(ENTRY_HEAD..).unwrap_or_default();
    rest.put_i64(txn.session.0);
    rest.put_i32(txn.cxid.0);
    rest.put_i64(txn.zxid.0);
    rest.put_i64(txn.time.0);
    rest.put_i32(type_of(&txn.record));
    head
}

fn type_of(record: &TxnRecord<'_>) -> i32 {
    match record {
        TxnRecord::CreateSession { .. } => op::CREATE_SESSION,
        TxnRecord::CloseSession { .. } => op::CLOSE_SESSION,
        TxnRecord::Error { .. } => op::ERROR,
        TxnRecord::Create(create) => match create.kind {
            CreatedKind::Persistent | CreatedKind::Ephemeral => op::CREATE,
            CreatedKind::Container => op::CREATE_CONTAINER,
            CreatedKind::Ttl { .. } => op::CREATE_TTL,
        },
        TxnRecord::Delete { .. } => op::DELETE,
        TxnRecord::DeleteContainer { .. } => op::DELETE_CONTAINER,
        TxnRecord::SetData { .. } => op::SET_DATA,
        TxnRecord::SetAcl { .. } => op::SET_ACL,
        TxnRecord::Check { .. } => op::CHECK,
        TxnRecord::Multi(_) => op::MULTI,
    }
}

fn write_record(record: &TxnRecord<'_>, out: &mut BytesMut) {
    match record {
        TxnRecord::CreateSession { timeout_ms } => out.write_int(*timeout_ms),
        TxnRecord::CloseSession { paths } => {
            out.write_length(paths.len());
            paths.iter().for_each(|path| out.write_ustring(path));
        }
        TxnRecord::Error { code } => out.write_int(code.number()),
        TxnRecord::Create(create) => {
            out.write_ustring(&create.path);
            out.write_buffer(create.data.as_deref());
            write_acl(&create.acl, out);
            if let CreatedKind::Persistent | CreatedKind::Ephemeral = create.kind {
                out.write_bool(create.kind == CreatedKind::Ephemeral);
            }
            out.write_int(create.parent_cversion);
            if let CreatedKind::Ttl { ms } = create.kind {
                out.write_long(ms);
            }
        }
        TxnRecord::Delete { path } | TxnRecord::DeleteContainer { path } => out.write_ustring(path),
        TxnRecord::SetData {
            path,
            data,
            version,
        } => {
            out.write_ustring(path);
            out.write_buffer(data.as_deref());
            out.write_int(*version);
        }
        TxnRecord::SetAcl { path, acl, version } => {
            out.write_ustring(path);
            write_acl(acl, out);
            out.write_int(*version);
        }
        TxnRecord::Check { path, version } => {
            out.write_ustring(path);
            out.write_int(*version);
        }
        TxnRecord::Multi(records) => {
            out.write_length(records.len());
            for record in records {
                out.write_int(type_of(record));
                let at = out.len();
                out.write_int(0);
                write_record(record, out);
                let length = out.len().saturating_sub(at).saturating_sub(4);
                let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
                if let Some(place) = out.get_mut(at..at.saturating_add(4)) {
                    place.copy_from_slice(&length);
                }
            }
        }
    }
}

/// Writes a list of ACL entries.
pub(super) fn write_acl(acl: &[Acl], out: &mut impl Writer) {
    out.write_length(acl.len());
    for entry in acl {
        out.write_int(entry.permissions.0);
        out.write_ustring(&entry.id.scheme);
        out.write_ustring(&entry.id.id);
    }
}

/// Reads the record of a create: `CreateTxn`, `CreateContainerTxn` or `CreateTTLTxn`.
fn read_create<'a>(kind: i32, reader: &mut Reader<'a>) -> Result<CreateTxn<'a>, Malformed> {
    let path = read_path(reader)?;
    let data = reader.buffer()?.map(Cow::Borrowed);
    let acl = read_acl(reader)?;
    let is_ephemeral = matches!(kind, op::CREATE | op::CREATE_2) && reader.bool()?;
    // The oldest releases write no cversion (`CreateTxnV0`); -1 stands for that.
    let parent_cversion = match kind == op::CREATE && reader.rest().len() < 4 {
        true => -1,
        false => reader.int()?,
    };
    let kind = match kind {
        op::CREATE_CONTAINER => CreatedKind::Container,
        op::CREATE_TTL => CreatedKind::Ttl { ms: reader.long()? },
        _ if is_ephemeral => CreatedKind::Ephemeral,
        _ => CreatedKind::Persistent,
    };
    Ok(CreateTxn {
        path,
        data,
        acl,
        kind,
        parent_cversion,
    })
}

/// Decodes the payload of an entry.
pub(crate) fn decode_txn(payload: &[u8]) -> Result<DecodedTxn<'_>, Malformed> {
    let mut reader = Reader::new(payload);
    let session = SessionId(reader.long()?);
    let cxid = Xid(reader.int()?);
    let zxid = Zxid(reader.long()?);
    let time = Timestamp(reader.long()?);
    let kind = reader.int()?;
    let mut least = DataFormat::V3_4;
    let record = if kind == op::CLOSE_SESSION {
        // Older releases write no `CloseSessionTxn`, so bytes that are too short for one are not one.
        let before = reader.clone();
        let paths = match read_paths(&mut reader) {
            Ok(Some(paths)) => {
                least = DataFormat::V3_6;
                paths
            }
            Ok(None) => Vec::new(),
            Err(_) => {
                reader = before;
                Vec::new()
            }
        };
        TxnRecord::CloseSession { paths }
    } else {
        read_record(kind, &mut reader, &mut least)?
    };
    let mut digest = None;
    if reader.rest().len() == SYNCED_LENGTH {
        // Our mark after an entry without a digest: of a release without digests, or with digests switched off.
    } else if reader.rest().len() >= 12 {
        digest = Some(TxnDigest {
            version: reader.int()?,
            digest: reader.long()?.cast_unsigned(),
        });
        least = least.max(DataFormat::V3_6);
    }
    let synced = reader
        .rest()
        .try_into()
        .ok()
        .map(u64::from_be_bytes)
        .filter(|synced| synced & (0xffff << 48) == SYNCED_MARK)
        .map(|synced| synced ^ SYNCED_MARK);
    Ok(DecodedTxn {
        txn: Txn {
            session,
            cxid,
            zxid,
            time,
            record,
        },
        digest,
        synced,
        least,
    })
}

fn read_record<'a>(
    kind: i32,
    reader: &mut Reader<'a>,
    least: &mut DataFormat,
) -> Result<TxnRecord<'a>, Malformed> {
    if matches!(
        kind,
        op::CREATE_2 | op::RECONFIG | op::CREATE_CONTAINER | op::DELETE_CONTAINER | op::CREATE_TTL
    ) {
        *least = (*least).max(DataFormat::V3_5);
    }
    Ok(match kind {
        op::CREATE_SESSION => TxnRecord::CreateSession {
            timeout_ms: reader.int()?,
        },
        op::ERROR => TxnRecord::Error {
            code: ErrorCode::from_number(reader.int()?).unwrap_or(ErrorCode::SystemError),
        },
        op::CREATE | op::CREATE_2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            TxnRecord::Create(read_create(kind, reader)?)
        }
        op::DELETE => TxnRecord::Delete {
            path: read_path(reader)?,
        },
        op::DELETE_CONTAINER => TxnRecord::DeleteContainer {
            path: read_path(reader)?,
        },
        op::SET_DATA | op::RECONFIG => TxnRecord::SetData {
            path: read_path(reader)?,
            data: reader.buffer()?.map(Cow::Borrowed),
            version: reader.int()?,
        },
        op::SET_ACL => TxnRecord::SetAcl {
            path: read_path(reader)?,
            acl: read_acl(reader)?,
            version: reader.int()?,
        },
        op::CHECK => TxnRecord::Check {
            path: read_path(reader)?,
            version: reader.int()?,
        },
        op::MULTI => {
            let records = reader.vector(8, |reader| {
                let kind = reader.int()?;
                // A multi contains neither a multi nor the end of a session.
                if matches!(kind, op::MULTI | op::CLOSE_SESSION) {
                    return Err(reader.malformed("a transaction that a multi can have"));
                }
                let bytes = reader.buffer()?.unwrap_or_default();
                read_record(kind, &mut Reader::new(bytes), least)
            })?;
            TxnRecord::Multi(records.unwrap_or_default())
        }
        _ => return Err(reader.malformed("a known type of transaction")),
    })
}

fn read_path<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Malformed> {
    match reader.stored_ustring()? {
        Some(path) => Ok(path),
        None => Err(reader.malformed("a path")),
    }
}

fn read_paths<'a>(reader: &mut Reader<'a>) -> Result<Option<Vec<Cow<'a, str>>>, Malformed> {
    reader.vector(4, read_path)
}

/// Reads a list of ACL entries. Nearly all lists are the open one, which is shared.
pub(super) fn read_acl(reader: &mut Reader<'_>) -> Result<Arc<[Acl]>, Malformed> {
    if reader.skip(OPEN_ACL) {
        return Ok(open_acl());
    }
    let entries = reader.vector(12, |reader| {
        let permissions = Permissions(reader.int()?);
        let scheme = reader.stored_ustring()?.unwrap_or_default();
        let id = reader.stored_ustring()?.unwrap_or_default();
        Ok(Acl {
            permissions,
            id: AuthId::new(scheme, id),
        })
    })?;
    match entries {
        Some(entries) => Ok(entries.into()),
        None => Err(reader.malformed("an ACL")),
    }
}

const OPEN_ACL: &[u8] = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";
