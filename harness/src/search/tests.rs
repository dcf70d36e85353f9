//! The search finds differences, shrinks them, and draws useful steps.

use super::draw::Flavour;
use super::host::Host;
use super::{Drawn, Report, Search, duet};
use crate::backend::{Backend, BackendError, BackendKind, BackendSource, ServerSetup, Settings};
use crate::script::Script;

/// An embedded server with a configuration that deviates from the requested one.
#[derive(Debug)]
struct DeviatingServer(ServerSetup);

impl BackendSource for DeviatingServer {
    fn name(&self) -> String {
        format!("embedded, {}", self.0.name())
    }

    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError> {
        let settings = Settings {
            setup: self.0,
            ..settings.clone()
        };
        BackendKind::Embedded.start(&settings)
    }

    fn starts_quickly(&self) -> bool {
        true
    }
}

fn search(right: &dyn BackendSource, ops: u64, time_share: u64) -> Report {
    let search = Search {
        left: &BackendKind::Embedded,
        right,
        seed: 1,
        ops,
        clients: 3,
        length: 40,
        time_share,
        most: 1,
        lanes: 1,
    };
    search.run(|_| {}).expect("embedded servers")
}

#[track_caller]
fn check(setup: ServerSetup, time_share: u64, steps: usize, word: &str) {
    let report = search(&DeviatingServer(setup), 20_000, time_share);
    let found = report.found.first().expect("a difference");
    let text = found.to_string();
    assert!(found.script.steps.len() <= steps, "{text}");
    assert!(text.contains(word), "{text}");
    let case = text
        .get(text.find("== 1 ").expect("a case")..)
        .expect("the case is in the text");
    let case = case.split_once('\n').expect("a title").1;
    let read: Script = case.parse().expect("a script");
    assert_eq!(read.steps, found.script.steps);
}

#[test]
fn missing_ttl_znodes_are_found_with_one_step() {
    check(ServerSetup::Shipped, 0, 1, "ttl");
}

#[test]
fn skipped_acls_are_found_with_few_steps() {
    check(ServerSetup::SkipAcl, 0, 3, "acl");
}

#[test]
fn missing_expiry_is_found_with_few_steps() {
    check(ServerSetup::Usual, 100, 4, "pass 3500ms");
}

#[test]
fn a_server_does_not_differ_from_itself() {
    let report = search(&BackendKind::Embedded, 2000, 20);
    assert!(report.steps >= 2000);
    assert!(report.found.is_empty() && report.unsteady.is_empty());
}

/// Percentage of replies that are not errors.
fn succeed(flavour: Flavour, setup: ServerSetup) -> usize {
    let strategy = super::draw::phases(flavour, 3, 60);
    let settings = || Settings {
        manual_time: true,
        setup,
        ..Settings::default()
    };
    let host = || Host::new(&BackendKind::Embedded, settings());
    let (mut left, mut right) = (host(), host());
    let scripts: Vec<Script> = (0..40)
        .map(|number| {
            Drawn::new(&strategy, flavour, 7, number)
                .expect("a sequence")
                .script()
        })
        .collect();
    let playing = async {
        let mut lines = Vec::new();
        for script in scripts.chunks(1) {
            let played = duet::play((&mut left, &mut right), script, true).await;
            for outcome in played.expect("embedded servers") {
                lines.extend_from_slice(outcome.left.lines());
            }
        }
        lines
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let lines = runtime.expect("a runtime").block_on(playing);
    let of = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    let (fine, all) = (
        of("   -> ok") - of("[error"),
        of("   -> ") - of("   -> session"),
    );
    fine * 100 / all
}

#[test]
fn about_half_of_the_drawn_requests_succeed() {
    for (flavour, setup) in [
        (Flavour::Usual, ServerSetup::Usual),
        (Flavour::Quotas, ServerSetup::Quotas),
        (Flavour::Time, ServerSetup::Reaping),
    ] {
        let share = succeed(flavour, setup);
        assert!((40..=75).contains(&share), "{flavour:?}: {share} %");
    }
}
