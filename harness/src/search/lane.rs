//! Lanes: each has a pair of servers for every configuration that it needs. One lane runs the sequences that
//! wait, in batches, while the others run everything else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use proptest::strategy::BoxedStrategy;

use super::draw::Flavour;
use super::duet::{self, Outcome};
use super::host::Host;
use super::shrink::shrink;
use super::{Drawn, Found, Progress, Report, Search};
use crate::backend::{ServerSetup, Settings};
use crate::script::{Script, Step};
use crate::stage::StageError;

/// Maximum number of waiting sequences in a batch.
const BATCH: usize = 60;
/// Every sequence whose number is a multiple of this runs on servers that enforce quotas.
const QUOTAS_EVERY: u64 = 6;
/// Offset that separates the numbers of waiting sequences from the others.
const WAITING: u64 = 1 << 63;

type Tell<'t> = &'t (dyn Fn(Progress<'_>) + Send + Sync);

struct Shared<'s> {
    search: &'s Search<'s>,
    tell: Tell<'s>,
    next: AtomicU64,
    report: Mutex<Report>,
}

/// Runs the lanes to completion.
pub(super) fn run<'s>(search: &'s Search<'s>, tell: Tell<'s>) -> Result<Report, StageError> {
    let start = Instant::now();
    let shared = Shared {
        search,
        tell,
        next: AtomicU64::new(0),
        report: Mutex::default(),
    };
    let outcome = std::thread::scope(|scope| {
        let waiting = (search.time_share > 0).then(|| scope.spawn(|| alone(shared.play_waiting())));
        let lanes = if search.time_share < 100 {
            search.lanes.max(1)
        } else {
            0
        };
        let lanes: Vec<_> = (0..lanes)
            .map(|_| scope.spawn(|| alone(shared.play_usual())))
            .collect();
        lanes
            .into_iter()
            .chain(waiting)
            .map(|lane| match lane.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .fold(Ok(()), Result::and)
    });
    outcome?;
    let mut report = shared
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    report.took = start.elapsed();
    Ok(report)
}

fn alone(lane: impl Future<Output = Result<(), StageError>>) -> Result<(), StageError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(lane)
}

impl Shared<'_> {
    fn hosts(&self, setup: ServerSetup) -> (Host<'_>, Host<'_>) {
        let settings = Settings {
            manual_time: true,
            setup,
            // A long search is worth a run of the optimising compiler.
            optimizing_jit: self.search.ops > 100_000,
            ..Settings::default()
        };
        (
            Host::new(self.search.left, settings.clone()),
            Host::new(self.search.right, settings),
        )
    }

    async fn play_usual(&self) -> Result<(), StageError> {
        let usual = self.search.strategy(Flavour::Usual);
        let quotas = self.search.strategy(Flavour::Quotas);
        let mut usual_hosts = self.hosts(ServerSetup::Usual);
        let mut quotas_hosts = self.hosts(ServerSetup::Quotas);
        while !self.is_over(false) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let (flavour, strategy, hosts) = if number % QUOTAS_EVERY == QUOTAS_EVERY - 1 {
                (Flavour::Quotas, &quotas, &mut quotas_hosts)
            } else {
                (Flavour::Usual, &usual, &mut usual_hosts)
            };
            let Some(drawn) = Drawn::new(strategy, flavour, self.search.seed, number) else {
                continue;
            };
            let scripts = [drawn.script()];
            let outcomes = duet::play((&mut hosts.0, &mut hosts.1), &scripts, true).await?;
            let [script] = scripts;
            if let Some(outcome) = outcomes.into_iter().next() {
                self.judge(hosts, drawn, &script, outcome).await?;
            }
        }
        Ok(())
    }

    async fn play_waiting(&self) -> Result<(), StageError> {
        let strategy = self.search.strategy(Flavour::Time);
        let mut hosts = self.hosts(ServerSetup::Reaping);
        let mut number = 0;
        let mut batch = VecDeque::new();
        while !self.is_over(true) {
            while batch.len() < BATCH {
                batch.extend(self.draw_waiting(&strategy, number));
                number += 1;
            }
            let scripts: Vec<Script> = batch.iter().map(Drawn::script).collect();
            let outcomes = duet::play((&mut hosts.0, &mut hosts.1), &scripts, true).await?;
            for (outcome, script) in outcomes.into_iter().zip(&scripts) {
                if let Some(drawn) = batch.pop_front() {
                    self.judge(&mut hosts, drawn, script, outcome).await?;
                }
            }
        }
        Ok(())
    }

    fn draw_waiting(&self, strategy: &BoxedStrategy<Vec<Vec<Step>>>, number: u64) -> Option<Drawn> {
        let mut drawn = Drawn::new(strategy, Flavour::Time, self.search.seed, WAITING | number)?;
        drawn.name = format!("{}-w{number}", self.search.seed);
        Some(drawn)
    }

    /// Whether enough steps were run, or enough differences found.
    fn is_over(&self, waiting: bool) -> bool {
        let report = self.report();
        let wanted = self.search.ops * self.search.time_share / 100;
        let enough = if waiting {
            report.waiting_steps >= wanted
        } else {
            report.steps - report.waiting_steps >= self.search.ops - wanted
        };
        enough || report.found.len() >= self.search.most
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn judge<'h>(
        &self,
        hosts: &mut (Host<'h>, Host<'h>),
        drawn: Drawn,
        script: &Script,
        outcome: Outcome,
    ) -> Result<(), StageError> {
        let steps = {
            let mut report = self.report();
            let steps = u64::try_from(outcome.steps).unwrap_or(0);
            report.sequences += 1;
            report.steps += steps;
            if drawn.flavour == Flavour::Time {
                report.waiting_steps += steps;
            }
            report.steps
        };
        (self.tell)(Progress::Played(steps));
        if outcome.difference.is_none() {
            return Ok(());
        }
        let once = Found {
            name: drawn.name.clone(),
            script: script.clone(),
            left: outcome.left,
            right: outcome.right,
        };
        for host in [&mut hosts.0, &mut hosts.1] {
            // A server that died is started again; the transcript shows its death.
            host.is_alive().await;
        }
        match shrink((&mut hosts.0, &mut hosts.1), drawn).await? {
            Some(found) => {
                (self.tell)(Progress::Found(&found));
                let mut report = self.report();
                let is_known = |known: &Found| known.script.steps == found.script.steps;
                if !report.found.iter().any(is_known) {
                    report.found.push(found);
                }
            }
            None => {
                (self.tell)(Progress::Unsteady(&once));
                self.report().unsteady.push(once);
            }
        }
        Ok(())
    }
}
