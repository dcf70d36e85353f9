//! Start, greeting and end of a server.

use std::fs;

use crate::binary::{Serving, ask};

#[test]
fn port_zero_takes_a_free_port_and_prints_it() {
    let server = Serving::start(&["--listen", "127.0.0.1:0"], &[]);
    let address = server.address();
    assert!(address.ip().is_loopback());
    assert_ne!(address.port(), 0);
    assert!(ask(address, "srvr").contains("Mode: standalone"));
}

#[test]
fn the_greeting_shows_the_commands_to_connect_and_to_stop() {
    let server = Serving::start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    let [connect, stop] = &server.greeting;
    let address = server.address();
    assert_eq!(
        *connect,
        format!(
            "minikeeper serves ZooKeeper clients on {address}, in memory; connect with: zkCli.sh -server {address}"
        )
    );
    assert_eq!(
        *stop,
        format!(
            "Stop with Ctrl-C or `kill {}`; the state is not saved.",
            server.id()
        )
    );
}

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let server = Serving::start(&["--listen", "127.0.0.1:0"], &[]);
        let (status, log) = server.end(signal);
        assert_eq!(status.code(), Some(0), "SIG{signal}: {log}");
        assert!(log.contains(&format!("SIG{signal}: stopping")), "{log}");
    }
}

#[test]
fn a_zoo_cfg_is_served_and_settings_without_effect_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    let lines = format!("dataDir={}\nclientPort=0\ninitLimit=5\n", data.display());
    fs::write(&path, lines).expect("it can be written");
    let path = path.to_str().expect("the path is Unicode");
    for arguments in [vec![path], vec!["--config", path], vec!["serve", path]] {
        let server = Serving::start(&arguments, &[]);
        assert!(
            server.greeting[0].contains(" on 0.0.0.0:"),
            "{:?}",
            server.greeting
        );
        let (status, log) = server.end("TERM");
        assert_eq!(status.code(), Some(0));
        assert!(data.join("version-2").is_dir());
        assert!(
            log.contains("settings without effect: initLimit (no quorum protocol)"),
            "{log}"
        );
    }
}

#[test]
fn a_port_and_a_folder_are_served_as_zookeepers_main_class_does() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = folder.path().to_str().expect("the path is Unicode");
    let server = Serving::start(&["0", folder], &[]);
    assert!(
        server.greeting[0].contains(" on 0.0.0.0:"),
        "{:?}",
        server.greeting
    );
}

#[test]
fn log_off_logs_nothing() {
    let server = Serving::start(&["--log", "off", "--in-memory", "0", "/nowhere"], &[]);
    assert_eq!(server.end("TERM").1, "");
}
