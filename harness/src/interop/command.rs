//! The `interop` command.

use std::io::{self, Write};

use super::{Identity, Interop, InteropError, VERSIONS};
use crate::backend::{BackendError, Compression};
use crate::program::Program;
use crate::provision::Missing;
use crate::random::seed_of_the_clock;

/// Arguments of `interop`.
#[derive(Clone, Debug, clap::Args)]
pub struct InteropArgs {
    /// Versions of the real server
    #[arg(long, value_name = "VERSION", value_delimiter = ',', default_values = VERSIONS)]
    versions: Vec<String>,
    /// Approximate number of requests that each server gets before it hands the folder over
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000)
    )]
    ops: u32,
    /// Number of times that the folder goes from a real server to minikeeper and back
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seed of everything that is random; a random one by default
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Compression of snapshots, one run for each: none, gz, snappy; versions before 3.6 write none
    #[arg(long, value_name = "METHOD", value_delimiter = ',', default_values_t = [Compression::None])]
    compression: Vec<Compression>,
    /// Run a second real server in place of minikeeper, to find what the comparison itself reports
    #[arg(long)]
    control: bool,
    /// Server id of both servers, one run for each; by default a random one of 0, 1, 127, 128, 254 and 255, and 1
    /// before 3.5
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    server_ids: Vec<u8>,
    /// Whether both servers have extended types; random by default, and never with server id 255
    #[arg(long, value_name = "BOOL")]
    extended_types: Option<bool>,
    /// Number of filler znodes, which make snapshots take longer while other znodes get new ACLs
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    filler_znodes: u32,
    /// Print each action
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    program: Program,
}

/// Result of `interop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InteropOutcome {
    /// Every server found the state that the one before it wrote.
    Same,
    /// A server found a different state.
    Different,
    /// A part that the servers need is missing.
    Missing(Missing),
}

impl InteropArgs {
    /// Runs the exchanges and writes the result of each.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn run(&self, mut out: impl Write) -> io::Result<InteropOutcome> {
        let seed = self.seed.unwrap_or_else(seed_of_the_clock);
        let program = self.program.path()?;
        let mut outcome = InteropOutcome::Same;
        let ids: Vec<Option<u8>> = match self.server_ids.as_slice() {
            [] => vec![None],
            ids => ids.iter().copied().map(Some).collect(),
        };
        for version in &self.versions {
            for &compression in &self.compression {
                for &server_id in &ids {
                    let interop = Interop {
                        version: version.clone(),
                        seed,
                        ops: usize::try_from(self.ops).unwrap_or(usize::MAX),
                        rounds: usize::from(self.rounds),
                        compression,
                        control: self.control,
                        program: program.clone(),
                        server_id,
                        extended_types: self.extended_types,
                        filler_znodes: usize::try_from(self.filler_znodes).unwrap_or(usize::MAX),
                    };
                    self.play(&interop, &mut outcome, &mut out)?;
                }
            }
        }
        Ok(outcome)
    }

    fn play(
        &self,
        interop: &Interop,
        outcome: &mut InteropOutcome,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let Interop {
            version,
            compression,
            seed,
            ..
        } = interop;
        let Identity {
            server_id,
            extended_types,
        } = interop.identity();
        write!(
            out,
            "{version}, compression {compression}, server id {server_id}, extended types {extended_types}, \
             seed {seed}: "
        )?;
        out.flush()?;
        let mut log = |text: &str| {
            if self.verbose {
                eprintln!("  {text}");
            }
        };
        match interop.run(&mut log) {
            Ok(report) => {
                writeln!(
                    out,
                    "same in {} comparisons; {} requests; final state: {} znodes, {} sessions, zxid {:#x}, \
                     {} logs, {} snapshots; \
                     {:.1} s",
                    report.comparisons,
                    report.requests,
                    report.znodes,
                    report.sessions,
                    report.zxid,
                    report.files.0,
                    report.files.1,
                    report.took.as_secs_f64(),
                )?;
                for note in report.notes {
                    writeln!(out, "  note: {note}")?;
                }
            }
            Err(InteropError::Backend(BackendError::Missing(missing))) => {
                writeln!(out, "{missing}")?;
                if *outcome == InteropOutcome::Same {
                    *outcome = InteropOutcome::Missing(missing);
                }
            }
            Err(error) => {
                writeln!(out, "DIFFERENT\n{error}")?;
                *outcome = InteropOutcome::Different;
            }
        }
        Ok(())
    }
}
