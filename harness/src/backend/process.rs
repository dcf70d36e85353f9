//! `zookeeper:VERSION`: a real standalone ZooKeeper, on a free port, with its data in a temporary folder.

use std::net::SocketAddr;
use std::path::Path;

use semver::Version;
use tempfile::TempDir;

use super::member::Member;
use super::ports::free_port;
use super::{Backend, BackendError, BackendKind, Capability, HttpServer, ServerSetup, Settings};
use crate::patience;
use crate::provision::{InstalledZooKeeper, zookeeper};

/// Number of attempts with other ports, if another process takes the free one.
const ATTEMPTS: usize = 5;

/// A real ZooKeeper in a process of its own.
#[derive(Debug)]
pub struct ZooKeeper {
    kind: BackendKind,
    settings: Settings,
    installed: InstalledZooKeeper,
    /// Ports of the AdminServer and of the metrics.
    http_ports: (u16, u16),
    /// Declared before the folder, so that the process ends before the folder is deleted.
    member: Member,
    /// The temporary folder; `None` if the caller owns the folder.
    _folder: Option<TempDir>,
}

impl ZooKeeper {
    /// Installs this version if necessary (`debian` is the version of Debian's package), starts it and waits until it
    /// answers.
    ///
    /// # Errors
    ///
    /// If Java or the version cannot be had, or if the server does not start.
    pub fn start(version: &str, settings: &Settings) -> Result<Self, BackendError> {
        Self::begin(version, settings, None)
    }

    /// Starts the server as [`ZooKeeper::start`] does, with the state under `folder`'s `data`. The folder stays when
    /// the server ends.
    ///
    /// # Errors
    ///
    /// The errors of [`ZooKeeper::start`].
    pub fn start_on(
        folder: &Path,
        version: &str,
        settings: &Settings,
    ) -> Result<Self, BackendError> {
        Self::begin(version, settings, Some(folder))
    }

    fn begin(
        version: &str,
        settings: &Settings,
        folder: Option<&Path>,
    ) -> Result<Self, BackendError> {
        let installed = zookeeper(version)?;
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let (path, own) = match folder {
                Some(folder) => (folder.to_owned(), None),
                None => {
                    let own = new_folder()?;
                    (own.path().to_owned(), Some(own))
                }
            };
            let mut server = Self {
                kind: BackendKind::ZooKeeper(version.to_owned()),
                settings: settings.clone(),
                installed: installed.clone(),
                http_ports: (free_port()?, free_port()?),
                member: Member::new(path)?,
                _folder: own,
            };
            match server.launch() {
                Err(BackendError::Ended(_)) if attempts > 0 => {}
                outcome => return outcome.map(|()| server),
            }
        }
    }

    /// Returns the process id, for reading its memory.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.member.pid().expect("the server runs")
    }

    /// Sends SIGTERM, and waits until the process has ended.
    ///
    /// # Errors
    ///
    /// If the process does not end.
    pub fn terminate(&mut self) -> Result<(), BackendError> {
        self.member.terminate()
    }

    /// Returns the output since the last start.
    #[must_use]
    pub fn output(&self) -> String {
        self.member.output()
    }

    fn launch(&mut self) -> Result<(), BackendError> {
        let http = http_lines(
            self.settings.setup,
            self.version().as_ref(),
            self.http_ports,
        );
        let member = &mut self.member;
        let id = self.settings.folder_settings.server_id;
        let (more, expected) = match id {
            1 => (String::new(), "standalone"),
            _ => {
                member.write_id(id.into())?;
                let ports = (free_port()?, free_port()?);
                (quorum_of_one(id, ports), "leader")
            }
        };
        let more = more + &http;
        member.launch(&self.installed.class_path, &self.settings, &more)?;
        let what = format!("{} to serve on {}", self.kind, member.address());
        patience::until(&what, || match member.mode() {
            Ok(mode) => (mode? == expected).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        })?
    }
}

/// Returns lines of `zoo.cfg` that make a server the only member of a quorum: a standalone server always has id 1
/// (`ServerConfig` has no other).
fn quorum_of_one(id: u8, (peers, election): (u16, u16)) -> String {
    format!(
        "standaloneEnabled=false\ninitLimit=10\nsyncLimit=5\nserver.{id}=127.0.0.1:{peers}:{election}\n"
    )
}

/// Returns the lines of `zoo.cfg` for the AdminServer and the metrics. The last line of a name counts.
fn http_lines(
    setup: ServerSetup,
    version: Option<&Version>,
    (admin, metrics): (u16, u16),
) -> String {
    if !matches!(setup, ServerSetup::Admin | ServerSetup::Prometheus) {
        return String::new();
    }
    let lines = format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={admin}\n"
    );
    // The provider is not installed for older releases, so no case has metrics there.
    if setup == ServerSetup::Admin || version < Some(&Version::new(3, 9, 0)) {
        return lines;
    }
    lines
        + "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n"
        + &format!("metricsProvider.httpHost=127.0.0.1\nmetricsProvider.httpPort={metrics}\n")
}

/// Creates a folder for servers, which is deleted when dropped.
pub(super) fn new_folder() -> Result<TempDir, BackendError> {
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix("minikeeper-harness-").tempdir()?)
}

impl Backend for ZooKeeper {
    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(&self.installed.version).ok()
    }

    fn connect_string(&self) -> String {
        self.member.address()
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        capability != Capability::ManualTime
    }

    fn http_address(&self, server: HttpServer) -> Option<SocketAddr> {
        let (admin, metrics) = self.http_ports;
        let port = match server {
            HttpServer::Admin => admin,
            HttpServer::Metrics => metrics,
        };
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        self.stop();
        self.launch()
    }

    fn stop(&mut self) {
        self.member.stop();
    }
}
