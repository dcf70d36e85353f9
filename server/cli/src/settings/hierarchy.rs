//! Checks of the lines `group.N` and `weight.N` that a real server makes although it serves alone:
//! `QuorumHierarchical.parse`.

use std::collections::BTreeSet;

use super::Refusal;
use crate::environment::Given;
use crate::members::Member;

/// Checks that every voting member is in one group, and that every member of a group has a weight.
pub(super) fn check(lines: &[Given], members: &[Member]) -> Result<(), Refusal> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut grouped = Vec::new();
    let mut weighed = BTreeSet::new();
    for line in lines {
        let wrong = |reason: &str| Refusal::value(line, reason);
        // The number begins after the first dot, or at the beginning where there is no dot.
        let number = line
            .name
            .split_once('.')
            .map_or(line.name.as_str(), |(_, number)| number);
        let number = number
            .parse::<i64>()
            .map_err(|_| wrong("has no number after a dot"))?;
        if line.name.starts_with("weight") {
            weighed.insert(number);
            continue;
        }
        // Java's split leaves out empty parts at the end, but keeps the only part of an empty text.
        let value = line.value.trim_end_matches(':');
        if value.is_empty() && !line.value.is_empty() {
            continue;
        }
        for server in value.split(':') {
            let server = server
                .parse::<i64>()
                .map_err(|_| wrong("is no list of numbers with colons between"))?;
            if grouped.iter().any(|(already, _)| *already == server) {
                return Err(wrong(&format!("server {server} is in a group already")));
            }
            grouped.push((server, line));
        }
    }
    for member in members.iter().filter(|member| member.votes) {
        if !grouped.iter().any(|(server, _)| *server == member.id) {
            let id = member.id;
            return Err(Refusal::Whole(format!(
                "server.{id} votes and is in no group, although there are lines group.N or weight.N"
            )));
        }
        weighed.insert(member.id);
    }
    match grouped.iter().find(|(server, _)| !weighed.contains(server)) {
        None => Ok(()),
        Some((server, line)) => Err(Refusal::value(
            line,
            format!("server {server} has neither a server line nor a weight"),
        )),
    }
}
