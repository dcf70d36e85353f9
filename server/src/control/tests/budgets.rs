//! Budgets: upper limits on events.

use super::*;
use crate::control::{Budget, Matcher, Op};

#[test]
fn a_total_is_exceeded_by_one_event_more() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let budget = Budget::total(Matcher::request(Op::Create), 1);
    let id = control.journal.budgets.add(budget);
    a.request(&mut control, &create("/a"));
    assert_eq!(control.journal.budgets.check(id), Ok(()));
    a.request(&mut control, &create("/b"));
    let exceeded = control.journal.budgets.check(id).unwrap_err().to_string();
    assert!(
        exceeded.contains("2 counted") && exceeded.contains("create /b"),
        "{exceeded}"
    );
}

#[test]
fn the_events_of_each_transaction_are_counted_anew() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let id = control
        .journal
        .budgets
        .add(Budget::events_per_transaction(1));
    a.watch_event(&mut control, "/a", 1);
    a.watch_event(&mut control, "/a", 2);
    assert_eq!(control.journal.budgets.check(id), Ok(()));
    a.watch_event(&mut control, "/b", 2);
    assert!(control.journal.budgets.remove(id).is_err());
}

#[test]
fn watches_count_for_each_path() {
    let (mut control, a) = (control(), TestClient::new(1, None));
    let id = control
        .journal
        .budgets
        .add(Budget::watches_per_path("/locks/*", 1));
    assert!(control.journal.budgets.count_watches());
    a.request(&mut control, &exists("/locks/a"));
    control.journal.budgets.watched("/locks/a", 1);
    control.journal.budgets.watched("/other", 2);
    assert_eq!(control.journal.budgets.check(id), Ok(()));
    control.journal.budgets.watched("/locks/a", 2);
    let exceeded = control.journal.budgets.check(id).unwrap_err().to_string();
    assert!(
        exceeded.contains("2 watch /locks/a") && exceeded.contains("exists /locks/a"),
        "{exceeded}"
    );
}
