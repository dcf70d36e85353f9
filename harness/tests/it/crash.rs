//! The server killed under load. The same every time unless `MINIKEEPER_CRASH_SEED` says otherwise; `minikeeper-harness crash`
//! kills it oftener.

use libtest_mimic::{Completion, Failed, Trial};
use minikeeper_harness::crash::Crash;

const SEED: u64 = 20_247;
const ROUNDS: usize = 25;

pub(super) fn trials() -> Vec<Trial> {
    [(true, "flushed"), (false, "left to the operating system")]
        .into_iter()
        .map(|(force_sync, how)| {
            Trial::ignorable_test(
                format!("a server that is killed has all that was acknowledged or seen, {how}"),
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
        return Err(format!("seed {seed}: little was played: {report:?}").into());
    }
    Ok(Completion::Completed)
}
