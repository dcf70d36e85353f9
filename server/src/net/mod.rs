//! The world: sockets, tasks, the clock. It moves things and decides nothing.
//!
//! Everything that happens, be it a frame, the passing of time or the wish of a test, enters through
//! [`Engine`](engine::Engine), one at a time.

mod clock;
mod connection;
mod crew;
mod engine;
mod entrance;
mod followed;
mod hosted;
mod listener;
mod machine;
mod outbox;
mod port;
mod ports;
mod report;
mod thread;

pub use clock::ClockKind;
pub(crate) use clock::{Clock, NoRuntime};
pub(crate) use engine::{Engine, Limits};
pub(crate) use entrance::Entrance;
pub use followed::{Followed, Leading, SentEvent};
pub(crate) use hosted::{AsyncRead, AsyncWrite, Hosted};
pub(crate) use outbox::Outbox;
pub(crate) use port::ReservedPort;
pub(crate) use ports::{PortError, Ports};
pub use report::FourLetterWords;
use thread::ServerThread;
