//! `minikeeper serve`: one server, until a signal arrives or its disk fails.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;

use minikeeper::ensemble::Member;
use minikeeper::{
    Server, ServerBuilder, Snapshot, StartError, Tree,
    folder::{FileKind, FileName, OpenOptions, Storage, StorageError},
    journal::JournalMode,
    state::{TreeError, ZnodeKind},
};
use minikeeper_http::{AdminServer, AdminSettings, MetricsServer, MetricsSettings};
use thiserror::Error;
use tracing::{info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::control;
use crate::environment::{self, Variables};
use crate::flags::Serve;
use crate::settings::{self, Refusal, Settings};

/// Error of `minikeeper serve`.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Seed(#[from] TreeError),
    #[error("cannot serve: {0}")]
    NotStarted(String),
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
    /// The control API or the ready file.
    #[error("{0}")]
    Control(String),
    /// The AdminServer.
    #[error(
        "cannot start the AdminServer on {address}: {source}; set admin.serverPort to another port, or \
         admin.enableServer=false"
    )]
    Admin {
        address: SocketAddr,
        source: io::Error,
    },
    /// The metrics for Prometheus.
    #[error(
        "cannot serve the metrics on {address}: {source}; set metricsProvider.httpPort to another port"
    )]
    Metrics {
        address: SocketAddr,
        source: io::Error,
    },
    /// The disk refused a write while the server was running.
    #[error("stopped: {0}")]
    Disk(StorageError),
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// If the configuration is refused, the server does not start, or the disk refuses a write.
// Longer than 60 lines: the parts start in this order.
pub(crate) fn run(flags: &Serve) -> Result<(), Failure> {
    let variables = Variables::of_this_process();
    begin_logging(flags.log, &variables);
    let mut settings = settings::settle(&flags.source()?, &variables, flags)?;
    let control_address = control::address(flags.control, &variables)?;
    if control_address.is_some() {
        // The API has calls that read the journal.
        settings.config.journal = JournalMode::DEFAULT;
    }
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let seed = flags.seed.as_deref().map(Tree::from_file).transpose()?;
    for path in seed.iter().flat_map(ephemerals) {
        warn!("ephemeral {path} of the seed is ignored: its session does not exist");
    }
    let storage = settings.config.storage.clone();
    if let (Some(_), Some(folder)) = (&seed, folder_with_state(&storage)) {
        warn!(
            "the seed is ignored: {} already has a state",
            folder.display()
        );
    }
    let copied = flags.open_copy.as_deref().map(|from| {
        let mut how = OpenOptions::default();
        how.data_log_dir = flags.settings.path("data_log_dir");
        how.recover = flags.settings.has("recover");
        how.trust_empty = flags.settings.has("trust_empty");
        Snapshot::open_with(from, &how)
            .map_err(|error| Failure::NotStarted(format!("{error}{}", advice(&error, how.recover))))
    });
    let copied = copied.transpose()?;
    let state = match (&copied, &flags.open_copy) {
        (Some(copied), Some(from)) => describe_copy(copied, from),
        _ => describe_storage(&storage),
    };
    // Before the start, so that an early signal ends the server cleanly too.
    let signals = Signals::catch().map_err(Failure::Signals)?;
    let (admin, metrics) = (settings.admin.take(), settings.metrics.take());
    let own_member = settings.own_member;
    let server = start(settings, seed, copied)?;
    let _monitoring = monitor(&server.ensemble().member(own_member), admin, metrics)?;
    let of_control = &flags.control_flags;
    let control = control_address
        .map(|address| control::start(address, of_control, &variables, Some(&server)))
        .transpose()?;
    control::announce(control.as_ref(), Some(&server), of_control)?;
    if !of_control.is_ready_on_stdout() {
        say(&greeting(&server, &state, storage.data_dir.is_some()));
        say(&control::greeting(control.as_ref(), of_control));
    }
    match end(signals, Some(&server), of_control.exit_with_stdin) {
        End::Signal(signal) => {
            info!("{signal}: stopping");
            server.stop();
            // The disk may have refused the last writes.
            server
                .failure()
                .map_or(Ok(()), |failure| Err(Failure::Disk(failure)))
        }
        End::Disk(failure) => Err(Failure::Disk(failure)),
    }
}

/// Starts the AdminServer and the metrics of a member, if they are on. They end when the result is dropped.
fn monitor(
    member: &Member,
    admin: Option<AdminSettings>,
    metrics: Option<MetricsSettings>,
) -> Result<(Option<MetricsServer>, Option<AdminServer>), Failure> {
    let metrics = metrics.map(|settings| {
        let address = settings.address;
        let started = MetricsServer::start(member.admin(), settings);
        started
            .inspect(|metrics| info!("metrics are at http://{}/metrics", metrics.address()))
            .map_err(|source| Failure::Metrics { address, source })
    });
    let metrics = metrics.transpose()?;
    let admin = admin.map(|settings| {
        let (address, url) = (settings.address, settings.command_url.clone());
        let started = AdminServer::start(member.admin(), settings);
        started
            .inspect(|admin| info!("the AdminServer is at http://{}{url}", admin.address()))
            .map_err(|source| Failure::Admin { address, source })
    });
    Ok((metrics, admin.transpose()?))
}

/// Begins to write log lines to standard error.
pub(crate) fn begin_logging(level: Option<LevelFilter>, variables: &Variables) {
    let level = level.or_else(|| environment::log_level(variables));
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
        .init();
}

/// Reason for the end of the process.
pub(crate) enum End {
    Signal(&'static str),
    Disk(StorageError),
}

/// Waits for a signal, a failure of the disk or the end of standard input.
pub(crate) fn end(signals: Signals, server: Option<&Server>, with_stdin: bool) -> End {
    let (ends, end) = mpsc::channel();
    // No thread is joined: they end with the process. Only the first message is received.
    if let Some(server) = server {
        let (disk, failure) = (ends.clone(), server.wait_for_failure());
        std::thread::spawn(move || disk.send(End::Disk(failure.blocking())));
    }
    if with_stdin {
        let stdin = ends.clone();
        std::thread::spawn(move || {
            control::end_of_stdin();
            stdin.send(End::Signal("end of standard input"))
        });
    }
    std::thread::spawn(move || ends.send(End::Signal(signals.wait())));
    end.recv().unwrap_or(End::Signal("signal"))
}

/// Returns the data folder if it has a snapshot or a log.
fn folder_with_state(storage: &Storage) -> Option<&Path> {
    let folder = storage.data_dir.as_deref()?;
    let mut files = std::fs::read_dir(minikeeper::folder::version_folder(folder)).ok()?;
    let is_state = |name: &str| FileKind::of(name).is_some();
    files
        .any(|file| file.is_ok_and(|file| file.file_name().to_str().is_some_and(is_state)))
        .then_some(folder)
}

fn ephemerals(tree: &Tree) -> impl Iterator<Item = &str> {
    let ephemerals = tree
        .iter()
        .filter(|(_, znode)| znode.kind == ZnodeKind::Ephemeral);
    ephemerals.map(|(path, _)| path)
}

fn start(
    settings: Settings,
    seed: Option<Tree>,
    copied: Option<Snapshot>,
) -> Result<Server, Failure> {
    let recovers = settings.config.storage.recover;
    let mut builder = ServerBuilder::from(settings.config);
    if let Some(copied) = copied {
        builder = builder.snapshot(copied);
    }
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    if let Some(user) = &settings.super_user {
        builder = builder.super_user(user);
    }
    builder.start().map_err(|error| {
        let more = if matches!(error, StartError::AddressInUse { .. }) {
            Some("; use --listen 127.0.0.1:0 for a free port".to_owned())
        } else if let StartError::Storage(error) = &error {
            // Its text includes the source.
            Some(advice_on_access(error).unwrap_or_else(|| advice(error, recovers)))
        } else {
            error.source().map(|source| format!(": {source}"))
        };
        Failure::NotStarted(format!("{error}{}", more.unwrap_or_default()))
    })
}

/// Returns advice about a folder that cannot be created or written.
fn advice_on_access(error: &StorageError) -> Option<String> {
    let StorageError::Io { source, .. } = error else {
        return None;
    };
    let is_of_the_folder = matches!(
        source.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::ReadOnlyFilesystem
    );
    is_of_the_folder.then(|| {
        String::from(
            "; the server's user must be able to create the folder and write to it; \
             use --data-dir for another folder, or --in-memory for none",
        )
    })
}

/// Returns advice about a folder that cannot be loaded, with or without `--recover`.
fn advice(error: &StorageError, recovers: bool) -> String {
    if let StorageError::InUse { folder } = error {
        let folder = folder.display();
        format!("; use --open-copy {folder} to serve a copy")
    } else if let StorageError::NoSnapshot { .. } = error {
        "; use --trust-empty to read the logs alone, unless the snapshots are in another folder"
            .to_owned()
    } else if let StorageError::Damaged { file, .. } = error
        && FileName::of(file).is_some_and(|name| name.kind == FileKind::Log)
    {
        let file = file.display();
        if recovers {
            return String::from(
                "; --recover cannot truncate it there, and ZooKeeper does not start either",
            );
        }
        format!(
            "; use --recover to truncate it there, which loses all later transactions; \
             `minikeeper log show {file}` lists the earlier ones"
        )
    } else {
        String::new()
    }
}

/// Describes the place of the state.
fn describe_storage(storage: &Storage) -> String {
    match (&storage.data_dir, &storage.data_log_dir) {
        (None, _) => "in memory".to_owned(),
        (Some(data), None) => format!("state in {}", whole(data)),
        (Some(data), Some(logs)) => {
            format!("state in {}, logs in {}", whole(data), whole(logs))
        }
    }
}

/// Describes a copied state, with the number of logs that were read: zero may mean that the logs are in another folder.
fn describe_copy(copied: &Snapshot, from: &Path) -> String {
    let logs = copied.origin().map_or(0, |origin| origin.logs.len());
    let logs = match (from.is_dir(), logs) {
        (false, _) => String::new(),
        (true, 0) => " without logs".to_owned(),
        (true, 1) => " with 1 log".to_owned(),
        (true, logs) => format!(" with {logs} logs"),
    };
    format!(
        "in memory, from a copy of {}{logs} at zxid {}",
        whole(from),
        copied.zxid()
    )
}

fn whole(folder: &Path) -> String {
    let whole = std::path::absolute(folder);
    let whole = whole.unwrap_or_else(|_| folder.to_path_buf());
    whole.display().to_string()
}

/// Formats the greeting: the place of the state, and the commands that connect to the server and stop it.
fn greeting(server: &Server, state: &str, is_saved: bool) -> String {
    let saved = if is_saved {
        "the state is saved"
    } else {
        "the state is not saved"
    };
    let listening = server.ensemble().members().into_iter();
    let addresses = listening
        .map(|member| member.addr())
        .filter(|address| address.port() != 0)
        .map(|address| address.to_string());
    format!(
        "minikeeper serves ZooKeeper clients on {}, {state}; connect with: zkCli.sh -server {}\n\
         Stop with Ctrl-C or `kill {}`; {saved}.\n",
        addresses.collect::<Vec<_>>().join(","),
        server.connect_string(),
        std::process::id(),
    )
}

/// Writes to stdout; a closed stdout is ignored.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(unix)]
pub(crate) struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    pub(crate) fn catch() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGXFSZ]).map(Self)
    }

    pub(crate) fn wait(mut self) -> &'static str {
        self.0
            .forever()
            // SIGXFSZ comes from a file at the limit of its size (`ulimit -f`): the write fails, and its error is
            // reported.
            .find(|signal| *signal != signal_hook::consts::SIGXFSZ)
            .and_then(signal_hook::low_level::signal_name)
            .unwrap_or("signal")
    }
}

/// Without Unix signals, Ctrl-C ends the process.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn wait(self) -> &'static str {
        loop {
            std::thread::park();
        }
    }
}
