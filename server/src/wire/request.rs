//! Decoding of requests. A request borrows its paths and data from the frame, so nothing is copied on the way to the
//! keeper.

use crate::jute::{Malformed, Reader};
use crate::protocol::{
    AclEntry, AclList, AddWatchMode, CheckVersionRequest, ClientText, ConnectRequest, CreateMode,
    CreateOperation, CreateRequest, DeleteRequest, MultiOp, MultiReadOp, Operation, Request,
    SessionId, SetDataRequest, SetWatches, Text, WatcherType, Xid, Zxid,
};

use super::op_code::OpCode;

/// Error for a frame that closes its connection instead of being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {what} at byte {at} of the frame")]
pub(crate) struct DecodeError {
    /// The expected field.
    pub(crate) what: &'static str,
    /// Its position, counted from the first byte after the length.
    pub(crate) at: usize,
}

impl From<Malformed> for DecodeError {
    fn from(Malformed { what, at }: Malformed) -> Self {
        Self { what, at }
    }
}

/// Decodes the first frame of a connection.
///
/// # Errors
///
/// If the frame ends before its last field. Only the very last one, whether a read-only server is acceptable, may be
/// missing.
pub(crate) fn decode_connect(frame: &[u8]) -> Result<ConnectRequest<'_>, DecodeError> {
    let mut reader = Reader::new(frame);
    let _protocol_version = reader.int()?;
    Ok(ConnectRequest {
        last_zxid_seen: Zxid(reader.long()?),
        timeout_ms: reader.int()?,
        session: SessionId(reader.long()?),
        password: reader.buffer()?,
        read_only: reader.bool().ok(),
    })
}

/// Decodes any later frame of a connection. If the body is not the record that the header announces, the request is
/// [`Request::Malformed`], which is answered.
///
/// # Errors
///
/// If the header is incomplete, or if the body of an `auth` or `sasl` cannot be read. A real server reads these two
/// before the request enters its pipeline, where an exception closes the connection (`ZooKeeperServer.processPacket`).
#[inline]
pub(crate) fn decode_request(frame: &[u8]) -> Result<(Xid, Request<'_>), DecodeError> {
    let mut reader = Reader::new(frame);
    let xid = Xid(reader.int()?);
    let op_code = OpCode(reader.int()?);
    let Some(operation) = op_code.operation() else {
        let op_code = op_code.0;
        return Ok((xid, Request::Unknown { op_code }));
    };
    match decode_body(operation, &mut reader) {
        Ok(request) => Ok((xid, request)),
        Err(malformed) if matches!(operation, Operation::Auth | Operation::Sasl) => {
            Err(malformed.into())
        }
        Err(_) => Ok((xid, Request::Malformed(operation))),
    }
}

// Longer than 60 lines: one arm for each operation.
#[inline]
fn decode_body<'a>(
    operation: Operation,
    reader: &mut Reader<'a>,
) -> Result<Request<'a>, Malformed> {
    Ok(match operation {
        Operation::Create => Request::Create(create(CreateOperation::Create, reader)?),
        Operation::Create2 => Request::Create(create(CreateOperation::Create2, reader)?),
        Operation::CreateContainer => {
            Request::Create(create(CreateOperation::CreateContainer, reader)?)
        }
        Operation::CreateTtl => Request::Create(create(CreateOperation::CreateTtl, reader)?),
        Operation::Delete => Request::Delete(delete(reader)?),
        Operation::SetData => Request::SetData(set_data(reader)?),
        Operation::SetAcl => Request::SetAcl {
            path: reader.ustring()?,
            acl: acl(reader)?,
            version: reader.int()?,
        },
        // `OpCode::operation` never returns a check: it occurs only inside a multi.
        Operation::Check => Request::Unknown {
            op_code: OpCode::CHECK.0,
        },
        Operation::Multi => Request::Multi(multi(reader)?),
        Operation::MultiRead => {
            let ops = multi(reader)?;
            if ops.iter().any(MultiOp::has_null_acl) {
                return Err(reader.malformed("a list of ACLs"));
            }
            Request::MultiRead(ops.into_iter().map(as_read).collect())
        }
        Operation::Reconfig => {
            for _ in ["joining", "leaving", "new members"] {
                reader.ustring()?;
            }
            let _config_id = reader.long()?;
            Request::Reconfig
        }
        Operation::Exists => Request::Exists {
            path: reader.ustring()?,
            watch: reader.bool()?,
        },
        Operation::GetData => Request::GetData {
            path: reader.ustring()?,
            watch: reader.bool()?,
        },
        Operation::GetAcl => Request::GetAcl {
            path: reader.ustring()?,
        },
        Operation::GetChildren => Request::GetChildren {
            path: reader.ustring()?,
            watch: reader.bool()?,
        },
        Operation::GetChildren2 => Request::GetChildren2 {
            path: reader.ustring()?,
            watch: reader.bool()?,
        },
        Operation::GetAllChildrenNumber => Request::GetAllChildrenNumber {
            path: reader.ustring()?,
        },
        Operation::GetEphemerals => Request::GetEphemerals {
            prefix: reader.ustring()?,
        },
        Operation::Sync => Request::Sync {
            path: reader.ustring()?,
        },
        Operation::Ping => Request::Ping,
        Operation::SetWatches => Request::SetWatches(set_watches(reader)?),
        Operation::SetWatches2 => {
            let set_watches = set_watches(reader)?;
            Request::SetWatches2(SetWatches {
                persistent: paths(reader)?,
                persistent_recursive: paths(reader)?,
                ..set_watches
            })
        }
        Operation::AddWatch => Request::AddWatch {
            path: reader.ustring()?,
            mode: AddWatchMode::from_number(reader.int()?)
                .ok_or_else(|| reader.malformed("a mode of addWatch"))?,
        },
        Operation::CheckWatches => Request::CheckWatches {
            path: reader.ustring()?,
            watcher_type: watcher_type(reader)?,
        },
        Operation::RemoveWatches => Request::RemoveWatches {
            path: reader.ustring()?,
            watcher_type: watcher_type(reader)?,
        },
        Operation::WhoAmI => Request::WhoAmI,
        Operation::Auth => {
            let _type = reader.int()?;
            Request::Auth {
                scheme: reader.ustring()?,
                auth: reader.ustring()?,
            }
        }
        Operation::Sasl => Request::Sasl {
            token: reader
                .buffer()?
                .ok_or_else(|| reader.malformed("a token"))?,
        },
        Operation::CloseSession => Request::CloseSession,
    })
}

fn create<'a>(
    operation: CreateOperation,
    reader: &mut Reader<'a>,
) -> Result<CreateRequest<'a>, Malformed> {
    Ok(CreateRequest {
        operation,
        path: reader.ustring()?,
        data: reader.buffer()?,
        acl: acl(reader)?,
        flags: reader.int()?,
        ttl_ms: match operation {
            CreateOperation::CreateTtl => reader.long()?,
            CreateOperation::Create
            | CreateOperation::Create2
            | CreateOperation::CreateContainer => NO_TTL,
        },
    })
}

const NO_TTL: i64 = -1;

fn delete<'a>(reader: &mut Reader<'a>) -> Result<DeleteRequest<'a>, Malformed> {
    Ok(DeleteRequest {
        path: reader.ustring()?,
        version: reader.int()?,
    })
}

fn set_data<'a>(reader: &mut Reader<'a>) -> Result<SetDataRequest<'a>, Malformed> {
    Ok(SetDataRequest {
        path: reader.ustring()?,
        data: reader.buffer()?,
        version: reader.int()?,
    })
}

fn acl<'a>(reader: &mut Reader<'a>) -> Result<Option<AclList<'a>>, Malformed> {
    // Fast path: nearly every create has this ACL.
    if reader.skip(OPEN_ACL) {
        return Ok(Some(AclList::Open));
    }
    let entries = reader.vector(12, |reader| {
        Ok(AclEntry {
            permissions: reader.int()?,
            scheme: reader.ustring()?.map(ClientText::decode),
            id: reader.ustring()?.map(ClientText::decode),
        })
    })?;
    Ok(entries.map(AclList::Entries))
}

/// Encoding of [`AclList::Open`].
const OPEN_ACL: &[u8] = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";

/// Decodes the fields that `setWatches` and `setWatches2` have in common.
fn set_watches<'a>(reader: &mut Reader<'a>) -> Result<SetWatches<'a>, Malformed> {
    Ok(SetWatches {
        relative_zxid: Zxid(reader.long()?),
        data: paths(reader)?,
        exist: paths(reader)?,
        child: paths(reader)?,
        ..SetWatches::default()
    })
}

fn paths<'a>(reader: &mut Reader<'a>) -> Result<Option<Vec<Text<'a>>>, Malformed> {
    reader.vector(4, Reader::ustring)
}

fn watcher_type(reader: &mut Reader<'_>) -> Result<WatcherType, Malformed> {
    Ok(match reader.int()? {
        1 => WatcherType::Children,
        2 => WatcherType::Data,
        3 => WatcherType::Any,
        4 => WatcherType::Persistent,
        5 => WatcherType::PersistentRecursive,
        _ => return Err(reader.malformed("a type of watches")),
    })
}

/// Decodes the operations of a multi or multiRead, which a real server reads by the same code:
/// `MultiOperationRecord.deserialize`. It stops at a create with a null ACL, whatever follows.
fn multi<'a>(reader: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, Malformed> {
    let mut ops: Vec<MultiOp<'a>> = Vec::new();
    loop {
        let op_code = OpCode(reader.int()?);
        let done = reader.bool()?;
        let _error = reader.int()?;
        if done {
            return Ok(ops);
        }
        let op = multi_op(op_code, reader)?;
        if op.has_null_acl() {
            ops.push(op);
            return Ok(ops);
        }
        if ops
            .first()
            .is_some_and(|first| is_read(first) != is_read(&op))
        {
            return Err(reader.malformed("no mixing of reads and writes"));
        }
        ops.push(op);
    }
}

fn multi_op<'a>(op_code: OpCode, reader: &mut Reader<'a>) -> Result<MultiOp<'a>, Malformed> {
    Ok(match op_code {
        OpCode::CREATE => MultiOp::Create(multi_create(CreateOperation::Create, reader)?),
        OpCode::CREATE2 => MultiOp::Create(multi_create(CreateOperation::Create2, reader)?),
        OpCode::CREATE_CONTAINER => {
            MultiOp::Create(multi_create(CreateOperation::CreateContainer, reader)?)
        }
        OpCode::CREATE_TTL => MultiOp::Create(multi_create_ttl(reader)?),
        OpCode::DELETE => MultiOp::Delete(delete(reader)?),
        OpCode::SET_DATA => MultiOp::SetData(set_data(reader)?),
        OpCode::CHECK => MultiOp::Check(CheckVersionRequest {
            path: reader.ustring()?,
            version: reader.int()?,
        }),
        OpCode::GET_DATA => {
            let path = reader.ustring()?;
            let _watch = reader.bool()?;
            MultiOp::Read(MultiReadOp::GetData { path })
        }
        OpCode::GET_CHILDREN => {
            let path = reader.ustring()?;
            let _watch = reader.bool()?;
            MultiOp::Read(MultiReadOp::GetChildren { path })
        }
        _ => return Err(reader.malformed("an operation that may be in a multi")),
    })
}

/// Decodes `create`, `create2` or `createContainer` inside a multi. A real server turns it into an `Op` by way of
/// `CreateOptions`, which refuse a mode with a time to live. The `Op` then chooses its operation anew, from the mode.
fn multi_create<'a>(
    operation: CreateOperation,
    reader: &mut Reader<'a>,
) -> Result<CreateRequest<'a>, Malformed> {
    let request = create(operation, reader)?;
    let mode = CreateMode::from_flags(request.flags)
        .ok_or_else(|| reader.malformed("a mode of create"))?;
    if request.acl.is_none() {
        return Ok(request);
    }
    if mode.has_ttl() {
        return Err(reader.malformed("a mode without a time to live"));
    }
    Ok(match mode {
        CreateMode::Container => CreateRequest {
            operation: CreateOperation::CreateContainer,
            ..request
        },
        CreateMode::Persistent
        | CreateMode::Ephemeral
        | CreateMode::PersistentSequential
        | CreateMode::EphemeralSequential
        | CreateMode::PersistentWithTtl
        | CreateMode::PersistentSequentialWithTtl => request,
    })
}

/// Decodes `createTTL` inside a multi. A real server turns it into an `Op` in another way than the other creates. If
/// the mode has no time to live, the operation becomes `createContainer` or plain `create`. The keeper refuses wrong
/// flags, and a null ACL, which counts as an empty one here.
fn multi_create_ttl<'a>(reader: &mut Reader<'a>) -> Result<CreateRequest<'a>, Malformed> {
    let request = create(CreateOperation::CreateTtl, reader)?;
    let operation = match CreateMode::from_flags(request.flags) {
        Some(CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl) => {
            return Ok(request);
        }
        Some(CreateMode::Container) => CreateOperation::CreateContainer,
        Some(
            CreateMode::Persistent
            | CreateMode::Ephemeral
            | CreateMode::PersistentSequential
            | CreateMode::EphemeralSequential,
        )
        | None => CreateOperation::Create,
    };
    Ok(CreateRequest {
        operation,
        acl: request.acl.or(Some(AclList::Entries(Vec::new()))),
        ttl_ms: NO_TTL,
        ..request
    })
}

fn is_read(op: &MultiOp<'_>) -> bool {
    matches!(op, MultiOp::Read(_))
}

fn as_read(op: MultiOp<'_>) -> MultiReadOp<'_> {
    match op {
        MultiOp::Read(read) => read,
        MultiOp::Create(_) | MultiOp::Delete(_) | MultiOp::SetData(_) | MultiOp::Check(_) => {
            MultiReadOp::Write
        }
    }
}
