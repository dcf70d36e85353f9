//! Every scenario on every backend that is present. What is missing is said by name, with the reason.

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use minikeeper_harness::backend::{BackendError, BackendKind, Settings};
use minikeeper_harness::provision::{Missing, Verdict};
use minikeeper_harness::scenario::Scenario;
use minikeeper_harness::transcript::Transcript;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for scenario in Scenario::ALL {
        let name = format!("{scenario}: embedded");
        trials.push(Trial::ignorable_test(name, move || {
            play(scenario, &BackendKind::Embedded)
                .map(|_| Completion::Completed)
                .or_else(give_up)
        }));
        let real = BackendKind::newest_zookeeper();
        let name = format!("{scenario}: embedded and {real} say the same");
        trials.push(Trial::ignorable_test(name, move || {
            agree(scenario, &real).or_else(give_up)
        }));
    }
    trials.push(Trial::ignorable_test(
        "a restarted zookeeper keeps its port and its znodes",
        || keeps_its_state(&BackendKind::newest_zookeeper()).or_else(give_up),
    ));
    trials.push(Trial::ignorable_test(
        "a restarted embedded server keeps its port and its znodes",
        || keeps_its_state(&BackendKind::Embedded).or_else(give_up),
    ));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Why a trial comes to no verdict of its own.
enum Trouble {
    Missing(Missing),
    Failed(String),
}

fn agree(scenario: Scenario, real: &BackendKind) -> Result<Completion, Trouble> {
    let theirs = play(scenario, real)?;
    let ours = play(scenario, &BackendKind::Embedded)?;
    if ours == theirs {
        Ok(Completion::Completed)
    } else {
        let both = ours.side_by_side(&theirs, 90);
        Err(Trouble::Failed(format!(
            "embedded on the left, {real} on the right\n{both}"
        )))
    }
}

fn play(scenario: Scenario, kind: &BackendKind) -> Result<Transcript, Trouble> {
    let backend = kind.start(&Settings::default())?;
    scenario
        .run(&*backend)
        .map_err(|error| Trouble::Failed(error.to_string()))
}

fn keeps_its_state(kind: &BackendKind) -> Result<Completion, Trouble> {
    use minikeeper_harness::client::{Acl, BlockingClient, ConnectRequest, Request};

    let mut backend = kind.start(&Settings::default())?;
    let address = backend.connect_string();
    let call = |request: &Request| {
        let mut client = BlockingClient::connect(&address, &ConnectRequest::new(10_000))?;
        client.call(request)
    };
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string());
    let path = || "/kept".to_owned();
    call(&Request::Create {
        path: path(),
        data: None,
        acl: Acl::open(),
        flags: 0,
    })
    .map_err(failed)?;
    backend.restart()?;
    let reply = call(&Request::Exists {
        path: path(),
        watch: false,
    })
    .map_err(failed)?;
    if reply.header.err == 0 {
        Ok(Completion::Completed)
    } else {
        Err(Trouble::Failed(format!("{reply:?}")))
    }
}

impl From<BackendError> for Trouble {
    fn from(error: BackendError) -> Self {
        if let BackendError::Missing(missing) = error {
            Self::Missing(missing)
        } else {
            Self::Failed(error.to_string())
        }
    }
}

fn give_up(trouble: Trouble) -> Result<Completion, Failed> {
    match trouble {
        Trouble::Failed(why) => Err(why.into()),
        Trouble::Missing(missing) => match missing.verdict() {
            Verdict::Ignored(why) => Ok(Completion::ignored_with(why)),
            Verdict::Failed(why) => Err(why.into()),
        },
    }
}
