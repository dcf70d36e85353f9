//! Flags of the tools. The doc comment of each flag is its help text.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use minikeeper::{SessionId, Snapshot, folder::DataFormat};

use super::Failure;
use super::bytes::Data;
use super::filter::{self, PathFilter};
use super::log::Moment;
use super::source::{self, Source};

/// Tools for a state.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Show every znode with its data, stat, ACL and owner, and every session
    Show(Show),
    /// Count znodes, bytes and sessions, in total and by subtree
    Summary(Summary),
    /// Show the znodes and sessions that differ between two states: exit code 0 without differences, 1 with
    /// differences, 2 on errors
    #[command(
        after_help = "A line begins with - if the item is only in A, + if it is only in B, ~ if it differs."
    )]
    Diff(Diff),
    /// Check every file for damage, one line per file: exit code 0 without damage, 1 with damage
    Verify(Verify),
    /// Write the tree as JSON or YAML for `minikeeper --seed`, or as a data folder for a real server
    Export(Export),
}

/// Tools for transaction logs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show every transaction, one per line
    Show(LogShow),
}

/// Source of a state.
#[derive(Clone, Debug, Args)]
pub(crate) struct From {
    /// Snapshot, or data folder. From a folder, the tool reads what a server would load: the newest valid snapshot and
    /// the logs after it
    #[arg(value_name = "FILE_OR_DIR")]
    file_or_dir: PathBuf,

    /// Folder of the transaction logs, if it differs from the folder of the snapshots
    #[arg(long, value_name = "DIR")]
    data_log_dir: Option<PathBuf>,

    #[command(flatten)]
    tolerance: source::Tolerance,
}

impl From {
    pub(super) fn source(&self) -> Source<'_> {
        Source::new(
            &self.file_or_dir,
            self.data_log_dir.as_deref(),
            self.tolerance,
        )
    }

    pub(super) fn open(&self) -> Result<Snapshot, Failure> {
        self.source().open()
    }
}

/// Output format of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One YAML document
    Yaml,
}

/// Flags of `minikeeper snapshot show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(super) source: From,

    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Show only these znodes. A path stands for its subtree; `*` and `?` match as in a shell, `**` matches any number
    /// of names. Can be repeated
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// Format of data
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) data: Data,
}

/// Flags of `minikeeper snapshot summary`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    pub(super) source: From,

    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Deepest level of the listed subtrees; / is level 0
    #[arg(long, value_name = "LEVEL", default_value_t = 1)]
    pub(super) depth: usize,

    /// Maximum number of listed subtrees, largest first
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(super) top: usize,
}

/// Flags of `minikeeper snapshot diff`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// First snapshot or data folder
    #[arg(value_name = "A")]
    one: PathBuf,

    /// Second snapshot or data folder
    #[arg(value_name = "B")]
    other: PathBuf,

    /// Folder of the transaction logs of A, if it differs from the folder of its snapshots
    #[arg(long, value_name = "DIR")]
    data_log_dir_a: Option<PathBuf>,

    /// Folder of the transaction logs of B, if it differs from the folder of its snapshots
    #[arg(long, value_name = "DIR")]
    data_log_dir_b: Option<PathBuf>,

    #[command(flatten)]
    tolerance: source::Tolerance,

    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Compare only these znodes, as for `show`, and sessions with an ephemeral among them
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// Fields to ignore, separated by commas
    #[arg(long, value_name = "FIELDS", value_enum, value_delimiter = ',')]
    pub(super) ignore: Vec<Ignore>,
}

impl Diff {
    pub(super) fn open(&self) -> Result<(Snapshot, Snapshot), Failure> {
        let open = |path, logs: &Option<PathBuf>| {
            Source::new(path, logs.as_deref(), self.tolerance).open()
        };
        let one = open(&self.one, &self.data_log_dir_a)?;
        let other = open(&self.other, &self.data_log_dir_b)?;
        Ok((one, other))
    }
}

/// One or more fields that a comparison ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ignore {
    Data,
    Acl,
    /// Session of an ephemeral, container, time to live
    Owner,
    Czxid,
    Mzxid,
    Pzxid,
    Ctime,
    Mtime,
    Version,
    Cversion,
    Aversion,
    /// czxid, mzxid, pzxid
    Zxids,
    /// ctime, mtime
    Times,
    /// version, cversion, aversion
    Versions,
    /// The whole stat: zxids, times, versions
    Stat,
    /// Sessions and their timeouts
    Sessions,
}

impl Ignore {
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Data => &["data"],
            Self::Acl => &["acl"],
            Self::Owner => &["owner"],
            Self::Czxid => &["czxid"],
            Self::Mzxid => &["mzxid"],
            Self::Pzxid => &["pzxid"],
            Self::Ctime => &["ctime"],
            Self::Mtime => &["mtime"],
            Self::Version => &["version"],
            Self::Cversion => &["cversion"],
            Self::Aversion => &["aversion"],
            Self::Zxids => &["czxid", "mzxid", "pzxid"],
            Self::Times => &["ctime", "mtime"],
            Self::Versions => &["version", "cversion", "aversion"],
            Self::Stat => &[
                "czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion",
            ],
            Self::Sessions => &[],
        }
    }
}

/// Flags of `minikeeper snapshot verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// Snapshot, log, or data folder. In a folder, the tool checks every file, and that a server can load the folder
    #[arg(value_name = "FILE_OR_DIR")]
    pub(super) file_or_dir: PathBuf,

    /// Folder of the transaction logs, if it differs from the folder of the snapshots
    #[arg(long, value_name = "DIR")]
    pub(super) data_log_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) tolerance: source::Tolerance,
}

/// Flags of `minikeeper snapshot export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(super) source: From,

    /// File that ends in .json, .yaml or .yml, or folder for a server, which must be empty or not exist [default: JSON
    /// on stdout]
    #[arg(value_name = "TO")]
    pub(super) to: Option<PathBuf>,

    /// Release of ZooKeeper that can open the folder: 3.4, 3.5, 3.6, 3.7, 3.8 or 3.9 [default: 3.9]
    #[arg(long, value_name = "RELEASE", requires = "to")]
    pub(super) data_format: Option<DataFormat>,

    /// Format of the tree on stdout
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "to")]
    pub(super) format: Option<TreeFormat>,
}

/// Format of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TreeFormat {
    /// JSON with one line per znode
    Json,
    /// YAML for people
    Yaml,
}

/// Flags of `minikeeper log show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogShow {
    /// Transaction log, or folder with logs (dataLogDir, or dataDir without one), which are read from the oldest on
    #[arg(value_name = "FILE_OR_DIR")]
    pub(super) file_or_dir: PathBuf,

    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: LogFormat,

    /// Show only transactions that concern these znodes, as for `snapshot show`
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// Show only transactions of this session, in hexadecimal; 0 is the server itself. Can be repeated
    #[arg(long, value_name = "ID", value_parser = filter::session)]
    pub(super) session: Vec<SessionId>,

    /// First zxid or time to show: a zxid in hexadecimal, as in the output and in the names of logs (1f or 0x1f), or a
    /// time in UTC (2026-01-31T12:00:00Z or 2026-01-31)
    #[arg(long, value_name = "ZXID_OR_TIME")]
    pub(super) from: Option<Moment>,

    /// Last zxid or time to show
    #[arg(long, value_name = "ZXID_OR_TIME")]
    pub(super) to: Option<Moment>,

    /// Format of data
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Data::None)]
    pub(super) data: Data,
}

/// Format of transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}
