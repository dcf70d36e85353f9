//! minikeeper on a data folder in a process of its own, which runs the harness's program with a hidden command.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use semver::Version;

use super::child::Child;
use super::{Backend, BackendError, BackendKind, Capability, Compression, ServerSetup, Settings};

/// A minikeeper server in a process of its own.
#[derive(Debug)]
pub struct MinikeeperProcess {
    child: Option<Child>,
    address: String,
}

impl MinikeeperProcess {
    /// Runs `program serve-folder` on a data folder, and waits until the server answers.
    ///
    /// # Errors
    ///
    /// If the server does not start; its messages are on the standard error of this process.
    pub fn start(program: &Path, data: &Path, settings: &Settings) -> Result<Self, BackendError> {
        let mut command = Command::new(program);
        command.arg("serve-folder").arg(data);
        let folder_settings = &settings.folder_settings;
        if !folder_settings.force_sync {
            command.arg("--no-sync");
        }
        if let Some(count) = folder_settings.snap_count {
            command.args(["--snap-count", &count.to_string()]);
        }
        if let Some(kib) = folder_settings.pre_alloc_kib {
            command.args(["--pre-alloc-kib", &kib.to_string()]);
        }
        if folder_settings.compression != Compression::None {
            command.args(["--compression", &folder_settings.compression.to_string()]);
        }
        if folder_settings.trust_empty {
            command.arg("--trust-empty");
        }
        if let Some(span) = folder_settings.longest_session {
            command.args(["--longest-session-ms", &span.as_millis().to_string()]);
        }
        command.args(["--server-id", &folder_settings.server_id.to_string()]);
        if !folder_settings.extended_types {
            command.arg("--no-extended-types");
        }
        if settings.setup == ServerSetup::Reaping {
            command.arg("--reaping");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(&mut command)?;
        let mut line = String::new();
        if let Some(output) = child.output() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().to_owned();
        if address.is_empty() {
            return Err(BackendError::Ended(format!("{command:?}")));
        }
        Ok(Self {
            child: Some(child),
            address,
        })
    }

    /// Returns the process id, for reading its memory.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Asks the process to end by closing its standard input, and waits until it has.
    ///
    /// # Errors
    ///
    /// If the process does not end.
    pub fn terminate(&mut self) -> Result<(), BackendError> {
        match self.child.take() {
            Some(mut child) => child.end_input(),
            None => Ok(()),
        }
    }
}

impl Backend for MinikeeperProcess {
    fn name(&self) -> String {
        "minikeeper on a folder".to_owned()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(BackendKind::NEWEST_ZOOKEEPER).ok()
    }

    fn connect_string(&self) -> String {
        self.address.clone()
    }

    fn supports(&self, _capability: Capability<'_>) -> bool {
        false
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Err(io::Error::other("the owner of the folder starts a new process instead").into())
    }

    /// Kills the process, and waits until it has ended.
    fn stop(&mut self) {
        self.child = None;
    }
}
