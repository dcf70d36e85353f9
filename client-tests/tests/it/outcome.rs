//! Results of tests.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::provision::{Consequence, Missing};

/// Result of a test: passed, or ignored with the reason because a part is missing.
pub(crate) type Outcome = Result<Completion, Failed>;

/// Reason for which a test did not pass.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A part from outside is missing.
    Missing(Missing),
    /// The test failed.
    Wrong(String),
}

impl From<Missing> for Trouble {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<String> for Trouble {
    fn from(wrong: String) -> Self {
        Self::Wrong(wrong)
    }
}

/// Converts a result for the test runner.
pub(crate) fn outcome(result: Result<(), Trouble>) -> Outcome {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(Trouble::Wrong(wrong)) => Err(wrong.into()),
        Err(Trouble::Missing(missing)) => match missing.consequence() {
            Consequence::Ignored(why) => Ok(Completion::ignored_with(why)),
            Consequence::Failed(why) => Err(why.into()),
        },
    }
}
