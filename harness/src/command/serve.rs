//! The hidden commands that the harness runs itself.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{CommandError, Status};
use crate::backend::{Compression, FolderSettings, ServerSetup, Settings};
use crate::bench;

/// Servers that the harness starts in processes of their own.
#[derive(Debug, Subcommand)]
pub(super) enum Serve {
    #[command(name = "serve-ours", hide = true)]
    Ours {
        /// With the journal of a server in a test
        #[arg(long)]
        journal: bool,
    },
    /// A server with a data folder, which ends when its standard input does
    #[command(name = "serve-folder", hide = true)]
    Folder(ServeFolder),
    #[command(name = "serve-echo", hide = true)]
    Echo { request: usize, reply: usize },
    #[command(name = "serve-bare-events", hide = true)]
    BareEvents { watchers: usize, event: usize },
    #[command(hide = true)]
    ThousandServers,
}

impl Serve {
    pub(super) fn start(&self) -> Result<Status, CommandError> {
        match self {
            Self::Folder(folder) => folder.start()?,
            Self::Ours { journal } => bench::serve_ours(*journal).map_err(CommandError::failed)?,
            Self::Echo { request, reply } => {
                bench::serve_echo(*request, *reply).map_err(CommandError::failed)?;
            }
            Self::BareEvents { watchers, event } => {
                bench::serve_bare_events(*watchers, *event).map_err(CommandError::failed)?;
            }
            Self::ThousandServers => {
                let line = bench::thousand_servers().map_err(CommandError::failed)?;
                writeln!(io::stdout(), "{line}")?;
            }
        }
        Ok(Status::Expected)
    }
}

/// Settings of the served folder.
#[derive(Debug, Args)]
pub(super) struct ServeFolder {
    folder: PathBuf,
    #[arg(long)]
    no_sync: bool,
    #[arg(long)]
    snap_count: Option<u32>,
    #[arg(long)]
    pre_alloc_kib: Option<u32>,
    #[arg(long, default_value_t)]
    compression: Compression,
    #[arg(long)]
    trust_empty: bool,
    #[arg(long)]
    longest_session_ms: Option<u64>,
    #[arg(long)]
    tick_ms: Option<u64>,
    #[arg(long)]
    reaping: bool,
    #[arg(long, default_value_t = 1)]
    server_id: u8,
    #[arg(long)]
    no_extended_types: bool,
}

impl ServeFolder {
    fn start(&self) -> Result<(), CommandError> {
        let usual = Settings::default();
        let settings = Settings {
            tick_time: self.tick_ms.map_or(usual.tick_time, Duration::from_millis),
            setup: if self.reaping {
                ServerSetup::Reaping
            } else {
                ServerSetup::Usual
            },
            folder_settings: FolderSettings {
                force_sync: !self.no_sync,
                snap_count: self.snap_count,
                pre_alloc_kib: self.pre_alloc_kib,
                compression: self.compression,
                trust_empty: self.trust_empty,
                longest_session: self.longest_session_ms.map(Duration::from_millis),
                server_id: self.server_id,
                extended_types: !self.no_extended_types,
            },
            ..usual
        };
        bench::serve_folder(&self.folder, &settings).map_err(CommandError::failed)
    }
}
