//! The command line. The doc comment of each flag is its help text; the flags of settings are in
//! [`setting_flags`](crate::setting_flags).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::ctl::Ctl;
use crate::intention;
use crate::setting_flags::{SettingFlags, address};
use crate::settings::{Refusal, Source};
use crate::tools::{LogCommand, SnapshotCommand};

/// A ZooKeeper-compatible coordination server for tests and local development.
///
/// One process, no quorum. The state is in memory, or in a data folder in ZooKeeper's own format. The commands
/// `snapshot` and `log` show, compare and check such folders.
#[derive(Debug, Parser)]
#[command(
    name = "minikeeper",
    version,
    args_conflicts_with_subcommands = true,
    override_usage = "minikeeper [serve] [OPTIONS] [FILE | PORT DIR [TICKTIME [MAXCNXNS]]]\n       \
                      minikeeper control [OPTIONS] [ADDR]\n       \
                      minikeeper ctl [OPTIONS] <VERB> [ARGUMENT...]\n       \
                      minikeeper health [OPTIONS] [ADDR]\n       \
                      minikeeper snapshot <show | summary | diff | verify | export> [OPTIONS] FILE_OR_DIR...\n       \
                      minikeeper log show [OPTIONS] FILE_OR_DIR",
    after_help = "A flag overrides every other source of a setting.\n\n\
                  Without FILE, --config and PORT DIR, minikeeper reads the environment variables of three images: \
                  ZOO_* (the official one, Bitnami's) and ZOOKEEPER_* (Confluent's). It always reads the system \
                  properties in JVMFLAGS, SERVER_JVMFLAGS and KAFKA_OPTS."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Box<Serve>,
}

/// Commands of the binary.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve clients until a signal arrives (the default command)
    Serve(Box<Serve>),
    /// Serve the control API for tests in any language, without a server at first
    Control(Control),
    /// Control servers of a running minikeeper: faults, holds, time, sessions, journal
    Ctl(Box<Ctl>),
    /// Check that a server answers: exit code 0 if it does, 1 if not
    Health(Health),
    /// Show, summarize, compare, check or export the state in snapshots and data folders
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Show the transactions in transaction logs
    #[command(subcommand)]
    Log(LogCommand),
}

impl CommandLine {
    /// Returns the command; `serve` if the line has none.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// Flags of `minikeeper serve`. Each overrides files and variables.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Serve {
    /// A zoo.cfg, or PORT DIR [TICKTIME [MAXCNXNS]] as for ZooKeeper's main class
    #[arg(value_name = "ARGUMENT", num_args = 0..=4, conflicts_with = "config")]
    pub(crate) arguments: Vec<String>,

    /// Read the configuration from this zoo.cfg
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: SettingFlags,

    /// Name and password of the super user
    #[arg(long, value_name = "USER:PASSWORD", value_parser = with_colon, conflicts_with = "super_digest")]
    pub(crate) super_user: Option<String>,

    /// Keep the state in memory, even if the configuration has a dataDir
    #[arg(long, conflicts_with = "data_dir")]
    pub(crate) in_memory: bool,

    /// Load the state of this snapshot or data folder without changing it; the state stays in memory
    #[arg(long, value_name = "FILE_OR_DIR", group = "place")]
    pub(crate) open_copy: Option<PathBuf>,

    /// Create the znodes in this file: JSON (.json) or YAML (.yaml, .yml)
    #[arg(long, value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,

    /// Serve all members that the configuration's server lines name, as one ensemble in this process: on the client
    /// port of each member whose host is this machine, or only on its own; the state is in memory
    #[arg(long, conflicts_with_all = ["members", "address", "data_dir"])]
    pub(crate) members_from_config: bool,

    /// Start even if the configuration requires an unsupported feature: TLS, SASL, several voting members
    #[arg(long)]
    pub(crate) ignore_unsupported: bool,

    /// Serve the control API for tests on this address, with this server as `main`. A port alone means 127.0.0.1; port
    /// 0 takes a free port
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) control: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) control_flags: ControlFlags,

    /// Log level on stderr: off, error, warn, info (includes expired sessions), debug (adds closed connections) or
    /// trace (adds every request, reply and transaction) [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<LevelFilter>,
}

impl Serve {
    /// Returns the source of the settings that have no flag.
    ///
    /// # Errors
    ///
    /// Refuses arguments of an unknown form, and suggests what the user may have meant.
    pub(crate) fn source(&self) -> Result<Source, Refusal> {
        if let Some(explained) = intention::of(&self.arguments) {
            return Err(Refusal::Whole(explained));
        }
        Ok(match (self.arguments.as_slice(), &self.config) {
            ([], None) => Source::Variables,
            ([], Some(file)) => Source::File(file.clone()),
            ([file], _) => Source::File(PathBuf::from(file)),
            (arguments, _) => Source::Arguments(arguments.to_vec()),
        })
    }

    /// Whether the flags say where the state is: in a folder, or in memory.
    pub(crate) fn places_state(&self) -> bool {
        self.settings.has("data_dir") || self.keeps_in_memory()
    }

    /// Whether the flags ask for state in memory.
    pub(crate) fn keeps_in_memory(&self) -> bool {
        self.in_memory || self.open_copy.is_some()
    }
}

/// Flags of the control API, and of programs that start the binary.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ControlFlags {
    /// Token that each request of the control API must have. On an address that is not loopback, a token is generated
    /// and printed if there is none
    #[arg(long, value_name = "TOKEN")]
    pub(crate) control_token: Option<String>,

    /// Allow this name in the header Host of the control API, for example that of a container
    #[arg(long, value_name = "HOST")]
    pub(crate) control_allow_host: Vec<String>,

    /// Allow requests of the control API to read and write files below this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) control_files: Option<PathBuf>,

    /// End when standard input ends, as it does with the process that holds its other end
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,

    /// Write one line of JSON with the addresses to this file once everything serves; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

impl ControlFlags {
    /// Whether standard output has the ready line and nothing else.
    pub(crate) fn is_ready_on_stdout(&self) -> bool {
        self.ready_file.as_deref() == Some(std::path::Path::new("-"))
    }
}

/// Flags of `minikeeper control`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Control {
    /// Address of the API; a port alone means 127.0.0.1, port 0 takes a free port [default: MINIKEEPER_CONTROL, or
    /// 127.0.0.1:2180]
    #[arg(value_name = "ADDR", value_parser = address)]
    pub(crate) address: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) control: ControlFlags,

    /// Log level on stderr: off, error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<LevelFilter>,
}

/// Flags of `minikeeper health`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Health {
    /// Address of the server [default: the address on which `serve` would listen in this environment]
    #[arg(value_name = "ADDR", value_parser = address)]
    pub(crate) address: Option<SocketAddr>,

    /// Maximum time to wait for the answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "3000", value_parser = milliseconds)]
    pub(crate) timeout: Duration,
}

fn with_colon(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((user, secret)) if !user.is_empty() && !secret.is_empty() => Ok(String::from(text)),
        _ => Err("expected two parts separated by a colon".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err("expected milliseconds".to_owned()),
    }
}

/// Formats an error of clap as one line.
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
pub(crate) mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Returns the flags of a command line of `minikeeper serve`.
    pub(crate) fn serve(line: &str) -> Serve {
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
                matches!(serve(line).source(), Ok(Source::Variables)),
                "{line:?}"
            );
        }
        let flags = serve("--listen 127.0.0.1:0").settings;
        assert_eq!(flags.get("address"), Some("127.0.0.1:0"));
        let flags = serve("serve --tick-time 7").settings;
        assert_eq!(flags.get("tick_time"), Some("7"));
    }

    #[test]
    fn arguments_are_those_of_zookeepers_main_class() {
        assert!(
            matches!(serve("zoo.cfg").source(), Ok(Source::File(file)) if file.ends_with("zoo.cfg"))
        );
        assert!(
            matches!(serve("--config x").source(), Ok(Source::File(file)) if file.ends_with("x"))
        );
        let Ok(Source::Arguments(arguments)) = serve("2181 /data 500 9").source() else {
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
                "invalid value 'me' for '--super-user <USER:PASSWORD>': expected two parts separated by a colon",
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
