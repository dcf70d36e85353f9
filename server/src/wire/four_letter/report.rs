//! Answers to the four-letter words, as text.

use core::net::SocketAddr;
use std::fmt;

use super::java::{Address, Date, Double};
use super::metric::Summary;
use super::monitor::MonitorReport;
use super::{FourLetterWord, VERSION};
use crate::protocol::{Mode, Operation, SessionId, Timestamp, Zxid};

/// Answer to a word. Its `Display` is the text that is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Conf(ConfReport),
    Cons(Vec<ConnectionReport>),
    Crst,
    Dirs {
        data_size: u64,
        log_size: u64,
    },
    Dump(DumpReport),
    Envi(EnvironmentReport),
    /// Answer to `gtmk`, and to a `stmk` that set the mask.
    TraceMask(i64),
    Hash(Vec<(Zxid, i64)>),
    /// `None` if the member serves no client.
    Isro {
        read_only: Option<bool>,
    },
    Mntr(Box<MonitorReport>),
    Ruok,
    Srst,
    Srvr(ServerReport),
    Stat(ServerReport, Vec<ConnectionReport>),
    /// Only data watches and those of `exists`, as a real server reports them; likewise in `Wchp` and `Wchs`.
    Wchc(Vec<(SessionId, Vec<String>)>),
    Wchp(Vec<(String, Vec<SessionId>)>),
    Wchs {
        connections: usize,
        paths: usize,
        watches: usize,
    },
    TelnetClose,
    /// The member of the ensemble serves no client.
    NotServing,
    /// The word is not in the list of allowed words.
    NotListed(FourLetterWord),
}

impl fmt::Display for Answer {
    // Longer than 60 lines: one arm for each word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conf(conf) => write!(f, "{conf}"),
            Self::Cons(connections) => {
                for connection in connections {
                    connection.write(f, Detail::Full)?;
                }
                writeln!(f)
            }
            Self::Crst => writeln!(f, "Connection stats reset."),
            Self::Dirs {
                data_size,
                log_size,
            } => {
                writeln!(f, "datadir_size: {data_size}")?;
                writeln!(f, "logdir_size: {log_size}")
            }
            Self::Dump(dump) => write!(f, "{dump}"),
            Self::Envi(environment) => write!(f, "{environment}"),
            Self::TraceMask(mask) => write!(f, "{mask}"),
            Self::Hash(digests) => digests
                .iter()
                .try_for_each(|(zxid, digest)| writeln!(f, "{:x}: {digest}", zxid.0)),
            Self::Isro { read_only } => f.write_str(match read_only {
                Some(true) => "ro",
                Some(false) => "rw",
                None => "null",
            }),
            Self::NotServing => writeln!(
                f,
                "This ZooKeeper instance is not currently serving requests"
            ),
            Self::Mntr(monitor) => write!(f, "{monitor}"),
            Self::Ruok => f.write_str("imok"),
            Self::Srst => writeln!(f, "Server stats reset."),
            Self::Srvr(server) => {
                server.write_title(f)?;
                write!(f, "{server}")
            }
            Self::Stat(server, connections) => {
                server.write_title(f)?;
                writeln!(f, "Clients:")?;
                for connection in connections {
                    connection.write(f, Detail::Brief)?;
                }
                writeln!(f)?;
                write!(f, "{server}")
            }
            Self::Wchc(sessions) => {
                for (session, paths) in sessions {
                    write_group(f, session, paths)?;
                }
                writeln!(f)
            }
            Self::Wchp(paths) => {
                for (path, sessions) in paths {
                    write_group(f, path, sessions)?;
                }
                writeln!(f)
            }
            Self::Wchs {
                connections,
                paths,
                watches,
            } => {
                writeln!(f, "{connections} connections watching {paths} paths")?;
                writeln!(f, "Total watches:{watches}")
            }
            Self::TelnetClose => Ok(()),
            Self::NotListed(word) => writeln!(
                f,
                "{} is not executed because it is not in the whitelist.",
                word.name()
            ),
        }
    }
}

/// Writes one group of `wchc` or `wchp`: a session and its paths, or a path and its sessions.
pub(crate) fn write_group(
    out: &mut impl fmt::Write,
    head: impl fmt::Display,
    members: impl IntoIterator<Item: fmt::Display>,
) -> fmt::Result {
    writeln!(out, "{head}")?;
    write_members(out, members)
}

/// Writes the members of a group of `wchc`, `wchp` or `dump`.
pub(crate) fn write_members(
    out: &mut impl fmt::Write,
    members: impl IntoIterator<Item: fmt::Display>,
) -> fmt::Result {
    members
        .into_iter()
        .try_for_each(|member| writeln!(out, "\t{member}"))
}

/// Summary of a server, as in `srvr` and `stat`.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let report = server.admin().server();
/// assert_eq!((report.connections, report.znodes), (0, 5));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Latency of requests, in milliseconds.
    pub latency: Summary,
    /// Number of received packets.
    pub received: u64,
    /// Number of sent packets.
    pub sent: u64,
    /// Number of connections.
    pub connections: usize,
    /// Number of requests that are not answered yet.
    pub outstanding: u64,
    /// Id of the last transaction.
    pub last_zxid: Zxid,
    /// Role of the server.
    pub mode: Mode,
    /// Number of znodes, the root counted twice as in a real server.
    pub znodes: usize,
}

impl ServerReport {
    fn write_title(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Zookeeper version: {VERSION}")?;
        if self.mode == Mode::ReadOnly {
            writeln!(f, "READ-ONLY mode; serving only read-only clients")?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { min, max, .. } = self.latency;
        let average = Double(self.latency.average());
        writeln!(f, "Latency min/avg/max: {min}/{average}/{max}")?;
        writeln!(f, "Received: {}", self.received)?;
        writeln!(f, "Sent: {}", self.sent)?;
        writeln!(f, "Connections: {}", self.connections)?;
        writeln!(f, "Outstanding: {}", self.outstanding)?;
        writeln!(f, "Zxid: {}", self.last_zxid)?;
        writeln!(f, "Mode: {}", self.mode)?;
        writeln!(f, "Node count: {}", self.znodes)?;
        if self.mode == Mode::Leader {
            // As on a leader that has proposed nothing: this server makes no proposals.
            writeln!(f, "Proposal sizes last/min/max: -1/-1/-1")?;
        }
        Ok(())
    }
}

/// One connection, as in `cons` and `stat`.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.admin().connections().is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// Address of the client.
    pub peer: SocketAddr,
    /// Event that the server waits for: 1 to read, 4 to write, 0 on the connection that sent the word.
    pub interest_ops: u32,
    /// Number of requests that are not answered yet.
    pub queued: u64,
    /// Number of received packets.
    pub received: u64,
    /// Number of sent packets.
    pub sent: u64,
    /// Details, if the connection has a session.
    pub session: Option<ConnectionSession>,
}

/// Details of a connection that has a session, as in `cons`.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// for connection in server.admin().connections() {
///     if let Some(session) = connection.session {
///         println!("{} did {}", session.session, session.last_operation);
///     }
/// }
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSession {
    /// Id of the session.
    pub session: SessionId,
    /// Short name of the last operation, such as `GETD`. `SESS` if the session began on this connection, `NA` after
    /// most refusals.
    pub last_operation: &'static str,
    /// Time at which the connection was accepted.
    pub established: Timestamp,
    /// Negotiated session timeout, in milliseconds.
    pub timeout_ms: i32,
    /// Last xid that was not negative; negative if there was none.
    pub last_cxid: i32,
    /// Last zxid that was sent.
    pub last_zxid: Zxid,
    /// Time of the last response, in milliseconds on a clock with an arbitrary zero.
    pub last_response_ms: u64,
    /// Latency of the last request, in milliseconds.
    pub last_latency_ms: u64,
    /// Latency of the requests of the connection, in milliseconds.
    pub latency: Summary,
}

enum Detail {
    Brief,
    Full,
}

impl ConnectionReport {
    fn write(&self, f: &mut fmt::Formatter<'_>, detail: Detail) -> fmt::Result {
        write!(
            f,
            " {}[{:x}](queued={},recved={},sent={}",
            Address(self.peer),
            self.interest_ops,
            self.queued,
            self.received,
            self.sent
        )?;
        match (detail, &self.session) {
            (Detail::Full, Some(session)) => write!(f, "{session}")?,
            (Detail::Full, None) | (Detail::Brief, _) => {}
        }
        writeln!(f, ")")
    }
}

impl ConnectionSession {
    /// Returns the average latency in whole milliseconds (`ServerCnxn.getAvgLatency`).
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let sessions = server.admin().connections().into_iter().filter_map(|it| it.session);
    /// assert!(sessions.map(|it| it.average_latency_ms()).all(|latency| latency < 1000));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn average_latency_ms(&self) -> u64 {
        let Summary { sum, count, .. } = self.latency;
        sum.checked_div(count).unwrap_or(0)
    }
}

impl fmt::Display for ConnectionSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            ",sid={},lop={},est={},to={}",
            self.session, self.last_operation, self.established.0, self.timeout_ms
        )?;
        if self.last_cxid >= 0 {
            write!(f, ",lcxid={:#x}", self.last_cxid)?;
        }
        let Summary { min, max, .. } = self.latency;
        write!(
            f,
            ",lzxid={},lresp={},llat={},minlat={min},avglat={},maxlat={max}",
            self.last_zxid,
            self.last_response_ms,
            self.last_latency_ms,
            self.average_latency_ms(),
        )
    }
}

/// Name of an operation in `cons`: `FinalRequestProcessor.processRequest`. `None` if the operation does not replace the
/// last name.
pub(crate) fn last_operation(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Create
        | Operation::Create2
        | Operation::CreateContainer
        | Operation::CreateTtl => "CREA",
        Operation::Delete => "DELE",
        Operation::SetData => "SETD",
        Operation::SetAcl => "SETA",
        Operation::Multi => "MULT",
        Operation::MultiRead => "MLTR",
        Operation::Reconfig => "RECO",
        Operation::Exists => "EXIS",
        Operation::GetData => "GETD",
        Operation::GetAcl => "GETA",
        Operation::GetChildren | Operation::GetChildren2 => "GETC",
        Operation::GetAllChildrenNumber => "GETACN",
        Operation::GetEphemerals => "GETE",
        Operation::Sync => "SYNC",
        Operation::Ping => "PING",
        Operation::SetWatches => "SETW",
        Operation::SetWatches2 => "STW2",
        Operation::AddWatch => "ADDW",
        Operation::CheckWatches => "CHKW",
        Operation::RemoveWatches => "REMW",
        Operation::WhoAmI => "HOMI",
        Operation::CloseSession => "CLOS",
        // Answered before they reach that processor.
        Operation::Auth | Operation::Sasl => return None,
        // A check occurs only inside a multi.
        Operation::Check => return None,
    })
}

/// Settings, as in `conf`.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert_eq!(server.admin().configuration().tick_time_ms, 2000);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfReport {
    /// Port that clients connect to.
    pub client_port: u16,
    /// Folder of the snapshots.
    pub data_dir: String,
    /// Size of the snapshots, in bytes.
    pub data_dir_size: u64,
    /// Folder of the logs.
    pub data_log_dir: String,
    /// Size of the logs, in bytes.
    pub data_log_size: u64,
    /// Length of a tick, in milliseconds.
    pub tick_time_ms: u128,
    /// Maximum number of connections from one address; 0 is no limit.
    pub max_client_connections: usize,
    /// Shortest session timeout, in milliseconds.
    pub min_session_timeout_ms: u128,
    /// Longest session timeout, in milliseconds.
    pub max_session_timeout_ms: u128,
    /// Length of the queue of connections that are not accepted yet; -1 if it was not set.
    pub listen_backlog: i32,
    /// Id of the server: 0 in a real standalone server, whatever its `myid` says.
    pub server_id: u64,
}

impl fmt::Display for ConfReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "clientPort={}", self.client_port)?;
        writeln!(f, "secureClientPort=-1")?;
        writeln!(f, "dataDir={}", self.data_dir)?;
        writeln!(f, "dataDirSize={}", self.data_dir_size)?;
        writeln!(f, "dataLogDir={}", self.data_log_dir)?;
        writeln!(f, "dataLogSize={}", self.data_log_size)?;
        writeln!(f, "tickTime={}", self.tick_time_ms)?;
        writeln!(f, "maxClientCnxns={}", self.max_client_connections)?;
        writeln!(f, "minSessionTimeout={}", self.min_session_timeout_ms)?;
        writeln!(f, "maxSessionTimeout={}", self.max_session_timeout_ms)?;
        writeln!(f, "clientPortListenBacklog={}", self.listen_backlog)?;
        writeln!(f, "serverId={}", self.server_id)
    }
}

/// Sessions and connections by the time at which they expire, earliest first, and the ephemeral znodes, as in `dump`.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// assert!(server.admin().sessions().sessions.is_empty());
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpReport {
    /// Sessions by the time at which they expire.
    pub sessions: Vec<(Timestamp, Vec<SessionId>)>,
    /// Paths of the ephemeral znodes by their owner.
    pub ephemerals: Vec<(SessionId, Vec<String>)>,
    /// Connections by the time at which they expire. A connection without a session has the session 0.
    pub connections: Vec<(Timestamp, Vec<(SocketAddr, SessionId)>)>,
}

impl fmt::Display for DumpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_sessions(f, self.ephemerals.len())?;
        for (session, paths) in &self.ephemerals {
            write_session(f, *session)?;
            write_members(f, paths)?;
        }
        self.write_connections(f)
    }
}

impl DumpReport {
    /// Writes the text before the ephemerals of so many sessions.
    pub(crate) fn write_sessions(
        &self,
        out: &mut impl fmt::Write,
        with_ephemerals: usize,
    ) -> fmt::Result {
        writeln!(out, "SessionTracker dump:")?;
        write_sets(out, "Session", &self.sessions, |out, session| {
            writeln!(out, "\t{session}")
        })?;
        writeln!(out, "ephemeral nodes dump:")?;
        writeln!(out, "Sessions with Ephemerals ({with_ephemerals}):")
    }

    /// Writes the text after the ephemerals.
    pub(crate) fn write_connections(&self, out: &mut impl fmt::Write) -> fmt::Result {
        writeln!(out, "Connections dump:")?;
        write_sets(
            out,
            "Connections",
            &self.connections,
            |out, (peer, session)| writeln!(out, "\tip: {} sessionId: {session}", Address(*peer)),
        )
    }
}

/// Writes the line above the ephemerals of a session.
pub(crate) fn write_session(out: &mut impl fmt::Write, session: SessionId) -> fmt::Result {
    writeln!(out, "{session}:")
}

/// Writes groups of equal expiry: `ExpiryQueue.dump`.
fn write_sets<W: fmt::Write, T>(
    f: &mut W,
    of: &str,
    sets: &[(Timestamp, Vec<T>)],
    write: impl Fn(&mut W, &T) -> fmt::Result,
) -> fmt::Result {
    let elements: usize = sets.iter().map(|(_, elements)| elements.len()).sum();
    writeln!(f, "{of} Sets ({})/({elements}):", sets.len())?;
    for (due, elements) in sets {
        writeln!(f, "{} expire at {}:", elements.len(), Date(*due))?;
        elements.iter().try_for_each(|element| write(f, element))?;
    }
    Ok(())
}

/// Environment of a server, as in `envi`. Unknown values and those that only Java has are `<NA>`, as an unknown
/// property is on a real server.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let environment = server.admin().environment().pairs();
/// assert_eq!(environment[0].0, "zookeeper.version");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentReport {
    /// Name of the machine.
    pub host_name: Option<String>,
    /// Folder of temporary files.
    pub temporary_directory: Option<String>,
    /// Name of the operating system, as Java spells it.
    pub os_name: Option<String>,
    /// Architecture of the processor, as Java spells it.
    pub os_arch: Option<String>,
    /// Version of the operating system.
    pub os_version: Option<String>,
    /// Name of the user.
    pub user_name: Option<String>,
    /// Home folder of the user.
    pub user_home: Option<String>,
    /// Working folder.
    pub user_directory: Option<String>,
    /// Free memory, in MB.
    pub memory_free_mb: u64,
    /// Most memory, in MB.
    pub memory_max_mb: u64,
    /// Memory, in MB.
    pub memory_total_mb: u64,
}

impl EnvironmentReport {
    /// Returns the keys and values of `envi`, in order.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let pairs = server.admin().environment().pairs();
    /// assert!(pairs.contains(&("java.version", "<NA>".to_owned())));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "<NA>".to_owned());
        let megabytes = |number: u64| format!("{number}MB");
        vec![
            ("zookeeper.version", VERSION.to_owned()),
            ("host.name", known(&self.host_name)),
            ("java.version", known(&None)),
            ("java.vendor", known(&None)),
            ("java.home", known(&None)),
            ("java.class.path", known(&None)),
            ("java.library.path", known(&None)),
            ("java.io.tmpdir", known(&self.temporary_directory)),
            ("java.compiler", known(&None)),
            ("os.name", known(&self.os_name)),
            ("os.arch", known(&self.os_arch)),
            ("os.version", known(&self.os_version)),
            ("user.name", known(&self.user_name)),
            ("user.home", known(&self.user_home)),
            ("user.dir", known(&self.user_directory)),
            ("os.memory.free", megabytes(self.memory_free_mb)),
            ("os.memory.max", megabytes(self.memory_max_mb)),
            ("os.memory.total", megabytes(self.memory_total_mb)),
        ]
    }
}

impl fmt::Display for EnvironmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Environment:")?;
        let mut pairs = self.pairs().into_iter();
        pairs.try_for_each(|(key, value)| writeln!(f, "{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &Answer, expected: &str) {
        assert_eq!(answer.to_string(), expected);
    }

    /// Session from the output of a real server.
    const SESSION: SessionId = SessionId(0x0100_0019_d7ec_0000);
    const OTHER: SessionId = SessionId(0x0100_0019_d7ec_0001);

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn server() -> ServerReport {
        ServerReport {
            latency: Summary {
                max: 9,
                sum: 46,
                count: 67,
                ..Summary::default()
            },
            received: 79,
            sent: 82,
            connections: 3,
            outstanding: 0,
            last_zxid: Zxid(0x17),
            mode: Mode::Standalone,
            znodes: 23,
        }
    }

    fn probe() -> ConnectionReport {
        ConnectionReport {
            peer: peer(37556),
            interest_ops: 0,
            queued: 0,
            received: 1,
            sent: 0,
            session: None,
        }
    }

    fn connection() -> ConnectionReport {
        ConnectionReport {
            peer: peer(37512),
            interest_ops: 1,
            queued: 0,
            received: 62,
            sent: 64,
            session: Some(ConnectionSession {
                session: SESSION,
                last_operation: "CREA",
                established: Timestamp(1_795_248_405_540),
                timeout_ms: 8000,
                last_cxid: 0x3d,
                last_zxid: Zxid(0x17),
                last_response_ms: 1_845_154,
                last_latency_ms: 0,
                latency: Summary {
                    max: 9,
                    sum: 45,
                    count: 62,
                    ..Summary::default()
                },
            }),
        }
    }

    #[test]
    fn srvr_and_stat_print_a_summary_of_the_server() {
        let version = format!("Zookeeper version: {VERSION}\n");
        let text = "Latency min/avg/max: 0/0.6866/9\nReceived: 79\nSent: 82\nConnections: 3\n\
             Outstanding: 0\nZxid: 0x17\nMode: standalone\nNode count: 23\n";
        check(&Answer::Srvr(server()), &format!("{version}{text}"));
        let clients = "Clients:\n /127.0.0.1:37556[0](queued=0,recved=1,sent=0)\n \
             /127.0.0.1:37512[1](queued=0,recved=62,sent=64)\n\n";
        check(
            &Answer::Stat(server(), vec![probe(), connection()]),
            &format!("{version}{clients}{text}"),
        );
    }

    #[test]
    fn a_fresh_server_has_zeros() {
        let text = ServerReport::default().to_string();
        assert!(text.starts_with("Latency min/avg/max: 0/0.0/0\n"), "{text}");
        assert!(text.contains("\nZxid: 0x0\n"), "{text}");
    }

    #[test]
    fn cons_prints_all_details_of_connections() {
        check(
            &Answer::Cons(vec![probe(), connection()]),
            " /127.0.0.1:37556[0](queued=0,recved=1,sent=0)\n \
             /127.0.0.1:37512[1](queued=0,recved=62,sent=64,sid=0x1000019d7ec0000,lop=CREA,\
             est=1795248405540,to=8000,lcxid=0x3d,lzxid=0x17,lresp=1845154,llat=0,minlat=0,\
             avglat=0,maxlat=9)\n\n",
        );
    }

    #[test]
    fn a_connection_without_a_request_has_no_cxid() {
        let mut connection = connection();
        if let Some(session) = &mut connection.session {
            session.last_cxid = -1;
            session.last_zxid = Zxid(-1);
        }
        let text = Answer::Cons(vec![connection]).to_string();
        assert!(
            text.contains(",to=8000,lzxid=0xffffffffffffffff,"),
            "{text}"
        );
    }

    #[test]
    fn dump_prints_sessions_ephemerals_and_connections() {
        check(
            &Answer::Dump(DumpReport {
                sessions: vec![
                    (Timestamp(1_795_248_412_000), vec![OTHER]),
                    (Timestamp(1_795_248_414_000), vec![SESSION]),
                ],
                ephemerals: vec![
                    (OTHER, vec!["/e2".to_owned(), "/e3".to_owned()]),
                    (SESSION, vec!["/e".to_owned()]),
                ],
                connections: vec![(
                    Timestamp(1_795_248_420_000),
                    vec![
                        (peer(37526), OTHER),
                        (peer(37570), SessionId::NONE),
                        (peer(37512), SESSION),
                    ],
                )],
            }),
            "SessionTracker dump:\n\
             Session Sets (2)/(2):\n\
             1 expire at Sat Nov 21 08:06:52 UTC 2026:\n\
             \t0x1000019d7ec0001\n\
             1 expire at Sat Nov 21 08:06:54 UTC 2026:\n\
             \t0x1000019d7ec0000\n\
             ephemeral nodes dump:\n\
             Sessions with Ephemerals (2):\n\
             0x1000019d7ec0001:\n\
             \t/e2\n\
             \t/e3\n\
             0x1000019d7ec0000:\n\
             \t/e\n\
             Connections dump:\n\
             Connections Sets (1)/(3):\n\
             3 expire at Sat Nov 21 08:07:00 UTC 2026:\n\
             \tip: /127.0.0.1:37526 sessionId: 0x1000019d7ec0001\n\
             \tip: /127.0.0.1:37570 sessionId: 0x0\n\
             \tip: /127.0.0.1:37512 sessionId: 0x1000019d7ec0000\n",
        );
    }

    #[test]
    fn watches_are_printed_by_session_by_path_and_as_counts() {
        check(
            &Answer::Wchs {
                connections: 2,
                paths: 2,
                watches: 3,
            },
            "2 connections watching 2 paths\nTotal watches:3\n",
        );
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        check(
            &Answer::Wchc(vec![
                (OTHER, paths(&["/a", "/zz"])),
                (SESSION, paths(&["/a"])),
            ]),
            "0x1000019d7ec0001\n\t/a\n\t/zz\n0x1000019d7ec0000\n\t/a\n\n",
        );
        check(
            &Answer::Wchp(vec![
                ("/a".to_owned(), vec![OTHER, SESSION]),
                ("/zz".to_owned(), vec![OTHER]),
            ]),
            "/a\n\t0x1000019d7ec0001\n\t0x1000019d7ec0000\n/zz\n\t0x1000019d7ec0001\n\n",
        );
        check(&Answer::Wchc(vec![]), "\n");
    }

    #[test]
    fn conf_and_dirs_print_settings_and_sizes() {
        check(
            &Answer::Conf(ConfReport {
                client_port: 21950,
                data_dir: "/data/version-2".to_owned(),
                data_dir_size: 478,
                data_log_dir: "/log/version-2".to_owned(),
                data_log_size: 479,
                tick_time_ms: 2000,
                max_client_connections: 0,
                min_session_timeout_ms: 4000,
                max_session_timeout_ms: 40_000,
                listen_backlog: -1,
                server_id: 0,
            }),
            "clientPort=21950\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=478\n\
             dataLogDir=/log/version-2\ndataLogSize=479\ntickTime=2000\nmaxClientCnxns=0\n\
             minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\n\
             serverId=0\n",
        );
        let (data_size, log_size) = (478, 479);
        check(
            &Answer::Dirs {
                data_size,
                log_size,
            },
            "datadir_size: 478\nlogdir_size: 479\n",
        );
    }

    #[test]
    fn envi_prints_every_key_of_a_real_server() {
        let text = Answer::Envi(EnvironmentReport {
            os_name: Some("Linux".to_owned()),
            memory_free_mb: 327,
            ..EnvironmentReport::default()
        })
        .to_string();
        let keys: Vec<_> = text
            .lines()
            .map(|line| line.split_once('=').map_or(line, |(key, _)| key))
            .collect();
        assert_eq!(
            keys,
            [
                "Environment:",
                "zookeeper.version",
                "host.name",
                "java.version",
                "java.vendor",
                "java.home",
                "java.class.path",
                "java.library.path",
                "java.io.tmpdir",
                "java.compiler",
                "os.name",
                "os.arch",
                "os.version",
                "user.name",
                "user.home",
                "user.dir",
                "os.memory.free",
                "os.memory.max",
                "os.memory.total"
            ]
        );
        assert!(
            text.contains("\njava.compiler=<NA>\nos.name=Linux\n"),
            "{text}"
        );
        assert!(text.contains("\nos.memory.free=327MB\n"), "{text}");
    }

    #[test]
    fn short_answers_have_the_texts_of_a_real_server() {
        check(&Answer::Ruok, "imok");
        check(
            &Answer::Isro {
                read_only: Some(false),
            },
            "rw",
        );
        check(
            &Answer::Isro {
                read_only: Some(true),
            },
            "ro",
        );
        check(&Answer::TraceMask(306), "306");
        check(&Answer::Crst, "Connection stats reset.\n");
        check(&Answer::Srst, "Server stats reset.\n");
        check(&Answer::TelnetClose, "");
        check(&Answer::Hash(vec![]), "");
        check(&Answer::Hash(vec![(Zxid(0x80), -5)]), "80: -5\n");
        check(
            &Answer::NotListed(FourLetterWord::Ruok),
            "ruok is not executed because it is not in the whitelist.\n",
        );
    }
}
