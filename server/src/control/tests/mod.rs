//! Tests of control without a server.
//!
//! A [`TestClient`] sends events through [`Control`], as `net` does, at a clock that stands at 0 unless a test says
//! otherwise.

mod budgets;
mod chaos;
mod faults;
mod holds;
mod matchers;
mod waits;

use std::sync::Arc;

use super::journal::Recorder;
use super::{Client, Control, Known, ListenerId, Progress, ReplyPlan, RequestPlan};
use crate::config::JournalMode;
use crate::keeper::{ConnectionId, Input};
use crate::protocol::{
    AclList, CreateOperation, CreateRequest, ErrorCode, EventType, KeeperState, MemberId, Message,
    Reply, Request, Response, SessionId, Timestamp, WatchedEvent, Xid, Zxid,
};

const NOW: Timestamp = Timestamp(0);

/// Control of a server with one member, and the label "worker".
fn control() -> Control {
    let mut known = Known::new(1, 1);
    known.name(&Arc::from("worker"));
    Control::new(Recorder::new(JournalMode::Full, NOW), known)
}

/// Client with a connection and a session of the same number.
struct TestClient {
    number: i64,
    listener_id: ListenerId,
}

impl TestClient {
    fn new(number: i64, label: Option<&str>) -> Self {
        Self {
            number,
            listener_id: ListenerId {
                label: label.map(Arc::from),
                member: MemberId::ALONE,
            },
        }
    }

    fn client(&self) -> Client<'_> {
        let connection = ConnectionId(self.number.unsigned_abs());
        Client::new(connection, SessionId(self.number), &self.listener_id)
    }

    /// Sends a request. Returns the plan for it.
    fn request(&self, control: &mut Control, request: &Request<'_>) -> RequestPlan {
        self.request_at(control, request, Progress::New)
    }

    fn request_at(
        &self,
        control: &mut Control,
        request: &Request<'_>,
        progress: Progress,
    ) -> RequestPlan {
        let input = Input::Request {
            connection: self.client().connection,
            xid: Xid(1),
            request,
        };
        control.plan_request(NOW, &self.client(), &input, progress)
    }

    /// Receives the reply to its last request. Returns the plan for it.
    fn reply(
        &self,
        control: &mut Control,
        result: Result<Response<'_>, ErrorCode>,
    ) -> Option<ReplyPlan> {
        let reply = Reply {
            xid: Xid(1),
            zxid: Zxid(1),
            result,
        };
        let message = Message::Reply(&reply);
        let plan = control.plan_message(NOW, &self.client(), &message, true);
        plan.map(|plan| *plan)
    }

    /// Receives a watch event of a transaction. Returns the plan for it.
    fn watch_event(&self, control: &mut Control, path: &str, zxid: i64) -> Option<ReplyPlan> {
        let event = WatchedEvent {
            event_type: EventType::NodeCreated,
            state: KeeperState::SyncConnected,
            path,
        };
        let zxid = Zxid(zxid);
        let message = Message::Event { zxid, event };
        let plan = control.plan_message(NOW, &self.client(), &message, false);
        plan.map(|plan| *plan)
    }
}

fn create(path: &str) -> Request<'_> {
    Request::Create(CreateRequest {
        operation: CreateOperation::Create,
        path: Some(path.into()),
        data: None,
        acl: Some(AclList::Open),
        flags: 0,
        ttl_ms: -1,
    })
}

fn exists(path: &str) -> Request<'_> {
    Request::Exists {
        path: Some(path.into()),
        watch: true,
    }
}

#[test]
fn a_control_that_nothing_uses_is_idle() {
    let mut control = control();
    control.journal.set_mode(JournalMode::Off);
    assert!(control.is_idle());
}
