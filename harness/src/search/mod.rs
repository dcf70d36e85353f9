//! Differential search: random sequences of steps on two servers, compared after every step.
//!
//! A sequence that differs is run again, shrunk to the shortest sequence that still differs, and reported as a
//! script.
//!
//! Everything follows from one seed: sequence number `n` of seed `s` is always the same.

mod command;
mod draw;
mod duet;
mod host;
mod lane;
mod lethal;
mod lockstep;
mod sensible;
mod shrink;

#[cfg(test)]
mod tests;

pub use command::SearchArgs;
pub use lethal::is_lethal;

use std::fmt;
use std::time::Duration;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::backend::{BackendSource, ServerSetup};
use crate::script::{Headers, Script, Step};
use crate::stage::StageError;
use crate::transcript::Transcript;
use draw::Flavour;

/// Duration of a wait: longer than the shortest session timeout and than the longest time to live or container
/// check.
const WAIT: Duration = Duration::from_millis(3500);

/// Configuration of a search.
#[derive(Debug)]
pub struct Search<'s> {
    /// The server under test.
    pub left: &'s dyn BackendSource,
    /// The server to compare with.
    pub right: &'s dyn BackendSource,
    /// Seed of all random choices.
    pub seed: u64,
    /// Minimum number of steps to run.
    pub ops: u64,
    /// Maximum number of clients in a sequence, up to 4.
    pub clients: usize,
    /// Maximum number of steps drawn for a sequence.
    pub length: usize,
    /// Percentage of steps in sequences that wait.
    pub time_share: u64,
    /// Number of differences after which the search stops.
    pub most: usize,
    /// Number of pairs of servers that run at the same time, in addition to the pair for sequences that wait.
    pub lanes: usize,
}

/// Result of a search.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Number of sequences that ran.
    pub sequences: u64,
    /// Number of their steps.
    pub steps: u64,
    /// Number of steps in sequences that wait.
    pub waiting_steps: u64,
    /// Duration of the search.
    pub took: Duration,
    /// The differences, each shrunk to the shortest sequence.
    pub found: Vec<Found>,
    /// Differences that did not repeat, not shrunk.
    pub unsteady: Vec<Found>,
}

/// A sequence on which two servers differ.
#[derive(Clone, Debug)]
pub struct Found {
    /// Name: `SEED-NUMBER`.
    pub name: String,
    /// The steps.
    pub script: Script,
    /// Transcript of the left server.
    pub left: Transcript,
    /// Transcript of the right server.
    pub right: Transcript,
}

impl Search<'_> {
    /// Runs the search and reports its findings and its progress.
    ///
    /// # Errors
    ///
    /// Returns an error if a server does not start.
    ///
    /// # Panics
    ///
    /// Panics if a lane panics.
    pub fn run(&self, tell: impl Fn(Progress<'_>) + Send + Sync) -> Result<Report, StageError> {
        lane::run(self, &tell)
    }

    fn strategy(&self, flavour: Flavour) -> BoxedStrategy<Vec<Vec<Step>>> {
        draw::phases(flavour, self.clients, self.length)
    }
}

/// Progress of a search.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Number of steps that have run.
    Played(u64),
    /// A difference was found.
    Found(&'a Found),
    /// A difference did not repeat.
    Unsteady(&'a Found),
}

impl fmt::Display for Found {
    /// Formats the case as in a chapter, with both transcripts side by side before it as comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.name)?;
        for row in self.left.side_by_side(&self.right, 76).lines() {
            writeln!(f, "# {row}")?;
        }
        writeln!(f, "== 1 {}\n{}", self.script.title, self.script)
    }
}

type Tree = Box<dyn ValueTree<Value = Vec<Vec<Step>>>>;

/// A sequence that can be shrunk.
struct Drawn {
    name: String,
    flavour: Flavour,
    tree: Tree,
}

impl Drawn {
    fn new(
        strategy: &BoxedStrategy<Vec<Vec<Step>>>,
        flavour: Flavour,
        seed: u64,
        number: u64,
    ) -> Option<Self> {
        let mut bytes = [0; 32];
        let halves = seed.to_le_bytes().into_iter().chain(number.to_le_bytes());
        for (place, byte) in bytes.iter_mut().zip(halves) {
            *place = byte;
        }
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        // A strategy without filters never rejects a value.
        let tree = strategy.new_tree(&mut runner).ok()?;
        Some(Self {
            name: format!("{seed}-{number}"),
            flavour,
            tree,
        })
    }

    fn script(&self) -> Script {
        script(self.flavour, &self.tree.current(), &self.name)
    }
}

/// Returns the steps of sequence number `number` of a seed, as the search runs it with or without quotas, for
/// callers that run it on a single server.
pub(crate) fn sequence(seed: u64, number: u64, quotas: bool, length: usize) -> Vec<Step> {
    let flavour = if quotas {
        Flavour::Quotas
    } else {
        Flavour::Usual
    };
    let strategy = draw::phases(flavour, draw::CLIENTS.len(), length);
    let drawn = Drawn::new(&strategy, flavour, seed, number);
    drawn.map_or_else(Vec::new, |drawn| drawn.script().steps)
}

fn script(flavour: Flavour, phases: &[Vec<Step>], name: &str) -> Script {
    let headers = Headers {
        server: match flavour {
            Flavour::Usual => ServerSetup::Usual,
            Flavour::Quotas => ServerSetup::Quotas,
            Flavour::Time => ServerSetup::Reaping,
        },
        ..Headers::default()
    };
    Script {
        title: format!("difference found by the search as {name}"),
        headers,
        steps: sensible::sensible(phases, WAIT),
    }
}
