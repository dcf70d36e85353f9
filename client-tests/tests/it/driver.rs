//! Test programs in other languages. One process runs many named tests, one after the other, each against a given
//! server. Lines that begin with `@` are the program's requests, such as a restart of the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::binary;
use crate::outcome::{Outcome, Trouble, outcome};
use crate::server::{Kind, TestServer};
use crate::transcript;

/// Maximum duration of a test.
const DEADLINE: Duration = Duration::from_secs(60);

/// Test programs of one language.
pub(crate) struct Language {
    /// Returns the command that starts a program, or the missing part.
    pub(crate) command: fn() -> Result<Command, Trouble>,
    idle: Mutex<Vec<Driver>>,
}

/// A running test program.
struct Driver {
    process: Child,
    questions: ChildStdin,
    lines: Receiver<String>,
}

impl Language {
    pub(crate) const fn new(command: fn() -> Result<Command, Trouble>) -> Self {
        Self {
            command,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Returns a trial for every test in a source file.
    pub(crate) fn trials(&'static self, client: &str, file: &str, source: &str) -> Vec<Trial> {
        cases(source)
            .into_iter()
            .map(|case| {
                let what = format!("{file} {case}");
                Trial::ignorable_test(format!("{client}::{case}"), move || {
                    self.check(Kind::under_test(), &what)
                })
            })
            .collect()
    }

    /// Runs a test, given its file and name; its printed lines must be those of a real ZooKeeper.
    pub(crate) fn check(&self, kind: Kind, what: &str) -> Outcome {
        outcome(transcript::same(kind, |server| self.run(what, server)))
    }

    /// Runs a test and returns the lines that must be the same on every server.
    pub(crate) fn run(&self, what: &str, server: &TestServer) -> Result<Vec<String>, Trouble> {
        let idle = self.idle().pop();
        let mut driver = match idle {
            Some(driver) => driver,
            None => Driver::start((self.command)()?)?,
        };
        let said = driver.run(&format!("run {what} {}", server.connect_string()), server)?;
        // A program in which a test failed is not used again, since the test may have left clients behind.
        self.idle().push(driver);
        Ok(said)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Driver>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the names of the tests in a driver's source: the text before `(` in the line after `@Case` or `@case`.
fn cases(source: &str) -> Vec<&str> {
    let mut lines = source.lines();
    let mut cases = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim().eq_ignore_ascii_case("@case") {
            let signature = lines.next().unwrap().split('(').next().unwrap();
            cases.push(signature.rsplit(' ').next().unwrap());
        }
    }
    cases
}

impl Driver {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let (sender, lines) = mpsc::channel();
        forward(process.stdout.take().unwrap(), sender.clone());
        forward(process.stderr.take().unwrap(), sender);
        Ok(Self {
            questions: process.stdin.take().unwrap(),
            process,
            lines,
        })
    }

    fn run(&mut self, what: &str, server: &TestServer) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        let mut talk = String::new();
        let end = Instant::now() + DEADLINE;
        self.send(what)?;
        loop {
            let line = match self.lines.recv_timeout(end - Instant::now().min(end)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("not done within {DEADLINE:?}\n{talk}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("the test program ended\n{talk}"));
                }
            };
            if let Some(line) = line.strip_prefix("| ") {
                said.push(line.to_owned());
            }
            let Some(request) = line.strip_prefix('@') else {
                talk.push_str(&line);
                talk.push('\n');
                continue;
            };
            let done = match request.split_once(' ').unwrap_or((request, "")) {
                ("pass", _) => return Ok(said),
                ("fail", _) => return Err(talk),
                ("restart", _) => server.stop().and_then(|()| server.start_again()),
                ("stop", _) => server.stop(),
                ("start-again", _) => server.start_again(),
                ("expire", session) => match session_and_password(session) {
                    Some((session, password)) => server.expire(session, || {
                        binary::close_session(&server.connect_string(), session, password)
                    }),
                    None => Err(format!("`{session}` is not a session id and a password")),
                },
                _ => Err(format!("unknown request `{request}`")),
            };
            self.send(&done.map_or_else(|why| why, |()| "done".to_owned()))?;
        }
    }

    fn send(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.questions, "{line}")
            .and_then(|()| self.questions.flush())
            .map_err(|error| format!("cannot write to the test program: {error}"))
    }
}

/// Parses a decimal id, a space, and a password in hexadecimal.
fn session_and_password(text: &str) -> Option<(i64, Vec<u8>)> {
    let (session, password) = text.split_once(' ')?;
    let password = password
        .as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    Some((session.parse().ok()?, password))
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The program may hang, which is why it is dropped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn forward(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}
