//! Faults: where they happen, how often, and what they plan.

use super::*;
use crate::control::{AcceptPlan, Direction, Fault, FaultOutcome, Matcher, Op};
use crate::control::{FaultError, FaultRule};

fn place(control: &mut Control, rule: FaultRule) -> crate::control::FaultId {
    let placed = control.faults.place(rule, &control.known);
    placed.expect("the fault can happen")
}

fn rule(on: impl Into<Matcher>, then: Fault) -> FaultRule {
    FaultRule::new("a fault", on.into(), then)
}

#[test]
fn a_fault_happens_once_at_the_first_match() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    place(&mut control, rule(Op::Create, Fault::DropBefore));
    assert_eq!(
        a.request(&mut control, &exists("/a")),
        RequestPlan::CarryOut
    );
    assert_eq!(a.request(&mut control, &create("/a")), RequestPlan::Close);
    assert_eq!(
        a.request(&mut control, &create("/a")),
        RequestPlan::CarryOut
    );
}

#[test]
fn nth_and_times_select_the_matches() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let mut rule = rule(Op::Create, Fault::LoseRequest);
    (rule.nth, rule.times) = (2, Some(2));
    place(&mut control, rule);
    let plans = [(); 4].map(|()| a.request(&mut control, &create("/a")));
    let [first, second, third, fourth] = plans.map(|plan| plan == RequestPlan::Lose);
    assert_eq!((first, second, third, fourth), (false, true, true, false));
}

#[test]
fn a_fault_of_the_reply_is_planned_at_the_request() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    place(&mut control, rule(Op::Create, Fault::ApplyThenDrop));
    assert_eq!(
        a.request(&mut control, &create("/a")),
        RequestPlan::CarryOut
    );
    let plan = a.reply(&mut control, Ok(Response::Empty)).expect("a fault");
    assert!(plan.lose && plan.then_close);
    assert_eq!(a.reply(&mut control, Ok(Response::Empty)), None);
}

#[test]
fn a_watch_event_between_a_request_and_its_reply_does_not_get_the_plan_of_the_reply() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    place(&mut control, rule(Op::Create, Fault::LoseReply));
    assert_eq!(
        a.request(&mut control, &create("/a")),
        RequestPlan::CarryOut
    );
    assert_eq!(a.watch_event(&mut control, "/a", 1), None);
    assert!(
        a.reply(&mut control, Ok(Response::Empty))
            .expect("a fault")
            .lose
    );
}

#[test]
fn an_accepted_connection_is_refused() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    place(&mut control, rule(Op::Connect, Fault::Refuse));
    let peer = ([127, 0, 0, 1], 1).into();
    let plan = control.plan_accept(NOW, &a.client(), peer);
    assert_eq!(plan, AcceptPlan::Close);
}

#[test]
fn a_partition_cuts_the_links_of_the_label() {
    let (mut control, a) = (control(), TestClient::new(1, Some("worker")));
    let direction = Direction::ToClient;
    let id = place(
        &mut control,
        rule(Op::Create, Fault::Partition { direction }),
    );
    assert_eq!(a.request(&mut control, &create("/a")), RequestPlan::Cut);
    assert!(control.was_cut());
    let other = TestClient::new(2, Some("worker"));
    assert!(control.cuts.of(&other.client()).eq([direction]));
    control.heal_by(NOW, Some(id));
    assert!(control.cuts.is_empty());
}

#[test]
fn a_fault_that_never_happened_names_the_nearest_events() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let on = Matcher::request(Op::Create).path("/b");
    let id = place(&mut control, rule(on, Fault::DropBefore));
    a.request(&mut control, &create("/a"));
    let FaultOutcome::Never(text) = control.faults.remove(id) else {
        panic!("it did not happen");
    };
    assert!(
        text.contains("1 differed only in the path (the first had /a)"),
        "{text}"
    );
}

#[test]
fn a_fault_on_an_event_that_it_cannot_happen_to_is_refused() {
    let mut control = control();
    let rule = rule(Matcher::watch_event(), Fault::Expire);
    let refused = control.faults.place(rule, &control.known);
    assert!(
        matches!(refused, Err(FaultError::CannotHappen { .. })),
        "{refused:?}"
    );
}
