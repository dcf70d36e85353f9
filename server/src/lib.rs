//! A pure-Rust, embedded, ZooKeeper-compatible coordination server for tests.
