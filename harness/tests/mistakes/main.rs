//! The suite must see each deliberate mistake of the server.
//!
//! The rules contain no mistakes. `mistakes.patch` adds them to a copy of the sources, where each is one branch on
//! `crate::mistake("its-name")`. The copy is built once, and the environment variable `MINIKEEPER_MISTAKE` chooses the
//! mistake of a run.
//!
//! - Without arguments, the test checks that every hunk of the patch fits the sources. If a hunk does not fit, the test
//!   fails by the name of its mistake.
//! - `--ignored` builds the copy and plays the suite with each mistake, which takes minutes.
//! - `edit` and `save` carry the patch over after a change of the rules (see CONTRIBUTING.md).

mod copy;
mod patch;
mod play;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use patch::Hunk;
use play::Players;

/// Stands in the patch for the hunk that adds the function `mistake` itself.
const FUNCTION: &str = "the function `mistake`";

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("edit") => edit(),
        Some("save") => save(),
        Some("play") => play::print_transcripts(),
        _ => {
            let mut arguments = Arguments::from_args();
            // Each trial plays the whole suite, on as many threads as the machine has.
            arguments.test_threads = Some(1);
            return libtest_mimic::run(&arguments, trials()).exit_code();
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns two trials for each mistake: whether its hunks fit, and whether the suite sees it.
fn trials() -> Vec<Trial> {
    let text = std::fs::read_to_string(patch_file()).expect("the patch can be read");
    let hunks = Hunk::parse(&text).expect("the patch can be parsed");
    let mut mistakes: BTreeMap<String, Vec<Hunk>> = BTreeMap::new();
    for hunk in &hunks {
        for name in hunk.names() {
            mistakes.entry(name).or_default().push(hunk.clone());
        }
    }
    let mut trials = Vec::new();
    let functions = hunks.iter().filter(|hunk| hunk.names().is_empty()).cloned();
    let functions = functions.collect();
    trials.push(Trial::test(format!("{FUNCTION} fits"), move || {
        fits(&functions)
    }));
    let players = Arc::new(Players::new(hunks));
    for (name, hunks) in mistakes {
        trials.push(Trial::test(format!("{name} fits"), move || fits(&hunks)));
        let players = Arc::clone(&players);
        let trial = Trial::test(format!("{name} is seen"), move || {
            let seen = players.cases_that_see(&name)?;
            let first: Vec<&str> = seen.iter().take(5).map(String::as_str).collect();
            eprintln!("{name}: {} cases, {}", seen.len(), first.join(" "));
            if seen.is_empty() {
                return Err("no case sees it".into());
            }
            Ok(())
        });
        trials.push(trial.with_ignored_flag(true));
    }
    trials
}

fn fits(hunks: &Vec<Hunk>) -> Result<(), Failed> {
    for hunk in hunks {
        let text = std::fs::read_to_string(repository().join(&hunk.file))?;
        hunk.place(&text)
            .map_err(|why| format!("{why}; CONTRIBUTING.md has the commands that carry it over"))?;
    }
    Ok(())
}

/// Writes a copy of the sources with all mistakes that fit, and lists the hunks that do not.
fn edit() -> io::Result<()> {
    let hunks = Hunk::parse(&std::fs::read_to_string(patch_file())?).map_err(io::Error::other)?;
    let applied = patch::apply(&hunks, repository())?;
    let copy = edited_copy();
    copy::mirror(
        &repository().join(SOURCES),
        &copy.join(SOURCES),
        &applied.files,
    )?;
    for (hunk, why) in &applied.stale {
        eprintln!("not applied, {why}\n{hunk}");
    }
    eprintln!(
        "the server's sources with {} of {} hunks are in {}; edit them, then run `save`",
        hunks.len() - applied.stale.len(),
        hunks.len(),
        copy.display()
    );
    Ok(())
}

/// Writes the patch anew, from the differences between the sources and the edited copy.
fn save() -> io::Result<()> {
    let before = Hunk::parse(&std::fs::read_to_string(patch_file())?).map_err(io::Error::other)?;
    let hunks = patch::between(repository(), &edited_copy(), SOURCES)?;
    let names = |hunks: &[Hunk]| -> Vec<String> { hunks.iter().flat_map(Hunk::names).collect() };
    let after = names(&hunks);
    for name in names(&before) {
        if !after.contains(&name) {
            eprintln!("{name} is no longer in the patch");
        }
    }
    let text: String = hunks.iter().map(ToString::to_string).collect();
    std::fs::write(patch_file(), text)?;
    eprintln!("{} hunks are in {}", hunks.len(), patch_file().display());
    Ok(())
}

/// The folder that the mistakes are made in, relative to the repository.
const SOURCES: &str = "server/src";

fn repository() -> &'static Path {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.parent().expect("the harness is in the repository")
}

fn patch_file() -> PathBuf {
    repository().join("harness/tests/mistakes/mistakes.patch")
}

/// The folder of everything that this test writes.
fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes")
}

fn edited_copy() -> PathBuf {
    scratch().join("edit")
}
