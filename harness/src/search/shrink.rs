//! Shrinking of a differing sequence to the shortest one, through proptest's value trees. They are driven
//! manually, since every attempt runs on servers that are reused.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;

use super::duet::{self, Outcome};
use super::host::Host;
use super::{Drawn, Found};
use crate::script::Script;
use crate::stage::StageError;

/// Time after which the shortest sequence so far is accepted.
const ENOUGH: Duration = Duration::from_secs(120);

/// Runs the sequence again, and shrinks it if it differs again. Otherwise returns the original difference as
/// `Err`.
pub(super) async fn shrink(
    (left, right): (&mut Host<'_>, &mut Host<'_>),
    mut drawn: Drawn,
) -> Result<Option<Found>, StageError> {
    let start = Instant::now();
    let Some(mut best) = differs((&mut *left, &mut *right), drawn.script()).await? else {
        return Ok(None);
    };
    let mut same = HashSet::new();
    let mut simpler = drawn.tree.simplify();
    while simpler && start.elapsed() < ENOUGH {
        let script = cut(drawn.script(), best.0.steps.len());
        let text = script.to_string();
        let still = if text == best.0.to_string() {
            true
        } else if same.contains(&text) {
            false
        } else {
            match differs((&mut *left, &mut *right), script).await? {
                Some(found) => {
                    best = found;
                    true
                }
                None => {
                    same.insert(text);
                    false
                }
            }
        };
        simpler = if still {
            drawn.tree.simplify()
        } else {
            drawn.tree.complicate()
        };
    }
    // A step may have been needed only by a step that is gone now.
    let mut at = best.0.steps.len();
    while at > 0 && start.elapsed() < ENOUGH {
        at -= 1;
        let mut script = best.0.clone();
        script.steps.remove(at);
        if let Some(found) = differs((&mut *left, &mut *right), script).await? {
            best = found;
            at = at.min(best.0.steps.len());
        }
    }
    let (script, outcome) = best;
    Ok(Some(Found {
        name: drawn.name,
        script,
        left: outcome.left,
        right: outcome.right,
    }))
}

/// Returns the script up to the first difference of the two servers, if they differ.
async fn differs(
    hosts: (&mut Host<'_>, &mut Host<'_>),
    script: Script,
) -> Result<Option<(Script, Outcome)>, StageError> {
    let scripts = [script];
    let outcomes = duet::play(hosts, &scripts, false).await?;
    let [script] = scripts;
    Ok(outcomes.into_iter().next().and_then(|outcome| {
        let at = outcome.difference?;
        Some((cut(script, at + 1), outcome))
    }))
}

fn cut(mut script: Script, steps: usize) -> Script {
    script.steps.truncate(steps);
    script
}
