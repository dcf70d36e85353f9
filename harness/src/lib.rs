//! Coordination scenarios, run on minikeeper and on real ZooKeeper.

mod alignment;
pub mod backend;
pub mod bench;
pub mod client;
pub mod command;
pub mod crash;
mod dice;
pub mod golden;
pub mod interop;
pub mod judge;
pub mod noted;
pub mod patience;
pub mod provision;
mod recipe;
pub mod report;
mod saved_copy;
pub mod script;
pub mod search;
pub mod stage;
pub mod suite;
pub mod transcript;
