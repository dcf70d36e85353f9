//! The `run` and `compare` commands.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;

use super::progress::Progress;
use super::report::{self, Print};
use super::{CommandError, Status};
use crate::backend::BackendKind;
use crate::judge::{
    self, ComparisonResult, Contestant, Findings, KnownDifferences, Outcome, Outcomes, Recording,
    Server,
};
use crate::report::{Class, Tally};
use crate::suite::{CaseId, Pattern, Suite};

/// Run the cases on several servers and compare the first with each of the others.
///
/// A server that cannot be started here is reported with the reason, and the others are compared. If none of the
/// default servers can be started, embedded is compared with the recording of the real one. MINIKEEPER_REQUIRE names
/// the parts that must be present (`java`, `docker`, `all`); without them the run fails.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Servers (`--help` of the program lists their names); by default embedded and the real 3.9.5 and 3.8.5. The
    /// first is compared with each of the others
    #[arg(long = "on", value_name = "SERVER", value_delimiter = ',')]
    on: Vec<Contestant>,
    #[command(flatten)]
    options: RunOptions,
}

/// Run the cases on two servers and compare the results.
///
/// Use it before a migration, from one version of ZooKeeper to another or to another server with the same protocol.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// A server: `embedded`, `zookeeper:VERSION`, `recorded:VERSION`, `docker:IMAGE`, `HOST:PORT`, ...
    left: Contestant,
    /// Server to compare with the first
    right: Contestant,
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Debug, Args)]
struct RunOptions {
    /// Only these cases: a chapter, `watch/17`, `watch/3..9`, or text in a title; may be given several times
    #[arg(long, value_name = "PATTERN")]
    only: Vec<Pattern>,
    /// Write the results as JSON to this file; `report` shows them again
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write JUnit XML to this file, for CI systems
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write an HTML page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Maximum time for an answer of a server
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: Option<u64>,
    /// Stop at the first difference or failure
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    print: Print,
}

/// Version before the newest that is still maintained.
const OLDER_ZOOKEEPER: &str = "3.8.5";

impl Run {
    pub(super) fn start(self, suite: Suite) -> Result<Status, CommandError> {
        let asked_to_compare = self.on.len() > 1;
        let servers = if self.on.is_empty() {
            vec![
                BackendKind::Embedded.into(),
                BackendKind::newest_zookeeper().into(),
                BackendKind::ZooKeeper(OLDER_ZOOKEEPER.to_owned()).into(),
            ]
        } else {
            self.on
        };
        self.options.start(suite, &servers, asked_to_compare)
    }
}

impl Compare {
    pub(super) fn start(self, suite: Suite) -> Result<Status, CommandError> {
        self.options.start(suite, &[self.left, self.right], true)
    }
}

impl RunOptions {
    fn start(
        &self,
        suite: Suite,
        servers: &[Contestant],
        asked_to_compare: bool,
    ) -> Result<Status, CommandError> {
        let suite = suite.select(&self.only)?;
        let played = self.play(&suite, servers);
        let mut findings = played.findings(&suite);
        if !asked_to_compare && findings.servers.len() < servers.len() && findings.servers.len() < 2
        {
            findings = played.with_recording(&suite).findings(&suite);
        }
        let files = [&self.json, &self.junit, &self.html].map(Option::as_deref);
        let [json, junit, html] = files;
        // The results are printed even if a file cannot be written or the output is closed.
        let written = report::write(&findings, json, junit, html);
        match self.print.terminal(&findings) {
            Ok(()) | Err(CommandError::Closed) => {}
            Err(error) => return Err(error),
        }
        written?;
        Ok(status(&findings, asked_to_compare))
    }

    fn play(&self, suite: &Suite, contestants: &[Contestant]) -> Played {
        let (began, start) = (SystemTime::now(), Instant::now());
        let names: Vec<String> = contestants.iter().map(Contestant::name).collect();
        let mut progress = Progress::new(&names, suite.cases().count(), self.print.is_quiet());
        let known = KnownDifferences::builtin();
        let expected = Servers::expected(contestants);
        let mut outcomes = Outcomes::new();
        let patience = self.patience.map(Duration::from_secs);
        let servers = judge::run_until(suite, contestants, patience, |played| {
            progress.played(played.server, &played.case);
            let (case, server) = (played.case.clone(), played.server);
            outcomes.insert((played.case, server), played.outcome);
            if self.fail_fast && expected.is_bad(&known, &outcomes, &case, server) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        progress.end();
        let again = if self.fail_fast {
            BTreeSet::new()
        } else {
            judge::rematch(
                suite,
                contestants,
                patience,
                &known,
                &servers,
                &mut outcomes,
            )
        };
        Played {
            began,
            took: start.elapsed(),
            servers,
            outcomes,
            again,
            known,
        }
    }
}

/// Results of a run.
struct Played {
    began: SystemTime,
    took: Duration,
    servers: Vec<Server>,
    outcomes: Outcomes,
    /// Cases that were run more than once.
    again: BTreeSet<CaseId>,
    known: KnownDifferences,
}

impl Played {
    fn findings(&self, suite: &Suite) -> Findings {
        let mut findings =
            Findings::new(suite, &self.servers, &self.outcomes, &self.known, self.took);
        findings.played_again = self.again.iter().map(ToString::to_string).collect();
        findings.started = Some(humantime::format_rfc3339_seconds(self.began).to_string());
        findings.without_absent()
    }

    /// Adds the recorded results of the newest real server.
    fn with_recording(mut self, suite: &Suite) -> Self {
        let Some(recording) = Recording::builtin(BackendKind::NEWEST_ZOOKEEPER) else {
            return self;
        };
        let place = self.servers.len();
        for case in suite.cases() {
            let outcome = recording.outcome(case);
            self.outcomes.insert((case.id.clone(), place), outcome);
        }
        let recorded = Contestant::Recorded(recording);
        self.servers.push(Server {
            name: recorded.name(),
            version: recorded.version(),
        });
        self
    }
}

/// The servers, as far as they are known before they run.
struct Servers(Vec<Server>);

impl Servers {
    fn expected(contestants: &[Contestant]) -> Self {
        let servers = contestants.iter().map(|contestant| Server {
            name: contestant.name(),
            version: contestant.version(),
        });
        Self(servers.collect())
    }

    /// Returns whether the last result is a failure or a difference.
    fn is_bad(
        &self,
        known: &KnownDifferences,
        outcomes: &Outcomes,
        case: &CaseId,
        last: usize,
    ) -> bool {
        let of = |place| Some((self.0.get(place)?, outcomes.get(&(case.clone(), place))?));
        if matches!(of(last), Some((_, Outcome::Failed { .. }))) {
            return true;
        }
        let Some((left, left_outcome)) = of(0) else {
            return false;
        };
        let rights = (1..self.0.len()).filter(|&right| last == 0 || right == last);
        rights.filter_map(of).any(|(right, outcome)| {
            let known = known.between(left, right);
            let result = judge::compare_with_known(case, left_outcome, outcome, &known);
            matches!(result, ComparisonResult::Different(_))
        })
    }
}

fn status(findings: &Findings, asked_to_compare: bool) -> Status {
    let tally = Tally::all(findings);
    if tally.bad() > 0 || !findings.stale.is_empty() {
        return Status::Unexpected;
    }
    let compared = Class::ALL
        .into_iter()
        .any(|class| class.compares() && tally.of(class) > 0);
    if asked_to_compare && (!compared || !findings.absent.is_empty()) {
        return Status::NothingCompared;
    }
    Status::Expected
}

#[cfg(test)]
mod tests {
    use super::{Status, status};
    use crate::judge::ComparisonSummary;
    use crate::report::sample;

    #[test]
    fn the_exit_status_shows_a_difference_or_a_stale_entry() {
        let mut findings = sample::three_servers();
        assert_eq!(status(&findings, true), Status::Unexpected);
        let cases = findings.chapters.iter_mut().flat_map(|c| &mut c.cases);
        for comparison in cases.flat_map(|case| &mut case.comparisons) {
            comparison.result = ComparisonSummary::Same;
        }
        assert_eq!(status(&findings, true), Status::Unexpected);
        findings.stale.clear();
        // A requested server is missing.
        assert_eq!(status(&findings, true), Status::NothingCompared);
        assert_eq!(status(&findings, false), Status::Expected);
        findings.absent.clear();
        assert_eq!(status(&findings, true), Status::Expected);
    }

    #[test]
    fn a_run_without_a_comparison_is_expected_unless_one_was_requested() {
        assert_eq!(status(&sample::alone(), false), Status::Expected);
        assert_eq!(status(&sample::alone(), true), Status::NothingCompared);
    }
}
