//! Storage form of an entry.
//!
//! An entry is stored as a few bytes, since a server records every message and the oldest entries stay in memory.
//! Requests, replies and watch events are written field by field. All other events are rare and are written as
//! JSON.

use std::borrow::Cow;
use std::sync::Arc;

use super::Entry;
use crate::control::client::Client;
use crate::control::data::Data;
use crate::control::event::Event;
use crate::control::multi_part::MultiPart;
use crate::control::paths::Paths;
use crate::protocol::{ErrorCode, EventType, MemberId, Operation, SessionId, Timestamp, Zxid};

/// Tag of an event that is written as JSON.
const RARE: u8 = 0;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const WATCH_EVENT: u8 = 3;

/// Stands for an unknown operation. A known one is stored as its position in [`Operation::ALL`], counted from 1; the
/// bytes are read by the process that wrote them.
const NO_OPERATION: u32 = 0;
/// No refusal has this number.
const NO_ERROR: i32 = 0;
/// No data, no path, no number.
const NONE: u32 = u32::MAX;

/// Size of all fields of a fixed length, in bytes.
const FIXED: usize = 80;

/// Estimates how many bytes [`encode`] will write.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other events are rare")]
pub(super) fn estimate(client: &Client<'_>, event: &Event<'_>, cap: usize) -> usize {
    let recorded = |data: &Option<Data<'_>>| {
        let data = data.as_ref();
        data.map_or(0, |data| data.begin.len().min(cap))
    };
    let variable = match event {
        Event::Request {
            paths, data, parts, ..
        } => paths.size() + recorded(data) + size_of_parts(parts),
        Event::Reply {
            paths,
            data,
            created,
            parts,
            ..
        } => {
            let created = created.as_ref().map_or(0, |path| path.len());
            paths.size() + recorded(data) + created + size_of_parts(parts)
        }
        Event::WatchEvent { path, .. } => path.len(),
        _ => FIXED,
    };
    FIXED + client.label.map_or(0, |label| label.len()) + variable
}

/// Writes an entry, with at most `cap` bytes of its data.
// Longer than 60 lines: one arm for each stored form.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other events are rare")]
pub(super) fn encode(
    bytes: &mut Vec<u8>,
    now: Timestamp,
    client: &Client<'_>,
    event: &Event<'_>,
    cap: usize,
) {
    let label = client.label.map(|label| &**label);
    // Numbers come first, all at once.
    let head = |tag: u8, flags: u8| {
        let small = u32::from_le_bytes([tag, client.member.0, flags, 0]);
        [
            two(small, label.map_or(NONE, |label| number(label.len()))),
            now.0.cast_unsigned(),
            client.session.0.cast_unsigned(),
            client.connection.0,
        ]
    };
    match event {
        Event::Request {
            xid,
            operation,
            paths,
            watch,
            ephemeral,
            sequential,
            data,
            parts,
        } => {
            let flags = flags_of(*watch, *ephemeral, *sequential, parts);
            let [a, b, c, d] = head(REQUEST, flags);
            let asks = two(xid.cast_unsigned(), operation_number(*operation));
            let length = data_length(data.as_ref(), cap);
            put(bytes, [a, b, c, d, asks, paths_length(paths), length]);
            put_text(bytes, label);
            put_paths(bytes, paths);
            put_data(bytes, data.as_ref(), cap);
            put_parts(bytes, parts, false);
        }
        Event::Reply {
            xid,
            operation,
            paths,
            watch,
            ephemeral,
            sequential,
            zxid,
            error,
            created,
            data,
            children,
            parts,
        } => {
            let flags = flags_of(*watch, *ephemeral, *sequential, parts);
            let [a, b, c, d] = head(REPLY, flags);
            let asks = two(xid.cast_unsigned(), operation_number(*operation));
            let length = data_length(data.as_ref(), cap);
            let error = error.map_or(NO_ERROR, ErrorCode::number).cast_unsigned();
            let result = two(error, children.map_or(NONE, number));
            let created = created.as_deref();
            let created_length = created.map_or(NONE, |path| number(path.len()));
            put(
                bytes,
                [
                    a,
                    b,
                    c,
                    d,
                    asks,
                    paths_length(paths),
                    length,
                    zxid.0.cast_unsigned(),
                    result,
                    u64::from(created_length),
                ],
            );
            put_text(bytes, label);
            put_paths(bytes, paths);
            put_data(bytes, data.as_ref(), cap);
            put_text(bytes, created);
            put_parts(bytes, parts, true);
        }
        Event::WatchEvent {
            event_type,
            path,
            zxid,
        } => {
            let [a, b, c, d] = head(WATCH_EVENT, 0);
            let event_type = u64::from(event_type.number().cast_unsigned());
            put(bytes, [a, b, c, d, zxid.0.cast_unsigned(), event_type]);
            put_text(bytes, label);
            bytes.extend_from_slice(path.as_bytes());
        }
        rare => {
            put(bytes, head(RARE, 0));
            put_text(bytes, label);
            put_json(bytes, rare, cap);
        }
    }
}

/// Writes a rare event as JSON.
fn put_json(bytes: &mut Vec<u8>, event: &Event<'_>, cap: usize) {
    let written = if let Event::Wrote {
        operation,
        paths,
        data: Some(data),
        zxid,
        error,
    } = event
    {
        let capped = Event::Wrote {
            operation: *operation,
            paths: paths.borrow(),
            data: Some(data.capped(cap)),
            zxid: *zxid,
            error: *error,
        };
        serde_json::to_writer(bytes, &capped)
    } else {
        serde_json::to_writer(bytes, event)
    };
    debug_assert!(written.is_ok(), "{event:?} can be written: {written:?}");
}

/// Flags of an entry, a bit each.
const WATCH: u8 = 1;
const EPHEMERAL: u8 = 2;
const SEQUENTIAL: u8 = 4;
/// The entry has parts, which follow at the end.
const PARTS: u8 = 8;
/// The part has a path.
const PATH: u8 = 16;

fn flag(is: bool, flag: u8) -> u8 {
    if is { flag } else { 0 }
}

fn flags_of(watch: bool, ephemeral: bool, sequential: bool, parts: &[MultiPart<'_>]) -> u8 {
    flag(watch, WATCH)
        | flag(ephemeral, EPHEMERAL)
        | flag(sequential, SEQUENTIAL)
        | flag(!parts.is_empty(), PARTS)
}

/// Maximum number of bytes that the parts take.
fn size_of_parts(parts: &[MultiPart<'_>]) -> usize {
    let created = parts.iter().filter_map(|part| part.created.as_ref());
    (1 + 3 * parts.len()) * size_of::<u32>() + created.map(|path| path.len()).sum::<usize>()
}

/// Writes the operations of a multi, if it is one: their number, then each of them. In a reply each has its result.
/// Their paths are among those of the entry.
fn put_parts(bytes: &mut Vec<u8>, parts: &[MultiPart<'_>], with_results: bool) {
    if parts.is_empty() {
        return;
    }
    let put = |bytes: &mut Vec<u8>, number: u32| bytes.extend_from_slice(&number.to_le_bytes());
    put(bytes, number(parts.len()));
    for part in parts {
        let flags = flag(part.ephemeral, EPHEMERAL)
            | flag(part.sequential, SEQUENTIAL)
            | flag(part.path.is_some(), PATH);
        // The number of an operation fits one byte.
        put(
            bytes,
            operation_number(part.operation) | u32::from(flags) << 8,
        );
        if with_results {
            let error = part.error.map_or(NO_ERROR, ErrorCode::number);
            let created = part.created.as_deref();
            put(bytes, error.cast_unsigned());
            put(bytes, created.map_or(NONE, |path| number(path.len())));
            put_text(bytes, created);
        }
    }
}

impl Entry {
    /// Makes the entry of an event that passes now. The event is encoded and decoded: this is the one conversion
    /// from an event that borrows to one that owns its data.
    pub(super) fn of(
        number: u64,
        started: Timestamp,
        now: Timestamp,
        client: &Client<'_>,
        event: &Event<'_>,
    ) -> Self {
        let mut bytes = Vec::new();
        encode(&mut bytes, now, client, event, usize::MAX);
        decode(&bytes, number, started).expect("an encoded entry can be decoded")
    }
}

/// Reads an entry that [`encode`] wrote; `None` if the bytes are none.
pub(super) fn decode(bytes: &[u8], number: u64, started: Timestamp) -> Option<Entry> {
    let mut rest = Rest(bytes);
    let (small, label) = rest.two()?;
    let [tag, member, flags, _] = small.to_le_bytes();
    let time = Timestamp(rest.word()?.cast_signed());
    let session = SessionId(rest.word()?.cast_signed());
    let connection = rest.word()?;
    let (label, event) = match tag {
        REQUEST => rest.request(label, flags)?,
        REPLY => rest.reply(label, flags)?,
        WATCH_EVENT => rest.watch_event(label)?,
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
        event,
    })
}

fn operation_number(operation: Option<Operation>) -> u32 {
    operation.map_or(NO_OPERATION, |operation| operation as u32 + 1)
}

fn operation_of(number: u32) -> Option<Operation> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    Operation::ALL.get(at).copied()
}

/// Two short numbers as a long one.
fn two(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Length of data, and number of its bytes that are recorded.
fn data_length(data: Option<&Data<'_>>, cap: usize) -> u64 {
    data.map_or(two(NONE, 0), |data| {
        two(number(data.length), number(data.begin.len().min(cap)))
    })
}

/// Number of paths, and length of their text.
fn paths_length(paths: &Paths<'_>) -> u64 {
    two(number(paths.len()), number(paths.text().len()))
}

fn put<const N: usize>(bytes: &mut Vec<u8>, words: [u64; N]) {
    bytes.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    if let Some(text) = text {
        bytes.extend_from_slice(text.as_bytes());
    }
}

fn put_data(bytes: &mut Vec<u8>, data: Option<&Data<'_>>, cap: usize) {
    if let Some(data) = data {
        bytes.extend_from_slice(data.begin.get(..cap).unwrap_or(&data.begin));
    }
}

/// Writes the text of all paths; before it the end of each path, unless there is only one.
fn put_paths(bytes: &mut Vec<u8>, paths: &Paths<'_>) {
    if paths.len() > 1 {
        for end in paths.ends() {
            bytes.extend_from_slice(&number(*end).to_le_bytes());
        }
    }
    bytes.extend_from_slice(paths.text().as_bytes());
}

/// A length as it is stored. Everything that is counted here came in one frame, which is far shorter.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE - 1)
}

/// Bytes that are not read yet.
struct Rest<'b>(&'b [u8]);

/// Label and event of an entry.
type Read<'b> = (Option<&'b str>, Event<'static>);

impl<'b> Rest<'b> {
    fn request(&mut self, label: u32, flags: u8) -> Option<Read<'b>> {
        let (xid, asks) = self.two()?;
        let (count, paths) = self.two()?;
        let (length, recorded) = self.two()?;
        let label = self.text(label)?;
        let paths = self.paths(count, paths)?;
        let event = Event::Request {
            xid: xid.cast_signed(),
            operation: operation_of(asks),
            watch: flags & WATCH != 0,
            ephemeral: flags & EPHEMERAL != 0,
            sequential: flags & SEQUENTIAL != 0,
            data: self.data(length, recorded)?,
            parts: self.parts(flags, &paths, false)?,
            paths,
        };
        Some((label, event))
    }

    fn reply(&mut self, label: u32, flags: u8) -> Option<Read<'b>> {
        let (xid, asks) = self.two()?;
        let (count, paths) = self.two()?;
        let (length, recorded) = self.two()?;
        let zxid = Zxid(self.word()?.cast_signed());
        let (error, children) = self.two()?;
        let (created, _) = self.two()?;
        let label = self.text(label)?;
        let paths = self.paths(count, paths)?;
        let event = Event::Reply {
            xid: xid.cast_signed(),
            operation: operation_of(asks),
            watch: flags & WATCH != 0,
            ephemeral: flags & EPHEMERAL != 0,
            sequential: flags & SEQUENTIAL != 0,
            zxid,
            error: ErrorCode::from_number(error.cast_signed()),
            data: self.data(length, recorded)?,
            created: self.owned_text(created)?,
            children: length_of(children),
            parts: self.parts(flags, &paths, true)?,
            paths,
        };
        Some((label, event))
    }

    fn watch_event(&mut self, label: u32) -> Option<Read<'b>> {
        let zxid = Zxid(self.word()?.cast_signed());
        let (event_type, _) = self.two()?;
        let label = self.text(label)?;
        let event = Event::WatchEvent {
            event_type: EventType::from_number(event_type.cast_signed())?,
            path: Cow::Owned(std::str::from_utf8(self.0).ok()?.to_owned()),
            zxid,
        };
        Some((label, event))
    }

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
        reason = "the outer one is `None` if the bytes end too early"
    )]
    fn text(&mut self, length: u32) -> Option<Option<&'b str>> {
        match length_of(length) {
            None => Some(None),
            Some(length) => std::str::from_utf8(self.bytes(length)?).ok().map(Some),
        }
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is `None` if the bytes end too early"
    )]
    fn owned_text(&mut self, length: u32) -> Option<Option<Cow<'static, str>>> {
        let text = self.text(length)?;
        Some(text.map(|text| Cow::Owned(text.to_owned())))
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is `None` if the bytes end too early"
    )]
    fn data(&mut self, length: u32, recorded: u32) -> Option<Option<Data<'static>>> {
        let Some(length) = length_of(length) else {
            return Some(None);
        };
        let begin = Cow::Owned(self.bytes(length_of(recorded)?)?.to_vec());
        Some(Some(Data { length, begin }))
    }

    /// Reads the bytes of [`put_parts`].
    fn parts(
        &mut self,
        flags: u8,
        paths: &Paths<'_>,
        with_results: bool,
    ) -> Option<Vec<MultiPart<'static>>> {
        if flags & PARTS == 0 {
            return Some(Vec::new());
        }
        let mut paths = paths.iter();
        let count = self.short()?;
        let parts = (0..count).map(|_| {
            let [operation, flags, ..] = self.short()?.to_le_bytes();
            let mut part = MultiPart {
                operation: operation_of(u32::from(operation)),
                ephemeral: flags & EPHEMERAL != 0,
                sequential: flags & SEQUENTIAL != 0,
                ..MultiPart::default()
            };
            if flags & PATH != 0 {
                part.path = Some(Cow::Owned(paths.next()?.to_owned()));
            }
            if with_results {
                part.error = ErrorCode::from_number(self.short()?.cast_signed());
                let created = self.short()?;
                part.created = self.owned_text(created)?;
            }
            Some(part)
        });
        parts.collect()
    }

    fn paths(&mut self, count: u32, length: u32) -> Option<Paths<'static>> {
        let length = length_of(length)?;
        let ends: Vec<usize> = match count {
            0 => Vec::new(),
            1 => vec![length],
            _ => {
                let ends = (0..count).map(|_| length_of(self.short()?));
                ends.collect::<Option<_>>()?
            }
        };
        let text = std::str::from_utf8(self.bytes(length)?).ok()?;
        Some(Paths::new(text.to_owned(), ends))
    }
}

/// Length that is stored; `None` if there is nothing.
fn length_of(length: u32) -> Option<usize> {
    usize::try_from(length).ok().filter(|_| length != NONE)
}

#[cfg(test)]
mod tests;
