//! Tests of unmodified clients with minikeeper over a socket, in one file per client. Each test has a server of its
//! own.
//!
//! The server is minikeeper in this process; common uses of ZooKeeper also run on the binary (`binary.rs`).
//! `MINIKEEPER_CLIENT_TESTS_SERVER=zookeeper:3.9.5` runs the other tests on a real ZooKeeper: a test that fails there
//! has a wrong expectation. Missing clients are downloaded; if one cannot be had, its tests are ignored with the
//! reason, unless `MINIKEEPER_REQUIRE` requires it.
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

use std::process::ExitCode;

use libtest_mimic::Arguments;

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
