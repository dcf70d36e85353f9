//! One server's turn with the folder: what it finds is compared with what was left, it works, its state is noted, it ends.

use super::folder::Folder;
use super::garden::Garden;
use super::sequences::Known;
use super::server::{Ending, Held, Runner, Who, become_super};
use super::{LONGEST, Picture, RelayError, Report, copy, eye, holes, sequences, storm};
use crate::backend::{self, BackendError, Guest, Keeping, ServerSetup};
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
pub(super) struct Leg<'a> {
    pub(super) version: &'a Version,
    pub(super) folder: &'a Folder,
    pub(super) seed: u64,
    pub(super) ops: usize,
    /// Number of znodes that were planted for the storms.
    pub(super) planted: usize,
    pub(super) keeping: Keeping,
    /// How many lives there were.
    pub(super) life: usize,
    /// How many sequences were played.
    pub(super) sequence: u64,
    /// The sessions that were left open, or were believed to be.
    pub(super) held: Vec<Held>,
    /// Znodes of sessions that are to expire.
    pub(super) short: Vec<String>,
    /// The session of who looks.
    pub(super) eye: Option<Held>,
    /// What the last server left.
    pub(super) left: Option<Picture>,
    pub(super) report: Report,
    pub(super) tell: &'a mut dyn FnMut(&str),
}

impl Leg<'_> {
    pub(super) fn run(
        &mut self,
        who: Who<'_>,
        dice: &mut Dice,
        ending: Ending,
    ) -> Result<(), RelayError> {
        // What is reaped goes before the last life, and after what was left is compared: nothing goes while somebody looks.
        let setups: &[ServerSetup] = match who {
            Who::Real(_) if self.left.is_none() => &[ServerSetup::Reaping, ServerSetup::Usual],
            Who::Real(_) => &[ServerSetup::Usual, ServerSetup::Usual],
            Who::Ours(_) => &[ServerSetup::Usual, ServerSetup::Reaping, ServerSetup::Usual],
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
            (self.tell)(&format!("{who:?}: life {}, {ending} in the end", self.life));
            let mut runner = Runner::start(who, self.folder.path(), setup, &self.keeping)?;
            let address = runner.address();
            if life == 0 {
                self.check_found(&runner, "the folder that was left")?;
                self.check_sessions(&address)?;
                self.check_numbers(&address, dice)?;
            }
            self.work(who, &address, dice, self.ops / setups.len())?;
            if is_last {
                self.wait_for_the_end_of_short_sessions(&address)?;
                self.look(&address)?;
            }
            runner.end(ending)?;
            self.life += 1;
        }
        Ok(())
    }

    /// The real server alone on a copy: what it does not find again is none of ours.
    pub(super) fn check_that_it_comes_back(&mut self, who: Who<'_>) -> Result<(), RelayError> {
        let copy = self.folder.copy()?;
        let mut runner = Runner::start(who, copy.path(), ServerSetup::Usual, &self.keeping)?;
        let again = self.picture(&runner.address())?;
        let complaints = runner.complaints();
        runner.end(Ending::Killed)?;
        let again = match &self.left {
            Some(left) => self.as_left(&runner, left, again),
            None => again,
        };
        if let Some(left) = &self.left
            && let Some(difference) = left.difference(&again)
        {
            let note = format!("a real server does not find its own folder again: {difference}");
            (self.tell)(&note);
            self.report.notes.push(note);
        }
        for complaint in complaints {
            let note = format!("a real server of its own folder: {complaint}");
            if !self.report.notes.contains(&note) {
                (self.tell)(&note);
                self.report.notes.push(note);
            }
        }
        self.left = Some(again);
        Ok(())
    }

    /// Ours on the folder, by its handle and without writing to it.
    pub(super) fn check_copy(&mut self) -> Result<(), RelayError> {
        let Some(left) = self.left.clone() else {
            return Ok(());
        };
        let before = self.folder.listed()?;
        let (found, timeouts) = copy::open(&self.folder.data(), self.keeping.trust_empty)
            .map_err(|error| self.kept(&format!("opened as a copy: {error}")))?;
        self.report.comparisons += 1;
        if let Some(difference) = left.difference(&found) {
            return Err(self.kept(&format!("left, and found in a copy: {difference}")));
        }
        if let Some(refused) = self.refused_snapshot()? {
            return Err(self.kept(&format!("a real server's snapshot is refused: {refused}")));
        }
        for held in &self.held {
            let timeout = timeouts.get(&held.id()).map(Duration::as_millis);
            let wanted = u128::from(held.session.timeout_ms.unsigned_abs());
            if timeout != Some(wanted) {
                let id = held.id();
                let what = format!("session {id:#x} of {wanted} ms has {timeout:?} ms in a copy");
                return Err(self.kept(&what));
            }
        }
        if self.folder.listed()? != before {
            return Err(self.kept("to look at the folder changed it"));
        }
        Ok(())
    }

    /// A whole snapshot of a real server that was nevertheless skipped. A snapshot that a kill has cut short has no
    /// end, and a compressed one does not show whether it has.
    fn refused_snapshot(&self) -> Result<Option<String>, RelayError> {
        if self.keeping.compression != backend::Compression::None {
            return Ok(None);
        }
        let snapshot = copy::snapshot(&self.folder.data(), self.keeping.trust_empty)?;
        let passed_over = snapshot.origin().map(|origin| &*origin.passed_over);
        let is_whole = |error: &&StorageError| matches!(error, StorageError::Damaged { offset, .. } if *offset > 0);
        let mut refused = passed_over.unwrap_or_default().iter().filter(is_whole);
        Ok(refused.next().map(ToString::to_string))
    }

    /// Opens a folder with a missing log, which minikeeper always refuses and a real server refuses from 3.9.4 on
    /// (`ZKDatabase.addCommittedProposal`).
    pub(super) fn check_hole(&mut self, who: Who<'_>) -> Result<(), RelayError> {
        let copy = self.folder.copy()?;
        let Some(missing) = holes::dig(&copy.data())? else {
            return Ok(());
        };
        if *self.version >= Version::new(3, 9, 4) {
            match Runner::start(who, copy.path(), ServerSetup::Usual, &self.keeping) {
                Err(RelayError::Backend(BackendError::Ended(_))) => {}
                Err(error) => return Err(error),
                Ok(mut runner) => {
                    runner.end(Ending::Killed)?;
                    let note = format!("a real server starts although {missing} is missing");
                    (self.tell)(&note);
                    self.report.notes.push(note);
                    return Ok(());
                }
            }
        }
        self.report.comparisons += 1;
        match copy::snapshot(&copy.data(), self.keeping.trust_empty) {
            Err(_) => Ok(()),
            Ok(_) => Err(self.kept(&format!(
                "{missing} was removed from a copy, which is opened as if nothing was missing"
            ))),
        }
    }

    /// Without extended types, znodes with a time to live are ephemerals of a session that does not exist, and are
    /// removed.
    pub(super) fn check_without_extended_types(
        &mut self,
        real: Who<'_>,
        ours: Who<'_>,
    ) -> Result<(), RelayError> {
        if !self.keeping.extended_types || *self.version < Version::new(3, 5, 0) {
            return Ok(());
        }
        let keeping = Keeping {
            extended_types: false,
            ..self.keeping.clone()
        };
        let mut pictures = Vec::new();
        for who in [real, ours] {
            let copy = self.folder.copy()?;
            let mut runner = Runner::start(who, copy.path(), ServerSetup::Usual, &keeping)?;
            let mut picture = self.picture(&runner.address())?;
            runner.end(Ending::Killed)?;
            // A real server loses the children of such a znode without counting them.
            picture
                .znodes
                .retain(|path, _| !path.starts_with("/zookeeper/quota"));
            picture.zxid = 0;
            pictures.push(picture);
        }
        self.report.comparisons += 1;
        match pictures.first().zip(pictures.last()) {
            Some((real, ours)) if real != ours => Err(self.kept(&format!(
                "opened without extended types by a real server and by ours: {}",
                real.difference(ours).unwrap_or_default()
            ))),
            _ => Ok(()),
        }
    }

    /// What ours exports, a real server starts from.
    pub(super) fn check_export(&mut self, who: Who<'_>) -> Result<(), RelayError> {
        let Some(left) = self.left.clone() else {
            return Ok(());
        };
        let exported = Folder::new()?;
        let failed = |error: StorageError| RelayError::Differs(format!("not exported: {error}"));
        let format = format!("{}.{}", self.version.major, self.version.minor)
            .parse::<DataFormat>()
            .map_err(|error| RelayError::Differs(error.to_string()))?;
        let compression = match self.keeping.compression {
            backend::Compression::None => Compression::None,
            backend::Compression::Gzip => Compression::Gzip,
            backend::Compression::Snappy => Compression::Snappy,
        };
        copy::snapshot(&self.folder.data(), self.keeping.trust_empty)?
            .write_as(exported.data(), format, compression)
            .map_err(failed)?;
        let mut runner = Runner::start(who, exported.path(), ServerSetup::Usual, &self.keeping)?;
        let found = self.picture(&runner.address())?;
        let complaints = runner.complaints();
        let found = self.as_left(&runner, &left, found);
        runner.end(Ending::Killed)?;
        self.report.comparisons += 1;
        match left.difference(&found) {
            None if complaints.is_empty() => Ok(()),
            difference => Err(self.kept(&format!(
                "left, and found in what was exported: {}\n{}",
                difference.unwrap_or_default(),
                complaints.join("\n")
            ))),
        }
    }

    /// A last real server finds what was left.
    pub(super) fn finish(&mut self, who: Who<'_>) -> Result<(), RelayError> {
        let mut runner = Runner::start(who, self.folder.path(), ServerSetup::Usual, &self.keeping)?;
        self.check_found(&runner, "the folder that was left")?;
        self.check_sessions(&runner.address())?;
        runner.end(Ending::Killed)?;
        if let Some(left) = &self.left {
            self.report.znodes = left.znodes.len();
            self.report.sessions = left.sessions.len();
            self.report.zxid = left.zxid;
        }
        Ok(())
    }

    fn check_found(&mut self, runner: &Runner, what: &str) -> Result<(), RelayError> {
        let Some(left) = self.left.clone() else {
            return Ok(());
        };
        let found = self.picture(&runner.address())?;
        self.report.comparisons += 1;
        let difference = left.difference(&self.as_left(runner, &left, found));
        let complaints = runner.complaints();
        if difference.is_none() && complaints.is_empty() {
            return Ok(());
        }
        Err(self.kept(&format!(
            "{what}, before and after: {}\ncomplaints: {}",
            difference.unwrap_or_else(|| "no difference".to_owned()),
            complaints.join("\n"),
        )))
    }

    /// The state that was found, without the epoch that a quorum begins with every start, which moves the zxid to the
    /// beginning of the next.
    fn as_left(&self, runner: &Runner, left: &Picture, mut found: Picture) -> Picture {
        let begins = found.zxid > left.zxid && found.zxid.trailing_zeros() >= 32;
        if runner.is_quorum(&self.keeping) && begins {
            found.zxid = left.zxid;
        }
        found
    }

    /// What differs, and where the folder is kept for who wants to know more.
    fn kept(&self, what: &str) -> RelayError {
        match self.folder.keep("minikeeper-relay-kept-") {
            Ok(kept) => RelayError::Differs(format!("{what}\nthe folder is in {}", kept.display())),
            Err(error) => error,
        }
    }

    /// Looks at everything, by a session that was there before.
    fn picture(&mut self, address: &str) -> Result<Picture, RelayError> {
        let eye = match &self.eye {
            Some(eye) => eye.clone(),
            None => self.eye.insert(eye(address)?).clone(),
        };
        let mut client = eye.resume_as_super(address)?;
        Picture::of(&mut client, address)
    }

    fn wait_for_the_end_of_short_sessions(&mut self, address: &str) -> Result<(), RelayError> {
        let request = ConnectRequest::new(10_000);
        let mut client = BlockingClient::connect_within(PATIENCE, address, &request)?;
        become_super(&mut client)?;
        for path in std::mem::take(&mut self.short) {
            let exists = Request::Exists { path, watch: false };
            patience::until("a session to expire", || match client.call(&exists) {
                Ok(reply) => (reply.header.err == NO_NODE).then_some(Ok(())),
                Err(error) => Some(Err(error)),
            })??;
        }
        client.call(&Request::CloseSession)?;
        Ok(())
    }

    fn look(&mut self, address: &str) -> Result<(), RelayError> {
        let picture = self.picture(address)?;
        (self.tell)(&format!(
            "left: {} znodes, {} sessions, zxid {:#x}",
            picture.znodes.len(),
            picture.sessions.len(),
            picture.zxid
        ));
        self.held
            .retain(|held| picture.sessions.contains(&held.id()));
        self.left = Some(picture);
        Ok(())
    }

    /// Sessions that were left open go on with their passwords, and with no other.
    fn check_sessions(&mut self, address: &str) -> Result<(), RelayError> {
        for held in &self.held {
            let client = held.resume(address)?;
            let (id, timeout_ms) = (client.session().session_id, client.session().timeout_ms);
            if id != held.id() || timeout_ms != held.session.timeout_ms {
                return Err(RelayError::Differs(format!(
                    "session {:#x} of {} ms cannot be resumed: {:?}",
                    held.id(),
                    held.session.timeout_ms,
                    client.session()
                )));
            }
        }
        if let Some(held) = self.held.first() {
            let client = held.resume_with(address, Some(vec![7; 16]))?;
            if client.session().session_id != 0 {
                return Err(RelayError::Differs(format!(
                    "session {:#x} is resumed with a wrong password",
                    held.id()
                )));
            }
        }
        Ok(())
    }

    /// What is numbered next is numbered as it would have been by the server before.
    fn check_numbers(&mut self, address: &str, dice: &mut Dice) -> Result<(), RelayError> {
        let (Some(left), Some(eye)) = (&self.left, &self.eye) else {
            return Ok(());
        };
        let mut client = eye.resume_as_super(address)?;
        let parents: Vec<&String> = left
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
            let expected = left.next_number(parent).unwrap_or_default();
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
                return Err(RelayError::Differs(format!(
                    "{wanted} is next, and was made: {reply:?}"
                )));
            }
        }
        Ok(())
    }

    fn work(
        &mut self,
        who: Who<'_>,
        address: &str,
        dice: &mut Dice,
        ops: usize,
    ) -> Result<(), RelayError> {
        let known = Known {
            version: self.version,
            extended_types: self.keeping.extended_types,
            is_quorum: self.keeping.server_id != 1,
        };
        let garden_dice = Dice::new(dice.throw(), 1);
        let mut garden = Garden::new(address, known, garden_dice, self.life)?;
        garden.grow(ops / 2)?;
        let maker_timeout = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
        let mut maker =
            BlockingClient::connect_within(PATIENCE, address, &ConnectRequest::new(maker_timeout))?;
        become_super(&mut maker)?;
        let guest = Guest::new(
            "the server of a relay".to_owned(),
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
            let (held, steps) = runtime.block_on(playing)?;
            self.sequence += 1;
            self.held.extend(held);
            played += steps.max(1);
        }
        maker.call(&Request::CloseSession)?;
        let (held, short) = garden.leave();
        self.held.extend(held);
        self.short.extend(short);
        // Some that were found again go in order.
        if self.held.len() > 4 {
            let at = dice.number(0..self.held.len());
            let held = self.held.remove(at);
            let mut client = held.resume(address)?;
            if client.session().session_id == held.id() {
                client.call(&Request::CloseSession)?;
            }
        }
        // The snapshots that are newest in the end are taken during the storm.
        if self.life == 0 {
            storm::plant(address, self.planted)?;
        }
        self.report.requests += played;
        let also_set = matches!(who, Who::Ours(_)).then_some(self.planted);
        if also_set.is_some() || storm::is_survived_by(self.version) {
            storm::rage(address, self.life, ops * 2, also_set, dice)?;
            self.report.requests += ops * 2;
        }
        Ok(())
    }
}
