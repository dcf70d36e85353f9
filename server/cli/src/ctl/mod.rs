//! `minikeeper ctl`: the control API from the command line.

mod client;
mod flags;
mod request;
mod show;

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use serde_json::Value;

use self::client::{Answer, Client};
pub(crate) use self::flags::Ctl;
use self::flags::{Journal, Verb};
use self::request::{Request, of_verb, query};
use crate::environment::Variables;

/// Variable with the URL of a control API.
const URL: &str = "MINIKEEPER_CONTROL_URL";
/// Variable with its token.
const TOKEN: &str = "MINIKEEPER_CONTROL_TOKEN";

/// Carries out one verb.
///
/// # Errors
///
/// If the API cannot be reached or refuses the request.
pub(crate) fn run(flags: &Ctl) -> Result<ExitCode, String> {
    let variables = Variables::of_this_process();
    let set = |name| variables.get(name).filter(|text| !text.is_empty());
    let url = match (&flags.control, set(URL)) {
        (Some(url), _) => url.clone(),
        (None, Some(url)) => url.to_owned(),
        (None, None) => format!("http://{}", minikeeper_http::Control::DEFAULT_ADDRESS),
    };
    let token = flags
        .token
        .clone()
        .or_else(|| set(TOKEN).map(str::to_owned));
    let client = Client::new(&url, token)?;
    if let Verb::Journal(journal) = &flags.verb {
        return print_journal(&client, flags, journal);
    }
    let request = of_verb(&flags.verb, &flags.server)?;
    let answer = client.call(&request)?;
    if answer.status >= 400 {
        return Err(refusal(&answer));
    }
    let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
        write(&answer.body);
        return Ok(ExitCode::SUCCESS);
    };
    let text = if flags.json {
        value.to_string() + "\n"
    } else {
        show::readable(&value)
    };
    write(text.as_bytes());
    Ok(if show::is_failure(&value) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints the journal, or follows it until the server or the caller ends.
fn print_journal(client: &Client, flags: &Ctl, journal: &Journal) -> Result<ExitCode, String> {
    let format = if flags.json { "lines" } else { "text" };
    let format = journal.format.as_deref().unwrap_or(format);
    let since = journal.since.map(|mark| mark.to_string());
    let limit = journal.limit.map(|limit| limit.to_string());
    let common = [
        ("since", since.as_deref()),
        ("matcher", journal.matcher.as_deref()),
    ];
    let server = &flags.server;
    if journal.follow {
        let path = format!("/v1/servers/{server}/journal/stream{}", query(&common));
        return follow(client, &path, flags.json);
    }
    let more = [("format", Some(format)), ("limit", limit.as_deref())];
    let params: Vec<_> = common.into_iter().chain(more).collect();
    let path = format!("/v1/servers/{server}/journal{}", query(&params));
    let answer = client.call(&Request::get(path))?;
    if answer.status >= 400 {
        return Err(refusal(&answer));
    }
    write(&answer.body);
    Ok(ExitCode::SUCCESS)
}

/// Prints the entries of the stream as they come.
fn follow(client: &Client, path: &str, json: bool) -> Result<ExitCode, String> {
    let (answer, stream) = client.open(&Request::get(path.to_owned()))?;
    if answer.status >= 400 {
        return Err(refusal(&answer));
    }
    let mut is_skipped = false;
    for line in stream.lines() {
        let line = line.map_err(|error| format!("the stream has ended: {error}"))?;
        if line == "event: skipped" {
            is_skipped = true;
        }
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let text = match serde_json::from_str::<minikeeper::journal::Entry>(data) {
            _ if is_skipped && json => String::new(),
            _ if is_skipped => format!("(entries are missing: {data})"),
            Ok(entry) if !json => entry.to_string(),
            Ok(_) | Err(_) => data.to_owned(),
        };
        is_skipped = false;
        if !text.is_empty() {
            write(format!("{text}\n").as_bytes());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The error of an answer, in one line.
fn refusal(answer: &Answer) -> String {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let field = |name: &str| {
        value
            .pointer(&format!("/error/{name}"))
            .and_then(Value::as_str)
    };
    match (field("message"), field("hint")) {
        (Some(message), Some(hint)) => format!("{message}; {hint}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => format!("the control API answered with status {}", answer.status),
    }
}

/// Writes to stdout; a closed stdout is ignored.
fn write(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
}
