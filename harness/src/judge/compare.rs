//! Two transcripts of one case.

use super::explain::explain;
use super::{Applicable, Outcome};
use crate::suite::CaseId;
use crate::transcript::Transcript;

/// Where two servers differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What the first did.
    pub left: Transcript,
    /// What the other did.
    pub right: Transcript,
}

/// What a case says of two servers.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// They do the same.
    Same,
    /// They differ.
    Different(Box<Difference>),
    /// They differ as known differences say.
    Known {
        /// The ids of those.
        ids: Vec<String>,
        /// Where they differ.
        difference: Box<Difference>,
    },
    /// One of them could not play it.
    Skipped(String),
    /// On one of them it broke off.
    Failed(String),
}

/// Compares what came of one case on two servers, and looks for what is known to differ between them.
#[must_use]
pub fn judge_knowing(
    case: &CaseId,
    left: &Outcome,
    right: &Outcome,
    known: &Applicable<'_>,
) -> Verdict {
    match judge(left, right) {
        Verdict::Different(difference) => {
            match explain(&difference.left, &difference.right, &known.to(case)) {
                Some(ids) => Verdict::Known { ids, difference },
                None => Verdict::Different(difference),
            }
        }
        verdict @ (Verdict::Same
        | Verdict::Known { .. }
        | Verdict::Skipped(_)
        | Verdict::Failed(_)) => verdict,
    }
}

/// Compares what came of one case on two servers.
#[must_use]
pub fn judge(left: &Outcome, right: &Outcome) -> Verdict {
    match (left, right) {
        (Outcome::Failed { why, .. }, _) | (_, Outcome::Failed { why, .. }) => {
            Verdict::Failed(why.clone())
        }
        (Outcome::Skipped(why), _) | (_, Outcome::Skipped(why)) => Verdict::Skipped(why.clone()),
        (
            Outcome::Played {
                transcript: left, ..
            },
            Outcome::Played {
                transcript: right, ..
            },
        ) => {
            if left == right {
                Verdict::Same
            } else {
                Verdict::Different(Box::new(Difference {
                    left: left.clone(),
                    right: right.clone(),
                }))
            }
        }
    }
}
