//! The flags of the tools. Each says what it does where it is declared.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use minikeeper::{SessionId, Snapshot, folder::DataFormat};

use super::Failure;
use super::bytes::Data;
use super::filter::{self, PathFilter};
use super::log::Moment;
use super::source::{self, Source};

/// What can be done with a state.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Every znode with its data, stat, ACL and owner, and every session
    Show(Show),
    /// How many znodes, bytes and sessions there are, and below which znodes
    Summary(Summary),
    /// What two states do not have in common, znodes and sessions: exit code 0 if nothing, 1 if something, 2 for trouble
    #[command(
        after_help = "A line that begins with - is only in the first, with + only in the second, with ~ in both."
    )]
    Diff(Diff),
    /// Check every file for damage, a line each: exit code 0 if there is none, 1 if there is
    Verify(Verify),
    /// Write the tree as JSON or YAML, as `minikeeper --seed` reads it, or as a folder that a real server starts from
    Export(Export),
}

/// What can be done with transaction logs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Every transaction, a line each
    Show(LogShow),
}

/// Where a state is read from.
#[derive(Clone, Debug, Args)]
pub(crate) struct From {
    /// A snapshot, or a data folder, of which everything is read that a server would load: the newest valid snapshot and
    /// the logs behind it
    #[arg(value_name = "FILE_OR_DIR")]
    file_or_dir: PathBuf,

    /// The folder of the transaction logs, if they are not beside the snapshots
    #[arg(long, value_name = "DIR")]
    data_log_dir: Option<PathBuf>,

    #[command(flatten)]
    how: source::How,
}

impl From {
    pub(super) fn source(&self) -> Source<'_> {
        Source::new(&self.file_or_dir, self.data_log_dir.as_deref(), self.how)
    }

    pub(super) fn open(&self) -> Result<Snapshot, Failure> {
        self.source().open()
    }
}

/// How a tool answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One YAML document
    Yaml,
}

/// The flags of `minikeeper snapshot show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(super) source: From,

    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Only these znodes: a path stands for itself and all below, `*` and `?` for what they do in a shell, `**` for any
    /// number of names; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// How data are shown
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub(super) data: Data,
}

/// The flags of `minikeeper snapshot summary`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    pub(super) source: From,

    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Down to which level subtrees are listed; / is level 0
    #[arg(long, value_name = "LEVEL", default_value_t = 1)]
    pub(super) depth: usize,

    /// How many subtrees are listed, those with the most bytes first
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(super) top: usize,
}

/// The flags of `minikeeper snapshot diff`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// The first snapshot or data folder
    #[arg(value_name = "A")]
    one: PathBuf,

    /// The second
    #[arg(value_name = "B")]
    other: PathBuf,

    /// The folder of the transaction logs of A, if they are not beside its snapshots
    #[arg(long, value_name = "DIR")]
    data_log_dir_a: Option<PathBuf>,

    /// The folder of the transaction logs of B, likewise
    #[arg(long, value_name = "DIR")]
    data_log_dir_b: Option<PathBuf>,

    #[command(flatten)]
    how: source::How,

    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: Format,

    /// Only these znodes, as for `show`, and sessions that have an ephemeral among them
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// What need not be the same, by comma
    #[arg(long, value_name = "FIELDS", value_enum, value_delimiter = ',')]
    pub(super) ignore: Vec<Ignore>,
}

impl Diff {
    pub(super) fn open(&self) -> Result<(Snapshot, Snapshot), Failure> {
        let open =
            |path, logs: &Option<PathBuf>| Source::new(path, logs.as_deref(), self.how).open();
        let one = open(&self.one, &self.data_log_dir_a)?;
        let other = open(&self.other, &self.data_log_dir_b)?;
        Ok((one, other))
    }
}

/// A field that two znodes may differ in, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ignore {
    Data,
    Acl,
    /// The session of an ephemeral, a container, a time to live
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
    /// All of the stat: zxids, times, versions
    Stat,
    /// The sessions and their timeouts
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

/// The flags of `minikeeper snapshot verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// A snapshot, a log, or a data folder, of which every file is checked, and that a server can load it
    #[arg(value_name = "FILE_OR_DIR")]
    pub(super) file_or_dir: PathBuf,

    /// The folder of the transaction logs, if they are not beside the snapshots
    #[arg(long, value_name = "DIR")]
    pub(super) data_log_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) how: source::How,
}

/// The flags of `minikeeper snapshot export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(super) source: From,

    /// Where to: a file that ends in .json, .yaml or .yml, or a folder for a server, which must be empty or not there;
    /// without it, JSON goes to the standard output
    #[arg(value_name = "TO")]
    pub(super) to: Option<PathBuf>,

    /// The release of ZooKeeper that is to start from the folder: 3.4, 3.5, 3.6, 3.7, 3.8 or 3.9 [default: 3.9]
    #[arg(long, value_name = "RELEASE", requires = "to")]
    pub(super) data_format: Option<DataFormat>,

    /// What is written to the standard output
    #[arg(long, value_name = "FORMAT", value_enum, conflicts_with = "to")]
    pub(super) format: Option<TreeFormat>,
}

/// How a tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TreeFormat {
    /// A line a znode
    Json,
    /// The same for people
    Yaml,
}

/// The flags of `minikeeper log show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogShow {
    /// A transaction log, or a folder (dataLogDir, or dataDir if there is none), of which all logs are read, the oldest first
    #[arg(value_name = "FILE_OR_DIR")]
    pub(super) file_or_dir: PathBuf,

    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: LogFormat,

    /// Only transactions that concern these znodes, as for `snapshot show`
    #[arg(long, value_name = "PATH")]
    pub(super) path: Vec<PathFilter>,

    /// Only those of this session, in hexadecimal; 0 is the server itself; may be given several times
    #[arg(long, value_name = "ID", value_parser = filter::session)]
    pub(super) session: Vec<SessionId>,

    /// From here on: a zxid in hexadecimal, as logs are named by and as they are shown (1f or 0x1f), or a time in UTC as
    /// 2026-01-31T12:00:00Z or 2026-01-31
    #[arg(long, value_name = "ZXID_OR_TIME")]
    pub(super) from: Option<Moment>,

    /// Up to here, this included
    #[arg(long, value_name = "ZXID_OR_TIME")]
    pub(super) to: Option<Moment>,

    /// How data are shown
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Data::None)]
    pub(super) data: Data,
}

/// How transactions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}
