//! Kinds of clocks.

/// Clock that a server follows.
///
/// ```
/// use minikeeper::{Server, config::ClockKind};
///
/// let server = Server::builder().manual_clock().start()?;
/// assert_eq!(server.config().clock, ClockKind::Manual);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockKind {
    /// The machine's clock.
    System,
    /// A clock that stands still until [`Server::advance`](crate::Server::advance) moves it.
    ///
    /// It starts at the time of day, rounded down to a tick, or at the time of the [`Snapshot`](crate::Snapshot) that
    /// the server starts from. Deadlines therefore come after the same spans in every run. A silent session expires a
    /// tick after its timeout, or, with [exact expiry](crate::Config::exact_expiry), when its timeout ends.
    Manual,
    /// The clock of the tokio runtime in which the server is started, paused or not; see `ServerBuilder::tokio_clock`.
    /// It needs the feature `tokio-clock` and a server [without a listener](crate::ServerBuilder::without_listener).
    #[cfg(feature = "tokio-clock")]
    Tokio,
}
