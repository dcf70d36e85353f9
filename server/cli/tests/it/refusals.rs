//! One clear line on stderr, and an exit code other than 0.

use std::fs;
use std::net::TcpListener;

use crate::binary::run;

fn check(arguments: &[&str], variables: &[(&str, &str)], code: i32, expected: &str) {
    let output = run(arguments, variables);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?} {variables:?}: {stderr}"
    );
    assert_eq!(stderr, format!("minikeeper: {expected}\n"));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_bad_option() {
    check(
        &["--nonsense"],
        &[],
        2,
        "unexpected argument '--nonsense' found; see minikeeper --help",
    );
    check(
        &["--listen", "127.0.0.1:x"],
        &[],
        2,
        "invalid value '127.0.0.1:x' for '--listen <ADDR:PORT>': \"x\" is not a port; see minikeeper --help",
    );
}

#[test]
fn a_taken_port() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    check(
        &["--listen", &address],
        &[],
        1,
        &format!("cannot serve: {address} is in use; --listen 127.0.0.1:0 takes a free port"),
    );
}

#[test]
fn a_zoo_cfg_that_a_real_server_refuses() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    let path = path.to_str().expect("the path is Unicode");
    check(
        &[path],
        &[],
        2,
        &format!("{path}: cannot be read as configuration: No such file or directory (os error 2)"),
    );
    let folder = folder.path().to_str().expect("the path is Unicode");
    check(
        &[folder],
        &[],
        2,
        &format!(
            "{folder}: is a folder and no configuration: --data-dir {folder} serves what is in it, --open-copy {folder} a copy of it"
        ),
    );
    fs::write(path, "dataDir=/data\nclientPort=2181\ntickTime=soon\n").expect("it can be written");
    check(
        &["--config", path],
        &[],
        2,
        &format!("{path}:3: tickTime=soon: must be a whole number of 32 bits"),
    );
}

#[test]
fn what_cannot_be_given() {
    check(
        &["--listen", "127.0.0.1:0"],
        &[
            ("MINIKEEPER_DEFAULTS", "image"),
            ("ZOO_STANDALONE_ENABLED", "false"),
        ],
        2,
        "cannot be given here: ZOO_STANDALONE_ENABLED: standaloneEnabled=false (with a server line it makes an \
         ensemble of one); --ignore-unsupported serves all the same",
    );
    check(
        &["--listen", "127.0.0.1:0"],
        &[("JVMFLAGS", "-Dzookeeper.sessionRequireClientSASLAuth=true")],
        2,
        "cannot be given here: JVMFLAGS: zookeeper.sessionRequireClientSASLAuth=true (SASL is not spoken); \
         --ignore-unsupported serves all the same",
    );
}

#[test]
fn arguments_that_zookeepers_main_class_refuses() {
    check(
        &["2181", "/data", "soon"],
        &[],
        2,
        "command line: tickTime=soon: must be a whole number of 32 bits",
    );
}

#[test]
fn help_and_version_are_no_errors() {
    for flag in ["--help", "--version"] {
        let output = run(&[flag], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("minikeeper"));
    }
}
