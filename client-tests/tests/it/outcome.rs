//! How a test ends.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::provision::{Missing, Verdict};

/// A test that ran passed; one whose part is missing was ignored, and says why.
pub(crate) type Outcome = Result<Completion, Failed>;

/// What stands in the way of passing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A part from outside is not there.
    Missing(Missing),
    /// Something is not as it should be.
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

/// What the test runner wants to hear.
pub(crate) fn outcome(result: Result<(), Trouble>) -> Outcome {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(Trouble::Wrong(wrong)) => Err(wrong.into()),
        Err(Trouble::Missing(missing)) => match missing.verdict() {
            Verdict::Ignored(why) => Ok(Completion::ignored_with(why)),
            Verdict::Failed(why) => Err(why.into()),
        },
    }
}
