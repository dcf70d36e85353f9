//! Tests of unmodified clients with minikeeper over a socket. This crate contains nothing but the tests.
//!
//! | client | tests |
//! |---|---|
//! | the `zookeeper-client` crate | `tests/it/zookeeper_client.rs` |
//! | kazoo (Python) | `clients/kazoo/`, started by `tests/it/kazoo.rs` |
//! | the Java client | `clients/java/`, started by `tests/it/java.rs` |
//! | `zkCli.sh` (its main class) | `clients/java/ZkCli.java`, started by `tests/it/zkcli.rs` |
//!
//! Each test has a server of its own. `MINIKEEPER_CLIENT_TESTS_SERVER=zookeeper:3.9.5 cargo test -p
//! minikeeper-client-tests` runs the same tests on real ZooKeeper servers: a test that fails there has a wrong
//! expectation.
//!
//! A test that prints lines with `run.say` runs on both servers, and must print the same lines, except for the
//! server's address, session ids and times. All scripts of zkCli are such tests, and two scenarios of every client:
//! configuration and leader election. These two also run on the binary (`tests/it/binary.rs`).
//!
//! # A new test for Java or kazoo
//!
//! A new test is a function marked `@Case` (`@case`) in one of the driver's files; its name is found there. A test
//! never sleeps: it waits for an event or an answer, with a deadline. It controls its server by `run.restart()`,
//! `run.stop()`, `run.startAgain()` and `run.expire(client)`.

/// Documentation tests: the Rust examples of the README and of the guide compile and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/guide/ensemble.md")]
    struct Ensemble;
    #[doc = include_str!("../../docs/guide/faults.md")]
    struct Faults;
    #[doc = include_str!("../../docs/guide/folders.md")]
    struct Folders;
    #[doc = include_str!("../../docs/guide/holds.md")]
    struct Holds;
    #[doc = include_str!("../../docs/guide/journal.md")]
    struct Journal;
    #[doc = include_str!("../../docs/guide/labels.md")]
    struct Labels;
    #[doc = include_str!("../../docs/guide/state.md")]
    struct State;
    #[doc = include_str!("../../docs/guide/time.md")]
    struct Time;
    #[doc = include_str!("../../docs/guide/transports.md")]
    struct Transports;
}
