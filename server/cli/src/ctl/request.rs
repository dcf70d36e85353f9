//! The request of a verb.

use std::path::Path;
use std::time::Duration;

use minikeeper::Tree;
use serde_json::{Value, json};

use super::flags::Verb;

/// Request to the control API.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn get(path: String) -> Self {
        Self::of("GET", path, String::new())
    }

    fn of(method: &str, path: String, body: String) -> Self {
        Self {
            method: method.to_owned(),
            path,
            body,
        }
    }
}

/// Writes a query string.
pub(super) fn query(params: &[(&str, Option<&str>)]) -> String {
    let set = params.iter().filter_map(|(name, value)| {
        let value = (*value)?;
        Some(format!("{name}={}", encoded(value)))
    });
    let set: Vec<String> = set.collect();
    if set.is_empty() {
        String::new()
    } else {
        format!("?{}", set.join("&"))
    }
}

/// Encodes a part of a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// Checks that an argument is JSON.
fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{text:?} is not JSON: {error}"))
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn tree(file: &Path) -> Result<String, String> {
    Tree::from_file(file)
        .map(|tree| tree.to_json())
        .map_err(|error| error.to_string())
}

/// Folder of a thing, by the letter that its id begins with.
fn folder(id: &str) -> Result<&'static str, String> {
    let has_number = id
        .get(1..)
        .is_some_and(|number| number.parse::<u64>().is_ok());
    match id.chars().next().filter(|_| has_number) {
        Some('f') => Ok("faults"),
        Some('x') => Ok("chaos"),
        Some('h') => Ok("holds"),
        Some('l') => Ok("links"),
        Some('b') => Ok("budgets"),
        Some('c') => Ok("claims"),
        Some('w') => Ok("waits"),
        Some('p') => Ok("snapshots"),
        _ => Err(format!("{id:?} is not an id such as f1 or h2")),
    }
}

// Longer than 60 lines: one arm for each verb.
/// Makes the request of a verb.
///
/// # Errors
///
/// If an argument is malformed.
pub(super) fn of_verb(verb: &Verb, server: &str) -> Result<Request, String> {
    let base = format!("/v1/servers/{}", encoded(server));
    let get = |path: &str| Ok(Request::get(format!("{base}/{path}")));
    let post = |path: &str, body: Value| {
        Ok(Request::of(
            "POST",
            format!("{base}/{path}"),
            body.to_string(),
        ))
    };
    let post_text = |path: &str, body: &str| {
        parsed(body)?;
        Ok(Request::of(
            "POST",
            format!("{base}/{path}"),
            body.to_owned(),
        ))
    };
    let of_path = |path: &str, of: &str| get(&format!("{path}{}", query(&[("path", Some(of))])));
    let of_session = |session: &str, verb: &str| {
        post(&format!("sessions/{}/{verb}", encoded(session)), json!({}))
    };
    match verb {
        Verb::Process => Ok(Request::get("/v1".to_owned())),
        Verb::Servers => Ok(Request::get("/v1/servers".to_owned())),
        Verb::Show => Ok(Request::get(base.clone())),
        Verb::CreateServer { description } => {
            parsed(description)?;
            Ok(Request::of(
                "POST",
                "/v1/servers".to_owned(),
                description.clone(),
            ))
        }
        Verb::DeleteServer { id, no_verify } => {
            let path = format!("/v1/servers/{}?verify={}", encoded(id), !no_verify);
            Ok(Request::of("DELETE", path, String::new()))
        }
        Verb::Fork => {
            let body = json!({ "fork": server }).to_string();
            Ok(Request::of("POST", "/v1/servers".to_owned(), body))
        }
        Verb::Reset => post("reset", json!({})),
        Verb::Stop => post("stop", json!({})),
        Verb::Start => post("start", json!({})),
        Verb::Restart => post("restart", json!({})),
        Verb::Config => get("config"),
        Verb::Clock => get("clock"),
        Verb::Advance { by } => post("clock/advance", json!({ "by_ms": milliseconds(*by) })),
        Verb::Reap => post("reap", json!({})),
        Verb::Sessions { label } => get(&format!(
            "sessions{}",
            query(&[("label", label.as_deref())])
        )),
        Verb::Expire { session } => of_session(session, "expire"),
        Verb::Mute { session } => of_session(session, "mute"),
        Verb::Unmute { session } => of_session(session, "unmute"),
        Verb::Disconnect { which } if which.trim_start().starts_with('{') => post(
            "connections/disconnect",
            json!({ "matcher": parsed(which)? }),
        ),
        Verb::Disconnect { which } => of_session(which, "disconnect"),
        Verb::OpenSession => post("sessions", json!({})),
        Verb::CloseSession { session } => {
            let path = format!("{base}/sessions/{}", encoded(session));
            Ok(Request::of("DELETE", path, String::new()))
        }
        Verb::Connections => get("connections"),
        Verb::Watches { path } => get(&format!("watches{}", query(&[("path", path.as_deref())]))),
        Verb::Labels => get("labels"),
        Verb::Label { label } => post("labels", json!({ "label": label })),
        Verb::Leaks => get("leaks"),
        Verb::Tree { path } => get(&format!("tree{}", query(&[("path", path.as_deref())]))),
        Verb::Dump => get("tree/dump"),
        Verb::Get { path } => of_path("tree/znode", path),
        Verb::Ls { path } => of_path("tree/children", path),
        Verb::Create {
            path,
            data,
            ephemeral,
            sequential,
            parents,
        } => {
            let mode = match (ephemeral, sequential) {
                (false, false) => "persistent",
                (true, false) => "ephemeral",
                (false, true) => "persistent_sequential",
                (true, true) => "ephemeral_sequential",
            };
            post(
                "tree/create",
                json!({ "path": path, "data": data, "mode": mode, "parents": parents }),
            )
        }
        Verb::Set { path, data } => post("tree/set", json!({ "path": path, "data": data })),
        Verb::Delete { path, recursive } => post(
            "tree/delete",
            json!({ "path": path, "recursive": recursive }),
        ),
        Verb::Seed { file } => post_text("tree/seed", &tree(file)?),
        Verb::Diff { file } => post_text("tree/diff", &tree(file)?),
        Verb::Fault { rule } => post_text("faults", rule),
        Verb::Faults => get("faults"),
        Verb::ClearFaults => post("faults/clear", json!({})),
        Verb::Chaos { chaos } => post_text("chaos", chaos),
        Verb::Hold { matcher } => post("holds", json!({ "on": parsed(matcher)? })),
        Verb::Holds => get("holds"),
        Verb::Release { hold, release } => {
            post_text(&format!("holds/{}/release", encoded(hold)), release)
        }
        Verb::Cut { link } if link.trim_start().starts_with('{') => post_text("links", link),
        Verb::Cut { link } => post("links", json!({ "label": link })),
        Verb::Links => get("links"),
        Verb::Budget { budget } => post_text("budgets", budget),
        Verb::Budgets => get("budgets"),
        Verb::Claim { claim, at_end } => post(
            "claims",
            json!({ "claim": parsed(claim)?, "at_end": at_end }),
        ),
        Verb::Heal { id } if id.starts_with('l') => Ok(Request::of(
            "DELETE",
            format!("{base}/links/{id}"),
            String::new(),
        )),
        Verb::Heal { id } => post(&format!("{}/{id}/heal", folder(id)?), json!({})),
        Verb::Remove { id } => {
            let path = match folder(id)? {
                "snapshots" => format!("/v1/snapshots/{id}"),
                folder => format!("{base}/{folder}/{id}"),
            };
            Ok(Request::of("DELETE", path, String::new()))
        }
        Verb::Check { matcher } => post_text("matchers/check", matcher),
        Verb::Journal(_) => get("journal"),
        Verb::ClearJournal => Ok(Request::of(
            "DELETE",
            format!("{base}/journal"),
            String::new(),
        )),
        Verb::JournalMode { mode: None } => get("journal/mode"),
        Verb::JournalMode { mode: Some(mode) } => {
            let mode = serde_json::from_str(mode).unwrap_or_else(|_| Value::from(mode.as_str()));
            let body = json!({ "mode": mode }).to_string();
            Ok(Request::of("PUT", format!("{base}/journal/mode"), body))
        }
        Verb::Mark => get("mark"),
        Verb::Wait { wait } => post_text("waits", wait),
        Verb::Collect { wait } => get(&format!("waits/{}", encoded(wait))),
        Verb::Ensemble => get("ensemble"),
        Verb::Member { member, action } => post(&format!("members/{member}/{action}"), json!({})),
        Verb::Elect { member } => post("ensemble/elect", json!({ "leader": member })),
        Verb::LoseQuorum => post("ensemble/lose_quorum", json!({})),
        Verb::RegainQuorum => post("ensemble/regain_quorum", json!({})),
        Verb::Snapshot => post("snapshots", json!({})),
        Verb::Snapshots => Ok(Request::get("/v1/snapshots".to_owned())),
        Verb::OpenSnapshot { folder } => {
            let body = json!({ "open": folder }).to_string();
            Ok(Request::of("POST", "/v1/snapshots".to_owned(), body))
        }
        Verb::DiffSnapshots { one, other } => {
            let path = format!("/v1/snapshots/{}/diff", encoded(one));
            Ok(Request::of(
                "POST",
                path,
                json!({ "other": other }).to_string(),
            ))
        }
        Verb::Export { folder } => post("export", json!({ "path": folder })),
        Verb::Call { method, path, body } => {
            if !body.is_empty() {
                parsed(body)?;
            }
            let path = if path.starts_with("/v1") {
                path.clone()
            } else {
                format!("{base}/{}", path.trim_start_matches('/'))
            };
            if path.contains(|char: char| char.is_control() || char == ' ') {
                return Err(format!("{path:?} is not a path of a URL; encode it"));
            }
            let method = method.to_uppercase();
            if !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(format!("{method:?} is not a method"));
            }
            Ok(Request::of(&method, path, body.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &Verb) -> String {
        let Request { method, path, body } = of_verb(verb, "main").unwrap();
        format!("{method} {path} {body}")
    }

    #[test]
    fn a_verb_is_one_request() {
        let by = Duration::from_secs(30);
        assert_eq!(
            request(&Verb::Advance { by }),
            r#"POST /v1/servers/main/clock/advance {"by_ms":30000}"#
        );
        let session = "label:worker".to_owned();
        assert_eq!(
            request(&Verb::Expire { session }),
            "POST /v1/servers/main/sessions/label:worker/expire {}"
        );
        let path = "/a b".to_owned();
        assert_eq!(
            request(&Verb::Get { path }),
            "GET /v1/servers/main/tree/znode?path=%2Fa%20b "
        );
        let id = "p1".to_owned();
        assert_eq!(request(&Verb::Remove { id }), "DELETE /v1/snapshots/p1 ");
    }

    #[test]
    fn an_argument_that_is_no_json_is_refused() {
        let rule = "{name: x}".to_owned();
        let refused = of_verb(&Verb::Fault { rule }, "main").unwrap_err();
        assert!(
            refused.starts_with("\"{name: x}\" is not JSON"),
            "{refused}"
        );
    }
}
