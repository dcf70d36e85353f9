//! The `minikeeper` binary. It makes a [`minikeeper::Config`] from flags, a `zoo.cfg` and variables, and serves until a
//! signal arrives; or it shows the contents of ZooKeeper's files.

mod control;
mod ctl;
mod digest;
mod environment;
mod flags;
mod health;
mod intention;
mod keys;
mod members;
#[cfg(test)]
mod page;
mod properties;
mod serve;
mod setting_flags;
mod settings;
mod tools;
mod zoo_cfg;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use flags::{Command, CommandLine};
use serve::Failure;

/// ZooKeeper's `ExitCode.INVALID_INVOCATION`.
const INVALID: u8 = 2;

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.into_command(),
        Err(asked) if !asked.use_stderr() => {
            // --help and --version.
            let _ = asked.print();
            return ExitCode::SUCCESS;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return ExitCode::from(INVALID);
        }
        Err(error) => {
            let words: Vec<_> = std::env::args_os()
                .skip(1)
                .map(|word| word.to_string_lossy().into_owned())
                .take_while(|word| !word.starts_with('-'))
                .collect();
            complain(&intention::of_script(&words).unwrap_or_else(|| {
                format!("{}; see minikeeper --help", flags::in_one_line(&error))
            }));
            return ExitCode::from(INVALID);
        }
    };
    match run(&command) {
        Ok(code) => code,
        Err((code, reason)) => {
            complain(&reason);
            code
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, (ExitCode, String)> {
    match command {
        Command::Snapshot(command) => tools::run_snapshot(command),
        Command::Log(command) => tools::run_log(command),
        Command::Serve(flags) => exit_code(serve::run(flags)),
        Command::Control(flags) => exit_code(control::run(flags)),
        Command::Ctl(flags) => ctl::run(flags).map_err(|reason| (ExitCode::FAILURE, reason)),
        Command::Health(flags) => {
            let address = match flags.address {
                Some(address) => address,
                None => settings::address_in(&environment::Variables::of_this_process())
                    .map_err(|refusal| (ExitCode::FAILURE, refusal.to_string()))?,
            };
            health::check(minikeeper::config::reachable(address), flags.timeout)
                .map(|()| ExitCode::SUCCESS)
                .map_err(|reason| (ExitCode::FAILURE, reason))
        }
    }
}

fn exit_code(outcome: Result<(), Failure>) -> Result<ExitCode, (ExitCode, String)> {
    outcome.map(|()| ExitCode::SUCCESS).map_err(|failure| {
        let code = match failure {
            Failure::Refused(_) | Failure::Seed(_) => ExitCode::from(INVALID),
            // ExitCode.ERROR_STARTING_ADMIN_SERVER
            Failure::Admin { .. } => ExitCode::from(4),
            Failure::NotStarted(_)
            | Failure::Metrics { .. }
            | Failure::Control(_)
            | Failure::Signals(_)
            | Failure::Disk(_) => ExitCode::FAILURE,
        };
        (code, failure.to_string())
    })
}

/// Writes one line to stderr; a closed stderr is ignored.
fn complain(reason: &str) {
    let line = reason.replace(['\n', '\r'], " ");
    let _ = writeln!(std::io::stderr(), "minikeeper: {line}");
}
