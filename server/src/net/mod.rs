//! The outside world: sockets, threads, timers and the clock. This layer moves data and decides nothing.
//!
//! Every input, be it a frame, the passing of time or an action of the test, is one turn of the
//! [`Engine`](engine::Engine).

mod caller_runtime;
mod clock;
mod connection;

mod deferred;
mod engine;
mod facts;
mod faults;
mod holds;
mod io_workers;
mod journal;
mod latency;
mod limits;
mod link;
mod listener;
mod long_word;
mod machine;
mod marks;
mod namespaces;
mod outbox;
mod outgoing;
mod panic_hook;
mod panic_reports;
mod port;
mod ports;
mod receive;
mod report;
mod sink;
#[cfg(test)]
mod tests;
mod thread;
mod time;
mod totals;
mod turns;
mod unpark;
mod wait;
mod wait_timer;
mod waiters;

pub(crate) use caller_runtime::{AsyncRead, AsyncWrite, CallerRuntime};
pub(crate) use clock::{Clock, NoRuntime};
pub(crate) use engine::Engine;
pub(crate) use limits::Limits;
pub(crate) use machine::read as read_file;
pub(crate) use outbox::Outbox;
pub(crate) use port::ReservedPort;
pub(crate) use ports::{PortError, Ports};
pub(crate) use unpark::unpark_this_thread;
pub(crate) use wait::Waiting;
