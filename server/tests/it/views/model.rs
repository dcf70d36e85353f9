//! Every view agrees with a model as soon as a call of the test has returned.

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "all of it is parts of one test"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use minikeeper::{
    Ensemble, Fault, Hold, Matcher, Op, Server, SessionId, fault::Partition, inspect::LeakKind,
    matcher::EventKind,
};
use proptest::prelude::*;

use crate::client::{self, Client, EPHEMERAL, TIMEOUT, op};

/// Number of clients and of members; each client connects to a member of its own.
const CLIENTS: usize = 3;
const LABELS: [&str; CLIENTS] = ["a", "b", "c"];

/// Step of a client or of the test. A step that is not possible in the present state is skipped.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize),
    Resume(usize),
    /// Creates an ephemeral and sets a watch.
    Ask(usize),
    /// Sends the request that is held.
    AskHeld(usize),
    CloseSession(usize),
    /// A fault drops the connection.
    Drop(usize),
    Release,
    ReleaseLabel(usize),
    ReleaseAll,
    Disconnect(usize),
    DisconnectAll,
    Expire(usize),
    Mute(usize, bool),
    Advance,
    Cut(usize),
    Heal(usize),
    ClearFaults,
    Elect,
    LoseQuorum,
    RegainQuorum,
    StopMember(usize),
    StartMember(usize),
    Stop,
    StartAgain,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        8 => client().prop_map(Step::Open),
        3 => client().prop_map(Step::Resume),
        5 => client().prop_map(Step::Ask),
        5 => client().prop_map(Step::AskHeld),
        1 => client().prop_map(Step::CloseSession),
        1 => client().prop_map(Step::Drop),
        2 => Just(Step::Release),
        1 => client().prop_map(Step::ReleaseLabel),
        1 => Just(Step::ReleaseAll),
        2 => client().prop_map(Step::Disconnect),
        1 => Just(Step::DisconnectAll),
        2 => client().prop_map(Step::Expire),
        2 => (client(), any::<bool>()).prop_map(|(client, muted)| Step::Mute(client, muted)),
        2 => Just(Step::Advance),
        2 => client().prop_map(Step::Cut),
        2 => client().prop_map(Step::Heal),
        1 => Just(Step::ClearFaults),
        1 => Just(Step::Elect),
        1 => Just(Step::LoseQuorum),
        2 => Just(Step::RegainQuorum),
        1 => client().prop_map(Step::StopMember),
        2 => client().prop_map(Step::StartMember),
        1 => Just(Step::Stop),
        2 => Just(Step::StartAgain),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    // Each case starts a server, so the default is few cases; `PROPTEST_CASES` sets another number.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_view_shows_what_was_done(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in &steps {
            world.take(*step);
            world.check();
        }
    }
}

/// Model of an open connection.
struct OpenConnection {
    client: Client,
    /// Number that the server gave to the connection.
    number: u64,
    request: Request,
}

/// Progress of the held request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    None,
    Held,
    /// The request was released, and waits for its link.
    Released,
}

/// Model of a session.
struct Session {
    id: SessionId,
    client: usize,
    granted: client::Granted,
    muted: bool,
    watches: bool,
    ephemerals: BTreeSet<String>,
}

struct World {
    ensemble: Ensemble,
    server: Server,
    addrs: Vec<SocketAddr>,
    hold: Hold,
    up: [Option<OpenConnection>; CLIENTS],
    sessions: Vec<Session>,
    cuts: [Option<Partition>; CLIENTS],
    runs: [bool; CLIENTS],
    serves: bool,
    quorum_lost: bool,
    /// Number of times that the held request was carried out.
    version: i32,
    created: usize,
    closed: Vec<u64>,
    /// Held requests, oldest first.
    held: Vec<usize>,
}

impl World {
    fn new() -> Self {
        let builder = Server::builder().manual_clock();
        let ensemble = builder.ensemble(3).expect("an ensemble starts");
        let server = ensemble.server().clone();
        server.create("/held", b"").expect("it is not there");
        let members = ensemble.members().into_iter().zip(LABELS);
        let addrs = members.map(|(member, label)| {
            let address = member.labelled(label);
            address.expect("it listens").addr()
        });
        Self {
            addrs: addrs.collect(),
            hold: server.hold(Matcher::request(Op::SetData)),
            server,
            ensemble,
            up: [const { None }; CLIENTS],
            sessions: Vec::new(),
            cuts: [const { None }; CLIENTS],
            runs: [true; CLIENTS],
            serves: true,
            quorum_lost: false,
            version: 0,
            created: 0,
            closed: Vec::new(),
            held: Vec::new(),
        }
    }

    fn has_leader(&self) -> bool {
        !self.quorum_lost && self.runs.iter().filter(|runs| **runs).count() >= 2
    }

    fn can_connect(&self, client: usize) -> bool {
        self.serves
            && self.runs[client]
            && self.has_leader()
            && self.cuts[client].is_none()
            && self.up[client].is_none()
    }

    /// Client that is connected and can send a request.
    fn free(&mut self, client: usize) -> Option<&mut OpenConnection> {
        if self.cuts[client].is_some() {
            return None;
        }
        let up = self.up[client].as_mut()?;
        (up.request == Request::None).then_some(up)
    }

    fn session(&mut self, id: SessionId) -> &mut Session {
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.id == id);
        session.expect("it is alive")
    }

    fn id_of(&self, client: usize) -> Option<SessionId> {
        self.up[client].as_ref().map(|up| up.client.session())
    }

    /// The connection has ended.
    fn gone(&mut self, client: usize) {
        if let Some(up) = self.up[client].take() {
            self.session(up.client.session()).watches = false;
            self.closed.push(up.number);
            self.held.retain(|held| *held != client);
        }
    }

    fn all_gone(&mut self) {
        (0..CLIENTS).for_each(|client| self.gone(client));
    }

    fn over(&mut self, id: SessionId) {
        for client in 0..CLIENTS {
            if self.id_of(client) == Some(id) {
                self.gone(client);
            }
        }
        self.sessions.retain(|session| session.id != id);
    }

    fn connected(&mut self, which: usize, client: Client) {
        let connections = self.server.connections();
        let newest = connections.last().expect("it is up");
        self.up[which] = Some(OpenConnection {
            client,
            number: newest.number,
            request: Request::None,
        });
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Open(client) if self.can_connect(client) => {
                let connected = Client::connect(self.addrs[client]);
                self.sessions.push(Session {
                    id: connected.session(),
                    client,
                    granted: connected.granted.clone(),
                    muted: false,
                    watches: false,
                    ephemerals: BTreeSet::new(),
                });
                self.connected(client, connected);
            }
            Step::Resume(client) if self.can_connect(client) => {
                let own = self.sessions.iter().rfind(|it| it.client == client);
                if let Some(granted) = own.map(|session| session.granted.clone()) {
                    let resumed = Client::resume(self.addrs[client], &granted);
                    self.connected(client, resumed.expect("it is alive"));
                }
            }
            Step::Ask(client) => self.ask(client),
            Step::AskHeld(client) => {
                let number = self.held.len() + 1;
                if let Some(up) = self.free(client) {
                    up.client.send(op::SET_DATA, &client::set("/held", b""));
                    up.request = Request::Held;
                    self.held.push(client);
                    self.hold.wait_for(number).blocking().expect("it is held");
                }
            }
            Step::CloseSession(client) => {
                if let Some(up) = self.free(client) {
                    up.client.ask_ok(op::CLOSE_SESSION, &[]);
                    let id = up.client.session();
                    self.over(id);
                }
            }
            Step::Drop(client) => self.drop_by_fault(client),
            Step::Release | Step::ReleaseLabel(_) | Step::ReleaseAll => self.release(step),
            _ => self.take_verb(step),
        }
    }

    fn ask(&mut self, client: usize) {
        let path = format!("/{}", self.created);
        let Some(up) = self.free(client) else {
            return;
        };
        assert_eq!(up.client.create(&path, b"", EPHEMERAL).error, 0);
        up.client.exists("/watched", true);
        let id = up.client.session();
        self.created += 1;
        let session = self.session(id);
        session.watches = true;
        session.ephemerals.insert(path);
    }

    fn drop_by_fault(&mut self, client: usize) {
        if self.free(client).is_none() {
            return;
        }
        let fault = self.server.fault("drop").on(Op::GetData);
        let fault = fault.label(LABELS[client]).then(Fault::DropBefore);
        if let Some(up) = self.free(client) {
            up.client.send(op::GET_DATA, &client::read("/", false));
        }
        fault.happened().blocking().expect("it happens");
        self.gone(client);
    }

    fn release(&mut self, step: Step) {
        let released: Vec<usize> = match step {
            Step::Release => {
                let next = self.hold.release_next();
                assert_eq!(next.is_ok(), !self.held.is_empty());
                self.held.drain(..self.held.len().min(1)).collect()
            }
            Step::ReleaseLabel(client) => {
                let number = self.hold.release_label(LABELS[client]);
                let own: Vec<_> = self.held.extract_if(.., |held| *held == client).collect();
                assert_eq!(number, own.len());
                own
            }
            _ => {
                assert_eq!(self.hold.release_all(), self.held.len());
                std::mem::take(&mut self.held)
            }
        };
        for client in released {
            if let Some(up) = &mut self.up[client] {
                up.request = Request::Released;
            }
            self.arrive(client);
        }
    }

    /// A released request is carried out unless its link is cut.
    fn arrive(&mut self, client: usize) {
        if let Some(up) = &mut self.up[client]
            && self.cuts[client].is_none()
            && up.request == Request::Released
        {
            self.version += 1;
            up.request = Request::None;
            assert_eq!(up.client.receive().error, 0);
        }
    }

    fn heal(&mut self, client: usize) {
        if let Some(cut) = self.cuts[client].take() {
            cut.heal();
            self.arrive(client);
        }
    }

    fn take_verb(&mut self, step: Step) {
        match step {
            Step::Disconnect(client) => {
                let whose = Matcher::any().label(LABELS[client]);
                let number = self.server.disconnect(&whose);
                assert_eq!(number, usize::from(self.up[client].is_some()));
                self.gone(client);
            }
            Step::DisconnectAll => {
                self.server.disconnect(Matcher::any());
                self.all_gone();
            }
            Step::Expire(client) => {
                let own = self.sessions.iter().find(|it| it.client == client);
                if let Some(id) = own.map(|session| session.id) {
                    assert_eq!(self.server.expire(id).expired.len(), 1);
                    self.over(id);
                }
            }
            Step::Mute(client, muted) => {
                if let Some(id) = self.id_of(client) {
                    if muted {
                        self.server.mute(id);
                    } else {
                        self.server.unmute(id);
                    }
                    self.session(id).muted = muted;
                }
            }
            Step::Advance => self.advance(),
            Step::Cut(client) if self.cuts[client].is_none() => {
                self.cuts[client] = Some(self.server.partition(LABELS[client]));
            }
            Step::Heal(client) => self.heal(client),
            Step::ClearFaults => {
                self.server.clear_faults();
                (0..CLIENTS).for_each(|client| self.heal(client));
            }
            _ => self.take_big_verb(step),
        }
    }

    fn advance(&mut self) {
        self.server.advance(3 * TIMEOUT);
        if !self.serves || !self.has_leader() {
            return;
        }
        let silent = self.sessions.iter().filter(|session| {
            let present = self.id_of(session.client) == Some(session.id)
                && self.cuts[session.client].is_none();
            session.muted || !present
        });
        let silent: Vec<SessionId> = silent.map(|session| session.id).collect();
        silent.into_iter().for_each(|id| self.over(id));
    }

    /// Actions on members, or on the whole server.
    fn take_big_verb(&mut self, step: Step) {
        let leader = self.ensemble.leader();
        let mut closes = None;
        match step {
            Step::Elect => {
                let elected = self.ensemble.elect(None);
                assert_eq!(elected.is_ok(), self.has_leader());
            }
            Step::LoseQuorum => {
                self.ensemble.lose_quorum();
                self.quorum_lost = true;
            }
            Step::RegainQuorum => {
                self.ensemble.regain_quorum();
                self.quorum_lost = false;
            }
            Step::StopMember(client) => {
                self.ensemble.members()[client].stop();
                self.runs[client] = false;
                closes = Some(client);
            }
            Step::StartMember(client) => {
                let started = self.ensemble.members()[client].start_again();
                started.expect("its port is kept");
                self.runs[client] = true;
            }
            Step::Stop => {
                self.server.stop();
                self.serves = false;
                self.all_gone();
            }
            Step::StartAgain => {
                self.server.start_again().expect("its ports are kept");
                self.serves = true;
            }
            Step::Restart => {
                self.server.restart().expect("its ports are kept");
                self.serves = true;
                self.all_gone();
            }
            _ => {}
        }
        if self.ensemble.leader() != leader {
            self.all_gone();
        } else if let Some(client) = closes {
            self.gone(client);
        }
    }

    fn check(&self) {
        self.check_connections();
        self.check_sessions();
        self.check_journal();
        self.check_words();
        let held = self.hold.held();
        let held: Vec<_> = held.iter().map(|held| held.session).collect();
        let own = self.held.iter().filter_map(|client| self.id_of(*client));
        assert_eq!(held, own.collect::<Vec<_>>(), "held()");
        let znode = self.server.znode("/held").expect("it is there");
        assert_eq!(
            znode.stat.version, self.version,
            "every released request is carried out"
        );
        let is_empty = self.sessions.is_empty() && self.up.iter().all(Option::is_none);
        if is_empty {
            self.server.assert_no_leaks();
        }
        let quiet = self.server.wait_for_no_leaks().within(Duration::ZERO);
        assert_eq!(quiet.blocking().is_ok(), is_empty, "wait_for_no_leaks()");
    }

    fn check_connections(&self) {
        let up = || (0..CLIENTS).filter_map(|client| Some((client, self.up[client].as_ref()?)));
        let views = self.server.connections();
        let views: BTreeSet<_> = views
            .iter()
            .map(|view| (view.number, view.label.as_deref(), view.session))
            .collect();
        let own = up().map(|(client, up)| {
            let session = Some(up.client.session());
            (up.number, Some(LABELS[client]), session)
        });
        assert_eq!(views, own.collect(), "connections()");
        for (client, view) in self.ensemble.view().iter().enumerate() {
            let own: Vec<_> = self.id_of(client).into_iter().collect();
            assert_eq!(view.sessions, own, "view() of member {}", view.id);
        }
    }

    fn check_sessions(&self) {
        let connected = |it: &Session| self.id_of(it.client) == Some(it.id);
        let views = self.server.sessions();
        let views: BTreeSet<_> = views
            .into_iter()
            .map(|view| {
                let ephemerals: BTreeSet<String> = view.ephemerals.into_iter().collect();
                (view.id, view.label, view.connected, view.muted, ephemerals)
            })
            .collect();
        let own = self.sessions.iter().map(|it| {
            let label = Some(LABELS[it.client].to_owned());
            (it.id, label, connected(it), it.muted, it.ephemerals.clone())
        });
        assert_eq!(views, own.collect(), "sessions()");
        let watches = self.server.watches();
        let watches: BTreeSet<_> = watches.iter().map(|watch| watch.session).collect();
        let watching = self.sessions.iter().filter(|it| it.watches);
        assert_eq!(watches, watching.map(|it| it.id).collect(), "watches()");
        let leaks = self.server.leaks();
        let leaks = |kind| leaks.iter().filter(|leak| leak.kind == kind).count();
        let ephemerals: usize = self.sessions.iter().map(|it| it.ephemerals.len()).sum();
        assert_eq!(
            leaks(LeakKind::Connection),
            self.up.iter().flatten().count()
        );
        assert_eq!(leaks(LeakKind::Session), self.sessions.len());
        assert_eq!(leaks(LeakKind::Ephemeral), ephemerals);
        assert_eq!(leaks(LeakKind::Watch), watches.len());
    }

    fn check_journal(&self) {
        let journal = self.server.journal();
        let ends = |number: u64| {
            let of_connection = Matcher::any().connection(number);
            let last = journal.matching(of_connection).last();
            last.is_some_and(|last| last.matches(&Matcher::of(EventKind::Disconnected)))
        };
        for number in &self.closed {
            assert!(ends(*number), "connection {number} has ended:\n{journal}");
        }
        for up in self.up.iter().flatten() {
            assert!(
                !ends(up.number),
                "connection {} is up:\n{journal}",
                up.number
            );
        }
    }

    fn check_words(&self) {
        let asked = (0..CLIENTS).find(|client| self.runs[*client]);
        let Some(member) = asked.filter(|_| self.serves && self.has_leader()) else {
            return;
        };
        let address = self.ensemble.members()[member].addr();
        let ask = |word: &[u8]| {
            let mut socket = client::open(address);
            client::send(&mut socket, word);
            String::from_utf8(client::receive_rest(&mut socket)).expect("text")
        };
        // The connection of the request is open, too.
        let connections = self.up.iter().flatten().count() + 1;
        let lines = ask(b"cons").lines().filter(|it| !it.is_empty()).count();
        assert_eq!(lines, connections, "cons");
        let stat = ask(b"stat");
        assert!(
            stat.contains(&format!("Connections: {connections}\n")),
            "{stat}"
        );
        let mntr = ask(b"mntr");
        let watches = self.sessions.iter().filter(|it| it.watches).count();
        let ephemerals: usize = self.sessions.iter().map(|it| it.ephemerals.len()).sum();
        for (name, number) in [
            ("num_alive_connections", connections),
            ("global_sessions", self.sessions.len()),
            ("watch_count", watches),
            ("ephemerals_count", ephemerals),
        ] {
            let line = format!("zk_{name}\t{number}\n");
            assert!(mntr.contains(&line), "{line} is not in:\n{mntr}");
        }
        let dump = ask(b"dump");
        for session in &self.sessions {
            let id = format!("{:#x}", session.id.0);
            assert!(dump.contains(&id), "{id} is not in:\n{dump}");
        }
    }
}
