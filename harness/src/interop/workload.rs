//! Requests that the sequences of the search lack, since those concern few znodes: many children, large data, long
//! and unusual names, many ACLs, sessions that open, close and expire, quotas, and transactions that fail half-way.

use semver::Version;

use super::InteropError;
use super::sequences::Known;
use super::server::OpenSession;
use crate::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request, op};
use crate::patience::PATIENCE;
use crate::random::Random;

/// Number of sessions that send the requests and stay open.
const OWNERS: usize = 3;
/// Number of sessions that expire together with their ephemeral znodes.
const EXPIRING: usize = 2;
const EXPIRING_MS: i32 = 1000;
/// Number of requests that are sent at once.
const BATCH: usize = 40;

/// Workload of one life of a server.
pub(super) struct Workload<'a> {
    address: &'a str,
    version: &'a Version,
    extended_types: bool,
    random: Random,
    root: String,
    owners: Vec<(BlockingClient, OpenSession)>,
    /// Paths of named znodes, which later requests change.
    names: Vec<String>,
    expiring: Vec<String>,
}

impl<'a> Workload<'a> {
    pub(super) fn new(
        address: &'a str,
        known: Known<'a>,
        mut random: Random,
        life: usize,
    ) -> Result<Self, InteropError> {
        let mut owners = Vec::new();
        for _ in 0..OWNERS {
            let timeout = random.number(200_000..600_000);
            let request = ConnectRequest::new(i32::try_from(timeout).unwrap_or(i32::MAX));
            let mut client = BlockingClient::connect_within(PATIENCE, address, &request)?;
            client.call(&Request::Auth {
                scheme: "digest".to_owned(),
                auth: b"u:p".to_vec(),
            })?;
            let held = OpenSession::of(client.session().clone());
            owners.push((client, held));
        }
        let mut workload = Self {
            address,
            version: known.version,
            extended_types: known.extended_types,
            random,
            root: format!("/workload-{life}"),
            owners,
            names: Vec::new(),
            expiring: Vec::new(),
        };
        let root = workload.root.clone();
        workload.call(&Request::Create {
            kind: CreateKind::Create,
            path: root,
            data: None,
            acl: Acl::open(),
            flags: 0,
        })?;
        Ok(workload)
    }

    /// Sends about so many requests.
    pub(super) fn run(&mut self, requests: usize) -> Result<(), InteropError> {
        self.open_expiring_sessions()?;
        if self.version >= &Version::new(3, 5, 0) || self.random.percent(50) {
            self.limit()?;
        }
        let mut remaining = requests;
        while remaining > 0 {
            let owner = self.random.number(0..OWNERS);
            let batch: Vec<Request> = (0..BATCH.min(remaining)).map(|_| self.request()).collect();
            remaining -= batch.len();
            if let Some((client, _)) = self.owners.get_mut(owner) {
                client.call_all(&batch)?;
            }
        }
        // Closes one session, which removes its ephemeral znodes.
        if self.random.percent(60)
            && let Some((mut client, _)) = self.owners.pop()
        {
            client.call(&Request::CloseSession)?;
        }
        Ok(())
    }

    /// Returns the sessions that stay open, and the znodes of those that will expire.
    pub(super) fn into_sessions(self) -> (Vec<OpenSession>, Vec<String>) {
        let held = self.owners.into_iter().map(|(_, held)| held).collect();
        (held, self.expiring)
    }

    fn call(&mut self, request: &Request) -> Result<i32, InteropError> {
        let Some((client, _)) = self.owners.first_mut() else {
            return Ok(0);
        };
        Ok(client.call(request)?.header.err)
    }

    fn open_expiring_sessions(&mut self) -> Result<(), InteropError> {
        for number in 0..EXPIRING {
            let request = ConnectRequest::new(EXPIRING_MS);
            let mut client = BlockingClient::connect_within(PATIENCE, self.address, &request)?;
            let path = format!("{}/expiring-{number}", self.root);
            for (path, flags) in [
                (path.clone(), 1),
                (format!("{}/expiring-numbered-", self.root), 3),
            ] {
                client.call(&Request::Create {
                    kind: CreateKind::Create,
                    path,
                    data: Some(b"soon gone".to_vec()),
                    acl: Acl::open(),
                    flags,
                })?;
            }
            self.expiring.push(path);
        }
        Ok(())
    }

    /// Sets a quota on the root of the workload, which counts the znodes below it.
    fn limit(&mut self) -> Result<(), InteropError> {
        let quota = format!("/zookeeper/quota{}", self.root);
        for (path, data) in [
            (quota.clone(), None),
            (
                format!("{quota}/zookeeper_limits"),
                Some("count=100000,bytes=-1"),
            ),
            (format!("{quota}/zookeeper_stats"), Some("count=0,bytes=0")),
        ] {
            self.call(&Request::Create {
                kind: CreateKind::Create,
                path,
                data: data.map(|text| text.as_bytes().to_vec()),
                acl: Acl::open(),
                flags: 0,
            })?;
        }
        Ok(())
    }

    fn request(&mut self) -> Request {
        match self.random.number(0..100) {
            0..40 => self.create(),
            40..55 => {
                let path = self.known();
                let data = self.data();
                let version = if self.random.percent(80) { -1 } else { 1 };
                Request::SetData {
                    path,
                    data,
                    version,
                }
            }
            55..65 => Request::Delete {
                path: self.known(),
                version: -1,
            },
            65..72 => Request::SetAcl {
                path: self.known(),
                acl: self.acl(),
                version: -1,
            },
            72..88 => self.multi(),
            88..94 => Request::GetData {
                path: self.known(),
                watch: false,
            },
            _ => Request::Create {
                kind: CreateKind::Create,
                path: format!("{}/none/such", self.root),
                data: None,
                acl: Acl::open(),
                flags: 0,
            },
        }
    }

    fn create(&mut self) -> Request {
        let data = self.data();
        let acl = self.acl();
        let (kinds, flags) = if self.random.percent(40) {
            // Few parents, so that their sequence numbers grow.
            (4, if self.random.percent(25) { 3 } else { 2 })
        } else {
            (8, i32::from(self.random.percent(25)))
        };
        let parent = match self.random.number(0..kinds) {
            0..4 => self.root.clone(),
            _ => self.known(),
        };
        let name = self.name();
        let path = format!("{parent}/{name}");
        if path.len() < 900 && self.names.len() < 2000 {
            self.names.push(path.clone());
        }
        let knows = |op| op::since(op).is_some_and(|since| since <= *self.version);
        match self.random.number(0..10) {
            0 if knows(op::CREATE_CONTAINER) => Request::Create {
                kind: CreateKind::Container,
                path,
                data,
                acl,
                flags: 4,
            },
            1 if knows(op::CREATE_TTL) && self.extended_types => {
                let ttl_ms = *self.random.one(&[1, 900, 1 << 20, 0xFF_FFFF_FFFF]);
                let flags = if flags >= 2 { 6 } else { 5 };
                Request::Create {
                    kind: CreateKind::Ttl { ttl_ms },
                    path,
                    data,
                    acl,
                    flags,
                }
            }
            2..6 if knows(op::CREATE2) => Request::Create {
                kind: CreateKind::Create2,
                path,
                data,
                acl,
                flags,
            },
            _ => Request::Create {
                kind: CreateKind::Create,
                path,
                data,
                acl,
                flags,
            },
        }
    }

    fn multi(&mut self) -> Request {
        let mut parts = Vec::new();
        for _ in 0..self.random.number(1..5) {
            parts.push(match self.random.number(0..4) {
                0 | 1 => self.create(),
                2 => Request::SetData {
                    path: self.known(),
                    data: self.data(),
                    version: -1,
                },
                _ => Request::Delete {
                    path: self.known(),
                    version: -1,
                },
            });
        }
        if self.random.percent(40) {
            let at = self.random.number(0..parts.len() + 1);
            let version = if self.random.percent(50) { -1 } else { 1 << 20 };
            let path = self.root.clone();
            parts.insert(at, Request::Check { path, version });
        }
        Request::Multi(parts)
    }

    /// Returns a path that was requested before; the request may have failed, or the znode may be deleted.
    fn known(&mut self) -> String {
        if self.names.is_empty() {
            self.root.clone()
        } else {
            self.random.one(&self.names).clone()
        }
    }

    fn name(&mut self) -> String {
        let number = self.random.number(0..500);
        match self.random.number(0..12) {
            0 => format!("\u{e9}t\u{e9}-\u{4e2d}\u{6587}-{number}"),
            1 => format!("{}{number}", "long".repeat(self.random.number(1..40))),
            2 => "-".to_owned(),
            3..6 => "n-".to_owned(),
            _ => format!("k{number}"),
        }
    }

    fn data(&mut self) -> Option<Vec<u8>> {
        let length = match self.random.number(0..20) {
            0 => return None,
            1 => 0,
            2 => self.random.number(1000..60_000),
            3..6 => self.random.number(100..1000),
            _ => self.random.number(1..40),
        };
        let byte = u8::try_from(self.random.number(0..256)).unwrap_or(0);
        Some(vec![byte; length])
    }

    fn acl(&mut self) -> Vec<Acl> {
        if self.random.percent(70) {
            return Acl::open();
        }
        let perms = |random: &mut Random| i32::try_from(random.number(0..32)).unwrap_or(31);
        let mut acl = vec![Acl::new(31, "digest", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=")];
        for _ in 0..self.random.number(0..3) {
            let number = self.random.number(0..30);
            let (scheme, id) = match self.random.number(0..3) {
                0 => (
                    "digest",
                    format!("user-{number}:AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                ),
                1 => ("ip", format!("10.0.{number}.1")),
                _ => ("world", "anyone".to_owned()),
            };
            acl.push(Acl::new(perms(&mut self.random), scheme, &id));
        }
        acl
    }
}
