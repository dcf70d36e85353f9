//! `interop`: relays on the command line.

use super::{Identity, Interop, InteropError, VERSIONS};
use crate::backend::{BackendError, Compression};
use crate::provision::Missing;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What `interop` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct InteropArgs {
    /// The versions of the real server.
    #[arg(long, value_name = "VERSION", value_delimiter = ',', default_values = VERSIONS)]
    versions: Vec<String>,
    /// About how many requests a server is sent before it hands over.
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    ops: u32,
    /// How often the folder goes from a real server to ours and back.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Where everything that is drawn comes from; drawn itself if it is not given.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How snapshots are compressed, in turn: none, gz, snappy. A version before 3.6 knows none.
    #[arg(long, value_name = "METHOD", value_delimiter = ',', default_values_t = [Compression::None])]
    compression: Vec<Compression>,
    /// Let a real server stand in for ours, to see what the judge itself is worth.
    #[arg(long)]
    control: bool,
    /// The server ids of both, in turn; without it one is drawn: 0, 1, 127, 128, 254 or 255. Before 3.5 it is 1.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    server_ids: Vec<u8>,
    /// Whether both have extended types; drawn if it is not given. Never with server id 255.
    #[arg(long, value_name = "BOOL")]
    extended_types: Option<bool>,
    /// Number of planted znodes, which make snapshots take their time while other znodes get new ACLs
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    filler_znodes: u32,
    /// Say what is done.
    #[arg(long)]
    verbose: bool,
    /// The program that runs ours; by default this one.
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InteropOutcome {
    /// Everything was found as it was left.
    Same,
    /// Something was not.
    Different,
    /// There was nobody to play with.
    Missing(Missing),
}

impl InteropArgs {
    /// Plays the relays and writes what comes of each.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn run(&self, mut out: impl Write) -> io::Result<InteropOutcome> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let drawn = since_1970.map_or(0, |span| u64::from(span.subsec_nanos()));
        let seed = self.seed.unwrap_or(drawn);
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
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
            "{version}, compression {compression}, server id {server_id}, extended types {extended_types}, seed {seed}: "
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
                    "same in {} comparisons; {} requests; in the end {} znodes, {} sessions, zxid {:#x}, {} logs, {} snapshots; \
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
