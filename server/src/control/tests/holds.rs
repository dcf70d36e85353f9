//! Holds: messages that stay on their way.

use super::*;
use crate::control::{EventKind, Fault, HeldMessage, HoldError, HoldId, Matcher, Op};

fn hold(control: &mut Control, on: impl Into<Matcher>) -> HoldId {
    let placed = control.holds.place(on.into(), &control.known);
    placed.expect("a message can match")
}

#[test]
fn a_held_request_waits_and_is_described() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let hold = hold(&mut control, Matcher::request(Op::Create));
    let RequestPlan::Hold(held) = a.request(&mut control, &create("/a")) else {
        panic!("it is held");
    };
    assert_eq!(
        (held.hold, held.message.to_string()),
        (hold, "request create /a".to_owned())
    );
    assert_eq!(control.holds.held(hold), 1);
}

#[test]
fn a_released_request_meets_faults_when_it_arrives() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    hold(&mut control, Matcher::request(Op::Create));
    let rule = crate::control::FaultRule::new("lost", Op::Create.into(), Fault::LoseRequest);
    control.faults.place(rule, &control.known).unwrap();
    assert!(matches!(
        a.request(&mut control, &create("/a")),
        RequestPlan::Hold(_)
    ));
    let released = a.request_at(&mut control, &create("/a"), Progress::Released);
    assert_eq!(released, RequestPlan::Lose);
    let decided = a.request_at(&mut control, &create("/a"), Progress::Decided);
    assert_eq!(decided, RequestPlan::CarryOut);
}

#[test]
fn a_watch_event_is_held_for_its_client_only() {
    let mut control = control();
    let [a, b] = [TestClient::new(1, Some("worker")), TestClient::new(2, None)];
    let hold = hold(&mut control, Matcher::watch_event().label("worker"));
    let held = a
        .watch_event(&mut control, "/a", 1)
        .and_then(|plan| plan.hold);
    assert!(matches!(
        held.unwrap().message,
        HeldMessage::WatchEvent { .. }
    ));
    assert_eq!(b.watch_event(&mut control, "/a", 1), None);
    assert!(control.holds.items(hold).eq([(1, ConnectionId(1))]));
    control.holds.gone(hold, 1);
    assert_eq!(control.holds.held(hold), 0);
}

#[test]
fn a_reply_that_is_lost_is_not_held() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let hold = hold(&mut control, Matcher::reply(Op::Create));
    let rule = crate::control::FaultRule::new("lost", Op::Create.into(), Fault::LoseReply);
    control.faults.place(rule, &control.known).unwrap();
    a.request(&mut control, &create("/a"));
    a.reply(&mut control, Ok(Response::Empty));
    assert_eq!(control.holds.held(hold), 0);
}

#[test]
fn an_event_that_is_no_message_cannot_be_held() {
    let mut control = control();
    let kind = EventKind::SessionExpired;
    let refused = control.holds.place(Matcher::of(kind), &control.known);
    assert_eq!(refused, Err(HoldError::CannotBeHeld { kind }));
}
