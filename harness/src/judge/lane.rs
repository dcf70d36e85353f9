//! Lanes: each has a server of its own and plays one case after the other on it, so that no case sees another's zxids.

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

/// What came of one case on one server.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was played to its end.
    Played {
        /// What was noted.
        transcript: Transcript,
        /// How long it took.
        took: Duration,
    },
    /// The server cannot do what the case needs.
    Skipped(String),
    /// The case broke off.
    Failed {
        /// Why.
        why: String,
        /// What was noted before.
        so_far: Option<Transcript>,
    },
}

/// One case on one server.
#[derive(Clone, Debug)]
pub struct Played {
    /// The case.
    pub case: CaseId,
    /// Which of the servers, in the order given.
    pub server: usize,
    /// What came of it.
    pub outcome: Outcome,
}

/// Plays every case on every server, and tells of each as it ends, in no particular order. Returns who the servers
/// turned out to be.
///
/// # Panics
///
/// If a lane panics.
pub fn run(
    suite: &Suite,
    servers: &[Contestant],
    patience: Option<Duration>,
    mut tell: impl FnMut(Played),
) -> Vec<Server> {
    run_until(suite, servers, patience, |played| {
        tell(played);
        ControlFlow::<()>::Continue(())
    })
}

/// As [`run`], until `tell` has had enough. Cases that are being played then are played to their end, and not told of.
///
/// # Panics
///
/// If a lane panics.
pub fn run_until<B>(
    suite: &Suite,
    servers: &[Contestant],
    patience: Option<Duration>,
    mut tell: impl FnMut(Played) -> ControlFlow<B>,
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
                if tell(played).is_break() {
                    return identities(servers, versions);
                }
            }
        }
    }
    // A dozen JVMs that start at once on few cores come up later than anybody has patience for.
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
            if tell(played).is_break() {
                // The lanes find the door closed after their case.
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

/// Cases that wait come first, so that the others run meanwhile; those that want a new server last, so that no other
/// plays on what they leave of it.
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
    /// Held by the lane whose server starts.
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
            // A server that could not be had once is not asked for again.
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

    fn play(&self, case: &Case, kept: &mut Option<Box<dyn Backend>>, count: u32) -> Outcome {
        let settings = Settings {
            manual_time: !case.headers.real_time,
            setup: self.setup,
            ..Settings::default()
        };
        if self.setup != ServerSetup::Usual && !self.source.takes_setups() {
            return Outcome::Skipped(format!("needs {}", Capability::Setup));
        }
        if kept.is_none() || self.source.starts_quickly() || case.headers.virgin {
            match self.start(&settings) {
                Ok(started) => {
                    if let Some(version) = started.version() {
                        self.version.get_or_init(|| version);
                    }
                    *kept = Some(started);
                }
                Err(BackendError::Missing(missing)) => return lacks(&missing),
                Err(error) => return failed(error.to_string(), None),
            }
        }
        let Some(backend) = kept else {
            return failed("no server".to_owned(), None);
        };
        if let Some(why) = lack(case, &**backend) {
            return Outcome::Skipped(why);
        }
        let start = Instant::now();
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return failed(error.to_string(), None),
        };
        let outcome = runtime.block_on(async {
            let mut stage = if case.headers.bare || case.headers.virgin {
                Stage::bare(&mut **backend)
            } else {
                let mut name = format!("{}-{}-{count}", case.id.chapter, case.id.number);
                if let Some(mark) = backend.run_id() {
                    name = format!("minikeeper-harness-{mark}-{name}");
                }
                match Stage::under(&mut **backend, &name, self.patience).await {
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
        });
        if let Outcome::Failed { .. } = outcome {
            // Whatever state it is in, the next case is not to suffer from it.
            // If it does not come up, the next case asks once more and tells why.
            *kept = self.start(&settings).ok();
        }
        outcome
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
    fn a_run_ends_when_whoever_listens_has_had_enough() {
        let text = "# All alike\n\n== 1 one\na: create /x\n\n== 2 two\na: create /x\n\n== 3 three\na: create /x\n";
        let suite = Suite::new().with(Chapter::parse("alike", text).expect("a chapter"));
        let mut told = 0;
        run_until(&suite, &[BackendKind::Embedded.into()], None, |_| {
            told += 1;
            ControlFlow::Break(())
        });
        assert_eq!(told, 1);
    }
}
