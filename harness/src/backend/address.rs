//! Backend `HOST:PORT`: a running server that the harness did not start. The harness sends requests to find the
//! server's capabilities, and changes nothing on it but the znodes of the cases.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use semver::Version;
use tokio::net::TcpStream;

use super::{Backend, BackendError, Capability, four_letter};
use crate::client::{Acl, Client, ClientError, ConnectRequest, CreateKind, Request, error_name};
use crate::patience;

/// Time limit for an answer of the server.
const PATIENCE: Duration = Duration::from_secs(5);

/// Authentication data of the super user.
const SUPER: &[u8] = b"super:test";

/// `CreateMode.PERSISTENT_WITH_TTL`.
const WITH_TTL: i32 = 5;

/// Counter that distinguishes runs that begin in the same millisecond.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Four-letter words that change a server's statistics or end it.
const DISRUPTIVE_WORDS: [&str; 4] = ["crst", "srst", "stmk", "kill"];

/// Address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    port: u16,
}

impl Host {
    /// Parses `HOST:PORT`, or several separated by commas or plus signs.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        text.split([',', '+']).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (name, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("`{text}` has no port"))?;
        if name.is_empty() {
            return Err(format!("`{text}` has no host"));
        }
        let in_brackets = name.starts_with('[') && name.ends_with(']');
        if name.contains(':') && !in_brackets {
            return Err(format!("`{text}` needs brackets around the address"));
        }
        match port.parse() {
            Ok(number) if number != 0 => Ok(Self {
                name: name.to_owned(),
                port: number,
            }),
            _ => Err(format!("`{port}` is not a port")),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// A running server, or several that form an ensemble. Cases run on the first.
#[derive(Debug)]
pub struct Address {
    hosts: String,
    version: Option<Version>,
    found: Found,
    mark: String,
}

/// Capabilities of a server.
#[derive(Debug, Default)]
struct Found {
    shortest_timeout_ms: i32,
    longest_timeout_ms: i32,
    super_user: bool,
    ttl_znodes: bool,
}

impl Address {
    /// Checks that the first of these servers is a ZooKeeper, and finds its capabilities.
    ///
    /// # Errors
    ///
    /// If no server listens there, or if it is not a ZooKeeper server on which the harness can create znodes.
    pub fn start(hosts: &str) -> Result<Self, BackendError> {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let mut address = Self {
            hosts: hosts.to_owned(),
            version: None,
            found: Found::default(),
            mark: format!(
                "{:x}-{:x}-{:x}",
                std::process::id(),
                since.as_millis(),
                NUMBER.fetch_add(1, Ordering::Relaxed)
            ),
        };
        let mark = &address.mark;
        let probe = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            Ok(runtime.block_on(find_capabilities(address.first(), mark)))
        };
        // On a thread of its own, since the caller may be on a thread of a runtime.
        let probed = std::thread::scope(|scope| scope.spawn(probe).join());
        let found = probed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let found = found.map_err(BackendError::Io)?;
        address.found = found.map_err(|why| BackendError::Address {
            address: address.first().to_owned(),
            why,
        })?;
        address.version = four_letter::version(address.first());
        Ok(address)
    }

    fn first(&self) -> &str {
        self.hosts.split(',').next().unwrap_or_default()
    }
}

impl Backend for Address {
    fn name(&self) -> String {
        self.hosts.clone()
    }

    fn version(&self) -> Option<Version> {
        self.version.clone()
    }

    fn connect_string(&self) -> String {
        self.hosts.clone()
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        let found = &self.found;
        match capability {
            Capability::Restart | Capability::Setup | Capability::ManualTime | Capability::Http => {
                false
            }
            Capability::SuperUser => found.super_user,
            Capability::TtlZnodes => found.ttl_znodes,
            Capability::Timeout(ms) => {
                let (shortest, longest) = (found.shortest_timeout_ms, found.longest_timeout_ms);
                (shortest..=longest).contains(&ms) || (shortest, longest) == (1000, 10_000)
            }
            Capability::FourLetterWord(word) => {
                !DISRUPTIVE_WORDS.contains(&word) && four_letter::answers(self.first(), word)
            }
        }
    }

    fn run_id(&self) -> Option<&str> {
        Some(&self.mark)
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Err(BackendError::Address {
            address: self.hosts.clone(),
            why: "the harness does not restart a server that it did not start".to_owned(),
        })
    }

    fn stop(&mut self) {}
}

/// Finds the capabilities of a server. The znodes that it creates are deleted again.
async fn find_capabilities(address: &str, mark: &str) -> Result<Found, String> {
    let (mut owner, shortest_timeout_ms) = session(address, 1).await?;
    let (mut other, longest_timeout_ms) = session(address, i32::MAX).await?;
    let path = format!("/minikeeper-harness-{mark}");
    let private = Request::Create {
        kind: CreateKind::Create,
        path: path.clone(),
        data: None,
        // A digest without a known password, so that only the super user can read the znode.
        acl: vec![Acl::new(
            31,
            "digest",
            "unknown:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        )],
        flags: 0,
    };
    let err = ask(&mut owner, &private).await?;
    if err != 0 {
        return Err(format!(
            "cannot create a znode at its root: {}",
            error_name(err)
        ));
    }
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: SUPER.to_vec(),
    };
    let read = Request::GetData {
        path: path.clone(),
        watch: false,
    };
    let super_user = ask(&mut other, &auth).await == Ok(0) && ask(&mut other, &read).await == Ok(0);
    let delete = Request::Delete { path, version: -1 };
    ask(&mut owner, &delete).await?;
    let path = format!("/minikeeper-harness-{mark}-ttl");
    let passing = Request::Create {
        kind: CreateKind::Ttl { ttl_ms: 60_000 },
        path: path.clone(),
        data: None,
        acl: Acl::open(),
        flags: WITH_TTL,
    };
    // A server that does not know the operation closes the connection.
    let ttl_znodes = ask(&mut other, &passing).await == Ok(0);
    if ttl_znodes {
        ask(&mut other, &Request::Delete { path, version: -1 }).await?;
    }
    for mut client in [owner, other] {
        // If the connection is closed already, the session expires.
        let _ = ask(&mut client, &Request::CloseSession).await;
    }
    Ok(Found {
        shortest_timeout_ms,
        longest_timeout_ms,
        super_user,
        ttl_znodes,
    })
}

/// Opens a session, and returns it with the granted timeout.
async fn session(address: &str, timeout_ms: i32) -> Result<(Client<TcpStream>, i32), String> {
    let open = patience::within_span(PATIENCE, "a connection", Client::open(address));
    let mut client = match open.await {
        Ok(Ok(client)) => client,
        Ok(Err(ClientError::Io(error))) => return Err(error.to_string()),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(timed_out) => return Err(timed_out.to_string()),
    };
    let request = ConnectRequest::new(timeout_ms);
    let connect = patience::within_span(
        PATIENCE,
        "an answer to a connect request",
        client.connect(&request),
    );
    match connect.await {
        Ok(Ok(response)) if response.session_id != 0 => Ok((client, response.timeout_ms)),
        Ok(Ok(_)) => Err("it grants no session".to_owned()),
        Ok(Err(error)) => Err(format!("it is not a running ZooKeeper: {error}")),
        Err(timed_out) => Err(format!("it is not a running ZooKeeper: {timed_out}")),
    }
}

/// Sends a request and returns the error code of the reply.
async fn ask(client: &mut Client<TcpStream>, request: &Request) -> Result<i32, String> {
    match patience::within_span(PATIENCE, "a reply", client.call(request)).await {
        Ok(Ok(reply)) => Ok(reply.header.err),
        Ok(Err(error)) => Err(error.to_string()),
        Err(timed_out) => Err(timed_out.to_string()),
    }
}
