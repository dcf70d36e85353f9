//! An ensemble from the binary: `--members` and `--members-from-config`.

use std::fs;
use std::net::SocketAddr;

use crate::binary::{Serving, ask, run};
use crate::ctl::World;

/// Returns the addresses in the greeting.
fn addresses(server: &Serving) -> Vec<SocketAddr> {
    let list = server.greeting[0].rsplit(' ').next().unwrap_or_default();
    let addresses = list.split(',').map(|address| {
        address
            .parse()
            .unwrap_or_else(|_| panic!("{address:?} is no address"))
    });
    addresses.collect()
}

/// Returns the mode that `srvr` shows.
fn mode(address: SocketAddr) -> String {
    let answer = ask(address, "srvr");
    let line = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
    line.unwrap_or_else(|| panic!("no mode in {answer:?}"))
        .to_owned()
}

#[test]
fn members_are_one_ensemble_whose_members_can_stop() {
    let world = World::start(&["--members", "3"]);
    let members = addresses(&world.serving);
    let modes: Vec<String> = members.iter().copied().map(mode).collect();
    assert_eq!(modes, ["follower", "follower", "leader"]);
    world.ok(&["member", "3", "stop"]);
    assert_eq!([members[0], members[1]].map(mode), ["follower", "leader"]);
    world.ok(&["member", "3", "start"]);
    assert_eq!(mode(members[2]), "follower");
    let (status, log) = world.serving.end("TERM");
    assert!(status.success(), "{log}");
    assert!(
        log.contains("3 members in this process, no peer ports, state in memory"),
        "{log}"
    );
}

#[test]
fn server_lines_are_one_ensemble_only_on_request() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    let lines = format!(
        "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=srvr\n\
         server.1=localhost:2888:3888\nserver.2=localhost:2889:3889\nserver.3=203.0.113.1:2888:3888\n",
        data.display()
    );
    fs::write(&path, lines).expect("it can be written");
    let path = path.to_str().expect("the path is Unicode");
    let refused = run(&[path], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "minikeeper: not supported: 3 voting members (use --members-from-config to serve all of them from this \
         process); use --ignore-unsupported to start anyway\n"
    );

    let server = Serving::start(&["--members-from-config", path], &[]);
    let members = addresses(&server);
    let modes: Vec<String> = members.iter().copied().map(mode).collect();
    assert_eq!(
        modes,
        ["follower", "follower"],
        "the third member has no address here"
    );
    let (status, log) = server.end("TERM");
    assert!(status.success(), "{log}");
    assert!(
        log.contains("server.3 not on this machine; dataDir is not used"),
        "{log}"
    );
    assert!(!data.exists(), "the state is in memory");
}

#[test]
fn flags_that_contradict_members_are_refused() {
    for arguments in [
        &["--members-from-config", "--members", "3"][..],
        &["--members-from-config", "--listen", "2181"],
        &["--members-from-config", "--data-dir", "x"],
        &["--members", "0"],
        &["--members", "255"],
        &["--members", "3", "--listen", "127.0.0.1:65534"],
        &["--members", "3", "--data-dir", "/nowhere/x"],
    ] {
        let output = run(arguments, &[]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        let errors = stderr
            .lines()
            .filter(|line| line.starts_with("minikeeper: "));
        assert_eq!(errors.count(), 1, "{stderr}");
    }
}
