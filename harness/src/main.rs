//! The `minikeeper-harness` binary: plays the cases on what is there and shows where the servers differ.

use std::process::ExitCode;

use minikeeper_harness::command;
use minikeeper_harness::suite::Suite;

fn main() -> ExitCode {
    command::main(Suite::builtin())
}
