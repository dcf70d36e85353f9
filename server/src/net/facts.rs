//! Facts of the disk and the operating system for a four-letter word, gathered without the engine's lock.
//!
//! A folder is listed by a thread of its own, so a slow disk delays only the client that asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::thread;

use super::engine::Engine;
use super::machine;
use crate::wire::{EnvironmentReport, FourLetterWord};

/// Data of an answer besides the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// For `envi`.
    pub(super) environment: Option<EnvironmentReport>,
    /// For `mntr`: the number of open files and the most there may be.
    pub(super) descriptors: (u64, u64),
    /// For `conf` and `dirs`: the sizes in bytes of the snapshots and of the logs.
    pub(super) sizes: (u64, u64),
}

impl Facts {
    /// Facts of the operating system for a word.
    fn of_machine(word: FourLetterWord) -> Self {
        let mut facts = Self::default();
        if word == FourLetterWord::Envi {
            facts.environment = Some(machine::environment());
        } else if word == FourLetterWord::Mntr {
            facts.descriptors = machine::file_descriptors();
        }
        facts
    }
}

/// Facts that a connection waits for, once it has asked.
#[derive(Debug, Default)]
pub(super) struct Gathering(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    facts: OnceLock<Facts>,
    /// The connection's task.
    waker: Mutex<Option<Waker>>,
}

impl Gathering {
    /// Begins to gather what a word needs, if that has not begun yet.
    pub(super) fn begin(&mut self, engine: &Engine, word: FourLetterWord) {
        if self.0.is_some() {
            return;
        }
        let shared = Arc::new(Shared::default());
        self.0 = Some(Arc::clone(&shared));
        if !engine.lists(word) {
            shared.deliver(Facts::default());
            return;
        }
        let of_disk = matches!(word, FourLetterWord::Conf | FourLetterWord::Dirs);
        let Some(log) = engine.log.clone().filter(|_| of_disk) else {
            shared.deliver(Facts::of_machine(word));
            return;
        };
        let measure = move || {
            shared.deliver(Facts {
                sizes: log.sizes(),
                ..Facts::default()
            });
        };
        // A runtime whose time is paused would advance it while it waits for a thread.
        if !engine.log.as_ref().is_some_and(|log| log.has_flusher()) {
            measure();
            return;
        }
        let thread = thread::Builder::new().name("minikeeper-sizes".to_owned());
        if thread.spawn(measure.clone()).is_err() {
            measure();
        }
    }

    /// Whether the facts are still missing. If so, the task is woken once they have arrived.
    pub(super) fn is_pending(&self, context: &Context<'_>) -> bool {
        let Some(shared) = &self.0 else {
            return false;
        };
        if shared.facts.get().is_some() {
            return false;
        }
        *shared.waker() = Some(context.waker().clone());
        // The facts may have arrived meanwhile.
        shared.facts.get().is_none()
    }

    /// The facts that have been gathered so far.
    pub(super) fn facts(&self) -> Facts {
        let shared = self.0.as_ref();
        shared
            .and_then(|shared| shared.facts.get())
            .cloned()
            .unwrap_or_default()
    }
}

impl Shared {
    fn deliver(&self, facts: Facts) {
        let _ = self.facts.set(facts);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
