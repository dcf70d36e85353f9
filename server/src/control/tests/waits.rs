//! Waits: conditions that come true, and their messages if they do not.

use std::time::Duration;

use super::*;
use crate::control::{Condition, Matcher, Op, WaitId};

fn has_ended(control: &mut Control, id: WaitId) -> bool {
    control.waits.take_ended().contains(&id)
}

#[test]
fn a_sequence_waits_for_its_events_in_order() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let steps = vec![Matcher::request(Op::Exists), Matcher::watch_event()];
    let id = control.begin_wait(Condition::Passes(steps));
    a.watch_event(&mut control, "/a", 1);
    a.request(&mut control, &exists("/a"));
    assert!(!has_ended(&mut control, id));
    a.watch_event(&mut control, "/a", 2);
    assert!(has_ended(&mut control, id));
}

#[test]
fn a_wait_for_held_messages_ends_when_they_are_held() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let on = Matcher::request(Op::Create);
    let hold = control.holds.place(on, &control.known).unwrap();
    let id = control.begin_wait(Condition::Held { hold, number: 2 });
    a.request(&mut control, &create("/a"));
    assert!(!has_ended(&mut control, id));
    a.request(&mut control, &create("/b"));
    assert!(has_ended(&mut control, id));
}

#[test]
fn a_wait_that_times_out_names_the_near_miss() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let matcher = Box::new(Matcher::request(Op::Create).path("/b"));
    let id = control.begin_wait(Condition::Nth { matcher, nth: 1 });
    a.request(&mut control, &create("/a"));
    control.time_out(id, Duration::from_secs(1), "the clock stands");
    let outcome = control.waits.get(id).and_then(|wait| wait.outcome.clone());
    let message = outcome.unwrap().unwrap_err().to_string();
    assert!(
        message.contains("1 differed only in the path (the first had /a)"),
        "{message}"
    );
    assert!(message.contains("the clock stands"), "{message}");
}
