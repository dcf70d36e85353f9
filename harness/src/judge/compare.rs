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
pub enum ComparisonResult {
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
pub fn compare_with_known(
    case: &CaseId,
    left: &Outcome,
    right: &Outcome,
    known: &Applicable<'_>,
) -> ComparisonResult {
    match compare(left, right) {
        ComparisonResult::Different(difference) => {
            match explain(&difference.left, &difference.right, &known.to(case)) {
                Some(ids) => ComparisonResult::Known { ids, difference },
                None => ComparisonResult::Different(difference),
            }
        }
        result @ (ComparisonResult::Same
        | ComparisonResult::Known { .. }
        | ComparisonResult::Skipped(_)
        | ComparisonResult::Failed(_)) => result,
    }
}

/// Compares what came of one case on two servers.
#[must_use]
pub fn compare(left: &Outcome, right: &Outcome) -> ComparisonResult {
    match (left, right) {
        (Outcome::Failed { why, .. }, _) | (_, Outcome::Failed { why, .. }) => {
            ComparisonResult::Failed(why.clone())
        }
        (Outcome::Skipped(why), _) | (_, Outcome::Skipped(why)) => {
            ComparisonResult::Skipped(why.clone())
        }
        (
            Outcome::Played {
                transcript: left, ..
            },
            Outcome::Played {
                transcript: right, ..
            },
        ) => {
            if left == right {
                ComparisonResult::Same
            } else {
                ComparisonResult::Different(Box::new(Difference {
                    left: left.clone(),
                    right: right.clone(),
                }))
            }
        }
    }
}
