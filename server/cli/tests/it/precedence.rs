//! Precedence of the sources of settings, read from the answer to `conf`.

use std::fs;

use crate::binary::{Serving, ask};

fn check(arguments: &[&str], variables: &[(&str, &str)], expected: &[&str]) {
    let arguments = [&["--in-memory"], arguments].concat();
    let server = Serving::start(&arguments, variables);
    let conf = ask(server.address(), "conf");
    for line in expected {
        assert!(
            conf.lines().any(|found| found == *line),
            "no {line} in {conf}"
        );
    }
}

#[test]
fn without_configuration_there_is_no_limit_and_a_tick_of_2000_ms() {
    check(
        &["--listen", "127.0.0.1:0"],
        &[],
        &[
            "tickTime=2000",
            "maxClientCnxns=0",
            "minSessionTimeout=4000",
            "maxSessionTimeout=40000",
        ],
    );
}

#[test]
fn a_zoo_cfg_wins_over_jvmflags_and_variables_and_has_the_real_defaults() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    fs::write(
        &path,
        "dataDir=/data\nclientPort=0\n4lw.commands.whitelist=conf\n",
    )
    .expect("it can be written");
    let path = path.to_str().expect("the path is Unicode");
    check(
        &[path],
        &[
            ("JVMFLAGS", "-Dzookeeper.4lw.commands.whitelist=ruok"),
            ("ZOO_TICK_TIME", "500"),
        ],
        &["tickTime=3000", "maxClientCnxns=60"],
    );
    check(
        &["--tick-time", "70", path],
        &[],
        &["tickTime=70", "minSessionTimeout=140"],
    );
}

#[test]
fn the_images_variables_have_the_images_defaults() {
    let variables = [
        ("MINIKEEPER_DEFAULTS", "image"),
        ("ZOO_SERVERS", "server.1=localhost:2888:3888;0"),
        ("ZOO_4LW_COMMANDS_WHITELIST", "conf"),
        ("ZOO_CFG_EXTRA", "maxSessionTimeout=5000"),
    ];
    check(
        &[],
        &variables,
        &[
            "tickTime=2000",
            "maxClientCnxns=60",
            "maxSessionTimeout=5000",
        ],
    );
}

#[test]
fn outside_the_image_variables_change_only_what_they_name() {
    check(
        &["--listen", "127.0.0.1:0"],
        &[
            ("ZOO_TICK_TIME", "500"),
            ("ZOO_MAX_SESSION_TIMEOUT", "7000"),
        ],
        &["tickTime=500", "maxClientCnxns=0", "maxSessionTimeout=7000"],
    );
}

#[test]
fn confluents_variables_are_those_of_a_zoo_cfg() {
    check(
        &["--listen", "127.0.0.1:0"],
        &[
            ("ZOOKEEPER_CLIENT_PORT", "32181"),
            ("ZOOKEEPER_TICK_TIME", "500"),
            ("KAFKA_OPTS", "-Dzookeeper.maxCnxns=5"),
        ],
        &["tickTime=500", "minSessionTimeout=1000"],
    );
}

#[test]
fn a_zoo_cfg_in_the_conf_folder_wins_over_the_images_variables() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(
        folder.path().join("zoo.cfg"),
        "dataDir=/data\nclientPort=0\ntickTime=321\n",
    )
    .expect("it can be written");
    let path = folder.path().to_str().expect("the path is Unicode");
    check(
        &["--four-letter-words", "conf"],
        &[("ZOO_CONF_DIR", path), ("ZOO_TICK_TIME", "500")],
        &["tickTime=321"],
    );
}

#[test]
fn the_four_letter_words_are_those_that_were_chosen() {
    let server = Serving::start(
        &["--listen", "127.0.0.1:0", "--four-letter-words", "ruok"],
        &[],
    );
    assert_eq!(ask(server.address(), "ruok"), "imok");
    assert!(ask(server.address(), "mntr").contains("not in the whitelist"));
    assert!(ask(server.address(), "srvr").contains("Mode: standalone"));
}
