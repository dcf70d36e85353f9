//! Decoding of everything a server may send. Strict: one byte too many or too few is an error.

use super::op;
use super::record::{Field, Malformed, Reader};
use super::request::Acl;

/// The response to the first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout, in milliseconds; 0 if the session is refused.
    pub timeout_ms: i32,
    /// The session id; 0 if the session is refused.
    pub session_id: i64,
    /// The session's password.
    pub password: Option<Vec<u8>>,
    /// The read-only byte, if the server sent it.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// Decodes a whole frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the frame is not exactly this record.
    pub fn decode(frame: &[u8]) -> Result<(Self, Vec<Field>), Malformed> {
        let mut reader = Reader::new(frame)?;
        let response = Self {
            protocol_version: reader.int("protocolVersion")?,
            timeout_ms: reader.int("timeOut")?,
            session_id: reader.long("sessionId")?,
            password: reader.buffer("passwd")?,
            read_only: if reader.is_at_end() {
                None
            } else {
                Some(reader.bool("readOnly")?)
            },
        };
        Ok((response, reader.finish()?))
    }
}

/// Header of every answer and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's xid, or -1 for an event.
    pub xid: i32,
    /// The last zxid that the server had applied.
    pub zxid: i64,
    /// 0, or an error code.
    pub err: i32,
}

impl ReplyHeader {
    /// Decodes the start of a frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the frame is too short.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            xid: reader.int("xid")?,
            zxid: reader.long("zxid")?,
            err: reader.int("err")?,
        })
    }
}

/// A reply: its header and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The header.
    pub header: ReplyHeader,
    /// The body; `None` if the frame ends after the header.
    pub answer: Option<Answer>,
}

/// The stat of a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of ZooKeeper's Stat, by name"
)]
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub ephemeral_owner: i64,
    pub data_length: i32,
    pub num_children: i32,
    pub pzxid: i64,
}

impl Stat {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            czxid: reader.long("czxid")?,
            mzxid: reader.long("mzxid")?,
            ctime: reader.long("ctime")?,
            mtime: reader.long("mtime")?,
            version: reader.int("version")?,
            cversion: reader.int("cversion")?,
            aversion: reader.int("aversion")?,
            ephemeral_owner: reader.long("ephemeralOwner")?,
            data_length: reader.int("dataLength")?,
            num_children: reader.int("numChildren")?,
            pzxid: reader.long("pzxid")?,
        })
    }
}

/// A watch event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The zxid in the header.
    pub zxid: i64,
    /// The type: NodeCreated 1, NodeDeleted 2, NodeDataChanged 3, NodeChildrenChanged 4.
    pub kind: i32,
    /// The state; servers send only SyncConnected, which is 3.
    pub state: i32,
    /// The path of the znode.
    pub path: String,
}

impl Event {
    /// Returns the name of the type in ZooKeeper's clients.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            1 => "NodeCreated",
            2 => "NodeDeleted",
            3 => "NodeDataChanged",
            4 => "NodeChildrenChanged",
            _ => "unknown event",
        }
    }

    /// Decodes the bytes after the header.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a WatcherEvent.
    pub fn decode(header: ReplyHeader, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if header.err != 0 {
            return Err(reader.malformed("an event with an error"));
        }
        Ok(Self {
            zxid: header.zxid,
            kind: reader.int("type")?,
            state: reader.int("state")?,
            path: reader.text("path")?,
        })
    }
}

/// An identity of a connection in one authentication scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The scheme, such as `ip`.
    pub scheme: String,
    /// The id, such as `127.0.0.1`.
    pub user: String,
}

/// A result inside a multi or a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiResult {
    /// The operation, or -1 for an error.
    pub op: i32,
    /// The error code in the header before the result.
    pub err: i32,
    /// The result, if the operation has one.
    pub answer: Option<Answer>,
}

/// The body of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer to create and sync.
    Path(Option<String>),
    /// The answer to create2, createContainer and createTTL.
    PathStat(String, Stat),
    /// The answer to exists, setData and setACL.
    Stat(Stat),
    /// The answer to getData and reconfig.
    Data(Option<Vec<u8>>, Stat),
    /// The answer to getACL.
    Acl(Vec<Acl>, Stat),
    /// The answer to getChildren.
    Children(Vec<String>),
    /// The answer to getChildren2.
    ChildrenStat(Vec<String>, Stat),
    /// The answer to multi and multiRead.
    Multi(Vec<MultiResult>),
    /// The answer to sasl.
    Token(Option<Vec<u8>>),
    /// The answer to getEphemerals.
    Ephemerals(Vec<String>),
    /// The answer to getAllChildrenNumber.
    Number(i32),
    /// The answer to addWatch, and to a failed operation in a multi.
    Error(i32),
    /// The answer to whoAmI.
    Identities(Vec<Identity>),
}

impl Answer {
    /// Decodes the bytes after the header of a reply to this operation.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not an answer to this operation.
    pub fn decode(op: i32, err: i32, reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        // An error has no body, with two exceptions: a refused sasl carries a null token
        // (ZooKeeperServer.processSasl), and a refused multiRead carries the results so far
        // (FinalRequestProcessor, MultiResponse).
        let stands_alone = match op {
            op::SASL => false,
            op::MULTI_READ => reader.is_at_end(),
            _ => true,
        };
        if (err != 0 && stands_alone) || reader.is_at_end() && !has_body(op) {
            return Ok(None);
        }
        let text = |reader: &mut Reader<'_>| reader.text("path");
        Ok(Some(match op {
            op::CREATE | op::SYNC => Self::Path(reader.string("path")?),
            op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
                Self::PathStat(reader.text("path")?, Stat::decode(reader)?)
            }
            op::EXISTS | op::SET_DATA | op::SET_ACL => Self::Stat(Stat::decode(reader)?),
            op::GET_DATA | op::RECONFIG => {
                Self::Data(reader.buffer("data")?, Stat::decode(reader)?)
            }
            op::GET_ACL => Self::Acl(reader.vector(acl)?, Stat::decode(reader)?),
            op::GET_CHILDREN => Self::Children(reader.vector(text)?),
            op::GET_CHILDREN2 => Self::ChildrenStat(reader.vector(text)?, Stat::decode(reader)?),
            op::MULTI | op::MULTI_READ => Self::Multi(multi(reader)?),
            op::SASL => Self::Token(reader.buffer("token")?),
            op::GET_EPHEMERALS => Self::Ephemerals(reader.vector(text)?),
            op::GET_ALL_CHILDREN_NUMBER => Self::Number(reader.int("totalNumber")?),
            op::ADD_WATCH => Self::Error(reader.int("err")?),
            op::WHO_AM_I => Self::Identities(reader.vector(|reader| {
                Ok(Identity {
                    scheme: reader.text("authScheme")?,
                    user: reader.text("user")?,
                })
            })?),
            _ => return Ok(None),
        }))
    }
}

/// Whether a successful reply to this operation must have a body.
fn has_body(op: i32) -> bool {
    !matches!(
        op,
        op::DELETE
            | op::DELETE_CONTAINER
            | op::PING
            | op::CHECK
            | op::CHECK_WATCHES
            | op::REMOVE_WATCHES
            | op::AUTH
            | op::SET_WATCHES
            | op::SET_WATCHES2
            | op::CLOSE_SESSION
    )
}

fn acl(reader: &mut Reader<'_>) -> Result<Acl, Malformed> {
    Ok(Acl {
        perms: reader.int("perms")?,
        scheme: reader.text("scheme")?,
        id: reader.text("id")?,
    })
}

fn multi(reader: &mut Reader<'_>) -> Result<Vec<MultiResult>, Malformed> {
    let mut results = Vec::new();
    loop {
        let op = reader.int("type")?;
        let done = reader.bool("done")?;
        let err = reader.int("err")?;
        if done {
            return Ok(results);
        }
        let answer = match op {
            -1 => Some(Answer::Error(reader.int("err")?)),
            op::DELETE | op::CHECK => None,
            _ => Answer::decode(op, 0, reader)?,
        };
        results.push(MultiResult { op, err, answer });
    }
}

/// Returns the name of an error in ZooKeeper's `KeeperException.Code`.
#[must_use]
pub fn error_name(err: i32) -> &'static str {
    match err {
        0 => "ok",
        -1 => "SYSTEMERROR",
        -2 => "RUNTIMEINCONSISTENCY",
        -5 => "MARSHALLINGERROR",
        -6 => "UNIMPLEMENTED",
        -8 => "BADARGUMENTS",
        -12 => "UNKNOWNSESSION",
        -101 => "NONODE",
        -102 => "NOAUTH",
        -103 => "BADVERSION",
        -108 => "NOCHILDRENFOREPHEMERALS",
        -110 => "NODEEXISTS",
        -111 => "NOTEMPTY",
        -112 => "SESSIONEXPIRED",
        -114 => "INVALIDACL",
        -115 => "AUTHFAILED",
        -118 => "SESSIONMOVED",
        -119 => "NOTREADONLY",
        -121 => "NOWATCHER",
        -123 => "RECONFIGDISABLED",
        -124 => "SESSIONCLOSEDREQUIRESASLAUTH",
        -125 => "QUOTAEXCEEDED",
        -127 => "THROTTLEDOP",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, MultiResult, ReplyHeader};
    use crate::client::{Reader, op};

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .filter_map(|digit| digit.to_digit(16))
            .map(|digit| u8::try_from(digit).expect("a hex digit"))
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect()
    }

    fn check(op: i32, hex: &str) -> Result<(ReplyHeader, Option<Answer>), String> {
        let frame = bytes(hex);
        let mut reader = Reader::new(&frame).map_err(|error| error.to_string())?;
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        let answer =
            Answer::decode(op, header.err, &mut reader).map_err(|error| error.to_string())?;
        reader.finish().map_err(|error| error.to_string())?;
        Ok((header, answer))
    }

    // Frames of a real 3.9.5.
    #[test]
    fn replies_are_read_as_a_real_server_writes_them() {
        let (header, answer) = check(
            op::MULTI,
            "00000040 00000006 0000000000000004 00000000 ffffffff 00 00000000 00000000 ffffffff 00 00000000 \
             00000000 ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff",
        )
        .expect("a failed multi");
        assert_eq!(
            header,
            ReplyHeader {
                xid: 6,
                zxid: 4,
                err: 0
            }
        );
        let result = |err| MultiResult {
            op: -1,
            err,
            answer: Some(Answer::Error(err)),
        };
        assert_eq!(
            answer,
            Some(Answer::Multi(vec![result(0), result(0), result(-101)]))
        );

        let added = check(
            op::ADD_WATCH,
            "00000014 00000007 0000000000000004 00000000 00000000",
        );
        assert_eq!(added.expect("an addWatch").1, Some(Answer::Error(0)));
    }

    #[test]
    fn a_missing_body_and_a_byte_too_many_are_both_refused() {
        let missing = check(op::ADD_WATCH, "00000010 00000007 0000000000000004 00000000");
        assert!(
            missing
                .expect_err("addWatch has a body")
                .starts_with("err at byte 20")
        );
        let spare = check(op::DELETE, "00000011 00000007 0000000000000004 00000000 00");
        assert!(
            spare
                .expect_err("delete has none")
                .starts_with("bytes after the last field")
        );
    }
}
