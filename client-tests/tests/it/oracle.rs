//! Real ZooKeeper servers, all in one JVM (`clients/java/Oracle.java`), started for the first test that needs one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::java;
use crate::outcome::Trouble;
use crate::server::{CONTAINER_CHECK_MS, SUPER_DIGEST};

/// Version whose behaviour is correct by definition.
pub(crate) const VERSION: &str = "3.9.5";

static ORACLE: Mutex<Option<Oracle>> = Mutex::new(None);

struct Oracle {
    jvm: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
}

/// A server of the JVM.
pub(crate) struct RealServer {
    number: usize,
    port: u16,
}

/// Starts a new server.
pub(crate) fn start() -> Result<RealServer, Trouble> {
    let mut oracle = oracle();
    let oracle = match &mut *oracle {
        Some(oracle) => oracle,
        none => none.insert(Oracle::start()?),
    };
    let folder = oracle.folder.path().to_owned();
    let data = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let answer = oracle.ask(&format!("start {}", data.keep().display()))?;
    match answer.split_once(' ') {
        Some((number, port)) if number != "failed" => Ok(RealServer {
            number: number.parse().map_err(|_| answer.clone())?,
            port: port.parse().map_err(|_| answer.clone())?,
        }),
        _ => Err(Trouble::Wrong(format!("no ZooKeeper: {answer}"))),
    }
}

/// Ends the JVM and deletes the servers' files.
pub(crate) fn end() {
    if let Some(mut oracle) = oracle().take() {
        drop(oracle.questions);
        // No test depends on the exit status any more.
        let _ = oracle.jvm.wait();
    }
}

fn oracle() -> MutexGuard<'static, Option<Oracle>> {
    ORACLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Oracle {
    fn start() -> Result<Self, Trouble> {
        let folder =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let mut jvm = java::program("Oracle", |java| {
            java.arg("-Dzookeeper.extendedTypesEnabled=true")
                .arg("-Dzookeeper.forceSync=no")
                .arg("-Dzookeeper.preAllocSize=64")
                .arg("-Dzookeeper.admin.enableServer=false")
                .arg("-Dzookeeper.4lw.commands.whitelist=*")
                .arg(format!(
                    "-Dznode.container.checkIntervalMs={CONTAINER_CHECK_MS}"
                ))
                .arg(format!(
                    "-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"
                ));
        })?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
        Ok(Self {
            questions: jvm.stdin.take().unwrap(),
            answers: BufReader::new(jvm.stdout.take().unwrap()),
            jvm,
            folder,
        })
    }

    fn ask(&mut self, question: &str) -> Result<String, String> {
        let mut answer = String::new();
        writeln!(self.questions, "{question}").map_err(|error| error.to_string())?;
        self.answers
            .read_line(&mut answer)
            .map_err(|error| error.to_string())?;
        Ok(answer.trim_end().to_owned())
    }
}

impl RealServer {
    pub(crate) fn connect_string(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn stop(&self) -> Result<(), String> {
        self.ask("stop", "")
    }

    pub(crate) fn start_again(&self) -> Result<(), String> {
        self.ask("start-again", "")
    }

    pub(crate) fn expire(&self, session: i64) -> Result<(), String> {
        self.ask("expire", &session.to_string())
    }

    fn ask(&self, verb: &str, rest: &str) -> Result<(), String> {
        let question = format!("{verb} {} {rest}", self.number);
        let answer = oracle()
            .as_mut()
            .ok_or("the JVM of the real servers has ended")?
            .ask(&question)?;
        if answer == "ok" { Ok(()) } else { Err(answer) }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        // If the JVM has ended, so has the server.
        let _ = self.ask("drop", "");
    }
}
