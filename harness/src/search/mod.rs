//! The differential search: sequences of steps that nobody thought of, on two servers at once, compared after every step.
//! What differs is tried again, cut down to the shortest sequence that still differs, and given as a script.
//!
//! Everything comes from one seed: sequence number `n` of seed `s` is always the same one.

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

/// How long a wait is: longer than the shortest session, and than whatever is reaped with what it held.
const WAIT: Duration = Duration::from_millis(3500);

/// What is searched for, and where.
#[derive(Debug)]
pub struct Search<'s> {
    /// The server whose behaviour is in question.
    pub left: &'s dyn BackendSource,
    /// The server that it is compared with.
    pub right: &'s dyn BackendSource,
    /// Where everything that is drawn comes from.
    pub seed: u64,
    /// How many steps to play at least.
    pub ops: u64,
    /// How many clients a sequence has at most, up to 4.
    pub clients: usize,
    /// How many steps are drawn for a sequence at most.
    pub length: usize,
    /// How many steps in a hundred are in sequences that wait.
    pub time_share: u64,
    /// After how many differences the search stops.
    pub most: usize,
    /// How many pairs of servers play at once, beside the one for what waits.
    pub lanes: usize,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many sequences were played.
    pub sequences: u64,
    /// How many of their steps.
    pub steps: u64,
    /// How many of those in sequences that wait.
    pub waiting_steps: u64,
    /// How long it took.
    pub took: Duration,
    /// What differs, each the shortest of its kind.
    pub found: Vec<Found>,
    /// What differed once and not again, as it was.
    pub unsteady: Vec<Found>,
}

/// A sequence on which two servers differ.
#[derive(Clone, Debug)]
pub struct Found {
    /// `SEED-NUMBER`.
    pub name: String,
    /// What is done.
    pub script: Script,
    /// What the left server did.
    pub left: Transcript,
    /// What the right one did.
    pub right: Transcript,
}

impl Search<'_> {
    /// Searches, and tells of what it finds and how far it is.
    ///
    /// # Errors
    ///
    /// If a server cannot be had.
    ///
    /// # Panics
    ///
    /// If a lane panics.
    pub fn run(&self, tell: impl Fn(Progress<'_>) + Send + Sync) -> Result<Report, StageError> {
        lane::run(self, &tell)
    }

    fn strategy(&self, flavour: Flavour) -> BoxedStrategy<Vec<Vec<Step>>> {
        draw::phases(flavour, self.clients, self.length)
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many steps have been played.
    Played(u64),
    /// Something differs.
    Found(&'a Found),
    /// Something differed once.
    Unsteady(&'a Found),
}

impl fmt::Display for Found {
    /// The case as a chapter has it, both transcripts side by side before it as comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.name)?;
        for row in self.left.side_by_side(&self.right, 76).lines() {
            writeln!(f, "# {row}")?;
        }
        writeln!(f, "== 1 {}\n{}", self.script.title, self.script)
    }
}

type Tree = Box<dyn ValueTree<Value = Vec<Vec<Step>>>>;

/// One sequence, as it can be shrunk.
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
        // A strategy without filters refuses nothing.
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

/// Sequence number `number` of a seed, as the search would play it where quotas are enforced or not, for who plays it on
/// one server alone.
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
        title: format!("what the search found as {name}"),
        headers,
        steps: sensible::sensible(phases, WAIT),
    }
}
