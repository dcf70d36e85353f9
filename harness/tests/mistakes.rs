//! The server makes one deliberate mistake after the other, and the suite must see each. Only a build with
//! `RUSTFLAGS="--cfg minikeeper_planted"` has them; `.ci/run` makes one.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The mistake in force is that of the whole process.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

#[cfg(not(minikeeper_planted))]
fn trials() -> Vec<Trial> {
    vec![Trial::ignorable_test(
        "every deliberate mistake is seen",
        || {
            Ok(libtest_mimic::Completion::ignored_with(
                "needs RUSTFLAGS=\"--cfg minikeeper_planted\"",
            ))
        },
    )]
}

#[cfg(minikeeper_planted)]
fn trials() -> Vec<Trial> {
    use std::collections::HashMap;
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use minikeeper::planted;
    use minikeeper_harness::backend::BackendKind;
    use minikeeper_harness::judge::{self, Contestant, Outcome};
    use minikeeper_harness::suite::{CaseId, Suite};

    type Outcomes = HashMap<CaseId, Outcome>;

    /// A server that makes a mistake may leave a client without an answer for good; a healthy one answers at once.
    const PATIENCE: Duration = Duration::from_secs(3);

    fn play(suite: &Suite) -> Outcomes {
        let servers = [Contestant::live(BackendKind::Embedded)];
        let mut outcomes = HashMap::new();
        judge::run(suite, &servers, Some(PATIENCE), |played| {
            outcomes.insert(played.case, played.outcome);
        });
        outcomes
    }

    // What the clock of the machine counts for takes seconds, and is seen by others too.
    let suite = Arc::new(Suite::builtin().only(|case| !case.headers.real_time));
    let right: Arc<OnceLock<Outcomes>> = Arc::default();
    let mistakes = planted::MISTAKES.iter().map(|&(name, what)| {
        let (suite, right) = (Arc::clone(&suite), Arc::clone(&right));
        Trial::test(format!("{name}: {what}"), move || {
            planted::choose(None);
            // Only what the right server does the same twice can show what a wrong one does.
            let right = right.get_or_init(|| {
                let again = play(&suite);
                let mut once = play(&suite);
                once.retain(|id, outcome| match (&*outcome, again.get(id)) {
                    (
                        Outcome::Played { transcript: a, .. },
                        Some(Outcome::Played { transcript: b, .. }),
                    ) => a == b,
                    _ => false,
                });
                assert!(once.len() > 1000, "{} cases are steady", once.len());
                once
            });
            planted::choose(Some(name));
            let wrong = play(&suite);
            planted::choose(None);
            let mut seen: Vec<&CaseId> = right
                .iter()
                .filter(|(id, right)| match (right, wrong.get(id)) {
                    (
                        Outcome::Played { transcript: a, .. },
                        Some(Outcome::Played { transcript: b, .. }),
                    ) => a != b,
                    (Outcome::Played { .. }, _) => true,
                    (Outcome::Skipped(_) | Outcome::Failed { .. }, _) => false,
                })
                .map(|(id, _)| id)
                .collect();
            seen.sort_unstable();
            let names: Vec<String> = seen.iter().take(5).map(ToString::to_string).collect();
            eprintln!("{name}: {} cases, {}", seen.len(), names.join(" "));
            if seen.is_empty() {
                return Err("no case sees it".into());
            }
            Ok(())
        })
    });
    mistakes.collect()
}
