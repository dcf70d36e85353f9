//! Limit on the output of a connection that may be sent before the log is flushed.

use std::collections::VecDeque;
use std::task::Context;

use crate::persistence::Log;

/// Parts of a connection's output that wait for the log, because they show transactions that are not durable.
///
/// One mark a turn is enough: output after an open mark waits too, even if it has no mark of its own.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<Mark>);

/// Position in the output from which on it waits for a transaction to become durable.
#[derive(Clone, Copy, Debug)]
struct Mark {
    begin: usize,
    /// Number of the transaction.
    number: u64,
}

impl Marks {
    /// Marks output that begins at `begin` and shows transactions up to `number`; `None` if all of them are durable.
    pub(super) fn note(&mut self, begin: usize, number: Option<u64>) {
        match number {
            None => self.0.clear(),
            Some(number) if self.0.back().is_none_or(|last| last.number < number) => {
                self.0.push_back(Mark { begin, number });
            }
            Some(_) => {}
        }
    }

    /// Moves all marks, since so many bytes were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        for mark in &mut self.0 {
            mark.begin = mark.begin.saturating_sub(bytes);
        }
    }

    /// Returns how many of these bytes may be sent. If that is 0, the task is woken when it is more.
    pub(super) fn open(&mut self, bytes: usize, log: Option<&Log>, context: &Context<'_>) -> usize {
        let Some(log) = log else {
            return bytes;
        };
        loop {
            while self
                .0
                .front()
                .is_some_and(|mark| mark.number <= log.durable_up_to())
            {
                self.0.pop_front();
            }
            let Some(first) = self.0.front() else {
                return bytes;
            };
            if first.begin > 0 || log.wake_when_durable(first.number, context.waker()) {
                return first.begin.min(bytes);
            }
        }
    }

    /// Whether no output waits, as on every server without a log.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
