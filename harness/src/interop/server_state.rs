//! The complete state of a server as a super user sees it: every znode with data, ACL and Stat, the sessions and the
//! last zxid. Reading it leaves no trace, since the reader resumes a session that existed before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::InteropError;
use crate::backend::four_letter_word;
use crate::client::{Acl, Answer, BlockingClient, Reply, Request, Stat};

/// Number of requests that are sent at once: a real server stops reading at 1,000.
const BATCH: usize = 300;
/// Maximum number of differences that are listed.
const MAX_LISTED: usize = 12;

/// State of a server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerState {
    pub(super) zxid: i64,
    pub(super) znodes: BTreeMap<String, Znode>,
    pub(super) sessions: BTreeSet<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Znode {
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: Vec<Acl>,
    pub(super) stat: Stat,
}

impl ServerState {
    /// Reads the complete state. The client must be a super user.
    pub(crate) fn of(client: &mut BlockingClient, address: &str) -> Result<Self, InteropError> {
        let root = Request::Exists {
            path: "/".to_owned(),
            watch: false,
        };
        let mut server_state = Self {
            zxid: client.call(&root)?.header.zxid,
            sessions: sessions(address)?,
            ..Self::default()
        };
        let mut level = vec!["/".to_owned()];
        while !level.is_empty() {
            let mut below = Vec::new();
            for paths in level.chunks(BATCH / 3) {
                server_state.look_at(client, paths, &mut below)?;
            }
            level = below;
        }
        Ok(server_state)
    }

    fn look_at(
        &mut self,
        client: &mut BlockingClient,
        paths: &[String],
        below: &mut Vec<String>,
    ) -> Result<(), InteropError> {
        let requests = paths.iter().flat_map(|path| {
            let (path, watch) = (path.clone(), false);
            [
                Request::GetData {
                    path: path.clone(),
                    watch,
                },
                Request::GetAcl { path: path.clone() },
                Request::GetChildren { path, watch },
            ]
        });
        let replies = client.call_all(&requests.collect::<Vec<_>>())?;
        for (path, replies) in paths.iter().zip(replies.chunks(3)) {
            let answers: Vec<Option<&Answer>> = replies.iter().map(answer).collect();
            let [
                Some(Answer::Data(data, stat)),
                Some(Answer::Acl(acl, _)),
                Some(Answer::Children(children)),
            ] = answers[..]
            else {
                return Err(InteropError::Differs(format!(
                    "{path} cannot be read: {replies:?}"
                )));
            };
            let znode = Znode {
                data: data.clone(),
                acl: acl.clone(),
                stat: *stat,
            };
            self.znodes.insert(path.clone(), znode);
            let parent = path.trim_end_matches('/');
            below.extend(children.iter().map(|name| format!("{parent}/{name}")));
        }
        Ok(())
    }

    /// Returns the number of the next sequential znode below `path`.
    pub(super) fn next_number(&self, path: &str) -> Option<i32> {
        let stat = self.znodes.get(path)?.stat;
        // The stored cversion counts the created children; `DataNode.copyStat` shows twice that number less the
        // number of present children.
        Some((stat.cversion.wrapping_add(stat.num_children)) / 2)
    }

    /// Lists the differences from another state, one a line; `None` if there are none.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let mut lines = Vec::new();
        if self.zxid != other.zxid {
            lines.push(format!("last zxid {:#x} and {:#x}", self.zxid, other.zxid));
        }
        for (sessions, others, what) in [
            (&self.sessions, &other.sessions, "first"),
            (&other.sessions, &self.sessions, "second"),
        ] {
            for session in sessions.difference(others) {
                lines.push(format!("session {session:#x} only in the {what}"));
            }
        }
        let paths: BTreeSet<&String> = self.znodes.keys().chain(other.znodes.keys()).collect();
        for path in paths {
            match (self.znodes.get(path), other.znodes.get(path)) {
                (Some(one), Some(two)) if one == two || self.is_counted_anew(path, one, two) => {}
                (Some(one), Some(two)) => lines.push(format!("{path:?}: {}", one.difference(two))),
                (Some(_), None) => lines.push(format!("{path:?} only in the first")),
                (None, _) => lines.push(format!("{path:?} only in the second")),
            }
        }
        let first = lines.first()?;
        let mut text = format!("{} differences\n  {first}", lines.len());
        for line in lines.iter().take(MAX_LISTED).skip(1) {
            let _ = write!(text, "\n  {line}");
        }
        Some(text)
    }
}

impl ServerState {
    /// Returns whether `two` has the actual usage below a quota: a server counts the usage again when it reads a
    /// snapshot, whatever a client wrote there (`DataTree.setupQuota`).
    fn is_counted_anew(&self, path: &str, one: &Znode, two: &Znode) -> bool {
        let place = path
            .strip_prefix("/zookeeper/quota")
            .and_then(|path| path.strip_suffix("/zookeeper_stats"));
        let (Some(place), Some(said)) = (place, &two.data) else {
            return false;
        };
        let below = format!("{place}/");
        let (mut count, mut bytes) = (0_usize, 0_usize);
        for (path, znode) in &self.znodes {
            if path == place || path.starts_with(&below) {
                count += 1;
                bytes += znode.data.as_ref().map_or(0, Vec::len);
            }
        }
        let said = String::from_utf8_lossy(said);
        let numbers = said.split(';').next().unwrap_or_default();
        let mut stat = two.stat;
        stat.data_length = one.stat.data_length;
        numbers == format!("count={count},bytes={bytes}") && one.acl == two.acl && one.stat == stat
    }
}

impl Znode {
    fn difference(&self, other: &Self) -> String {
        let mut text = String::new();
        let (one, two) = (&self.stat, &other.stat);
        for (name, one, two) in [
            ("czxid", one.czxid, two.czxid),
            ("mzxid", one.mzxid, two.mzxid),
            ("pzxid", one.pzxid, two.pzxid),
            ("ctime", one.ctime, two.ctime),
            ("mtime", one.mtime, two.mtime),
            ("version", one.version.into(), two.version.into()),
            ("cversion", one.cversion.into(), two.cversion.into()),
            ("aversion", one.aversion.into(), two.aversion.into()),
            ("ephemeralOwner", one.ephemeral_owner, two.ephemeral_owner),
            ("dataLength", one.data_length.into(), two.data_length.into()),
            (
                "numChildren",
                one.num_children.into(),
                two.num_children.into(),
            ),
        ] {
            if one != two {
                let _ = write!(text, "{name} {one} and {two}; ");
            }
        }
        if self.data != other.data {
            let _ = write!(
                text,
                "data {} and {}; ",
                shown(&self.data),
                shown(&other.data)
            );
        }
        if self.acl != other.acl {
            let _ = write!(text, "ACL {:?} and {:?}; ", self.acl, other.acl);
        }
        text
    }
}

fn shown(data: &Option<Vec<u8>>) -> String {
    match data {
        None => "null".to_owned(),
        Some(data) => format!(
            "{:?} ({} B)",
            String::from_utf8_lossy(data.get(..data.len().min(60)).unwrap_or_default()),
            data.len()
        ),
    }
}

fn answer(reply: &Reply) -> Option<&Answer> {
    reply.answer.as_ref()
}

/// Reads the ids of the sessions from the four-letter word `dump`.
fn sessions(address: &str) -> Result<BTreeSet<i64>, InteropError> {
    let text = four_letter_word(address, "dump")?;
    let tracked = text.split("phemeral nodes dump").next().unwrap_or_default();
    let ids = tracked.lines().filter_map(|line| {
        let hex = line.trim().strip_prefix("0x")?;
        u64::from_str_radix(hex, 16).ok().map(u64::cast_signed)
    });
    Ok(ids.collect())
}

#[cfg(test)]
mod tests {
    use super::ServerState;

    #[test]
    fn differences_are_listed_by_name() {
        let (mut one, mut two) = (ServerState::default(), ServerState::default());
        assert_eq!(one.difference(&two), None);
        one.zxid = 3;
        two.sessions.insert(0x10);
        assert_eq!(
            one.difference(&two).as_deref(),
            Some("2 differences\n  last zxid 0x3 and 0x0\n  session 0x10 only in the second")
        );
    }
}
