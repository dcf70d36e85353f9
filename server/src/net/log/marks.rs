//! How far what a connection writes may leave.

use std::collections::VecDeque;
use std::task::Context;

use super::Log;

/// What a connection is to write and may not yet: answers that show what is not flushed.
///
/// One mark a turn is enough. Whatever is said later than an open mark, and has none, is open too.
#[derive(Debug, Default)]
pub(in crate::net) struct Marks(VecDeque<Mark>);

/// From here on it waits for the log to be flushed up to this transaction.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where in what is to be written.
    begin: usize,
    number: u64,
}

impl Marks {
    /// Something was said that begins at `begin`, and shows what the log holds up to `number`; `None`, if all of that is
    /// flushed.
    pub(in crate::net) fn note(&mut self, begin: usize, number: Option<u64>) {
        match number {
            None => self.0.clear(),
            Some(number) if self.0.back().is_none_or(|last| last.number < number) => {
                self.0.push_back(Mark { begin, number });
            }
            Some(_) => {}
        }
    }

    /// So many bytes have left.
    pub(in crate::net) fn left(&mut self, bytes: usize) {
        for mark in &mut self.0 {
            mark.begin = mark.begin.saturating_sub(bytes);
        }
    }

    /// How much of so many bytes may leave. Where that is nothing, whoever asks is woken when it is more.
    pub(in crate::net) fn open(
        &mut self,
        bytes: usize,
        log: Option<&Log>,
        context: &Context<'_>,
    ) -> usize {
        let Some(log) = log else {
            return bytes;
        };
        loop {
            while self
                .0
                .front()
                .is_some_and(|mark| mark.number <= log.flushed())
            {
                self.0.pop_front();
            }
            let Some(first) = self.0.front() else {
                return bytes;
            };
            if first.begin > 0 || log.wakes(first.number, context.waker()) {
                return first.begin.min(bytes);
            }
        }
    }

    /// Whether nothing waits, as on every server without a log.
    pub(in crate::net) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
