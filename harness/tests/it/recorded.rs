//! Embedded against what the newest ZooKeeper did when it was recorded: this needs no Java, and is done at once.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{Contestant, Recording, Standing};
use minikeeper_harness::suite::Suite;

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
    does_as_was_recorded(BackendKind::Embedded)
}

pub(crate) fn embedded_with_a_folder_does_as_was_recorded() -> Result<Completion, Failed> {
    does_as_was_recorded(BackendKind::EmbeddedData)
}

fn does_as_was_recorded(kind: BackendKind) -> Result<Completion, Failed> {
    super::agree_but_for_what_is_known(&[
        Contestant::live(kind),
        Contestant::Recorded(recording()?),
    ])
}

fn recording() -> Result<Recording, Failed> {
    Recording::builtin(BackendKind::NEWEST_ZOOKEEPER)
        .ok_or_else(|| "the newest ZooKeeper is not recorded".into())
}
