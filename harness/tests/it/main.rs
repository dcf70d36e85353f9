//! Every case on every backend that is present. What is missing is said by name, with the reason.

mod backends;
#[cfg(feature = "docker")]
mod containers;
mod recorded;
mod search;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{
    self, CaseFindings, Contestant, Findings, Judgement, KnownDifferences,
};
use minikeeper_harness::suite::Suite;
use minikeeper_harness::transcript::Transcript;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut trials = vec![
        Trial::ignorable_test(
            "embedded and the newest zookeeper do the same in every case",
            agree,
        ),
        Trial::ignorable_test(
            "embedded and the newest zookeeper do the same whatever is drawn",
            search::finds_nothing,
        ),
        Trial::ignorable_test(
            "every case is recorded as it is",
            recorded::every_case_is_recorded_as_it_is,
        ),
        Trial::ignorable_test(
            "embedded does as was recorded in every case",
            recorded::embedded_does_as_was_recorded,
        ),
    ];
    trials.extend(backends::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn agree() -> Result<Completion, Failed> {
    agree_but_for_what_is_known(&[
        Contestant::live(BackendKind::Embedded),
        Contestant::live(BackendKind::newest_zookeeper()),
    ])
}

/// Plays every case; whatever differs must be a known difference, and every known difference must show.
fn agree_but_for_what_is_known(contestants: &[Contestant]) -> Result<Completion, Failed> {
    let suite = Suite::builtin();
    let mut outcomes = HashMap::new();
    let servers = judge::run(&suite, contestants, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let known = KnownDifferences::builtin();
    let findings = Findings::new(&suite, &servers, &outcomes, &known, Duration::ZERO);
    let mut wrong: Vec<String> = Vec::new();
    for case in findings.cases() {
        for comparison in &case.comparisons {
            match &comparison.verdict {
                Judgement::Same | Judgement::Known(_) | Judgement::Skipped(_) => {}
                Judgement::Different => {
                    wrong.push(format!("{} {}\n{}", case.id, case.title, both(case)))
                }
                Judgement::Failed(why) => wrong.push(format!("{}: {why}", case.id)),
            }
        }
    }
    for stale in &findings.stale {
        wrong.push(format!(
            "{} is known to differ, and does not between {} and {}",
            stale.id, stale.left, stale.right
        ));
    }
    if wrong.is_empty() {
        Ok(Completion::Completed)
    } else {
        Err(wrong.join("\n").into())
    }
}

/// What the first two servers did.
fn both(case: &CaseFindings) -> String {
    let mut lines = case.plays.iter().map(|play| {
        let lines = play.lines.iter().map(String::as_str);
        lines.collect::<Transcript>()
    });
    let (left, right) = (lines.next(), lines.next());
    left.unwrap_or_default()
        .side_by_side(&right.unwrap_or_default(), 90)
}
