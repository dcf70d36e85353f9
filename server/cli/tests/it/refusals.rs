//! Refusals: one line on stderr, and an exit code other than 0.

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
fn an_unknown_option_is_refused() {
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
fn a_used_port_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    check(
        &["--listen", &address],
        &[],
        1,
        &format!("cannot serve: {address} is in use; use --listen 127.0.0.1:0 for a free port"),
    );
}

#[test]
fn a_zoo_cfg_that_zookeeper_refuses_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    let path = path.to_str().expect("the path is Unicode");
    check(
        &[path],
        &[],
        2,
        &format!("{path}: cannot read the configuration: No such file or directory (os error 2)"),
    );
    let folder = folder.path().to_str().expect("the path is Unicode");
    check(
        &[folder],
        &[],
        2,
        &format!(
            "{folder}: is a folder, not a configuration file; \
             use --data-dir {folder} to serve its state, or --open-copy {folder} to serve a copy"
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
fn unsupported_settings_are_refused() {
    check(
        &["--listen", "127.0.0.1:0"],
        &[
            ("MINIKEEPER_DEFAULTS", "image"),
            ("ZOO_STANDALONE_ENABLED", "false"),
        ],
        2,
        "not supported: ZOO_STANDALONE_ENABLED: standaloneEnabled=false (a server line makes it an \
         ensemble of one); use --ignore-unsupported to start anyway",
    );
    check(
        &["--listen", "127.0.0.1:0"],
        &[("JVMFLAGS", "-Dzookeeper.sessionRequireClientSASLAuth=true")],
        2,
        "not supported: JVMFLAGS: zookeeper.sessionRequireClientSASLAuth=true (SASL is not supported); \
         use --ignore-unsupported to start anyway",
    );
}

#[test]
fn arguments_that_zookeepers_main_class_refuses_are_refused() {
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
