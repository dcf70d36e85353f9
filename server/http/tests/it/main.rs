//! The control API through its socket.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    reason = "a missing field of an answer fails the test, and bodies are written where they are used"
)]

mod client;
mod coverage;
mod examples;
mod files;
mod hostile;
mod isolation;
mod page;
mod polls;
mod powers;
mod refusals;
mod stream;

use std::path::Path;

use minikeeper_http::{Control, ControlBuilder};

use client::Client;

/// An API with its defaults, and a connection to it.
fn api() -> (Control, Client) {
    started(Control::builder())
}

/// An API with this folder for files, and a connection to it.
fn api_with_files(folder: &Path) -> (Control, Client) {
    started(Control::builder().files(folder))
}

fn started(builder: ControlBuilder) -> (Control, Client) {
    let control = builder.start().expect("the API starts");
    let client = Client::of(&control);
    (control, client)
}
