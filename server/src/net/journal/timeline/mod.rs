//! The journal as a page for a browser: a lane a client, a row a step, everything in one file.
//!
//! The page is an asset, `page.html` with its style and script; the journal is put into it as JSON.

use serde::Serialize;

use super::{Entry, Journal};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the script is given.
#[derive(Serialize)]
struct Told<'j> {
    whole: bool,
    entries: &'j [Entry],
}

impl Journal {
    /// The journal as a timeline, one HTML page with everything in it: a lane a label, in which its sessions are numbered (or
    /// a lane a session, where there is no label), a row a step of the server; faults, holds, cut links and turns of the clock
    /// are marked, and what follows from one transaction is shown by its zxid. It can be filtered by path and client, walked
    /// by keyboard, and printed.
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
            entries: self,
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
}
