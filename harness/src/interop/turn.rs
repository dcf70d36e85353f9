//! Turn of one server with the folder. The server starts, its state is compared with the last state of the previous
//! server, it serves requests, its new state is recorded, and it stops.

use std::time::Duration;

use minikeeper::folder::{Compression, DataFormat, StorageError};
use semver::Version;

use super::folder::Folder;
use super::sequences::Known;
use super::server::{Ending, OpenSession, RunningServer, ServerKind, become_super};
use super::workload::Workload;
use super::{
    InteropError, LONGEST, Report, ServerState, acl_writes, missing_log, observer, opened_folder,
    sequences,
};
use crate::backend::{self, BackendError, BorrowedServer, FolderSettings, ServerSetup};
use crate::client::{Acl, Answer, BlockingClient, ConnectRequest, CreateKind, Request};
use crate::patience::{self, PATIENCE};
use crate::random::Random;

/// Number of parents below which a sequential znode is created, to check its number.
const NUMBERED_PARENTS: usize = 6;
const NO_NODE: i32 = -101;

/// Servers that take turns with a folder.
pub(super) struct Turn<'a> {
    pub(super) version: &'a Version,
    pub(super) folder: &'a Folder,
    pub(super) seed: u64,
    pub(super) ops: usize,
    /// Number of filler znodes, which make snapshots take longer.
    pub(super) filler_znodes: usize,
    pub(super) folder_settings: FolderSettings,
    /// Number of times that a server was started.
    pub(super) life: usize,
    /// Number of sequences that were played.
    pub(super) sequence: u64,
    /// Sessions that no client has closed, as far as the harness knows.
    pub(super) open_sessions: Vec<OpenSession>,
    /// Znodes of sessions that will expire.
    pub(super) expiring: Vec<String>,
    /// Session that reads the states.
    pub(super) observer: Option<OpenSession>,
    /// State in which the last server ended.
    pub(super) last_state: Option<ServerState>,
    pub(super) report: Report,
    pub(super) log: &'a mut dyn FnMut(&str),
}

impl Turn<'_> {
    pub(super) fn run(
        &mut self,
        kind: ServerKind<'_>,
        random: &mut Random,
        ending: Ending,
    ) -> Result<(), InteropError> {
        // Containers and TTL znodes are reaped between the comparison with the previous state and the last start, so
        // that no znode disappears while a client reads the state.
        let setups: &[ServerSetup] = match kind {
            ServerKind::Real(_) if self.last_state.is_none() => {
                &[ServerSetup::Reaping, ServerSetup::Usual]
            }
            ServerKind::Real(_) => &[ServerSetup::Usual, ServerSetup::Usual],
            ServerKind::Ours(_) => &[ServerSetup::Usual, ServerSetup::Reaping, ServerSetup::Usual],
        };
        for (life, &setup) in setups.iter().enumerate() {
            let is_last = life + 1 == setups.len();
            let ending = if is_last {
                ending
            } else if random.percent(50) {
                Ending::Asked
            } else {
                Ending::Killed
            };
            (self.log)(&format!("{kind:?}: start {}, will be {ending}", self.life));
            let mut server =
                RunningServer::start(kind, self.folder.path(), setup, &self.folder_settings)?;
            let address = server.address();
            if life == 0 {
                self.check_found(&server, "the folder of the previous server")?;
                self.check_sessions(&address)?;
                self.check_numbers(&address, random)?;
            }
            self.work(kind, &address, random, self.ops / setups.len())?;
            if is_last {
                self.wait_for_expiries(&address)?;
                self.record_state(&address)?;
            }
            server.end(ending)?;
            self.life += 1;
        }
        Ok(())
    }

    /// Restarts the real server on a copy of its folder. State that the real server itself does not find again is not
    /// counted as a difference of minikeeper.
    pub(super) fn check_restart(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let copy = self.folder.copy()?;
        let mut server =
            RunningServer::start(kind, copy.path(), ServerSetup::Usual, &self.folder_settings)?;
        let again = self.server_state(&server.address())?;
        let complaints = server.complaints();
        server.end(Ending::Killed)?;
        let again = match &self.last_state {
            Some(last_state) => self.without_new_epoch(&server, last_state, again),
            None => again,
        };
        if let Some(last_state) = &self.last_state
            && let Some(difference) = last_state.difference(&again)
        {
            let note = format!("a real server does not find its own state again: {difference}");
            (self.log)(&note);
            self.report.notes.push(note);
        }
        for complaint in complaints {
            let note = format!("a real server complains about its own folder: {complaint}");
            if !self.report.notes.contains(&note) {
                (self.log)(&note);
                self.report.notes.push(note);
            }
        }
        self.last_state = Some(again);
        Ok(())
    }

    /// Reads the folder with minikeeper's library, without writing to it.
    pub(super) fn check_copy(&mut self) -> Result<(), InteropError> {
        let Some(last_state) = self.last_state.clone() else {
            return Ok(());
        };
        let before = self.folder.listed()?;
        let (found, timeouts) =
            opened_folder::open(&self.folder.data(), self.folder_settings.trust_empty)
                .map_err(|error| self.failure(&format!("a copy cannot be opened: {error}")))?;
        self.report.comparisons += 1;
        if let Some(difference) = last_state.difference(&found) {
            return Err(self.failure(&format!("last state, and state of a copy: {difference}")));
        }
        if let Some(refused) = self.refused_snapshot()? {
            return Err(self.failure(&format!("a real server's snapshot is refused: {refused}")));
        }
        for session in &self.open_sessions {
            let timeout = timeouts.get(&session.id()).map(Duration::as_millis);
            let wanted = u128::from(session.session.timeout_ms.unsigned_abs());
            if timeout != Some(wanted) {
                let id = session.id();
                let what = format!("session {id:#x} of {wanted} ms has {timeout:?} ms in a copy");
                return Err(self.failure(&what));
            }
        }
        if self.folder.listed()? != before {
            return Err(self.failure("reading the folder changed it"));
        }
        Ok(())
    }

    /// Returns the error of a complete snapshot of a real server that minikeeper skipped. A kill can cut a snapshot
    /// short, which a missing end shows. A compressed snapshot does not show it, so compressed snapshots are not
    /// checked.
    fn refused_snapshot(&self) -> Result<Option<String>, InteropError> {
        if self.folder_settings.compression != backend::Compression::None {
            return Ok(None);
        }
        let snapshot =
            opened_folder::snapshot(&self.folder.data(), self.folder_settings.trust_empty)?;
        let passed_over = snapshot.origin().map(|origin| &*origin.passed_over);
        let is_whole = |error: &&StorageError| matches!(error, StorageError::Damaged { offset, .. } if *offset > 0);
        let mut refused = passed_over.unwrap_or_default().iter().filter(is_whole);
        Ok(refused.next().map(ToString::to_string))
    }

    /// Opens a folder with a missing log, which minikeeper always refuses and a real server refuses from 3.9.4 on
    /// (`ZKDatabase.addCommittedProposal`).
    pub(super) fn check_missing_log(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let copy = self.folder.copy()?;
        let Some(missing) = missing_log::remove_log(&copy.data())? else {
            return Ok(());
        };
        if *self.version >= Version::new(3, 9, 4) {
            match RunningServer::start(kind, copy.path(), ServerSetup::Usual, &self.folder_settings)
            {
                Err(InteropError::Backend(BackendError::Ended(_))) => {}
                Err(error) => return Err(error),
                Ok(mut server) => {
                    server.end(Ending::Killed)?;
                    let note = format!("a real server starts although {missing} is missing");
                    (self.log)(&note);
                    self.report.notes.push(note);
                    return Ok(());
                }
            }
        }
        self.report.comparisons += 1;
        match opened_folder::snapshot(&copy.data(), self.folder_settings.trust_empty) {
            Err(_) => Ok(()),
            Ok(_) => Err(self.failure(&format!(
                "{missing} was removed from a copy, which opens as if no log was missing"
            ))),
        }
    }

    /// Compares both servers without extended types. Znodes with a time to live are then ephemerals of a session that
    /// does not exist, and are removed.
    pub(super) fn check_without_extended_types(
        &mut self,
        real: ServerKind<'_>,
        ours: ServerKind<'_>,
    ) -> Result<(), InteropError> {
        if !self.folder_settings.extended_types || *self.version < Version::new(3, 5, 0) {
            return Ok(());
        }
        let folder_settings = FolderSettings {
            extended_types: false,
            ..self.folder_settings.clone()
        };
        let mut states = Vec::new();
        for kind in [real, ours] {
            let copy = self.folder.copy()?;
            let mut server =
                RunningServer::start(kind, copy.path(), ServerSetup::Usual, &folder_settings)?;
            let mut server_state = self.server_state(&server.address())?;
            server.end(Ending::Killed)?;
            // A real server loses the children of such a znode without counting them.
            server_state
                .znodes
                .retain(|path, _| !path.starts_with("/zookeeper/quota"));
            server_state.zxid = 0;
            states.push(server_state);
        }
        self.report.comparisons += 1;
        match states.first().zip(states.last()) {
            Some((real, ours)) if real != ours => Err(self.failure(&format!(
                "opened without extended types by a real server and by minikeeper: {}",
                real.difference(ours).unwrap_or_default()
            ))),
            _ => Ok(()),
        }
    }

    /// Starts a real server on a folder that minikeeper exported.
    pub(super) fn check_export(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let Some(last_state) = self.last_state.clone() else {
            return Ok(());
        };
        let exported = Folder::new()?;
        let failed = |error: StorageError| {
            InteropError::Differs(format!("the folder cannot be exported: {error}"))
        };
        let format = format!("{}.{}", self.version.major, self.version.minor)
            .parse::<DataFormat>()
            .map_err(|error| InteropError::Differs(error.to_string()))?;
        let compression = match self.folder_settings.compression {
            backend::Compression::None => Compression::None,
            backend::Compression::Gzip => Compression::Gzip,
            backend::Compression::Snappy => Compression::Snappy,
        };
        opened_folder::snapshot(&self.folder.data(), self.folder_settings.trust_empty)?
            .write_with(exported.data(), format, compression)
            .map_err(failed)?;
        let mut server = RunningServer::start(
            kind,
            exported.path(),
            ServerSetup::Usual,
            &self.folder_settings,
        )?;
        let found = self.server_state(&server.address())?;
        let complaints = server.complaints();
        let found = self.without_new_epoch(&server, &last_state, found);
        server.end(Ending::Killed)?;
        self.report.comparisons += 1;
        match last_state.difference(&found) {
            None if complaints.is_empty() => Ok(()),
            difference => Err(self.failure(&format!(
                "last state, and state of the exported folder: {}\n{}",
                difference.unwrap_or_default(),
                complaints.join("\n")
            ))),
        }
    }

    /// Compares the last state with the state that a real server finds.
    pub(super) fn finish(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let mut server = RunningServer::start(
            kind,
            self.folder.path(),
            ServerSetup::Usual,
            &self.folder_settings,
        )?;
        self.check_found(&server, "the folder of the previous server")?;
        self.check_sessions(&server.address())?;
        server.end(Ending::Killed)?;
        if let Some(last_state) = &self.last_state {
            self.report.znodes = last_state.znodes.len();
            self.report.sessions = last_state.sessions.len();
            self.report.zxid = last_state.zxid;
        }
        Ok(())
    }

    fn check_found(&mut self, server: &RunningServer, what: &str) -> Result<(), InteropError> {
        let Some(last_state) = self.last_state.clone() else {
            return Ok(());
        };
        let found = self.server_state(&server.address())?;
        self.report.comparisons += 1;
        let difference = last_state.difference(&self.without_new_epoch(server, &last_state, found));
        let complaints = server.complaints();
        if difference.is_none() && complaints.is_empty() {
            return Ok(());
        }
        Err(self.failure(&format!(
            "{what}, before and after: {}\ncomplaints: {}",
            difference.unwrap_or_else(|| "no difference".to_owned()),
            complaints.join("\n"),
        )))
    }

    /// Returns the found state with the zxid before the start. A quorum begins a new epoch with every start, which
    /// moves the zxid to the beginning of that epoch.
    fn without_new_epoch(
        &self,
        server: &RunningServer,
        last_state: &ServerState,
        mut found: ServerState,
    ) -> ServerState {
        let begins = found.zxid > last_state.zxid && found.zxid.trailing_zeros() >= 32;
        if server.is_quorum(&self.folder_settings) && begins {
            found.zxid = last_state.zxid;
        }
        found
    }

    /// Returns an error with the difference and the path of a saved copy of the folder.
    fn failure(&self, what: &str) -> InteropError {
        match self.folder.save_copy("minikeeper-interop-failed-") {
            Ok(copy) => {
                InteropError::Differs(format!("{what}\nthe folder is in {}", copy.display()))
            }
            Err(error) => error,
        }
    }

    /// Reads the complete state through the observer's session.
    fn server_state(&mut self, address: &str) -> Result<ServerState, InteropError> {
        let observer = match &self.observer {
            Some(observer) => observer.clone(),
            None => self.observer.insert(observer(address)?).clone(),
        };
        let mut client = observer.resume_as_super(address)?;
        ServerState::of(&mut client, address)
    }

    fn wait_for_expiries(&mut self, address: &str) -> Result<(), InteropError> {
        let request = ConnectRequest::new(10_000);
        let mut client = BlockingClient::connect_within(PATIENCE, address, &request)?;
        become_super(&mut client)?;
        for path in std::mem::take(&mut self.expiring) {
            let exists = Request::Exists { path, watch: false };
            patience::until("a session to expire", || match client.call(&exists) {
                Ok(reply) => (reply.header.err == NO_NODE).then_some(Ok(())),
                Err(error) => Some(Err(error)),
            })??;
        }
        client.call(&Request::CloseSession)?;
        Ok(())
    }

    fn record_state(&mut self, address: &str) -> Result<(), InteropError> {
        let server_state = self.server_state(address)?;
        (self.log)(&format!(
            "state: {} znodes, {} sessions, zxid {:#x}",
            server_state.znodes.len(),
            server_state.sessions.len(),
            server_state.zxid
        ));
        self.open_sessions
            .retain(|session| server_state.sessions.contains(&session.id()));
        self.last_state = Some(server_state);
        Ok(())
    }

    /// Checks that open sessions can be resumed with their passwords, and not with a wrong password.
    fn check_sessions(&mut self, address: &str) -> Result<(), InteropError> {
        for session in &self.open_sessions {
            let client = session.resume(address)?;
            let (id, timeout_ms) = (client.session().session_id, client.session().timeout_ms);
            if id != session.id() || timeout_ms != session.session.timeout_ms {
                return Err(InteropError::Differs(format!(
                    "session {:#x} of {} ms cannot be resumed: {:?}",
                    session.id(),
                    session.session.timeout_ms,
                    client.session()
                )));
            }
        }
        if let Some(session) = self.open_sessions.first() {
            let client = session.resume_with(address, Some(vec![7; 16]))?;
            if client.session().session_id != 0 {
                return Err(InteropError::Differs(format!(
                    "session {:#x} is resumed with a wrong password",
                    session.id()
                )));
            }
        }
        Ok(())
    }

    /// Checks that sequential znodes get the numbers that the previous server would have given them.
    fn check_numbers(&mut self, address: &str, random: &mut Random) -> Result<(), InteropError> {
        let (Some(last_state), Some(observer)) = (&self.last_state, &self.observer) else {
            return Ok(());
        };
        let mut client = observer.resume_as_super(address)?;
        let parents: Vec<&String> = last_state
            .znodes
            .iter()
            .filter(|(path, znode)| {
                znode.stat.ephemeral_owner == 0 && !path.starts_with("/zookeeper")
            })
            .map(|(path, _)| path)
            .collect();
        for _ in 0..NUMBERED_PARENTS {
            let parent = *random.one(&parents);
            let prefix = format!("{}/next-", parent.trim_end_matches('/'));
            let expected = last_state.next_number(parent).unwrap_or_default();
            // An earlier check has already taken a number below this parent.
            let before = client.call(&Request::GetChildren {
                path: parent.clone(),
                watch: false,
            })?;
            if let Some(Answer::Children(names)) = &before.answer
                && names.iter().any(|name| name.starts_with("next-"))
            {
                continue;
            }
            let reply = client.call(&Request::Create {
                kind: CreateKind::Create,
                path: prefix.clone(),
                data: None,
                acl: Acl::open(),
                flags: 2,
            })?;
            let wanted = format!("{prefix}{expected:010}");
            if reply.answer != Some(Answer::Path(Some(wanted.clone()))) {
                return Err(InteropError::Differs(format!(
                    "expected {wanted} as the next znode: {reply:?}"
                )));
            }
        }
        Ok(())
    }

    // Longer than 60 lines: the requests of a turn in their order.
    fn work(
        &mut self,
        kind: ServerKind<'_>,
        address: &str,
        random: &mut Random,
        ops: usize,
    ) -> Result<(), InteropError> {
        let known = Known {
            version: self.version,
            extended_types: self.folder_settings.extended_types,
            is_quorum: self.folder_settings.server_id != 1,
        };
        let workload_random = Random::new(random.next_u64(), 1);
        let mut workload = Workload::new(address, known, workload_random, self.life)?;
        workload.run(ops / 2)?;
        let maker_timeout = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
        let mut maker =
            BlockingClient::connect_within(PATIENCE, address, &ConnectRequest::new(maker_timeout))?;
        become_super(&mut maker)?;
        let server = BorrowedServer::new(
            "the server of an interop run".to_owned(),
            Some(self.version.clone()),
            address.to_owned(),
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut played = ops / 2;
        while played < ops {
            let drawn = (self.seed, self.sequence);
            let playing = sequences::play(&server, known, &mut maker, drawn, LONGEST);
            let (open_sessions, steps) = runtime.block_on(playing)?;
            self.sequence += 1;
            self.open_sessions.extend(open_sessions);
            played += steps.max(1);
        }
        maker.call(&Request::CloseSession)?;
        let (open_sessions, expiring) = workload.into_sessions();
        self.open_sessions.extend(open_sessions);
        self.expiring.extend(expiring);
        // Closes one of the resumed sessions.
        if self.open_sessions.len() > 4 {
            let at = random.number(0..self.open_sessions.len());
            let session = self.open_sessions.remove(at);
            let mut client = session.resume(address)?;
            if client.session().session_id == session.id() {
                client.call(&Request::CloseSession)?;
            }
        }
        // The newest snapshots of this start are to be taken while ACLs are written.
        if self.life == 0 {
            acl_writes::create_filler(address, self.filler_znodes)?;
        }
        self.report.requests += played;
        let also_set = matches!(kind, ServerKind::Ours(_)).then_some(self.filler_znodes);
        if also_set.is_some() || acl_writes::reads_back(self.version) {
            acl_writes::write_acls(address, self.life, ops * 2, also_set, random)?;
            self.report.requests += ops * 2;
        }
        Ok(())
    }
}
