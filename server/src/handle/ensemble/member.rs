//! Members of an ensemble, and the guards of partitions and lags.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use super::apply::{ApplyError, apply};
use super::guards::Lasting;
use crate::control::{Effects, ListenerId};
use crate::handle::admin::Admin;
use crate::handle::endpoint::{LOCALHOST, NO_LISTENER, connect_string};
use crate::handle::{Server, StartError};
use crate::net::{AsyncRead, AsyncWrite};
use crate::protocol::{EnsembleAction, EnsembleError, MemberId, Mode, SessionId, Zxid};

/// Member of an [`Ensemble`](crate::Ensemble).
///
/// ```
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// let member = ensemble.member(1);
/// assert_eq!(member.connect_string(), format!("127.0.0.1:{}", member.addr().port()));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone)]
pub struct Member {
    pub(in crate::handle) server: Server,
    pub(in crate::handle) id: MemberId,
}

/// Member at one moment.
///
/// ```
/// use minikeeper::{Ensemble, ensemble::Mode};
///
/// let ensemble = Ensemble::start(3)?;
/// ensemble.member(1).stop();
/// let modes: Vec<Mode> = ensemble.view().iter().map(|member| member.mode).collect();
/// assert_eq!(modes, [Mode::Stopped, Mode::Follower, Mode::Leader]);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberView {
    /// Number of the member, from 1.
    pub id: MemberId,
    /// Address that the member listens on unless it is stopped. Its port is 0 if the member has none.
    pub addr: SocketAddr,
    /// Mode of the member.
    pub mode: Mode,
    /// Whether the member is partitioned from the others. It may be running.
    pub partitioned: bool,
    /// Last transaction that the member has.
    pub last_zxid: Zxid,
    /// Number of transactions that the member lags behind; `None` if it does not [lag](Member::lag).
    pub behind: Option<usize>,
    /// Sessions of the connections to the member, by id. A session is listed here even if it has since moved to another
    /// member.
    pub sessions: Vec<SessionId>,
}

impl Member {
    /// Number of the member, from 1.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(3).id(), minikeeper::ensemble::MemberId(3));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// Returns the reports and commands of the AdminServer, of this member.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(3).admin().mode(), minikeeper::ensemble::Mode::Leader);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::of(&self.server, self.id)
    }

    /// Returns the address that the member listens on. The port stays reserved while the member is stopped. It is 0 for
    /// a member [without an address](crate::Config::member_addresses).
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_ne!(ensemble.member(1).addr(), ensemble.member(2).addr());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.placed_addr().unwrap_or(NO_LISTENER)
    }

    /// Returns a connect string for a client on this machine that connects to this member alone. It is empty for a
    /// member [without an address](crate::Config::member_addresses).
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert!(ensemble.connect_string().contains(&ensemble.member(1).connect_string()));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn connect_string(&self) -> String {
        connect_string(&self.placed_addr())
    }

    /// Returns the address of the member; `None` for a member without one.
    fn placed_addr(&self) -> Option<SocketAddr> {
        let at = usize::from(self.id.0).saturating_sub(1);
        self.server.shared.addrs.get(at).copied().flatten()
    }

    /// Mode of the member.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(1).mode(), minikeeper::ensemble::Mode::Follower);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn mode(&self) -> Mode {
        let engine = &self.server.shared.engine;
        engine.with_keeper(|keeper| keeper.members().mode(self.id))
    }

    /// Returns a view of the member.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(1).view().behind, None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn view(&self) -> MemberView {
        let addr = self.addr();
        self.server.shared.engine.with_keeper(|keeper| {
            let state = keeper.member(self.id);
            MemberView {
                id: self.id,
                addr,
                mode: keeper.members().mode(self.id),
                partitioned: state.is_some_and(|state| state.partitioned),
                last_zxid: state.map_or(Zxid(0), |state| state.last_zxid),
                behind: state.and_then(|state| state.behind),
                sessions: keeper.sessions_at(self.id),
            }
        })
    }

    /// Stops the member, as if its process had ended: its connections are closed, and new ones are refused. If the
    /// member led and the others have a quorum, they hold an election, and all connections of all members are closed.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let member = ensemble.member(1);
    /// member.stop();
    /// assert!(std::net::TcpStream::connect(member.addr()).is_err());
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn stop(&self) -> Effects {
        self.apply(EnsembleAction::Stop { member: self.id })
    }

    /// Starts the member again after [`stop`](Self::stop), on the same port. The member follows the leader. If there is
    /// no leader and the ensemble now has a quorum, an election is held. Does nothing if the member is running.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets left.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let member = ensemble.member(3);
    /// member.stop();
    /// member.start_again()?;
    /// assert_eq!(member.mode(), minikeeper::ensemble::Mode::Follower);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn start_again(&self) -> Result<Effects, StartError> {
        match apply(&self.server, EnsembleAction::Start { member: self.id }) {
            Ok(effects) => Ok(effects),
            Err(ApplyError::Start(error)) => Err(error),
            Err(ApplyError::Ensemble(_)) => Ok(Effects::default()),
        }
    }

    /// Stops the member and starts it again. If the member led, it follows now.
    ///
    /// # Errors
    ///
    /// If this process or machine has no sockets left. The member is stopped then.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let effects = ensemble.member(3).restart()?;
    /// assert_eq!(effects.leading.map(|leading| leading.epoch), Some(2));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn restart(&self) -> Result<Effects, StartError> {
        let mut effects = self.stop();
        effects.append(self.start_again()?);
        Ok(effects)
    }

    /// Partitions the member from the other members until the guard is dropped or [healed](MemberPartition::heal). If
    /// there are several guards, the last one ends the partition. Clients can still connect to the member, but it has
    /// no leader: its connections are closed, and a client that asks for a session is disconnected, unless the member
    /// serves [reads](crate::ServerBuilder::read_only_mode). If the member led, the others hold an election; if they
    /// have no quorum, the ensemble has no leader.
    ///
    /// ```
    /// use minikeeper::{Ensemble, ensemble::Mode};
    ///
    /// let ensemble = Ensemble::start(3)?;
    /// let partition = ensemble.member(3).partition();
    /// assert_eq!(ensemble.member(3).mode(), Mode::NotServing);
    /// assert_eq!(ensemble.member(2).mode(), Mode::Leader);
    /// partition.heal();
    /// assert_eq!(ensemble.member(3).mode(), Mode::Follower);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn partition(&self) -> MemberPartition {
        let (hold, effects) = self.begin_lasting(Lasting::Partition);
        MemberPartition {
            hold,
            effects,
            member: self.clone(),
        }
    }

    /// Lets the member lag: it applies committed transactions only when the test [releases](Lag::release) them, until
    /// the guard is dropped. If there are several guards, the last one ends the lag. A client of the member reads the
    /// old state, gets the old zxid in replies, and gets no event of a later change.
    ///
    /// A write through the member, a `sync` or a new session catches it up to the zxid of that request; then it lags
    /// on, like a slow member of a real ensemble. A client that has seen a later zxid than the member has is
    /// disconnected when it asks for a session there. An election catches the member up. A stop or a partition ends the
    /// lag.
    ///
    /// # Errors
    ///
    /// If the member has no leader.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let lag = ensemble.member(1).lag()?;
    /// ensemble.server().create("/config", b"v1")?;
    /// assert_eq!(lag.pending(), 1);
    /// lag.release(1);
    /// assert_eq!(lag.pending(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lag(&self) -> Result<Lag, EnsembleError> {
        let action = EnsembleAction::Lag { member: self.id };
        let engine = &self.server.shared.engine;
        engine.with_keeper(|keeper| keeper.members().check(action))?;
        let (hold, _) = self.begin_lasting(Lasting::Lag);
        Ok(Lag {
            hold,
            member: self.clone(),
        })
    }

    /// Serves a client of this member over a stream of bytes; see [`Server::serve`].
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let (_client, io) = tokio::io::duplex(4096);
    /// let _serving = ensemble.member(2).serve(io);
    /// assert_eq!(ensemble.server().connections()[0].member, minikeeper::ensemble::MemberId(2));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn serve<IO>(&self, io: IO) -> impl Future<Output = ()> + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let listener_id = ListenerId {
            label: None,
            member: self.id,
        };
        let caller_runtime = &self.server.shared.caller_runtime;
        caller_runtime.serve(io, LOCALHOST, &listener_id)
    }

    /// Begins a partition or a lag, or joins an existing one. Returns the number of the guard's share in it.
    fn begin_lasting(&self, what: Lasting) -> (u64, Effects) {
        let mut guards = self.server.member_guards();
        if !self.lasts(what) {
            // Another action has ended the state for the guards before.
            guards.forget(|member, of| (member, of) == (self.id, what));
        }
        let hold = guards.add(self.id, what);
        let effects = self.apply(what.begin(self.id));
        (hold, effects)
    }

    /// Ends a guard's share in a partition or a lag. The last share ends the partition or lag itself.
    fn end_lasting(&self, what: Lasting, hold: u64) -> Effects {
        let mut guards = self.server.member_guards();
        if guards.remove(hold) && !guards.has(self.id, what) {
            self.apply(what.end(self.id))
        } else {
            Effects::default()
        }
    }

    /// Whether the member is partitioned or lags now.
    fn lasts(&self, what: Lasting) -> bool {
        let engine = &self.server.shared.engine;
        let state = engine.with_keeper(|keeper| keeper.member(self.id));
        state.is_some_and(|state| match what {
            Lasting::Partition => state.partitioned,
            Lasting::Lag => state.behind.is_some(),
        })
    }

    /// Performs an action on this member. It cannot fail, since the member exists.
    fn apply(&self, action: EnsembleAction) -> Effects {
        apply(&self.server, action).unwrap_or_default()
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::sync::Arc::ptr_eq(&self.server.shared, &other.server.shared)
    }
}

impl Eq for Member {}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Guard of a partition of a member. The partition lasts while this guard or another one of the same kind exists. An
/// action that reconnects the member ([`Ensemble::regain_quorum`](crate::Ensemble::regain_quorum),
/// [`EnsembleAction::Heal`]) ends the partition for all guards.
///
/// ```
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// {
///     let _partition = ensemble.member(1).partition();
///     assert!(ensemble.member(1).view().partitioned);
/// }
/// assert!(!ensemble.member(1).view().partitioned);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[must_use = "the partition is healed when this is dropped"]
#[derive(Debug)]
pub struct MemberPartition {
    member: Member,
    hold: u64,
    effects: Effects,
}

impl MemberPartition {
    /// Effects of the partition.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let partition = ensemble.member(3).partition();
    /// assert_eq!(partition.effects().leading.map(|leading| leading.epoch), Some(2));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// Heals the partition, unless another guard continues it, and returns the effects: clients that were served reads
    /// are disconnected.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let effects = ensemble.member(1).partition().heal();
    /// assert_eq!(effects.leading, None);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn heal(self) -> Effects {
        self.member.end_lasting(Lasting::Partition, self.hold)
    }
}

impl Drop for MemberPartition {
    fn drop(&mut self) {
        self.member.server.report_if_panicking();
        if !std::thread::panicking() || self.member.server.shared.engine.is_sound() {
            self.member.end_lasting(Lasting::Partition, self.hold);
        }
    }
}

/// Guard of a lag of a member. The lag lasts while this guard or another one of the same kind exists. An event that
/// ends the lag (a stop, a partition, [`EnsembleAction::CatchUp`]) ends it for all guards.
///
/// ```
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// {
///     let _lag = ensemble.member(1).lag()?;
///     assert_eq!(ensemble.member(1).view().behind, Some(0));
/// }
/// assert_eq!(ensemble.member(1).view().behind, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the member catches up when this is dropped"]
#[derive(Debug)]
pub struct Lag {
    member: Member,
    hold: u64,
}

impl Lag {
    /// Returns the number of transactions that the member has not applied yet.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// assert_eq!(ensemble.member(1).lag()?.pending(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.member.view().behind.unwrap_or(0)
    }

    /// Lets the member apply this number of transactions, or fewer if fewer are pending, and returns the effects: its
    /// clients get the events of their watches.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let lag = ensemble.member(1).lag()?;
    /// ensemble.server().create("/a", b"")?;
    /// ensemble.server().create("/b", b"")?;
    /// lag.release(1);
    /// assert_eq!(lag.pending(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self, transactions: usize) -> Effects {
        self.release_up_to(Some(transactions))
    }

    /// Lets the member apply all pending transactions, and returns the effects. Later transactions are pending again.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let lag = ensemble.member(1).lag()?;
    /// ensemble.server().create("/a", b"")?;
    /// lag.release_all();
    /// assert_eq!(lag.pending(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release_all(&self) -> Effects {
        self.release_up_to(None)
    }

    /// Ends the lag, unless another guard continues it, and returns the effects.
    ///
    /// ```
    /// let ensemble = minikeeper::Ensemble::start(3)?;
    /// let effects = ensemble.member(1).lag()?.catch_up();
    /// assert!(effects.events.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn catch_up(self) -> Effects {
        self.member.end_lasting(Lasting::Lag, self.hold)
    }

    fn release_up_to(&self, transactions: Option<usize>) -> Effects {
        self.member.apply(EnsembleAction::Release {
            member: self.member.id,
            transactions,
        })
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.member.server.report_if_panicking();
        if !std::thread::panicking() || self.member.server.shared.engine.is_sound() {
            self.member.end_lasting(Lasting::Lag, self.hold);
        }
    }
}
