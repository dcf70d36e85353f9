//! Public API: servers, and the guards and views that a test has.
//!
//! Every call that does not wait is synchronous, and sees the effects of all calls before it.

mod address;
mod builder;
mod chaos;
mod ensemble;
mod faults;
mod holds;
mod inspect;
mod journal;
mod last_error;
mod leaks;
mod member;
#[cfg(not(all(feature = "tokio-clock", feature = "yaml")))]
mod missing;
mod serve;
mod sessions;
mod state;
mod states;
mod storage;
mod test_session;
mod time;
mod tree;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::config::{ClockKind, Config};
pub use crate::config::{Compression, NoSuchCompression, Storage};
pub use crate::control::{
    BadJournal, BadPattern, Budget, Chaos, ChaosRule, Claim, ClaimBroken, Data, Direction, Effects,
    Entry, Event, EventKind, Exceeded, Fault, FaultError, FaultRule, Held, HeldMessage, HoldError,
    Journal, Leading, Mark, Matcher, MultiPart, NeverMatches, Op, PathPattern, Paths, Release,
    ReleaseError, SentEvent, SplitMix64, TimedOut,
};
pub use crate::keeper::CloseReason;
pub use address::Address;
pub use builder::ServerBuilder;
pub use chaos::ChaosGuard;
pub use ensemble::{ApplyError, Ensemble};
pub use faults::{FaultBuilder, FaultGuard, NeverHappened, Partition};
pub use holds::Hold;
pub use inspect::{ConnectionView, SessionView, WatchKind, WatchView, ZnodeView};
pub use journal::{BudgetGuard, WaitFor};
pub use leaks::{Leak, LeakKind};
pub use member::{Lag, Member, MemberPartition, MemberView};
pub use state::{Diff, SeedError, Snapshot, Tree, TreeError, Znode, ZnodeKind};
pub use storage::{
    Change, Failure, FileKind, FileName, Log, OpenOptions, Origin, StorageError, Transaction,
    version_folder,
};
pub use test_session::TestSession;
pub use time::NoSuchSession;

use crate::control::ListenerId;
use crate::keeper::{self, Input, Keeper};
use crate::net::{CallerRuntime, Clock, Engine, Limits, NoRuntime, PortError, Ports, ReservedPort};
use crate::persistence::{DataFolder, WriteMode};
use crate::store::{Disk, RealDisk};

/// ZooKeeper server in this process.
///
/// The handle is cheap to clone and can be used from any thread. The server stops when the last handle is dropped: its
/// sockets are closed and its thread has ended.
///
/// # Panics
///
/// Dropping the last handle panics if the thread of the server panicked, which is a bug of minikeeper. If the dropping
/// thread is panicking already, a line is printed instead.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// println!("ZooKeeper is at {}", server.connect_string());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Arc<Config>,
    engine: Arc<Engine>,
    /// Whether the session ids differ from those of all other servers in the process.
    unique_session_ids: bool,
    /// Address for clients without a label.
    addr: SocketAddr,
    /// Address of each member for clients without a label.
    addrs: Vec<SocketAddr>,
    /// Held while the server starts or stops.
    ports: Mutex<Ports>,
    /// Owners of the members' partitions and lags.
    member_guards: Mutex<member::MemberGuards>,
    caller_runtime: CallerRuntime,
}

/// Error for a server that cannot start or cannot listen on an additional address.
///
/// ```
/// let first = minikeeper::Server::start()?;
/// let second = minikeeper::Server::builder().address(first.addr()).start();
/// assert!(matches!(second, Err(minikeeper::StartError::AddressInUse { .. })));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another socket listens on the port.
    #[error("{address} is in use")]
    AddressInUse {
        /// Requested address.
        address: SocketAddr,
    },
    /// The address has no free port.
    #[error("no port of {0} is free")]
    NoFreePort(IpAddr),
    /// The process has reached its limit of open files and sockets (`ulimit -n`).
    #[error(
        "this process has reached its limit of open files and sockets; raise it with `ulimit -n`"
    )]
    TooManyOpenFiles,
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Requested address.
        address: SocketAddr,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The configuration is invalid.
    #[error("{0}")]
    Config(String),
    /// The seed cannot be written.
    #[error("cannot write the seed: {0}")]
    Seed(SeedError),
    /// Invalid label: it is empty, begins or ends with white space, or has control characters.
    #[error(
        "invalid label {0:?}: a label must not be empty, begin or end with white space or have control characters"
    )]
    Label(String),
    /// The journal uses this name for entries that no client caused, so no client can have it as a label.
    #[error(
        "{0:?} cannot be a label, because the journal uses this name itself; choose another one"
    )]
    ReservedLabel(String),
    /// The server was started without a listener and has no addresses.
    #[error("a server without a listener has no addresses; serve a stream with `serve_labelled`")]
    NoListener,
    /// The clock follows the time of a tokio runtime, and the thread is not inside one.
    #[error("a server with tokio's clock must be started inside a tokio runtime")]
    NoRuntime,
    /// The data folder cannot be opened or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The thread of the server cannot be started.
    #[error("cannot start the thread of the server: {0}")]
    Thread(#[source] std::io::Error),
}

/// Prints the same text as `Display`, since a test that ends with this error shows the `Debug` form.
impl std::fmt::Debug for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, empty and with the system clock.
    ///
    /// When this returns, clients can connect. The server needs no async runtime, and works under any.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.addr().ip().is_loopback());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// Returns a builder, to configure a server before it starts.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let server = minikeeper::Server::builder().tick_time(Duration::from_millis(100)).start()?;
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    fn launch(
        config: Config,
        snapshot: Option<&Snapshot>,
        seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        Self::launch_on(Arc::new(RealDisk), config, snapshot, seed)
    }

    fn launch_on(
        disk: Arc<dyn Disk>,
        config: Config,
        snapshot: Option<&Snapshot>,
        seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        let mut rules = config.rules().map_err(StartError::Config)?;
        let mut ports = Ports::default();
        let mut addrs = Vec::new();
        for (member, asked) in config.members() {
            let addr = if config.listener {
                let port = ReservedPort::reserve(asked, config.listen_backlog)
                    .map_err(|error| listen_error(asked, error))?;
                let addr = port.addr();
                let listener_id = ListenerId {
                    label: None,
                    member,
                };
                ports.add(port, listener_id).map_err(port_error)?;
                addr
            } else {
                asked
            };
            addrs.push(addr);
        }
        let addr = addrs.first().copied().unwrap_or(config.address);
        let mut seed = seed;
        let mut begins = snapshot.map(|snapshot| snapshot.state().clone());
        let mut opened = DataFolder::open(disk, &config.storage, &rules)?;
        if let Some(opened) = &mut opened {
            rules.data_format = opened.format;
            if opened.is_fresh() {
                // A seed is written as a whole or not at all.
                if let Some(seed) = seed {
                    let seeded = Self::launch(config.in_memory(), snapshot, Some(seed))?;
                    begins = Some(seeded.snapshot().state().clone());
                }
                if let Some(begins) = begins.take() {
                    opened.state = begins;
                }
            } else if snapshot.is_some() {
                return Err(StartError::Config(
                    "there is a state in the data folder already, and a snapshot to begin with"
                        .to_owned(),
                ));
            }
            seed = None;
        }
        let (begins, appender, log_setup) = match opened {
            Some(opened) => {
                let (begins, appender, log_setup) = opened.begin(&config.storage)?;
                (Some(begins), Some(appender), Some(log_setup))
            }
            None => (begins, None, None),
        };
        // An empty folder has no time.
        let reached = begins.as_ref().map(keeper::Snapshot::now);
        let reached = reached.filter(|reached| *reached > crate::protocol::Timestamp(0));
        let clock = Clock::start(config.clock, config.start_time, reached, config.tick_time)
            .map_err(|NoRuntime| StartError::NoRuntime)?;
        let config = Arc::new(config);
        let keeper = match begins {
            Some(begins) => Keeper::begin_with(rules, begins, clock.now()),
            None => Keeper::new(rules, clock.now()),
        };
        let engine = Arc::new(Engine::new(
            keeper,
            clock,
            Arc::clone(&config),
            Limits::of(&config),
            addr.port(),
            appender,
        ));
        for label in &config.labels {
            engine.name_label(&address::check_label(label)?);
        }
        // A fixed start time fixes the session ids too. A copy continues the ids of its origin.
        let goes_on = reached.is_some() && config.clock != ClockKind::System;
        let unique_session_ids = config.start_time.is_none() && !goes_on;
        if unique_session_ids {
            engine.number_sessions_apart();
        }
        if let Some(mut log_setup) = log_setup {
            if !config.listener && config.clock != ClockKind::System {
                log_setup.mode = WriteMode::Inline;
            }
            engine.begin_log(log_setup).map_err(StartError::Thread)?;
        }
        if config.journal_transactions {
            engine.journal_transactions();
        }
        if config.journal_on_panic {
            engine.tell_when_panicking(address::connect_string(&addrs));
        }
        let shared = Shared {
            addr,
            addrs,
            ports: Mutex::new(ports),
            member_guards: Mutex::default(),
            caller_runtime: CallerRuntime::new(Arc::clone(&engine), !config.listener),
            engine,
            unique_session_ids,
            config,
        };
        let server = Self {
            shared: Arc::new(shared),
        };
        if let Some(seed) = seed {
            server.seed(seed).map_err(StartError::Seed)?;
        }
        server.begin(&mut server.ports())?;
        Ok(server)
    }

    /// Returns the address that the server listens on. A server [without a listener](ServerBuilder::without_listener)
    /// returns its configured address, on which it does not listen; its port is 0 unless it was set.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_ne!(server.addr().port(), 0);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// Returns a connect string for a client on this machine: `127.0.0.1:PORT`, also for a server that listens on all
    /// addresses. For an [ensemble](crate::Ensemble) it has the address of every member.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.connect_string(), format!("127.0.0.1:{}", server.addr().port()));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connect_string(&self) -> String {
        address::connect_string(&self.shared.addrs)
    }

    /// Returns the members of the server, for actions on them. A standalone server has one member, which always leads.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.ensemble().members().len(), 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn ensemble(&self) -> Ensemble {
        Ensemble::from_server(self.clone())
    }

    /// Returns the configuration of the server.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.config().server_id, 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Stops the server, as if its process had ended: connections are closed, and new ones are refused. Znodes,
    /// sessions and ports remain. No session expires meanwhile, and this handle still reads and writes the tree. Does
    /// nothing if the server is stopped.
    ///
    /// # Panics
    ///
    /// If the thread of the server panicked, which is a bug of minikeeper.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.stop();
    /// assert!(std::net::TcpStream::connect(server.addr()).is_err());
    /// server.start_again()?;
    /// assert!(std::net::TcpStream::connect(server.addr()).is_ok());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn stop(&self) {
        // The lock is free when this panics.
        let ended = self.end(&mut self.ports());
        assert!(ended.is_ok(), "{PANICKED}");
    }

    fn end(&self, ports: &mut Ports) -> std::thread::Result<()> {
        let was_running = self.is_running();
        let ended = ports.stop();
        self.shared.caller_runtime.stop();
        if was_running && ended.is_ok() {
            self.shared.engine.stopped();
        }
        self.shared.engine.flush();
        ended
    }

    fn begin(&self, ports: &mut Ports) -> Result<(), StartError> {
        let Shared {
            config,
            engine,
            caller_runtime,
            ..
        } = &*self.shared;
        let started = match config.listener {
            true => ports.start(Arc::clone(engine)),
            false => Ok(()),
        };
        // A failure of the disk is the cause of any other error here.
        if let Some(failure) = self.failure() {
            return Err(StartError::Storage(failure));
        }
        started.map_err(port_error)?;
        caller_runtime.start();
        Ok(())
    }

    fn begin_again(&self, ports: &mut Ports) -> Result<(), StartError> {
        if self.is_running() {
            return Ok(());
        }
        if let Some(failure) = self.failure() {
            return Err(StartError::Storage(failure));
        }
        if self.shared.unique_session_ids {
            self.shared.engine.number_sessions_apart();
        }
        self.shared.engine.feed(Input::Restarted);
        self.begin(ports)
    }

    /// Starts the server again after [`stop`](Self::stop), on the same ports. Every session has its whole timeout
    /// again. Does nothing if the server is running.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left.
    pub fn start_again(&self) -> Result<(), StartError> {
        self.begin_again(&mut self.ports())
    }

    /// Stops the server and starts it again at once, as a real server restarts: clients lose their connections and can
    /// resume their sessions.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets or threads left. The server is stopped then.
    ///
    /// # Panics
    ///
    /// If the thread of the server panicked, which is a bug of minikeeper.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// server.restart()?;
    /// assert_eq!(server.data("/config").as_deref(), Some(&b"v1"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart(&self) -> Result<(), StartError> {
        let (ended, begun) = {
            let mut ports = self.ports();
            let ended = self.end(&mut ports);
            let begun = ended.as_ref().ok().map(|()| self.begin_again(&mut ports));
            (ended, begun)
        };
        assert!(ended.is_ok(), "{PANICKED}");
        begun.unwrap_or(Ok(()))
    }

    /// Returns whether the server is running: it was not stopped, and did not [stop by itself](Self::failure).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert!(server.is_running());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared.caller_runtime.is_running() && self.failure().is_none()
    }

    fn ports(&self) -> std::sync::MutexGuard<'_, Ports> {
        self.shared
            .ports
            .lock()
            .expect("nothing panics while the thread is started or stopped")
    }
}

const PANICKED: &str =
    "the minikeeper server panicked, see the message above; this is a bug of minikeeper";

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("addr", &self.addr())
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A poisoned lock has been reported where it happened; the thread is to be stopped all the same.
        let ports = self
            .ports
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let ended = ports.stop();
        self.caller_runtime.stop();
        self.engine.end_waits();
        if let Some(log) = self.engine.log() {
            log.end();
        }
        if ended.is_err() {
            assert!(std::thread::panicking(), "{PANICKED}");
            eprintln!("{PANICKED}");
        }
    }
}

fn port_error(error: PortError) -> StartError {
    match error {
        PortError::Listen(address, source) => listen_error(address, source),
        PortError::Thread(source) if is_out_of_files(&source) => StartError::TooManyOpenFiles,
        PortError::Thread(source) => StartError::Thread(source),
    }
}

fn listen_error(address: SocketAddr, source: std::io::Error) -> StartError {
    if source.kind() == std::io::ErrorKind::AddrInUse {
        match address.port() {
            0 => StartError::NoFreePort(address.ip()),
            _ => StartError::AddressInUse { address },
        }
    } else if is_out_of_files(&source) {
        StartError::TooManyOpenFiles
    } else {
        StartError::Listen { address, source }
    }
}

/// `EMFILE` and `ENFILE`, which have no kind of their own.
fn is_out_of_files(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;

    /// A server whose thread has panicked, as only a bug can make it.
    fn panicked() -> Server {
        let server = Server::start().expect("a server starts");
        let engine = &server.shared.engine;
        let poisoned = catch_unwind(AssertUnwindSafe(|| engine.look(|_| panic!("a bug"))));
        assert!(poisoned.is_err());
        // Whatever wakes the thread next ends it: that may have been the start of its timer.
        let Ok(mut socket) = TcpStream::connect(server.addr()) else {
            return server;
        };
        let deadline = Some(Duration::from_secs(30));
        socket.set_read_timeout(deadline).expect("it can be set");
        // A socket that was never accepted is reset, an accepted one ends.
        match socket.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => panic!("an answer of a broken server"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        server
    }

    fn message(panic: &(dyn std::any::Any + Send)) -> &str {
        panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(panic.downcast_ref::<&str>().copied())
            .unwrap_or_default()
    }

    #[test]
    fn dropping_a_server_that_panicked_panics() {
        let server = panicked();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(server)));
        assert_eq!(message(&*dropped.expect_err("it panicked")), PANICKED);
    }

    #[test]
    fn a_server_that_panicked_says_so_when_it_is_stopped_and_can_then_be_dropped() {
        let server = panicked();
        let stopped = catch_unwind(AssertUnwindSafe(|| server.stop()));
        assert_eq!(message(&*stopped.expect_err("it panicked")), PANICKED);
        assert!(!server.is_running());
    }

    #[test]
    fn dropping_it_while_the_test_panics_leaves_the_test_its_own_panic() {
        let server = panicked();
        let test = catch_unwind(AssertUnwindSafe(|| {
            let _server = server;
            panic!("the test failed");
        }));
        assert_eq!(message(&*test.expect_err("it panicked")), "the test failed");
    }

    #[test]
    fn no_free_port_is_not_a_taken_one() {
        let taken = || std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let error = listen_error(any, taken());
        assert_eq!(error.to_string(), "no port of 127.0.0.1 is free");
        let one = SocketAddr::from((Ipv4Addr::LOCALHOST, 2181));
        assert_eq!(
            listen_error(one, taken()).to_string(),
            "127.0.0.1:2181 is in use"
        );
    }
}
