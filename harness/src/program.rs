//! Program that runs the servers of a command.

use std::io;
use std::path::PathBuf;

/// Option for the program that a command starts as its server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Program {
    /// Program that runs minikeeper; this one by default
    #[arg(long = "program", hide = true)]
    path: Option<PathBuf>,
}

impl Program {
    /// Returns the path of the program.
    ///
    /// # Errors
    ///
    /// If no program is given, and the path of this process is unknown.
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        match &self.path {
            Some(path) => Ok(path.clone()),
            None => std::env::current_exe(),
        }
    }
}
