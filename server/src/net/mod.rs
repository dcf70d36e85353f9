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
mod listener;
mod machine;
mod outbox;
mod report;
mod thread;

pub(crate) use clock::Clock;
pub use clock::ClockKind;
pub(crate) use engine::{Engine, Limits};
pub(crate) use entrance::Entrance;
pub use followed::{Followed, SentEvent};
pub(crate) use listener::Address;
pub(crate) use machine::read as read_file;
pub use report::FourLetterWords;
pub(crate) use thread::ServerThread;
