//! The sequences of the search, played on one server and left lying: each has a root of its own, and what a version does
//! not know is left out.

use super::InteropError;
use super::server::OpenSession;
use crate::backend::BorrowedServer;
use crate::client::{Acl, BlockingClient, Request, op};
use crate::dice::Dice;
use crate::patience::PATIENCE;
use crate::script::{Action, Connect, Step};
use crate::search;
use crate::stage::{Chroot, Stage};
use semver::Version;
use std::collections::HashSet;
use std::time::Duration;

/// How long a sequence is at most.
const LENGTH: usize = 60;
/// Timeout of a session that must not end during a relay.
pub(super) const LONGEST_MS: i32 = 600_000;

/// Plays sequence `number`, and gives the sessions that it leaves open and how many steps it took.
pub(super) async fn play(
    guest: &BorrowedServer,
    known: Known<'_>,
    maker: &mut BlockingClient,
    (seed, number): (u64, u64),
    longest: Duration,
) -> Result<(Vec<OpenSession>, usize), InteropError> {
    let mut dice = Dice::new(seed, number);
    let steps = search::sequence(seed, number, dice.percent(30), LENGTH);
    let steps = long_lived(fitting(steps, known), longest);
    let chroot = Chroot::new(format!("/s{number}"));
    for path in [
        chroot.as_str().to_owned(),
        format!("/zookeeper/quota{}", chroot.as_str()),
    ] {
        let create = Request::Create {
            path,
            data: None,
            acl: Acl::open(),
            flags: 0,
        };
        maker.call(&create)?;
    }
    let mut guest = guest.clone();
    let mut stage = Stage::on(&mut guest, chroot);
    stage.be_brief();
    stage.set_patience(PATIENCE);
    for step in &steps {
        stage.step(step).await.map_err(|error| {
            InteropError::Differs(format!("sequence {number}: `{step}`: {error}"))
        })?;
    }
    let held = if dice.percent(70) {
        stage
            .abandon()
            .await
            .into_iter()
            .map(OpenSession::of)
            .collect()
    } else {
        stage.finish().await;
        Vec::new()
    };
    Ok((held, steps.len()))
}

/// Requests that a server can be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) version: &'a Version,
    /// Whether a znode may have a time to live.
    pub(super) extended_types: bool,
    /// Whether it is a quorum, which never answers some malformed requests, such as a reconfig.
    pub(super) is_quorum: bool,
}

impl Known<'_> {
    fn knows(self, request: &Request) -> bool {
        let is_raw = matches!(request, Request::Raw { .. });
        let has_ttl = request.op() == op::CREATE_TTL;
        op::since(request.op()).is_none_or(|since| since <= *self.version)
            && (self.extended_types || !has_ttl)
            && !(self.is_quorum && is_raw)
    }
}

/// Requests that the server can be asked and survives.
fn fitting(steps: Vec<Step>, known: Known<'_>) -> Vec<Step> {
    let version = known.version;
    let knows = |request: &Request| known.knows(request);
    let fits = |request: &Request| {
        let parts = if let Request::Multi(parts) | Request::MultiRead(parts) = request {
            parts.as_slice()
        } else {
            &[]
        };
        knows(request) && parts.iter().all(knows)
    };
    let steps = steps.into_iter().filter_map(|mut step| {
        let Step::Act { action, .. } = &mut step else {
            return Some(step);
        };
        if let Action::Pipeline(requests) = action {
            requests.retain(fits);
        }
        let is_known = match action {
            // It is never answered up to 3.7.
            Action::Ask(Request::Check { .. }) if *version < Version::new(3, 8, 0) => false,
            Action::Ask(Request::Raw { op, .. })
                if *op == op::CHECK && *version < Version::new(3, 8, 0) =>
            {
                false
            }
            Action::Ask(request) | Action::SetWatches(_, request) => fits(request),
            Action::Pipeline(requests) => !requests.is_empty(),
            Action::Connect(_)
            | Action::Bytes(_)
            | Action::Mark(_)
            | Action::Cut
            | Action::Silent => true,
        };
        is_known.then_some(step)
    });
    // Up to 3.6 nobody reads hard limits, and a server dies of what it cannot read (StatsTrack).
    let hard_limits = *version >= Version::new(3, 7, 0);
    steps
        .map(|mut step| {
            if let Step::Act { action, .. } = &mut step
                && !hard_limits
            {
                if let Action::Ask(request) = action {
                    soften(request);
                } else if let Action::Pipeline(requests) = action {
                    requests.iter_mut().for_each(soften);
                }
            }
            step
        })
        .collect()
}

fn soften(request: &mut Request) {
    if let Request::Multi(parts) = request {
        parts.iter_mut().for_each(soften);
    }
    if let Request::Create { path, data, .. }
    | Request::Create2 { path, data, .. }
    | Request::SetData { path, data, .. } = request
        && path.starts_with("/zookeeper/quota/")
        && let Some(data) = data
        && let Some(end) = data.iter().position(|byte| *byte == b';')
    {
        data.truncate(end);
    }
}

/// Every session that is asked for lives long: what expires while nobody looks cannot be compared.
fn long_lived(steps: Vec<Step>, longest: Duration) -> Vec<Step> {
    let timeout_ms = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    let mut known = HashSet::new();
    let mut made = Vec::new();
    for mut step in steps {
        if let Step::Act { who, action } = &mut step {
            let is_new = !known.contains(who);
            if let Action::Connect(connect) = action {
                // Whoever had it may have had nothing to do that this version knows.
                if connect
                    .resume
                    .as_ref()
                    .is_some_and(|other| !known.contains(other))
                {
                    continue;
                }
                connect.timeout_ms = timeout_ms;
            } else if is_new {
                let action = Action::Connect(Connect {
                    timeout_ms,
                    ..Connect::default()
                });
                let who = who.clone();
                made.push(Step::Act { who, action });
            }
            known.insert(who.clone());
        }
        made.push(step);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{Known, fitting, long_lived};
    use crate::script::Script;
    use semver::Version;
    use std::time::Duration;

    #[track_caller]
    fn check(version: &str, drawn: &str, made: &str) {
        let script: Script = drawn.parse().expect("a script");
        let version = Version::parse(version).expect("a version");
        let steps = long_lived(
            fitting(
                script.steps,
                Known {
                    version: &version,
                    extended_types: true,
                    is_quorum: false,
                },
            ),
            Duration::from_secs(60),
        );
        let lines: Vec<String> = steps.iter().map(|step| format!("{step}\n")).collect();
        assert_eq!(lines.concat(), made);
    }

    #[test]
    fn a_version_is_asked_what_it_knows() {
        let drawn = "a: create /x null\na: create2 /y null\na: multi [create /z null; createContainer /c null]\n";
        check(
            "3.4.14",
            drawn,
            "a: connect timeout=60000\na: create /x null\n",
        );
        check(
            "3.9.5",
            drawn,
            &format!("a: connect timeout=60000\n{drawn}"),
        );
    }

    #[test]
    fn hard_limits_are_for_those_who_read_them() {
        let drawn = "a: connect timeout=60000\na: setData /zookeeper/quota/a/zookeeper_limits \"count=1,bytes=2;byteHardLimit=3\"\n";
        check("3.9.5", drawn, drawn);
        check("3.6.4", drawn, &drawn.replace(";byteHardLimit=3", ""));
    }
}
