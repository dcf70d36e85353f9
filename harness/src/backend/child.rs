//! Processes that end with whoever started them.

use super::BackendError;
use crate::patience;
use std::io::{self, Write};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A process that is killed when dropped, and also if this process is killed.
#[derive(Debug)]
pub(super) struct Child(process::Child);

impl Child {
    /// Starts it.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = Self(command.spawn()?);
        Watcher::tell('+', child.pid());
        Ok(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// What it says, if that is piped and nobody has taken it.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Ends what it reads, and waits until it has ended for that.
    pub(super) fn end_input(&mut self) -> Result<(), BackendError> {
        drop(self.0.stdin.take());
        Ok(patience::until("a process whose input ended", || {
            (!self.runs()).then_some(())
        })?)
    }

    /// Asks it to end by a signal, and waits until it has.
    pub(super) fn terminate(&mut self) -> Result<(), BackendError> {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        if !asked.success() {
            return Err(io::Error::other(format!("`kill -TERM {pid}` failed ({asked})")).into());
        }
        Ok(patience::until("a process that was asked to end", || {
            (!self.runs()).then_some(())
        })?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // What fails here has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        Watcher::tell('-', self.pid());
    }
}

/// A shell that reads which processes come and go, and kills those left when nobody writes any more: no destructor
/// runs in a process that is killed.
#[derive(Debug)]
struct Watcher(process::Child);

const WATCH: &str = "trap '' INT HUP TERM QUIT PIPE
while read -r sign pid; do
  case $sign in
  +) pids=\"$pids $pid\" ;;
  -) left=''; for p in $pids; do [ \"$p\" = \"$pid\" ] || left=\"$left $p\"; done; pids=$left ;;
  esac
done
[ -z \"$pids\" ] || kill -9 $pids";

impl Watcher {
    /// Where there is no shell nobody watches.
    fn tell(sign: char, pid: u32) {
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
    use super::{Child, Watcher};
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_left_is_killed_when_nobody_writes_any_more() {
        let mut command = Command::new("sleep");
        let mut left = command
            .arg("1000")
            .stdin(Stdio::null())
            .spawn()
            .expect("the system allows it");
        let mut watcher = Watcher::start().expect("the system allows it");
        let mut stdin = watcher.0.stdin.take().expect("the system allows it");
        writeln!(stdin, "+ 999999999\n+ {}\n- 999999999", left.id()).expect("the system allows it");
        drop(stdin);
        assert!(!left.wait().expect("the system allows it").success());
        assert!(watcher.0.wait().expect("the system allows it").success());
    }

    #[test]
    fn a_child_ends_when_dropped() {
        let mut child =
            Child::start(Command::new("sleep").arg("1000")).expect("the system allows it");
        assert!(child.runs());
    }
}
