//! Running of cases on servers, their outcomes, and the differences between two servers.

mod compare;
mod contestant;
mod explain;
mod findings;
mod known;
mod lane;
mod needs;
mod record;
mod recording;
mod rematch;

pub use compare::{ComparisonResult, Difference, compare, compare_with_known};
pub use contestant::{Contestant, Server, UnknownContestant};
pub use findings::{
    Absent, CaseFindings, ChapterFindings, Comparison, ComparisonSummary, Explained, FORMAT,
    Findings, Play, Trouble,
};
pub use known::{Applicable, KnownDifference, KnownDifferences, KnownError, Stale};
pub use lane::{Outcome, Played, run, run_until};
pub use record::{RecordError, UnreadableRecording, record};
pub use recording::{Recording, RecordingError, RecordingStatus};
pub use rematch::{Outcomes, rematch};
