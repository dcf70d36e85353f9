//! Child processes that end with this process.

use std::io::{self, Write};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::BackendError;
use crate::patience;

/// A process that is killed when dropped, or when this process is killed.
#[derive(Debug)]
pub(super) struct Child(process::Child);

impl Child {
    /// Starts the process.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = Self(command.spawn()?);
        Watcher::send('+', child.pid());
        Ok(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Takes the standard output, if it is piped and was not taken before.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Closes the standard input of the process and waits until the process has ended.
    pub(super) fn end_input(&mut self) -> Result<(), BackendError> {
        drop(self.0.stdin.take());
        Ok(patience::until("a process to end after its input", || {
            (!self.runs()).then_some(())
        })?)
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub(super) fn terminate(&mut self) -> Result<(), BackendError> {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        if !asked.success() {
            return Err(io::Error::other(format!("`kill -TERM {pid}` failed ({asked})")).into());
        }
        Ok(patience::until("a process to end after SIGTERM", || {
            (!self.runs()).then_some(())
        })?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A failure means that the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        Watcher::send('-', self.pid());
    }
}

/// A shell that reads the pids of started and ended processes, and kills the running ones when its standard input
/// ends. It is needed because no destructor runs in a killed process.
#[derive(Debug)]
struct Watcher(process::Child);

const WATCH: &str = "trap '' INT HUP TERM QUIT PIPE
while read -r sign pid; do
  case $sign in
  +) pids=\"$pids $pid\" ;;
  -) others=''; for p in $pids; do [ \"$p\" = \"$pid\" ] || others=\"$others $p\"; done; pids=$others ;;
  esac
done
[ -z \"$pids\" ] || kill -9 $pids";

impl Watcher {
    /// Sends a pid to the shell; does nothing on a system without a shell.
    fn send(sign: char, pid: u32) {
        static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);
        let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.is_none() {
            *watcher = Self::start().ok();
        }
        if let Some(stdin) = watcher
            .as_mut()
            .and_then(|watcher| watcher.0.stdin.as_mut())
        {
            let _ = writeln!(stdin, "{sign} {pid}");
        }
    }

    fn start() -> io::Result<Self> {
        Command::new("sh")
            .args(["-c", WATCH])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{Child, Watcher};

    #[test]
    fn running_processes_are_killed_when_the_input_of_the_watcher_ends() {
        let mut command = Command::new("sleep");
        let mut process = command
            .arg("1000")
            .stdin(Stdio::null())
            .spawn()
            .expect("the system allows it");
        let mut watcher = Watcher::start().expect("the system allows it");
        let mut stdin = watcher.0.stdin.take().expect("the system allows it");
        writeln!(stdin, "+ 999999999\n+ {}\n- 999999999", process.id())
            .expect("the system allows it");
        drop(stdin);
        assert!(!process.wait().expect("the system allows it").success());
        assert!(watcher.0.wait().expect("the system allows it").success());
    }

    #[test]
    fn a_child_ends_when_dropped() {
        let mut child =
            Child::start(Command::new("sleep").arg("1000")).expect("the system allows it");
        assert!(child.runs());
    }
}
