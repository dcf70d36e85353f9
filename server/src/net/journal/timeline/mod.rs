//! The journal as a page for a browser: a lane a client, a row a step, everything in one file.
//!
//! The page is an asset, `page.html` with its style and script; the journal is put into it as JSON.

use std::thread;

use serde::Serialize;

use super::{Entry, Journal};
use crate::net::machine;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Maximum number of bytes that a file name takes from the name of a test.
const MOST_NAME: usize = 200;

/// What the script is given.
#[derive(Serialize)]
struct Told<'j> {
    whole: bool,
    /// Name of the thread that makes the page. In a test this is the name of the test.
    test: Option<String>,
    address: Option<String>,
    /// The start of the server, in milliseconds since 1970.
    started_ms: Option<i64>,
    entries: &'j [Entry],
}

impl Journal {
    /// The journal as a timeline, one HTML page with everything in it: a lane a label, in which its sessions are numbered (or
    /// a lane a session, where there is no label), a lane for the test and the server, and a row a step of the server. Faults,
    /// holds and cut links are marked, and all that one transaction caused is shown by its zxid. The page can be filtered by
    /// path and client, walked by keyboard, and printed. Its title has the name of the thread that makes the page, which is
    /// that of the test, and the port and the start of the server.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let page = server.journal().to_html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// // std::fs::write("target/timeline.html", page)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_html(&self) -> String {
        let told = Told {
            whole: self.is_whole(),
            test: thread::current().name().map(str::to_owned),
            address: self
                .server
                .filter(|server| server.port != 0)
                .map(|server| format!("port {}", server.port)),
            started_ms: self.server.map(|server| server.started.0),
            entries: self.entries(),
        };
        // All keys are texts and all numbers whole, so there is nothing that JSON could not say. Only texts can have a `<`
        // in them, and without one nothing ends the element in which this stands.
        let json = serde_json::to_string(&told).unwrap_or_default();
        let json = json.replace('<', "\\u003c");
        let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + json.len());
        let mut rest = PAGE;
        for (mark, text) in [
            ("{{style}}", STYLE),
            ("{{journal}}", &json),
            ("{{script}}", SCRIPT),
        ] {
            if let Some((before, after)) = rest.split_once(mark) {
                page += before;
                page += text;
                rest = after;
            }
        }
        page + rest
    }

    /// Writes the page to the folder that `MINIKEEPER_TIMELINE` names. Returns a line with the path of the file, or
    /// with the error. The file is named after the test, and after the server's port or, without one, the number of
    /// the server's journal.
    pub(super) fn write_timeline(&self) -> String {
        let Some(folder) = machine::timeline_folder() else {
            return String::new();
        };
        let thread = thread::current();
        let test = thread.name().unwrap_or("test");
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        // A file name may have 255 bytes.
        let test = test.replace("::", ".").replace(|c| !plain(c), "_");
        let test = test.get(..MOST_NAME).unwrap_or(&test);
        let name = match self.server.map_or(0, |server| server.port) {
            0 => format!("{test}-server{}.html", self.known.journal),
            port => format!("{test}-{port}.html"),
        };
        match machine::write_to(&folder, &name, &self.to_html()) {
            Ok(file) => format!("\nthe timeline is in {}", file.display()),
            Err(error) => format!(
                "\nthe timeline cannot be written to {}: {error}; MINIKEEPER_TIMELINE must name a folder that the test \
                 can write to",
                folder.join(name).display()
            ),
        }
    }
}
