//! Lanes. Each has a server of its own and runs one case after the other on it, so that no case sees
//! another's zxids.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use semver::Version;

use super::needs::lack;
use super::{Contestant, Server};
use crate::backend::{Backend, BackendError, BackendSource, Capability, ServerSetup, Settings};
use crate::patience::PATIENCE;
use crate::provision::{self, Missing};
use crate::stage::Stage;
use crate::suite::{Case, CaseId, Suite};
use crate::transcript::Transcript;

/// Outcome of a case on one server.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The case completed.
    Played {
        /// The transcript.
        transcript: Transcript,
        /// Duration of the case.
        took: Duration,
    },
    /// The server lacks something that the case needs.
    Skipped(String),
    /// The case failed.
    Failed {
        /// The reason.
        why: String,
        /// The transcript up to the failure.
        so_far: Option<Transcript>,
    },
}

/// A case that ran on one server.
#[derive(Clone, Debug)]
pub struct Played {
    /// The case.
    pub case: CaseId,
    /// Index of the server, in the given order.
    pub server: usize,
    /// Outcome of the case.
    pub outcome: Outcome,
}

/// Runs every case on every server and reports each outcome as the case ends, in no particular order. Returns
/// the servers as they identified themselves.
///
/// # Panics
///
/// Panics if a lane panics.
pub fn run(
    suite: &Suite,
    servers: &[Contestant],
    patience: Option<Duration>,
    mut report: impl FnMut(Played),
) -> Vec<Server> {
    run_until(suite, servers, patience, |played| {
        report(played);
        ControlFlow::<()>::Continue(())
    })
}

// Longer than 60 lines: the threads borrow everything that is set up before them.
/// Runs cases as [`run`] does until `report` returns `Break`. Cases that are already running then complete
/// without a report.
///
/// # Panics
///
/// Panics if a lane panics.
pub fn run_until<B>(
    suite: &Suite,
    servers: &[Contestant],
    patience: Option<Duration>,
    mut report: impl FnMut(Played) -> ControlFlow<B>,
) -> Vec<Server> {
    let versions: Vec<OnceLock<Version>> = servers
        .iter()
        .map(|server| server.version().map_or_else(OnceLock::new, OnceLock::from))
        .collect();
    for (server, contestant) in servers.iter().enumerate() {
        if let Contestant::Recorded(recording) = contestant {
            for case in suite.cases() {
                let played = Played {
                    case: case.id.clone(),
                    server,
                    outcome: recording.outcome(case),
                };
                if report(played).is_break() {
                    return identities(servers, versions);
                }
            }
        }
    }
    // A dozen JVMs that start at the same time on a few cores would exceed the time limit of a start.
    let starting: Vec<Mutex<()>> = servers.iter().map(|_| Mutex::new(())).collect();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for (((server, contestant), version), starting) in
            servers.iter().enumerate().zip(&versions).zip(&starting)
        {
            let Contestant::Live(source) = contestant else {
                continue;
            };
            for (setup, cases) in by_setup(suite) {
                let lanes = if setup == ServerSetup::Usual || source.starts_quickly() {
                    source.max_running().min(cases.len())
                } else {
                    1
                };
                let queue = std::sync::Arc::new(Mutex::new(cases));
                for _ in 0..lanes {
                    let lane = Lane {
                        server,
                        source: &**source,
                        setup,
                        starting,
                        queue: std::sync::Arc::clone(&queue),
                        sender: sender.clone(),
                        version,
                        patience: patience.unwrap_or(PATIENCE),
                    };
                    scope.spawn(move || lane.run());
                }
            }
        }
        drop(sender);
        for played in receiver {
            if report(played).is_break() {
                // The lanes find the channel closed after their current case.
                break;
            }
        }
    });
    identities(servers, versions)
}

fn identities(servers: &[Contestant], versions: Vec<OnceLock<Version>>) -> Vec<Server> {
    servers
        .iter()
        .zip(versions)
        .map(|(server, version)| Server {
            name: server.name(),
            version: version.into_inner(),
        })
        .collect()
}

/// Orders the cases: those that wait first, so that the others run meanwhile; those that need a new server
/// last, so that no other case runs on the server after them.
fn by_setup(suite: &Suite) -> BTreeMap<ServerSetup, VecDeque<&Case>> {
    let mut found: BTreeMap<ServerSetup, VecDeque<&Case>> = BTreeMap::new();
    for case in suite.cases() {
        found.entry(case.server()).or_default().push_back(case);
    }
    for cases in found.values_mut() {
        cases
            .make_contiguous()
            .sort_by_key(|case| (case.headers.virgin, std::cmp::Reverse(case.waits())));
    }
    found
}

struct Lane<'a> {
    server: usize,
    source: &'a dyn BackendSource,
    setup: ServerSetup,
    /// Held by the lane whose server is starting.
    starting: &'a Mutex<()>,
    queue: std::sync::Arc<Mutex<VecDeque<&'a Case>>>,
    sender: mpsc::Sender<Played>,
    version: &'a OnceLock<Version>,
    patience: Duration,
}

impl Lane<'_> {
    fn run(self) {
        let mut backend = None;
        let mut trouble = None;
        let mut count = 0_u32;
        loop {
            let next = self
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(case) = next else { return };
            count += 1;
            let outcome = match &trouble {
                Some(outcome) => Outcome::clone(outcome),
                None => self.play(case, &mut backend, count),
            };
            // A server that failed to start is not started again.
            let never_played = !matches!(
                outcome,
                Outcome::Played { .. }
                    | Outcome::Failed {
                        so_far: Some(_),
                        ..
                    }
            );
            if backend.is_none()
                && never_played
                && !self.source.starts_quickly()
                && trouble.is_none()
            {
                trouble = Some(outcome.clone());
            }
            let played = Played {
                case: case.id.clone(),
                server: self.server,
                outcome,
            };
            if self.sender.send(played).is_err() {
                return;
            }
        }
    }

    fn play(&self, case: &Case, reused: &mut Option<Box<dyn Backend>>, count: u32) -> Outcome {
        let settings = Settings {
            manual_time: !case.headers.real_time,
            setup: self.setup,
            ..Settings::default()
        };
        if self.setup != ServerSetup::Usual && !self.source.takes_setups() {
            return Outcome::Skipped(format!("needs {}", Capability::Setup));
        }
        if reused.is_none() || self.source.starts_quickly() || case.headers.virgin {
            match self.start(&settings) {
                Ok(started) => {
                    if let Some(version) = started.version() {
                        self.version.get_or_init(|| version);
                    }
                    *reused = Some(started);
                }
                Err(BackendError::Missing(missing)) => return lacks(&missing),
                Err(error) => return failed(error.to_string(), None),
            }
        }
        let Some(backend) = reused else {
            return failed("the server did not start".to_owned(), None);
        };
        if let Some(why) = lack(case, &**backend) {
            return Outcome::Skipped(why);
        }
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return failed(error.to_string(), None),
        };
        let outcome = runtime.block_on(self.play_on_stage(case, &mut **backend, count));
        if let Outcome::Failed { .. } = outcome {
            // The state of the server is unknown, and the next case must not depend on it.
            // If the server does not start, the next case tries again and reports the reason.
            *reused = self.start(&settings).ok();
        }
        outcome
    }

    /// Runs a case on a stage of its own, which is a root on the server or, if the case asks for it, the whole server.
    async fn play_on_stage(&self, case: &Case, backend: &mut dyn Backend, count: u32) -> Outcome {
        let start = Instant::now();
        let mut stage = if case.headers.bare || case.headers.virgin {
            Stage::bare(backend)
        } else {
            let mut name = format!("{}-{}-{count}", case.id.chapter, case.id.number);
            if let Some(mark) = backend.run_id() {
                name = format!("minikeeper-harness-{mark}-{name}");
            }
            match Stage::under(backend, &name, self.patience).await {
                Ok(stage) => stage,
                Err(error) => return failed(error.to_string(), None),
            }
        };
        stage.set_patience(self.patience);
        match case.play(&mut stage).await {
            Ok(()) => Outcome::Played {
                transcript: stage.finish().await,
                took: start.elapsed(),
            },
            Err(error) => {
                let so_far = stage.transcript();
                stage.leave().await;
                failed(error.to_string(), Some(so_far))
            }
        }
    }
}

impl Lane<'_> {
    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError> {
        let _turn = (!self.source.starts_quickly())
            .then(|| self.starting.lock().unwrap_or_else(PoisonError::into_inner));
        self.source.start(settings)
    }
}

fn lacks(missing: &Missing) -> Outcome {
    match missing.consequence() {
        provision::Consequence::Ignored(why) => Outcome::Skipped(why),
        provision::Consequence::Failed(why) => failed(why, None),
    }
}

fn failed(why: String, so_far: Option<Transcript>) -> Outcome {
    Outcome::Failed { why, so_far }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::run_until;
    use crate::backend::BackendKind;
    use crate::suite::{Chapter, Suite};

    #[test]
    fn a_run_ends_when_the_callback_returns_false() {
        let text = "# Equal cases\n\n== 1 one\na: create /x\n\n== 2 two\na: create /x\n\n== 3 three\na: create /x\n";
        let suite = Suite::new().with(Chapter::parse("alike", text).expect("a chapter"));
        let mut reports = 0;
        run_until(&suite, &[BackendKind::Embedded.into()], None, |_| {
            reports += 1;
            ControlFlow::Break(())
        });
        assert_eq!(reports, 1);
    }
}
