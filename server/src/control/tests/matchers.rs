//! Matchers: events that meet all conditions.

use super::*;
use crate::control::{Event, EventKind, Matcher, Op};
use crate::protocol::{DeleteRequest, MultiOp, MultiResult};

/// Entries of the journal.
fn entries(control: &Control) -> Vec<crate::control::Entry> {
    control.journal.all().entries().collect()
}

#[test]
fn a_condition_that_is_not_set_matches_every_event() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    a.request(&mut control, create("/a"));
    a.watch_event(&mut control, "/b", 1);
    assert!(
        entries(&control)
            .iter()
            .all(|entry| entry.matches(&Matcher::any()))
    );
}

#[test]
fn label_session_and_connection_select_a_client() {
    let (mut control, a) = (control(), TestClient::new(7, Some("worker")));
    a.request(&mut control, create("/a"));
    let entry = &entries(&control)[0];
    let any = Matcher::any;
    for same in [
        any().label("worker"),
        any().session(SessionId(7)),
        any().connection(7),
    ] {
        assert!(
            entry.matches(&same) && same.matches_client(&a.client()),
            "{same}"
        );
    }
    for other in [
        any().label("other"),
        any().session(SessionId(8)),
        any().connection(8),
    ] {
        assert!(
            !entry.matches(&other) && !other.matches_client(&a.client()),
            "{other}"
        );
    }
}

#[test]
fn a_reply_matches_by_the_operation_and_path_of_its_request_and_by_its_error() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    a.request(&mut control, create("/a"));
    a.reply(&mut control, Err(ErrorCode::NodeExists));
    let reply = &entries(&control)[1];
    let refused = Matcher::reply(Op::Create).path("/a");
    assert!(reply.matches(&refused.clone().error(ErrorCode::NodeExists)));
    assert!(!reply.matches(&refused.error(ErrorCode::NoNode)));
}

#[test]
fn all_conditions_of_a_multi_hold_for_the_same_operation() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let Request::Create(created) = create("/a") else {
        unreachable!("it is a create");
    };
    let path = Some("/b".into());
    let version = -1;
    let delete = MultiOp::Delete(DeleteRequest { path, version });
    let multi = Request::Multi(vec![MultiOp::Create(created), delete]);
    a.request(&mut control, multi);
    let results = vec![
        MultiResult::Error(None),
        MultiResult::Error(Some(ErrorCode::NoNode)),
    ];
    a.reply(&mut control, Ok(Response::Multi(results)));
    let [request, reply] = &entries(&control)[..] else {
        panic!("a request and a reply");
    };
    assert!(request.matches(&Matcher::request(Op::Create).path("/a")));
    assert!(!request.matches(&Matcher::request(Op::Create).path("/b")));
    let error = ErrorCode::NoNode;
    assert!(reply.matches(&Matcher::reply(Op::Delete).error(error)));
    assert!(!reply.matches(&Matcher::reply(Op::Create).error(error)));
}

#[test]
fn the_kind_of_an_event_is_derived() {
    let event = Event::Healed { cut: 1 };
    assert_eq!(event.kind(), EventKind::Healed);
    assert!(Matcher::of(EventKind::Healed).matches(&Client::NONE, &event));
    assert!(!Matcher::of(EventKind::Cut).matches(&Client::NONE, &event));
}
