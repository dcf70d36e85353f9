//! Every case on every backend that is present. What is missing is said by name, with the reason.

mod backends;
#[cfg(feature = "docker")]
mod containers;
mod crash;
mod interop;
mod recorded;
mod search;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{
    self, CaseFindings, Comparison, ComparisonSummary, Contestant, Findings, KnownDifferences,
};
use minikeeper_harness::suite::Suite;
use minikeeper_harness::transcript::Transcript;

/// What a trial does.
type Test = fn() -> Result<Completion, Failed>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each keeps the machine busy by itself, and real servers are judged by how soon they answer.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let mut trials = vec![
        Trial::ignorable_test(
            "embedded does in every case as real zookeepers do, but for what is known",
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
        Trial::ignorable_test(
            "embedded with a folder does as was recorded in every case",
            recorded::embedded_with_a_folder_does_as_was_recorded,
        ),
    ];
    trials.extend(backends::trials());
    trials.extend(interop::trials());
    trials.extend(crash::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn agree() -> Result<Completion, Failed> {
    agree_but_for_what_is_known(&[
        Contestant::live(BackendKind::Embedded),
        Contestant::live(BackendKind::newest_zookeeper()),
        Contestant::live(BackendKind::ZooKeeper("3.8.5".to_owned())),
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
    let again = judge::rematch(&suite, contestants, None, &known, &servers, &mut outcomes);
    if !again.is_empty() {
        eprintln!("played again: {again:?}");
    }
    let findings = Findings::new(&suite, &servers, &outcomes, &known, Duration::ZERO);
    let findings = findings.without_absent();
    if let ([_], [absent, ..]) = (&findings.servers[..], &findings.absent[..]) {
        return Ok(Completion::ignored_with(format!(
            "{}: {}",
            absent.server, absent.why
        )));
    }
    let mut wrong: Vec<String> = Vec::new();
    // A judge that skips everything sees nothing.
    let compared = |comparison: &Comparison| {
        matches!(
            comparison.result,
            ComparisonSummary::Same | ComparisonSummary::Known(_)
        )
    };
    for (right, name) in findings.servers.iter().enumerate().skip(1) {
        let of_right = findings.cases().flat_map(|case| &case.comparisons);
        let number = of_right.filter(|c| c.right == right && compared(c)).count();
        if number * 10 < findings.cases().count() * 9 {
            wrong.push(format!("only {number} cases were compared with {name}"));
        }
    }
    for case in findings.cases() {
        for comparison in &case.comparisons {
            match &comparison.result {
                ComparisonSummary::Same
                | ComparisonSummary::Known(_)
                | ComparisonSummary::Skipped(_) => {}
                ComparisonSummary::Different => {
                    wrong.push(format!("{} {}\n{}", case.id, case.title, both(case)))
                }
                ComparisonSummary::Failed(why) => wrong.push(format!("{}: {why}", case.id)),
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
