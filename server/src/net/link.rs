//! The link between a client and the server, which a test can cut, one way or both.

use std::sync::atomic::{AtomicU8, Ordering};

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
    /// What the server sends does not arrive.
    ToClient,
    /// What the client sends does not arrive.
    ToServer,
}

/// The link of one connection. It is changed behind the engine's lock, and read wherever bytes are moved.
#[derive(Debug, Default)]
pub(super) struct Link(AtomicU8);

impl Link {
    const TO_CLIENT: u8 = 1;
    const TO_SERVER: u8 = 2;

    /// Cuts it in these directions, and in no other.
    pub(super) fn set(&self, cut: impl IntoIterator<Item = Direction>) {
        let bits = cut.into_iter().map(|direction| match direction {
            Direction::Both => Self::TO_CLIENT | Self::TO_SERVER,
            Direction::ToClient => Self::TO_CLIENT,
            Direction::ToServer => Self::TO_SERVER,
        });
        self.0
            .store(bits.fold(0, |all, one| all | one), Ordering::Release);
    }

    /// The directions in which it is cut, to see whether that changes.
    pub(super) fn cut(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn is_cut_to_client(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::TO_CLIENT != 0
    }

    pub(super) fn is_cut_to_server(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::TO_SERVER != 0
    }
}
