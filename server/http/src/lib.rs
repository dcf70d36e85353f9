//! HTTP side of [`minikeeper`]: the control API, through which a test in any language has every power of a
//! [`minikeeper::Server`], and the [`AdminServer`] and [metrics](MetricsServer) of a real server.
//!
//! [`Control`] serves the API. It makes servers on request; a server of a Rust test can be put under it too:
//!
//! ```
//! use minikeeper::Server;
//! use minikeeper_http::Control;
//!
//! let server = Server::builder().manual_clock().start()?;
//! let control = Control::builder().server("main", server).start()?;
//! println!("curl {}/v1/servers/main", control.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::needless_pass_by_value,
    reason = "a handler owns the decoded body of its request"
)]

mod admin;
mod body;
mod check;
mod control;
mod error;
mod json;
mod listener;
mod metrics;
#[cfg(test)]
mod openapi;
mod query;
mod reply;
mod route;

pub use admin::{AdminServer, AdminSettings};
pub use control::{Control, ControlBuilder, ControlError};
pub use listener::Limits;
pub use metrics::{MetricsServer, MetricsSettings};

/// Version of the API and of the binary that serves it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
