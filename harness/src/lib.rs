//! Coordination scenarios, run on minikeeper and on real ZooKeeper.

pub mod provision;
