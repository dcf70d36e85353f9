//! JUnit XML for CI systems: a suite per chapter and pair of servers.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::printable::printable;
use super::tally::{Class, Pair};
use crate::alignment;
use crate::judge::{CaseFindings, ChapterFindings, Findings};

/// Width of the columns of a difference.
const COLUMN: usize = 90;

/// Returns the findings as JUnit XML. A difference is a failure with both transcripts side by side, an interrupted
/// case is an error, a known difference that did not occur is a failure, and a missing server is a suite with one
/// skipped case.
///
/// # Errors
///
/// If the findings cannot be serialized, for which none are known.
pub fn junit(findings: &Findings) -> Result<String, JunitError> {
    let mut report = Report::new("minikeeper conformance");
    report.set_time(Duration::from_millis(findings.took_ms));
    for pair in Pair::all(findings) {
        for chapter in &findings.chapters {
            report.add_test_suite(suite(findings, pair, chapter));
        }
    }
    for absent in &findings.absent {
        let mut status = TestCaseStatus::skipped();
        status.set_message(&*printable(&absent.why));
        let mut suite = TestSuite::new(&*printable(&absent.server));
        suite.add_test_case(TestCase::new("takes part", status));
        report.add_test_suite(suite);
    }
    if !findings.stale.is_empty() {
        let mut suite = TestSuite::new("known differences");
        for stale in &findings.stale {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let between = format!("{} and {}", stale.left, stale.right);
            status
                .set_type("stale")
                .set_message(format!("no longer occurs between {}", printable(&between)));
            suite.add_test_case(TestCase::new(&*printable(&stale.id), status));
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

/// Reason for which there is no XML.
#[derive(Debug, thiserror::Error)]
#[error("the JUnit report cannot be written: {0}")]
pub struct JunitError(#[from] SerializeError);

fn suite(findings: &Findings, pair: Pair, chapter: &ChapterFindings) -> TestSuite {
    let name = format!("{}: {}", chapter.name, pair.name(findings));
    let mut suite = TestSuite::new(&*printable(&name));
    let mut took = Duration::ZERO;
    for case in &chapter.cases {
        let time = pair
            .servers()
            .filter_map(|place| case.plays.get(place))
            .map(|play| Duration::from_millis(play.took_ms))
            .sum();
        took += time;
        let title = format!("{} {}", case.id, case.title);
        let mut test = TestCase::new(&*printable(&title), status(findings, pair, case));
        test.set_classname(&*printable(&chapter.name))
            .set_time(time);
        let result = pair.result(case);
        if let (Class::Known, Some(ids)) = (result.class, result.why) {
            test.set_system_out(format!("known differences: {}", printable(&ids)));
        }
        suite.add_test_case(test);
    }
    suite.set_time(took);
    suite
}

fn status(findings: &Findings, pair: Pair, case: &CaseFindings) -> TestCaseStatus {
    let result = pair.result(case);
    let why = result.why.unwrap_or_default();
    match result.class {
        Class::Same | Class::Played | Class::Known => TestCaseStatus::success(),
        Class::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(&*printable(&why));
            status
        }
        Class::Different => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let name = |place: usize| findings.servers.get(place).map_or("?", String::as_str);
            let lines = |place: usize| -> Vec<String> {
                case.plays.get(place).map_or_else(Vec::new, |play| {
                    let lines = play.lines.iter();
                    lines.map(|line| printable(line).into_owned()).collect()
                })
            };
            let right = pair.right.unwrap_or(pair.left);
            let (a, b) = (lines(pair.left), lines(right));
            let first = alignment::pair_up(&a, &b)
                .into_iter()
                .find(|&(mark, _, _)| mark != ' ');
            if let Some((_, a, b)) = first {
                let said = |line: &str| match line {
                    "" => "nothing".to_owned(),
                    line => format!("`{}`", line.trim()),
                };
                status.set_message(format!(
                    "{}: {}; {}: {}",
                    printable(name(pair.left)),
                    said(a),
                    printable(name(right)),
                    said(b)
                ));
            }
            status.set_type("different").set_description(format!(
                "\n{:COLUMN$}   {}\n{}",
                printable(name(pair.left)),
                printable(name(right)),
                alignment::side_by_side(&a, &b, COLUMN)
            ));
            status
        }
        Class::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("failed").set_message(&*printable(&why));
            status
        }
    }
}

#[cfg(test)]
mod tests {
    use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

    use super::junit;
    use crate::report::sample;

    fn read(text: &str) -> Report {
        Report::deserialize_from_str(text).expect("JUnit XML")
    }

    fn suite<'a>(report: &'a Report, name: &str) -> &'a TestSuite {
        let suites = report.test_suites.iter();
        suites
            .clone()
            .find(|suite| suite.name.as_str() == name)
            .unwrap_or_else(|| panic!("no {name} among {:?}", suites.collect::<Vec<_>>()))
    }

    fn case<'a>(suite: &'a TestSuite, id: &str) -> &'a TestCase {
        let mut cases = suite.test_cases.iter();
        cases
            .find(|case| case.name.as_str().starts_with(id))
            .expect("a case")
    }

    #[test]
    fn every_chapter_and_pair_has_a_suite_with_its_counts() {
        let text = junit(&sample::three_servers()).expect("XML");
        let report = read(&text);
        // Two chapters with two pairs, a missing server, and known differences.
        assert_eq!(report.test_suites.len(), 6);
        assert_eq!(
            (report.tests, report.failures, report.errors),
            (10, 3, 1),
            "{text}"
        );
        let multi = suite(&report, "multi: embedded and zookeeper:3.9.5");
        assert_eq!((multi.tests, multi.errors, multi.failures), (2, 1, 0));
        let known = case(multi, "multi/1 ");
        assert!(matches!(known.status, TestCaseStatus::Success { .. }));
        let older = suite(&report, "multi: embedded and zookeeper:3.8.5");
        let TestCaseStatus::Skipped { message, .. } = &case(older, "multi/1 ").status else {
            panic!("{text}")
        };
        assert_eq!(
            message.as_ref().map(|m| m.as_str()),
            Some("needs ZooKeeper 3.9")
        );
    }

    #[test]
    fn a_failure_names_the_first_difference_and_shows_all() {
        let text = junit(&sample::three_servers()).expect("XML");
        let report = read(&text);
        let watch = suite(&report, "watch: embedded and zookeeper:3.8.5");
        let TestCaseStatus::NonSuccess {
            kind,
            message,
            description,
            ..
        } = &case(watch, "watch/1 ").status
        else {
            panic!("{text}")
        };
        assert_eq!(*kind, NonSuccessKind::Failure);
        assert_eq!(
            message.as_ref().map(|m| m.as_str()),
            Some(
                "embedded: `a:   -> ok at z1 /x`; zookeeper:3.8.5: `a:   -> ok at z1 /x version=1`"
            )
        );
        let description = description.as_ref().expect("a difference").as_str();
        assert!(description.contains(" | a:   -> ok at z1 /x version=1\n"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let text = junit(&sample::three_servers()).expect("XML");
        assert!(!text.contains("<script>"), "{text}");
        assert!(!text.contains(['\0', '\x1b']), "{text}");
        let report = read(&text);
        let watch = suite(&report, "watch: embedded and zookeeper:3.9.5");
        let hostile = case(watch, "watch/2 ").name.as_str();
        assert!(
            hostile.contains("<script>alert(1)</script>\\x1b[31m\\x00]]>&amp;"),
            "{hostile}"
        );
    }
}
