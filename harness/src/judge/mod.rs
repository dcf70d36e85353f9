//! Cases on servers, what came of them, and where two servers differ.

mod compare;
mod findings;
mod lane;

pub use compare::{Difference, Verdict, judge};
pub use findings::{
    Absent, CaseFindings, ChapterFindings, Comparison, FORMAT, Findings, Judgement, Play, Trouble,
};
pub use lane::{Outcome, Played, run, run_until};
