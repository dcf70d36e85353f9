//! The servers that use the folder: a real ZooKeeper or minikeeper, each in a process of its own that is terminated
//! or killed.

use std::fmt;
use std::path::Path;

use super::InteropError;
use crate::backend::{
    Backend, FolderSettings, MinikeeperProcess, ServerSetup, Settings, ZooKeeper,
};
use crate::client::{BlockingClient, ConnectRequest, ConnectResponse, Request};
use crate::patience::PATIENCE;

/// The way in which the server of a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The process is asked to end.
    Asked,
    /// The process is killed.
    Killed,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked to end",
            Self::Killed => "killed",
        })
    }
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerKind<'a> {
    /// A real ZooKeeper of this version.
    Real(&'a str),
    /// minikeeper, run by this program.
    Ours(&'a Path),
}

/// A server that runs on a folder.
#[derive(Debug)]
pub(super) enum RunningServer {
    Real(ZooKeeper),
    Ours(MinikeeperProcess),
}

impl RunningServer {
    /// Starts a server on the state under `folder`'s `data`.
    pub(super) fn start(
        kind: ServerKind<'_>,
        folder: &Path,
        setup: ServerSetup,
        folder_settings: &FolderSettings,
    ) -> Result<Self, InteropError> {
        let settings = Settings {
            setup,
            folder_settings: folder_settings.clone(),
            ..Settings::default()
        };
        Ok(match kind {
            ServerKind::Real(version) => {
                Self::Real(ZooKeeper::start_on(folder, version, &settings)?)
            }
            ServerKind::Ours(program) => Self::Ours(MinikeeperProcess::start(
                program,
                &folder.join("data"),
                &settings,
            )?),
        })
    }

    pub(super) fn address(&self) -> String {
        match self {
            Self::Real(server) => server.connect_string(),
            Self::Ours(server) => server.connect_string(),
        }
    }

    /// Returns whether the server is a real one that forms a quorum of one.
    pub(super) fn is_quorum(&self, folder_settings: &FolderSettings) -> bool {
        matches!(self, Self::Real(_)) && folder_settings.server_id != 1
    }

    pub(super) fn end(&mut self, ending: Ending) -> Result<(), InteropError> {
        match (self, ending) {
            (Self::Real(server), Ending::Asked) => server.terminate()?,
            (Self::Real(server), Ending::Killed) => server.stop(),
            (Self::Ours(server), Ending::Asked) => server.terminate()?,
            (Self::Ours(server), Ending::Killed) => server.stop(),
        }
        Ok(())
    }

    /// Returns the lines of a real server's log that report problems with its folder.
    pub(super) fn complaints(&self) -> Vec<String> {
        let Self::Real(server) = self else {
            return Vec::new();
        };
        let said = server.output();
        said.lines()
            .filter(|line| is_complaint(line))
            .map(str::to_owned)
            .collect()
    }
}

fn is_complaint(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    // Exceptions without a problem: the end of a log, which versions with a verbose logger report; four-letter words
    // that came before the server was ready; and quotas of which a client has deleted one half.
    let no_complaints = [
        "eofexception",
        "command socket",
        "removecnxn",
        "missing node for stat",
        "missing count node",
        "missing limit node",
    ];
    let is_small = line.contains("debug")
        || line.contains("info ")
        || no_complaints.iter().any(|words| line.contains(words));
    let words = [
        "mismatch",
        "not matching",
        "corrupt",
        "unreasonable",
        "unexpected",
    ];
    !is_small && (line.contains("error") || line.contains("exception"))
        || words.iter().any(|word| line.contains(word))
}

/// A session that a client did not close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenSession {
    pub(super) session: ConnectResponse,
}

impl OpenSession {
    pub(super) fn of(session: ConnectResponse) -> Self {
        Self { session }
    }

    pub(super) fn id(&self) -> i64 {
        self.session.session_id
    }

    /// Resumes the session on another server.
    pub(super) fn resume(&self, address: &str) -> Result<BlockingClient, InteropError> {
        self.resume_with(address, self.session.password.clone())
    }

    pub(super) fn resume_with(
        &self,
        address: &str,
        password: Option<Vec<u8>>,
    ) -> Result<BlockingClient, InteropError> {
        let request = ConnectRequest {
            session_id: self.session.session_id,
            password,
            ..ConnectRequest::new(self.session.timeout_ms)
        };
        Ok(BlockingClient::connect_within(PATIENCE, address, &request)?)
    }

    /// Resumes the session and authenticates as the super user.
    pub(super) fn resume_as_super(&self, address: &str) -> Result<BlockingClient, InteropError> {
        let mut client = self.resume(address)?;
        if client.session().session_id != self.id() {
            return Err(InteropError::Differs(format!(
                "the reader's session {:#x} cannot be resumed: {:?}",
                self.id(),
                client.session()
            )));
        }
        become_super(&mut client)?;
        Ok(client)
    }
}

/// Authenticates a client as the super user.
pub(super) fn become_super(client: &mut BlockingClient) -> Result<(), InteropError> {
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: b"super:test".to_vec(),
    };
    client.call(&auth)?;
    Ok(())
}
