//! Chaos: random faults, for as long as a guard exists.

use std::hash::BuildHasher;
use std::thread;

use crate::control::{Chaos, FaultError, FaultId};
use crate::handle::Server;

/// Environment variable with the seed of every chaos that has no seed of its own.
const SEED: &str = "MINIKEEPER_SEED";

/// Guard of a chaos. The chaos lasts until the guard is dropped. A line on standard error shows its seed when it
/// starts.
///
/// ```
/// use minikeeper::fault::Chaos;
///
/// let server = minikeeper::Server::start()?;
/// let chaos = server.chaos(Chaos::rough());
/// println!("seed {}", chaos.seed());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "chaos lasts as long as its guard"]
pub struct ChaosGuard {
    server: Server,
    id: FaultId,
    seed: u64,
}

impl ChaosGuard {
    /// Seed of the chaos. The same seed draws the same faults, within the limits that [`Chaos`] describes.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of faults that have happened.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.server.shared.engine.fault_hits(self.id)
    }

    /// Heals the links that the chaos has cut.
    pub fn heal(&self) {
        self.server.shared.engine.heal_fault(self.id);
    }
}

impl Drop for ChaosGuard {
    fn drop(&mut self) {
        self.server.report_if_panicking();
        let engine = &self.server.shared.engine;
        if !thread::panicking() || engine.is_sound() {
            let _ = engine.remove_fault(self.id);
        }
    }
}

impl Server {
    /// Starts random faults as [`Chaos`] describes. The journal has an entry for each of them, as for any other fault.
    ///
    /// ```
    /// use minikeeper::fault::Chaos;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let chaos = server.chaos(Chaos::gentle().seed(42));
    /// // ... the clients do their work ...
    /// assert_eq!(chaos.seed(), 42);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a rule can never happen, a probability is invalid, or the seed comes from `MINIKEEPER_SEED` and the variable
    /// is not a number. To get an error instead of the first two panics, use [`add_chaos`](Self::add_chaos).
    #[track_caller]
    pub fn chaos(&self, chaos: Chaos) -> ChaosGuard {
        match self.add_chaos(chaos) {
            Ok(guard) => guard,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts random faults as [`chaos`](Self::chaos) does, and returns an error instead of panicking.
    ///
    /// # Errors
    ///
    /// If a rule can never happen, or a probability is invalid.
    ///
    /// # Panics
    ///
    /// If the seed comes from `MINIKEEPER_SEED` and the variable is not a number.
    pub fn add_chaos(&self, chaos: Chaos) -> Result<ChaosGuard, FaultError> {
        let seed = chaos.seed.unwrap_or_else(seed);
        let id = self.shared.engine.place_chaos(chaos, seed)?;
        // Printed now, since a test that returns an error does not panic. The test runner shows the line if the test
        // fails.
        eprintln!("minikeeper: chaos with seed {seed}; set {SEED}={seed} to replay it");
        Ok(ChaosGuard {
            server: self.clone(),
            id,
            seed,
        })
    }
}

/// Returns the seed of the environment variable, or a new one.
fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(seed) => match seed.trim().parse() {
            Ok(seed) => seed,
            Err(_) => panic!("{SEED} is {seed:?}; expected a number from 0 to 2^64 - 1"),
        },
        // The only random numbers of the standard library; shortened, since a developer may have to type the seed.
        Err(_) => std::hash::RandomState::new().hash_one(0) >> 40,
    }
}
