//! The journal: entries in several forms, its mode, marks.

use hyper::StatusCode;
use minikeeper::journal::{Entry, JournalMode, Mark};
use minikeeper::{Journal, Matcher};
use serde::{Deserialize, Serialize};

use crate::error::{Failure, nearest};
use crate::json;
use crate::query::Param;
use crate::reply::{HTML, JSON, LINES, Reply, TEXT};
use crate::route::{Answer, Call, Done, Json, Route, text_form};

/// Present end of the journal.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MarkView {
    mark: Mark,
}

/// Entries of the journal.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entries<'j> {
    /// Oldest first.
    entries: Vec<&'j Entry>,
    /// Place behind the last entry of this answer, for `since`.
    mark: Mark,
    /// Whether no entry of the span is missing.
    whole: bool,
    /// Number of entries of this answer.
    count: usize,
}

/// Mode of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Mode {
    mode: JournalMode,
}

const QUERY: [Param; 4] = [
    Param::number("since", "Only the entries after this mark."),
    Param::json("matcher", "Only the entries that match."),
    Param::number(
        "limit",
        "Maximum number of entries; the oldest are returned.",
    ),
    Param::text(
        "format",
        "`json`, `text` (readable lines), `html` (timeline) or `lines` (JSON lines).",
    ),
];
const FORMATS: [&str; 4] = ["json", "text", "html", "lines"];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/servers/{server}/mark",
            "get_mark",
            "Returns the present end of the journal.",
            mark,
        ),
        Route::get(
            "/v1/servers/{server}/journal",
            "get_journal",
            "Returns entries of the journal.",
            get,
        )
        .query(&QUERY)
        .or::<JournalText>()
        .or::<JournalPage>()
        .or::<JournalLines>(),
        Route::delete(
            "/v1/servers/{server}/journal",
            "clear_journal",
            "Removes all entries.",
            clear,
        ),
        Route::get(
            "/v1/servers/{server}/journal/mode",
            "get_journal_mode",
            "Returns the mode of the journal.",
            mode,
        ),
        Route::put(
            "/v1/servers/{server}/journal/mode",
            "set_journal_mode",
            "Changes the mode of the journal.",
            set_mode,
        ),
    ]
}

fn mark(call: &Call) -> Result<Json<MarkView>, Failure> {
    Ok(Json(MarkView {
        mark: call.instance()?.server.mark(),
    }))
}

/// Journal in the form that was asked for.
struct JournalReply(Reply);

impl Answer for JournalReply {
    const CONTENT_TYPE: &'static str = JSON;

    fn into_reply(self) -> Reply {
        self.0
    }

    #[cfg(test)]
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemas.subschema_for::<Entries<'_>>())
    }
}

text_form!(JournalText, TEXT);
text_form!(JournalPage, HTML);
text_form!(JournalLines, LINES);

fn get(call: &Call) -> Result<JournalReply, Failure> {
    let format = match call.query.text("format") {
        Some(format) => known_format(format)?,
        None if call.accept.starts_with("text/plain") => "text",
        None if call.accept.starts_with("text/html") => "html",
        None => "json",
    };
    let server = &call.instance()?.server;
    let since = call
        .query
        .number("since")
        .map_or(Mark::BEGINNING, Mark::from);
    let journal = server.journal_since(since);
    let matcher = call.query.text("matcher");
    let matcher: Option<Matcher> = matcher
        .map(|text| json::read_param("matcher", text))
        .transpose()?;
    let limit = call.query.number("limit");
    let limit = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let end = Mark::from(journal.entries().last().map_or_else(
        || u64::from(since).min(server.mark().into()),
        |last| last.number,
    ));
    let is_chosen = |entry: &&Entry| matcher.as_ref().is_none_or(|it| entry.matches(it));
    let mut chosen = journal.iter().filter(is_chosen);
    let entries: Vec<&Entry> = chosen.by_ref().take(limit).collect();
    // Behind a limit, the next page begins after the last entry of this one.
    let mark = match chosen.next() {
        Some(_) => entries.last().map_or(since, |last| Mark::from(last.number)),
        None => end,
    };
    let reply = match format {
        "json" => Reply::json(
            StatusCode::OK,
            &Entries {
                count: entries.len(),
                entries,
                mark,
                whole: journal.is_whole(),
            },
        ),
        format => {
            let entries: Vec<Entry> = entries.into_iter().cloned().collect();
            let whole = matcher.is_none() && limit == usize::MAX;
            let shown = if whole {
                journal
            } else {
                Journal::from(entries)
            };
            match format {
                "html" => Reply::of(StatusCode::OK, HTML, shown.to_html()),
                "lines" => Reply::of(StatusCode::OK, LINES, shown.to_json_lines()),
                _ => Reply::of(StatusCode::OK, TEXT, shown.to_string()),
            }
        }
    };
    Ok(JournalReply(reply))
}

fn known_format(format: &str) -> Result<&'static str, Failure> {
    let known = FORMATS.into_iter().find(|known| *known == format);
    known.ok_or_else(|| {
        let message = format!("query parameter format: {format:?} is unknown");
        let failure = Failure::bad_request(message);
        match nearest(format, FORMATS) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint(format!("known are {}", FORMATS.join(", "))),
        }
    })
}

fn clear(call: &Call) -> Result<Json<Done>, Failure> {
    call.instance()?.server.clear_journal();
    Ok(Json(Done {}))
}

fn mode(call: &Call) -> Result<Json<Mode>, Failure> {
    Ok(Json(Mode {
        mode: call.instance()?.server.journal_mode(),
    }))
}

fn set_mode(call: &Call, mode: Mode) -> Result<Json<Mode>, Failure> {
    call.instance()?.server.set_journal(mode.mode);
    Ok(Json(mode))
}
