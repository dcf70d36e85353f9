//! The suite, played on a server that makes a mistake.
//!
//! The program that plays is this test again, built in the patched copy and run with the argument `play`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use minikeeper_harness::backend::BackendKind;
use minikeeper_harness::judge::{self, Contestant, Outcome};
use minikeeper_harness::suite::Suite;

use super::{copy, patch, repository, scratch};
use crate::patch::Hunk;

/// The environment variable that names the mistake in force. `mistakes.patch` has the code that reads it.
const MISTAKE: &str = "MINIKEEPER_MISTAKE";

/// Longest wait for an answer. A server that makes a mistake may never answer; a healthy one answers at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// The transcript of each case that was played to its end, by the case's id.
type Transcripts = BTreeMap<String, String>;

/// Plays the suite on an embedded server and prints the transcripts, as JSON.
pub(crate) fn print_transcripts() -> io::Result<()> {
    // Cases with real timeouts take seconds each, and other cases see the same mistakes.
    let suite = Suite::builtin().only(|case| !case.headers.real_time);
    let servers = [Contestant::live(BackendKind::Embedded)];
    let mut transcripts = Transcripts::new();
    judge::run(&suite, &servers, Some(PATIENCE), |played| {
        if let Outcome::Played { transcript, .. } = played.outcome {
            transcripts.insert(played.case.to_string(), transcript.lines().join("\n"));
        }
    });
    let text = serde_json::to_string(&transcripts)?;
    writeln!(io::stdout(), "{text}")
}

/// The program that plays with mistakes, and the transcripts of the right server.
pub(crate) struct Players {
    hunks: Vec<Hunk>,
    program: OnceLock<Result<PathBuf, String>>,
    right: OnceLock<Result<Transcripts, String>>,
}

impl Players {
    pub(crate) fn new(hunks: Vec<Hunk>) -> Self {
        Self {
            hunks,
            program: OnceLock::new(),
            right: OnceLock::new(),
        }
    }

    /// The cases that have another transcript if the server makes this mistake.
    pub(crate) fn cases_that_see(&self, mistake: &str) -> Result<BTreeSet<String>, String> {
        let right = self.right.get_or_init(|| self.play_right()).clone()?;
        let wrong = self.play(mistake)?;
        let seen = right
            .into_iter()
            .filter(|(case, transcript)| wrong.get(case) != Some(transcript))
            .map(|(case, _)| case);
        Ok(seen.collect())
    }

    /// Plays twice without a mistake. A case that differs by itself cannot show a mistake, and is dropped.
    fn play_right(&self) -> Result<Transcripts, String> {
        let again = self.play("")?;
        let mut once = self.play("")?;
        once.retain(|case, transcript| again.get(case) == Some(transcript));
        if once.len() < 1000 {
            return Err(format!("only {} cases are steady", once.len()));
        }
        Ok(once)
    }

    fn play(&self, mistake: &str) -> Result<Transcripts, String> {
        let program = self.program.get_or_init(|| self.build()).clone()?;
        let output = Command::new(program)
            .arg("play")
            .env(MISTAKE, mistake)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("the player ended with {}: {error}", output.status))
    }

    /// Applies the patch to a copy of the repository, builds this test there and returns its program.
    fn build(&self) -> Result<PathBuf, String> {
        let folder = scratch().join("build");
        let say = |error: io::Error| error.to_string();
        let applied = patch::apply(&self.hunks, repository()).map_err(say)?;
        for (_, why) in &applied.stale {
            eprintln!("not applied, {why}");
        }
        copy::mirror(repository(), &folder, &applied.files).map_err(say)?;
        let build = [
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ];
        let output = Command::new(env!("CARGO"))
            .args(build)
            .args(["--package", "minikeeper-harness", "--test", "mistakes"])
            .arg("--target-dir")
            .arg(scratch().join("target"))
            .current_dir(&folder)
            .stderr(Stdio::inherit())
            .output()
            .map_err(say)?;
        let program = |line: &[u8]| {
            let message: serde_json::Value = serde_json::from_slice(line).ok()?;
            let is_test = message.pointer("/target/name")? == "mistakes";
            let program = message.get("executable")?.as_str().filter(|_| is_test)?;
            Some(PathBuf::from(program))
        };
        let mut messages = output.stdout.split(|byte| *byte == b'\n');
        messages
            .find_map(program)
            .ok_or_else(|| "the copy with the mistakes does not compile".to_owned())
    }
}
