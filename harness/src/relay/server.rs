//! Who has the folder: a real ZooKeeper or one of ours, each in a process of its own, ended by a signal or killed.

use super::RelayError;
use crate::backend::{Backend, Keeping, OwnProcess, ServerSetup, Settings, ZooKeeper};
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
pub(super) enum Who<'a> {
    /// A real one of this version.
    Real(&'a str),
    /// Ours, from this program.
    Ours(&'a Path),
}

/// A server that runs on a folder.
#[derive(Debug)]
pub(super) enum Runner {
    Real(ZooKeeper),
    Ours(OwnProcess),
}

impl Runner {
    /// Starts it on what `folder` has under `data`.
    pub(super) fn start(
        who: Who<'_>,
        folder: &Path,
        setup: ServerSetup,
        keeping: &Keeping,
    ) -> Result<Self, RelayError> {
        let settings = Settings {
            setup,
            keeping: keeping.clone(),
            ..Settings::default()
        };
        Ok(match who {
            Who::Real(version) => Self::Real(ZooKeeper::start_on(folder, version, &settings)?),
            Who::Ours(program) => {
                Self::Ours(OwnProcess::start(program, &folder.join("data"), &settings)?)
            }
        })
    }

    pub(super) fn address(&self) -> String {
        match self {
            Self::Real(server) => server.connect_string(),
            Self::Ours(server) => server.connect_string(),
        }
    }

    /// Whether it is a real server that is a quorum of one.
    pub(super) fn is_quorum(&self, keeping: &Keeping) -> bool {
        matches!(self, Self::Real(_)) && keeping.server_id != 1
    }

    pub(super) fn end(&mut self, ending: Ending) -> Result<(), RelayError> {
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
pub(super) struct Held {
    pub(super) session: ConnectResponse,
}

impl Held {
    pub(super) fn of(session: ConnectResponse) -> Self {
        Self { session }
    }

    pub(super) fn id(&self) -> i64 {
        self.session.session_id
    }

    /// Goes on with it elsewhere.
    pub(super) fn resume(&self, address: &str) -> Result<BlockingClient, RelayError> {
        self.resume_with(address, self.session.password.clone())
    }

    pub(super) fn resume_with(
        &self,
        address: &str,
        password: Option<Vec<u8>>,
    ) -> Result<BlockingClient, RelayError> {
        let request = ConnectRequest {
            session_id: self.session.session_id,
            password,
            ..ConnectRequest::new(self.session.timeout_ms)
        };
        Ok(BlockingClient::connect_within(PATIENCE, address, &request)?)
    }

    /// The same, as one who may see everything.
    pub(super) fn resume_as_super(&self, address: &str) -> Result<BlockingClient, RelayError> {
        let mut client = self.resume(address)?;
        if client.session().session_id != self.id() {
            return Err(RelayError::Differs(format!(
                "session {:#x} of who looks cannot be resumed: {:?}",
                self.id(),
                client.session()
            )));
        }
        become_super(&mut client)?;
        Ok(client)
    }
}

/// Lets a client see everything.
pub(super) fn become_super(client: &mut BlockingClient) -> Result<(), RelayError> {
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: b"super:test".to_vec(),
    };
    client.call(&auth)?;
    Ok(())
}
