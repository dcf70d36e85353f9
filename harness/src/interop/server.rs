//! Who has the folder: a real ZooKeeper or one of ours, each in a process of its own, ended by a signal or killed.

use super::InteropError;
use crate::backend::{
    Backend, FolderSettings, MinikeeperProcess, ServerSetup, Settings, ZooKeeper,
};
use crate::client::{BlockingClient, ConnectRequest, ConnectResponse, Request};
use crate::patience::PATIENCE;
use std::fmt;
use std::path::Path;

/// How the server of a leg ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is asked to.
    Asked,
    /// It is not.
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

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerKind<'a> {
    /// A real one of this version.
    Real(&'a str),
    /// Ours, from this program.
    Ours(&'a Path),
}

/// A server that runs on a folder.
#[derive(Debug)]
pub(super) enum RunningServer {
    Real(ZooKeeper),
    Ours(MinikeeperProcess),
}

impl RunningServer {
    /// Starts it on what `folder` has under `data`.
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

    /// Whether it is a real server that is a quorum of one.
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

    /// Lines of a real server's log that speak of trouble with its folder.
    pub(super) fn complaints(&self) -> Vec<String> {
        let Self::Real(server) = self else {
            return Vec::new();
        };
        let said = server.said();
        said.lines()
            .filter(|line| is_complaint(line))
            .map(str::to_owned)
            .collect()
    }
}

fn is_complaint(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    // The end of a log, which versions whose logger says everything tell as an exception; and four-letter words that
    // came before there was anything to tell; and quotas of which somebody has deleted a half.
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

/// A session that somebody left open.
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

    /// Goes on with it elsewhere.
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

    /// The same, as one who may see everything.
    pub(super) fn resume_as_super(&self, address: &str) -> Result<BlockingClient, InteropError> {
        let mut client = self.resume(address)?;
        if client.session().session_id != self.id() {
            return Err(InteropError::Differs(format!(
                "session {:#x} of kind looks cannot be resumed: {:?}",
                self.id(),
                client.session()
            )));
        }
        become_super(&mut client)?;
        Ok(client)
    }
}

/// Lets a client see everything.
pub(super) fn become_super(client: &mut BlockingClient) -> Result<(), InteropError> {
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: b"super:test".to_vec(),
    };
    client.call(&auth)?;
    Ok(())
}
