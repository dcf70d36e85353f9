//! Cases on servers, what came of them, and where two servers differ.

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

pub use compare::{Difference, Verdict, judge, judge_knowing};
pub use contestant::{Contestant, Server, UnknownContestant};
pub use findings::{
    Absent, CaseFindings, ChapterFindings, Comparison, Explained, FORMAT, Findings, Judgement,
    Play, Trouble,
};
pub use known::{Applicable, KnownDifference, KnownDifferences, KnownError, Stale};
pub use lane::{Outcome, Played, run, run_until};
pub use record::{RecordError, UnreadableRecording, record};
pub use recording::{Recording, RecordingError, Standing};
pub use rematch::{Outcomes, rematch};
