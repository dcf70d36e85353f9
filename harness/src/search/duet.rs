//! Runs one sequence on two servers, step by step.

use std::time::{Duration, Instant};

use super::host::Host;
use super::lockstep::Lockstep;
use crate::backend::{Backend, Clock};
use crate::patience;
use crate::script::{Script, Step};
use crate::stage::{Chroot, Stage, StageError};
use crate::transcript::Transcript;

/// Time limit of every wait for a server.
const PATIENCE: Duration = Duration::from_secs(8);
/// Interval of pings while other sequences run or time passes.
const PING_EVERY: Duration = Duration::from_millis(200);
/// Time limit of the first phases of a batch together; everything that expires lives longer.
const WINDOW: Duration = Duration::from_millis(700);

/// Outcome of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// Index of the step after which the servers differed.
    pub(super) difference: Option<usize>,
    /// Number of steps that ran.
    pub(super) steps: usize,
    pub(super) left: Transcript,
    pub(super) right: Transcript,
}

struct ServerPair<'a> {
    steps: std::iter::Enumerate<std::slice::Iter<'a, Step>>,
    played: usize,
    left: Stage<'a>,
    right: Stage<'a>,
    lockstep: Lockstep,
    difference: Option<usize>,
    over: bool,
    /// The wait at which the sequence stands.
    waits: Option<Wait<'a>>,
    heard: Instant,
}

struct Wait<'a> {
    at: usize,
    step: &'a Step,
    /// Whether a server's clock cannot be advanced, so that the harness waits on real time.
    really: bool,
    span: Duration,
}

/// Runs as many of the scripts as the time limit of the first phases allows, each phase of all scripts before
/// the next phase of any.
///
/// # Errors
///
/// Returns an error if a server does not start.
pub(super) async fn play(
    hosts: (&mut Host<'_>, &mut Host<'_>),
    scripts: &[Script],
    brief: bool,
) -> Result<Vec<Outcome>, StageError> {
    let mut servers = Vec::new();
    for _ in scripts {
        let left = hosts.0.server().await?;
        let right = hosts.1.server().await?;
        servers.push((left, right));
    }
    let reuse = (!hosts.0.starts_quickly(), !hosts.1.starts_quickly());
    let mut pairs: Vec<ServerPair<'_>> = Vec::new();
    let start = Instant::now();
    for (script, (left, right)) in scripts.iter().zip(&mut servers) {
        if !pairs.is_empty() && start.elapsed() > WINDOW {
            break;
        }
        let mut pair = ServerPair::new(script, left, right, brief);
        pair.play_phase().await;
        pairs.push(pair);
        drain_all(&mut pairs, PING_EVERY).await;
    }
    while pairs.iter().any(|pair| pair.waits.is_some()) {
        wait(&mut pairs).await;
        for at in 0..pairs.len() {
            if let Some(pair) = pairs.get_mut(at) {
                pair.end_wait();
                pair.play_phase().await;
            }
            drain_all(&mut pairs, PING_EVERY).await;
        }
    }
    let mut outcomes = Vec::new();
    for pair in pairs {
        outcomes.push(pair.finish(reuse).await);
    }
    Ok(outcomes)
}

/// Sends pings of waiting sequences whose last ping is too old: other sequences of a batch may run longer than
/// a session lives.
async fn drain_all(pairs: &mut [ServerPair<'_>], after: Duration) {
    let mut due: Vec<&mut ServerPair<'_>> = pairs
        .iter_mut()
        .filter(|pair| pair.waits.is_some() && pair.heard.elapsed() >= after)
        .collect();
    for pair in &mut due {
        pair.ping().await;
    }
    for pair in &mut due {
        pair.listen().await;
    }
}

async fn wait(pairs: &mut [ServerPair<'_>]) {
    let spans = pairs.iter().filter_map(|pair| {
        let wait = pair.waits.as_ref()?;
        wait.really.then_some(wait.span)
    });
    let end = Instant::now() + spans.max().unwrap_or_default();
    loop {
        drain_all(pairs, Duration::ZERO).await;
        let remaining = end.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return;
        }
        patience::pass(remaining.min(PING_EVERY)).await;
    }
}

impl<'a> ServerPair<'a> {
    fn new(
        script: &'a Script,
        left: &'a mut (Box<dyn Backend>, Chroot),
        right: &'a mut (Box<dyn Backend>, Chroot),
        brief: bool,
    ) -> Self {
        let stage = |room: &'a mut (Box<dyn Backend>, Chroot)| {
            let (backend, chroot) = room;
            let mut stage = Stage::on(&mut **backend, chroot.clone());
            stage.set_patience(PATIENCE);
            if brief {
                stage.be_brief();
            }
            stage
        };
        let waits = |step: &Step| matches!(step, Step::Pass(_));
        Self {
            steps: script.steps.iter().enumerate(),
            played: 0,
            left: stage(left),
            right: stage(right),
            lockstep: Lockstep::new(script.steps.iter().any(waits)),
            difference: None,
            over: false,
            waits: None,
            heard: Instant::now(),
        }
    }

    async fn play_phase(&mut self) {
        while !self.over {
            let Some((at, step)) = self.steps.next() else {
                break;
            };
            self.played = at + 1;
            if let Step::Pass(span) = step {
                let clocks = [&mut self.left, &mut self.right].map(|stage| stage.begin_pass(*span));
                self.waits = Some(Wait {
                    at,
                    step,
                    really: clocks.contains(&Clock::RealTime),
                    span: *span,
                });
                return;
            }
            let played = tokio::join!(self.left.step(step), self.right.step(step));
            self.judge(at, Some(step), &played);
        }
        if !self.over {
            self.over = true;
            let heard = tokio::join!(self.left.drain_events(), self.right.drain_events());
            self.judge(self.played.saturating_sub(1), None, &heard);
        }
    }

    async fn ping(&mut self) {
        tokio::join!(self.left.ping(), self.right.ping());
        self.heard = Instant::now();
    }

    async fn listen(&mut self) {
        let heard = tokio::join!(self.left.listen(), self.right.listen());
        if heard.0.is_err() || heard.1.is_err() {
            let at = self.played.saturating_sub(1);
            self.judge(at, None, &heard);
            self.waits = None;
        }
    }

    fn end_wait(&mut self) {
        if let Some(wait) = self.waits.take() {
            self.judge(wait.at, Some(wait.step), &(Ok(()), Ok(())));
        }
    }

    fn judge(
        &mut self,
        at: usize,
        step: Option<&Step>,
        played: &(Result<(), StageError>, Result<(), StageError>),
    ) {
        let mut agree = self
            .lockstep
            .agrees(step, self.left.notes(), self.right.notes());
        for (stage, outcome) in [(&mut self.left, &played.0), (&mut self.right, &played.1)] {
            if let Err(error) = outcome {
                stage.notes().remark("the harness", &error.to_string());
                self.over = true;
            }
        }
        // A failure on both servers is not an agreement: their answers are unknown.
        agree &= played.0.is_ok() && played.1.is_ok();
        if !agree {
            self.difference = Some(at);
            self.over = true;
        }
    }

    async fn finish(self, (left, right): (bool, bool)) -> Outcome {
        let end = async |stage: Stage<'a>, reuse: bool| {
            if reuse {
                stage.finish().await
            } else {
                stage.transcript()
            }
        };
        Outcome {
            difference: self.difference,
            steps: self.played,
            left: end(self.left, left).await,
            right: end(self.right, right).await,
        }
    }
}
