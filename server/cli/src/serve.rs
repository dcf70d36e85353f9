//! `minikeeper serve`: one server until a signal comes, or its disk fails.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc;

use minikeeper::{
    Server, ServerBuilder, Snapshot, StartError, Tree,
    folder::{FileKind, FileName, OpenOptions, Storage, StorageError},
    state::{TreeError, ZnodeKind},
};
use thiserror::Error;
use tracing::{info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::environment::{self, Variables};
use crate::flags::Serve;
use crate::settings::{self, Refusal, Settings};

/// Why nothing was served.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Seed(#[from] TreeError),
    #[error("cannot serve: {0}")]
    NotStarted(String),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// It served, until the disk refused a write.
    #[error("stopped: {0}")]
    Disk(StorageError),
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the configuration is refused, the server does not start, or the disk refuses a write.
pub(crate) fn run(flags: &Serve) -> Result<(), Failure> {
    let variables = Variables::of_this_process();
    let level = flags.log.or_else(|| environment::log_level(&variables));
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
        .init();
    let settings = settings::settle(&flags.door()?, &variables, &flags.overrides())?;
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let seed = flags.seed.as_deref().map(Tree::from_file).transpose()?;
    for path in seed.iter().flat_map(ephemerals) {
        warn!("the seed's {path} is left out: an ephemeral goes with a session, and there is none");
    }
    let storage = settings.config.storage.clone();
    if let (Some(_), Some(folder)) = (&seed, kept(&storage)) {
        warn!(
            "the seed is left out: there is a state in {} already",
            folder.display()
        );
    }
    let copied = flags.open_copy.as_deref().map(|from| {
        let mut how = OpenOptions::default();
        how.data_log_dir.clone_from(&flags.data_log_dir);
        how.recover = flags.recover;
        how.trust_empty = flags.trust_empty;
        Snapshot::open_with(from, &how).map_err(|error| {
            Failure::NotStarted(format!("{error}{}", what_helps(&error, how.recover)))
        })
    });
    let copied = copied.transpose()?;
    let place = match (&copied, &flags.open_copy) {
        (Some(copied), Some(from)) => copy_of(copied, from),
        _ => place(&storage),
    };
    // Before the start, so that a signal that comes early ends it cleanly too.
    let signals = Signals::catch().map_err(Failure::Signals)?;
    let server = start(settings, seed, copied)?;
    say(&greeting(server.addr(), &place, storage.data_dir.is_some()));
    match end(signals, &server) {
        End::Signal(signal) => {
            info!("{signal}: stopping");
            server.stop();
            // What was still to be written may have been refused.
            server
                .failure()
                .map_or(Ok(()), |failure| Err(Failure::Disk(failure)))
        }
        End::Disk(failure) => Err(Failure::Disk(failure)),
    }
}

/// Why it serves no longer.
enum End {
    Signal(&'static str),
    Disk(StorageError),
}

/// Waits for whichever comes first.
fn end(signals: Signals, server: &Server) -> End {
    let (ends, end) = mpsc::channel();
    let disk = ends.clone();
    let failure = server.wait_for_failure();
    // Nobody waits for either thread: they end with the process, and nobody hears the second word.
    std::thread::spawn(move || ends.send(End::Signal(signals.wait())));
    std::thread::spawn(move || disk.send(End::Disk(failure.blocking())));
    end.recv().unwrap_or(End::Signal("signal"))
}

/// The folder, if there is something in it that a server would go on with.
fn kept(storage: &Storage) -> Option<&Path> {
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
            Some(String::from("; --listen 127.0.0.1:0 takes a free port"))
        } else if let StartError::Storage(error) = &error {
            // What it says holds all of it.
            Some(where_else(error).unwrap_or_else(|| what_helps(error, recovers)))
        } else {
            error.source().map(|source| format!(": {source}"))
        };
        Failure::NotStarted(format!("{error}{}", more.unwrap_or_default()))
    })
}

/// Advice for a folder that cannot be made or written.
fn where_else(error: &StorageError) -> Option<String> {
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
            "; the user of the server must be able to make the folder and to write there: --data-dir names another, \
             --in-memory keeps nothing",
        )
    })
}

/// What to do about a folder that cannot be served, with or without `--recover`.
fn what_helps(error: &StorageError, recovers: bool) -> String {
    if let StorageError::InUse { folder } = error {
        let folder = folder.display();
        format!("; --open-copy {folder} serves a copy of it meanwhile")
    } else if let StorageError::NoSnapshot { .. } = error {
        String::from("; --trust-empty opens them; or is this the folder of the logs alone?")
    } else if let StorageError::Damaged { file, .. } = error
        && FileName::of(file).is_some_and(|name| name.kind == FileKind::Log)
    {
        let file = file.display();
        if recovers {
            return String::from(
                "; not even --recover cuts it there: a real server does not start either",
            );
        }
        format!(
            "; --recover cuts it there, and what is behind is lost; minikeeper log show {file} tells what is before"
        )
    } else {
        String::new()
    }
}

/// Where state is kept.
fn place(storage: &Storage) -> String {
    match (&storage.data_dir, &storage.data_log_dir) {
        (None, _) => String::from("in memory"),
        (Some(data), None) => format!("state in {}", whole(data)),
        (Some(data), Some(logs)) => {
            format!("state in {}, logs in {}", whole(data), whole(logs))
        }
    }
}

/// Of which state nothing is kept. How many logs were read is said: where there are none, they may have been looked for in
/// the wrong folder.
fn copy_of(copied: &Snapshot, from: &Path) -> String {
    let logs = copied.origin().map_or(0, |origin| origin.logs.len());
    let logs = match (from.is_dir(), logs) {
        (false, _) => String::new(),
        (true, 0) => String::from(" without logs"),
        (true, 1) => String::from(" with 1 log"),
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

/// Where state is kept, how to connect and how to stop, in two lines.
fn greeting(bound: SocketAddr, place: &str, is_kept: bool) -> String {
    let kept = if is_kept {
        "state is kept"
    } else {
        "nothing is kept"
    };
    format!(
        "minikeeper serves ZooKeeper clients on {bound}, {place}; connect with: zkCli.sh -server {}\n\
         Stop with Ctrl-C or `kill {}`; {kept}.\n",
        reachable(bound),
        std::process::id(),
    )
}

/// Where a client of this machine reaches a server that is bound here.
pub(crate) fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Writes to stdout; nobody need be reading.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(unix)]
struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGXFSZ]).map(Self)
    }

    fn wait(mut self) -> &'static str {
        self.0
            .forever()
            // That of a file that may not become longer (`ulimit -f`): whoever writes it is told, and says so.
            .find(|signal| *signal != signal_hook::consts::SIGXFSZ)
            .and_then(signal_hook::low_level::signal_name)
            .unwrap_or("signal")
    }
}

/// Elsewhere, Ctrl-C ends the process by itself.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self)
    }

    fn wait(self) -> &'static str {
        loop {
            std::thread::park();
        }
    }
}
