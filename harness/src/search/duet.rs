//! One sequence on two servers, step by step.

use std::time::{Duration, Instant};

use super::host::Host;
use super::lockstep::Lockstep;
use crate::backend::{Backend, Clock};
use crate::patience;
use crate::script::{Script, Step};
use crate::stage::{Chroot, Stage, StageError};
use crate::transcript::Transcript;

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often clients ping while others play or time passes.
const PING_EVERY: Duration = Duration::from_millis(200);
/// How long the first phases of a batch may take together: whatever is short-lived lives longer.
const WINDOW: Duration = Duration::from_millis(700);

/// What came of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The step after which the two differed.
    pub(super) difference: Option<usize>,
    /// How many steps were played.
    pub(super) steps: usize,
    pub(super) left: Transcript,
    pub(super) right: Transcript,
}

struct Duet<'a> {
    steps: std::iter::Enumerate<std::slice::Iter<'a, Step>>,
    played: usize,
    left: Stage<'a>,
    right: Stage<'a>,
    lockstep: Lockstep,
    difference: Option<usize>,
    over: bool,
    /// The wait that it stands at.
    waits: Option<Wait<'a>>,
    heard: Instant,
}

struct Wait<'a> {
    at: usize,
    step: &'a Step,
    /// Whether somebody must wait for it.
    really: bool,
    span: Duration,
}

/// Plays as many of the scripts as the first phases allow, each phase of all before the next phase of any.
///
/// # Errors
///
/// If a server cannot be had.
pub(super) async fn play(
    hosts: (&mut Host<'_>, &mut Host<'_>),
    scripts: &[Script],
    brief: bool,
) -> Result<Vec<Outcome>, StageError> {
    let mut rooms = Vec::new();
    for _ in scripts {
        let left = hosts.0.room().await?;
        let right = hosts.1.room().await?;
        rooms.push((left, right));
    }
    let kept = (!hosts.0.starts_quickly(), !hosts.1.starts_quickly());
    let mut duets: Vec<Duet<'_>> = Vec::new();
    let start = Instant::now();
    for (script, (left, right)) in scripts.iter().zip(&mut rooms) {
        if !duets.is_empty() && start.elapsed() > WINDOW {
            break;
        }
        let mut duet = Duet::new(script, left, right, brief);
        duet.play_phase().await;
        duets.push(duet);
        hear_all(&mut duets, PING_EVERY).await;
    }
    while duets.iter().any(|duet| duet.waits.is_some()) {
        wait(&mut duets).await;
        for at in 0..duets.len() {
            if let Some(duet) = duets.get_mut(at) {
                duet.end_wait();
                duet.play_phase().await;
            }
            hear_all(&mut duets, PING_EVERY).await;
        }
    }
    let mut outcomes = Vec::new();
    for duet in duets {
        outcomes.push(duet.finish(kept).await);
    }
    Ok(outcomes)
}

/// Whoever waits and has not pinged for so long does so: in a batch others may play for longer than a session lives.
async fn hear_all(duets: &mut [Duet<'_>], after: Duration) {
    let mut due: Vec<&mut Duet<'_>> = duets
        .iter_mut()
        .filter(|duet| duet.waits.is_some() && duet.heard.elapsed() >= after)
        .collect();
    for duet in &mut due {
        duet.ping().await;
    }
    for duet in &mut due {
        duet.listen().await;
    }
}

async fn wait(duets: &mut [Duet<'_>]) {
    let spans = duets.iter().filter_map(|duet| {
        let wait = duet.waits.as_ref()?;
        wait.really.then_some(wait.span)
    });
    let end = Instant::now() + spans.max().unwrap_or_default();
    loop {
        hear_all(duets, Duration::ZERO).await;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        patience::pass(left.min(PING_EVERY)).await;
    }
}

impl<'a> Duet<'a> {
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
            let heard = tokio::join!(self.left.hear(), self.right.hear());
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
        // Both broken off is no agreement: nobody knows what the servers would have said.
        agree &= played.0.is_ok() && played.1.is_ok();
        if !agree {
            self.difference = Some(at);
            self.over = true;
        }
    }

    async fn finish(self, (left, right): (bool, bool)) -> Outcome {
        let end = async |stage: Stage<'a>, kept: bool| {
            if kept {
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
