//! Answers to four-letter words with lists so long that they are made after the turn, a part at a time.
//!
//! Other clients are served between two parts, so the list shows no single moment. An entry that exists all the time
//! is listed once. An entry that is added or removed meanwhile may or may not be listed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::vec;

use bytes::BytesMut;

use super::engine::{Engine, State};
use super::outgoing::{Long, PART, Progress};
use crate::keeper::{ConnectionId, Table, Watches};
use crate::protocol::SessionId;
use crate::wire;

/// Number of watches or ephemerals from which on a list is made after its turn.
pub(super) const LONG: usize = 10_000;

/// A place in the tables of watches: that of the server, then those of lagging members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    table: usize,
    place: usize,
}

impl Place {
    /// Passes the watched paths from here on to `take`, until some [`PART`] watches were taken. Returns whether there
    /// are more.
    fn read(
        &mut self,
        state: &State,
        mut take: impl FnMut(Self, &str, &mut dyn Iterator<Item = ConnectionId>),
    ) -> bool {
        let mut taken = 0;
        while let Some(table) = table(state, self.table) {
            while self.place <= table.places() {
                if taken >= PART {
                    return true;
                }
                // An empty place counts too, and so does a path with its watches.
                taken += 1;
                if let Some((path, mut connections)) = table.at_place(self.place) {
                    taken += connections.len();
                    take(*self, path, &mut connections);
                }
                self.place += 1;
            }
            *self = Self {
                table: self.table + 1,
                place: 0,
            };
        }
        false
    }
}

fn table(state: &State, number: usize) -> Option<&Table> {
    state.keeper.all_watches().map(Watches::data).nth(number)
}

fn session(state: &State, connection: ConnectionId) -> SessionId {
    state.session_of(connection).unwrap_or(SessionId::NONE)
}

/// The watches by path: `wchp`.
#[derive(Debug)]
pub(super) struct WatchesByPath {
    engine: Arc<Engine>,
    next: Place,
}

impl WatchesByPath {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            engine: Arc::clone(engine),
            next: Place::default(),
        }
    }
}

impl Long for WatchesByPath {
    fn work(&mut self, out: &mut BytesMut) -> Progress {
        let state = self.engine.lock();
        let has_more = self.next.read(&state, |_, path, connections| {
            let sessions = connections.map(|connection| session(&state, connection));
            put(wire::write_group(out, path, sessions));
        });
        if !has_more {
            out.extend_from_slice(b"\n");
        }
        Progress::of(has_more)
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// The watches by session: `wchc`. First the places of all watches are collected, then they are listed.
#[derive(Debug)]
pub(super) struct WatchesBySession {
    engine: Arc<Engine>,
    next: Place,
    is_collected: bool,
    collected: BTreeMap<(SessionId, ConnectionId), Vec<Place>>,
    /// The session that is being listed, and its watches that are not listed yet.
    listing: Option<(SessionId, ConnectionId, vec::IntoIter<Place>)>,
    /// The session that was listed last.
    last: Option<SessionId>,
}

impl WatchesBySession {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            engine: Arc::clone(engine),
            next: Place::default(),
            is_collected: false,
            collected: BTreeMap::new(),
            listing: None,
            last: None,
        }
    }
}

impl Long for WatchesBySession {
    fn work(&mut self, out: &mut BytesMut) -> Progress {
        let state = self.engine.lock();
        if !self.is_collected {
            let collected = &mut self.collected;
            self.is_collected = !self.next.read(&state, |place, _, connections| {
                for connection in connections {
                    let key = (session(&state, connection), connection);
                    collected.entry(key).or_default().push(place);
                }
            });
            return Progress::MORE;
        }
        let Some((session, connection, mut places)) = self.listing.take().or_else(|| {
            let ((session, connection), places) = self.collected.pop_first()?;
            Some((session, connection, places.into_iter()))
        }) else {
            out.extend_from_slice(b"\n");
            return Progress::default();
        };
        for place in places.by_ref().take(PART) {
            let watched = table(&state, place.table).and_then(|table| table.at_place(place.place));
            if let Some((path, mut connections)) = watched
                && connections.any(|watching| watching == connection)
            {
                if self.last != Some(session) {
                    self.last = Some(session);
                    put(wire::write_group(out, session, None::<&str>));
                }
                put(wire::write_members(out, Some(path)));
            }
        }
        if places.len() > 0 {
            self.listing = Some((session, connection, places));
        }
        Progress::MORE
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Rest of `dump`, from the ephemerals on.
#[derive(Debug)]
pub(super) struct Ephemerals {
    engine: Arc<Engine>,
    /// The session and the path that were listed last.
    last: Option<(SessionId, String)>,
    /// Text after the ephemerals.
    behind: String,
}

impl Ephemerals {
    pub(super) fn new(engine: &Arc<Engine>, behind: String) -> Self {
        Self {
            engine: Arc::clone(engine),
            last: None,
            behind,
        }
    }
}

impl Long for Ephemerals {
    fn work(&mut self, out: &mut BytesMut) -> Progress {
        let state = self.engine.lock();
        let tree = state.keeper.tree();
        let mut taken = 0;
        let from = match &self.last {
            None => Bound::Unbounded,
            Some((session, path)) => Bound::Excluded((*session, path.as_str())),
        };
        let mut last = None;
        for (session, path) in tree.ephemerals_from(from).take(PART) {
            let is_first = self
                .last
                .as_ref()
                .is_none_or(|(listed, _)| *listed != session)
                && last.is_none_or(|(listed, _)| listed != session);
            if is_first {
                put(wire::write_session(out, session));
            }
            put(wire::write_members(out, Some(path)));
            last = Some((session, path));
            taken += 1;
        }
        if let Some((session, path)) = last {
            self.last = Some((session, path.to_owned()));
        }
        if taken == PART {
            return Progress::MORE;
        }
        out.extend_from_slice(self.behind.as_bytes());
        Progress::default()
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Texts are written to memory, which takes them all.
fn put(result: fmt::Result) {
    debug_assert!(result.is_ok(), "memory takes every text");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::keeper::Input;
    use crate::net::connection::tests::{accepted, engine};
    use crate::net::facts::Gathering;
    use crate::net::marks::Marks;
    use crate::net::outgoing::{Outgoing, SLICES};
    use crate::net::receive::Phase;
    use crate::protocol::{
        AclList, AddWatchMode, ConnectRequest, CreateOperation, CreateRequest, Request, Xid,
    };

    /// A connection with a session.
    fn connected(engine: &Engine) -> ConnectionId {
        let connection = accepted(engine);
        let request = ConnectRequest {
            last_zxid_seen: crate::protocol::Zxid(0),
            timeout_ms: 30_000,
            session: SessionId::NONE,
            password: None,
            read_only: Some(false),
        };
        engine.apply(Input::Connect {
            connection,
            request: &request,
        });
        connection
    }

    fn asked(engine: &Engine, connection: ConnectionId, request: &Request<'_>) {
        engine.apply(Input::Request {
            connection,
            xid: Xid(1),
            request,
        });
    }

    /// Collects the answer to a word. Returns it with the number of parts in which it was made.
    fn answer(engine: &Arc<Engine>, word: &[u8; 4]) -> (String, usize) {
        let connection = accepted(engine);
        let mut outgoing = Outgoing::default();
        let mut phase = Phase::Fresh;
        let processed = engine.receive(
            connection,
            &mut phase,
            word,
            &mut outgoing,
            &mut Marks::default(),
            &Gathering::default(),
        );
        assert!(processed.is_ok_and(|processed| processed.closing.is_some()));
        let (mut text, mut parts) = (Vec::new(), 0);
        while !outgoing.is_empty() {
            if outgoing.is_unencoded() {
                outgoing.make_part();
                parts += 1;
                continue;
            }
            let mut slices = [std::io::IoSlice::new(&[]); SLICES];
            let count = outgoing.slices(usize::MAX, &mut slices);
            let before = text.len();
            slices[..count]
                .iter()
                .for_each(|slice| text.extend_from_slice(slice));
            let written = text.len() - before;
            outgoing.advance(written);
        }
        engine.disconnect(connection);
        (String::from_utf8(text).unwrap(), parts)
    }

    /// Returns every head with each of its members, and the heads in the order in which they were listed.
    fn groups(text: &str) -> (BTreeSet<(String, String)>, Vec<String>) {
        let (mut pairs, mut heads) = (BTreeSet::new(), Vec::<String>::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix('\t') {
                Some(member) => {
                    let head = heads.last().unwrap().clone();
                    assert!(
                        pairs.insert((head, member.to_owned())),
                        "{line} is there twice"
                    );
                }
                None => heads.push(line.to_owned()),
            }
        }
        (pairs, heads)
    }

    #[test]
    fn many_watches_are_listed_in_parts_and_each_once() {
        let engine = engine();
        let connections: Vec<ConnectionId> = (0..7).map(|_| connected(&engine)).collect();
        let paths: Vec<String> = (0..2_000).map(|number| format!("/{number}")).collect();
        for connection in &connections {
            for path in &paths {
                let request = Request::AddWatch {
                    path: Some(path.as_str().into()),
                    mode: AddWatchMode::Persistent,
                };
                asked(&engine, *connection, &request);
            }
        }
        let (by_path, parts) = answer(&engine, b"wchp");
        assert!(parts >= 14, "{parts}");
        let (pairs, heads) = groups(&by_path);
        assert_eq!((pairs.len(), heads.len()), (14_000, 2_000));
        let (by_session, parts) = answer(&engine, b"wchc");
        assert!(parts >= 28, "{parts}");
        let (turned, heads) = groups(&by_session);
        assert_eq!(heads.len(), 7);
        let turned: BTreeSet<(String, String)> = turned
            .into_iter()
            .map(|(session, path)| (path, session))
            .collect();
        assert_eq!(turned, pairs);
        assert!(by_path.ends_with("\n\n") && by_session.ends_with("\n\n"));
    }

    #[test]
    fn watches_that_go_while_they_are_listed_do_not_disturb_the_list() {
        let engine = engine();
        let connection = connected(&engine);
        let add = |number: u32| {
            let path = format!("/{number}");
            let request = Request::AddWatch {
                path: Some(path.as_str().into()),
                mode: AddWatchMode::Persistent,
            };
            asked(&engine, connection, &request);
        };
        (0..20_000).for_each(add);
        let mut long = WatchesByPath::new(&engine);
        let mut text = BytesMut::new();
        let mut number = 0;
        while long.work(&mut text).has_more {
            // Removes some of the entries listed already and some of those to come, and adds new ones.
            for path in [format!("/{number}"), format!("/{}", 19_999 - number)] {
                let request = Request::RemoveWatches {
                    path: Some(path.as_str().into()),
                    watcher_type: crate::protocol::WatcherType::Any,
                };
                asked(&engine, connection, &request);
            }
            add(30_000 + number);
            number += 1;
        }
        let (pairs, _) = groups(std::str::from_utf8(&text).unwrap());
        let listed: BTreeSet<&str> = pairs.iter().map(|(path, _)| path.as_str()).collect();
        for stays in number..20_000 - number {
            assert!(listed.contains(format!("/{stays}").as_str()), "{stays}");
        }
    }

    #[test]
    fn many_ephemerals_are_dumped_in_parts() {
        let engine = engine();
        let mut expected = BTreeSet::new();
        for number in 0..3 {
            let connection = connected(&engine);
            let session =
                engine.with_keeper(|keeper| keeper.connection(connection).unwrap().session());
            for ephemeral in 0..4_000 {
                let path = format!("/{number}-{ephemeral}");
                let request = Request::Create(CreateRequest {
                    operation: CreateOperation::Create,
                    path: Some(path.as_str().into()),
                    data: None,
                    acl: Some(AclList::Open),
                    flags: 1,
                    ttl_ms: -1,
                });
                asked(&engine, connection, &request);
                expected.insert((format!("{}:", session.unwrap()), path));
            }
        }
        let (dump, parts) = answer(&engine, b"dump");
        assert!(parts >= 12, "{parts}");
        let (_, ephemerals) = dump
            .split_once("Sessions with Ephemerals (3):\n")
            .expect("it counts the sessions");
        let (ephemerals, connections) = ephemerals
            .split_once("Connections dump:\n")
            .expect("the connections are behind");
        assert_eq!(groups(ephemerals).0, expected);
        assert!(connections.starts_with("Connections Sets ("));
    }
}
