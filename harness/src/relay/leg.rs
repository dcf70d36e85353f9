//! One server's turn with the folder: what it finds is compared with what was left, it works, its state is noted, it ends.

use super::folder::Folder;
use super::garden::Garden;
use super::server::{Ending, Held, Runner, Who, become_super};
use super::{LONGEST, Picture, RelayError, Report, eye, sequences};
use crate::backend::{Guest, Keeping, ServerSetup};
use crate::client::{Acl, Answer, BlockingClient, Request};
use crate::dice::Dice;
use crate::patience::PATIENCE;
use semver::Version;

/// How many parents are asked for the next number.
const NUMBERED: usize = 6;
/// How many lives a real server has in its turn.
const LIVES: usize = 3;

/// A relay under way.
pub(super) struct Leg<'a> {
    pub(super) version: &'a Version,
    pub(super) folder: &'a Folder,
    pub(super) seed: u64,
    pub(super) ops: usize,
    pub(super) keeping: Keeping,
    /// How many lives there were.
    pub(super) life: usize,
    /// How many sequences were played.
    pub(super) sequence: u64,
    /// The sessions that were left open, or were believed to be.
    pub(super) held: Vec<Held>,
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
        let lives = if matches!(who, Who::Real(_)) {
            LIVES
        } else {
            2
        };
        for life in 0..lives {
            let is_last = life + 1 == lives;
            // What is reaped goes in the midst, so that nothing goes while somebody looks.
            let setup = if life == 1 && !is_last {
                ServerSetup::Reaping
            } else {
                ServerSetup::Usual
            };
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
            self.work(&address, dice, self.ops / lives)?;
            if is_last {
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
        Ok(())
    }

    /// What ours exports, a real server starts from.
    pub(super) fn check_export(&mut self, _who: Who<'_>) -> Result<(), RelayError> {
        Ok(())
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
        let difference = left.difference(&found);
        let complaints = runner.complaints();
        if difference.is_none() && complaints.is_empty() {
            return Ok(());
        }
        let kept = self.folder.keep("minikeeper-relay-kept-")?;
        Err(RelayError::Differs(format!(
            "{what}, before and after: {}\ncomplaints: {}\nkept in {}",
            difference.unwrap_or_else(|| "no difference".to_owned()),
            complaints.join("\n"),
            kept.display()
        )))
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

    fn work(&mut self, address: &str, dice: &mut Dice, ops: usize) -> Result<(), RelayError> {
        let garden_dice = Dice::new(dice.throw(), 1);
        let mut garden = Garden::new(address, self.version, garden_dice, self.life)?;
        garden.grow(ops / 2)?;
        let maker_timeout = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
        let mut maker = BlockingClient::connect_within(
            PATIENCE,
            address,
            &crate::client::ConnectRequest::new(maker_timeout),
        )?;
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
            let playing = sequences::play(&guest, self.version, &mut maker, drawn, LONGEST);
            let (held, steps) = runtime.block_on(playing)?;
            self.sequence += 1;
            self.held.extend(held);
            played += steps.max(1);
        }
        maker.call(&Request::CloseSession)?;
        self.held.extend(garden.leave()?);
        // Some that were found again go in order.
        if self.held.len() > 4 {
            let at = dice.number(0..self.held.len());
            let held = self.held.remove(at);
            let mut client = held.resume(address)?;
            if client.session().session_id == held.id() {
                client.call(&Request::CloseSession)?;
            }
        }
        self.report.requests += played;
        Ok(())
    }
}
