//! Every case on every backend that is present. What is missing is said by name, with the reason.

mod search;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use minikeeper_harness::backend::{BackendKind, BackendSource};
use minikeeper_harness::judge::{self, Outcome, Verdict};
use minikeeper_harness::suite::Suite;
use std::process::ExitCode;

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test(
            "embedded and the newest zookeeper do the same in every case",
            agree,
        ),
        Trial::ignorable_test(
            "embedded and the newest zookeeper do the same whatever is drawn",
            search::finds_nothing,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn agree() -> Result<Completion, Failed> {
    let servers: [Box<dyn BackendSource>; 2] = [
        Box::new(BackendKind::Embedded),
        Box::new(BackendKind::newest_zookeeper()),
    ];
    let suite = Suite::builtin();
    let mut outcomes = std::collections::HashMap::new();
    judge::run(&suite, &servers, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let skipped = Outcome::Skipped("not played".to_owned());
    for case in suite.cases() {
        let of = |server| outcomes.get(&(case.id.clone(), server)).unwrap_or(&skipped);
        match judge::judge(of(0), of(1)) {
            Verdict::Same | Verdict::Skipped(_) => {}
            Verdict::Different(difference) => {
                let both = difference.left.side_by_side(&difference.right, 90);
                return Err(format!("{}\n{both}", case.id).into());
            }
            Verdict::Failed(why) => return Err(format!("{}: {why}", case.id).into()),
        }
    }
    Ok(Completion::Completed)
}
