//! Real, unmodified clients against minikeeper, over a socket. One file a client; each test has a server of its own.
//!
//! The server is minikeeper in this process, and for what people use ZooKeeper for the binary too (`binary.rs`).
//! `MINIKEEPER_CLIENT_TESTS_SERVER=zookeeper:3.9.5` runs the other tests on a real ZooKeeper: what fails there is a wrong
//! expectation. Clients that are not on this machine are fetched; if they cannot be had, their tests are ignored, each
//! with the reason, unless `MINIKEEPER_REQUIRE` asks for them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as expected"
)]

mod binary;
mod driver;
mod java;
mod kazoo;
mod oracle;
mod outcome;
mod server;
mod transcript;
mod zkcli;
mod zookeeper_client;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = zookeeper_client::trials();
    trials.extend(kazoo::trials());
    trials.extend(java::trials());
    trials.extend(zkcli::trials());
    trials.extend(binary::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    oracle::end();
    conclusion.exit_code()
}
