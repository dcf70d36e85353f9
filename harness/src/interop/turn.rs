//! One server's turn with the folder: what it finds is compared with what was left, it works, its state is noted, it ends.

use super::folder::Folder;
use super::sequences::Known;
use super::server::{Ending, OpenSession, RunningServer, ServerKind, become_super};
use super::workload::Workload;
use super::{
    InteropError, LONGEST, Report, ServerState, acl_writes, missing_log, observer, opened_folder,
    sequences,
};
use crate::backend::{self, BackendError, BorrowedServer, FolderSettings, ServerSetup};
use crate::client::{Acl, Answer, BlockingClient, ConnectRequest, Request};
use crate::dice::Dice;
use crate::patience::{self, PATIENCE};
use minikeeper::{Compression, DataFormat, StorageError};
use semver::Version;
use std::time::Duration;

/// How many parents are asked for the next number.
const NUMBERED: usize = 6;
const NO_NODE: i32 = -101;

/// A relay under way.
pub(super) struct Turn<'a> {
    pub(super) version: &'a Version,
    pub(super) folder: &'a Folder,
    pub(super) seed: u64,
    pub(super) ops: usize,
    /// Number of znodes that were planted for the storms.
    pub(super) filler_znodes: usize,
    pub(super) folder_settings: FolderSettings,
    /// How many lives there were.
    pub(super) life: usize,
    /// How many sequences were played.
    pub(super) sequence: u64,
    /// The sessions that were left open, or were believed to be.
    pub(super) open_sessions: Vec<OpenSession>,
    /// Znodes of sessions that are to expire.
    pub(super) expiring: Vec<String>,
    /// The session of who looks.
    pub(super) observer: Option<OpenSession>,
    /// What the last server left.
    pub(super) last_state: Option<ServerState>,
    pub(super) report: Report,
    pub(super) log: &'a mut dyn FnMut(&str),
}

impl Turn<'_> {
    pub(super) fn run(
        &mut self,
        kind: ServerKind<'_>,
        dice: &mut Dice,
        ending: Ending,
    ) -> Result<(), InteropError> {
        // What is reaped goes before the last life, and after what was left is compared: nothing goes while somebody looks.
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
            } else if dice.percent(50) {
                Ending::Asked
            } else {
                Ending::Killed
            };
            (self.log)(&format!(
                "{kind:?}: life {}, {ending} in the end",
                self.life
            ));
            let mut server =
                RunningServer::start(kind, self.folder.path(), setup, &self.folder_settings)?;
            let address = server.address();
            if life == 0 {
                self.check_found(&server, "the folder that was last_state")?;
                self.check_sessions(&address)?;
                self.check_numbers(&address, dice)?;
            }
            self.work(kind, &address, dice, self.ops / setups.len())?;
            if is_last {
                self.wait_for_expiries(&address)?;
                self.look(&address)?;
            }
            server.end(ending)?;
            self.life += 1;
        }
        Ok(())
    }

    /// The real server alone on a copy: what it does not find again is none of ours.
    pub(super) fn check_restart(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let opened_folder = self.folder.opened_folder()?;
        let mut server = RunningServer::start(
            kind,
            opened_folder.path(),
            ServerSetup::Usual,
            &self.folder_settings,
        )?;
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
            let note = format!("a real server does not find its own folder again: {difference}");
            (self.log)(&note);
            self.report.notes.push(note);
        }
        for complaint in complaints {
            let note = format!("a real server of its own folder: {complaint}");
            if !self.report.notes.contains(&note) {
                (self.log)(&note);
                self.report.notes.push(note);
            }
        }
        self.last_state = Some(again);
        Ok(())
    }

    /// Ours on the folder, by its handle and without writing to it.
    pub(super) fn check_copy(&mut self) -> Result<(), InteropError> {
        let Some(last_state) = self.last_state.clone() else {
            return Ok(());
        };
        let before = self.folder.listed()?;
        let (found, timeouts) =
            opened_folder::open(&self.folder.data(), self.folder_settings.trust_empty)
                .map_err(|error| self.failure(&format!("opened as a opened_folder: {error}")))?;
        self.report.comparisons += 1;
        if let Some(difference) = last_state.difference(&found) {
            return Err(self.failure(&format!("left, and found in a opened_folder: {difference}")));
        }
        if let Some(refused) = self.refused_snapshot()? {
            return Err(self.failure(&format!("a real server's snapshot is refused: {refused}")));
        }
        for open_sessions in &self.open_sessions {
            let timeout = timeouts.get(&open_sessions.id()).map(Duration::as_millis);
            let wanted = u128::from(open_sessions.session.timeout_ms.unsigned_abs());
            if timeout != Some(wanted) {
                let id = open_sessions.id();
                let what =
                    format!("session {id:#x} of {wanted} ms has {timeout:?} ms in a opened_folder");
                return Err(self.failure(&what));
            }
        }
        if self.folder.listed()? != before {
            return Err(self.failure("to look at the folder changed it"));
        }
        Ok(())
    }

    /// A whole snapshot of a real server that was nevertheless skipped. A snapshot that a kill has cut short has no
    /// end, and a compressed one does not show whether it has.
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
        let opened_folder = self.folder.opened_folder()?;
        let Some(missing) = missing_log::remove_log(&opened_folder.data())? else {
            return Ok(());
        };
        if *self.version >= Version::new(3, 9, 4) {
            match RunningServer::start(
                kind,
                opened_folder.path(),
                ServerSetup::Usual,
                &self.folder_settings,
            ) {
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
        match opened_folder::snapshot(&opened_folder.data(), self.folder_settings.trust_empty) {
            Err(_) => Ok(()),
            Ok(_) => Err(self.failure(&format!(
                "{missing} was removed from a opened_folder, which is opened as if nothing was missing"
            ))),
        }
    }

    /// Without extended types, znodes with a time to live are ephemerals of a session that does not exist, and are
    /// removed.
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
        let mut pictures = Vec::new();
        for kind in [real, ours] {
            let opened_folder = self.folder.opened_folder()?;
            let mut server = RunningServer::start(
                kind,
                opened_folder.path(),
                ServerSetup::Usual,
                &folder_settings,
            )?;
            let mut server_state = self.server_state(&server.address())?;
            server.end(Ending::Killed)?;
            // A real server loses the children of such a znode without counting them.
            server_state
                .znodes
                .retain(|path, _| !path.starts_with("/zookeeper/quota"));
            server_state.zxid = 0;
            pictures.push(server_state);
        }
        self.report.comparisons += 1;
        match pictures.first().zip(pictures.last()) {
            Some((real, ours)) if real != ours => Err(self.failure(&format!(
                "opened without extended types by a real server and by ours: {}",
                real.difference(ours).unwrap_or_default()
            ))),
            _ => Ok(()),
        }
    }

    /// What ours exports, a real server starts from.
    pub(super) fn check_export(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let Some(last_state) = self.last_state.clone() else {
            return Ok(());
        };
        let exported = Folder::new()?;
        let failed = |error: StorageError| InteropError::Differs(format!("not exported: {error}"));
        let format = format!("{}.{}", self.version.major, self.version.minor)
            .parse::<DataFormat>()
            .map_err(|error| InteropError::Differs(error.to_string()))?;
        let compression = match self.folder_settings.compression {
            backend::Compression::None => Compression::None,
            backend::Compression::Gzip => Compression::Gzip,
            backend::Compression::Snappy => Compression::Snappy,
        };
        opened_folder::snapshot(&self.folder.data(), self.folder_settings.trust_empty)?
            .write_as(exported.data(), format, compression)
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
                "left, and found in what was exported: {}\n{}",
                difference.unwrap_or_default(),
                complaints.join("\n")
            ))),
        }
    }

    /// A last real server finds what was left.
    pub(super) fn finish(&mut self, kind: ServerKind<'_>) -> Result<(), InteropError> {
        let mut server = RunningServer::start(
            kind,
            self.folder.path(),
            ServerSetup::Usual,
            &self.folder_settings,
        )?;
        self.check_found(&server, "the folder that was last_state")?;
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

    /// The state that was found, without the epoch that a quorum begins with every start, which moves the zxid to the
    /// beginning of the next.
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

    /// What differs, and where the folder is kept for who wants to know more.
    fn failure(&self, what: &str) -> InteropError {
        match self.folder.save_copy("minikeeper-interop-kept-") {
            Ok(kept) => {
                InteropError::Differs(format!("{what}\nthe folder is in {}", kept.display()))
            }
            Err(error) => error,
        }
    }

    /// Looks at everything, by a session that was there before.
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

    fn look(&mut self, address: &str) -> Result<(), InteropError> {
        let server_state = self.server_state(address)?;
        (self.log)(&format!(
            "last_state: {} znodes, {} sessions, zxid {:#x}",
            server_state.znodes.len(),
            server_state.sessions.len(),
            server_state.zxid
        ));
        self.open_sessions
            .retain(|open_sessions| server_state.sessions.contains(&open_sessions.id()));
        self.last_state = Some(server_state);
        Ok(())
    }

    /// Sessions that were left open go on with their passwords, and with no other.
    fn check_sessions(&mut self, address: &str) -> Result<(), InteropError> {
        for open_sessions in &self.open_sessions {
            let client = open_sessions.resume(address)?;
            let (id, timeout_ms) = (client.session().session_id, client.session().timeout_ms);
            if id != open_sessions.id() || timeout_ms != open_sessions.session.timeout_ms {
                return Err(InteropError::Differs(format!(
                    "session {:#x} of {} ms cannot be resumed: {:?}",
                    open_sessions.id(),
                    open_sessions.session.timeout_ms,
                    client.session()
                )));
            }
        }
        if let Some(open_sessions) = self.open_sessions.first() {
            let client = open_sessions.resume_with(address, Some(vec![7; 16]))?;
            if client.session().session_id != 0 {
                return Err(InteropError::Differs(format!(
                    "session {:#x} is resumed with a wrong password",
                    open_sessions.id()
                )));
            }
        }
        Ok(())
    }

    /// What is numbered next is numbered as it would have been by the server before.
    fn check_numbers(&mut self, address: &str, dice: &mut Dice) -> Result<(), InteropError> {
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
        for _ in 0..NUMBERED {
            let parent = *dice.one(&parents);
            let prefix = format!("{}/next-", parent.trim_end_matches('/'));
            let expected = last_state.next_number(parent).unwrap_or_default();
            // A parent that was drawn before has been counted on.
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
                path: prefix.clone(),
                data: None,
                acl: Acl::open(),
                flags: 2,
            })?;
            let wanted = format!("{prefix}{expected:010}");
            if reply.answer != Some(Answer::Path(Some(wanted.clone()))) {
                return Err(InteropError::Differs(format!(
                    "{wanted} is next, and was made: {reply:?}"
                )));
            }
        }
        Ok(())
    }

    fn work(
        &mut self,
        kind: ServerKind<'_>,
        address: &str,
        dice: &mut Dice,
        ops: usize,
    ) -> Result<(), InteropError> {
        let known = Known {
            version: self.version,
            extended_types: self.folder_settings.extended_types,
            is_quorum: self.folder_settings.server_id != 1,
        };
        let garden_dice = Dice::new(dice.throw(), 1);
        let mut workload = Workload::new(address, known, garden_dice, self.life)?;
        workload.run(ops / 2)?;
        let maker_timeout = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
        let mut maker =
            BlockingClient::connect_within(PATIENCE, address, &ConnectRequest::new(maker_timeout))?;
        become_super(&mut maker)?;
        let guest = BorrowedServer::new(
            "the server of a interop".to_owned(),
            Some(self.version.clone()),
            address.to_owned(),
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut played = ops / 2;
        while played < ops {
            let drawn = (self.seed, self.sequence);
            let playing = sequences::play(&guest, known, &mut maker, drawn, LONGEST);
            let (open_sessions, steps) = runtime.block_on(playing)?;
            self.sequence += 1;
            self.open_sessions.extend(open_sessions);
            played += steps.max(1);
        }
        maker.call(&Request::CloseSession)?;
        let (open_sessions, expiring) = workload.into_sessions();
        self.open_sessions.extend(open_sessions);
        self.expiring.extend(expiring);
        // Some that were found again go in order.
        if self.open_sessions.len() > 4 {
            let at = dice.number(0..self.open_sessions.len());
            let open_sessions = self.open_sessions.remove(at);
            let mut client = open_sessions.resume(address)?;
            if client.session().session_id == open_sessions.id() {
                client.call(&Request::CloseSession)?;
            }
        }
        // The snapshots that are newest in the end are taken during the storm.
        if self.life == 0 {
            acl_writes::create_filler(address, self.filler_znodes)?;
        }
        self.report.requests += played;
        let also_set = matches!(kind, ServerKind::Ours(_)).then_some(self.filler_znodes);
        if also_set.is_some() || acl_writes::reads_back(self.version) {
            acl_writes::write_acls(address, self.life, ops * 2, also_set, dice)?;
            self.report.requests += ops * 2;
        }
        Ok(())
    }
}
