//! Reports of findings: on a terminal, as JSON, as JUnit XML and as an HTML page; and lists of the cases. Every
//! report is made from [`Findings`](crate::judge::Findings) alone, so a saved run can be shown again.

mod duration;
mod html;
mod json;
mod junit;
mod list;
mod printable;
mod tally;
mod terminal;
mod versions;

pub use html::{HtmlError, html};
pub use json::{JsonError, json, read_json};
pub use junit::{JunitError, junit};
pub use list::{list, list_json, list_markdown};
pub use tally::{Class, Tally};
pub use terminal::{Detail, Look, terminal};
pub use versions::versions;

#[cfg(test)]
pub(crate) mod sample;
