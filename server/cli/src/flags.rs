//! The command line. Each flag says what it does where it is declared.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use minikeeper::folder::DataFormat;
use tracing_subscriber::filter::LevelFilter;

use crate::intention;
use crate::members;
use crate::settings::{Door, Keep, Overrides, Refusal};
use crate::tools::{LogCommand, SnapshotCommand};

/// A ZooKeeper-compatible coordination server for tests and local development: one process, no quorum; state in memory, or
/// in ZooKeeper's own folder. And tools that show, compare and check such folders.
#[derive(Debug, Parser)]
#[command(
    name = "minikeeper",
    version,
    args_conflicts_with_subcommands = true,
    override_usage = "minikeeper [serve] [OPTIONS] [FILE | PORT DIR [TICKTIME [MAXCNXNS]]]\n       \
                      minikeeper health [OPTIONS] [ADDR]\n       \
                      minikeeper snapshot <show | summary | diff | verify | export> [OPTIONS] FILE_OR_DIR...\n       \
                      minikeeper log show [OPTIONS] FILE_OR_DIR",
    after_help = "Without FILE, --config and PORT DIR, the ZOO_* variables of the official and Bitnami's images and \
                  the ZOOKEEPER_* variables of Confluent's are read; system \
                  properties in JVMFLAGS, SERVER_JVMFLAGS and \
                  KAFKA_OPTS always are. A flag wins over all of them."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Box<Serve>,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve clients until a signal comes (what happens without a command, too)
    Serve(Box<Serve>),
    /// Ask a server whether it serves: exit code 0 if so, 1 if not
    Health(Health),
    /// Show, sum up, compare, check or export the state in ZooKeeper's snapshots and data folders
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Show the transactions in ZooKeeper's logs
    #[command(subcommand)]
    Log(LogCommand),
}

impl CommandLine {
    /// The command that was given, or `serve`.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// The flags of `minikeeper serve`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// FILE, or PORT DIR [TICKTIME [MAXCNXNS]], as ZooKeeper's own main class takes them
    #[arg(value_name = "ARGUMENT", num_args = 0..=4, conflicts_with = "config")]
    arguments: Vec<String>,

    /// Read this zoo.cfg
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen here, on 127.0.0.1 if only a port is given; port 0 takes a free one and prints it [default: 127.0.0.1:2181]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    listen: Option<SocketAddr>,

    /// The length of a tick in milliseconds [default: 2000; 3000 with a zoo.cfg]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i32).range(1..))]
    tick_time: Option<i32>,

    /// The shortest session timeout a client can get, in milliseconds [default: 2 ticks]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i32).range(1..))]
    min_session_timeout: Option<i32>,

    /// The longest session timeout a client can get, in milliseconds [default: 20 ticks]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i32).range(1..))]
    max_session_timeout: Option<i32>,

    /// Connections allowed from one address, 0 for no limit [default: 0; 60 with a zoo.cfg]
    #[arg(long, value_name = "COUNT")]
    max_client_connections: Option<usize>,

    /// The super user by digest, as in zookeeper.DigestAuthenticationProvider.superDigest
    #[arg(long, value_name = "USER:DIGEST", conflicts_with = "super_user", value_parser = with_colon)]
    super_digest: Option<String>,

    /// The super user by password
    #[arg(long, value_name = "USER:PASSWORD", value_parser = with_colon)]
    super_user: Option<String>,

    /// The four-letter words that are answered, by comma, or * for all [default: *; srvr with a zoo.cfg]
    #[arg(long, value_name = "WORDS")]
    four_letter_words: Option<String>,

    /// The longest frame that is read, in bytes [default: 1048575]
    #[arg(long, value_name = "BYTES")]
    jute_max_buffer: Option<usize>,

    /// Whether TTL znodes can be created [default: true; false with a zoo.cfg]
    #[arg(long, value_name = "BOOL")]
    extended_types: Option<bool>,

    /// Keep state in this folder, ZooKeeper's own: what is there is gone on with [default: dataDir; without one, in memory]
    #[arg(
        long,
        value_name = "DIR",
        group = "place",
        conflicts_with = "in_memory"
    )]
    data_dir: Option<PathBuf>,

    /// The folder of the transaction logs, with --data-dir or --open-copy [default: the same]
    #[arg(long, value_name = "DIR", requires = "place")]
    pub(crate) data_log_dir: Option<PathBuf>,

    /// Keep nothing, whatever the configuration says of dataDir
    #[arg(long)]
    in_memory: bool,

    /// Begin with the state in this snapshot or data folder, which is only read; all that is done is kept in memory
    #[arg(long, value_name = "FILE_OR_DIR", group = "place")]
    pub(crate) open_copy: Option<PathBuf>,

    /// Cut a damaged transaction log where the damage or a gap begins, instead of refusing the folder; a copy of the
    /// log is saved as damaged-log.*
    #[arg(long)]
    pub(crate) recover: bool,

    /// Read logs without any snapshot, as snapshot.trust.empty=true does: a folder of 3.4 that is younger than its first snapshot has none
    #[arg(long)]
    pub(crate) trust_empty: bool,

    /// The release of ZooKeeper that is to read the folder: 3.4, 3.5, 3.6, 3.7, 3.8 or 3.9; what it could not hold is
    /// refused [default: as the folder is, and 3.9 for an empty one]
    #[arg(long, value_name = "RELEASE")]
    data_format: Option<DataFormat>,

    /// Answer a write once the operating system has it, as forceSync=no does: a crash of the machine may lose the last
    /// ones, one of the server does not
    #[arg(long)]
    no_fsync: bool,

    /// Begin with the znodes in this file, JSON or YAML by its ending (.json, .yaml, .yml)
    #[arg(long, value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,

    /// Serve even if the configuration asks for what cannot be given: an ensemble, TLS, SASL
    #[arg(long)]
    ignore_unsupported: bool,

    /// How much is logged to stderr: off, error, warn, info, debug (connections closed) or trace (every request, answer and
    /// transaction too) [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<LevelFilter>,
}

impl Serve {
    /// Which door the user came through.
    ///
    /// # Errors
    ///
    /// Refuses arguments that have no known form, with the likely intention behind them.
    pub(crate) fn door(&self) -> Result<Door, Refusal> {
        if let Some(explained) = intention::of(&self.arguments) {
            return Err(Refusal::Whole(explained));
        }
        Ok(match (self.arguments.as_slice(), &self.config) {
            ([], None) => Door::Variables,
            ([], Some(file)) => Door::File(file.clone()),
            ([file], _) => Door::File(PathBuf::from(file)),
            (arguments, _) => Door::Arguments(arguments.to_vec()),
        })
    }

    /// What wins over every other source.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            listen: self.listen,
            tick_time_ms: self.tick_time,
            min_session_timeout_ms: self.min_session_timeout,
            max_session_timeout_ms: self.max_session_timeout,
            max_client_connections: self.max_client_connections,
            super_digest: self.super_digest.clone(),
            super_user: self.super_user.clone(),
            four_letter_words: self.four_letter_words.clone(),
            jute_max_buffer: self.jute_max_buffer,
            extended_types: self.extended_types,
            keep: match &self.data_dir {
                Some(folder) => Keep::In(folder.clone(), self.data_log_dir.clone()),
                None if self.in_memory || self.open_copy.is_some() => Keep::InMemory,
                None => Keep::AsConfigured,
            },
            recover: self.recover,
            trust_empty: self.trust_empty,
            data_format: self.data_format,
            no_fsync: self.no_fsync,
            ignore_unsupported: self.ignore_unsupported,
        }
    }
}

/// The flags of `minikeeper health`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Health {
    /// Where the server listens [default: where `serve` would with this environment]
    #[arg(value_name = "ADDR", value_parser = address)]
    pub(crate) address: Option<SocketAddr>,

    /// How long to wait for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "3000", value_parser = milliseconds)]
    pub(crate) timeout: Duration,
}

/// `HOST:PORT`, or a port of this machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => ("", text),
        None => return Err(format!("{text:?} has no port")),
    };
    let port = port
        .parse()
        .map_err(|_| format!("{port:?} is not a port"))?;
    members::resolve(host, port)
}

fn with_colon(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((user, secret)) if !user.is_empty() && !secret.is_empty() => Ok(String::from(text)),
        _ => Err(String::from("expected two parts with a colon between")),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(String::from("expected milliseconds")),
    }
}

/// Clap's complaint in one line.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let complaint = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = complaint.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    match intention::of_complaint(error) {
        Some(meant) => format!("{line}: {meant}"),
        None => String::from(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn serve(line: &str) -> Serve {
        let words = std::iter::once("minikeeper").chain(line.split_whitespace());
        match CommandLine::try_parse_from(words).map(CommandLine::into_command) {
            Ok(Command::Serve(serve)) => *serve,
            other => panic!("expected serve, got {other:?}"),
        }
    }

    fn complaint(line: &str) -> String {
        let words = std::iter::once("minikeeper").chain(line.split_whitespace());
        in_one_line(&CommandLine::try_parse_from(words).expect_err("the line is wrong"))
    }

    #[test]
    fn the_declaration_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        for line in ["", "serve"] {
            assert!(
                matches!(serve(line).door(), Ok(Door::Variables)),
                "{line:?}"
            );
        }
        assert_eq!(
            serve("--listen 127.0.0.1:0").overrides().listen,
            Some(SocketAddr::from(([127, 0, 0, 1], 0)))
        );
        assert_eq!(
            serve("serve --tick-time 7").overrides().tick_time_ms,
            Some(7)
        );
    }

    #[test]
    fn arguments_are_those_of_zookeepers_main_class() {
        assert!(
            matches!(serve("zoo.cfg").door(), Ok(Door::File(file)) if file.ends_with("zoo.cfg"))
        );
        assert!(matches!(serve("--config x").door(), Ok(Door::File(file)) if file.ends_with("x")));
        let Ok(Door::Arguments(arguments)) = serve("2181 /data 500 9").door() else {
            panic!("four arguments are no file");
        };
        assert_eq!(arguments, ["2181", "/data", "500", "9"]);
    }

    #[test]
    fn a_complaint_is_one_line_that_names_the_option() {
        for (line, expected) in [
            ("--nonsense", "unexpected argument '--nonsense' found"),
            (
                "--port 2181",
                "unexpected argument '--port' found: did you mean --listen?",
            ),
            (
                "--dataDir /x",
                "unexpected argument '--dataDir' found: did you mean --data-dir?",
            ),
            (
                "--listn 1",
                "unexpected argument '--listn' found: did you mean --listen?",
            ),
            (
                "snapshot shw",
                "unrecognized subcommand 'shw': did you mean show?",
            ),
            (
                "--tick-time 0",
                "invalid value '0' for '--tick-time <MS>': 0 is not in 1..=2147483647",
            ),
            (
                "--listen 127.0.0.1",
                "invalid value '127.0.0.1' for '--listen <ADDR:PORT>': \"127.0.0.1\" has no port",
            ),
            (
                "--listen x:y",
                "invalid value 'x:y' for '--listen <ADDR:PORT>': \"y\" is not a port",
            ),
            (
                "--super-user me",
                "invalid value 'me' for '--super-user <USER:PASSWORD>': expected two parts with a colon between",
            ),
        ] {
            assert_eq!(complaint(line), expected, "{line}");
        }
    }

    #[test]
    fn every_flag_stands_in_the_page_on_configuration() {
        let page = include_str!("../../../docs/configuration.md");
        fn flags(command: &clap::Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(|flag| flag.get_long());
            let below = command.get_subcommands().flat_map(flags);
            own.map(String::from).chain(below).collect()
        }
        let missing: Vec<_> = flags(&CommandLine::command())
            .into_iter()
            .filter(|name| {
                let flag = format!("--{name}");
                let mut places = page.split(&flag).skip(1);
                !places.any(|behind| behind.starts_with(['`', ' ']))
            })
            .collect();
        assert!(
            missing.is_empty(),
            "docs/configuration.md lacks {missing:?}"
        );
    }
}
