//! The server of a test: minikeeper in this process, the binary, or a real ZooKeeper.

use std::time::Duration;

use minikeeper::{Config, Server, ServerBuilder, SessionId};

use crate::binary::Binary;
use crate::oracle::{self, RealServer};
use crate::outcome::Trouble;

/// Digest of the super user of every test; the password is `test`.
pub(crate) const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

/// Interval at which containers and TTL znodes are checked. It is short, since tests wait for their deletion.
pub(crate) const CONTAINER_CHECK_MS: u64 = 100;

/// Reason for which a test cannot restart the binary.
const FORGETS: &str = "the binary has no state after a restart";

/// Kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Binary,
    Real,
}

impl Kind {
    /// Returns the kind in `MINIKEEPER_CLIENT_TESTS_SERVER`; minikeeper if it is not set.
    pub(crate) fn under_test() -> Self {
        match std::env::var("MINIKEEPER_CLIENT_TESTS_SERVER") {
            Err(_) => Self::Ours,
            Ok(name) if name == "minikeeper" => Self::Ours,
            Ok(name) if name == format!("zookeeper:{}", oracle::VERSION) => Self::Real,
            Ok(name) => panic!(
                "MINIKEEPER_CLIENT_TESTS_SERVER is `{name}`; use minikeeper or zookeeper:{}",
                oracle::VERSION
            ),
        }
    }
}

/// A new server on a port of its own, which ends when dropped.
pub(crate) enum TestServer {
    Ours(Server),
    Binary(Binary),
    Real(RealServer),
}

impl TestServer {
    pub(crate) fn start(kind: Kind) -> Result<Self, Trouble> {
        match kind {
            Kind::Ours => {
                let mut config = Config::default();
                config.super_digest = Some(SUPER_DIGEST.to_owned());
                config.container_check_interval = Duration::from_millis(CONTAINER_CHECK_MS);
                let server = ServerBuilder::from(config)
                    .start()
                    .map_err(|error| error.to_string())?;
                Ok(Self::Ours(server))
            }
            Kind::Binary => Ok(Self::Binary(Binary::start()?)),
            Kind::Real => Ok(Self::Real(oracle::start()?)),
        }
    }

    pub(crate) fn connect_string(&self) -> String {
        match self {
            Self::Ours(server) => server.connect_string(),
            Self::Binary(server) => server.connect_string(),
            Self::Real(server) => server.connect_string(),
        }
    }

    /// Closes the listener and every connection. The port stays reserved.
    pub(crate) fn stop(&self) -> Result<(), String> {
        match self {
            Self::Ours(server) => {
                server.stop();
                Ok(())
            }
            Self::Binary(_) => Err(FORGETS.to_owned()),
            Self::Real(server) => server.stop(),
        }
    }

    /// Starts the same server on the same port, with its state.
    pub(crate) fn start_again(&self) -> Result<(), String> {
        match self {
            Self::Ours(server) => server.start_again().map_err(|error| error.to_string()),
            Self::Binary(_) => Err(FORGETS.to_owned()),
            Self::Real(server) => server.start_again(),
        }
    }

    /// Ends a session as if its timeout had passed. The binary has no command for it: there `close` must take the
    /// session over and close it, which is the same to all other clients.
    pub(crate) fn expire(
        &self,
        session: i64,
        close: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        match self {
            Self::Ours(server) if !server.expire(SessionId(session)).expired.is_empty() => Ok(()),
            Self::Ours(_) => Err("there is no such session".to_owned()),
            Self::Binary(_) => close(),
            Self::Real(server) => server.expire(session),
        }
    }
}
