//! Inputs that were found in use and in public reports, as they were found: configuration, images and the command line.

use std::fs;

use crate::binary::{Serving, run};
use crate::client::Client;

/// Error message of the binary for arguments and variables that it refuses.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{arguments:?} {variables:?}: {stderr}"
    );
    stderr
}

/// The log of a server that was started and ended.
fn log(arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let server = Serving::start(arguments, variables);
    let [greeting, _] = server.greeting.clone();
    let (status, log) = server.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    (greeting, log)
}

const HERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn f6_bitnamis_list_of_two_voting_members_is_refused_with_the_reason() {
    for servers in [
        "zk1:2888:3888::1 zk2:2888:3888::2",
        "zk1:2888:3888::1,zk2:2888:3888::2",
        "zk1:2888:3888::1;zk2:2888:3888::2",
        "zk1:2888:3888,zk2:2888:3888",
    ] {
        for arguments in [&HERE[..], &[]] {
            assert_eq!(
                refusal(arguments, &[("ZOO_SERVERS", servers)]),
                "minikeeper: not supported: ZOO_SERVERS: 2 voting members (use --members-from-config to serve all of \
                 them from this process); \
                 use --ignore-unsupported to start anyway\n"
            );
        }
    }
    let (_, log) = log(
        &[&HERE[..], &["--ignore-unsupported"]].concat(),
        &[("ZOO_SERVERS", "zk1:2888:3888::1 zk2:2888:3888::2")],
    );
    assert!(
        log.contains("not supported, ignored: ZOO_SERVERS: 2 voting members"),
        "{log}"
    );
}

#[test]
fn f7_confluents_and_bitnamis_variables_are_honoured_or_named() {
    // The port is not tested here: it may be taken.
    let variables = [
        ("ALLOW_ANONYMOUS_LOGIN", "yes"),
        (
            "KAFKA_OPTS",
            "-Djava.security.auth.login.config=/x -Dzookeeper.nonsense=1",
        ),
        ("KAFKA_JMX_PORT", "9999"),
        ("ZOOKEEPER_CLIENT_PORT", "32181"),
        ("ZOOKEEPER_TICK_TIME", "500"),
        ("ZOOKEEPER_NONSENSE", "1"),
        ("ZOO_HEAP_SIZE", "512"),
    ];
    let (_, log) = log(&HERE, &variables);
    for expected in [
        "KAFKA_JMX_PORT, ZOO_HEAP_SIZE (there is no Java virtual machine)",
        "java.security.auth.login.config (SASL and Kerberos are not supported)",
        "unknown settings, ignored: ZOOKEEPER_NONSENSE, zookeeper.nonsense",
    ] {
        assert!(log.contains(expected), "no {expected:?} in {log}");
    }
    let refused = refusal(&HERE, &[("ZOOKEEPER_SECURE_CLIENT_PORT", "2182")]);
    assert!(
        refused.contains("secureClientPort=2182 (TLS is not supported)"),
        "{refused}"
    );
}

#[test]
fn f8_a_server_with_required_authentication_never_starts_open() {
    for variable in [
        "ZOO_ENABLE_AUTH",
        "ZOO_TLS_CLIENT_ENABLE",
        "ZOO_ENABLE_QUORUM_AUTH",
    ] {
        let refused = refusal(&HERE, &[(variable, "yes")]);
        assert!(
            refused.contains(&format!("not supported: {variable}: ")),
            "{refused}"
        );
        let (_, log) = log(&HERE, &[(variable, "no")]);
        assert!(!log.contains(variable), "{log}");
    }
}

#[test]
fn f11_a_refusal_suggests_the_likely_intention() {
    for (line, expected) in [
        ("2181", "to listen on port 2181: minikeeper --listen 2181"),
        ("helth", "did you mean: minikeeper health"),
        (
            "zkServer.sh start-foreground",
            "zkServer.sh is not part of minikeeper; minikeeper serves in the foreground",
        ),
        (
            "zkServer.sh --config /conf start",
            "zkServer.sh is not part of minikeeper; minikeeper serves in the foreground",
        ),
        ("zkCli.sh -server localhost:2181", "ZooKeeper's own client"),
        ("start", "minikeeper serves in the foreground"),
        ("localhost:2181", "minikeeper health localhost:2181"),
        ("--port 2181", "did you mean --listen?"),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let refused = refusal(&arguments, &[]);
        assert!(
            refused.starts_with("minikeeper: ") && refused.contains(expected),
            "{line}: {refused}"
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let below = file.join("data");
    let output = run(&["0", below.to_str().expect("the path is Unicode")], &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("must be able to create the folder"),
        "{stderr}"
    );
}

#[test]
fn f9_a_zoo_cfg_is_served_and_refused_as_by_a_real_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    fs::write(folder.path().join("myid"), "1\n").expect("it can be written");
    let write = |lines: &str| {
        let text = format!(
            "dataDir={}\nclientPort=0\n{lines}\n",
            folder.path().display()
        );
        fs::write(&path, text).expect("it can be written");
    };
    let file = path.to_str().expect("the path is Unicode");
    write("server.1=localhost:2888:3888\ngroup.1=1\nweight.1=1");
    log(&[file], &[]);
    write("ssl.keyStore.location=/x\nssl.clientAuth=need");
    let (_, log) = log(&[file], &[]);
    assert!(
        log.contains("ssl.keyStore.location, ssl.clientAuth (TLS is not supported"),
        "{log}"
    );
    write("multiAddress.enabled=true\nserver.1=a:2888:3888|b:2889:3889;2181");
    assert!(refusal(&[file], &[]).contains("several addresses of one server"));
}

#[test]
fn f10_a_stray_variable_opens_nothing_to_the_network_and_keeps_no_state() {
    for variable in [
        ("ZOO_LOG4J_PROP", "INFO,CONSOLE"),
        ("ZOO_LOG_DIR", "/var/log/zookeeper"),
        ("ZOO_PORT_NUMBER", "0"),
    ] {
        // If the variable gives no port, another server may have the default port.
        let arguments: &[&str] = if variable.0 == "ZOO_PORT_NUMBER" {
            &[]
        } else {
            &HERE
        };
        let (greeting, _) = log(arguments, &[variable]);
        assert!(
            greeting.contains(" on 127.0.0.1:") && greeting.contains(", in memory;"),
            "{greeting}"
        );
    }
    let image = [("MINIKEEPER_DEFAULTS", "image"), ("ZOO_PORT_NUMBER", "0")];
    let (greeting, _) = log(&["--in-memory"], &image);
    assert!(greeting.contains(" on 0.0.0.0:"), "{greeting}");
}

#[test]
fn f12_a_session_that_expires_is_in_the_log() {
    let short = [
        "--tick-time",
        "20",
        "--min-session-timeout",
        "40",
        "--max-session-timeout",
        "60",
    ];
    let server = Serving::start(&[&HERE[..], &short].concat(), &[]);
    let client = Client::connect(server.address());
    let session = client.session();
    client.wait_for_the_end();
    let (_, log) = server.end("TERM");
    let expected = format!(" INFO expiring session {session}, timeout of 60ms exceeded\n");
    assert!(log.contains(&expected), "no {expected:?} in {log}");
}
