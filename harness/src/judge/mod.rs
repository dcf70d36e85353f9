//! Cases on servers, what came of them, and where two servers differ.

mod compare;
mod contestant;
mod findings;
mod lane;
mod record;
mod recording;

pub use compare::{Difference, Verdict, judge};
pub use contestant::{Contestant, UnknownContestant};
pub use findings::{
    Absent, CaseFindings, ChapterFindings, Comparison, FORMAT, Findings, Judgement, Play, Trouble,
};
pub use lane::{Outcome, Played, run, run_until};
pub use record::{RecordError, record};
pub use recording::{Recording, RecordingError, Standing};
