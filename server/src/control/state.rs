//! What a test has in its hands while a server runs: faults, holds, cut links, the journal, and whoever waits.
//!
//! It is asked twice on a request's way, before the rules take it and where each message leaves them, and not at all
//! while there is nothing to ask.

use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::direction::Direction;
use super::fault::{FaultId, Faults, Happening};
use super::hold::{Decided, Holds};
use super::journal::Notes;
use super::known::Known;
use super::sight::{Asked, Outcomes, Sight, Who};
use super::treatment::{Gate, Stage, Treatment, Verdict};
use super::wait::{WaitId, Waits};
use super::{Fault, ListenerId, Matcher};
use crate::keeper::{ConnectionId, Input, Keeper};
use crate::protocol::{
    ConnectRequest, ErrorCode, Message, MultiResult, Operation, Reply, Request, Response,
    SessionId, Timestamp,
};

/// Faults, holds, links, journal and waits of one server.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) journal: Notes,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) waits: Waits,
    /// Whether the server is stopped.
    pub(crate) stopped: bool,
    /// Names that matchers may use.
    pub(crate) known: Known,
    /// The labels that sessions last came by.
    labels: Labels,
    cuts: Vec<Cut>,
    next_cut: u64,
    /// Whether a fault has cut a link, and connections and rules are still to learn of it.
    was_cut: bool,
    /// The request that is being carried out.
    asked: Asked,
    /// Whether that is a write of the test itself, and what it writes.
    own_write: bool,
    own_data: Option<Vec<u8>>,
    /// Whether the first request of the connection asked for a new session.
    asked_new: bool,
    /// What becomes of the reply to it.
    reply: Treatment,
    /// Waits that have ended, and whose tasks are not woken yet.
    pub(crate) ended_waits: Vec<WaitId>,
}

/// The labels that sessions last came by, until they end.
type Labels = HashMap<SessionId, Arc<str>, FixedState>;

/// A link that is cut.
#[derive(Debug)]
struct Cut {
    id: u64,
    whose: Matcher,
    direction: Direction,
    /// The fault that did it.
    by: Option<FaultId>,
}

impl Control {
    pub(crate) fn new(journal: Notes, known: Known) -> Self {
        Self {
            journal,
            known,
            faults: Faults::default(),
            holds: Holds::default(),
            waits: Waits::default(),
            stopped: false,
            labels: HashMap::with_hasher(FixedState::with_seed(0)),
            cuts: Vec::new(),
            next_cut: 0,
            was_cut: false,
            asked: Asked::default(),
            own_write: false,
            own_data: None,
            asked_new: false,
            reply: Treatment::default(),
            ended_waits: Vec::new(),
        }
    }

    /// Whether nobody wants to know or change anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.journal.is_off() && self.waits.is_empty() && self.changes_nothing()
    }

    /// Whether nobody wants to change anything.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.faults.is_empty() && self.holds.is_empty() && self.cuts.is_empty()
    }

    /// A session has come by this address.
    pub(crate) fn comes_by(&mut self, session: SessionId, listener_id: &ListenerId) {
        if let Some(label) = &listener_id.label
            && session != SessionId::NONE
        {
            self.labels.insert(session, Arc::clone(label));
        }
    }

    /// A session is over.
    pub(crate) fn session_ended(&mut self, session: SessionId) {
        self.labels.remove(&session);
    }

    /// The label that a session last came by.
    pub(crate) fn label_of(&self, session: SessionId) -> Option<&Arc<str>> {
        self.labels.get(&session)
    }

    /// Tells the journal, and whoever waits, of something that passes. What is about a session and passes on no connection
    /// bears the label that the session last came by.
    pub(crate) fn note(&mut self, now: Timestamp, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        let listener_id;
        let absent;
        let mut who = who;
        if who.is_none()
            && let Some(session) = sight.session()
            && let Some(label) = self.label_of(session)
        {
            listener_id = ListenerId {
                label: Some(Arc::clone(label)),
                ..ListenerId::default()
            };
            absent = Who {
                connection: ConnectionId::HANDLE,
                session,
                listener_id: &listener_id,
            };
            who = Some(&absent);
        }
        note(
            &mut self.journal,
            &mut self.waits,
            &mut self.ended_waits,
            now,
            who,
            sight,
        );
    }

    /// Wakes the waits for a state, which may have changed.
    pub(crate) fn changed(&mut self) {
        self.waits.changed(&mut self.ended_waits);
    }

    /// The clock stands here now.
    pub(crate) fn tell_clock(&mut self, to: Timestamp) {
        if let Some(from) = self.journal.turned.take()
            && !self.is_idle()
        {
            self.note(to, None, &Sight::Clock { from, to });
        }
    }

    /// A client sent this, and nobody wants to change anything: it is told.
    #[expect(clippy::wildcard_enum_match_arm, reason = "clients send nothing else")]
    pub(crate) fn see_input(&mut self, now: Timestamp, who: &Who<'_>, input: &Input<'_>) {
        let sight = match input {
            Input::Connect { request, .. } => {
                self.asked_new = request.session == SessionId::NONE;
                connect_sight(request)
            }
            Input::Request { xid, request, .. } => {
                self.asked.note(request);
                Sight::Request {
                    xid: *xid,
                    asked: &self.asked,
                    data: request.data(),
                }
            }
            _ => return,
        };
        let (journal, waits, ended) = (&mut self.journal, &mut self.waits, &mut self.ended_waits);
        note(journal, waits, ended, now, Some(who), &sight);
    }

    /// This is sent to a client, and nobody wants to change anything: it is told.
    pub(crate) fn see_message(&mut self, now: Timestamp, who: &Who<'_>, message: &Message<'_>) {
        let sight = sight_of(message, &self.asked, self.asked_new);
        let (journal, waits, ended) = (&mut self.journal, &mut self.waits, &mut self.ended_waits);
        note(journal, waits, ended, now, Some(who), &sight);
    }

    /// The test itself is about to write.
    pub(crate) fn about_to_write(&mut self, request: &Request<'_>) {
        self.asked.note(request);
        self.own_data = request.data().map(<[u8]>::to_vec);
        self.own_write = true;
    }

    /// The test itself is answered; if that was a write, the journal is told.
    pub(crate) fn wrote(&mut self, now: Timestamp, reply: &Reply<'_>) {
        if !std::mem::take(&mut self.own_write) {
            return;
        }
        let data = self.own_data.take();
        let sight = Sight::Wrote {
            zxid: reply.zxid,
            asked: &self.asked,
            data: data.as_deref(),
            error: reply.result.as_ref().err().copied(),
        };
        let (journal, waits, ended) = (&mut self.journal, &mut self.waits, &mut self.ended_waits);
        note(journal, waits, ended, now, None, &sight);
    }

    /// A request was carried out: whoever minds how many watch something is told, if that may be more than before.
    pub(crate) fn mind_watches(&mut self, keeper: &Keeper) {
        if self.asked.watch && self.journal.budgets.mind_watches() {
            for path in self.asked.paths() {
                let clients = keeper.all_watches().map(|watches| watches.clients(path));
                let clients = clients.sum();
                self.journal.budgets.watched(path, clients);
            }
        }
    }

    /// Finds the fault that happens to a message, if one does, and the operations of a multi to which it happens. The
    /// fault is noted in the journal and counted.
    fn go_wrong(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        sight: &Sight<'_>,
    ) -> Option<(Fault, Vec<usize>)> {
        let Happening {
            id,
            name,
            fault,
            hits,
            parts,
        } = self.faults.decide(who, sight)?;
        let told = Sight::Fault { name, fault };
        let (journal, waits, ended) = (&mut self.journal, &mut self.waits, &mut self.ended_waits);
        note(journal, waits, ended, now, Some(who), &told);
        waits.happened(id, hits, ended);
        let fault = fault.clone();
        if let Fault::Partition { direction } = fault {
            let whose = Matcher::client(who);
            let is_cut = self
                .cuts
                .iter()
                .any(|cut| (cut.by, cut.direction) == (Some(id), direction) && cut.whose == whose);
            if !is_cut {
                let cut = self.cut(whose.clone(), direction, Some(id));
                let told = Sight::Cut {
                    cut,
                    whose: &whose,
                    direction,
                };
                self.note(now, Some(who), &told);
            }
            self.was_cut = true;
        }
        Some((fault, parts))
    }

    /// What goes wrong with somebody who connects.
    pub(crate) fn judge_arrival(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        peer: SocketAddr,
    ) -> Option<Fault> {
        let sight = Sight::Accepted { peer };
        self.note(now, Some(who), &sight);
        let fault = self.go_wrong(now, who, &sight).map(|(fault, _)| fault);
        if let Some(Fault::Refuse | Fault::Reset) = fault {
            self.note(now, Some(who), &Sight::Disconnected);
        }
        fault
    }

    /// What becomes of something that a client sent.
    pub(crate) fn judge(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        input: &Input<'_>,
        stage: Stage,
    ) -> Verdict {
        self.reply = Treatment::default();
        // Lent out, so that a sight of it and the rest can be used side by side.
        let mut asked = std::mem::take(&mut self.asked);
        let verdict = if let Input::Connect { request, .. } = input {
            self.asked_new = request.session == SessionId::NONE;
            let sight = connect_sight(request);
            self.judge_sight(now, who, &sight, request.session, stage)
        } else if let Input::Request { xid, request, .. } = input {
            asked.note(request);
            let sight = Sight::Request {
                xid: *xid,
                asked: &asked,
                data: request.data(),
            };
            self.judge_sight(now, who, &sight, who.session, stage)
        } else {
            Verdict::Pass
        };
        if let Verdict::Expire(_) = verdict {
            // Whatever was asked, it is not what ends the session.
            asked.operation = None;
        }
        self.asked = asked;
        verdict
    }

    fn judge_sight(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        sight: &Sight<'_>,
        session: SessionId,
        stage: Stage,
    ) -> Verdict {
        if stage == Stage::Judged {
            return Verdict::Pass;
        }
        if stage == Stage::New {
            self.note(now, Some(who), sight);
            // What is held is still on its way; faults wait for it where it arrives.
            if let Some(Decided {
                hold,
                item,
                what,
                held,
            }) = self.holds.decide(who, sight)
            {
                let told = Sight::Held {
                    item,
                    message: &what,
                };
                self.note(now, Some(who), &told);
                self.waits.held(hold, held, &mut self.ended_waits);
                return Verdict::Hold { hold, item, what };
            }
        }
        let Some((fault, parts)) = self.go_wrong(now, who, sight) else {
            return Verdict::Pass;
        };
        match fault {
            Fault::Error { code } if parts.is_empty() => Verdict::Refuse(code, false),
            Fault::Error { code } => Verdict::RefuseParts(code, parts),
            Fault::AuthFailed => Verdict::Refuse(ErrorCode::AuthFailed, true),
            Fault::SessionMoved | Fault::DropBefore => Verdict::Close,
            Fault::LoseRequest => Verdict::Lose,
            Fault::DelayRequest { by } => Verdict::Delay(now + by),
            Fault::Expire => Verdict::Expire(session),
            Fault::Partition { .. } => Verdict::Cut,
            // These faults happen to the reply. Faults of connections have no effect here.
            Fault::ApplyThenDrop
            | Fault::ReplyThenDrop
            | Fault::Close
            | Fault::LoseReply
            | Fault::DelayReply { .. }
            | Fault::Truncate { .. }
            | Fault::Split { .. }
            | Fault::Garbage { .. }
            | Fault::Duplicate
            | Fault::WrongXid { .. }
            | Fault::Refuse
            | Fault::Reset
            | Fault::SlowAccept { .. } => {
                self.reply = Treatment::of(&fault, now);
                Verdict::Pass
            }
        }
    }

    /// What becomes of a message to a client. `own` says that it goes to whoever asks just now.
    pub(crate) fn treat(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        message: &Message<'_>,
        own: bool,
    ) -> Treatment {
        let asked = std::mem::take(&mut self.asked);
        let sight = sight_of(message, &asked, self.asked_new);
        let is_reply = !matches!(message, Message::Event { .. });
        self.note(now, Some(who), &sight);
        let mut treatment = if own && is_reply {
            std::mem::take(&mut self.reply)
        } else {
            Treatment::default()
        };
        if treatment.is_usual()
            && let Some((fault, _)) = self.go_wrong(now, who, &sight)
        {
            treatment = Treatment::of(&fault, now);
        }
        if !treatment.lose
            && let Some(Decided {
                hold,
                item,
                what,
                held,
            }) = self.holds.decide(who, &sight)
        {
            let told = Sight::Held {
                item,
                message: &what,
            };
            self.note(now, Some(who), &told);
            self.waits.held(hold, held, &mut self.ended_waits);
            treatment.gate = Gate::Held { hold, item };
            treatment.held = Some(what);
        }
        self.asked = asked;
        treatment
    }

    /// Cuts links from now on; gives the number of the cut.
    pub(crate) fn cut(&mut self, whose: Matcher, direction: Direction, by: Option<FaultId>) -> u64 {
        self.next_cut += 1;
        self.cuts.push(Cut {
            id: self.next_cut,
            whose,
            direction,
            by,
        });
        self.next_cut
    }

    /// Whether a fault has cut a link since this was last asked.
    pub(crate) fn was_cut(&mut self) -> bool {
        std::mem::take(&mut self.was_cut)
    }

    pub(crate) fn has_cuts(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Whether the request that is being carried out ends its session.
    pub(crate) fn closes_session(&self) -> bool {
        self.asked.operation == Some(Operation::CloseSession)
    }

    pub(crate) fn heal(&mut self, id: u64) {
        self.cuts.retain(|cut| cut.id != id);
    }

    /// Whose links are cut, and which way.
    pub(crate) fn cuts_in_words(&self) -> impl Iterator<Item = String> {
        self.cuts.iter().map(|cut| {
            let whose = match &cut.whose.label {
                Some(label) if cut.whose == Matcher::any().label(label) => label.clone(),
                Some(_) | None => cut.whose.to_string(),
            };
            format!("{whose} {}", cut.direction.in_words())
        })
    }

    /// Heals what a fault has cut, or everything.
    pub(crate) fn heal_by(&mut self, now: Timestamp, fault: Option<FaultId>) {
        let is_meant = |cut: &mut Cut| fault.is_none() || cut.by == fault;
        let healed: Vec<Cut> = self.cuts.extract_if(.., is_meant).collect();
        for cut in healed {
            self.note(now, None, &Sight::Healed { cut: cut.id });
        }
    }

    /// Which ways the link of a connection is cut.
    pub(crate) fn cuts<'c>(&'c self, who: &'c Who<'c>) -> impl Iterator<Item = Direction> + 'c {
        directions(&self.cuts, who)
    }
}

fn directions<'c>(cuts: &'c [Cut], who: &'c Who<'c>) -> impl Iterator<Item = Direction> + use<'c> {
    let cuts = cuts.iter().filter(|cut| cut.whose.means(who));
    cuts.map(|cut| cut.direction)
}

fn note(
    journal: &mut Notes,
    waits: &mut Waits,
    ended: &mut Vec<WaitId>,
    now: Timestamp,
    who: Option<&Who<'_>>,
    sight: &Sight<'_>,
) {
    if let Some(from) = journal.turned.take() {
        let sight = Sight::Clock { from, to: now };
        note(journal, waits, ended, now, None, &sight);
    }
    journal.note(now, who, sight);
    if !waits.is_empty() {
        waits.pass(who, sight, || journal.entry(now, who, sight), ended);
    }
}

pub(crate) fn connect_sight(request: &ConnectRequest<'_>) -> Sight<'static> {
    Sight::Connect {
        session: request.session,
        timeout_ms: request.timeout_ms,
        last_zxid_seen: request.last_zxid_seen,
        read_only: request.read_only == Some(true),
    }
}

/// What is sent, as it is told.
pub(crate) fn sight_of<'a>(message: &'a Message<'_>, asked: &'a Asked, new: bool) -> Sight<'a> {
    match message {
        Message::Connected(response) => Sight::Connected {
            session: response.session,
            timeout_ms: response.timeout_ms,
            new,
        },
        Message::Reply(Reply { xid, zxid, result }) => Sight::Reply {
            xid: *xid,
            zxid: *zxid,
            asked,
            error: match result {
                Ok(_) => outcomes(result).failure(asked.operation),
                Err(code) => Some(*code),
            },
            created: result.as_ref().ok().and_then(created),
            data: match result {
                Ok(Response::Data(data, _)) => data.map(|data| &**data),
                _ => None,
            },
            children: match result {
                Ok(Response::Children(children) | Response::ChildrenAndStat(children, _)) => {
                    Some(children.len())
                }
                _ => None,
            },
            outcomes: outcomes(result),
        },
        Message::Event { zxid, event } => Sight::Event {
            zxid: *zxid,
            event_type: event.event_type,
            path: event.path,
        },
    }
}

/// The results of the operations of a multi or multiRead.
fn outcomes<'a>(result: &'a Result<Response<'_>, ErrorCode>) -> Outcomes<'a> {
    if let Ok(Response::Multi(results) | Response::MultiReadBrokenOff(results)) = result {
        Outcomes::Results(results)
    } else {
        Outcomes::None
    }
}

/// The path that a write created, the first one if it is a multi.
fn created<'a>(response: &'a Response<'_>) -> Option<&'a str> {
    if let Response::Path(path) = response {
        return path.as_deref();
    }
    if let Response::PathAndStat(path, _) = response {
        return Some(path);
    }
    let Response::Multi(results) = response else {
        return None;
    };
    results.iter().find_map(|result| {
        if let MultiResult::Create(path) | MultiResult::Create2(path, _) = result {
            Some(&**path)
        } else {
            None
        }
    })
}
