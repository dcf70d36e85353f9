//! Cases on servers, what came of them, and where two servers differ.

mod compare;
mod findings;
mod lane;
mod needs;

pub use compare::{Difference, Verdict, judge};
pub use findings::{CaseFindings, ChapterFindings, Comparison, Findings, Judgement, Play, Trouble};
pub use lane::{Outcome, Played, run};
