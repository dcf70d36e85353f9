//! `minikeeper serve`: one server until a signal comes.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use minikeeper::{Server, ServerBuilder, StartError, Tree, TreeError, ZnodeKind};
use thiserror::Error;
use tracing::{info, warn};

use crate::environment::Variables;
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
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the configuration is refused or the server does not start.
pub(crate) fn run(flags: &Serve) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_max_level(flags.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    let variables = Variables::of_this_process();
    let settings = settings::settle(&flags.door(), &variables, &flags.overrides())?;
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let seed = flags.seed.as_deref().map(Tree::from_file).transpose()?;
    for path in seed.iter().flat_map(ephemerals) {
        warn!("the seed's {path} is left out: an ephemeral goes with a session, and there is none");
    }
    // Before the start, so that a signal that comes early ends it cleanly too.
    let signals = Signals::catch().map_err(Failure::Signals)?;
    let server = start(settings, seed)?;
    say(&greeting(server.addr()));
    let signal = signals.wait();
    info!("{signal}: stopping");
    server.stop();
    Ok(())
}

fn ephemerals(tree: &Tree) -> impl Iterator<Item = &str> {
    let ephemerals = tree
        .iter()
        .filter(|(_, znode)| znode.kind == ZnodeKind::Ephemeral);
    ephemerals.map(|(path, _)| path)
}

fn start(settings: Settings, seed: Option<Tree>) -> Result<Server, Failure> {
    let mut builder = ServerBuilder::from(settings.config);
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    if let Some(user) = &settings.super_user {
        builder = builder.super_user(user);
    }
    builder.start().map_err(|error| {
        let more = if matches!(error, StartError::AddressInUse { .. }) {
            Some(String::from("; --listen 127.0.0.1:0 takes a free port"))
        } else {
            error.source().map(|source| format!(": {source}"))
        };
        Failure::NotStarted(format!("{error}{}", more.unwrap_or_default()))
    })
}

/// How to connect and how to stop, a line each.
fn greeting(bound: SocketAddr) -> String {
    format!(
        "minikeeper serves ZooKeeper clients on {bound}, in memory; connect with: zkCli.sh -server {}\n\
         Stop with Ctrl-C or `kill {}`; nothing is kept.\n",
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
        use signal_hook::consts::{SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map(Self)
    }

    fn wait(mut self) -> &'static str {
        self.0
            .forever()
            .next()
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
