//! A harness that runs the same scenarios on minikeeper and on real ZooKeeper and compares the results.

mod alignment;
pub mod backend;
pub mod bench;
pub mod client;
pub mod command;
pub mod crash;
pub mod golden;
pub mod interop;
pub mod judge;
pub mod patience;
mod program;
pub mod provision;
mod random;
mod recipe;
pub mod report;
mod saved_copy;
pub mod script;
pub mod search;
pub mod stage;
pub mod suite;
pub mod transcribe;
pub mod transcript;
