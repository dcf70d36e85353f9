//! The data of each command, in the names and the order of a real server.

use std::collections::BTreeMap;

use minikeeper::SessionId;
use minikeeper::admin::{Admin, ConnectionReport, Quorum};
use minikeeper::ensemble::Mode;

use super::json::Json;

/// Members of an answer.
pub(super) type Data = Vec<(String, Json)>;

/// Version of the digests of a state (`DigestCalculator.DIGEST_VERSION`).
const DIGEST_VERSION: i32 = 2;

/// Number of a session, which Java prints as a signed number.
fn session(id: SessionId) -> i64 {
    id.0
}

fn data<const N: usize>(members: [(&str, Json); N]) -> Data {
    members.map(|(key, value)| (key.to_owned(), value)).into()
}

/// `ZooKeeperServerConf.toMap`.
pub(super) fn configuration(admin: &Admin) -> Data {
    let report = admin.configuration();
    data([
        ("client_port", Json::number(report.client_port)),
        ("data_dir", report.data_dir.into()),
        ("data_log_dir", report.data_log_dir.into()),
        ("tick_time", Json::number(report.tick_time_ms)),
        (
            "max_client_cnxns",
            Json::number(report.max_client_connections as u64),
        ),
        (
            "min_session_timeout",
            Json::number(report.min_session_timeout_ms),
        ),
        (
            "max_session_timeout",
            Json::number(report.max_session_timeout_ms),
        ),
        ("server_id", Json::number(report.server_id)),
        (
            "client_port_listen_backlog",
            Json::number(report.listen_backlog),
        ),
    ])
}

/// Amount of detail about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Brief,
    Full,
}

/// `ServerCnxn.getConnectionInfo`.
fn connection(report: &ConnectionReport, detail: Detail) -> Json {
    let mut members = vec![
        ("remote_socket_address", Json::from(report.peer.to_string())),
        ("interest_ops", Json::number(report.interest_ops)),
        ("outstanding_requests", Json::number(report.queued)),
        ("packets_received", Json::number(report.received)),
        ("packets_sent", Json::number(report.sent)),
    ];
    if let (Detail::Full, Some(details)) = (detail, &report.session) {
        members.extend([
            ("session_id", Json::number(session(details.session))),
            ("last_operation", details.last_operation.into()),
            ("established", Json::number(details.established.0)),
            ("session_timeout", Json::number(details.timeout_ms)),
            ("last_cxid", Json::number(details.last_cxid)),
            ("last_zxid", Json::number(details.last_zxid.0)),
            ("last_response_time", Json::number(details.last_response_ms)),
            ("last_latency", Json::number(details.last_latency_ms)),
            ("min_latency", Json::number(details.latency.min)),
            ("avg_latency", Json::number(details.average_latency_ms())),
            ("max_latency", Json::number(details.latency.max)),
        ]);
    }
    Json::object(members)
}

fn all_connections(admin: &Admin, detail: Detail) -> Data {
    let reports = admin.connections();
    let connections = reports.iter().map(|report| connection(report, detail));
    data([
        ("connections", Json::list(connections)),
        ("secure_connections", Json::list([])),
    ])
}

pub(super) fn connections(admin: &Admin) -> Data {
    all_connections(admin, Detail::Full)
}

pub(super) fn dirs(admin: &Admin) -> Data {
    let details = admin.details();
    data([
        ("datadir_size", Json::number(details.data_size)),
        ("logdir_size", Json::number(details.log_size)),
    ])
}

pub(super) fn dump(admin: &Admin) -> Data {
    let report = admin.sessions();
    let expiries = report.sessions.into_iter().map(|(due, sessions)| {
        let sessions = sessions.into_iter().map(|id| Json::number(session(id)));
        (due.0.to_string(), Json::list(sessions))
    });
    let ephemerals = report.ephemerals.into_iter().map(|(owner, paths)| {
        let paths = paths.into_iter().map(Json::from);
        (session(owner).to_string(), Json::list(paths))
    });
    data([
        ("expiry_time_to_session_ids", Json::object(expiries)),
        ("session_id_to_ephemeral_paths", Json::object(ephemerals)),
    ])
}

pub(super) fn environment(admin: &Admin) -> Data {
    let pairs = admin.environment().pairs().into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

pub(super) fn hash(admin: &Admin) -> Data {
    let digests = admin.digests().into_iter().map(|(zxid, digest)| {
        Json::object([
            ("zxid", Json::number(zxid.0)),
            ("digest_version", Json::number(DIGEST_VERSION)),
            ("digest", Json::number(digest)),
        ])
    });
    data([("digests", Json::list(digests))])
}

pub(super) fn is_read_only(admin: &Admin) -> Data {
    data([("read_only", (admin.mode() == Mode::ReadOnly).into())])
}

/// The zxid is text without `0x`, the time is in seconds.
pub(super) fn last_snapshot(admin: &Admin) -> Data {
    let (zxid, seconds) = match admin.last_snapshot() {
        Some((zxid, time)) => (zxid.0, time.0.div_euclid(1000)),
        None => (-1, -1),
    };
    data([
        ("zxid", format!("{zxid:x}").into()),
        ("timestamp", Json::number(seconds)),
    ])
}

pub(super) fn leader(admin: &Admin) -> Data {
    let Some(quorum) = admin.quorum() else {
        return data([("error", "server is not initialized".into())]);
    };
    let leader = quorum.leader;
    let address = leader.and_then(|leader| address_of(&quorum, leader.0));
    data([
        ("is_leader", (leader == Some(quorum.member)).into()),
        (
            "leader_id",
            Json::number(leader.map_or(-1, |leader| i16::from(leader.0))),
        ),
        ("leader_ip", address.unwrap_or_default().into()),
    ])
}

fn address_of(quorum: &Quorum, member: u8) -> Option<String> {
    let mut members = quorum.members.iter();
    let (_, address) = members.find(|(id, _)| id.0 == member)?;
    Some(address.ip().to_string())
}

/// `ZooKeeperServer.dumpMonitorValues`, then the metrics in the form of their provider.
pub(super) fn monitor(admin: &Admin) -> Data {
    let mut members = data([
        ("version", admin.version().into()),
        ("server_state", admin.mode().to_string().into()),
    ]);
    let provider = admin.metrics_provider();
    for metric in admin.metrics() {
        let lines = metric.lines(provider).into_iter();
        members.extend(lines.map(|(name, number)| (name, number.into())));
    }
    members
}

pub(super) fn observers() -> Data {
    data([
        ("synced_observers", Json::number(0)),
        ("observers", Json::list([])),
    ])
}

/// `ServerStats` and `BufferStats` as Jackson sees their getters.
pub(super) fn server_stats(admin: &Admin) -> Data {
    let (report, details) = (admin.server(), admin.details());
    let sizes = |sizes: Option<(u64, u64, u64)>| {
        let size = |of: fn((u64, u64, u64)) -> u64| {
            Json::Number(sizes.map_or(-1, |sizes| of(sizes).into()))
        };
        Json::object([
            ("last_buffer_size", size(|(last, _, _)| last)),
            ("min_buffer_size", size(|(_, min, _)| min)),
            ("max_buffer_size", size(|(_, _, max)| max)),
        ])
    };
    let stats = Json::object([
        ("packets_sent", Json::number(report.sent)),
        ("packets_received", Json::number(report.received)),
        ("fsync_threshold_exceed_count", Json::number(0)),
        ("client_response_stats", sizes(details.response_sizes)),
        ("data_dir_size", Json::number(details.data_size)),
        ("log_dir_size", Json::number(details.log_size)),
        ("provider_null", false.into()),
        ("last_processed_zxid", Json::number(report.last_zxid.0)),
        ("outstanding_requests", Json::number(report.outstanding)),
        ("server_state", report.mode.to_string().into()),
        ("avg_latency", Json::Decimal(report.latency.average())),
        ("max_latency", Json::number(report.latency.max)),
        ("min_latency", Json::number(report.latency.min)),
        (
            "num_alive_client_connections",
            Json::number(report.connections as u64),
        ),
        ("uptime", Json::number(details.uptime.as_millis())),
        ("auth_failed_count", Json::number(details.auth_failed)),
        ("non_mtlsremote_conn_count", Json::number(0)),
        ("non_mtlslocal_conn_count", Json::number(0)),
    ]);
    let mut members = data([
        ("version", admin.version().into()),
        ("read_only", (report.mode == Mode::ReadOnly).into()),
        ("server_stats", stats),
        ("client_response", sizes(details.response_sizes)),
    ]);
    if report.mode == Mode::Leader {
        // As on a leader that has proposed nothing: members have no protocol among them.
        members.push(("proposal_stats".to_owned(), sizes(None)));
    }
    members.push(("node_count".to_owned(), Json::number(report.znodes as u64)));
    members
}

pub(super) fn stats(admin: &Admin) -> Data {
    let mut members = server_stats(admin);
    members.extend(all_connections(admin, Detail::Brief));
    members
}

/// The members with their addresses for clients. They have no addresses for one another.
pub(super) fn voting_view(admin: &Admin) -> Data {
    let members = admin.quorum().map(|quorum| quorum.members);
    let members = members.into_iter().flatten().map(|(id, address)| {
        let view = Json::object([
            ("server_addresses", Json::list([])),
            ("election_addresses", Json::list([])),
            ("client_address", address.to_string().into()),
            ("learner_type", "participant".into()),
        ]);
        (id.0.to_string(), view)
    });
    data([("current_config", Json::object(members))])
}

pub(super) fn watches(admin: &Admin) -> Data {
    let mut sessions: BTreeMap<i64, Vec<Json>> = BTreeMap::new();
    for (path, id) in admin.watched_paths() {
        sessions.entry(session(id)).or_default().push(path.into());
    }
    let sessions = sessions.into_iter();
    let sessions = sessions.map(|(id, paths)| (id.to_string(), Json::List(paths)));
    data([("session_id_to_watched_paths", Json::object(sessions))])
}

pub(super) fn watches_by_path(admin: &Admin) -> Data {
    let mut paths: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (path, id) in admin.watched_paths() {
        paths
            .entry(path)
            .or_default()
            .push(Json::number(session(id)));
    }
    let paths = paths.into_iter();
    let paths = paths.map(|(path, sessions)| (path, Json::List(sessions)));
    data([("path_to_session_ids", Json::object(paths))])
}

pub(super) fn watch_summary(admin: &Admin) -> Data {
    let (connections, paths, watches) = admin.watch_counts();
    data([
        ("num_connections", Json::number(connections as u64)),
        ("num_paths", Json::number(paths as u64)),
        ("num_total_watches", Json::number(watches as u64)),
    ])
}

/// Members have no addresses for one another, so `quorum_address` and `election_address` are absent.
pub(super) fn zab_state(admin: &Admin) -> Data {
    let is_serving = matches!(admin.mode(), Mode::Leader | Mode::Follower | Mode::ReadOnly);
    let Some(quorum) = admin.quorum().filter(|_| is_serving) else {
        return data([("voting", false.into()), ("zabstate", "".into())]);
    };
    let Quorum {
        member,
        leader,
        last_zxid,
        ..
    } = &quorum;
    let address = quorum.members.iter().find(|(id, _)| id == member);
    let address = address.map(|(_, address)| address.to_string());
    let state = if leader.is_some() {
        "broadcast"
    } else {
        "election"
    };
    data([
        ("myid", Json::number(member.0)),
        ("is_leader", (*leader == Some(*member)).into()),
        ("client_address", address.unwrap_or_default().into()),
        ("voting", true.into()),
        ("last_zxid", format!("0x{:x}", last_zxid.0).into()),
        ("zab_epoch", Json::number(last_zxid.0 >> 32)),
        ("zab_counter", Json::number(last_zxid.0 & 0xffff_ffff)),
        ("zabstate", state.into()),
    ])
}
