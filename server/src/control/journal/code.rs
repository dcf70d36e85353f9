//! An entry as bytes. What passes all the time, requests, replies and events, is written field by field; what is rare is
//! written as JSON.

use std::sync::Arc;

use super::{Data, Entry, MultiPart, What};
use crate::control::sight::{Asked, Outcomes, Sight, Who};
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
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else passes is rare"
)]
pub(crate) fn about(who: Option<&Who<'_>>, sight: &Sight<'_>, cap: usize) -> usize {
    let label = who.and_then(|who| who.listener_id.label.as_deref());
    let kept = |data: &Option<&[u8]>| data.map_or(0, |data| data.len().min(cap));
    let what = match sight {
        Sight::Request { asked, data, .. } => {
            asked.size() + kept(data) + size_of_parts(asked, Outcomes::None)
        }
        Sight::Reply {
            asked,
            data,
            created,
            outcomes,
            ..
        } => {
            let created = created.map_or(0, str::len);
            asked.size() + kept(data) + created + size_of_parts(asked, *outcomes)
        }
        Sight::Event { path, .. } => path.len(),
        _ => ABOUT,
    };
    ABOUT + label.map_or(0, str::len) + what
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else passes is rare"
)]
pub(crate) fn encode(
    bytes: &mut Vec<u8>,
    now: Timestamp,
    who: Option<&Who<'_>>,
    sight: &Sight<'_>,
    cap: usize,
) {
    let session = sight.session().or(who.map(|who| who.session));
    let session = session.unwrap_or_default();
    let label = who.and_then(|who| who.listener_id.label.as_deref());
    // Numbers go first, all at once.
    let head = |tag: u8, flags: u8| {
        let member = who.map_or(MemberId::ALONE, |who| who.listener_id.member);
        let small = u32::from_le_bytes([tag, member.0, flags, 0]);
        [
            two(small, label.map_or(NONE, |label| number(label.len()))),
            now.0.cast_unsigned(),
            session.0.cast_unsigned(),
            who.map_or(0, |who| who.connection.0),
        ]
    };
    match sight {
        Sight::Request { xid, asked, data } => {
            let [a, b, c, d] = head(REQUEST, flags_of(asked));
            let (asks, paths) = numbers_of(asked);
            put(
                bytes,
                [
                    a,
                    b,
                    c,
                    d,
                    two(xid.0.cast_unsigned(), asks),
                    paths,
                    kept(*data, cap),
                ],
            );
            put_text(bytes, label);
            put_paths(bytes, asked);
            put_data(bytes, *data, cap);
            put_parts(bytes, asked, None);
        }
        Sight::Reply {
            xid,
            zxid,
            asked,
            error,
            created,
            data,
            children,
            outcomes,
        } => {
            let [a, b, c, d] = head(REPLY, flags_of(asked));
            let (asks, paths) = numbers_of(asked);
            let error = error.map_or(NO_ERROR, ErrorCode::number).cast_unsigned();
            let children = children.map_or(NONE, number);
            let created_length = created.map_or(NONE, |path| number(path.len()));
            put(
                bytes,
                [
                    a,
                    b,
                    c,
                    d,
                    two(xid.0.cast_unsigned(), asks),
                    paths,
                    kept(*data, cap),
                    zxid.0.cast_unsigned(),
                    two(error, children),
                    u64::from(created_length),
                ],
            );
            put_text(bytes, label);
            put_paths(bytes, asked);
            put_data(bytes, *data, cap);
            put_text(bytes, *created);
            put_parts(bytes, asked, Some(*outcomes));
        }
        Sight::Event {
            zxid,
            event_type,
            path,
        } => {
            let [a, b, c, d] = head(EVENT, 0);
            let event_type = event_type.number().cast_unsigned();
            put(
                bytes,
                [a, b, c, d, zxid.0.cast_unsigned(), u64::from(event_type)],
            );
            put_text(bytes, label);
            bytes.extend_from_slice(path.as_bytes());
        }
        _ => {
            put(bytes, head(RARE, 0));
            put_text(bytes, label);
            let written = serde_json::to_writer(&mut *bytes, &What::of(sight, cap));
            debug_assert!(written.is_ok(), "{sight:?} can be written: {written:?}");
        }
    }
}

/// What a request asks for, a bit each.
const WATCH: u8 = 1;
const EPHEMERAL: u8 = 2;
const SEQUENTIAL: u8 = 4;
/// The entry has parts, which follow at the end.
const PARTS: u8 = 8;
/// The part has a path.
const PATH: u8 = 16;

fn flags_of(asked: &Asked) -> u8 {
    let flag = |is, flag| if is { flag } else { 0 };
    flag(asked.watch, WATCH)
        | flag(asked.ephemeral, EPHEMERAL)
        | flag(asked.sequential, SEQUENTIAL)
        | flag(!asked.parts().is_empty(), PARTS)
}

/// Maximum number of bytes that the parts take.
fn size_of_parts(asked: &Asked, outcomes: Outcomes<'_>) -> usize {
    let count = asked.parts().len();
    let created = (0..count).filter_map(|at| outcomes.created(at));
    (1 + 3 * count) * size_of::<u32>() + created.map(str::len).sum::<usize>()
}

/// Writes the operations of a multi, if it is one: their number, then each of them. In a reply each has its result.
fn put_parts(bytes: &mut Vec<u8>, asked: &Asked, outcomes: Option<Outcomes<'_>>) {
    if asked.parts().is_empty() {
        return;
    }
    let put = |bytes: &mut Vec<u8>, number: u32| bytes.extend_from_slice(&number.to_le_bytes());
    put(bytes, number(asked.parts().len()));
    for (at, part) in asked.parts().iter().enumerate() {
        let operation = part.operation.map_or(NO_OPERATION, |it| OpCode::from(it).0);
        let flag = |is, flag| if is { flag } else { 0 };
        let flags = flag(part.ephemeral, EPHEMERAL)
            | flag(part.sequential, SEQUENTIAL)
            | flag(asked.path_of(*part).is_some(), PATH);
        // Every operation that a multi can contain has a number of one byte.
        put(bytes, operation.cast_unsigned() | u32::from(flags) << 8);
        if let Some(outcomes) = outcomes {
            let error = outcomes.error(at).map_or(NO_ERROR, ErrorCode::number);
            let created = outcomes.created(at);
            put(bytes, error.cast_unsigned());
            put(bytes, created.map_or(NONE, |path| number(path.len())));
            put_text(bytes, created);
        }
    }
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8], number: u64, started: Timestamp) -> Option<Entry> {
    let mut rest = Rest(bytes);
    let (small, label) = rest.two()?;
    let [tag, member, flags, _] = small.to_le_bytes();
    let time = Timestamp(rest.word()?.cast_signed());
    let session = SessionId(rest.word()?.cast_signed());
    let connection = rest.word()?;
    let (label, what) = match tag {
        REQUEST => {
            let (xid, asks) = rest.two()?;
            let (count, paths) = rest.two()?;
            let (length, kept) = rest.two()?;
            let label = rest.text(label)?;
            let paths = rest.paths(count, paths)?;
            let what = What::Request {
                xid: xid.cast_signed(),
                operation: OpCode(asks.cast_signed()).operation(),
                watch: flags & WATCH != 0,
                ephemeral: flags & EPHEMERAL != 0,
                sequential: flags & SEQUENTIAL != 0,
                data: rest.data(length, kept)?,
                parts: rest.parts(flags, &paths, false)?,
                paths,
            };
            (label, what)
        }
        REPLY => {
            let (xid, asks) = rest.two()?;
            let (count, paths) = rest.two()?;
            let (length, kept) = rest.two()?;
            let zxid = Zxid(rest.word()?.cast_signed());
            let (error, children) = rest.two()?;
            let (created, _) = rest.two()?;
            let label = rest.text(label)?;
            let paths = rest.paths(count, paths)?;
            let what = What::Reply {
                xid: xid.cast_signed(),
                operation: OpCode(asks.cast_signed()).operation(),
                watch: flags & WATCH != 0,
                ephemeral: flags & EPHEMERAL != 0,
                sequential: flags & SEQUENTIAL != 0,
                zxid,
                error: ErrorCode::from_number(error.cast_signed()),
                data: rest.data(length, kept)?,
                created: rest.text(created)?.map(str::to_owned),
                children: length_of(children),
                parts: rest.parts(flags, &paths, true)?,
                paths,
            };
            (label, what)
        }
        EVENT => {
            let zxid = Zxid(rest.word()?.cast_signed());
            let (event_type, _) = rest.two()?;
            let label = rest.text(label)?;
            let what = What::Event {
                zxid,
                event_type: EventType::from_number(event_type.cast_signed())?,
                path: std::str::from_utf8(rest.0).ok()?.to_owned(),
            };
            (label, what)
        }
        _ => {
            let label = rest.text(label)?;
            (label, serde_json::from_slice(rest.0).ok()?)
        }
    };
    Some(Entry {
        number,
        time,
        elapsed_ms: u64::try_from(time.since(started).as_millis()).unwrap_or(u64::MAX),
        connection: Some(connection).filter(|connection| *connection != 0),
        session: Some(session).filter(|session| *session != SessionId::NONE),
        label: label.map(Arc::from),
        member: MemberId(member),
        what,
    })
}

/// Two short numbers as a long one.
fn two(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// How long data is, and how much of it is kept.
fn kept(data: Option<&[u8]>, cap: usize) -> u64 {
    data.map_or(two(NONE, 0), |data| {
        two(number(data.len()), number(data.len().min(cap)))
    })
}

/// The operation; how many paths there are, and how long they are together.
fn numbers_of(asked: &Asked) -> (u32, u64) {
    let operation = asked.operation.map(OpCode::from);
    let operation = operation.map_or(NO_OPERATION, |code| code.0);
    let paths = two(number(asked.ends().len()), number(asked.text().len()));
    (operation.cast_unsigned(), paths)
}

fn put<const N: usize>(bytes: &mut Vec<u8>, words: [u64; N]) {
    bytes.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    if let Some(text) = text {
        bytes.extend_from_slice(text.as_bytes());
    }
}

fn put_data(bytes: &mut Vec<u8>, data: Option<&[u8]>, cap: usize) {
    if let Some(data) = data {
        bytes.extend_from_slice(data.get(..cap).unwrap_or(data));
    }
}

/// The paths one after the other; before them where each ends, unless there is one alone.
fn put_paths(bytes: &mut Vec<u8>, asked: &Asked) {
    if asked.ends().len() > 1 {
        for end in asked.ends() {
            bytes.extend_from_slice(&number(*end).to_le_bytes());
        }
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
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn two(&mut self) -> Option<(u32, u32)> {
        let low = self.short()?;
        Some((low, self.short()?))
    }

    fn short(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says that the bytes ended"
    )]
    fn text(&mut self, length: u32) -> Option<Option<&'b str>> {
        match length_of(length) {
            None => Some(None),
            Some(length) => std::str::from_utf8(self.bytes(length)?).ok().map(Some),
        }
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says that the bytes ended"
    )]
    fn data(&mut self, length: u32, kept: u32) -> Option<Option<Data>> {
        let Some(length) = length_of(length) else {
            return Some(None);
        };
        let begin = self.bytes(length_of(kept)?)?.to_vec();
        Some(Some(Data { length, begin }))
    }

    /// Reads the bytes of [`put_parts`].
    fn parts(&mut self, flags: u8, paths: &[String], with_results: bool) -> Option<Vec<MultiPart>> {
        if flags & PARTS == 0 {
            return Some(Vec::new());
        }
        let mut paths = paths.iter();
        let count = self.short()?;
        let parts = (0..count).map(|_| {
            let [operation, flags, ..] = self.short()?.to_le_bytes();
            let mut part = MultiPart {
                operation: OpCode(i32::from(operation)).suboperation(),
                ephemeral: flags & EPHEMERAL != 0,
                sequential: flags & SEQUENTIAL != 0,
                ..MultiPart::default()
            };
            if flags & PATH != 0 {
                part.path = Some(paths.next()?.clone());
            }
            if with_results {
                part.error = ErrorCode::from_number(self.short()?.cast_signed());
                let created = self.short()?;
                part.created = self.text(created)?.map(str::to_owned);
            }
            Some(part)
        });
        parts.collect()
    }

    fn paths(&mut self, count: u32, length: u32) -> Option<Vec<String>> {
        let ends = match count {
            0 => Vec::new(),
            1 => vec![length],
            _ => (0..count).map(|_| self.short()).collect::<Option<_>>()?,
        };
        let text = std::str::from_utf8(self.bytes(length_of(length)?)?).ok()?;
        let mut begin = 0;
        let paths = ends.into_iter().map(|end| {
            let end = length_of(end)?;
            let path = text.get(begin..end)?;
            begin = end;
            Some(path.to_owned())
        });
        paths.collect()
    }
}

/// A length, unless it says that there is nothing.
fn length_of(length: u32) -> Option<usize> {
    usize::try_from(length).ok().filter(|_| length != NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Fault, HeldMessage, ListenerId};
    use crate::keeper::{CloseReason, ConnectionId};
    use crate::protocol::{MultiResult, Operation, Xid};

    fn check(sight: &Sight<'_>) -> Entry {
        let listener_id = ListenerId {
            label: Some(Arc::from("wörker")),
            member: MemberId(3),
        };
        let who = Who {
            connection: ConnectionId(7),
            session: SessionId(0x100),
            listener_id: &listener_id,
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
        let part = |operation, path: Option<&str>| MultiPart {
            operation,
            path: path.map(str::to_owned),
            ..MultiPart::default()
        };
        asked.set_parts(&[
            part(Some(Operation::Check), Some("/a")),
            MultiPart {
                ephemeral: true,
                sequential: true,
                ..part(Some(Operation::CreateTtl), Some(""))
            },
            part(None, None),
            part(Some(Operation::Create2), Some("/ü/b")),
        ]);
        let results = [
            MultiResult::Check,
            MultiResult::Create("/a0000000001".into()),
            MultiResult::Error(Some(ErrorCode::NoNode)),
            MultiResult::Error(None),
        ];
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
                    outcomes: match error {
                        Some(_) => Outcomes::None,
                        None => Outcomes::Results(&results),
                    },
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
        check(&Sight::Held {
            item: 3,
            message: &HeldMessage::Reply {
                operation: None,
                paths: vec!["/ü".to_owned()],
                zxid: Zxid(7),
            },
        });
        check(&Sight::Released {
            item: 3,
            message: &HeldMessage::Connected,
        });
        check(&Sight::Clock {
            from: Timestamp(1),
            to: Timestamp(i64::MAX),
        });
    }
}
