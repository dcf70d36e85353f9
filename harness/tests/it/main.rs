//! Every case on every available backend. A missing part is reported with the reason.

mod backends;
#[cfg(feature = "docker")]
mod containers;
mod crash;
mod interop;
mod pages;
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

/// Function of a test.
type Test = fn() -> Result<Completion, Failed>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test keeps the machine busy, and slow answers of real servers count as failures.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let mut trials = vec![
        Trial::ignorable_test(
            "embedded behaves as real zookeepers in every case, except for known differences",
            agree,
        ),
        Trial::ignorable_test(
            "embedded and the newest zookeeper behave alike in random sequences",
            search::finds_nothing,
        ),
        Trial::ignorable_test(
            "every case has a recording of its present text",
            recorded::every_case_has_a_recording,
        ),
        Trial::ignorable_test(
            "embedded behaves as recorded in every case",
            recorded::embedded_behaves_as_recorded,
        ),
        Trial::ignorable_test(
            "embedded with a folder behaves as recorded in every case",
            recorded::embedded_with_a_folder_behaves_as_recorded,
        ),
        Trial::ignorable_test(
            "command lines of the pages are accepted",
            pages::command_lines_are_accepted,
        ),
        Trial::ignorable_test(
            "command lines are found in lines of a page",
            pages::command_lines_are_found,
        ),
    ];
    trials.extend(backends::trials());
    trials.extend(interop::trials());
    trials.extend(crash::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn agree() -> Result<Completion, Failed> {
    agree_except_known_differences(&[
        Contestant::live(BackendKind::Embedded),
        Contestant::live(BackendKind::newest_zookeeper()),
        Contestant::live(BackendKind::ZooKeeper("3.8.5".to_owned())),
    ])
}

/// Runs every case. Every difference must be known, and every known difference must occur.
fn agree_except_known_differences(contestants: &[Contestant]) -> Result<Completion, Failed> {
    let suite = Suite::builtin();
    let mut outcomes = HashMap::new();
    let servers = judge::run(&suite, contestants, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let known = KnownDifferences::builtin();
    let again = judge::rematch(&suite, contestants, None, &known, &servers, &mut outcomes);
    if !again.is_empty() {
        eprintln!("run again: {again:?}");
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
    // A comparison that skips everything finds no difference.
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
            "the known difference {} does not occur between {} and {}",
            stale.id, stale.left, stale.right
        ));
    }
    if wrong.is_empty() {
        Ok(Completion::Completed)
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Returns the transcripts of the first two servers.
fn both(case: &CaseFindings) -> String {
    let mut lines = case.plays.iter().map(|play| {
        let lines = play.lines.iter().map(String::as_str);
        lines.collect::<Transcript>()
    });
    let (left, right) = (lines.next(), lines.next());
    left.unwrap_or_default()
        .side_by_side(&right.unwrap_or_default(), 90)
}
