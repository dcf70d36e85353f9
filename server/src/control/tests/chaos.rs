//! Chaos: faults by chance.

use super::*;
use crate::control::{Chaos, Fault, FaultError, Matcher, Op};

/// Requests of a client that are lost, of the first 100.
fn lost(control: &mut Control, client: &TestClient) -> Vec<usize> {
    let lost = |at: &usize| {
        let plan = client.request(control, &create(&format!("/{at}")));
        plan == RequestPlan::Lose
    };
    (0..100).filter(lost).collect()
}

fn chaos(seed: u64) -> Control {
    let mut control = control();
    let chaos = Chaos::new().rule("lost", 0.3, Matcher::request(Op::Any), Fault::LoseRequest);
    control
        .faults
        .place_chaos(chaos, seed, &control.known)
        .unwrap();
    control
}

#[test]
fn the_same_seed_decides_the_same() {
    let a = TestClient::new(1, Some("worker"));
    assert_eq!(lost(&mut chaos(7), &a), lost(&mut chaos(7), &a));
    assert_ne!(lost(&mut chaos(7), &a), lost(&mut chaos(8), &a));
}

#[test]
fn another_client_changes_no_decision() {
    let [a, b] = [TestClient::new(1, Some("worker")), TestClient::new(2, None)];
    let alone = lost(&mut chaos(7), &a);
    let mut both = chaos(7);
    lost(&mut both, &b);
    assert_eq!(lost(&mut both, &a), alone);
}

#[test]
fn a_probability_is_between_0_and_1() {
    let mut control = control();
    let chaos = Chaos::new().rule("often", 1.5, Matcher::any(), Fault::LoseReply);
    let refused = control.faults.place_chaos(chaos, 1, &control.known);
    assert!(
        matches!(refused, Err(FaultError::BadNumber { .. })),
        "{refused:?}"
    );
}
