//! The journal as a page for a browser: a lane a client, a row a step, everything in one file.
//!
//! The page is an asset, `page.html` with its style and script; the journal is put into it as JSON.

use serde::Serialize;

use super::{Entry, Journal};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Data for the script of the page.
#[derive(Serialize)]
struct Page<'j> {
    whole: bool,
    /// Name of the test.
    test: Option<&'j str>,
    address: Option<String>,
    /// The start of the server, in milliseconds since 1970.
    started_ms: Option<i64>,
    entries: &'j [Entry],
}

impl Journal {
    /// Writes the journal as a timeline, one HTML page. `test` is the name of the test, for the title.
    pub(crate) fn timeline(&self, test: Option<&str>) -> String {
        let data = Page {
            whole: self.is_whole(),
            test,
            address: self
                .server
                .filter(|server| server.port != 0)
                .map(|server| format!("port {}", server.port)),
            started_ms: self.server.map(|server| server.started.0),
            entries: self.entries(),
        };
        // All keys are texts and all numbers whole, so there is nothing that JSON could not say. Only texts can
        // have a `<` in them, and without one nothing ends the element in which this stands.
        let json = serde_json::to_string(&data).unwrap_or_default();
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
