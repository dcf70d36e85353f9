//! State of a test's control over one server.
//!
//! `net` asks for a plan twice for each request, before the rules take it and where each message leaves them, and
//! not at all while nothing can match ([`Control::is_idle`]).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::client::Client;
use super::cuts::Cuts;
use super::data::Data;
use super::event::Event;
use super::fault::{
    AcceptPlan, Fault, FaultId, Faults, Happening, Plan, Progress, ReplyPlan, RequestPlan,
};
use super::hold::{HeldItem, Holds};
use super::journal::Recorder;
use super::known::Known;
use super::listener_id::ListenerId;
use super::request_summary::RequestSummary;
use super::wait::Waits;
use crate::keeper::{Input, Keeper};
use crate::protocol::{Message, Operation, Reply, Request, SessionId, Timestamp};

/// Faults, holds, cut links, journal and waits of one server.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) journal: Recorder,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) cuts: Cuts,
    pub(crate) waits: Waits,
    /// Whether the server is stopped.
    pub(crate) stopped: bool,
    /// Names that matchers may use.
    pub(crate) known: Known,
    /// Label under which each session last connected, until the session ends.
    labels: HashMap<SessionId, Arc<str>, FixedState>,
    /// Whether a fault has cut a link and [`was_cut`](Self::was_cut) has not reported it yet.
    was_cut: bool,
    /// Request that is being carried out.
    request: RequestSummary,
    /// Write of the test that is being carried out.
    own_write: Option<OwnWrite>,
    /// Whether the first request of the connection asked for a new session.
    asked_new: bool,
    /// Plan of a fault for the reply to the request.
    reply: ReplyPlan,
}

/// Write of the test itself.
#[derive(Debug)]
struct OwnWrite {
    operation: Operation,
    data: Option<Vec<u8>>,
}

impl Control {
    pub(crate) fn new(journal: Recorder, known: Known) -> Self {
        Self {
            journal,
            known,
            faults: Faults::default(),
            holds: Holds::default(),
            cuts: Cuts::default(),
            waits: Waits::default(),
            stopped: false,
            labels: HashMap::with_hasher(FixedState::with_seed(0)),
            was_cut: false,
            request: RequestSummary::default(),
            own_write: None,
            asked_new: false,
            reply: ReplyPlan::default(),
        }
    }

    /// Whether no event has to be noted and no message can be changed.
    pub(crate) fn is_idle(&self) -> bool {
        self.journal.is_off() && self.waits.is_empty() && self.changes_nothing()
    }

    /// Whether no message can be changed.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.faults.is_empty() && self.holds.is_empty() && self.cuts.is_empty()
    }

    /// Records the label under which a session has connected.
    pub(crate) fn session_connected(&mut self, session: SessionId, listener_id: &ListenerId) {
        if let Some(label) = &listener_id.label
            && session != SessionId::NONE
        {
            self.labels.insert(session, Arc::clone(label));
        }
    }

    /// Forgets the label of a session that has ended.
    pub(crate) fn session_ended(&mut self, session: SessionId) {
        self.labels.remove(&session);
    }

    /// Label under which a session last connected.
    pub(crate) fn label_of(&self, session: SessionId) -> Option<&Arc<str>> {
        self.labels.get(&session)
    }

    /// Notes an event for the journal, the budgets and the waits.
    pub(crate) fn note(&mut self, now: Timestamp, client: &Client<'_>, event: &Event<'_>) {
        if let Some(from) = self.journal.turned.take() {
            self.note(now, &Client::NONE, &Event::Clock { from, to: now });
        }
        self.journal.note(now, client, event);
        if !self.waits.is_empty() {
            self.waits
                .pass(client, event, || self.journal.entry(now, client, event));
        }
    }

    /// Notes an event about a session that passes on no connection, with the label under which the session last
    /// connected.
    pub(crate) fn note_of_session(
        &mut self,
        now: Timestamp,
        session: SessionId,
        event: &Event<'_>,
    ) {
        let label = self.label_of(session).map(Arc::clone);
        self.note(now, &Client::absent(session, label.as_ref()), event);
    }

    /// Wakes the waits for a state, which may have changed.
    pub(crate) fn changed(&mut self) {
        self.waits.changed();
    }

    /// Notes that a manual clock was turned, unless that was noted before a later event.
    pub(crate) fn clock_turned(&mut self, to: Timestamp) {
        if let Some(from) = self.journal.turned.take()
            && !self.is_idle()
        {
            self.note(to, &Client::NONE, &Event::Clock { from, to });
        }
    }

    /// Remembers a write of the test until its reply has come.
    pub(crate) fn begin_own_write(&mut self, request: &Request<'_>) {
        self.request.set(request);
        self.own_write = request.operation().map(|operation| OwnWrite {
            operation,
            data: request.data().map(<[u8]>::to_vec),
        });
    }

    /// Notes the write of the test whose reply this is.
    pub(crate) fn end_own_write(&mut self, now: Timestamp, reply: &Reply<'_>) {
        let Some(OwnWrite { operation, data }) = self.own_write.take() else {
            return;
        };
        let request = std::mem::take(&mut self.request);
        let event = Event::Wrote {
            operation,
            paths: request.paths.borrow(),
            data: data.as_deref().map(Data::of),
            zxid: reply.zxid,
            error: reply.result.as_ref().err().copied(),
        };
        self.note(now, &Client::NONE, &event);
        self.request = request;
    }

    /// Counts the clients that watch the paths of the request that was carried out, if it may have set a watch.
    pub(crate) fn count_watches(&mut self, keeper: &Keeper) {
        if self.request.watch && self.journal.budgets.count_watches() {
            for path in self.request.paths.iter() {
                let clients = keeper.all_watches().map(|watches| watches.clients(path));
                let clients = clients.sum();
                self.journal.budgets.watched(path, clients);
            }
        }
    }

    /// Plans for a connection that is accepted.
    pub(crate) fn plan_accept(
        &mut self,
        now: Timestamp,
        client: &Client<'_>,
        peer: SocketAddr,
    ) -> AcceptPlan {
        let event = Event::Accepted { peer };
        self.note(now, client, &event);
        let plan = self.plan_of_fault(now, client, &event).accept;
        if let AcceptPlan::Close | AcceptPlan::Reset = plan {
            self.note(now, client, &Event::Disconnected);
        }
        plan
    }

    /// Plans for a request.
    pub(crate) fn plan_request(
        &mut self,
        now: Timestamp,
        client: &Client<'_>,
        input: &Input<'_>,
        progress: Progress,
    ) -> RequestPlan {
        self.reply = ReplyPlan::default();
        // Taken out, so that an event that borrows from it can be passed to the other methods.
        let mut summary = std::mem::take(&mut self.request);
        let plan = if let Input::Connect { request, .. } = input {
            self.asked_new = request.session == SessionId::NONE;
            self.plan_request_event(now, client, &Event::connect(request), progress)
        } else if let Input::Request { xid, request, .. } = input {
            summary.set(request);
            let event = summary.request(*xid, request.data());
            self.plan_request_event(now, client, &event, progress)
        } else {
            RequestPlan::CarryOut
        };
        if let RequestPlan::Expire = plan {
            // The session does not end by the request.
            summary.operation = None;
        }
        self.request = summary;
        plan
    }

    fn plan_request_event(
        &mut self,
        now: Timestamp,
        client: &Client<'_>,
        event: &Event<'_>,
        progress: Progress,
    ) -> RequestPlan {
        if progress == Progress::New {
            self.note(now, client, event);
        }
        if progress == Progress::Decided || self.changes_nothing() {
            return RequestPlan::CarryOut;
        }
        // A held request is still on its way; faults are decided when it arrives.
        if progress == Progress::New
            && let Some(item) = self.hold(now, client, event)
        {
            return RequestPlan::Hold(item);
        }
        let Plan { request, reply, .. } = self.plan_of_fault(now, client, event);
        if request == RequestPlan::CarryOut {
            self.reply = reply;
        }
        request
    }

    /// Plans for a message to a client; `None` if it is sent as usual. `is_answer` says that the message goes to
    /// the client whose request is being carried out.
    pub(crate) fn plan_message(
        &mut self,
        now: Timestamp,
        client: &Client<'_>,
        message: &Message<'_>,
        is_answer: bool,
    ) -> Option<Box<ReplyPlan>> {
        let request = std::mem::take(&mut self.request);
        let (event, is_reply) = match message {
            Message::Connected(response) => (Event::connected(response, self.asked_new), true),
            Message::Reply(reply) => (request.reply(reply), true),
            Message::Event { zxid, event } => (Event::watch(*zxid, event), false),
        };
        self.note(now, client, &event);
        let plan = if self.changes_nothing() && self.reply.is_usual() {
            None
        } else {
            self.plan_message_event(now, client, &event, is_answer && is_reply)
        };
        drop(event);
        self.request = request;
        plan
    }

    fn plan_message_event(
        &mut self,
        now: Timestamp,
        client: &Client<'_>,
        event: &Event<'_>,
        is_answer: bool,
    ) -> Option<Box<ReplyPlan>> {
        let mut plan = if is_answer {
            std::mem::take(&mut self.reply)
        } else {
            ReplyPlan::default()
        };
        if plan.is_usual() {
            plan = self.plan_of_fault(now, client, event).reply;
        }
        if !plan.lose {
            plan.hold = self.hold(now, client, event);
        }
        (!plan.is_usual()).then(|| Box::new(plan))
    }

    /// Decides which fault happens to an event, if one does, and returns its plan. The fault is noted and counted,
    /// and its link is cut.
    fn plan_of_fault(&mut self, now: Timestamp, client: &Client<'_>, event: &Event<'_>) -> Plan {
        let Some(happening) = self.faults.decide(client, event) else {
            return Plan::default();
        };
        let Happening {
            id,
            name,
            fault,
            hits,
            parts,
        } = happening;
        let mut plan = fault.plan();
        if let RequestPlan::Refuse { parts: of_plan, .. } = &mut plan.request {
            *of_plan = parts;
        }
        let (name, fault) = (name.to_owned(), fault.clone());
        let direction = if let Fault::Partition { direction } = fault {
            Some(direction)
        } else {
            None
        };
        let happened = Event::Fault {
            name: Cow::Owned(name),
            then: Cow::Owned(fault),
        };
        self.note(now, client, &happened);
        self.waits.happened(id, hits);
        if let Some(direction) = direction {
            let on = client.to_matcher();
            if let Some(cut) = self.cuts.add_once(&on, direction, id) {
                let event = Event::Cut {
                    cut,
                    on: Cow::Owned(on),
                    direction,
                };
                self.note(now, client, &event);
            }
            self.was_cut = true;
        }
        plan
    }

    /// Decides whether a hold holds a message, and notes it.
    fn hold(&mut self, now: Timestamp, client: &Client<'_>, event: &Event<'_>) -> Option<HeldItem> {
        let held = self.holds.decide(client, event)?;
        let event = Event::Held {
            item: held.item,
            message: Cow::Borrowed(&held.message),
        };
        self.note(now, client, &event);
        self.waits.held(held.hold, self.holds.held(held.hold));
        Some(held)
    }

    /// Whether a fault has cut a link since the last call.
    pub(crate) fn was_cut(&mut self) -> bool {
        std::mem::take(&mut self.was_cut)
    }

    /// Whether the request that is being carried out ends its session.
    pub(crate) fn closes_session(&self) -> bool {
        self.request.operation == Some(Operation::CloseSession)
    }

    /// Heals the links that a fault has cut, or all links.
    pub(crate) fn heal_by(&mut self, now: Timestamp, fault: Option<FaultId>) {
        for cut in self.cuts.remove_by(fault) {
            self.note(now, &Client::NONE, &Event::Healed { cut });
        }
    }
}
