//! Encoding of replies and watch events, directly into the output of a connection.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use crate::jute::{Length, Writer};
use crate::protocol::{
    Acl, ClientInfo, ConnectResponse, ErrorCode, LongCount, Message, MultiResult, Names, Reply,
    Response, Stat, WatchedEvent, Xid, Zxid,
};

use super::op_code::OpCode;

/// Appends one frame with its length.
#[inline]
pub(crate) fn encode_message(message: &Message<'_>, out: &mut Vec<u8>) {
    let before = out.len();
    // The length comes first and is known last.
    out.write_int(0);
    write_message(out, message);
    let length = out.len() - before - size_of::<i32>();
    if let Some(place) = out.get_mut(before..).and_then(<[u8]>::first_chunk_mut) {
        *place = i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
    }
}

/// Appends the body of a frame, without its length.
pub(crate) fn encode_body(message: &Message<'_>, out: &mut impl ReplyWriter) {
    write_message(out, message);
}

/// Whether a part of a message is read only after the turn, or is data of at least `long` bytes.
#[inline]
pub(crate) fn has_long_part(message: &Message<'_>, long: usize) -> bool {
    let Message::Reply(Reply {
        result: Ok(response),
        ..
    }) = message
    else {
        return false;
    };
    let is_long = |data: &Option<&Arc<[u8]>>| data.is_some_and(|data| data.len() >= long);
    match response {
        Response::Data(data, _) => is_long(data),
        Response::Children(names) | Response::ChildrenAndStat(names, _) => {
            matches!(names, Names::Long { .. })
        }
        Response::LongNumber(_) => true,
        Response::Multi(results) | Response::MultiReadBrokenOff(results) => {
            results.iter().any(|result| match result {
                MultiResult::Data(data, _) => is_long(data),
                MultiResult::Children(names) => matches!(names, Names::Long { .. }),
                MultiResult::Create(_)
                | MultiResult::Create2(..)
                | MultiResult::Delete
                | MultiResult::SetData(_)
                | MultiResult::Check
                | MultiResult::Error(_) => false,
            })
        }
        Response::Empty
        | Response::Path(_)
        | Response::PathAndStat(..)
        | Response::Stat(_)
        | Response::Acl(..)
        | Response::Paths(_)
        | Response::Number(_)
        | Response::WatchAdded
        | Response::WhoAmI(_)
        | Response::NoToken => false,
    }
}

/// Sink for the fields of a reply, including fields that are not copied or not known yet.
pub(crate) trait ReplyWriter: Writer {
    /// Writes data that is shared with its znode.
    #[inline]
    fn write_data(&mut self, data: Option<&Arc<[u8]>>) {
        self.write_buffer(data.map(|data| &**data));
    }

    /// Writes names as a vector of ustrings.
    #[inline]
    fn write_names(&mut self, names: &Names<'_>) {
        self.write_length(names.len());
        names.for_each(&mut |name| self.write_ustring(name));
    }

    /// Writes a number that is not counted yet.
    #[inline]
    fn write_count(&mut self, count: &LongCount) {
        self.write_int(count.total());
    }
}

impl ReplyWriter for Vec<u8> {}

impl ReplyWriter for BytesMut {}

impl ReplyWriter for Length {
    fn write_count(&mut self, _: &LongCount) {
        self.write_int(0);
    }
}

#[inline]
fn write_message(out: &mut impl ReplyWriter, message: &Message<'_>) {
    match message {
        Message::Reply(reply) => write_reply(out, reply),
        Message::Event { zxid, event } => write_event(out, *zxid, event),
        Message::Connected(response) => write_connected(out, response),
    }
}

fn write_connected(out: &mut impl Writer, response: &ConnectResponse) {
    let protocol_version = 0;
    out.write_int(protocol_version);
    out.write_int(response.timeout_ms);
    out.write_long(response.session.0);
    out.write_buffer(Some(&response.password));
    if let Some(read_only) = response.read_only {
        out.write_bool(read_only);
    }
}

fn write_event(out: &mut impl Writer, zxid: Zxid, event: &WatchedEvent<'_>) {
    write_header(out, Xid::NOTIFICATION, zxid, NO_ERROR);
    out.write_int(event.event_type.number());
    out.write_int(event.state.number());
    out.write_ustring(event.path);
}

#[inline]
fn write_reply(out: &mut impl ReplyWriter, reply: &Reply<'_>) {
    match &reply.result {
        Ok(response) => {
            let error = if matches!(response, Response::MultiReadBrokenOff(_)) {
                ErrorCode::MarshallingError.number()
            } else {
                NO_ERROR
            };
            write_header(out, reply.xid, reply.zxid, error);
            write_response(out, response);
        }
        Err(error) => write_header(out, reply.xid, reply.zxid, error.number()),
    }
}

const NO_ERROR: i32 = 0;

#[inline]
fn write_header(out: &mut impl Writer, xid: Xid, zxid: Zxid, error: i32) {
    let mut bytes = [0; 16];
    let mut header = bytes.as_mut_slice();
    header.put_i32(xid.0);
    header.put_i64(zxid.0);
    header.put_i32(error);
    out.write(&bytes);
}

#[inline]
fn write_response(out: &mut impl ReplyWriter, response: &Response<'_>) {
    match response {
        Response::Empty => {}
        Response::Path(Some(path)) => out.write_ustring(path),
        Response::Path(None) | Response::NoToken => out.write_int(NULL),
        Response::PathAndStat(path, stat) => {
            out.write_ustring(path);
            write_stat(out, stat);
        }
        Response::Stat(stat) => write_stat(out, stat),
        Response::Data(data, stat) => {
            out.write_data(*data);
            write_stat(out, stat);
        }
        Response::Acl(acl, stat) => {
            write_acl(out, acl);
            write_stat(out, stat);
        }
        Response::Paths(paths) => write_texts(out, paths),
        Response::Children(names) => out.write_names(names),
        Response::ChildrenAndStat(names, stat) => {
            out.write_names(names);
            write_stat(out, stat);
        }
        Response::Number(number) => out.write_int(*number),
        Response::LongNumber(count) => out.write_count(count),
        Response::Multi(results) | Response::MultiReadBrokenOff(results) => {
            write_multi(out, results);
        }
        // An ErrorResponse, which real clients require: FinalRequestProcessor answers addWatch with one.
        Response::WatchAdded => out.write_int(NO_ERROR),
        Response::WhoAmI(infos) => {
            out.write_length(infos.len());
            for ClientInfo { scheme, user } in infos {
                out.write_ustring(scheme);
                out.write_ustring(user);
            }
        }
    }
}

/// Length or count of a null value.
const NULL: i32 = -1;

#[inline]
fn write_stat(out: &mut impl Writer, stat: &Stat) {
    let mut bytes = [0; 68];
    let mut fields = bytes.as_mut_slice();
    fields.put_i64(stat.czxid.0);
    fields.put_i64(stat.mzxid.0);
    fields.put_i64(stat.ctime.0);
    fields.put_i64(stat.mtime.0);
    fields.put_i32(stat.version);
    fields.put_i32(stat.cversion);
    fields.put_i32(stat.aversion);
    fields.put_i64(stat.ephemeral_owner.0);
    fields.put_i32(stat.data_length);
    fields.put_i32(stat.num_children);
    fields.put_i64(stat.pzxid.0);
    out.write(&bytes);
}

fn write_acl(out: &mut impl Writer, acl: &[Acl]) {
    out.write_length(acl.len());
    for Acl { permissions, id } in acl {
        out.write_int(permissions.0);
        out.write_ustring(&id.scheme);
        out.write_ustring(&id.id);
    }
}

fn write_texts(out: &mut impl Writer, texts: &[&str]) {
    out.write_length(texts.len());
    for text in texts {
        out.write_ustring(text);
    }
}

fn write_multi(out: &mut impl ReplyWriter, results: &[MultiResult<'_>]) {
    for result in results {
        match result {
            MultiResult::Create(path) => {
                write_multi_header(out, OpCode::CREATE, false, NO_ERROR);
                out.write_ustring(path);
            }
            MultiResult::Create2(path, stat) => {
                write_multi_header(out, OpCode::CREATE2, false, NO_ERROR);
                out.write_ustring(path);
                write_stat(out, stat);
            }
            MultiResult::Delete => write_multi_header(out, OpCode::DELETE, false, NO_ERROR),
            MultiResult::SetData(stat) => {
                write_multi_header(out, OpCode::SET_DATA, false, NO_ERROR);
                write_stat(out, stat);
            }
            MultiResult::Check => write_multi_header(out, OpCode::CHECK, false, NO_ERROR),
            MultiResult::Data(data, stat) => {
                write_multi_header(out, OpCode::GET_DATA, false, NO_ERROR);
                out.write_data(*data);
                write_stat(out, stat);
            }
            MultiResult::Children(names) => {
                write_multi_header(out, OpCode::GET_CHILDREN, false, NO_ERROR);
                out.write_names(names);
            }
            MultiResult::Error(error) => {
                let error = error.map_or(NO_ERROR, ErrorCode::number);
                write_multi_header(out, OpCode::ERROR, false, error);
                out.write_int(error);
            }
        }
    }
    write_multi_header(out, OpCode::ERROR, true, -1);
}

fn write_multi_header(out: &mut impl Writer, op_code: OpCode, done: bool, error: i32) {
    out.write_int(op_code.0);
    out.write_bool(done);
    out.write_int(error);
}
