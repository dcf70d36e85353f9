//! An entry as bytes. What passes all the time, requests, replies and events, is written field by field; what is rare is
//! written as JSON.

use std::sync::Arc;

use super::{Data, Entry, What};
use crate::net::sight::{Asked, Sight, Who};
use crate::protocol::{ErrorCode, EventType, MemberId, SessionId, Timestamp, Zxid};
use crate::wire::OpCode;

/// What follows the head of an entry.
const RARE: u8 = 0;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const EVENT: u8 = 3;

/// No operation has this number.
const NO_OPERATION: i32 = 0;
/// No refusal has this number.
const NO_ERROR: i32 = 0;
/// No data, no path, no number.
const NONE: u32 = u32::MAX;

/// Everything of an entry that is of one length.
const ABOUT: usize = 80;

/// About how many bytes [`encode`] will write.
pub(super) fn about(who: Option<&Who<'_>>, sight: &Sight<'_>, cap: usize) -> usize {
    let label = who.and_then(|who| who.entrance.label.as_deref());
    let what = match sight {
        Sight::Request { asked, data, .. } => {
            asked.size() + data.map_or(0, |data| data.len().min(cap))
        }
        Sight::Reply {
            asked,
            data,
            created,
            ..
        } => {
            asked.size() + data.map_or(0, |data| data.len().min(cap)) + created.map_or(0, str::len)
        }
        Sight::Event { path, .. } => path.len(),
        _ => ABOUT,
    };
    ABOUT + label.map_or(0, str::len) + what
}

pub(super) fn encode(
    bytes: &mut Vec<u8>,
    now: Timestamp,
    who: Option<&Who<'_>>,
    sight: &Sight<'_>,
    cap: usize,
) {
    let tag = match sight {
        Sight::Request { .. } => REQUEST,
        Sight::Reply { .. } => REPLY,
        Sight::Event { .. } => EVENT,
        _ => RARE,
    };
    let session = sight.session().or(who.map(|who| who.session));
    bytes.push(tag);
    put_i64(bytes, now.0);
    put_i64(bytes, session.unwrap_or_default().0);
    match who {
        None => put_u64(bytes, 0),
        Some(who) => {
            put_u64(bytes, who.connection.0);
            bytes.push(who.entrance.member.0);
            put_text(bytes, who.entrance.label.as_deref());
        }
    }
    match sight {
        Sight::Request { xid, asked, data } => {
            put_i32(bytes, xid.0);
            put_asked(bytes, asked);
            bytes.push(u8::from(asked.watch));
            put_data(bytes, *data, cap);
        }
        Sight::Reply {
            xid,
            zxid,
            asked,
            error,
            created,
            data,
            children,
        } => {
            put_i32(bytes, xid.0);
            put_asked(bytes, asked);
            put_i64(bytes, zxid.0);
            put_i32(bytes, error.map_or(NO_ERROR, ErrorCode::number));
            put_text(bytes, *created);
            put_data(bytes, *data, cap);
            put_u32(bytes, children.map_or(NONE, number));
        }
        Sight::Event {
            zxid,
            event_type,
            path,
        } => {
            put_i64(bytes, zxid.0);
            put_i32(bytes, event_type.number());
            bytes.extend_from_slice(path.as_bytes());
        }
        _ => {
            let written = serde_json::to_writer(&mut *bytes, &What::of(sight, cap));
            debug_assert!(written.is_ok(), "{sight:?} can be written: {written:?}");
        }
    }
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &[u8], number: u64, started: Timestamp) -> Option<Entry> {
    let mut rest = Rest(bytes);
    let tag = rest.byte()?;
    let time = Timestamp(rest.i64()?);
    let session = Some(SessionId(rest.i64()?)).filter(|session| *session != SessionId::NONE);
    let connection = Some(rest.u64()?).filter(|connection| *connection != 0);
    let (mut member, mut label) = (MemberId::ALONE, None);
    if connection.is_some() {
        member = MemberId(rest.byte()?);
        label = rest.text()?.map(Arc::from);
    }
    let what = match tag {
        REQUEST => {
            let xid = rest.i32()?;
            let (operation, paths) = rest.asked()?;
            What::Request {
                xid,
                operation,
                paths,
                watch: rest.byte()? != 0,
                data: rest.data()?,
            }
        }
        REPLY => {
            let xid = rest.i32()?;
            let (operation, paths) = rest.asked()?;
            What::Reply {
                xid,
                operation,
                paths,
                zxid: Zxid(rest.i64()?),
                error: ErrorCode::from_number(rest.i32()?),
                created: rest.text()?.map(str::to_owned),
                data: rest.data()?,
                children: rest.length()?,
            }
        }
        EVENT => What::Event {
            zxid: Zxid(rest.i64()?),
            event_type: EventType::from_number(rest.i32()?)?,
            path: std::str::from_utf8(rest.0).ok()?.to_owned(),
        },
        _ => serde_json::from_slice(rest.0).ok()?,
    };
    Some(Entry {
        number,
        time,
        elapsed_ms: u64::try_from(time.since(started).as_millis()).unwrap_or(u64::MAX),
        connection,
        session,
        label,
        member,
        what,
    })
}

fn put_i32(bytes: &mut Vec<u8>, value: i32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_i64(bytes: &mut Vec<u8>, value: i64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    put_u32(bytes, text.map_or(NONE, |text| number(text.len())));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn put_data(bytes: &mut Vec<u8>, data: Option<&[u8]>, cap: usize) {
    put_u32(bytes, data.map_or(NONE, |data| number(data.len())));
    if let Some(data) = data {
        let kept = data.get(..cap).unwrap_or(data);
        put_u32(bytes, number(kept.len()));
        bytes.extend_from_slice(kept);
    }
}

fn put_asked(bytes: &mut Vec<u8>, asked: &Asked) {
    let operation = asked.operation.map(OpCode::from);
    put_i32(bytes, operation.map_or(NO_OPERATION, |code| code.0));
    put_u32(bytes, number(asked.ends().len()));
    let mut begin = 0;
    for end in asked.ends() {
        put_u32(bytes, number(end - begin));
        begin = *end;
    }
    bytes.extend_from_slice(asked.text().as_bytes());
}

/// Whatever is counted here came in one frame, which is far shorter.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE - 1)
}

/// What is not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(chunk)
    }

    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|[byte]| *byte)
    }

    fn i32(&mut self) -> Option<i32> {
        self.chunk().copied().map(i32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.chunk().copied().map(i64::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().copied().map(u64::from_le_bytes)
    }

    /// A length, or none.
    #[expect(
        clippy::option_option,
        reason = "the outer one says that the bytes ended"
    )]
    fn length(&mut self) -> Option<Option<usize>> {
        let length = self.chunk().copied().map(u32::from_le_bytes)?;
        if length == NONE {
            return Some(None);
        }
        usize::try_from(length).ok().map(Some)
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says that the bytes ended"
    )]
    fn text(&mut self) -> Option<Option<&'b str>> {
        match self.length()? {
            None => Some(None),
            Some(length) => std::str::from_utf8(self.bytes(length)?).ok().map(Some),
        }
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says that the bytes ended"
    )]
    fn data(&mut self) -> Option<Option<Data>> {
        let Some(length) = self.length()? else {
            return Some(None);
        };
        let kept = self.length()??;
        let begin = self.bytes(kept)?.to_vec();
        Some(Some(Data { length, begin }))
    }

    fn asked(&mut self) -> Option<(Option<crate::protocol::Operation>, Vec<String>)> {
        let operation = OpCode(self.i32()?).operation();
        let count = self.length()??;
        let lengths = (0..count).map(|_| self.length()?);
        let lengths: Vec<usize> = lengths.collect::<Option<_>>()?;
        let paths = lengths.into_iter().map(|length| {
            let path = std::str::from_utf8(self.bytes(length)?).ok()?;
            Some(path.to_owned())
        });
        Some((operation, paths.collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::{CloseReason, ConnectionId};
    use crate::net::{Entrance, Fault};
    use crate::protocol::{Operation, Xid};

    fn check(sight: &Sight<'_>) -> Entry {
        let entrance = Entrance {
            label: Some(Arc::from("wörker")),
            member: MemberId(3),
        };
        let who = Who {
            connection: ConnectionId(7),
            session: SessionId(0x100),
            entrance: &entrance,
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, Timestamp(1_250), Some(&who), sight, 4);
        let entry = decode(&bytes, 17, Timestamp(1_000)).expect("it can be read");
        assert_eq!(entry.what, What::of(sight, 4));
        let about = about(Some(&who), sight, 4);
        assert!(bytes.len() <= about || bytes[0] == RARE, "{sight:?}");
        let json = serde_json::to_string(&entry).unwrap();
        let again: Entry =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        assert_eq!(again, entry);
        let Entry {
            number,
            time,
            elapsed_ms,
            connection,
            label,
            member,
            ..
        } = &entry;
        assert_eq!((*number, *time, *elapsed_ms), (17, Timestamp(1_250), 250));
        assert_eq!((*connection, *member), (Some(7), MemberId(3)));
        assert_eq!(label.as_deref(), Some("wörker"));
        for end in 0..bytes.len() {
            let _ = decode(&bytes[..end], 17, Timestamp(0));
        }
        entry
    }

    #[test]
    fn whatever_passes_can_be_read_again() {
        let mut asked = Asked::default();
        asked.set(
            Some(Operation::Multi),
            &["/a".to_owned(), String::new(), "/ü/b".to_owned()],
        );
        for data in [None, Some(&b""[..]), Some(b"abc\xff"), Some(b"abcdef")] {
            let xid = Xid(-9);
            check(&Sight::Request {
                xid,
                asked: &asked,
                data,
            });
            for (error, created, children) in [
                (None, Some("/a0000000001"), Some(0)),
                (Some(ErrorCode::NodeExists), None, None),
            ] {
                check(&Sight::Reply {
                    xid,
                    zxid: Zxid(1 << 40),
                    asked: &asked,
                    error,
                    created,
                    data,
                    children,
                });
            }
        }
        check(&Sight::Event {
            zxid: Zxid(5),
            event_type: EventType::NodeChildrenChanged,
            path: "/ü",
        });
        let ended = check(&Sight::SessionEnded {
            session: SessionId(0x200),
            zxid: Zxid(9),
            deleted: &["/a".into()],
            expired: true,
        });
        assert_eq!(ended.session, Some(SessionId(0x200)));
        check(&Sight::Closing {
            reason: CloseReason::TakenOver,
        });
        check(&Sight::Fault {
            name: "a \"name\"",
            fault: &Fault::DropBefore,
        });
        check(&Sight::Clock {
            from: Timestamp(1),
            to: Timestamp(i64::MAX),
        });
    }
}
