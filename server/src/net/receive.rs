//! Processing of received frames, all in one turn.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Slice;
use super::deferred::Begun;
use super::engine::Engine;
use super::facts::{Facts, Gathering};
use super::marks::Marks;
use super::outgoing::{Outgoing, share_of};
use super::report::{self, Answered};
use super::sink::{Own, Sink, Taken, Test};
use super::totals::number;
use crate::keeper::{CloseReason, ConnectionId, Input, Keeper};
use crate::protocol::{Operation, Timestamp};
use crate::wire::{self, FourLetterWord};

/// Number of characters of the answer to a four-letter word that a real server's `BufferedWriter` passes on at once.
/// Each piece counts as a packet: `NIOServerCnxn.sendBufferSync`.
const WORD_PIECE: usize = 8192;

/// Number of requests after which the length of the turn is checked. It is also checked after each request that may
/// take long.
const LOOK_AT_TIME: u64 = 8;

/// Progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No frame was read yet.
    Fresh,
    /// The client has asked for a session.
    Connected,
}

/// Malformed input, which closes the connection without a reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error(transparent)]
    Frame(#[from] wire::FrameError),
    #[error(transparent)]
    Record(#[from] wire::DecodeError),
}

/// Result of processing received bytes.
#[derive(Debug)]
pub(super) struct Processed {
    /// Number of bytes that were used.
    pub(super) used: usize,
    /// Set when the connection closes after the pending bytes are sent.
    pub(super) closing: Option<CloseReason>,
    /// Whether other connections have their turn before the remaining bytes.
    pub(super) yielding: bool,
    /// Whether a fault or hold delays the remaining bytes.
    pub(super) stalled: bool,
    /// Number of bytes to be written that arrive although the link is cut, because it was cut later.
    pub(super) under_way: Option<usize>,
    /// Number of unread bytes up to which the connection is read, and of bytes that it may write in one turn.
    pub(super) share: usize,
}

impl Engine {
    /// Processes the whole frames in `bytes`, as far as there is room for their replies. The pending messages of the
    /// outbox and then the replies are appended to `answers`.
    pub(super) fn receive(
        self: &Arc<Self>,
        id: ConnectionId,
        phase: &mut Phase,
        bytes: &[u8],
        answers: &mut Outgoing,
        marks: &mut Marks,
        gathering: &Gathering,
    ) -> Result<Processed, Malformed> {
        if *phase == Phase::Fresh
            && let Some(word) = FourLetterWord::parse(bytes)
        {
            return Ok(self.receive_word(id, (word, gathering.facts()), bytes, answers, marks));
        }
        let arrived = self.clock.now();
        let before = answers.extent();
        let own = Own::new(id, answers);
        let mut frames = Frames {
            id,
            phase,
            rest: bytes,
            requests: 0,
            begun: Begun::default(),
            yielding: false,
            stalled: false,
        };
        let mut share = 0;
        let ((result, closing, under_way), unflushed) =
            self.turn_and_mark(Some(own), Test::default(), |now, keeper, sink| {
                share = share_of(sink.outboxes.len());
                let slice = Slice::begin(&self.clock, self.limits.slice);
                let result = frames.process(keeper, sink, slice, (share, self.limits.max_frame));
                let own = sink.own.take();
                let closing = own.as_ref().and_then(|own| own.closing);
                let under_way = own.as_ref().and_then(|own| own.under_way);
                frames.count(now, bytes.len(), own, keeper, sink);
                frames.count_latency(self.clock.now().since(arrived), sink);
                (result, closing, under_way)
            });
        if self.log.is_some() && answers.has_grown_since(before) {
            marks.note(before.0, unflushed);
        }
        result.map(|()| Processed {
            used: bytes.len() - frames.rest.len(),
            closing,
            yielding: frames.yielding,
            stalled: frames.stalled,
            under_way,
            share,
        })
    }

    /// Processes a four-letter word, which is the only frame of its connection.
    fn receive_word(
        self: &Arc<Self>,
        id: ConnectionId,
        asked: (FourLetterWord, Facts),
        bytes: &[u8],
        answers: &mut Outgoing,
        marks: &mut Marks,
    ) -> Processed {
        let closing = self.answer_word(id, asked, bytes, answers, marks);
        if closing.is_some() {
            // The connection's task writes the answer and ends.
            self.disconnect(id);
        }
        Processed {
            used: if closing.is_some() { bytes.len() } else { 0 },
            closing,
            yielding: false,
            stalled: closing.is_none(),
            under_way: None,
            share: share_of(1),
        }
    }

    /// Answers a four-letter word, unless a fault or hold delays it. It takes no turn, because the state does not
    /// change.
    fn answer_word(
        self: &Arc<Self>,
        id: ConnectionId,
        asked: (FourLetterWord, Facts),
        received: &[u8],
        answers: &mut Outgoing,
        marks: &mut Marks,
    ) -> Option<CloseReason> {
        let mut state = self.lock();
        let now = self.clock.now();
        let Some(outbox) = state.outboxes.get_mut(id) else {
            state.totals.since_reset.received += 1;
            return Some(CloseReason::NoSession);
        };
        if outbox.is_stalled() {
            return None;
        }
        outbox.stats.received += 1;
        state.totals.since_reset.received += 1;
        if let Some(answer) = report::answer(self, &mut state, now, id, asked, received) {
            let (text, rest) = match answer {
                Answered::Now(answer) => (answer.to_string(), None),
                Answered::Later(text, rest) => (text, Some(rest)),
            };
            if let Some(appender) = &state.appender {
                marks.note(answers.len(), appender.unflushed());
            }
            answers.extend_from_slice(text.as_bytes());
            if let Some(rest) = rest {
                answers.push_long(rest);
            }
            state.totals.since_reset.sent += number(text.len().div_ceil(WORD_PIECE));
        }
        Some(CloseReason::FourLetterWord)
    }
}

/// Received bytes of one turn, and the progress of their processing.
struct Frames<'b, 'p> {
    id: ConnectionId,
    phase: &'p mut Phase,
    /// Bytes that are not processed yet.
    rest: &'b [u8],
    requests: u64,
    /// Facts for `cons` about the processed requests.
    begun: Begun,
    /// Whether the turn is over before the bytes are.
    yielding: bool,
    /// Whether a fault or hold delays the next frame.
    stalled: bool,
}

impl<'b> Frames<'b, '_> {
    /// Processes frames while there is room for their replies (`share`) and time.
    fn process(
        &mut self,
        keeper: &mut Keeper,
        sink: &mut Sink<'_, '_>,
        mut slice: Slice,
        (share, max_frame): (usize, usize),
    ) -> Result<(), Malformed> {
        loop {
            let Some(own) = &sink.own else {
                return Ok(());
            };
            self.stalled = own.stalled;
            let full = own.bytes.is_full(share) || own.closing.is_some();
            if full || self.yielding || self.stalled {
                return Ok(());
            }
            let Some((frame, behind)) = wire::split_frame(self.rest, max_frame)? else {
                return Ok(());
            };
            let before = std::mem::replace(&mut self.rest, behind);
            self.requests += 1;
            match self.process_frame(frame, keeper, sink)? {
                FrameResult::Done { may_take_long } => {
                    let is_due = self.requests.is_multiple_of(LOOK_AT_TIME) || may_take_long;
                    self.yielding = is_due && slice.is_over();
                }
                FrameResult::Deferred => self.requests -= 1,
                FrameResult::Later => {
                    self.rest = before;
                    self.requests -= 1;
                }
            }
        }
    }

    /// Decodes one frame and passes it to the rules.
    #[inline]
    fn process_frame(
        &mut self,
        frame: &'b [u8],
        keeper: &mut Keeper,
        sink: &mut Sink<'_, '_>,
    ) -> Result<FrameResult, Malformed> {
        if *self.phase == Phase::Fresh {
            return self.process_first_frame(frame, keeper, sink);
        }
        let decoded = wire::decode_request(frame);
        let (xid, request) = decoded.as_ref().map_err(|error| *error)?;
        let operation = request.operation();
        let input = Input::Request {
            connection: self.id,
            xid: *xid,
            request,
        };
        tracing::trace!(connection = self.id.0, ?input);
        let progress = sink.take_progress();
        Ok(match sink.take_in(self.id, input, keeper, progress) {
            Taken::In | Taken::Lost => {
                self.begun.add_request(*xid, operation);
                FrameResult::Done {
                    may_take_long: operation.is_some_and(Operation::may_take_long),
                }
            }
            Taken::Deferred => {
                sink.defer(self.id, frame, false);
                FrameResult::Deferred
            }
            Taken::Later => FrameResult::Later,
        })
    }

    /// Decodes the first frame of a connection, which asks for a session, and passes it to the rules.
    #[inline(never)]
    fn process_first_frame(
        &mut self,
        frame: &'b [u8],
        keeper: &mut Keeper,
        sink: &mut Sink<'_, '_>,
    ) -> Result<FrameResult, Malformed> {
        let request = wire::decode_connect(frame)?;
        let input = Input::Connect {
            connection: self.id,
            request: &request,
        };
        tracing::trace!(connection = self.id.0, ?input);
        let progress = sink.take_progress();
        let taken = sink.take_in(self.id, input, keeper, progress);
        if let Taken::In | Taken::Deferred = taken {
            *self.phase = Phase::Connected;
        }
        Ok(match taken {
            Taken::In => {
                self.begun.add_connect(&request);
                FrameResult::Done {
                    may_take_long: false,
                }
            }
            Taken::Lost => FrameResult::Done {
                may_take_long: false,
            },
            Taken::Deferred => {
                sink.defer(self.id, frame, true);
                FrameResult::Deferred
            }
            Taken::Later => FrameResult::Later,
        })
    }

    /// Counts the processed frames.
    fn count(
        &self,
        now: Timestamp,
        received: usize,
        own: Option<Own<'_>>,
        keeper: &Keeper,
        sink: &mut Sink<'_, '_>,
    ) {
        if let Some(outbox) = sink.outboxes.get_mut(self.id) {
            let stats = &mut outbox.stats;
            stats.received += self.requests;
            stats.last_response = Some(now);
            let refused = own.as_ref().is_some_and(|own| own.refused);
            self.begun.count(stats, refused, keeper);
            if let Some(own) = own {
                stats.sent += own.sent;
                stats.last_zxid = own.last_zxid.unwrap_or(stats.last_zxid);
            }
        }
        sink.totals.since_reset.received += self.requests;
        sink.totals.bytes_received += number(received - self.rest.len());
    }
}

impl Frames<'_, '_> {
    /// Counts the time from the arrival of the bytes to the end of the turn as the latency of each processed frame.
    fn count_latency(&self, latency: Duration, sink: &mut Sink<'_, '_>) {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let latencies = &mut sink.totals.latencies;
        latencies.count(latency_ms, self.requests, self.begun.writes);
        if let Some(outbox) = sink.outboxes.get_mut(self.id)
            && self.requests > 0
        {
            outbox.stats.last_latency_ms = latency_ms;
            outbox.stats.latency.add(latency_ms, self.requests);
        }
    }
}

/// Result of one frame.
enum FrameResult {
    Done {
        /// Whether the request may take longer than others.
        may_take_long: bool,
    },
    /// The request is stored, and is carried out later.
    Deferred,
    /// The frame is processed again once the link is healed.
    Later,
}
