//! Second runs of cases that depend on real time and differed: on a busy machine any server can be late.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{
    ComparisonResult, Contestant, KnownDifferences, Outcome, Server, compare_with_known, run,
};
use crate::suite::{Case, CaseId, Suite};

/// Maximum number of further runs of a case.
const ROUNDS: usize = 2;

/// Maximum number of differing or failed cases. With more, a slow machine is not the cause.
const MOST: usize = 25;

/// Outcomes of each case, by the index of the server.
pub type Outcomes = HashMap<(CaseId, usize), Outcome>;

/// Runs again, on every server, the cases that differ or failed and depend on real time: cases that let time
/// pass, restart a server or have a client with timers of its own. The last run counts. Returns the cases that
/// ran again, for the report.
pub fn rematch(
    suite: &Suite,
    contestants: &[Contestant],
    patience: Option<Duration>,
    known: &KnownDifferences,
    servers: &[Server],
    outcomes: &mut Outcomes,
) -> BTreeSet<CaseId> {
    let mut again = BTreeSet::new();
    for _ in 0..ROUNDS {
        let unsettled: BTreeSet<CaseId> = suite
            .cases()
            .filter(|case| is_unsettled(case, known, servers, outcomes))
            .map(|case| case.id.clone())
            .collect();
        if unsettled.is_empty() || unsettled.len() > MOST {
            break;
        }
        let few = suite.clone().only(|case| unsettled.contains(&case.id));
        run(&few, contestants, patience, |played| {
            outcomes.insert((played.case, played.server), played.outcome);
        });
        again.extend(unsettled);
    }
    again
}

fn is_unsettled(
    case: &Case,
    known: &KnownDifferences,
    servers: &[Server],
    outcomes: &Outcomes,
) -> bool {
    let of = |place| {
        Some((
            servers.get(place)?,
            outcomes.get(&(case.id.clone(), place))?,
        ))
    };
    let Some((left, left_outcome)) = of(0) else {
        return false;
    };
    (1..servers.len()).filter_map(of).any(|(right, outcome)| {
        let known = known.between(left, right);
        match compare_with_known(&case.id, left_outcome, outcome, &known) {
            // A failure can be a timeout of a slow server; a case that did not start has another reason.
            ComparisonResult::Failed(_) => [left_outcome, outcome].into_iter().any(|outcome| {
                matches!(
                    outcome,
                    Outcome::Failed {
                        so_far: Some(_),
                        ..
                    }
                )
            }),
            ComparisonResult::Different(_) => case.depends_on_real_time(),
            ComparisonResult::Same
            | ComparisonResult::Known { .. }
            | ComparisonResult::Skipped(_) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::rematch;
    use crate::backend::BackendKind;
    use crate::judge::{Contestant, KnownDifferences, Recording, run};
    use crate::suite::{Chapter, Suite};
    use crate::transcript::Transcript;

    #[test]
    fn only_cases_that_depend_on_real_time_run_again() {
        let text = "# Equal cases\n\n== 1 one\na: create /x\n\n== 2 two\na: create /x\npass 1ms\n";
        let suite = Suite::new().with(Chapter::parse("alike", text).expect("a chapter"));
        let mut recording = Recording::new("3.9.5".parse().expect("a version"));
        for case in suite.cases() {
            recording.insert(
                case,
                std::iter::once("something else").collect::<Transcript>(),
            );
        }
        let contestants = [
            Contestant::live(BackendKind::Embedded),
            Contestant::Recorded(recording),
        ];
        let known = KnownDifferences::default();
        let mut outcomes = HashMap::new();
        let servers = run(&suite, &contestants, None, |played| {
            outcomes.insert((played.case, played.server), played.outcome);
        });
        let again = rematch(&suite, &contestants, None, &known, &servers, &mut outcomes);
        let again: Vec<String> = again.iter().map(ToString::to_string).collect();
        assert_eq!(again, ["alike/2"]);
        assert_eq!(outcomes.len(), 4);
    }
}
