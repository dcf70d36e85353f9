//! `zkCli.sh`'s main class: the same script on the server under test and on a real ZooKeeper must print the same
//! lines.

use libtest_mimic::Trial;

use crate::java::{self, JAVA};
use crate::outcome::{Trouble, outcome};
use crate::server::{Kind, TestServer};
use crate::transcript;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = JAVA.trials(
        "zkcli",
        "ZkCli",
        include_str!("../../clients/java/ZkCli.java"),
    );
    trials.push(Trial::ignorable_test(
        "zkcli::commands_as_arguments",
        || outcome(transcript::same(Kind::under_test(), commands_as_arguments)),
    ));
    trials
}

/// Runs commands as `zkCli.sh -server ADDRESS COMMAND` does, each in a JVM of its own.
fn commands_as_arguments(server: &TestServer) -> Result<Vec<String>, Trouble> {
    let mut said = Vec::new();
    for command in [
        &["create", "/a", "hello"][..],
        &["get", "-s", "/a"],
        &["get", "/x"],
    ] {
        let output = java::program("org.apache.zookeeper.ZooKeeperMain", |_| ())?
            .args(["-server", &server.connect_string(), "-waitforconnection"])
            .args(command)
            .output()
            .map_err(|error| error.to_string())?;
        said.push(format!("> {} ({})", command.join(" "), output.status));
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&stream);
            // The watcher's thread may or may not print its lines; the lines about a missing logger are expected.
            let lines = text.lines().map(str::trim_end).filter(|line| {
                !line.is_empty()
                    && !line.starts_with("SLF4J")
                    && !line.starts_with("WATCHER::")
                    && !line.starts_with("WatchedEvent")
            });
            said.extend(lines.map(str::to_owned));
        }
    }
    Ok(said)
}
