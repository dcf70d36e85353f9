//! What a test holds.

mod config;

pub use config::{ClockKind, Config, DigestAlgorithm, FourLetterWords};
