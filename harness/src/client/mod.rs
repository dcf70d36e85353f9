//! The client's half of the wire protocol, written apart from the server's so that no mistake is made twice.
//!
//! [`Client`] is thin: it sends what it is told, proper or not, and gives back replies and events in the order in
//! which they arrived. It neither pings nor reconnects.

mod blocking;
mod connection;
pub mod op;
mod record;
mod reply;
mod request;

pub use blocking::{BlockingClient, read_frame};
pub use connection::{Client, ClientError, Message};
pub use record::{Field, Malformed, Reader, Writer};
pub use reply::{
    Answer, ConnectResponse, Event, Identity, MultiResult, Reply, ReplyHeader, Stat, error_name,
};
pub use request::{Acl, ConnectRequest, Request, WATCH_EVENT_XID};
