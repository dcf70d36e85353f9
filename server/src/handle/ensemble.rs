//! An ensemble: several members over one tree, what can be done to them, and what follows.

use super::member::{Member, MemberView};
use super::{Server, StartError, port_error};
use crate::control::{Effects, ListenerId};
use crate::keeper::{Input, Keeper};
use crate::protocol::{EnsembleAction, EnsembleError, MemberId};

/// Several members, each with an address of its own, over one tree.
///
/// There is no protocol among the members. A test says what happens to one, and what would follow from it in a real
/// ensemble follows at once: connections are closed, there is an election and a new epoch, or nobody is served any more.
/// The handle is cheap to clone; the members stop when the last handle of the ensemble or its server is dropped.
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

/// Why something could not be done to an ensemble, or not wholly.
///
/// ```
/// use minikeeper::ensemble::{EnsembleAction, MemberId};
///
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// let refused = ensemble.apply(EnsembleAction::Stop { member: MemberId(4) });
/// assert_eq!(refused.unwrap_err().to_string(), "the ensemble has no member 4");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// It cannot be done.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
    /// The member cannot listen.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Ensemble {
    /// Starts an ensemble of so many members, on free ports of 127.0.0.1, empty and with the machine's clock. The last of
    /// them leads. [`ServerBuilder::ensemble`](crate::ServerBuilder::ensemble) starts one that is told more.
    ///
    /// # Errors
    ///
    /// When the number is not 1 to 254, or this process or machine has no sockets or threads left.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.connect_string().split(',').count(), 3);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start(members: u8) -> Result<Self, StartError> {
        Server::builder().ensemble(members)
    }

    pub(super) fn from_server(server: Server) -> Self {
        Self { server }
    }

    /// What the members have in common: the tree, sessions and watches, the clock. It sees what is committed, whatever
    /// happens to members, and what it writes is committed.
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

    /// What a client is to be given that may connect to any member.
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

    /// The member with this number, from 1.
    ///
    /// # Panics
    ///
    /// If there is none.
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
            None => panic!("the ensemble has members 1 to {count}, and no {number}"),
        }
    }

    /// All members, by number.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.members().len(), 3);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let ids = self.look(|keeper| keeper.members().ids());
        ids.map(|id| self.member_of(id)).collect()
    }

    /// What there is to know of every member at this moment, by number.
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

    /// Who leads; `None` where there is no quorum.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.leader().map(|leader| leader.id().0), Some(3));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn leader(&self) -> Option<Member> {
        let leader = self.look(|keeper| keeper.members().leader());
        leader.map(|id| self.member_of(id))
    }

    /// How many leaders there have been: the high 32 bits of every zxid. A server that is no ensemble stays at 0.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.epoch(), 1);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.look(|keeper| keeper.members().epoch())
    }

    /// Does what the action says, as its own method would, and returns the effects.
    ///
    /// # Errors
    ///
    /// When there is no such member or it cannot do this as things are; when it starts and cannot listen.
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
        self.look(|keeper| keeper.members().check(action))?;
        let mut guards = self.server.member_guards();
        guards.note(action, self.look(|keeper| keeper.members().ids()));
        act(&self.server, action)
    }

    /// Holds an election, which this member wins, or with `None` another one than leads now. All connections of all
    /// members are closed, and there is a new epoch.
    ///
    /// # Errors
    ///
    /// When there is no quorum, or the member is stopped or partitioned.
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
        self.look(|keeper| keeper.members().check(action))?;
        Ok(self.server.wish(Input::Ensemble(action)))
    }

    /// Parts all members from one another, so that nobody leads. Every connection is closed; no session expires until
    /// there is a leader again. Who connects meanwhile is disconnected when it asks for a session, unless members serve
    /// [reads](crate::ServerBuilder::read_only_mode).
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

    /// Brings all members together that were partitioned. If nobody led, there is an election, and a new epoch.
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

    fn look<T>(&self, look: impl FnOnce(&Keeper) -> T) -> T {
        self.server.shared.engine.look(look)
    }
}

/// Every way by which something happens to members.
pub(super) fn act(server: &Server, action: EnsembleAction) -> Result<Effects, ApplyError> {
    let engine = &server.shared.engine;
    engine.look(|keeper| keeper.members().check(action))?;
    let to = |member: MemberId| move |listener_id: &ListenerId| listener_id.member == member;
    // So that of two stops and starts at once one comes wholly before the other.
    let mut ports = server.ports();
    match action {
        EnsembleAction::Stop { member } => {
            let effects = server.wish(Input::Ensemble(action));
            ports.shut(to(member));
            Ok(effects)
        }
        EnsembleAction::Start { member } => {
            ports.open(to(member)).map_err(port_error)?;
            Ok(server.wish(Input::Ensemble(action)))
        }
        EnsembleAction::Partition { .. }
        | EnsembleAction::Heal { .. }
        | EnsembleAction::Elect { .. }
        | EnsembleAction::Lag { .. }
        | EnsembleAction::Release { .. }
        | EnsembleAction::CatchUp { .. }
        | EnsembleAction::LoseQuorum
        | EnsembleAction::RegainQuorum => Ok(server.wish(Input::Ensemble(action))),
    }
}
