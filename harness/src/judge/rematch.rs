//! Cases that hang on real time, played again where servers differed: a busy machine can make any server late.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{
    ComparisonResult, Contestant, KnownDifferences, Outcome, Server, compare_with_known, run,
};
use crate::suite::{Case, CaseId, Suite};

/// How often a case is played again at most.
const ROUNDS: usize = 2;

/// Where more cases than this differ or fail it is not the machine that was late.
const MOST: usize = 25;

/// What came of each case on each server, by the server's place.
pub type Outcomes = HashMap<(CaseId, usize), Outcome>;

/// Plays again, on every server, the cases that differ or failed and hang on real time: those that let time pass, start
/// a server again or are played by a client with timers of its own. What comes of the last time counts. Gives the cases
/// that were played again, for the report to say.
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
            // What broke off may have waited in vain for a server that was late; what never began has another reason.
            ComparisonResult::Failed(_) => [left_outcome, outcome].into_iter().any(|outcome| {
                matches!(
                    outcome,
                    Outcome::Failed {
                        so_far: Some(_),
                        ..
                    }
                )
            }),
            ComparisonResult::Different(_) => case.hangs_on_real_time(),
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
    fn only_what_hangs_on_real_time_is_played_again_and_a_real_difference_stays() {
        let text = "# All alike\n\n== 1 one\na: create /x\n\n== 2 two\na: create /x\npass 1ms\n";
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
