//! Coordination scenarios, run on minikeeper and on real ZooKeeper.

pub mod backend;
pub mod bench;
pub mod client;
pub mod golden;
pub mod patience;
pub mod provision;
pub mod scenario;
pub mod transcript;
