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

impl std::fmt::Display for ClockKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Manual => "manual",
            #[cfg(feature = "tokio-clock")]
            Self::Tokio => "tokio",
        })
    }
}

/// Error for the name of an unknown clock.
///
/// ```
/// let error = "sundial".parse::<minikeeper::config::ClockKind>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown clock `sundial`: use `system` or `manual`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown clock `{0}`: use `system` or `manual`")]
pub struct NoSuchClock(String);

impl std::str::FromStr for ClockKind {
    type Err = NoSuchClock;

    fn from_str(text: &str) -> Result<Self, NoSuchClock> {
        match text {
            "system" => Ok(Self::System),
            "manual" => Ok(Self::Manual),
            #[cfg(feature = "tokio-clock")]
            "tokio" => Ok(Self::Tokio),
            _ => Err(NoSuchClock(text.to_owned())),
        }
    }
}
