//! The `minikeeper-harness` binary: runs the scenarios on what is there and shows where the servers differ.
#![expect(clippy::print_stdout, reason = "a program that prints its findings")]

use clap::{Parser, Subcommand};
use minikeeper_harness::backend::{BackendError, BackendKind, Settings};
use minikeeper_harness::bench::{self, Measure, Report};
use minikeeper_harness::golden;
use minikeeper_harness::provision::Verdict;
use minikeeper_harness::scenario::Scenario;
use minikeeper_harness::transcript::Transcript;
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
    /// A backend: `embedded`, or `zookeeper:VERSION`. The first is compared with each of the others.
    #[arg(long = "on", value_name = "BACKEND", value_delimiter = ',')]
    on: Vec<BackendKind>,
    /// Only the scenarios whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// How wide a column is.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 76)]
    width: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Verb::Run(arguments.run)) {
        Verb::Run(run) => run.run(),
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
        let kinds = if self.on.is_empty() {
            vec![BackendKind::Embedded, BackendKind::newest_zookeeper()]
        } else {
            self.on.clone()
        };
        let (mut agreed, mut missed) = (0, 0);
        let mut skipped = Vec::new();
        let wanted = |scenario: &Scenario| match &self.only {
            Some(text) => scenario.name().contains(text),
            None => true,
        };
        for scenario in Scenario::ALL.into_iter().filter(wanted) {
            let mut transcripts: Vec<(&BackendKind, Transcript)> = Vec::new();
            for kind in &kinds {
                match play(kind, scenario) {
                    Ok(transcript) => transcripts.push((kind, transcript)),
                    Err(Trouble::Skipped(why)) => {
                        skipped.push(format!("{scenario} on {kind}: {why}"))
                    }
                    Err(Trouble::Failed(why)) => {
                        missed += 1;
                        println!("# {scenario} on {kind}: {why}\n");
                    }
                }
            }
            match transcripts.split_first() {
                None => {}
                Some(((kind, transcript), [])) => {
                    println!(
                        "# {scenario}: {kind}, with nothing to compare it with\n\n{transcript}"
                    );
                }
                Some(((first, ours), others)) => {
                    for (kind, theirs) in others {
                        let same = ours == theirs;
                        if same {
                            agreed += 1;
                        } else {
                            missed += 1;
                        }
                        let verdict = if same { "the same" } else { "DIFFERENT" };
                        println!("# {scenario}: {first} and {kind}: {verdict}\n");
                        println!("{first:width$}   {kind}", width = self.width);
                        println!("{}", ours.side_by_side(theirs, self.width));
                    }
                }
            }
        }
        skipped.dedup();
        for skipped in skipped {
            println!("skipped: {skipped}");
        }
        println!("{agreed} the same, {missed} different or failed");
        if missed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

enum Trouble {
    Skipped(String),
    Failed(String),
}

fn play(kind: &BackendKind, scenario: Scenario) -> Result<Transcript, Trouble> {
    let backend = kind
        .start(&Settings::default())
        .map_err(|error| match error {
            BackendError::Missing(missing) => match missing.verdict() {
                Verdict::Ignored(why) => Trouble::Skipped(why),
                Verdict::Failed(why) => Trouble::Failed(why),
            },
            BackendError::InVain(_)
            | BackendError::Start(_)
            | BackendError::Io(_)
            | BackendError::Ended(_) => Trouble::Failed(error.to_string()),
        })?;
    if let Some(lack) = scenario
        .needs()
        .iter()
        .find(|need| !backend.capabilities().contains(need))
    {
        return Err(Trouble::Skipped(format!("needs {lack:?}")));
    }
    scenario
        .run(&*backend)
        .map_err(|error| Trouble::Failed(error.to_string()))
}
