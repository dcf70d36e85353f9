//! Common uses of ZooKeeper on the binary `minikeeper`, by every client. Each must print the same lines as on a real
//! ZooKeeper.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use libtest_mimic::Trial;
use minikeeper_harness::client::{ConnectRequest, Request};
use minikeeper_harness::provision;

use crate::java::JAVA;
use crate::kazoo::KAZOO;
use crate::outcome::Outcome;
use crate::server::Kind;
use crate::zookeeper_client::{self, Case};

pub(crate) fn trials() -> Vec<Trial> {
    let rust = |case: Case| zookeeper_client::check(Kind::Binary, case);
    let kazoo = |what| KAZOO.check(Kind::Binary, what);
    let java = |what| JAVA.check(Kind::Binary, what);
    vec![
        trial("zookeeper_client_configuration", move || {
            rust(|run| Box::pin(zookeeper_client::configuration(run)))
        }),
        trial("zookeeper_client_election", move || {
            rust(|run| Box::pin(zookeeper_client::election(run)))
        }),
        trial("kazoo_configuration", move || {
            kazoo("scenarios configuration")
        }),
        trial("kazoo_election", move || kazoo("scenarios leader_election")),
        trial("java_configuration", move || {
            java("Scenarios configuration")
        }),
        trial("java_election", move || java("Scenarios election")),
        trial("zkcli_configuration", move || java("ZkCli configuration")),
        trial("zkcli_election", move || java("ZkCli election")),
    ]
}

fn trial(name: &str, check: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("binary::{name}"), check)
}

/// A running binary; it ends when dropped.
pub(crate) struct Binary {
    process: Child,
    address: String,
}

impl Binary {
    pub(crate) fn start() -> Result<Self, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut process = Command::new(provision::binary(target)?)
            .args(["--listen", "127.0.0.1:0", "--log", "warn"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut greeting = String::new();
        // The line is printed once clients are served, and ends with the address.
        let read = BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting);
        let address = greeting.trim_end().rsplit(' ').next().unwrap().to_owned();
        let binary = Self { process, address };
        match read {
            Ok(0) => Err("the binary ended before it served clients".to_owned()),
            Ok(_) => Ok(binary),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn connect_string(&self) -> String {
        self.address.clone()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // If it has ended already, the test has failed for that reason.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Takes a session over and closes it, in one write. The client of the session then sees its connection end, and can
/// no longer resume the session.
pub(crate) fn close_session(address: &str, session: i64, password: Vec<u8>) -> Result<(), String> {
    let connect = ConnectRequest {
        session_id: session,
        password: Some(password),
        ..ConnectRequest::new(20_000)
    };
    let mut frames = connect.encode().0;
    frames.extend(Request::CloseSession.encode(1).0);
    let close = || -> io::Result<usize> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&frames)?;
        stream.read_to_end(&mut Vec::new())
    };
    close().map(drop).map_err(|error| error.to_string())
}
