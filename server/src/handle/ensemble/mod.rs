//! Ensembles: several members over one tree, and the actions on them.

mod apply;
mod guards;
mod member;

pub use apply::ApplyError;
pub(in crate::handle) use guards::MemberGuards;
pub use member::{Lag, Member, MemberPartition, MemberView};

use self::apply::apply;
use crate::control::Effects;
use crate::handle::{Server, StartError};
use crate::keeper::{Input, Keeper};
use crate::protocol::{EnsembleAction, EnsembleError, MemberId};

/// Ensemble of several members over one tree, each with an address of its own.
///
/// The members have no protocol among them. A test acts on a member, and the effects that a real ensemble would show
/// follow at once: connections are closed, an election starts a new epoch, or the ensemble has no leader and closes all
/// connections. The handle is cheap to clone. The members stop when the last handle of the ensemble or of its server is
/// dropped.
///
/// ```
/// use minikeeper::{Ensemble, ensemble::Mode};
///
/// let ensemble = Ensemble::start(3)?;
/// println!("ZooKeeper is at {}", ensemble.connect_string());
///
/// let leader = ensemble.leader().expect("all members reach one another");
/// leader.stop();
/// assert_eq!(ensemble.epoch(), 2);
/// assert_ne!(ensemble.leader(), Some(leader));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    server: Server,
}

impl Ensemble {
    /// Starts an ensemble with this number of members, on free ports of 127.0.0.1, empty and with the system clock. The
    /// last member leads. To set more, use [`ServerBuilder::ensemble`](crate::ServerBuilder::ensemble).
    ///
    /// # Errors
    ///
    /// If the number is not between 1 and 254, or this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.connect_string().split(',').count(), 3);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start(members: u8) -> Result<Self, StartError> {
        Server::builder().ensemble(members)
    }

    /// Server that the members share: tree, sessions, watches, clock. It sees every committed write, whatever happens
    /// to members, and its own writes are committed.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// ensemble.server().create("/config", b"v1")?;
    /// assert_eq!(ensemble.server().data("/config").as_deref(), Some(&b"v1"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Connect string for a client that may connect to any member.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(2)?;
    /// let [one, two] = [1, 2].map(|member| ensemble.member(member).connect_string());
    /// assert_eq!(ensemble.connect_string(), format!("{one},{two}"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connect_string(&self) -> String {
        self.server.connect_string()
    }

    /// Returns the member with this number, from 1.
    ///
    /// # Panics
    ///
    /// If the ensemble has no such member.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(2).id().0, 2);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn member(&self, number: u8) -> Member {
        let members = self.members();
        let count = members.len();
        let member = members
            .into_iter()
            .find(|member| member.id == MemberId(number));
        match member {
            Some(member) => member,
            None => panic!("the ensemble has no member {number}; its members are 1 to {count}"),
        }
    }

    /// Returns all members, by number.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.members().len(), 3);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let ids = self.with_keeper(|keeper| keeper.members().ids());
        ids.map(|id| self.member_of(id)).collect()
    }

    /// Returns a view of every member, by number.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert!(ensemble.view().iter().all(|member| member.sessions.is_empty()));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn view(&self) -> Vec<MemberView> {
        self.members().iter().map(Member::view).collect()
    }

    /// Returns the leader; `None` without a quorum.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.leader().map(|leader| leader.id().0), Some(3));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn leader(&self) -> Option<Member> {
        let leader = self.with_keeper(|keeper| keeper.members().leader());
        leader.map(|id| self.member_of(id))
    }

    /// Returns the epoch: the number of leaders so far, which is the high 32 bits of every zxid. A standalone server
    /// stays in epoch 0.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.epoch(), 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.with_keeper(|keeper| keeper.members().epoch())
    }

    /// Performs an action, as its own method does, and returns the effects.
    ///
    /// # Errors
    ///
    /// If there is no such member, the action is not possible now, or a member that starts cannot listen.
    ///
    /// ```
    /// use minikeeper::ensemble::{EnsembleAction, MemberId};
    ///
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let effects = ensemble.apply(EnsembleAction::Stop { member: MemberId(3) })?;
    /// assert_eq!(effects.leading.and_then(|leading| leading.leader), Some(MemberId(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, action: EnsembleAction) -> Result<Effects, ApplyError> {
        self.with_keeper(|keeper| keeper.members().check(action))?;
        let mut guards = self.server.member_guards();
        guards.note(action, self.with_keeper(|keeper| keeper.members().ids()));
        apply(&self.server, action)
    }

    /// Holds an election that this member wins, or, for `None`, a member other than the present leader. All connections
    /// of all members are closed, and a new epoch begins.
    ///
    /// # Errors
    ///
    /// If there is no quorum, or the member is stopped or partitioned.
    ///
    /// ```
    /// use minikeeper::ensemble::MemberId;
    ///
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// ensemble.elect(MemberId(1))?;
    /// assert_eq!(ensemble.leader().map(|leader| leader.id()), Some(MemberId(1)));
    /// ensemble.elect(None)?;
    /// assert_eq!(ensemble.leader().map(|leader| leader.id()), Some(MemberId(3)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn elect(&self, leader: impl Into<Option<MemberId>>) -> Result<Effects, EnsembleError> {
        let action = EnsembleAction::Elect {
            leader: leader.into(),
        };
        self.with_keeper(|keeper| keeper.members().check(action))?;
        Ok(self.server.effects_of(Input::Ensemble(action)))
    }

    /// Partitions all members from one another, so that the ensemble has no leader. Every connection is closed, and no
    /// session expires until there is a leader again. A client that connects meanwhile is disconnected when it asks for
    /// a session, unless members serve [reads](crate::ServerBuilder::read_only_mode).
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// ensemble.lose_quorum();
    /// assert_eq!(ensemble.leader(), None);
    /// ensemble.regain_quorum();
    /// assert_eq!(ensemble.epoch(), 2);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn lose_quorum(&self) -> Effects {
        self.apply(EnsembleAction::LoseQuorum).unwrap_or_default()
    }

    /// Heals the partitions of all members. If there was no leader, an election starts a new epoch.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.regain_quorum().leading, None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn regain_quorum(&self) -> Effects {
        self.apply(EnsembleAction::RegainQuorum).unwrap_or_default()
    }

    fn member_of(&self, id: MemberId) -> Member {
        Member {
            server: self.server.clone(),
            id,
        }
    }

    fn with_keeper<T>(&self, read: impl FnOnce(&Keeper) -> T) -> T {
        self.server.shared.engine.with_keeper(read)
    }
}

impl Server {
    /// Returns the members of the server, for actions on them. A standalone server has one member, which always leads.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// assert_eq!(server.ensemble().members().len(), 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn ensemble(&self) -> Ensemble {
        Ensemble {
            server: self.clone(),
        }
    }
}
