//! Stream of the journal: server-sent events.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use minikeeper::Matcher;
use minikeeper::journal::{Entry, Mark};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::instance::Instance;
use super::limit_reached;
use super::race::{First, first};
use crate::error::Failure;
use crate::json;
use crate::query::Param;
use crate::reply::{EVENTS, Reply};
use crate::route::{Answer, Call, Outcome, Route, text_form};

const QUERY: [Param; 3] = [
    Param::number("since", "Only the entries after this mark; now by default."),
    Param::json("matcher", "Only the entries that match."),
    Param::number(
        "max_per_s",
        "Maximum number of entries in a second; the others are counted.",
    ),
];

text_form!(Events, EVENTS);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::waiting::<Events, _>(
            hyper::Method::GET,
            "/v1/servers/{server}/journal/stream",
            "stream_journal",
            "Streams the entries of the journal as server-sent events; `Last-Event-ID` resumes.",
            stream,
        )
        .query(&QUERY),
    ]
}

/// Number of batches that wait for a client that does not read. The journal holds the entries meanwhile.
const BATCHES: usize = 4;
/// Maximum number of entries of one batch.
const BATCH: usize = 1_000;
/// Span in which `max_per_s` counts.
const SECOND: Duration = Duration::from_secs(1);

async fn stream(call: Call) -> Outcome {
    let instance = call.instance()?;
    let context = &call.context;
    let slot = Arc::clone(&context.stream_slots).try_acquire_owned();
    let slot = slot.map_err(|_| limit_reached("streams", context.limits.streams))?;
    let matcher = call.query.text("matcher");
    let matcher: Option<Matcher> = matcher
        .map(|text| json::read_param("matcher", text))
        .transpose()?;
    if let Some(matcher) = &matcher {
        instance.server.check(matcher).map_err(Failure::refused)?;
    }
    let resumed = call.last_event_id.or(call.query.number("since"));
    let mark = resumed.map_or_else(|| instance.server.mark(), Mark::from);
    let (pieces, receiver) = mpsc::channel(BATCHES);
    let follower = Follower {
        instance,
        matcher,
        mark,
        rate: call.query.number("max_per_s").map(Rate::new),
        comment: context.limits.stream_comment,
        pieces,
        _slot: slot,
    };
    tokio::spawn(follower.run());
    Ok(Reply::stream(receiver))
}

/// Task that follows the journal for one client.
struct Follower {
    instance: Arc<Instance>,
    matcher: Option<Matcher>,
    /// Place behind the last entry that was sent or passed over.
    mark: Mark,
    rate: Option<Rate>,
    comment: Duration,
    pieces: mpsc::Sender<Bytes>,
    _slot: OwnedSemaphorePermit,
}

/// Number of entries in the present second.
struct Rate {
    most: u64,
    sent: u64,
    skipped: u64,
    ends: Instant,
}

impl Rate {
    fn new(most: u64) -> Self {
        Self {
            most,
            sent: 0,
            skipped: 0,
            ends: Instant::now() + SECOND,
        }
    }

    /// Begins a new second if the present one is over, and returns the number of entries that it has skipped.
    fn turn(&mut self) -> u64 {
        let now = Instant::now();
        if now < self.ends {
            return 0;
        }
        let skipped = self.skipped;
        *self = Self::new(self.most);
        skipped
    }

    /// Whether one more entry is sent.
    fn admits(&mut self) -> bool {
        let admits = self.sent < self.most;
        if admits {
            self.sent += 1;
        } else {
            self.skipped += 1;
        }
        admits
    }
}

impl Follower {
    /// Follows until the client or the server is gone.
    async fn run(mut self) {
        // The head of the response is sent with the first piece.
        let mut pieces = String::from(": journal\n\n");
        loop {
            let has_more = self.read(&mut pieces);
            if !pieces.is_empty() {
                let batch = Bytes::from(std::mem::take(&mut pieces));
                if self.pieces.send(batch).await.is_err() {
                    return;
                }
            }
            if has_more {
                continue;
            }
            match self.wait().await {
                Wake::Entries => {}
                Wake::Nothing => pieces.push_str(": nothing new\n\n"),
                Wake::Second => {}
                Wake::Gone => return,
            }
        }
    }

    /// Writes the entries since the mark as events, and returns whether there are more.
    fn read(&mut self, pieces: &mut String) -> bool {
        if let Some(rate) = &mut self.rate {
            skipped(pieces, rate.turn());
        }
        let journal = self.instance.server.journal_since(self.mark);
        let mut entries = journal.iter();
        for entry in entries.by_ref().take(BATCH) {
            // Numbers have no gaps, so missing ones are entries that the journal dropped.
            let missing = entry.number - u64::from(self.mark) - 1;
            skipped(pieces, missing);
            self.mark = Mark::from(entry.number);
            if self.matcher.as_ref().is_none_or(|it| entry.matches(it))
                && self.rate.as_mut().is_none_or(Rate::admits)
            {
                event(pieces, entry);
            }
        }
        entries.next().is_some()
    }

    async fn wait(&self) -> Wake {
        let until = self.rate.as_ref().filter(|rate| rate.skipped > 0);
        let span = until.map_or(self.comment, |rate| {
            rate.ends.saturating_duration_since(Instant::now())
        });
        let news = self.instance.server.wait_for(Matcher::any());
        let news = news.since(self.mark).within(span);
        let gone = first(self.instance.closed(), self.pieces.closed());
        match first(news, gone).await {
            First::One(Ok(_)) => Wake::Entries,
            First::One(Err(_)) if until.is_some() => Wake::Second,
            First::One(Err(_)) => Wake::Nothing,
            First::Other(_) => Wake::Gone,
        }
    }
}

/// Reason for which a follower wakes.
enum Wake {
    Entries,
    /// Time for a comment.
    Nothing,
    /// Time to report the entries that were skipped.
    Second,
    /// The client or the server is gone.
    Gone,
}

fn skipped(pieces: &mut String, count: u64) {
    if count > 0 {
        // A text takes everything.
        let _ = write!(pieces, "event: skipped\ndata: {{\"count\":{count}}}\n\n");
    }
}

fn event(pieces: &mut String, entry: &Entry) {
    // All keys are texts and all numbers are whole, so JSON can express everything, in one line.
    let json = serde_json::to_string(entry).unwrap_or_default();
    let _ = write!(pieces, "id: {}\ndata: {json}\n\n", entry.number);
}
