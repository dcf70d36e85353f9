//! embedded compared with the recording of the newest ZooKeeper, without Java.

use libtest_mimic::{Completion, Failed};
use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{Contestant, Recording, RecordingStatus};
use minikeeper_harness::suite::Suite;

pub(crate) fn every_case_has_a_recording() -> Result<Completion, Failed> {
    let recording = recording()?;
    let suite = Suite::builtin();
    let mut wrong: Vec<String> = Vec::new();
    for case in suite.cases() {
        match recording.status_of(case) {
            RecordingStatus::Current => {}
            RecordingStatus::Missing => wrong.push(format!("{} is not recorded", case.id)),
            RecordingStatus::OfAnotherText => {
                wrong.push(format!("{} was recorded with another text", case.id));
            }
        }
    }
    for id in recording.cases() {
        if !suite.cases().any(|case| case.id == *id) {
            wrong.push(format!("{id} is recorded, but there is no such case"));
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

pub(crate) fn embedded_behaves_as_recorded() -> Result<Completion, Failed> {
    behaves_as_recorded(BackendKind::Embedded)
}

pub(crate) fn embedded_with_a_folder_behaves_as_recorded() -> Result<Completion, Failed> {
    behaves_as_recorded(BackendKind::EmbeddedData)
}

fn behaves_as_recorded(kind: BackendKind) -> Result<Completion, Failed> {
    super::agree_except_known_differences(&[
        Contestant::live(kind),
        Contestant::Recorded(recording()?),
    ])
}

fn recording() -> Result<Recording, Failed> {
    Recording::builtin(BackendKind::NEWEST_ZOOKEEPER)
        .ok_or_else(|| "the newest ZooKeeper is not recorded".into())
}
