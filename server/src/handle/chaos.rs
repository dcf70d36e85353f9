//! Chaos: what goes wrong by chance, as long as a test holds it.

use std::hash::BuildHasher;
use std::thread;

use super::Server;
use crate::control::{Chaos, FaultError, FaultId};

/// The variable that has the seed of every chaos without one of its own.
const SEED: &str = "MINIKEEPER_SEED";

/// A chaos that was placed: it lasts as long as this is held. A line tells its seed when it begins.
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
    /// The seed. With the same one the same goes wrong again: [`Chaos`] says how far.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How often something went wrong.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.server.shared.engine.fault_hits(self.id)
    }

    /// Makes the links whole again that it has cut.
    pub fn heal(&self) {
        self.server.shared.engine.heal_fault(self.id);
    }
}

impl Drop for ChaosGuard {
    fn drop(&mut self) {
        self.server.on_drop();
        let engine = &self.server.shared.engine;
        if !thread::panicking() || engine.is_sound() {
            let _ = engine.remove_fault(self.id);
        }
    }
}

impl Server {
    /// Lets things go wrong by chance; [`Chaos`] says how. The journal tells each of them, as it tells any other fault.
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
    /// If something can never happen, or a probability is none; or if the seed is to come from `MINIKEEPER_SEED`, and what is
    /// there is no number. To be told of the former instead, use [`place_chaos`](Self::place_chaos).
    #[track_caller]
    pub fn chaos(&self, chaos: Chaos) -> ChaosGuard {
        match self.add_chaos(chaos) {
            Ok(guard) => guard,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, for a chaos that is given as data.
    ///
    /// # Errors
    ///
    /// If something can never happen, or a probability is none.
    ///
    /// # Panics
    ///
    /// If the seed is to come from `MINIKEEPER_SEED`, and what is there is no number.
    pub fn add_chaos(&self, chaos: Chaos) -> Result<ChaosGuard, FaultError> {
        let seed = chaos.seed.unwrap_or_else(seed);
        let id = self.shared.engine.place_chaos(chaos, seed)?;
        // Told now, since a test that returns an error does not panic; the test runner shows it if the test fails.
        eprintln!("minikeeper: chaos of seed {seed}; {SEED}={seed} plays it again");
        Ok(ChaosGuard {
            server: self.clone(),
            id,
            seed,
        })
    }
}

/// The seed that the variable has, or a new one.
fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(seed) => match seed.trim().parse() {
            Ok(seed) => seed,
            Err(_) => panic!("{SEED} is {seed:?}, and a seed is a number from 0 to 2^64 - 1"),
        },
        // The one source of chance in the standard library; short, as it may have to be typed.
        Err(_) => std::hash::RandomState::new().hash_one(0) >> 40,
    }
}
