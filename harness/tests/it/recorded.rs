//! Embedded against what the newest ZooKeeper did when it was recorded: this needs no Java, and is done at once.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{self, Contestant, Recording, Standing, Verdict};
use minikeeper_harness::suite::Suite;
use std::collections::HashMap;

pub(crate) fn every_case_is_recorded_as_it_is() -> Result<Completion, Failed> {
    let recording = recording()?;
    let suite = Suite::builtin();
    let mut wrong: Vec<String> = Vec::new();
    for case in suite.cases() {
        match recording.standing(case) {
            Standing::Current => {}
            Standing::Missing => wrong.push(format!("{} is not recorded", case.id)),
            Standing::OfAnotherText => {
                wrong.push(format!("{} was recorded for another text", case.id));
            }
        }
    }
    for id in recording.cases() {
        if !suite.cases().any(|case| case.id == *id) {
            wrong.push(format!("{id} is recorded and is no case"));
        }
    }
    if wrong.is_empty() {
        return Ok(Completion::Completed);
    }
    wrong.push(
        "`cargo run -p minikeeper-harness -- record-transcripts harness/recorded` records them"
            .to_owned(),
    );
    Err(wrong.join("\n").into())
}

pub(crate) fn embedded_does_as_was_recorded() -> Result<Completion, Failed> {
    let servers = [
        Contestant::live(BackendKind::Embedded),
        Contestant::Recorded(recording()?),
    ];
    let suite = Suite::builtin();
    let mut outcomes = HashMap::new();
    judge::run(&suite, &servers, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let mut wrong = Vec::new();
    for case in suite.cases() {
        let of = |server| outcomes.get(&(case.id.clone(), server));
        let (Some(left), Some(right)) = (of(0), of(1)) else {
            wrong.push(format!("{} was not played", case.id));
            continue;
        };
        match judge::judge(left, right) {
            // What is not recorded fails in a test of its own.
            Verdict::Same | Verdict::Skipped(_) => {}
            Verdict::Different(difference) => wrong.push(format!(
                "{} {}\n{}",
                case.id,
                case.title,
                difference.left.side_by_side(&difference.right, 90)
            )),
            Verdict::Failed(why) => wrong.push(format!("{}: {why}", case.id)),
        }
    }
    if wrong.is_empty() {
        Ok(Completion::Completed)
    } else {
        Err(wrong.join("\n").into())
    }
}

fn recording() -> Result<Recording, Failed> {
    Recording::builtin(BackendKind::NEWEST_ZOOKEEPER)
        .ok_or_else(|| "the newest ZooKeeper is not recorded".into())
}
