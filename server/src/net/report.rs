//! The answers to four-letter words, gathered from the state.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Engine, State};
use super::facts::Facts;
use super::long_word::{Ephemerals, LONG, WatchesByPath, WatchesBySession};
use super::machine;
use super::outbox::{ConnectionStats, Outbox};
use super::outgoing::Long;
use super::totals::Packets;
use crate::config::{FourLetterWords, MetricsProvider};
use crate::keeper::{Connection, ConnectionId, Keeper, QuotaSums, Table, Watches, quota_sums};
use crate::protocol::{MemberId, Mode, SessionId, Timestamp, Zxid};
use crate::store::version_folder;
use crate::wire::{
    Answer, ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport,
    FourLetterWord, Metric, MonitorReport, Quotas, ServerReport,
};

/// Answer to a word.
pub(super) enum Answered {
    Now(Answer),
    /// Beginning of a text, and the rest of it, which is made after the turn.
    Later(String, Box<dyn Long>),
}

/// Answers a word with which a connection began; `None` says nothing, and closes all the same.
pub(super) fn answer(
    engine: &Arc<Engine>,
    state: &mut State,
    now: Timestamp,
    asking: ConnectionId,
    (word, facts): (FourLetterWord, Facts),
    received: &[u8],
) -> Option<Answered> {
    let answer = answer_now(state, engine, now, asking, (word, facts), received)?;
    if let Answer::Dump(dump) = &answer
        && has_many_ephemerals(state)
    {
        let [mut before, mut behind] = [String::new(), String::new()];
        let sessions = state.keeper.tree().all_ephemerals().count();
        let written = dump
            .write_sessions(&mut before, sessions)
            .and_then(|()| dump.write_connections(&mut behind));
        debug_assert!(written.is_ok(), "memory takes every text");
        let rest = Ephemerals::new(engine, behind);
        return Some(Answered::Later(before, Box::new(rest)));
    }
    let rest: Box<dyn Long> = if matches!(answer, Answer::Wchc(_)) && has_many_watches(state) {
        Box::new(WatchesBySession::new(engine))
    } else if matches!(answer, Answer::Wchp(_)) && has_many_watches(state) {
        Box::new(WatchesByPath::new(engine))
    } else {
        return Some(Answered::Now(answer));
    };
    Some(Answered::Later(String::new(), rest))
}

/// Whether `dump` lists so many ephemerals that they are listed after the turn.
fn has_many_ephemerals(state: &State) -> bool {
    state.keeper.tree().ephemerals_count() > LONG
}

/// Whether there are so many watches that they are listed after the turn.
fn has_many_watches(state: &State) -> bool {
    let tables = state.keeper.all_watches().map(Watches::data);
    tables.map(Table::pairs).sum::<usize>() > LONG
}

// Longer than 60 lines: one arm for each word.
fn answer_now(
    state: &mut State,
    engine: &Engine,
    now: Timestamp,
    asking: ConnectionId,
    (word, facts): (FourLetterWord, Facts),
    received: &[u8],
) -> Option<Answer> {
    if !engine.lists(word) {
        return Some(Answer::NotListed(word));
    }
    let member = state.keeper.connection(asking).map(Connection::member);
    let member = member.unwrap_or_default();
    let mode = state.keeper.members().mode(member);
    if mode == Mode::NotServing && !word.is_answered_by_all() {
        return Some(Answer::NotServing);
    }
    Some(match word {
        FourLetterWord::Conf => Answer::Conf(conf(engine, facts.sizes)),
        FourLetterWord::Cons => Answer::Cons(connections(state, asking)),
        FourLetterWord::Crst => {
            reset_connections(state);
            Answer::Crst
        }
        FourLetterWord::Dirs => {
            let (data_size, log_size) = facts.sizes;
            Answer::Dirs {
                data_size,
                log_size,
            }
        }
        FourLetterWord::Dump => {
            let lists_ephemerals = !has_many_ephemerals(state);
            Answer::Dump(dump(state, lists_ephemerals))
        }
        FourLetterWord::Envi => Answer::Envi(facts.environment?),
        FourLetterWord::Gtmk => Answer::TraceMask(state.trace_mask),
        FourLetterWord::Stmk => {
            state.trace_mask = FourLetterWord::trace_mask(received)?;
            Answer::TraceMask(state.trace_mask)
        }
        FourLetterWord::Hash => Answer::Hash(digests(state)),
        FourLetterWord::Isro => Answer::Isro {
            read_only: (mode != Mode::NotServing).then_some(mode == Mode::ReadOnly),
        },
        FourLetterWord::Mntr => {
            let provider = engine.config.metrics_provider;
            let report = monitor(state, provider, mode, now, facts.descriptors);
            Answer::Mntr(Box::new(report))
        }
        FourLetterWord::Ruok => Answer::Ruok,
        FourLetterWord::Srst => {
            state.totals.reset(engine.config.metrics_provider);
            Answer::Srst
        }
        FourLetterWord::Srvr => Answer::Srvr(server(state, member)),
        FourLetterWord::Stat => Answer::Stat(server(state, member), connections(state, asking)),
        FourLetterWord::Wchc if has_many_watches(state) => Answer::Wchc(Vec::new()),
        FourLetterWord::Wchp if has_many_watches(state) => Answer::Wchp(Vec::new()),
        FourLetterWord::Wchc => {
            Answer::Wchc(group(watches(state).map(|(path, session)| (session, path))))
        }
        FourLetterWord::Wchp => Answer::Wchp(group(watches(state))),
        FourLetterWord::Wchs => Answer::Wchs {
            connections: watch_count(state, Table::connections),
            paths: watch_count(state, Table::paths),
            watches: watch_count(state, Table::pairs),
        },
        FourLetterWord::TelnetClose => Answer::TelnetClose,
    })
}

impl Engine {
    /// Whether a four-letter word is answered.
    pub(super) fn lists(&self, word: FourLetterWord) -> bool {
        match &self.config.four_letter_words {
            FourLetterWords::All => true,
            FourLetterWords::Only(words) => word.is_listed(words),
        }
    }
}

/// Reports for the AdminServer: the same as those of the four-letter words, as data.
impl Engine {
    /// Mode of a member.
    pub(crate) fn mode_of(&self, member: MemberId) -> Mode {
        self.lock().keeper.members().mode(member)
    }

    pub(crate) fn conf_report(&self) -> ConfReport {
        conf(self, self.sizes())
    }

    /// Sizes of the snapshots and of the logs, in bytes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        self.log.as_ref().map_or((0, 0), |log| log.sizes())
    }

    /// Zxid and time of the newest snapshot. A server in memory has that of its start.
    pub(crate) fn last_snapshot(&self) -> Option<(Zxid, Timestamp)> {
        match &self.log {
            None => Some((Zxid(0), self.lock().started)),
            Some(log) => {
                let (zxid, path) = log.newest_snapshot()?;
                Some((zxid, machine::modified(&path)?))
            }
        }
    }

    pub(crate) fn connection_reports(&self) -> Vec<ConnectionReport> {
        connections(&self.lock(), ConnectionId::HANDLE)
    }

    pub(crate) fn dump_report(&self) -> DumpReport {
        dump(&self.lock(), true)
    }

    pub(crate) fn server_report(&self, member: MemberId) -> ServerReport {
        server(&self.lock(), member)
    }

    /// Sizes of the replies: the last, the smallest and the largest.
    pub(crate) fn response_sizes(&self) -> Option<(u64, u64, u64)> {
        let sizes = self.lock().totals.response_sizes?;
        Some((sizes.last, sizes.min, sizes.max))
    }

    /// Number of failed authentications, and the time since the start.
    pub(crate) fn auth_failures_and_uptime(&self) -> (u64, Duration) {
        let state = self.lock();
        let uptime = self.clock.now().since(state.started);
        (state.totals.auth_failed, uptime)
    }

    pub(crate) fn metrics(&self, member: MemberId) -> Vec<Metric> {
        let descriptors = machine::file_descriptors();
        let report = {
            let state = self.lock();
            let mode = state.keeper.members().mode(member);
            let provider = self.config.metrics_provider;
            monitor(&state, provider, mode, self.clock.now(), descriptors)
        };
        report.into_metrics()
    }

    /// Every watched path with the session that watches it, as in `wchc`.
    pub(crate) fn watched_paths(&self) -> Vec<(String, SessionId)> {
        watches(&self.lock()).collect()
    }

    /// Numbers of connections, paths and watches, as in `wchs`.
    pub(crate) fn watch_counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        let count = |of: fn(&Table) -> usize| watch_count(&state, of);
        (
            count(Table::connections),
            count(Table::paths),
            count(Table::pairs),
        )
    }

    /// Digests of the state by zxid, as in `hash`.
    pub(crate) fn digests(&self) -> Vec<(Zxid, i64)> {
        digests(&self.lock())
    }

    pub(crate) fn trace_mask(&self) -> i64 {
        self.lock().trace_mask
    }

    pub(crate) fn set_trace_mask(&self, mask: i64) {
        self.lock().trace_mask = mask;
    }

    /// Resets the counts of the server, as `srst` does.
    pub(crate) fn reset_counts(&self) {
        self.lock().totals.reset(self.config.metrics_provider);
    }

    /// Resets the counts of the connections, as `crst` does.
    pub(crate) fn reset_connection_counts(&self) {
        reset_connections(&mut self.lock());
    }

    pub(crate) fn environment_report() -> EnvironmentReport {
        machine::environment()
    }
}

fn reset_connections(state: &mut State) {
    let outboxes = state.outboxes.iter_mut();
    outboxes.for_each(|(_, outbox)| outbox.stats.reset());
}

fn digests(state: &State) -> Vec<(Zxid, i64)> {
    let history = state.keeper.tree().digest_history();
    history
        .map(|(zxid, digest)| (zxid, digest.cast_signed()))
        .collect()
}

fn watch_count(state: &State, of: fn(&Table) -> usize) -> usize {
    let tables = state.keeper.all_watches().map(Watches::data);
    tables.map(of).sum()
}

/// Limits and usage of the quotas, as sets of gauges.
fn quotas(keeper: &Keeper) -> Quotas {
    let sums = quota_sums(keeper.tree());
    let set = |of: fn(&QuotaSums) -> i64| {
        let gauges = sums.iter().map(|(name, sums)| (name.clone(), of(sums)));
        gauges.collect()
    };
    Quotas {
        count_limit: set(|sums| sums.count_limit),
        bytes_limit: set(|sums| sums.bytes_limit),
        count_usage: set(|sums| sums.count),
        bytes_usage: set(|sums| sums.bytes),
    }
}

fn conf(engine: &Engine, (data_dir_size, data_log_size): (u64, u64)) -> ConfReport {
    let config = &engine.config;
    let (shortest, longest) = config.session_timeouts();
    let storage = &config.storage;
    // A server in memory has no folder, and a real server always has one.
    let data_dir = storage
        .data_dir
        .as_deref()
        .unwrap_or(Path::new("/tmp/minikeeper"));
    let data_log_dir = storage.data_log_dir.as_deref().unwrap_or(data_dir);
    ConfReport {
        client_port: engine.port(),
        data_dir: shown(data_dir),
        data_dir_size,
        data_log_dir: shown(data_log_dir),
        data_log_size,
        tick_time_ms: config.tick_time.as_millis(),
        max_client_connections: config.max_client_connections,
        min_session_timeout_ms: shortest.as_millis(),
        max_session_timeout_ms: longest.as_millis(),
        listen_backlog: config.listen_backlog,
        // ServerConfig leaves a standalone server without a number, whatever its session ids begin with.
        server_id: 0,
    }
}

/// Formats the folder of the files of a `dataDir` as `ZooKeeperServer.getConf` does: it is absolute.
fn shown(folder: &Path) -> String {
    machine::absolute(&version_folder(folder))
        .display()
        .to_string()
}

fn server(state: &State, member: MemberId) -> ServerReport {
    let Packets { received, sent } = state.totals.since_reset;
    ServerReport {
        latency: state.totals.latencies.all,
        received,
        sent,
        connections: state.outboxes.len(),
        outstanding: 0,
        last_zxid: state.keeper.last_zxid_of(member),
        mode: state.keeper.members().mode(member),
        // A real server keeps the root under two names and counts both.
        znodes: state.keeper.tree().len() + 1,
    }
}

fn connections(state: &State, asking: ConnectionId) -> Vec<ConnectionReport> {
    let mut outboxes: Vec<(&ConnectionId, &Outbox)> = state.outboxes.iter().collect();
    outboxes.sort_unstable_by_key(|(id, _)| **id);
    let report = |(id, outbox): (&ConnectionId, &Outbox)| {
        let stats = &outbox.stats;
        ConnectionReport {
            peer: stats.address,
            interest_ops: u32::from(*id != asking),
            queued: 0,
            received: stats.received,
            sent: stats.sent,
            session: state
                .session_of(*id)
                .and_then(|session| connection_session(state, session, stats)),
        }
    };
    outboxes.into_iter().map(report).collect()
}

fn connection_session(
    state: &State,
    id: SessionId,
    stats: &ConnectionStats,
) -> Option<ConnectionSession> {
    let session = state.keeper.sessions().get(id)?;
    Some(ConnectionSession {
        session: id,
        last_operation: stats.last_operation,
        established: stats.established,
        timeout_ms: session.timeout_ms,
        last_cxid: stats.last_cxid.0,
        last_zxid: stats.last_zxid,
        last_response_ms: stats.last_response.map_or(0, |at| {
            let elapsed = state.elapsed_at_start + at.since(state.started);
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        }),
        last_latency_ms: stats.last_latency_ms,
        latency: stats.latency,
    })
}

fn dump(state: &State, lists_ephemerals: bool) -> DumpReport {
    let sessions = state.keeper.sessions();
    let mut connections: Vec<_> = state
        .outboxes
        .iter()
        .map(|(id, outbox)| {
            let session = state.session_of(*id);
            let connection = state.keeper.connection(*id);
            // Without a session, the connection is closed when its time to ask for one is over.
            let sessionless = connection.map(Connection::sessionless_deadline);
            let due = session
                .and_then(|id| sessions.get(id))
                .map(|session| session.deadline);
            let due = due.or(sessionless).unwrap_or(outbox.stats.established);
            (
                due,
                (outbox.stats.address, session.unwrap_or(SessionId::NONE)),
            )
        })
        .collect();
    connections.sort_unstable();
    DumpReport {
        sessions: group(
            sessions
                .sorted()
                .into_iter()
                .map(|(id, session)| (session.deadline, id)),
        ),
        ephemerals: state
            .keeper
            .tree()
            .all_ephemerals()
            .filter(|_| lists_ephemerals)
            .map(|(session, paths)| (session, paths.map(str::to_owned).collect()))
            .collect(),
        connections: group(connections.into_iter()),
    }
}

/// Every pair of a path watched for itself or its data and the session that watches it.
fn watches(state: &State) -> impl Iterator<Item = (String, SessionId)> {
    let tables = state.keeper.all_watches().map(Watches::data);
    tables.flat_map(Table::sorted).map(|(path, connection, _)| {
        (
            path.to_owned(),
            state.session_of(connection).unwrap_or(SessionId::NONE),
        )
    })
}

fn group<K: Ord, V>(pairs: impl Iterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups.into_iter().collect()
}

fn monitor(
    state: &State,
    provider: MetricsProvider,
    mode: Mode,
    now: Timestamp,
    (open_files, max_files): (u64, u64),
) -> MonitorReport {
    let totals = &state.totals;
    let tree = state.keeper.tree();
    let uptime: Duration = now.since(state.started);
    MonitorReport {
        provider,
        server_state: mode,
        latency: totals.latencies.all,
        packets_received: totals.since_reset.received,
        packets_sent: totals.since_reset.sent,
        num_alive_connections: state.outboxes.len(),
        outstanding_requests: 0,
        znode_count: tree.len() + 1,
        watch_count: state
            .keeper
            .all_watches()
            .map(|watches| watches.data().pairs() + watches.child().pairs())
            .sum(),
        ephemerals_count: tree.ephemerals_count(),
        approximate_data_size: u64::try_from(tree.data_size()).unwrap_or(0),
        open_file_descriptor_count: open_files,
        max_file_descriptor_count: max_files,
        global_sessions: state.keeper.sessions().len(),
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        client_response_size: totals.response_sizes,
        auth_failed_count: totals.auth_failed,
        bytes_received_count: totals.bytes_received,
        response_bytes: totals.response_bytes,
        connection_request_count: totals.accepted,
        connection_rejected: totals.rejected,
        connection_drop_count: totals.closed,
        sessionless_connections_expired: totals.sessionless_expired,
        stale_sessions_expired: totals.sessions_expired,
        readlatency: totals.latencies.read(),
        updatelatency: totals.latencies.update(),
        read_per_namespace: totals.namespaces.read(),
        write_per_namespace: totals.namespaces.written(),
        quota_exceeded_error_per_namespace: totals.namespaces.quota_exceeded(),
        quotas: quotas(&state.keeper),
    }
}
