//! The AdminServer and the metrics for Prometheus.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::binary::{Serving, ask, run};

const PROVIDER: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

/// Returns the answer to a GET.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Returns a port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

#[test]
fn a_zoo_cfg_turns_the_admin_server_and_prometheus_on() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = folder.path().display();
    let (admin, metrics) = (free_port(), free_port());
    let file = folder.path().join("zoo.cfg");
    let text = format!(
        "dataDir={dir}\nclientPort=0\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\n\
         admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={admin}\n\
         metricsProvider.className={PROVIDER}\nmetricsProvider.httpHost=127.0.0.1\n\
         metricsProvider.httpPort={metrics}\n"
    );
    fs::write(&file, text).expect("it can be written");
    let file = file.to_str().expect("the path is Unicode");
    let server = Serving::start(&["serve", file], &[]);
    let ruok = get(admin, "/commands/ruok");
    assert!(
        ruok.ends_with("{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}"),
        "{ruok}"
    );
    let samples = get(metrics, "/metrics");
    for line in [
        "# TYPE znode_count gauge\nznode_count 5.0\n",
        "\nprocess_open_fds ",
    ] {
        assert!(samples.contains(line), "no {line} in {samples}");
    }
    let mntr = ask(server.address(), "mntr");
    assert!(mntr.contains("zk_znode_count\t5.0\n"), "{mntr}");
}

#[test]
fn a_taken_port_of_the_admin_server_ends_it_as_a_real_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = folder.path().display();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let file = folder.path().join("zoo.cfg");
    let text = format!(
        "dataDir={dir}\nclientPort=0\nclientPortAddress=127.0.0.1\nadmin.enableServer=true\n\
         admin.serverAddress=127.0.0.1\nadmin.serverPort={port}\n"
    );
    fs::write(&file, text).expect("it can be written");
    let output = run(&["serve", file.to_str().expect("the path is Unicode")], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let message =
        format!("cannot start the AdminServer on 127.0.0.1:{port}: Address already in use");
    let advice = "; set admin.serverPort to another port, or admin.enableServer=false";
    assert!(said.contains(&message) && said.contains(advice), "{said}");
}
