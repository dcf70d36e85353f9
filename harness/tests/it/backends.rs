//! Every kind of server that the harness starts or finds: it answers, has its state after a restart, ends when
//! dropped, and reports a missing part in one line.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use minikeeper_harness::backend::{
    Backend, BackendError, BackendKind, BackendSource, Capability, Ensemble, ServerSetup, Settings,
    ZooKeeper,
};
use minikeeper_harness::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request};
use minikeeper_harness::judge::{
    self, ComparisonSummary, Contestant, Findings, KnownDifferences, Trouble,
};
use minikeeper_harness::provision::{Consequence, Missing};
use minikeeper_harness::suite::Suite;

/// Versions that the harness can start.
const VERSIONS: [&str; 6] = ["3.4.14", "3.5.10", "3.6.4", "3.7.2", "3.8.5", "3.9.5"];

pub(super) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = VERSIONS
        .into_iter()
        .chain(["debian"])
        .map(|version| {
            Trial::ignorable_test(
                format!("zookeeper:{version} starts, restarts with its state and ends"),
                move || completion(one_starts(version)),
            )
        })
        .collect();
    let more: [(&str, super::Test); 5] = [
        ("the newest zookeeper starts in every setup", || {
            completion(every_setup_starts())
        }),
        (
            "an ensemble starts, restarts with its state and ends, also when the harness panics",
            || completion(an_ensemble_starts()),
        ),
        (
            "a run on a server in use leaves no znode behind",
            a_run_leaves_no_znode_behind,
        ),
        (
            "cases that need a missing capability are skipped by name",
            missing_capabilities,
        ),
        (
            "an address without a zookeeper is reported in one line",
            addresses_without_a_server,
        ),
    ];
    trials.extend(more.map(|(name, test)| Trial::ignorable_test(name, test)));
    #[cfg(feature = "docker")]
    trials.extend(super::containers::trials());
    trials
}

/// Ignores a test with the reason if a part is missing that is not required.
pub(super) fn completion(outcome: Result<(), BackendError>) -> Result<Completion, Failed> {
    match outcome {
        Ok(()) => Ok(Completion::Completed),
        Err(BackendError::Missing(missing)) => ignored(&missing),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn ignored(missing: &Missing) -> Result<Completion, Failed> {
    match missing.consequence() {
        Consequence::Ignored(why) => Ok(Completion::ignored_with(why)),
        Consequence::Failed(why) => Err(why.into()),
    }
}

fn one_starts(version: &str) -> Result<(), BackendError> {
    let mut server = ZooKeeper::start(version, &Settings::default())?;
    let said = server.version().expect("it has a version").to_string();
    assert!(version == "debian" || version == said, "{said}");
    has_its_state_after_a_restart(&mut server)?;
    let pid = server.pid();
    drop(server);
    assert_gone(pid);
    Ok(())
}

fn every_setup_starts() -> Result<(), BackendError> {
    for setup in ServerSetup::ALL {
        let settings = Settings {
            setup,
            ..Settings::default()
        };
        BackendKind::newest_zookeeper().start(&settings)?;
    }
    Ok(())
}

fn an_ensemble_starts() -> Result<(), BackendError> {
    let version = BackendKind::NEWEST_ZOOKEEPER;
    let mut ensemble = Ensemble::start(version, &Settings::default())?;
    assert_eq!(ensemble.connect_string().split(',').count(), 3);
    has_its_state_after_a_restart(&mut ensemble)?;
    let pids = ensemble.pids();
    assert_eq!(pids.len(), 3);
    let panics = std::thread::spawn(move || {
        let _ensemble = ensemble;
        std::panic::resume_unwind(Box::new("as if the harness panicked"));
    });
    assert!(panics.join().is_err());
    pids.into_iter().for_each(assert_gone);
    Ok(())
}

/// Also checks that the address does not change.
pub(super) fn has_its_state_after_a_restart(server: &mut dyn Backend) -> Result<(), BackendError> {
    assert!(server.supports(Capability::Restart));
    let address = server.connect_string();
    let path = "/persistent".to_owned();
    let create = Request::Create {
        kind: CreateKind::Create,
        path: path.clone(),
        data: None,
        acl: Acl::open(),
        flags: 0,
    };
    assert_eq!(ask(server, &create)?, 0);
    server.restart()?;
    assert_eq!(server.connect_string(), address);
    let exists = Request::Exists { path, watch: false };
    // A member that was not the leader may answer before it has every transaction.
    ask(
        server,
        &Request::Sync {
            path: "/".to_owned(),
        },
    )?;
    assert_eq!(ask(server, &exists)?, 0);
    Ok(())
}

/// Returns the error code of the first server's answer to the only request of a session.
fn ask(server: &dyn Backend, request: &Request) -> Result<i32, BackendError> {
    let addresses = server.connect_string();
    let first = addresses.split(',').next().unwrap_or_default();
    let mut client = BlockingClient::connect(first, &ConnectRequest::new(10_000))?;
    let err = client.call(request)?.header.err;
    client.call(&Request::CloseSession)?;
    Ok(err)
}

fn assert_gone(pid: u32) {
    if cfg!(target_os = "linux") {
        let folder = format!("/proc/{pid}");
        assert!(!Path::new(&folder).exists(), "process {pid} still runs");
    }
}

fn a_run_leaves_no_znode_behind() -> Result<Completion, Failed> {
    let server = minikeeper::Server::start()?;
    let address: BackendKind = server.connect_string().parse()?;
    // With ticks of 2 s, without limits on paths, and with permissions that an unknown client does not have.
    let findings = play(
        &["watch", "acl", "ephemeral"],
        BackendKind::Embedded,
        &address,
    )?;
    let played = findings
        .cases()
        .filter(|case| case.plays.iter().all(|play| play.trouble.is_none()));
    assert!(played.count() > 100, "too few cases were run");
    assert_eq!(server.children("/"), Some(vec!["zookeeper".to_owned()]));
    assert_eq!(server.children("/zookeeper/quota"), Some(Vec::new()));
    Ok(Completion::Completed)
}

fn missing_capabilities() -> Result<Completion, Failed> {
    let server = minikeeper::Server::start()?;
    let address: BackendKind = server.connect_string().parse()?;
    let findings = play(&["container", "session"], BackendKind::Embedded, &address)?;
    let reasons: Vec<&str> = findings
        .cases()
        .flat_map(|case| &case.plays)
        .filter_map(|play| match &play.trouble {
            Some(Trouble::Skipped(why)) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    for expected in [
        "needs a server of its own",
        "needs session timeouts of 500 ms ticks",
    ] {
        assert!(
            reasons.iter().any(|why| why.contains(expected)),
            "{expected}: {reasons:?}"
        );
    }
    Ok(Completion::Completed)
}

fn addresses_without_a_server() -> Result<Completion, Failed> {
    let check = |address: &str, expected: &str| {
        let kind: BackendKind = address.parse().expect("an address");
        let error = kind
            .start(&Settings::default())
            .expect_err("no server listens")
            .to_string();
        assert!(error.starts_with(&format!("{address}: ")), "{error}");
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    };
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let other = std::thread::spawn(move || {
        use std::io::Write;
        // A web server's answer to a request that it does not understand.
        if let Ok((mut stream, _)) = taken.accept() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    check(&address, "it is not a running ZooKeeper");
    other.join().map_err(|_| "the web server panicked")?;
    check(&address, "refused");
    check("no-such-host.invalid:2181", "lookup");
    Ok(Completion::Completed)
}

/// Runs some chapters on two servers; every difference must be known.
pub(super) fn play(
    chapters: &[&str],
    left: BackendKind,
    right: &BackendKind,
) -> Result<Findings, Failed> {
    let suite = Suite::builtin().only(|case| chapters.contains(&case.id.chapter.as_str()));
    let contestants = [Contestant::live(left), Contestant::live(right.clone())];
    let mut outcomes = HashMap::new();
    let servers = judge::run(&suite, &contestants, None, |played| {
        outcomes.insert((played.case, played.server), played.outcome);
    });
    let known = KnownDifferences::builtin();
    let findings = Findings::new(&suite, &servers, &outcomes, &known, Duration::ZERO);
    let mut wrong = Vec::new();
    for case in findings.cases() {
        for comparison in &case.comparisons {
            match &comparison.result {
                ComparisonSummary::Same
                | ComparisonSummary::Known(_)
                | ComparisonSummary::Skipped(_) => {}
                ComparisonSummary::Different => {
                    wrong.push(format!("{}\n{}", case.id, super::both(case)))
                }
                ComparisonSummary::Failed(why) => wrong.push(format!("{}: {why}", case.id)),
            }
        }
    }
    if wrong.is_empty() {
        Ok(findings)
    } else {
        Err(wrong.join("\n").into())
    }
}
