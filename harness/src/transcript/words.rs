//! Answers to four-letter words, line by line, with the differing parts replaced by their rules.

use super::{Line, Piece};

/// Which numbers of an answer are predictable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Numbers of the tree and of the connections: the server was new.
    pub(super) state: bool,
    /// The number of packets received since the last `srst`. The number of packets sent is not predictable: a
    /// real server counts a packet after sending it, possibly after the question has arrived.
    pub(super) packets: bool,
}

/// Lines of `mntr` that follow from the operations on a new server. Of every other number only the kind is
/// compared.
pub(super) const GAUGES: [&str; 13] = [
    "zk_server_state",
    "zk_ephemerals_count",
    "zk_num_alive_connections",
    "zk_outstanding_requests",
    "zk_znode_count",
    "zk_watch_count",
    "zk_global_sessions",
    "zk_local_sessions",
    "zk_approximate_data_size",
    "zk_auth_failed_count",
    "zk_outstanding_tls_handshake",
    "zk_non_mtls_remote_conn_count",
    "zk_non_mtls_local_conn_count",
];

pub(super) fn lines(word: &str, text: &str, known: Known) -> Vec<Line> {
    let said = text.lines();
    let mut lines = match word.get(..4).unwrap_or(word) {
        "srvr" | "stat" => with_sorted_clients(said, known),
        "cons" => with_sorted_clients(said, known),
        "conf" => said.map(configuration).collect(),
        "dirs" => said.map(|line| Line::said(&kinds(line))).collect(),
        "dump" => dump(said),
        "envi" => said.map(environment).collect(),
        "mntr" => monitor(said, known),
        "wchc" | "wchp" => watches(said),
        _ => said.map(Line::said).collect(),
    };
    if text.is_empty() {
        lines.push(Line::said("(nothing)"));
    } else if !text.ends_with('\n')
        && let Some(last) = lines.last_mut()
    {
        last.text(" (and no end of line)");
    }
    lines
}

impl Line {
    pub(super) fn said(text: &str) -> Self {
        let mut line = Self::default();
        line.text(format!("  {text}"));
        line
    }
}

/// Replaces numbers by their kind: `<int>`, `<double>`, `0x<hex>`.
pub(super) fn kinds(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("0x") {
            rest = hex.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            found.push_str("0x<hex>");
        } else if first.is_ascii_digit() {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let fraction = after
                .strip_prefix('.')
                .filter(|fraction| fraction.starts_with(|c: char| c.is_ascii_digit()));
            (found, rest) = match fraction {
                Some(fraction) => (
                    found + "<double>",
                    fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
                ),
                None => (found + "<int>", after),
            };
        } else {
            found.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    found
}

fn session(hex: &str) -> Option<Piece> {
    let digits = hex.strip_prefix("0x")?;
    let id = u64::from_str_radix(digits, 16).ok()?;
    Some(Piece::Session(id.cast_signed()))
}

/// Normalises `srvr`, `stat` and `cons`, whose connections have no order.
fn with_sorted_clients<'a>(said: impl Iterator<Item = &'a str>, known: Known) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut clients = Vec::new();
    for line in said {
        if line.starts_with(" /") {
            clients.push(client(line, known));
            continue;
        }
        lines.append(&mut sorted(std::mem::take(&mut clients)));
        lines.push(server(line, known));
    }
    lines.append(&mut sorted(clients));
    lines
}

/// Sort key of a connection: connections without a session first, then by number of the session, then by text.
fn sorted(mut clients: Vec<(i64, Line)>) -> Vec<Line> {
    let text = |line: &Line| format!("{:?}", line.0);
    clients.sort_by_cached_key(|(session, line)| (*session, text(line)));
    clients.into_iter().map(|(_, line)| line).collect()
}

fn server(line: &str, known: Known) -> Line {
    let Some((name, value)) = line.split_once(": ") else {
        return Line::said(line);
    };
    let exact = match name {
        "Zookeeper version" => return Line::said(&format!("{name}: <version>")),
        "Received" => known.packets,
        "Connections" | "Outstanding" | "Zxid" | "Node count" => known.state,
        "Mode" => true,
        _ => false,
    };
    if exact && name == "Outstanding" {
        Line::said(&format!("{name}: {}", outstanding(value)))
    } else if exact {
        Line::said(line)
    } else {
        Line::said(&format!("{name}: {}", kinds(value)))
    }
}

/// The number of outstanding requests, 0 if it is negative. A real server increments the counter after handing
/// the request to the thread that answers it and decrements the counter (`ZooKeeperServer.submitRequestNow`,
/// `FinalRequestProcessor.processRequest`).
pub(super) fn outstanding(value: &str) -> &str {
    if value.starts_with('-') { "0" } else { value }
}

/// Normalises a line such as ` /127.0.0.1:38366[1](queued=0,recved=9,sid=0x1,...)`.
fn client(line: &str, known: Known) -> (i64, Line) {
    let parts = line
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once('('))
        .and_then(|(interest, rest)| Some((interest, rest.strip_suffix(')')?)));
    let Some((interest, fields)) = parts else {
        return (0, Line::said(line));
    };
    let mut of = 0;
    let mut written = Line::said(&format!(" /<address>[{}(", kinds(interest)));
    for (place, field) in fields.split(',').enumerate() {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        written.text(format!("{}{name}=", if place == 0 { "" } else { "," }));
        match (name, session(value)) {
            ("sid", Some(Piece::Session(id))) => {
                of = id;
                written.0.push(Piece::Session(id));
            }
            ("lop" | "to" | "lcxid", _) => {
                written.text(value);
            }
            ("recved" | "lzxid", _) if known.state => {
                written.text(value);
            }
            _ => {
                written.text(kinds(value));
            }
        }
    }
    written.text(")");
    (of, written)
}

fn configuration(line: &str) -> Line {
    match line.split_once('=') {
        Some((name @ ("dataDir" | "dataLogDir"), folder)) => {
            let last = folder.rsplit('/').next().unwrap_or_default();
            Line::said(&format!("{name}=<folder>/{last}"))
        }
        Some((name @ ("clientPort" | "dataDirSize" | "dataLogSize"), number)) => {
            Line::said(&format!("{name}={}", kinds(number)))
        }
        _ => Line::said(line),
    }
}

fn environment(line: &str) -> Line {
    match line.split_once('=') {
        Some((name, size)) if name.starts_with("os.memory") => {
            Line::said(&format!("{name}={}", kinds(size)))
        }
        Some((name, _)) => Line::said(&format!("{name}=<text>")),
        None => Line::said(line),
    }
}

/// Sorts the gauges, counters and summaries of `mntr`, which have no order after the version and the state.
/// Lines per name below the root are removed: a server adds one for every name used.
fn monitor<'a>(said: impl Iterator<Item = &'a str>, known: Known) -> Vec<Line> {
    let mut lines: Vec<&str> = said
        .filter(|line| !line.contains("_per_namespace\t"))
        .collect();
    if let Some(unordered) = lines.get_mut(2..) {
        unordered.sort_unstable();
    }
    lines
        .into_iter()
        .map(|line| match line.split_once('\t') {
            Some(("zk_version", _)) => Line::said("zk_version\t<version>"),
            Some((name, value)) if !(known.state && GAUGES.contains(&name)) => {
                Line::said(&format!("{name}\t{}", kinds(value)))
            }
            Some(("zk_outstanding_requests", value)) => {
                Line::said(&format!("zk_outstanding_requests\t{}", outstanding(value)))
            }
            _ => Line::said(line),
        })
        .collect()
}

/// Sorts watches, which have no order: neither the blocks nor the entries of a block.
fn watches<'a>(said: impl Iterator<Item = &'a str>) -> Vec<Line> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut rest = Vec::new();
    for line in said {
        match blocks.last_mut() {
            Some((_, inside)) if line.starts_with('\t') => inside.push(line),
            _ if line.is_empty() => rest.push(Line::said(line)),
            _ => blocks.push((line, Vec::new())),
        }
    }
    blocks.sort_unstable();
    let mut lines = Vec::new();
    for (head, mut inside) in blocks {
        inside.sort_unstable();
        lines.push(with_session(head));
        lines.extend(inside.into_iter().map(with_session));
    }
    lines.append(&mut rest);
    lines
}

/// Parses a session id that fills a line, apart from a tab before it and a colon after it.
fn with_session(line: &str) -> Line {
    let bare = line.trim_start_matches('\t').trim_end_matches(':');
    let Some(piece) = session(bare) else {
        return Line::said(line);
    };
    let (before, behind) = line.split_once(bare).unwrap_or_default();
    let mut written = Line::said(before);
    written.0.push(piece);
    written.text(behind);
    written
}

/// Normalises `dump`: removes the times at which something falls due, and sorts the due items, and the sessions
/// with their ephemerals, by id.
fn dump<'a>(said: impl Iterator<Item = &'a str>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut entries: Vec<(i64, Line)> = Vec::new();
    let mut owner = 0;
    for line in said.filter(|line| !is_due(line)) {
        if let Some((_, hex)) = line.split_once(" sessionId: ")
            && let Some(piece @ Piece::Session(id)) = session(hex)
        {
            let mut written = Line::said("\tip: /<address> sessionId: ");
            written.0.push(piece);
            entries.push((id, written));
        } else if let Some(Piece::Session(id)) = session(line.trim_matches(['\t', ':'])) {
            owner = id;
            entries.push((id, with_session(line)));
        } else if line.starts_with("\t/") {
            entries.push((owner, Line::said(line)));
        } else {
            lines.append(&mut sorted(std::mem::take(&mut entries)));
            lines.push(match line.split_once(")/(") {
                Some((sets, rest)) => Line::said(&format!("{})/({rest}", kinds(sets))),
                None => Line::said(line),
            });
        }
    }
    lines.append(&mut sorted(entries));
    lines
}

/// Whether a line is like `2 expire at Sat Nov 21 13:49:06 UTC 2026:`.
fn is_due(line: &str) -> bool {
    line.split_once(" expire at ").is_some_and(|(count, date)| {
        count.parse::<u32>().is_ok() && date.ends_with(':') && date.split(' ').count() == 6
    })
}

#[cfg(test)]
mod tests {
    use crate::script::Step;
    use crate::transcript::Notes;

    #[track_caller]
    fn check(word: &str, text: &str, lines: &[&str]) {
        let mut notes = Notes::of_a_new_server();
        notes.step(&Step::FourLetterWord(word.to_owned()));
        notes.four_letter_word(word, text);
        let transcript = notes.finish();
        assert_eq!(transcript.lines().get(1..).unwrap_or_default(), lines);
    }

    #[test]
    fn a_missing_line_end_and_an_empty_answer_show() {
        check("ruok", "imok", &["  imok (and no end of line)"]);
        check("xxxx", "", &["  (nothing)"]);
    }

    #[test]
    fn a_state_is_compared_and_unpredictable_numbers_by_kind() {
        check(
            "srvr",
            "Zookeeper version: 3.9.5-x, built on 2026\nLatency min/avg/max: 0/2.5/9\nReceived: 7\n\
             Zxid: 0x1f\nNode count: 5\n",
            &[
                "  Zookeeper version: <version>",
                "  Latency min/avg/max: <int>/<double>/<int>",
                "  Received: <int>",
                "  Zxid: 0x1f",
                "  Node count: 5",
            ],
        );
    }

    #[test]
    fn a_negative_number_of_outstanding_requests_reads_zero() {
        let known = super::Known {
            state: true,
            packets: false,
        };
        for (word, text) in [
            ("srvr", ["Outstanding: -1\n", "Outstanding: 0\n"]),
            (
                "mntr",
                [
                    "zk_outstanding_requests\t-1\n",
                    "zk_outstanding_requests\t0\n",
                ],
            ),
        ] {
            let [negative, zero] =
                text.map(|text| format!("{:?}", super::lines(word, text, known)));
            assert_eq!(negative, zero);
        }
    }

    #[test]
    fn connections_are_sorted_by_session() {
        check(
            "cons",
            " /127.0.0.1:9[1](queued=0,recved=5,sent=6,sid=0x101,lop=PING,est=17,llat=1)\n \
             /127.0.0.1:8[0](queued=0,recved=1,sent=0)\n\n",
            &[
                "   /<address>[<int>](queued=<int>,recved=1,sent=<int>)",
                "   /<address>[<int>](queued=<int>,recved=5,sent=<int>,sid=session-1,lop=PING,est=<int>,llat=<int>)",
                "  ",
            ],
        );
    }

    #[test]
    fn watches_are_sorted() {
        check(
            "wchc",
            "0x102\n\t/b\n\t/a\n0x101\n\t/c\n\n",
            &[
                "  session-1",
                "  \t/c",
                "  session-2",
                "  \t/a",
                "  \t/b",
                "  ",
            ],
        );
        check(
            "wchp",
            "/b\n\t0x102\n\t0x101\n/a\n\t0x101\n",
            &[
                "  /a",
                "  \tsession-1",
                "  /b",
                "  \tsession-1",
                "  \tsession-2",
            ],
        );
    }

    #[test]
    fn a_dump_has_no_times() {
        check(
            "dump",
            "SessionTracker dump:\nSession Sets (2)/(1):\n0 expire at Sat Nov 21 13:49:05 UTC 2026:\n\
             1 expire at Sat Nov 21 13:49:06 UTC 2026:\n\t0x101\nSessions with Ephemerals (2):\n\
             0x102:\n\t/f\n0x101:\n\t/e\n\t/d\n\
             Connections Sets (1)/(2):\n2 expire at Sat Nov 21 13:49:09 UTC 2026:\n\
             \tip: /127.0.0.1:4 sessionId: 0x101\n\tip: /127.0.0.1:5 sessionId: 0x0\n",
            &[
                "  SessionTracker dump:",
                "  Session Sets (<int>)/(1):",
                "  \tsession-1",
                "  Sessions with Ephemerals (2):",
                "  session-1:",
                "  \t/d",
                "  \t/e",
                "  session-2:",
                "  \t/f",
                "  Connections Sets (<int>)/(2):",
                "  \tip: /<address> sessionId: 0",
                "  \tip: /<address> sessionId: session-1",
            ],
        );
    }

    #[test]
    fn mntr_is_sorted_after_its_first_two_lines() {
        check(
            "mntr",
            "zk_version\t3.9.5\nzk_server_state\tstandalone\nzk_znode_count\t5\nzk_avg_latency\t0.5\n",
            &[
                "  zk_version\t<version>",
                "  zk_server_state\tstandalone",
                "  zk_avg_latency\t<double>",
                "  zk_znode_count\t5",
            ],
        );
    }
}
