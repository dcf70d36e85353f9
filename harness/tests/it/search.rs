//! A search of limited length against a real server. The seed is fixed unless `MINIKEEPER_SEARCH_SEED` gives another.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::backend::{BackendError, BackendKind};
use minikeeper_harness::provision::Consequence;
use minikeeper_harness::search::Search;
use minikeeper_harness::stage::StageError;

const SEED: u64 = 20_240;

pub(crate) fn finds_nothing() -> Result<Completion, Failed> {
    let seed = match std::env::var("MINIKEEPER_SEARCH_SEED") {
        Ok(text) => text.parse()?,
        Err(_) => SEED,
    };
    let search = Search {
        left: &BackendKind::Embedded,
        right: &BackendKind::newest_zookeeper(),
        seed,
        ops: 20_000,
        clients: 3,
        length: 60,
        time_share: 8,
        most: 1,
        lanes: 2,
    };
    let report = match search.run(|_| {}) {
        Ok(report) => report,
        Err(StageError::Backend(BackendError::Missing(missing))) => {
            return match missing.consequence() {
                Consequence::Ignored(why) => Ok(Completion::ignored_with(why)),
                Consequence::Failed(why) => Err(why.into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    if report.steps < search.ops || report.unsteady.len() > 3 {
        let unsteady = report.unsteady.len();
        return Err(format!("seed {seed}: {} steps, {unsteady} unsteady", report.steps).into());
    }
    match report.found.first() {
        Some(found) => Err(format!("seed {seed}\n{found}").into()),
        None => Ok(Completion::Completed),
    }
}
