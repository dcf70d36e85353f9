//! Errors of a server that starts.

use std::net::{IpAddr, SocketAddr};

use super::state::SeedError;
use crate::net::PortError;
use crate::store::StorageError;

/// Error for a server that cannot start or cannot listen on an additional address.
///
/// ```
/// let first = minikeeper::Server::start()?;
/// let second = minikeeper::Server::builder().address(first.addr()).start();
/// assert!(matches!(second, Err(minikeeper::StartError::AddressInUse { .. })));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another socket listens on the port.
    #[error("{address} is in use")]
    AddressInUse {
        /// Requested address.
        address: SocketAddr,
    },
    /// The address has no free port.
    #[error("no port of {0} is free")]
    NoFreePort(IpAddr),
    /// The process has reached its limit of open files and sockets (`ulimit -n`).
    #[error(
        "this process has reached its limit of open files and sockets; raise it with `ulimit -n`"
    )]
    TooManyOpenFiles,
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Requested address.
        address: SocketAddr,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The configuration is invalid.
    #[error("{0}")]
    Config(String),
    /// The seed cannot be written.
    #[error("cannot write the seed: {0}")]
    Seed(SeedError),
    /// Invalid label: it is empty, begins or ends with white space, or has control characters.
    #[error(
        "invalid label {0:?}: a label must not be empty, begin or end with white space or have control characters"
    )]
    Label(String),
    /// The journal uses this name for entries that no client caused, so no client can have it as a label.
    #[error(
        "{0:?} cannot be a label, because the journal uses this name itself; choose another one"
    )]
    ReservedLabel(String),
    /// The server was started without a listener and has no addresses.
    #[error("a server without a listener has no addresses; serve a stream with `serve_labelled`")]
    NoListener,
    /// The clock follows the time of a tokio runtime, and the thread is not inside one.
    #[error("a server with tokio's clock must be started inside a tokio runtime")]
    NoRuntime,
    /// The data folder cannot be opened or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The thread of the server cannot be started.
    #[error("cannot start the thread of the server: {0}")]
    Thread(#[source] std::io::Error),
}

/// Prints the same text as `Display`, since a test that ends with this error shows the `Debug` form.
impl std::fmt::Debug for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

pub(super) fn port_error(error: PortError) -> StartError {
    match error {
        PortError::Listen(address, source) => listen_error(address, source),
        PortError::Thread(source) if is_out_of_files(&source) => StartError::TooManyOpenFiles,
        PortError::Thread(source) => StartError::Thread(source),
    }
}

pub(super) fn listen_error(address: SocketAddr, source: std::io::Error) -> StartError {
    if source.kind() == std::io::ErrorKind::AddrInUse {
        match address.port() {
            0 => StartError::NoFreePort(address.ip()),
            _ => StartError::AddressInUse { address },
        }
    } else if is_out_of_files(&source) {
        StartError::TooManyOpenFiles
    } else {
        StartError::Listen { address, source }
    }
}

/// `EMFILE` and `ENFILE`, which have no kind of their own.
fn is_out_of_files(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn no_free_port_is_not_a_taken_one() {
        let taken = || std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let error = listen_error(any, taken());
        assert_eq!(error.to_string(), "no port of 127.0.0.1 is free");
        let one = SocketAddr::from((Ipv4Addr::LOCALHOST, 2181));
        assert_eq!(
            listen_error(one, taken()).to_string(),
            "127.0.0.1:2181 is in use"
        );
    }
}
