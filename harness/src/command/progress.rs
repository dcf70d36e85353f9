//! Progress of a run: a bar per server on a terminal, occasional lines elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::suite::CaseId;

/// Progress of a run.
#[derive(Debug)]
pub(super) struct Progress(Shown);

#[derive(Debug)]
enum Shown {
    Bars(MultiProgress, Vec<ProgressBar>),
    Lines {
        servers: Vec<(String, usize)>,
        cases: usize,
        last: Instant,
    },
    Nothing,
}

/// Interval of lines, enough to show in a log that the run goes on.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

impl Progress {
    pub(super) fn new(servers: &[String], cases: usize, quiet: bool) -> Self {
        if quiet {
            return Self(Shown::Nothing);
        }
        if !io::stderr().is_terminal() {
            return Self(Shown::Lines {
                servers: servers.iter().map(|name| (name.clone(), 0)).collect(),
                cases,
                last: Instant::now(),
            });
        }
        let name = servers.iter().map(|name| name.chars().count()).max();
        let template = format!(
            "{{prefix:{}}} {{bar:30}} {{pos:>4}}/{{len}} {{elapsed:>4}} {{msg}}",
            name.unwrap_or(0)
        );
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let all = MultiProgress::new();
        let bars = servers
            .iter()
            .map(|name| {
                let bar = ProgressBar::new(u64::try_from(cases).unwrap_or(u64::MAX))
                    .with_style(style.clone())
                    .with_prefix(name.clone());
                let bar = all.add(bar);
                bar.enable_steady_tick(Duration::from_millis(500));
                bar
            })
            .collect();
        Self(Shown::Bars(all, bars))
    }

    /// Counts a case that was run.
    pub(super) fn played(&mut self, server: usize, case: &CaseId) {
        match &mut self.0 {
            Shown::Bars(_, bars) => {
                if let Some(bar) = bars.get(server) {
                    bar.set_message(case.to_string());
                    bar.inc(1);
                    if Some(bar.position()) == bar.length() {
                        bar.finish_with_message("");
                    }
                }
            }
            Shown::Lines {
                servers,
                cases,
                last,
            } => {
                if let Some((_, count)) = servers.get_mut(server) {
                    *count += 1;
                }
                if last.elapsed() >= BETWEEN_LINES {
                    *last = Instant::now();
                    let counts: Vec<String> = servers
                        .iter()
                        .map(|(name, count)| format!("{name} {count}/{cases}"))
                        .collect();
                    eprintln!("minikeeper-harness: {}", counts.join(", "));
                }
            }
            Shown::Nothing => {}
        }
    }

    /// Removes the bars before the reports are printed.
    pub(super) fn end(self) {
        if let Shown::Bars(all, bars) = self.0 {
            for bar in bars {
                bar.finish_and_clear();
            }
            // An error here concerns a terminal that accepts no more output.
            let _ = all.clear();
        }
    }
}
