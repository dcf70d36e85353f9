//! The `minikeeper-harness` binary: plays the cases on what is there and shows where the servers differ.

use minikeeper_harness::command;
use minikeeper_harness::suite::Suite;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::main(Suite::builtin())
}
