//! Sequences of the search, played on one server without cleaning up: each has a root of its own, and requests that
//! the version does not know are removed.

use std::collections::HashSet;
use std::time::Duration;

use semver::Version;

use super::InteropError;
use super::server::OpenSession;
use crate::backend::BorrowedServer;
use crate::client::{Acl, BlockingClient, CreateKind, Request, op};
use crate::patience::PATIENCE;
use crate::random::Random;
use crate::script::{Action, Connect, Step};
use crate::search;
use crate::stage::{Chroot, Stage};

/// Maximum number of steps of a sequence.
const LENGTH: usize = 60;
/// Timeout of sessions that must not expire during a run, in milliseconds.
pub(super) const LONGEST_MS: i32 = 600_000;

/// Plays sequence `number`. Returns the sessions that stay open and the number of steps.
pub(super) async fn play(
    guest: &BorrowedServer,
    known: Known<'_>,
    maker: &mut BlockingClient,
    (seed, number): (u64, u64),
    longest: Duration,
) -> Result<(Vec<OpenSession>, usize), InteropError> {
    let mut random = Random::new(seed, number);
    let steps = search::sequence(seed, number, random.percent(30), LENGTH);
    let steps = long_lived(fitting(steps, known), longest);
    let chroot = Chroot::new(format!("/s{number}"));
    for path in [
        chroot.as_str().to_owned(),
        format!("/zookeeper/quota{}", chroot.as_str()),
    ] {
        let create = Request::Create {
            kind: CreateKind::Create,
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
    let held = if random.percent(70) {
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

/// Requests that a server supports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) version: &'a Version,
    /// Whether a znode may have a time to live.
    pub(super) extended_types: bool,
    /// Whether the server is a quorum, which never answers some malformed requests, such as a reconfig.
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

/// Removes the requests that the server does not support or survive.
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
            // A `check` outside of a multi is never answered up to 3.7.
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
    // Up to 3.6 no code reads hard limits, and a quota that it cannot parse ends the server (`StatsTrack`).
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
    if let Request::Create {
        kind: CreateKind::Create | CreateKind::Create2,
        path,
        data,
        ..
    }
    | Request::SetData { path, data, .. } = request
        && path.starts_with("/zookeeper/quota/")
        && let Some(data) = data
        && let Some(end) = data.iter().position(|byte| *byte == b';')
    {
        data.truncate(end);
    }
}

/// Gives every session the longest timeout: a session that expires between two readings makes states differ.
fn long_lived(steps: Vec<Step>, longest: Duration) -> Vec<Step> {
    let timeout_ms = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    let mut known = HashSet::new();
    let mut made = Vec::new();
    for mut step in steps {
        if let Step::Act { who, action } = &mut step {
            let is_new = !known.contains(who);
            if let Action::Connect(connect) = action {
                // The session's client may have had no request that this version knows.
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
    use std::time::Duration;

    use semver::Version;

    use super::{Known, fitting, long_lived};
    use crate::script::Script;

    #[track_caller]
    fn check(version: &str, drawn: &str, made: &str) {
        let script: Script = drawn.parse().expect("a valid script");
        let version = Version::parse(version).expect("a valid version");
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
    fn requests_unknown_to_a_version_are_removed() {
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
    fn hard_limits_are_removed_for_versions_that_cannot_parse_them() {
        let drawn = "a: connect timeout=60000\n\
                     a: setData /zookeeper/quota/a/zookeeper_limits \"count=1,bytes=2;byteHardLimit=3\"\n";
        check("3.9.5", drawn, drawn);
        check("3.6.4", drawn, &drawn.replace(";byteHardLimit=3", ""));
    }
}
