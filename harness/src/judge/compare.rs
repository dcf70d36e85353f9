//! Comparison of two transcripts of one case.

use super::explain::explain;
use super::{Applicable, Outcome};
use crate::suite::CaseId;
use crate::transcript::Transcript;

/// Two transcripts that differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Transcript of the first server.
    pub left: Transcript,
    /// Transcript of the other server.
    pub right: Transcript,
}

/// Result of comparing a case on two servers.
#[derive(Clone, Debug)]
pub enum ComparisonResult {
    /// The transcripts are equal.
    Same,
    /// The transcripts differ.
    Different(Box<Difference>),
    /// The transcripts differ, and known differences explain all of it.
    Known {
        /// Ids of the known differences.
        ids: Vec<String>,
        /// The transcripts.
        difference: Box<Difference>,
    },
    /// One of the servers could not run the case, with the reason.
    Skipped(String),
    /// The case failed on one of the servers, with the reason.
    Failed(String),
}

/// Compares the outcomes of a case on two servers, taking known differences into account.
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

/// Compares the outcomes of a case on two servers.
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
