//! What a test has in its hands while a server runs: faults, holds, cut links, the journal, and whoever waits.
//!
//! It is asked twice on a request's way, before the rules take it and where each message leaves them, and not at all
//! while there is nothing to ask.

use std::net::SocketAddr;
use std::task::Waker;

use bytes::BytesMut;

use super::fault::Faults;
use super::hold::{Decided, HeldMessage, HoldId, Holds};
use super::journal::Notes;
use super::link::Direction;
use super::sight::{Asked, Sight, Who};
use super::wait::Waits;
use super::{Fault, Matcher};
use crate::keeper::{Input, Keeper};
use crate::protocol::{
    ErrorCode, Message, MultiResult, Operation, Reply, Request, Response, SessionId, Timestamp, Xid,
};

/// Faults, holds, links, journal and waits of one server.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) journal: Notes,
    pub(super) faults: Faults,
    pub(super) holds: Holds,
    pub(super) waits: Waits,
    cuts: Vec<Cut>,
    next_cut: u64,
    /// The request that is being carried out.
    asked: Asked,
    /// Whether that is a write of the test itself, and what it writes.
    own_write: bool,
    own_data: Option<Vec<u8>>,
    /// Whether the first request of the connection asked for a new session.
    asked_new: bool,
    /// What becomes of the reply to it.
    reply: Treatment,
    /// Whether the connection closes once the request was carried out.
    then_close: ThenClose,
    /// Whom to wake once the lock is free.
    pub(super) wakers: Vec<Waker>,
}

/// A link that is cut.
#[derive(Debug)]
struct Cut {
    id: u64,
    whose: Matcher,
    direction: Direction,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The rules take it.
    Pass,
    /// It never came.
    Lose,
    /// It comes later, and what is behind it.
    Delay(Timestamp),
    /// It comes when a hold lets it.
    Hold {
        hold: HoldId,
        item: u64,
        what: HeldMessage,
    },
    /// It is refused with this code; perhaps the connection closes then.
    Refuse(ErrorCode, ThenClose),
    /// The connection closes.
    Close,
    /// The session expires.
    Expire,
}

/// Whether the connection closes when that is done.
pub(super) type ThenClose = bool;

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Treatment {
    /// It is never sent.
    pub(super) lose: bool,
    /// How its bytes change.
    pub(super) shape: Shape,
    pub(super) gate: Gate,
    /// What is told of it, if it is held.
    pub(super) held: Option<HeldMessage>,
    /// Whether the connection closes behind it.
    pub(super) then_close: ThenClose,
}

/// When a message may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Open,
    /// Not before this moment.
    Until(Timestamp),
    /// When the hold lets it go.
    Held { hold: HoldId, item: u64 },
}

impl Gate {
    /// The number of what is held.
    pub(super) fn item(self) -> Option<u64> {
        match self {
            Self::Held { item, .. } => Some(item),
            Self::Open | Self::Until(_) => None,
        }
    }
}

/// How the bytes of a message change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Whole,
    Truncated(usize),
    Pieces {
        bytes: usize,
        every: std::time::Duration,
    },
    Garbage(Vec<u8>),
    Twice,
    Xid(Xid),
}

impl Shape {
    /// Changes the bytes of a message; pieces are cut elsewhere.
    pub(super) fn apply(&self, message: &mut BytesMut) {
        match self {
            Self::Whole | Self::Pieces { .. } => {}
            Self::Truncated(bytes) => message.truncate(*bytes),
            Self::Garbage(bytes) => {
                message.clear();
                message.extend_from_slice(bytes);
            }
            Self::Twice => {
                let once = message.clone();
                message.extend_from_slice(&once);
            }
            Self::Xid(xid) => {
                // Behind the length comes the xid, in every reply and event.
                if let Some(bytes) = message.get_mut(4..8) {
                    bytes.copy_from_slice(&xid.0.to_be_bytes());
                }
            }
        }
    }
}

impl Treatment {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Control {
    pub(super) fn new(journal: Notes) -> Self {
        Self {
            journal,
            faults: Faults::default(),
            holds: Holds::default(),
            waits: Waits::default(),
            cuts: Vec::new(),
            next_cut: 0,
            asked: Asked::default(),
            own_write: false,
            own_data: None,
            asked_new: false,
            reply: Treatment::default(),
            then_close: false,
            wakers: Vec::new(),
        }
    }

    /// Whether nobody wants to know or change anything.
    pub(super) fn is_idle(&self) -> bool {
        self.journal.is_off()
            && self.faults.is_empty()
            && self.holds.is_empty()
            && self.waits.is_empty()
    }

    /// Tells the journal, and whoever waits, of something that passes.
    pub(super) fn note(&mut self, now: Timestamp, who: Option<&Who<'_>>, sight: &Sight<'_>) {
        note(
            &mut self.journal,
            &mut self.waits,
            &mut self.wakers,
            now,
            who,
            sight,
        );
    }

    /// The test itself is about to write.
    pub(super) fn about_to_write(&mut self, request: &Request<'_>) {
        self.asked.note(request);
        self.own_data = request.data().map(<[u8]>::to_vec);
        self.own_write = true;
    }

    /// The test itself is answered; if that was a write, the journal is told.
    pub(super) fn wrote(&mut self, now: Timestamp, reply: &Reply<'_>) {
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
        let (journal, waits, wakers) = (&mut self.journal, &mut self.waits, &mut self.wakers);
        note(journal, waits, wakers, now, None, &sight);
    }

    /// A request was carried out: whoever minds how many watch something is told, if that may be more than before.
    pub(super) fn mind_watches(&mut self, keeper: &Keeper) {
        if self.asked.watch && self.journal.budgets.mind_watches() {
            for path in self.asked.paths() {
                let clients = keeper.all_watches().map(|watches| watches.clients(path));
                let clients = clients.sum();
                self.journal.budgets.watched(path, clients);
            }
        }
    }

    /// What goes wrong with somebody who connects.
    pub(super) fn judge_arrival(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        peer: SocketAddr,
    ) -> Option<Fault> {
        let sight = Sight::Accepted { peer };
        let (journal, waits, wakers) = (&mut self.journal, &mut self.waits, &mut self.wakers);
        note(journal, waits, wakers, now, Some(who), &sight);
        let rule = self.faults.decide(who, &sight)?;
        let sight = Sight::Fault {
            name: &rule.name,
            fault: &rule.then,
        };
        note(journal, waits, wakers, now, Some(who), &sight);
        Some(rule.then.clone())
    }

    /// What becomes of something that a client sent. `again` says that it was asked already, and came later.
    pub(super) fn judge(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        input: &Input<'_>,
        again: bool,
    ) -> Verdict {
        self.reply = Treatment::default();
        self.then_close = false;
        let sight = match input {
            Input::Connect { request, .. } => {
                self.asked_new = request.session == SessionId::NONE;
                Sight::Connect {
                    session: request.session,
                    timeout_ms: request.timeout_ms,
                    last_zxid_seen: request.last_zxid_seen,
                    read_only: request.read_only == Some(true),
                }
            }
            Input::Request { xid, request, .. } => {
                self.asked.note(request);
                Sight::Request {
                    xid: *xid,
                    asked: &self.asked,
                    data: request.data(),
                }
            }
            _ => return Verdict::Pass,
        };
        if again {
            return Verdict::Pass;
        }
        let (journal, waits, wakers) = (&mut self.journal, &mut self.waits, &mut self.wakers);
        note(journal, waits, wakers, now, Some(who), &sight);
        let verdict = match self.faults.decide(who, &sight) {
            None => Verdict::Pass,
            Some(rule) => {
                let sight = Sight::Fault {
                    name: &rule.name,
                    fault: &rule.then,
                };
                note(journal, waits, wakers, now, Some(who), &sight);
                match &rule.then {
                    Fault::Error { code } => Verdict::Refuse(*code, false),
                    Fault::SessionMoved => Verdict::Refuse(ErrorCode::SessionMoved, true),
                    Fault::AuthFailed => Verdict::Refuse(ErrorCode::AuthFailed, true),
                    Fault::DropBefore => Verdict::Close,
                    Fault::LoseRequest => Verdict::Lose,
                    Fault::DelayRequest { by } => Verdict::Delay(now + *by),
                    Fault::Expire => Verdict::Expire,
                    then => {
                        self.reply = Treatment::of(then, now);
                        Verdict::Pass
                    }
                }
            }
        };
        if matches!(verdict, Verdict::Pass)
            && let Some(decided) = self.holds.decide(who, &sight)
        {
            let Decided {
                hold, item, what, ..
            } = decided;
            note(
                journal,
                waits,
                wakers,
                now,
                Some(who),
                &Sight::Held { item },
            );
            waits.held(hold, decided.held, wakers);
            return Verdict::Hold { hold, item, what };
        }
        verdict
    }

    /// What becomes of a message to a client. `own` says that it goes to whoever asks just now.
    pub(super) fn treat(
        &mut self,
        now: Timestamp,
        who: &Who<'_>,
        message: &Message<'_>,
        own: bool,
    ) -> Treatment {
        let (sight, is_reply) = match message {
            Message::Connected(response) => {
                let sight = Sight::Connected {
                    session: response.session,
                    timeout_ms: response.timeout_ms,
                    new: self.asked_new,
                };
                (sight, true)
            }
            Message::Reply(Reply { xid, zxid, result }) => {
                let sight = Sight::Reply {
                    xid: *xid,
                    zxid: *zxid,
                    asked: &self.asked,
                    error: result.as_ref().err().copied(),
                    created: result.as_ref().ok().and_then(created),
                    data: match result {
                        Ok(Response::Data(data, _)) => *data,
                        _ => None,
                    },
                    children: match result {
                        Ok(
                            Response::Children(children) | Response::ChildrenAndStat(children, _),
                        ) => Some(children.len()),
                        _ => None,
                    },
                };
                (sight, true)
            }
            Message::Event { zxid, event } => {
                let sight = Sight::Event {
                    zxid: *zxid,
                    event_type: event.event_type,
                    path: event.path,
                };
                (sight, false)
            }
        };
        let (journal, waits, wakers) = (&mut self.journal, &mut self.waits, &mut self.wakers);
        note(journal, waits, wakers, now, Some(who), &sight);
        let mut treatment = if own && is_reply {
            std::mem::take(&mut self.reply)
        } else {
            Treatment::default()
        };
        if treatment.is_usual()
            && let Some(rule) = self.faults.decide(who, &sight)
        {
            let sight = Sight::Fault {
                name: &rule.name,
                fault: &rule.then,
            };
            note(journal, waits, wakers, now, Some(who), &sight);
            treatment = Treatment::of(&rule.then, now);
        }
        self.then_close |= own && treatment.then_close;
        if !treatment.lose
            && let Some(decided) = self.holds.decide(who, &sight)
        {
            let Decided {
                hold, item, what, ..
            } = decided;
            note(
                journal,
                waits,
                wakers,
                now,
                Some(who),
                &Sight::Held { item },
            );
            waits.held(hold, decided.held, wakers);
            treatment.gate = Gate::Held { hold, item };
            treatment.held = Some(what);
        }
        treatment
    }

    /// Cuts links from now on; gives the number of the cut.
    pub(super) fn cut(&mut self, whose: Matcher, direction: Direction) -> u64 {
        self.next_cut += 1;
        self.cuts.push(Cut {
            id: self.next_cut,
            whose,
            direction,
        });
        self.next_cut
    }

    pub(super) fn has_cuts(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Whether the request that is being carried out ends its session.
    pub(super) fn closes_session(&self) -> bool {
        self.asked.operation == Some(Operation::CloseSession)
    }

    /// Whether the connection closes now that its request was carried out. Says so once.
    pub(super) fn closes_now(&mut self) -> bool {
        std::mem::take(&mut self.then_close)
    }

    pub(super) fn heal(&mut self, id: u64) {
        self.cuts.retain(|cut| cut.id != id);
    }

    /// Which ways the link of a connection is cut.
    pub(super) fn cuts<'c>(&'c self, who: &'c Who<'c>) -> impl Iterator<Item = Direction> + 'c {
        let cuts = self.cuts.iter().filter(|cut| cut.whose.means(who));
        cuts.map(|cut| cut.direction)
    }
}

impl Treatment {
    /// What a fault makes of a message.
    fn of(fault: &Fault, now: Timestamp) -> Self {
        let shape = |shape| Self {
            shape,
            ..Self::default()
        };
        match fault {
            Fault::LoseReply => Self {
                lose: true,
                ..Self::default()
            },
            Fault::ApplyThenDrop => Self {
                lose: true,
                then_close: true,
                ..Self::default()
            },
            Fault::ReplyThenDrop => Self {
                then_close: true,
                ..Self::default()
            },
            Fault::DelayReply { by } => Self {
                gate: Gate::Until(now + *by),
                ..Self::default()
            },
            Fault::Truncate { bytes } => Self {
                then_close: true,
                ..shape(Shape::Truncated(*bytes))
            },
            Fault::Split { bytes, every } => shape(Shape::Pieces {
                bytes: (*bytes).max(1),
                every: *every,
            }),
            Fault::Garbage { bytes } => shape(Shape::Garbage(bytes.clone())),
            Fault::Duplicate => shape(Shape::Twice),
            Fault::WrongXid { xid } => shape(Shape::Xid(Xid(*xid))),
            // These happen to requests and connections, and were settled there.
            Fault::Error { .. }
            | Fault::DropBefore
            | Fault::LoseRequest
            | Fault::DelayRequest { .. }
            | Fault::SessionMoved
            | Fault::AuthFailed
            | Fault::Expire
            | Fault::Refuse
            | Fault::Reset
            | Fault::SlowAccept { .. } => Self::default(),
        }
    }
}

fn note(
    journal: &mut Notes,
    waits: &mut Waits,
    wakers: &mut Vec<Waker>,
    now: Timestamp,
    who: Option<&Who<'_>>,
    sight: &Sight<'_>,
) {
    journal.note(now, who, sight);
    if !waits.is_empty() {
        waits.pass(who, sight, || journal.entry(now, who, sight), wakers);
    }
}

/// The path that a write created, the first one if it is a multi.
fn created<'a>(response: &'a Response<'_>) -> Option<&'a str> {
    match response {
        Response::Path(path) => path.as_deref(),
        Response::PathAndStat(path, _) => Some(path),
        Response::Multi(results) => results.iter().find_map(|result| match result {
            MultiResult::Create(path) | MultiResult::Create2(path, _) => Some(&**path),
            _ => None,
        }),
        _ => None,
    }
}
