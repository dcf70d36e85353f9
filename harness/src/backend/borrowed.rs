//! A server that another backend controls.

use semver::Version;

use super::{Backend, BackendError, Capability};

/// A server that a caller may connect to, but not stop.
#[derive(Clone, Debug)]
pub(crate) struct BorrowedServer {
    name: String,
    version: Option<Version>,
    connect_string: String,
}

impl BorrowedServer {
    /// Returns a view of the backend for a caller that must not stop it.
    pub(crate) fn of(backend: &dyn Backend) -> Self {
        Self::new(backend.name(), backend.version(), backend.connect_string())
    }

    /// Returns a view of a server at this address.
    pub(crate) fn new(name: String, version: Option<Version>, connect_string: String) -> Self {
        Self {
            name,
            version,
            connect_string,
        }
    }
}

impl Backend for BorrowedServer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> Option<Version> {
        self.version.clone()
    }

    fn connect_string(&self) -> String {
        self.connect_string.clone()
    }

    fn supports(&self, _capability: Capability<'_>) -> bool {
        false
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Err(std::io::Error::other("a borrowed server cannot be restarted").into())
    }

    fn stop(&mut self) {}
}
