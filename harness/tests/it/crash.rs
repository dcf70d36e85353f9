//! Kills of the server under load. The seed is fixed unless `MINIKEEPER_CRASH_SEED` gives another;
//! `minikeeper-harness crash` runs more rounds.

use libtest_mimic::{Completion, Failed, Trial};
use minikeeper_harness::crash::Crash;

const SEED: u64 = 20_247;
const ROUNDS: usize = 25;

pub(super) fn trials() -> Vec<Trial> {
    [(true, "flushed"), (false, "not flushed")]
        .into_iter()
        .map(|(force_sync, how)| {
            Trial::ignorable_test(
                format!("a killed server has all writes that were acknowledged or seen, {how}"),
                move || kill(force_sync),
            )
        })
        .collect()
}

fn kill(force_sync: bool) -> Result<Completion, Failed> {
    let seed = match std::env::var("MINIKEEPER_CRASH_SEED") {
        Ok(text) => text.parse()?,
        Err(_) => SEED,
    };
    let crash = Crash {
        seed,
        rounds: ROUNDS,
        force_sync,
        control: None,
        program: env!("CARGO_BIN_EXE_minikeeper-harness").into(),
    };
    let report = crash.run(|_| {})?;
    if report.acknowledged < 1000 || report.came_through + report.lost < 100 {
        return Err(format!("seed {seed}: too few requests: {report:?}").into());
    }
    Ok(Completion::Completed)
}
