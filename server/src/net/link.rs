//! The link between a client and the server, which a test can cut, one way or both.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};

use serde::{Deserialize, Serialize};

/// Which way a link is cut.
///
/// ```
/// assert_ne!(minikeeper::Direction::Both, minikeeper::Direction::ToClient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Nothing passes.
    Both,
    /// What the server sends does not arrive: a half-open link.
    ToClient,
    /// What the client sends does not arrive.
    ToServer,
}

impl Direction {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Both => "both ways",
            Self::ToClient => "to the client",
            Self::ToServer => "to the server",
        }
    }

    const TO_CLIENT: u8 = 1;
    const TO_SERVER: u8 = 2;

    fn bits(self) -> u8 {
        match self {
            Self::Both => Self::TO_CLIENT | Self::TO_SERVER,
            Self::ToClient => Self::TO_CLIENT,
            Self::ToServer => Self::TO_SERVER,
        }
    }
}

/// The link of one connection. It is changed behind the engine's lock, and read wherever bytes are moved.
#[derive(Debug, Default)]
pub(super) struct Link {
    cut: AtomicU8,
    /// The connection's own task, while it waits for the link to be whole again.
    waiting: Mutex<Option<Waker>>,
}

impl Link {
    /// Cuts it in these directions, and in no other. Says whether that changes anything; if so, whoever waits for the link
    /// is to be woken.
    pub(super) fn set(
        &self,
        cut: impl IntoIterator<Item = Direction>,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let bits = cut.into_iter().fold(0, |all, one| all | one.bits());
        if self.cut.swap(bits, Ordering::AcqRel) == bits {
            return false;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.extend(waiting.take());
        true
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire) != 0
    }

    pub(super) fn is_cut_to_client(&self) -> bool {
        self.cut.load(Ordering::Acquire) & Direction::TO_CLIENT != 0
    }

    pub(super) fn is_cut_to_server(&self) -> bool {
        self.cut.load(Ordering::Acquire) & Direction::TO_SERVER != 0
    }

    /// Whether nothing reaches the client; if so, whoever asks is woken when that changes.
    pub(super) fn keeps_from_client(&self, context: &Context<'_>) -> bool {
        // Asked again once it is known whom to wake: it may have changed in between.
        self.is_cut_to_client() && {
            self.wait(context);
            self.is_cut_to_client()
        }
    }

    /// The same, for what the client sends.
    pub(super) fn keeps_from_server(&self, context: &Context<'_>) -> bool {
        self.is_cut_to_server() && {
            self.wait(context);
            self.is_cut_to_server()
        }
    }

    fn wait(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(context.waker().clone());
    }
}
