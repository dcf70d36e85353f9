//! Processing of received frames, all in one turn.

use std::sync::Arc;

use super::clock::Slice;
use super::deferred::Begun;
use super::engine::Engine;
use super::facts::{Facts, Gathering};
use super::marks::Marks;
use super::outgoing::{Outgoing, share_of};
use super::report::{self, Answered};
use super::sink::{Own, Taken, Test};
use super::totals::number;
use crate::keeper::{CloseReason, ConnectionId, Input};
use crate::protocol::Operation;
use crate::wire::{self, FourLetterWord};

/// Number of characters of the answer to a four-letter word that a real server's `BufferedWriter` passes on at once.
/// Each piece counts as a packet: `NIOServerCnxn.sendBufferSync`.
const WORD_PIECE: usize = 8192;

/// Number of requests after which the length of the turn is checked. It is also checked after each request that may
/// take long.
const LOOK_AT_TIME: u64 = 8;

/// Whether a request may take longer than others.
fn may_take_long(input: &Input<'_>) -> bool {
    if let Input::Request { request, .. } = input {
        request.operation().is_some_and(Operation::may_take_long)
    } else {
        false
    }
}

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
            let asked = (word, gathering.facts());
            let closing = self.answer_word(id, asked, bytes, answers, marks);
            if closing.is_some() {
                // The connection's task writes the answer and ends.
                self.disconnect(id);
            }
            return Ok(Processed {
                used: if closing.is_some() { bytes.len() } else { 0 },
                closing,
                yielding: false,
                stalled: closing.is_none(),
                under_way: None,
                share: share_of(1),
            });
        }
        let mut rest = bytes;
        let mut requests = 0;
        let mut begun = Begun::default();
        let before = answers.extent();
        let own = Own::new(id, answers);
        let mut share = 0;
        let mut yielding = false;
        let mut stalled = false;
        let ((result, closing, under_way), unflushed) =
            self.turn_and_mark(Some(own), Test::default(), |now, keeper, sink| {
                let mut slice = Slice::begin(&self.clock, self.limits.slice);
                share = share_of(sink.outboxes.len());
                let result = loop {
                    let Some(own) = &sink.own else {
                        break Ok(());
                    };
                    stalled = own.stalled;
                    let full = own.bytes.is_full(share) || own.closing.is_some();
                    if full || yielding || stalled {
                        break Ok(());
                    }
                    let (frame, behind) = match wire::split_frame(rest, self.limits.max_frame) {
                        Ok(Some(split)) => split,
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error.into()),
                    };
                    let before = std::mem::replace(&mut rest, behind);
                    requests += 1;
                    let was_fresh = *phase == Phase::Fresh;
                    let input = match phase {
                        Phase::Fresh => {
                            *phase = Phase::Connected;
                            wire::decode_connect(frame).map(|request| Input::Connect {
                                connection: id,
                                request,
                            })
                        }
                        Phase::Connected => {
                            wire::decode_request(frame).map(|(xid, request)| Input::Request {
                                connection: id,
                                xid,
                                request,
                            })
                        }
                    };
                    match input {
                        Ok(input) => {
                            tracing::trace!(connection = id.0, ?input);
                            let may_take_long = may_take_long(&input);
                            let mut with_it = begun;
                            with_it.add(&input);
                            let progress = sink.take_progress();
                            let taken = sink.take_in(id, input, keeper, progress);
                            match taken {
                                Taken::In => begun = with_it,
                                Taken::Lost if was_fresh => *phase = Phase::Fresh,
                                Taken::Lost => begun = with_it,
                                Taken::Deferred => {
                                    requests -= 1;
                                    sink.defer(id, frame, was_fresh);
                                    continue;
                                }
                                Taken::Later => {
                                    if was_fresh {
                                        *phase = Phase::Fresh;
                                    }
                                    rest = before;
                                    requests -= 1;
                                    continue;
                                }
                            }
                            yielding =
                                (requests % LOOK_AT_TIME == 0 || may_take_long) && slice.is_over();
                        }
                        Err(error) => break Err(error.into()),
                    }
                };
                let own = sink.own.take();
                let closing = own.as_ref().and_then(|own| own.closing);
                let under_way = own.as_ref().and_then(|own| own.under_way);
                if let Some(outbox) = sink.outboxes.get_mut(id) {
                    let stats = &mut outbox.stats;
                    stats.received += requests;
                    stats.last_response = Some(now);
                    let refused = own.as_ref().is_some_and(|own| own.refused);
                    begun.count(stats, refused, keeper);
                    if let Some(own) = own {
                        stats.sent += own.sent;
                        stats.last_zxid = own.last_zxid.unwrap_or(stats.last_zxid);
                    }
                }
                sink.totals.since_reset.received += requests;
                sink.totals.bytes_received += number(bytes.len() - rest.len());
                (result, closing, under_way)
            });
        if self.log.is_some() && answers.has_grown_since(before) {
            marks.note(before.0, unflushed);
        }
        result.map(|()| Processed {
            used: bytes.len() - rest.len(),
            closing,
            yielding,
            stalled,
            under_way,
            share,
        })
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
