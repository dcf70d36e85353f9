//! The `report` command, and the output of the reports of a run.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{CommandError, Status};
use crate::judge::Findings;
use crate::report::{self, Detail, Look};

/// Show the results of a run that was saved with `--json`
#[derive(Debug, Args)]
pub(super) struct Report {
    /// File that `--json` of a run wrote
    file: PathBuf,
    /// Write JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write an HTML page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the results (the default without `--junit` and `--html`)
    #[arg(long)]
    terminal: bool,
    #[command(flatten)]
    print: Print,
}

/// Options of printed reports.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Print {
    /// Show the behaviour of the servers in every case
    #[arg(long, conflicts_with = "quiet")]
    show: bool,
    /// Show only differences and failures
    #[arg(long)]
    quiet: bool,
    /// Maximum number of characters per line; the width of the terminal by default
    #[arg(long, value_name = "CHARACTERS")]
    width: Option<usize>,
}

/// Width of terminals of unknown width.
const USUAL_WIDTH: usize = 160;

impl Print {
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }

    pub(super) fn terminal(self, findings: &Findings) -> Result<(), CommandError> {
        let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let look = Look {
            width: self.width.or_else(terminal).unwrap_or(USUAL_WIDTH),
            detail: match (self.quiet, self.show) {
                (true, _) => Detail::Little,
                (false, false) => Detail::Usual,
                (false, true) => Detail::Everything,
            },
        };
        // Honours NO_COLOR, and removes colours if the output is no terminal.
        let mut out = anstream::stdout().lock();
        Ok(report::terminal(&mut out, findings, look)?)
    }
}

impl Report {
    pub(super) fn start(&self) -> Result<Status, CommandError> {
        let file = self.file.display();
        let text = fs::read_to_string(&self.file)
            .map_err(|error| CommandError::Usage(format!("{file}: {error}")))?;
        let findings = report::read_json(&text)
            .map_err(|error| CommandError::Usage(format!("{file}: {error}")))?;
        write(&findings, None, self.junit.as_deref(), self.html.as_deref())?;
        if self.terminal || (self.junit.is_none() && self.html.is_none()) {
            self.print.terminal(&findings)?;
        }
        Ok(Status::Expected)
    }
}

/// Writes the requested files.
pub(super) fn write(
    findings: &Findings,
    json: Option<&Path>,
    junit: Option<&Path>,
    html: Option<&Path>,
) -> Result<(), CommandError> {
    if let Some(file) = json {
        put(file, &report::json(findings).map_err(CommandError::failed)?)?;
    }
    if let Some(file) = junit {
        put(
            file,
            &report::junit(findings).map_err(CommandError::failed)?,
        )?;
    }
    if let Some(file) = html {
        put(file, &report::html(findings).map_err(CommandError::failed)?)?;
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> Result<(), CommandError> {
    let say = |error| CommandError::Failed(format!("{}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(say)?;
    }
    fs::write(file, text).map_err(say)
}
