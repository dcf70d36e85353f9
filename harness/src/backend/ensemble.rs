//! `ensemble:VERSION`: an ensemble of three real ZooKeepers, as local processes.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use semver::Version;
use tempfile::TempDir;

use super::member::Member;
use super::ports::free_port;
use super::process::new_folder;
use super::{Backend, BackendError, BackendKind, Capability, Settings};
use crate::patience;
use crate::provision::{InstalledZooKeeper, zookeeper};

/// Smallest number of members of which one can fail.
const MEMBERS: usize = 3;

/// Maximum number of starts. Each start uses new ports, because another process may have taken a free port first.
const ATTEMPTS: usize = 2;

/// An ensemble of real ZooKeepers.
#[derive(Debug)]
pub struct Ensemble {
    kind: BackendKind,
    settings: Settings,
    installed: InstalledZooKeeper,
    /// Lines `server.1=…` and so on, which every member has in its configuration.
    servers: String,
    /// Declared before the folder, so that the processes end before the folder is deleted.
    members: Vec<Member>,
    _folder: TempDir,
}

impl Ensemble {
    /// Installs this version if necessary, starts three members and waits until all answer and one leads.
    ///
    /// # Errors
    ///
    /// If Java or this version is unavailable, or if the members do not start. Members that did start are stopped.
    pub fn start(version: &str, settings: &Settings) -> Result<Self, BackendError> {
        // One ensemble after the other: members that get no CPU time while others start do not elect a leader.
        static STARTING: Mutex<()> = Mutex::new(());
        let installed = zookeeper(version)?;
        let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let folder = new_folder()?;
            // Both limits are in ticks, and high: a member that gets no CPU time for seconds must stay in the ensemble.
            let mut servers = "initLimit=60\nsyncLimit=30\n".to_owned();
            let mut members = Vec::new();
            for id in 1..=MEMBERS {
                let member = Member::new(folder.path().join(id.to_string()))?;
                member.write_id(id)?;
                members.push(member);
                // Ports between members, and for elections.
                let (quorum, election) = (free_port()?, free_port()?);
                let _ = writeln!(servers, "server.{id}=127.0.0.1:{quorum}:{election}");
            }
            let mut ensemble = Self {
                kind: BackendKind::Ensemble(version.to_owned()),
                settings: settings.clone(),
                installed: installed.clone(),
                servers,
                members,
                _folder: folder,
            };
            match ensemble.launch() {
                // A member whose quorum port is in use does not always end.
                Err(BackendError::Ended(_) | BackendError::TimedOut(_)) if attempts > 0 => {}
                outcome => return outcome.map(|()| ensemble),
            }
        }
    }

    /// Returns the ids of the processes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.members.iter().filter_map(Member::pid).collect()
    }

    fn launch(&mut self) -> Result<(), BackendError> {
        for member in &mut self.members {
            member.launch(&self.installed.class_path, &self.settings, &self.servers)?;
        }
        let what = format!("{} to serve on {}", self.kind, self.connect_string());
        let members = &mut self.members;
        patience::until(&what, || {
            let mut leaders = 0;
            for member in members.iter_mut() {
                match member.mode() {
                    Ok(mode) => leaders += usize::from(mode? == "leader"),
                    Err(error) => return Some(Err(error)),
                }
            }
            (leaders == 1).then_some(Ok(()))
        })?
    }
}

impl Backend for Ensemble {
    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(&self.installed.version).ok()
    }

    fn connect_string(&self) -> String {
        let addresses: Vec<String> = self.members.iter().map(Member::address).collect();
        addresses.join(",")
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        capability != Capability::ManualTime
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        self.stop();
        self.launch()
    }

    fn stop(&mut self) {
        self.members.iter_mut().for_each(Member::stop);
    }
}
