//! The `list` command.

use std::io::{self, Write};

use clap::Args;

use super::{CommandError, Status};
use crate::judge::KnownDifferences;
use crate::report;
use crate::suite::{Pattern, Suite};

/// List chapters and cases
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only these cases: a chapter, `watch/17`, `watch/3..9`, or text in a title; may be given several times
    #[arg(long, value_name = "PATTERN")]
    only: Vec<Pattern>,
    /// Print JSON, with the scripts
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the page `docs/conformance.md`
    #[arg(long)]
    markdown: bool,
    /// Print the differences of ZooKeeper 3.4 to 3.9, the page `docs/versions.md`
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    versions: bool,
}

impl List {
    pub(super) fn start(&self, suite: Suite) -> Result<Status, CommandError> {
        let suite = suite.select(&self.only)?;
        let text = if self.json {
            report::list_json(&suite).map_err(CommandError::failed)?
        } else if self.versions {
            report::versions(&suite, &KnownDifferences::builtin())
        } else if self.markdown {
            report::list_markdown(&suite)
        } else {
            report::list(&suite)
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(Status::Expected)
    }
}
