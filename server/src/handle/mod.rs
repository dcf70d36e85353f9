//! Public API: servers, and the guards and views that a test has.
//!
//! A file or folder that has the name of a public module defines the items of that module.
//! Every call that does not wait is synchronous, and sees the effects of all calls before it.

mod admin;
mod builder;
mod endpoint;
mod ensemble;
mod fault;
mod folder;
mod hold;
mod inspect;
mod journal;
mod label;
mod last_error;
mod launch;
#[cfg(not(all(feature = "tokio-clock", feature = "yaml")))]
mod missing;
mod serve;
mod start_error;
mod state;
mod time;
mod znodes;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use admin::{Admin, Denied, Details, Quorum, RestoreError};
pub use builder::ServerBuilder;
pub use ensemble::{ApplyError, Ensemble, Lag, Member, MemberPartition, MemberView};
pub use fault::{ChaosGuard, FaultBuilder, FaultGuard, NeverHappened, Partition};
pub use folder::{Change, Failure, Log, Transaction};
pub use hold::Hold;
pub use inspect::{ConnectionView, Leak, LeakKind, SessionView, WatchKind, WatchView, ZnodeView};
pub use journal::{BudgetGuard, WaitFor};
pub use label::{Address, NoSuchSession, TestSession};
pub use start_error::StartError;
pub use state::{Diff, SeedError, Snapshot, Tree, TreeError, Znode, ZnodeKind};

use self::ensemble::MemberGuards;
use self::start_error::port_error;
use crate::config::Config;
use crate::keeper::Input;
use crate::net::{CallerRuntime, Engine, Ports};

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
    /// Address of each member for clients without a label; `None` for a member without a listener.
    addrs: Vec<Option<SocketAddr>>,
    /// Held while the server starts or stops.
    ports: Mutex<Ports>,
    /// Owners of the members' partitions and lags.
    member_guards: Mutex<MemberGuards>,
    caller_runtime: CallerRuntime,
}

impl Server {
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
        endpoint::connect_string(self.shared.addrs.iter().flatten())
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
            self.shared.engine.make_session_ids_unique();
        }
        self.shared.engine.apply(Input::Restarted);
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

    /// Called when a guard or handle is dropped. If the test is panicking, prints the last entries of the journal and
    /// the faults, holds and waits of the test, unless the panic hook has printed them.
    pub(super) fn report_if_panicking(&self) {
        if std::thread::panicking() {
            self.shared.engine.print_panic_report();
        }
    }

    fn member_guards(&self) -> MutexGuard<'_, MemberGuards> {
        let guards = self.shared.member_guards.lock();
        guards.unwrap_or_else(PoisonError::into_inner)
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
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

impl Drop for Server {
    fn drop(&mut self) {
        self.report_if_panicking();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A poisoned lock has been reported where it happened; the thread is to be stopped all the same.
        let ports = self.ports.get_mut().unwrap_or_else(PoisonError::into_inner);
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;

    /// A server whose thread has panicked, as only a bug can make it.
    fn panicked() -> Server {
        let server = Server::start().expect("a server starts");
        let engine = &server.shared.engine;
        let poisoned = catch_unwind(AssertUnwindSafe(|| engine.with_keeper(|_| panic!("a bug"))));
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
    fn stopping_a_server_that_panicked_panics_and_dropping_it_then_does_not() {
        let server = panicked();
        let stopped = catch_unwind(AssertUnwindSafe(|| server.stop()));
        assert_eq!(message(&*stopped.expect_err("it panicked")), PANICKED);
        assert!(!server.is_running());
    }

    #[test]
    fn dropping_a_broken_server_while_the_test_panics_keeps_the_panic_of_the_test() {
        let server = panicked();
        let test = catch_unwind(AssertUnwindSafe(|| {
            let _server = server;
            panic!("the test failed");
        }));
        assert_eq!(message(&*test.expect_err("it panicked")), "the test failed");
    }
}
