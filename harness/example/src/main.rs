//! A suite and a backend in a crate of their own, without changes of the harness. `cargo run -p
//! minikeeper-harness-example` runs the suite on the embedded server and on the backend, and compares the results.
#![expect(clippy::print_stdout, reason = "a program that prints its findings")]

use std::collections::HashMap;
use std::process::ExitCode;

use minikeeper::Server;
use minikeeper_harness::backend::{
    Backend, BackendError, BackendKind, BackendSource, Capability, Settings,
};
use minikeeper_harness::judge::{self, ComparisonResult, Contestant, Outcome};
use minikeeper_harness::script::Headers;
use minikeeper_harness::stage::{Stage, StageError};
use minikeeper_harness::suite::{Chapter, Playing, Scenario, Suite};
use semver::Version;

fn main() -> ExitCode {
    let suite = match suite() {
        Ok(suite) => suite,
        Err(error) => {
            eprintln!("flags.txt: {error}");
            return ExitCode::FAILURE;
        }
    };
    let unlike = compare(&suite, &OurServers);
    if unlike == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A chapter as text, with a case that needs Rust.
fn suite() -> Result<Suite, minikeeper_harness::script::ScriptError> {
    let chapter = Chapter::parse("flags", include_str!("flags.txt"))?.scenario(
        3,
        "a hundred flags are listed in one answer",
        Headers::default(),
        ManyFlags(100),
    );
    Ok(Suite::new().with(chapter))
}

/// A case in Rust, which runs any number of steps of a script.
struct ManyFlags(usize);

impl Scenario for ManyFlags {
    fn play<'a>(&'a self, stage: &'a mut Stage<'_>) -> Playing<'a> {
        Box::pin(self.set_and_list(stage))
    }
}

impl ManyFlags {
    async fn set_and_list(&self, stage: &mut Stage<'_>) -> Result<(), StageError> {
        stage.steps("admin: create /flags null").await?;
        for flag in 0..self.0 {
            let step = format!("admin: create /flags/flag-{flag} null");
            stage.steps(&step).await?;
        }
        stage.steps("reader: getChildren2 /flags").await
    }
}

/// Runs the suite on the embedded server and on `ours`, prints the result of each case, and counts the differing
/// cases.
fn compare(suite: &Suite, ours: &(impl BackendSource + Clone + 'static)) -> usize {
    let contestants = [
        Contestant::live(BackendKind::Embedded),
        Contestant::live(ours.clone()),
    ];
    let mut outcomes: HashMap<_, Outcome> = HashMap::new();
    judge::run(suite, &contestants, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let mut unlike = 0;
    for case in suite.cases() {
        let of = |server| outcomes.get(&(case.id.clone(), server));
        let (Some(left), Some(right)) = (of(0), of(1)) else {
            continue;
        };
        let result = judge::compare(left, right);
        if !matches!(result, ComparisonResult::Same) {
            unlike += 1;
        }
        println!("{} {}: {result:?}", case.id, case.title);
    }
    unlike
}

/// Source of our backends.
#[derive(Clone, Debug)]
struct OurServers;

impl BackendSource for OurServers {
    fn name(&self) -> String {
        "ours".to_owned()
    }

    fn start(&self, settings: &Settings) -> Result<Box<dyn Backend>, BackendError> {
        let server = Server::builder().tick_time(settings.tick_time).start()?;
        Ok(Box::new(OurServer(server)))
    }
}

/// A server as our product starts it; any server of ZooKeeper's protocol can be used here.
#[derive(Debug)]
struct OurServer(Server);

impl Backend for OurServer {
    fn name(&self) -> String {
        "ours".to_owned()
    }

    fn version(&self) -> Option<Version> {
        None
    }

    fn connect_string(&self) -> String {
        self.0.connect_string()
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        // Cases that need another capability are skipped with its name.
        matches!(capability, Capability::Restart | Capability::Timeout(_))
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Ok(self.0.restart()?)
    }

    fn stop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::{OurServers, compare, suite};

    #[test]
    fn our_servers_pass_our_suite() {
        let suite = suite().expect("a suite");
        assert_eq!(suite.cases().count(), 3);
        assert_eq!(compare(&suite, &OurServers), 0);
    }
}
