//! What is done, in client terms, once for every backend. A scenario never asks where it runs; it may say what it needs.

mod configuration;
mod election;
mod stage;

pub use election::Ending;
pub use stage::{Actor, ScenarioError, Stage};

use crate::backend::{Backend, Capability};
use crate::transcript::Transcript;
use std::fmt;

/// The scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A value is published, watched, changed and withdrawn.
    Configuration,
    /// Three candidates stand in line for leadership, and the leader's session ends.
    Election(Ending),
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 3] = [
        Self::Configuration,
        Self::Election(Ending::Close),
        Self::Election(Ending::Expiry),
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Election(Ending::Close) => "leader election, the leader closes",
            Self::Election(Ending::Expiry) => "leader election, the leader expires",
        }
    }

    /// What a backend must be able to do beyond serving.
    #[must_use]
    pub fn needs(self) -> &'static [Capability] {
        match self {
            Self::Configuration | Self::Election(_) => &[],
        }
    }

    /// Plays the scenario and gives back what came of it.
    ///
    /// # Errors
    /// If a client lost its connection, or waited in vain. What came up to then is in the error.
    pub fn run(self, backend: &dyn Backend) -> Result<Transcript, ScenarioError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut stage = Stage::new(backend.connect_string());
        let played = runtime.block_on(async {
            match self {
                Self::Configuration => configuration::play(&mut stage).await,
                Self::Election(ending) => election::play(&mut stage, ending).await,
            }
        });
        match played {
            Ok(()) => Ok(stage.transcript()),
            Err(error) => Err(ScenarioError::Broken {
                why: error.to_string(),
                so_far: stage.transcript(),
            }),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
