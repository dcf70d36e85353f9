//! `zookeeper:VERSION`: a real standalone ZooKeeper, started on a free port with its data in a temporary folder.

use super::member::Member;
use super::{Backend, BackendError, BackendKind, Capability, Settings};
use crate::patience;
use crate::provision::{InstalledZooKeeper, zookeeper};
use semver::Version;
use tempfile::TempDir;

/// How often another port is tried if someone takes the one that was free.
const ATTEMPTS: usize = 5;

/// A real ZooKeeper in a process of its own.
#[derive(Debug)]
pub struct ZooKeeper {
    kind: BackendKind,
    settings: Settings,
    installed: InstalledZooKeeper,
    /// Before the folder, so that the process is gone when the folder goes.
    member: Member,
    _folder: TempDir,
}

impl ZooKeeper {
    /// Fetches this version if need be (`debian` is the one that Debian's package installed), starts it and waits
    /// until it serves.
    ///
    /// # Errors
    /// If Java or the version cannot be had, or the server does not come up.
    pub fn start(version: &str, settings: &Settings) -> Result<Self, BackendError> {
        let installed = zookeeper(version)?;
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let folder = new_folder()?;
            let mut server = Self {
                kind: BackendKind::ZooKeeper(version.to_owned()),
                settings: settings.clone(),
                installed: installed.clone(),
                member: Member::new(folder.path().to_owned())?,
                _folder: folder,
            };
            match server.launch() {
                Err(BackendError::Ended(_)) if attempts > 0 => {}
                outcome => return outcome.map(|()| server),
            }
        }
    }

    /// The process, for reading its memory.
    ///
    /// # Panics
    /// If the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.member.pid().expect("the server runs")
    }

    fn launch(&mut self) -> Result<(), BackendError> {
        let member = &mut self.member;
        member.launch(&self.installed.class_path, &self.settings, "")?;
        let what = format!("{} to serve on {}", self.kind, member.address());
        patience::until(&what, || match member.mode() {
            Ok(mode) => (mode? == "standalone").then_some(Ok(())),
            Err(error) => Some(Err(error)),
        })?
    }
}

/// A folder for servers, gone when dropped.
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

    fn can(&self, capability: Capability<'_>) -> bool {
        capability != Capability::ManualTime
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        self.stop();
        self.launch()
    }

    fn stop(&mut self) {
        self.member.stop();
    }
}
