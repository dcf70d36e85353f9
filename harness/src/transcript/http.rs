//! Answers over HTTP, line by line, with the differing parts replaced by their kinds.

use serde_json::{Map, Value};

use super::words::{GAUGES, Known, kinds, outstanding};
use super::{Line, Piece};
use crate::backend::{HttpAnswer, HttpRequest, HttpServer};

/// Names whose values differ between two servers that behave in the same way: addresses, ports, folders, times, sizes
/// of files, latencies, and what the machine and Java say. Of these only the kind is compared.
const MASKED: [&str; 38] = [
    "avg_latency",
    "client_port",
    "data_dir",
    "data_dir_size",
    "data_log_dir",
    "datadir_size",
    "established",
    "fsync_threshold_exceed_count",
    "host.name",
    "initial_configuration",
    "java.class.path",
    "java.compiler",
    "java.home",
    "java.io.tmpdir",
    "java.library.path",
    "java.vendor",
    "java.version",
    "last_latency",
    "last_response_time",
    "log_dir_size",
    "logdir_size",
    "max_latency",
    "min_latency",
    "os.arch",
    "os.memory.free",
    "os.memory.max",
    "os.memory.total",
    "os.name",
    "os.version",
    "packets_sent",
    "remote_socket_address",
    "timestamp",
    "uptime",
    "user.dir",
    "user.home",
    "user.name",
    "version",
    "zookeeper.version",
];

/// Names that depend on the replies of which a real server has measured the size: the last one may still be on its
/// way.
const SIZES: [&str; 3] = ["last_buffer_size", "max_buffer_size", "min_buffer_size"];

/// System properties that both servers have. All others are those of Java, of its libraries and of the harness.
const PROPERTIES: [&str; 9] = [
    "file.separator",
    "java.io.tmpdir",
    "line.separator",
    "os.arch",
    "os.name",
    "os.version",
    "path.separator",
    "user.dir",
    "user.home",
];

/// Headers that are compared, and whether their value is.
const HEADERS: [(&str, bool); 4] = [
    ("allow", true),
    ("content-type", true),
    ("last_zxid", true),
    ("snapshot_size", false),
];

pub(super) fn lines(request: &HttpRequest, answer: &HttpAnswer, known: Known) -> Vec<Line> {
    let mut lines = vec![Line::said(&format!("{}", answer.status))];
    for (name, is_compared) in HEADERS {
        if let Some(value) = answer.header(name) {
            let kind = kinds(value);
            let value = if is_compared { value } else { &kind };
            lines.push(Line::said(&format!("{name}: {value}")));
        }
    }
    let text = String::from_utf8_lossy(&answer.body);
    let content_type = answer.header("content-type").unwrap_or_default();
    if request.server() == HttpServer::Metrics && answer.status == 200 {
        lines.extend(metrics(&text));
    } else if let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) {
        let command = members.get("command").and_then(Value::as_str);
        let context = Context {
            command: command.unwrap_or_default().to_owned(),
            known,
        };
        context.object("", &members, &mut lines);
    } else if content_type.starts_with("text/html") {
        // The pages of errors are those of the HTTP server.
        lines.push(Line::said("(a page)"));
    } else if content_type == "application/octet-stream" {
        let is_snapshot = answer.body.starts_with(b"ZKSN");
        lines.push(Line::said(if is_snapshot {
            "(a snapshot)"
        } else {
            "(bytes)"
        }));
    } else {
        lines.extend(text.lines().map(Line::said));
    }
    lines
}

/// The names and types of the metrics, sorted. Those of Java and those of minikeeper alone are left out.
fn metrics(text: &str) -> Vec<Line> {
    let is_foreign = |name: &str| {
        (name.starts_with("jvm_") && name != "jvm_pause_time_ms") || name.starts_with("minikeeper_")
    };
    let mut types: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter(|line| !is_foreign(line.split(' ').next().unwrap_or_default()))
        .collect();
    types.sort_unstable();
    types.into_iter().map(Line::said).collect()
}

/// Facts that the masking of a member depends on.
struct Context {
    command: String,
    known: Known,
}

impl Context {
    /// Adds a line for each value, by name.
    fn object(&self, before: &str, members: &Map<String, Value>, lines: &mut Vec<Line>) {
        let mut names: Vec<&String> = members.keys().collect();
        names.sort_unstable();
        for name in names {
            let value = &members[name];
            let is_dropped = self.command == "system_properties"
                && before.is_empty()
                && !PROPERTIES.contains(&name.as_str())
                && !matches!(name.as_str(), "command" | "error");
            // A server adds metrics for every name that is used, in any case of the chapter.
            if is_dropped || (self.command == "monitor" && name.contains("_per_namespace")) {
                continue;
            }
            self.member(before, name, value, lines);
        }
    }

    // Longer than 60 lines: one arm for each form of a value.
    fn member(&self, before: &str, name: &str, value: &Value, lines: &mut Vec<Line>) {
        match (name, value) {
            (
                "session_id_to_ephemeral_paths" | "session_id_to_watched_paths",
                Value::Object(sessions),
            ) => {
                for (id, paths) in by_number(sessions) {
                    let mut line = Line::said(&format!("{before}{name}."));
                    line.0.push(Piece::Session(id));
                    line.text(format!(": {}", sorted(paths)));
                    lines.push(line);
                }
            }
            ("path_to_session_ids", Value::Object(paths)) => {
                for (path, ids) in paths {
                    let mut line = Line::said(&format!("{before}{name}.{path}:"));
                    push_sessions(&mut line, ids);
                    lines.push(line);
                }
            }
            ("expiry_time_to_session_ids", Value::Object(times)) => {
                // Sessions fall due together or apart, depending on the moment, and a time without sessions may stay.
                let ids = times
                    .values()
                    .filter_map(Value::as_array)
                    .flatten()
                    .cloned();
                let mut line = Line::said(&format!("{before}{name}.<int>:"));
                push_sessions(&mut line, &Value::Array(ids.collect()));
                lines.push(line);
            }
            (_, Value::Object(members)) if members.is_empty() => {
                lines.push(Line::said(&format!("{before}{name}: {{}}")));
            }
            (_, Value::Object(members)) => {
                self.object(&format!("{before}{name}."), members, lines);
            }
            (_, Value::Array(values)) if values.is_empty() => {
                lines.push(Line::said(&format!("{before}{name}: []")));
            }
            (_, Value::Array(values)) => {
                // Connections have no order.
                let mut values: Vec<&Value> = values.iter().collect();
                values.sort_by_key(|value| value.get("session_id").and_then(Value::as_i64));
                for (place, value) in values.into_iter().enumerate() {
                    let name = format!("{before}{name}[{place}]");
                    if let Value::Object(members) = value {
                        self.object(&format!("{name}."), members, lines);
                    } else {
                        lines.push(Line::said(&format!("{name}: {value}")));
                    }
                }
            }
            ("session_id", Value::Number(id)) => {
                let mut line = Line::said(&format!("{before}{name}: "));
                line.0.push(Piece::Session(id.as_i64().unwrap_or_default()));
                lines.push(line);
            }
            _ => {
                let is_counted = before != "server_stats." || name != "packets_received";
                let value = self.value(name, value, is_counted);
                lines.push(Line::said(&format!("{before}{name}: {value}")));
            }
        }
    }

    /// Returns a value as text; its kind if it is not predictable. A server counts the packets of all cases and of the
    /// harness.
    fn value(&self, name: &str, value: &Value, is_counted: bool) -> String {
        let is_exact = if self.command == "monitor" {
            let is_gauge = GAUGES
                .iter()
                .any(|gauge| gauge.strip_prefix("zk_") == Some(name));
            self.known.state && is_gauge || matches!(name, "command" | "error")
        } else {
            is_counted && !MASKED.contains(&name) && !SIZES.contains(&name)
        };
        match value {
            Value::String(_) if !is_exact => "<text>".to_owned(),
            Value::Number(number) if !is_exact => kinds(number.to_string().trim_start_matches('-')),
            Value::Number(number) if name == "outstanding_requests" => {
                outstanding(&number.to_string()).to_owned()
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        }
    }
}

/// Members by their names as numbers.
fn by_number(members: &Map<String, Value>) -> Vec<(i64, &Value)> {
    let numbered = members
        .iter()
        .map(|(name, value)| (name.parse().unwrap_or_default(), value));
    let mut numbered: Vec<(i64, &Value)> = numbered.collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered
}

/// A list of texts, sorted.
fn sorted(values: &Value) -> String {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    let mut texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts.join(" ")
}

/// Adds ids of sessions, sorted.
fn push_sessions(line: &mut Line, ids: &Value) {
    let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
    let mut ids: Vec<i64> = ids.iter().filter_map(Value::as_i64).collect();
    ids.sort_unstable();
    for id in ids {
        line.text(" ");
        line.0.push(Piece::Session(id));
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::{HttpAnswer, HttpRequest};
    use crate::script::Step;
    use crate::transcript::Notes;

    #[track_caller]
    fn check(path: &str, content_type: &str, body: &str, expected: &[&str]) {
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            authorization: None,
        };
        let answer = HttpAnswer {
            status: 200,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let mut notes = Notes::of_a_new_server();
        notes.step(&Step::Http(request.clone()));
        notes.http(&request, &answer);
        let transcript = notes.finish();
        assert_eq!(transcript.lines().get(1..).unwrap_or_default(), expected);
    }

    #[test]
    fn members_are_sorted_and_masked_by_name() {
        check(
            "/commands/cons",
            "application/json",
            r#"{"connections":[{"session_id":257,"established":17,"last_operation":"PING"}],
                "error":null,"command":"x"}"#,
            &[
                "  200",
                "  content-type: application/json",
                "  command: \"x\"",
                "  connections[0].established: <int>",
                "  connections[0].last_operation: \"PING\"",
                "  connections[0].session_id: session-1",
                "  error: null",
            ],
        );
    }

    #[test]
    fn of_metrics_the_names_and_types_are_compared() {
        check(
            "/metrics",
            "text/plain",
            "# TYPE b gauge\nb 1.0\n# TYPE a counter\n# TYPE jvm_info gauge\n",
            &[
                "  200",
                "  content-type: text/plain",
                "  a counter",
                "  b gauge",
            ],
        );
    }
}
