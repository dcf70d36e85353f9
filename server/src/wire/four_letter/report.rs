//! Answers to the four-letter words, as text.

use core::net::SocketAddr;
use std::fmt;

use super::java::{Address, Average, Date};
use super::latency::LatencyReport;
use super::monitor::MonitorReport;
use super::{FourLetterWord, VERSION};
use crate::protocol::{Mode, Operation, SessionId, Timestamp, Xid, Zxid};

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

/// Summary of the server, in `srvr` and `stat`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerReport {
    pub(crate) latency: LatencyReport,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) connections: usize,
    pub(crate) outstanding: u64,
    pub(crate) last_zxid: Zxid,
    pub(crate) mode: Mode,
    pub(crate) znodes: usize,
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
        let LatencyReport { min_ms, max_ms, .. } = self.latency;
        let average = Average(self.latency.average_ms());
        writeln!(f, "Latency min/avg/max: {min_ms}/{average}/{max_ms}")?;
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

/// One connection, in `cons` and `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionReport {
    pub(crate) peer: SocketAddr,
    /// Event that the server waits for: 1 to read, 4 to write, 0 on the connection that sent the word.
    pub(crate) interest_ops: u32,
    pub(crate) queued: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) session: Option<ConnectionSession>,
}

/// Details of a connection that has a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionSession {
    pub(crate) session: SessionId,
    /// `SESS` if the session began on this connection, then the name from [`last_operation`], or `NA` after most
    /// refusals.
    pub(crate) last_operation: &'static str,
    pub(crate) established: Timestamp,
    pub(crate) timeout_ms: i32,
    /// Last xid that was not negative; negative if there was none.
    pub(crate) last_cxid: Xid,
    pub(crate) last_zxid: Zxid,
    /// Milliseconds on a clock with an arbitrary zero.
    pub(crate) last_response_ms: u64,
    pub(crate) last_latency_ms: u64,
    pub(crate) latency: LatencyReport,
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

impl fmt::Display for ConnectionSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            ",sid={},lop={},est={},to={}",
            self.session, self.last_operation, self.established.0, self.timeout_ms
        )?;
        if self.last_cxid.0 >= 0 {
            write!(f, ",lcxid={:#x}", self.last_cxid.0)?;
        }
        let LatencyReport {
            min_ms,
            max_ms,
            total_ms,
            count,
        } = self.latency;
        write!(
            f,
            ",lzxid={},lresp={},llat={},minlat={min_ms},avglat={},maxlat={max_ms}",
            self.last_zxid,
            self.last_response_ms,
            self.last_latency_ms,
            total_ms.checked_div(count).unwrap_or(0),
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

/// Settings, in `conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfReport {
    pub(crate) client_port: u16,
    pub(crate) data_dir: String,
    pub(crate) data_dir_size: u64,
    pub(crate) data_log_dir: String,
    pub(crate) data_log_size: u64,
    pub(crate) tick_time_ms: u128,
    pub(crate) max_client_connections: usize,
    pub(crate) min_session_timeout_ms: u128,
    pub(crate) max_session_timeout_ms: u128,
    /// -1 if it was not set.
    pub(crate) listen_backlog: i32,
    /// 0 in a real standalone server, whatever its `myid` says.
    pub(crate) server_id: u64,
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

/// Sessions and connections by the time at which they expire, earliest first, and the ephemeral znodes, in `dump`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DumpReport {
    pub(crate) sessions: Vec<(Timestamp, Vec<SessionId>)>,
    pub(crate) ephemerals: Vec<(SessionId, Vec<String>)>,
    /// A connection without a session has the session 0.
    pub(crate) connections: Vec<(Timestamp, Vec<(SocketAddr, SessionId)>)>,
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

/// Environment, in `envi`. Unknown values and those that only Java has are `<NA>`, as an unknown property is on a real
/// server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvironmentReport {
    pub(crate) host_name: Option<String>,
    pub(crate) temporary_directory: Option<String>,
    pub(crate) os_name: Option<String>,
    pub(crate) os_arch: Option<String>,
    pub(crate) os_version: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) user_home: Option<String>,
    pub(crate) user_directory: Option<String>,
    pub(crate) memory_free_mb: u64,
    pub(crate) memory_max_mb: u64,
    pub(crate) memory_total_mb: u64,
}

impl fmt::Display for EnvironmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Environment:")?;
        for (key, value) in [
            ("zookeeper.version", Some(VERSION)),
            ("host.name", self.host_name.as_deref()),
            ("java.version", None),
            ("java.vendor", None),
            ("java.home", None),
            ("java.class.path", None),
            ("java.library.path", None),
            ("java.io.tmpdir", self.temporary_directory.as_deref()),
            ("java.compiler", None),
            ("os.name", self.os_name.as_deref()),
            ("os.arch", self.os_arch.as_deref()),
            ("os.version", self.os_version.as_deref()),
            ("user.name", self.user_name.as_deref()),
            ("user.home", self.user_home.as_deref()),
            ("user.dir", self.user_directory.as_deref()),
        ] {
            writeln!(f, "{key}={}", value.unwrap_or("<NA>"))?;
        }
        writeln!(f, "os.memory.free={}MB", self.memory_free_mb)?;
        writeln!(f, "os.memory.max={}MB", self.memory_max_mb)?;
        writeln!(f, "os.memory.total={}MB", self.memory_total_mb)
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
            latency: LatencyReport {
                min_ms: 0,
                max_ms: 9,
                total_ms: 46,
                count: 67,
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
                last_cxid: Xid(0x3d),
                last_zxid: Zxid(0x17),
                last_response_ms: 1_845_154,
                last_latency_ms: 0,
                latency: LatencyReport {
                    min_ms: 0,
                    max_ms: 9,
                    total_ms: 45,
                    count: 62,
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
            session.last_cxid = Xid(-1);
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
