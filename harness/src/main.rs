//! The `minikeeper-harness` binary: runs the scenarios on what is there and shows where the servers differ.
#![expect(clippy::print_stdout, reason = "a program that prints its findings")]

use clap::{Parser, Subcommand};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::bench::{self, Measure, Report};
use minikeeper_harness::golden;
use minikeeper_harness::judge::{self, Contestant, KnownDifferences, Outcome, Verdict};
use minikeeper_harness::search::SearchArgs;
use minikeeper_harness::suite::{CaseId, Suite};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs coordination scenarios on minikeeper and on real ZooKeeper and shows where they differ.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the scenarios and compare (what happens without a subcommand).
    Run(Run),
    /// Play random sequences on two servers, and cut what differs down to a case.
    Search(SearchArgs),
    /// Measure speed and size, beside a real ZooKeeper and a bare echo server.
    Bench(Bench),
    #[command(hide = true)]
    ServeOurs,
    #[command(hide = true)]
    ServeEcho { request: usize, reply: usize },
    #[command(hide = true)]
    ServeBareEvents { watchers: usize, event: usize },
    #[command(hide = true)]
    ThousandServers,
    /// Record a real ZooKeeper's answers to every operation, byte for byte, into a folder.
    RecordGolden {
        /// Where the files go; in this repository, `server/tests/golden`.
        folder: PathBuf,
    },
    /// Record what a real ZooKeeper does in every case, as text, into a folder. Cases that are recorded there as they
    /// are now are left alone.
    RecordTranscripts {
        /// The server that is recorded.
        #[arg(long, value_name = "SERVER", default_value = "zookeeper:3.9.5")]
        on: Contestant,
        /// Record every case anew.
        #[arg(long)]
        anew: bool,
        /// Where the files go, in a folder for the version; in this repository, `harness/recorded`.
        folder: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Bench {
    /// Only this row; may be given several times.
    #[arg(long, value_name = "ROW")]
    only: Vec<Measure>,
    /// Where the numbers go as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// A server: `embedded`, `zookeeper:VERSION`, or `recorded:VERSION` (what a real one did). The first is compared with each of the others.
    #[arg(long = "on", value_name = "BACKEND", value_delimiter = ',')]
    on: Vec<Contestant>,
    /// Only the scenarios whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Show what the first server did in every case.
    #[arg(long)]
    show: bool,
    /// How wide a column is.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 76)]
    width: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Verb::Run(arguments.run)) {
        Verb::Run(run) => run.run(),
        Verb::Search(search) => match search.run(io::stdout()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => report(Err::<(), _>(error), |()| {}),
        },
        Verb::Bench(bench) => report(bench.run(), |()| {}),
        Verb::ServeOurs => report(bench::serve_ours(), |()| {}),
        Verb::ServeEcho { request, reply } => report(bench::serve_echo(request, reply), |()| {}),
        Verb::ServeBareEvents { watchers, event } => {
            report(bench::serve_bare_events(watchers, event), |()| {})
        }
        Verb::ThousandServers => report(bench::thousand_servers(), |line| println!("{line}")),
        Verb::RecordGolden { folder } => report(golden::record(&folder), |files| {
            println!("{files} files in {}", folder.display());
        }),
        Verb::RecordTranscripts { on, anew, folder } => report(
            judge::record(&Suite::builtin(), &on, &folder, anew),
            |played| {
                println!("{played} cases played, recorded in {}", folder.display());
            },
        ),
    }
}

fn report<T, E: Display>(outcome: Result<T, E>, print: impl FnOnce(T)) -> ExitCode {
    match outcome {
        Ok(found) => {
            print(found);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("minikeeper-harness: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Bench {
    fn run(&self) -> io::Result<()> {
        if cfg!(debug_assertions) {
            eprintln!("minikeeper-harness: not a release build, its numbers mean little");
        }
        let measures = if self.only.is_empty() {
            &Measure::USUAL[..]
        } else {
            &self.only
        };
        let mut report = Report::default();
        for measure in measures {
            let row = measure.run()?;
            println!("{row}");
            report.rows.push(row);
        }
        if let Some(folder) = self.json.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.json, serde_json::to_vec_pretty(&report)?)
    }
}

impl Run {
    fn run(&self) -> ExitCode {
        let servers = if self.on.is_empty() {
            vec![
                BackendKind::Embedded.into(),
                BackendKind::newest_zookeeper().into(),
            ]
        } else {
            self.on.clone()
        };
        let suite = Suite::builtin().only(|case| match &self.only {
            Some(text) => case.id.to_string().starts_with(text) || case.title.contains(text),
            None => true,
        });
        let mut outcomes: HashMap<CaseId, BTreeMap<usize, Outcome>> = HashMap::new();
        let servers = judge::run(&suite, &servers, None, |played| {
            outcomes
                .entry(played.case)
                .or_default()
                .insert(played.server, played.outcome);
        });
        let known = KnownDifferences::builtin();
        let (mut same, mut other, mut explained) = (0, 0, 0);
        for case in suite.cases() {
            let Some(of_case) = outcomes.get(&case.id) else {
                continue;
            };
            let Some(left) = of_case.get(&0) else {
                continue;
            };
            for (&place, right) in of_case.iter().skip(1) {
                let (Some(one), Some(other_one)) = (servers.first(), servers.get(place)) else {
                    continue;
                };
                let known = known.between(one, other_one);
                match judge::judge_knowing(&case.id, left, right, &known) {
                    Verdict::Same => same += 1,
                    Verdict::Known { ids, .. } => {
                        explained += 1;
                        println!("{} {}: known: {}", case.id, case.title, ids.join(", "));
                    }
                    Verdict::Different(difference) => {
                        other += 1;
                        println!("{} {}: DIFFERENT", case.id, case.title);
                        println!(
                            "{}",
                            difference.left.side_by_side(&difference.right, self.width)
                        );
                    }
                    Verdict::Skipped(why) => println!("{} {}: skipped: {why}", case.id, case.title),
                    Verdict::Failed(why) => {
                        other += 1;
                        println!("{} {}: failed: {why}", case.id, case.title);
                    }
                }
            }
            if self.show || of_case.len() == 1 {
                match left {
                    Outcome::Played { transcript, .. } => {
                        println!("{} {}\n{transcript}", case.id, case.title);
                    }
                    Outcome::Failed { why, so_far } => {
                        other += 1;
                        println!("{} {}: failed: {why}", case.id, case.title);
                        if let Some(so_far) = so_far {
                            println!("{so_far}");
                        }
                    }
                    Outcome::Skipped(why) => {
                        println!("{} {}: skipped: {why}", case.id, case.title);
                    }
                }
            }
        }
        println!("{same} the same, {explained} known, {other} different or failed");
        if other == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
