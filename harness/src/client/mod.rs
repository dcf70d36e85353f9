//! Client half of the wire protocol. It is written independently of the server, so that a mistake in one is not
//! repeated in the other.
//!
//! [`Client`] is thin. It sends any request, valid or not, and returns replies and events in order of arrival.
//! It neither pings nor reconnects.

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
pub use request::{Acl, ConnectRequest, CreateKind, Request, WATCH_EVENT_XID};
