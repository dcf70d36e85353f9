//! Bytes that a connection is to write: copied ones, data shared with znodes, and answers that are still being made.
//!
//! An answer that would take long, such as a list of a million children, is made here a part at a time, after its
//! turn at the lock. Only the part that the socket takes next is in memory.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::jute::{Length, Writer};
use crate::protocol::{Cursor, LongCount, LongList, Message, Names};
use crate::wire::{self, ReplyWriter};

/// Minimum number of bytes from which on data is shared with its znode and not copied.
const SHARED_FROM: usize = 16 << 10;

/// Capacity above which an empty buffer is freed, in bytes.
pub(super) const LARGEST_BUFFER: usize = 64 << 10;

/// Number of names, or of watches, in one part of a long answer.
pub(super) const PART: usize = 1000;

/// Number of pieces that one write hands to the socket.
pub(super) const SLICES: usize = 8;

/// Number of unread bytes of answers that all connections together may have, not counting one answer of each.
const ALL_UNREAD: usize = 32 << 20;

/// Smallest share of a connection, in bytes: where there are very many.
pub(super) const LEAST_SHARE: usize = 16 << 10;

/// Largest share of a connection, in bytes: where there are few.
const MOST_SHARE: usize = 1 << 20;

/// Number of unread bytes up to which a connection is read, and of bytes that it may write before the others have
/// their turn.
pub(super) fn share_of(connections: usize) -> usize {
    (ALL_UNREAD / connections.max(1)).clamp(LEAST_SHARE, MOST_SHARE)
}

/// Answer that takes too long to be made within one turn.
pub(super) trait Long: fmt::Debug + Send {
    /// Appends the next part to `out`, which may stay empty.
    fn work(&mut self, out: &mut BytesMut) -> Progress;

    /// Whether a part shows the state of the moment at which it is made, and not that of the request.
    fn is_live(&self) -> bool;
}

/// Result of making one part of a long answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Whether there are more parts.
    pub(super) has_more: bool,
    /// Length of the whole frame in bytes, once it is known. It is returned once.
    pub(super) frame: Option<usize>,
}

impl Progress {
    /// There are more parts.
    pub(super) const MORE: Self = Self::of(true);

    pub(super) const fn of(has_more: bool) -> Self {
        Self {
            has_more,
            frame: None,
        }
    }
}

/// Part of a long answer that was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EncodedPart {
    /// Whether the part shows the state of this moment.
    pub(super) is_live: bool,
    /// Length of the whole frame in bytes, with the first part of it.
    pub(super) frame: Option<usize>,
}

/// Bytes to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Bytes before those in `tail`.
    pieces: VecDeque<Piece>,
    /// Number of bytes in `pieces` that have been made.
    queued: usize,
    /// Number of pieces that are still being made.
    unmade: usize,
    /// Short answers, which on most connections are nearly all of them.
    tail: Vec<u8>,
    /// Number of bytes at the beginning of `tail` that have been written.
    written: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Shared { data: Arc<[u8]>, written: usize },
    Long(Box<dyn Long>),
}

impl Outgoing {
    /// Number of bytes that have been made.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.queued + self.tail.len() - self.written
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.pieces.is_empty()
    }

    /// Whether no more requests may be answered before some bytes have left.
    #[inline]
    pub(super) fn is_full(&self, share: usize) -> bool {
        self.len() >= share || self.unmade > 0
    }

    /// Appends a frame. Returns its length if it is known already.
    #[inline]
    pub(super) fn encode(&mut self, message: &Message<'_>) -> Option<usize> {
        if wire::has_long_part(message, SHARED_FROM) {
            return self.encode_in_parts(message);
        }
        let before = self.tail.len();
        wire::encode_message(message, &mut self.tail);
        Some(self.tail.len() - before)
    }

    #[cold]
    fn encode_in_parts(&mut self, message: &Message<'_>) -> Option<usize> {
        let mut frame = Frame::default();
        wire::encode_body(message, &mut frame);
        let length = frame.length();
        match length {
            Some(length) => {
                self.tail.write_length(length);
                for part in frame.parts {
                    match part {
                        Part::Bytes(bytes) => self.tail.extend_from_slice(&bytes),
                        Part::Shared(data) => self.push(Piece::Shared { data, written: 0 }),
                        Part::Names(_) | Part::Count(_) => {}
                    }
                }
            }
            None => self.push_long(Box::new(frame)),
        }
        length.map(|length| length + size_of::<i32>())
    }

    /// Appends an answer that is still to be made.
    pub(super) fn push_long(&mut self, long: Box<dyn Long>) {
        self.push(Piece::Long(long));
    }

    fn push(&mut self, piece: Piece) {
        if !self.tail.is_empty() {
            let mut tail = Bytes::from(std::mem::take(&mut self.tail));
            tail.advance(std::mem::take(&mut self.written));
            self.queued += tail.len();
            self.pieces.push_back(Piece::Bytes(tail));
        }
        self.queued += piece.len();
        self.unmade += usize::from(matches!(piece, Piece::Long(_)));
        self.pieces.push_back(piece);
    }

    /// Appends bytes.
    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Exchanges the bytes behind all pieces, of which none has been written, with others.
    pub(super) fn swap(&mut self, bytes: &mut Vec<u8>) {
        debug_assert_eq!(self.written, 0);
        std::mem::swap(&mut self.tail, bytes);
    }

    /// Whether the next bytes are still to be made.
    pub(super) fn is_unencoded(&self) -> bool {
        matches!(self.pieces.front(), Some(Piece::Long(_)))
    }

    /// Extent of the bytes so far, for [`has_grown_since`](Self::has_grown_since).
    pub(super) fn extent(&self) -> (usize, usize) {
        (self.len(), self.unmade)
    }

    /// Whether something was appended since, made or still to be made.
    pub(super) fn has_grown_since(&self, extent: (usize, usize)) -> bool {
        self.len() > extent.0 || self.unmade > extent.1
    }

    /// Makes a part of the next bytes.
    pub(super) fn make_part(&mut self) -> EncodedPart {
        let Some(Piece::Long(mut long)) = self.pieces.pop_front() else {
            return EncodedPart::default();
        };
        let is_live = long.is_live();
        let mut bytes = BytesMut::new();
        let Progress { has_more, frame } = long.work(&mut bytes);
        if has_more {
            self.pieces.push_front(Piece::Long(long));
        } else {
            self.unmade -= 1;
        }
        if !bytes.is_empty() {
            self.queued += bytes.len();
            self.pieces.push_front(Piece::Bytes(bytes.freeze()));
        }
        EncodedPart { is_live, frame }
    }

    /// Gathers the next bytes, at most `most` of them, as slices. Returns the number of slices.
    pub(super) fn slices<'s>(&'s self, most: usize, slices: &mut [IoSlice<'s>; SLICES]) -> usize {
        let mut rest = most;
        let mut count = 0;
        let made = self.pieces.iter().map_while(Piece::bytes).chain(
            (self.unmade == 0)
                .then(|| self.tail.get(self.written..))
                .flatten(),
        );
        for (slice, bytes) in slices
            .iter_mut()
            .zip(made.filter(|bytes| !bytes.is_empty()))
        {
            let bytes = bytes.get(..rest).unwrap_or(bytes);
            if bytes.is_empty() {
                break;
            }
            *slice = IoSlice::new(bytes);
            rest -= bytes.len();
            count += 1;
        }
        count
    }

    /// Removes bytes that have been written.
    pub(super) fn advance(&mut self, mut written: usize) {
        while written > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let now = written.min(front.len());
            written -= now;
            self.queued -= now;
            if now == front.len() {
                self.pieces.pop_front();
            } else {
                front.advance(now);
            }
        }
        self.written += written;
        if self.written == self.tail.len() {
            self.tail.clear();
            self.written = 0;
        } else if self.written > LARGEST_BUFFER && self.written > self.tail.len() / 2 {
            self.tail.drain(..std::mem::take(&mut self.written));
        }
    }

    /// Frees a large buffer once it is empty.
    pub(super) fn shrink(&mut self) {
        if self.tail.is_empty() && self.tail.capacity() > LARGEST_BUFFER {
            self.tail = Vec::new();
        }
        if self.pieces.is_empty() && self.pieces.capacity() > SLICES {
            self.pieces = VecDeque::new();
        }
    }
}

impl Piece {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Shared { data, written } => data.get(*written..),
            Self::Long(_) => None,
        }
    }

    fn len(&self) -> usize {
        self.bytes().map_or(0, <[u8]>::len)
    }

    fn advance(&mut self, bytes: usize) {
        match self {
            Self::Bytes(unsent) => unsent.advance(bytes),
            Self::Shared { written, .. } => *written += bytes,
            Self::Long(_) => {}
        }
    }
}

/// Body of a frame in parts. Its length is counted first, then it is written.
#[derive(Debug, Default)]
struct Frame {
    parts: VecDeque<Part>,
    /// Number of parts whose length is known.
    measured: usize,
    /// Length of these parts, and of the read beginning of the next.
    length: usize,
    is_begun: bool,
    /// Position in the part that is being read.
    cursor: Cursor,
}

#[derive(Debug)]
enum Part {
    Bytes(BytesMut),
    Shared(Arc<[u8]>),
    Names(Arc<dyn LongList>),
    Count(LongCount),
}

impl Frame {
    fn bytes(&mut self) -> &mut BytesMut {
        if !matches!(self.parts.back(), Some(Part::Bytes(_))) {
            self.parts.push_back(Part::Bytes(BytesMut::new()));
        }
        match self.parts.back_mut() {
            Some(Part::Bytes(bytes)) => bytes,
            _ => unreachable!("the last part was just made one of bytes"),
        }
    }

    /// Length, if it is known without reading.
    fn length(&self) -> Option<usize> {
        let mut length = 0;
        for part in &self.parts {
            length += match part {
                Part::Bytes(bytes) => bytes.len(),
                Part::Shared(data) => data.len(),
                Part::Names(_) | Part::Count(_) => return None,
            };
        }
        Some(length)
    }

    /// Counts a part of the length.
    fn measure(&mut self) {
        let Some(part) = self.parts.get_mut(self.measured) else {
            return;
        };
        let mut length = Length(self.length);
        let has_more = match part {
            Part::Bytes(bytes) => {
                length.write(bytes);
                false
            }
            Part::Shared(data) => {
                length.write(data);
                false
            }
            Part::Names(list) => list.read(&mut self.cursor, PART, &mut |name| {
                length.write_ustring(name);
            }),
            Part::Count(count) => {
                let has_more = count.count(&mut self.cursor, PART);
                if !has_more {
                    let mut bytes = BytesMut::new();
                    bytes.write_int(i32::try_from(count.plus).unwrap_or(i32::MAX));
                    length.write(&bytes);
                    *part = Part::Bytes(bytes);
                }
                has_more
            }
        };
        self.length = length.0;
        if !has_more {
            self.measured += 1;
            self.cursor = Cursor::default();
        }
    }
}

impl Long for Frame {
    fn work(&mut self, out: &mut BytesMut) -> Progress {
        if self.measured < self.parts.len() {
            self.measure();
            return Progress::MORE;
        }
        let mut frame = None;
        if !std::mem::replace(&mut self.is_begun, true) {
            frame = Some(self.length + size_of::<i32>());
            out.write_length(self.length);
        }
        let Some(part) = self.parts.front() else {
            return Progress {
                has_more: false,
                frame,
            };
        };
        let has_more = match part {
            Part::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                false
            }
            Part::Shared(data) => {
                out.extend_from_slice(data);
                false
            }
            Part::Names(list) => {
                list.read(&mut self.cursor, PART, &mut |name| out.write_ustring(name))
            }
            Part::Count(_) => unreachable!("it became bytes when it was measured"),
        };
        if !has_more {
            self.parts.pop_front();
            self.measured = self.parts.len();
            self.cursor = Cursor::default();
        }
        Progress {
            has_more: !self.parts.is_empty(),
            frame,
        }
    }

    fn is_live(&self) -> bool {
        false
    }
}

impl Writer for Frame {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes().extend_from_slice(bytes);
    }
}

impl ReplyWriter for Frame {
    fn write_data(&mut self, data: Option<&Arc<[u8]>>) {
        match data {
            Some(data) if data.len() >= SHARED_FROM => {
                self.write_length(data.len());
                self.parts.push_back(Part::Shared(Arc::clone(data)));
            }
            data => self.write_buffer(data.map(|data| &**data)),
        }
    }

    fn write_names(&mut self, names: &Names<'_>) {
        self.write_length(names.len());
        match names {
            Names::Short(names) => names.iter().for_each(|name| self.write_ustring(name)),
            Names::Long { list, .. } => self.parts.push_back(Part::Names(Arc::clone(list))),
        }
    }

    fn write_count(&mut self, count: &LongCount) {
        self.parts.push_back(Part::Count(count.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MultiResult, Reply, Response, Stat, Xid, Zxid};

    /// Names of the numbers below this one.
    #[derive(Debug)]
    struct Numbers(u32);

    impl LongList for Numbers {
        fn read(&self, cursor: &mut Cursor, most: usize, take: &mut dyn FnMut(&str)) -> bool {
            let from = cursor.open.first().map_or(0, |(next, _)| *next);
            let to = usize::try_from(from).unwrap().saturating_add(most);
            let to = u32::try_from(to).unwrap_or(u32::MAX).min(self.0);
            (from..to).for_each(|number| take(&format!("é{number}")));
            cursor.open = vec![(to, 0)];
            to < self.0
        }
    }

    fn names(count: u32) -> Names<'static> {
        Names::Long {
            count: usize::try_from(count).unwrap(),
            list: Arc::new(Numbers(count)),
        }
    }

    fn reply(response: Response<'_>) -> Reply<'_> {
        Reply {
            xid: Xid(7),
            zxid: Zxid(9),
            result: Ok(response),
        }
    }

    /// Takes all bytes out, in portions of at most `portion` bytes, and checks what is made at a time.
    fn take_all(outgoing: &mut Outgoing, portion: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while !outgoing.is_empty() {
            if outgoing.is_unencoded() {
                outgoing.make_part();
                continue;
            }
            let bytes: Vec<u8> = {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = outgoing.slices(portion, &mut slices);
                slices[..count]
                    .iter()
                    .flat_map(|slice| slice.iter().copied())
                    .collect()
            };
            assert!(!bytes.is_empty() && bytes.len() <= portion);
            outgoing.advance(bytes.len());
            taken.extend(bytes);
        }
        assert_eq!(outgoing.len(), 0);
        taken
    }

    #[test]
    fn the_bytes_are_those_of_answers_made_at_once() {
        let data: Arc<[u8]> = vec![b'x'; SHARED_FROM + 5].into();
        let list: Arc<dyn LongList> = Arc::new(Numbers(5 * 1000));
        let answers = [
            Response::Data(Some(&data), Stat::default()),
            Response::Children(names(2 * 1000 + 1)),
            Response::Stat(Stat::default()),
            Response::ChildrenAndStat(names(1000), Stat::default()),
            Response::LongNumber(LongCount { list, plus: 1 }),
            Response::Multi(vec![
                MultiResult::Children(names(3001)),
                MultiResult::Data(Some(&data), Stat::default()),
                MultiResult::Check,
                MultiResult::Children(names(1)),
            ]),
            Response::Empty,
        ];
        for portion in [1, 7, 4096, usize::MAX] {
            let (mut outgoing, mut expected) = (Outgoing::default(), Vec::new());
            for answer in answers.clone() {
                let reply = reply(answer);
                let message = Message::Reply(&reply);
                let before = expected.len();
                wire::encode_message(&message, &mut expected);
                let length = outgoing.encode(&message);
                assert!(length.is_none_or(|length| length == expected.len() - before));
            }
            assert!(take_all(&mut outgoing, portion) == expected, "{portion}");
        }
    }

    #[test]
    fn long_data_is_not_copied() {
        let data: Arc<[u8]> = vec![b'x'; 1_000_000].into();
        let mut outgoing = Outgoing::default();
        for _ in 0..100 {
            let reply = reply(Response::Data(Some(&data), Stat::default()));
            outgoing.encode(&Message::Reply(&reply));
        }
        assert_eq!(Arc::strong_count(&data), 101);
        assert_eq!(outgoing.len(), 100 * (4 + 16 + 4 + 1_000_000 + 68));
        outgoing.advance(50 * (4 + 16 + 4 + 1_000_000 + 68));
        assert_eq!(Arc::strong_count(&data), 51);
    }

    #[test]
    fn of_a_long_list_only_the_part_that_leaves_next_is_in_memory() {
        let mut outgoing = Outgoing::default();
        assert_eq!(
            outgoing.encode(&Message::Reply(&reply(Response::Children(names(
                1_000_000
            ))))),
            None
        );
        assert!(outgoing.is_full(usize::MAX), "one such answer at a time");
        while outgoing.is_unencoded() {
            outgoing.make_part();
        }
        // The length of the frame, then its header and the number of names.
        assert_eq!(outgoing.len(), 4 + 16 + 4);
        outgoing.advance(24);
        outgoing.make_part();
        assert!(outgoing.len() < 20_000);
    }

    #[test]
    fn the_share_of_each_connection_shrinks_with_their_number() {
        assert_eq!(share_of(0), 1 << 20);
        assert_eq!(share_of(4), 1 << 20);
        assert_eq!(share_of(1024), 32 << 10);
        assert_eq!(share_of(1_000_000), 16 << 10);
    }
}
