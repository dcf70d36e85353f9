//! Results of tests.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::provision::Consequence;
pub(crate) use minikeeper_harness::provision::Trouble;

/// Result of a test: passed, or ignored with the reason because a part is missing.
pub(crate) type Outcome = Result<Completion, Failed>;

/// Converts a result for the test runner.
pub(crate) fn outcome(result: Result<(), Trouble>) -> Outcome {
    match result.map_err(Trouble::consequence) {
        Ok(()) => Ok(Completion::Completed),
        Err(Consequence::Ignored(why)) => Ok(Completion::ignored_with(why)),
        Err(Consequence::Failed(why)) => Err(why.into()),
    }
}
