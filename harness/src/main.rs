//! The `minikeeper-harness` binary: runs the built-in cases on the given servers and shows the differences.

use std::process::ExitCode;

use minikeeper_harness::command;
use minikeeper_harness::suite::Suite;

fn main() -> ExitCode {
    command::main(Suite::builtin())
}
