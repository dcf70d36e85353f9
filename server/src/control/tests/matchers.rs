//! Matchers: events that meet all conditions.

use super::*;
use crate::control::{Event, EventKind, Matcher, Op};
use crate::protocol::{DeleteRequest, EventType, MemberId, MultiOp, MultiResult};

#[test]
fn combined_matchers_match_the_events_that_both_match() {
    let write = Matcher::from(Op::Write).path("/a/*");
    let create = Matcher::request(Op::Create).path("/a/b");
    for both in [write.clone().and(&create), create.clone().and(&write)] {
        assert_eq!(both, create);
    }
    let labelled = create.clone().and(Matcher::any().label("a").ephemeral());
    assert_eq!(labelled, create.clone().label("a").ephemeral());
    assert_eq!(create.clone().and(&create), create);
}

#[test]
fn contradictory_matchers_cannot_be_combined() {
    let any = Matcher::any;
    for (one, other, reason) in [
        (
            Matcher::request(Op::Create),
            Matcher::reply(Op::Create),
            "no event is of both kinds, requests and replies",
        ),
        (
            Op::Create.into(),
            Op::Delete.into(),
            "no operation is both Create and Delete",
        ),
        (
            Op::Connect.into(),
            Op::Any.into(),
            "no operation is both Connect and Any",
        ),
        (any().path("/a"), any().path("/b"), "no path matches both"),
        (any().path("/a/*"), any().path("/b"), "no path matches both"),
        (
            any().path("/a*"),
            any().path("/*b"),
            "a matcher has one pattern of paths",
        ),
        (
            any().label("a"),
            any().label("b"),
            "no event has both labels",
        ),
        (
            any().session(SessionId(1)),
            any().session(SessionId(2)),
            "no event belongs to both sessions",
        ),
        (
            any().connection(1),
            any().connection(2),
            "no event is on both connections",
        ),
        (
            any().member(MemberId(1)),
            any().member(MemberId(2)),
            "no event is at both members",
        ),
        (
            any().error(ErrorCode::NoNode),
            any().error(ErrorCode::NodeExists),
            "no reply has both errors",
        ),
        (
            any().event_type(EventType::NodeCreated),
            any().event_type(EventType::NodeDeleted),
            "no watch event has both types",
        ),
        (
            any().watching(),
            any().not_watching(),
            "no request is both watching() and not_watching()",
        ),
    ] {
        for (one, other) in [(&one, &other), (&other, &one)] {
            let conflict = one
                .clone()
                .try_and(other)
                .expect_err("they contradict each other");
            let begin = format!("{one} and {other} cannot be combined: ");
            let text = conflict.to_string();
            assert!(text.starts_with(&begin), "{text}");
            assert!(text.contains(reason) || one.op.is_some(), "{text}");
        }
    }
}

/// Entries of the journal.
fn entries(control: &Control) -> Vec<crate::control::Entry> {
    control.journal.all().entries().collect()
}

#[test]
fn a_condition_that_is_not_set_matches_every_event() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    a.request(&mut control, &create("/a"));
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
    a.request(&mut control, &create("/a"));
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
    a.request(&mut control, &create("/a"));
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
    a.request(&mut control, &multi);
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
