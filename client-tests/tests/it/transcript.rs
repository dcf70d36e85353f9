//! Comparison of the lines that a client prints with those on a real ZooKeeper.

use std::collections::HashMap;

use crate::outcome::Trouble;
use crate::server::{Kind, TestServer};

/// Runs `scene` on a server of this kind. If it prints lines, runs it on a real ZooKeeper too, and compares the
/// lines.
pub(crate) fn same(
    kind: Kind,
    mut scene: impl FnMut(&TestServer) -> Result<Vec<String>, Trouble>,
) -> Result<(), Trouble> {
    let mut on = |kind: Kind| {
        let server = TestServer::start(kind)?;
        let said = scene(&server)?;
        Ok::<_, Trouble>(normalise(&said, &server.connect_string()))
    };
    let said = on(kind)?;
    if said.is_empty() {
        return Ok(());
    }
    let expected = on(Kind::Real)?;
    if said == expected {
        Ok(())
    } else {
        Err(Trouble::Wrong(difference(&said, &expected)))
    }
}

/// Replaces the values that may differ between two servers: their address, session ids (numbered by first occurrence)
/// and times. Zxids stay: on a new server they are the same.
fn normalise(lines: &[String], address: &str) -> Vec<String> {
    let mut sessions = HashMap::new();
    lines
        .iter()
        .map(|line| {
            let line = line.replace(address, "SERVER");
            match line.split_once(" = ") {
                Some((name @ ("ctime" | "mtime"), _)) => format!("{name} = TIME"),
                _ => number_sessions(&line, &mut sessions),
            }
        })
        .collect()
}

/// Replaces each `0x` with at least twelve hexadecimal digits: only session ids are that long.
fn number_sessions(line: &str, sessions: &mut HashMap<String, usize>) -> String {
    let mut rest = line;
    let mut out = String::new();
    while let Some(at) = rest.find("0x") {
        let (before, id) = rest.split_at(at);
        let digits = id[2..]
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(id.len() - 2);
        let (id, after) = id.split_at(2 + digits);
        out.push_str(before);
        if digits < 12 {
            out.push_str(id);
        } else {
            let next = sessions.len() + 1;
            let number = *sessions.entry(id.to_owned()).or_insert(next);
            out.push_str(&format!("SESSION-{number}"));
        }
        rest = after;
    }
    out + rest
}

fn difference(said: &[String], expected: &[String]) -> String {
    let mut text =
        String::from("different from a real ZooKeeper (-: real, +: the server under test)\n");
    let common = said
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    let same_end = said[common..]
        .iter()
        .rev()
        .zip(expected[common..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    for line in &said[common.saturating_sub(5)..common] {
        text.push_str(&format!("  {line}\n"));
    }
    for line in &expected[common..expected.len() - same_end] {
        text.push_str(&format!("- {line}\n"));
    }
    for line in &said[common..said.len() - same_end] {
        text.push_str(&format!("+ {line}\n"));
    }
    text
}
