//! Server lines of a configuration: the role of each member, and its address for clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Parts of a `server.N` line that concern clients, or say where the member runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: i64,
    pub(crate) votes: bool,
    /// Host of each of its addresses for the other members.
    pub(crate) hosts: Vec<String>,
    /// Address for clients, after the `;`.
    pub(crate) client: Option<SocketAddr>,
}

/// Settings that the parser of a server line depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Host of a client port without a host.
    pub(crate) host: Ipv4Addr,
    /// Whether a server may have several addresses.
    pub(crate) many_addresses: bool,
}

/// Reads `server.N` and `host:port:port[:type][|...][;[host:]port]`, as `QuorumPeer.QuorumServer` does.
pub(crate) fn parse(name: &str, value: &str, reading: Reading) -> Result<Member, String> {
    let id = name.strip_prefix("server.").unwrap_or(name);
    let id = id
        .parse()
        .map_err(|_| format!("{id:?} is not the number of a server"))?;
    let mut halves = value.split(';');
    let servers = halves.next().unwrap_or_default();
    let client = halves
        .next()
        .map(|text| client_address(text, reading.host))
        .transpose()?;
    let shape = || format!("{value:?} is not host:port:port[:type][;[host:]port]");
    if halves.next().is_some() {
        return Err(shape());
    }
    // QuorumServer.initializeWithAddressString reads only the system property: a line of zoo.cfg comes too late for
    // it.
    if servers.contains('|') && !reading.many_addresses {
        return Err(String::from(
            "several addresses of one server need the system property zookeeper.multiAddress.enabled=true; \
             a line multiAddress.enabled=true is read too late",
        ));
    }
    let (mut votes, mut hosts) = (None, Vec::new());
    for server in servers.split('|') {
        let parts = split_host(server)?;
        let (host, first, second, kind) = match parts.as_slice() {
            [host, first, second] => (host, first, second, None),
            [host, first, second, kind] => (host, first, second, Some(kind)),
            _ => return Err(shape()),
        };
        hosts.push(String::from(*host));
        if port(first)? == port(second)? {
            return Err("the two ports of a server must differ".to_owned());
        }
        if let Some(kind) = kind {
            let voting = match kind.trim().to_lowercase().as_str() {
                "participant" => true,
                "observer" => false,
                other => return Err(format!("{other:?} is neither participant nor observer")),
            };
            if votes.is_some_and(|already| already != voting) {
                return Err(String::from(
                    "one server cannot be participant and observer",
                ));
            }
            votes = Some(voting);
        }
    }
    Ok(Member {
        id,
        votes: votes.unwrap_or(true),
        hosts,
        client,
    })
}

fn client_address(text: &str, host: Ipv4Addr) -> Result<SocketAddr, String> {
    let parts = split_host(text)?;
    match parts.as_slice() {
        [only] => Ok(SocketAddr::from((host, port(only)?))),
        [host, number] => resolve(host, port(number)?),
        _ => Err(format!("{text:?} is not [host:]port")),
    }
}

/// Splits like `ConfigUtils.getHostAndPort`: a host in brackets can contain colons.
fn split_host(text: &str) -> Result<Vec<&str>, String> {
    let Some(inside) = text.strip_prefix('[') else {
        return Ok(text.split(':').collect());
    };
    let (host, rest) = inside
        .split_once(']')
        .ok_or_else(|| format!("{text:?} has no closing ]"))?;
    let mut parts = vec![host];
    if !rest.is_empty() {
        parts.extend(rest.strip_prefix(':').unwrap_or(rest).split(':'));
    }
    Ok(parts)
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is not a port"))
}

impl Member {
    /// Whether one of the member's hosts is this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.hosts.iter().any(|host| {
            // An address of another machine cannot be bound.
            resolve(host, 0).is_ok_and(|address| UdpSocket::bind(address).is_ok())
        })
    }
}

/// Resolves a host; IPv4 comes before IPv6, as in Java.
pub(crate) fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let host = host.trim();
    if host.is_empty() {
        // In Java, the empty name is the loopback address.
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::from((address, port)));
    }
    let unknown = || format!("the host {host:?} is not known");
    let mut found: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|_| unknown())?
        .collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading {
        host: Ipv4Addr::UNSPECIFIED,
        many_addresses: true,
    };

    fn check(line: &str, expected: Result<(i64, bool, Option<&str>), &str>) {
        let (name, value) = line.split_once('=').expect("a test line has a value");
        let expected = expected
            .map(|(id, votes, client)| {
                let client = client.map(|text| text.parse().expect("a test address is one"));
                (id, votes, client)
            })
            .map_err(String::from);
        let found = parse(name, value, READING);
        let found = found.map(|member| (member.id, member.votes, member.client));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn several_addresses_of_one_server_need_a_setting() {
        let reading = Reading {
            host: Ipv4Addr::UNSPECIFIED,
            many_addresses: false,
        };
        let refusal = parse("server.1", "a:1:2|b:1:2", reading).expect_err("they are not");
        assert!(
            refusal.contains("zookeeper.multiAddress.enabled=true"),
            "{refusal}"
        );
    }

    #[test]
    fn a_port_alone_is_on_the_default_host() {
        let reading = Reading {
            host: Ipv4Addr::LOCALHOST,
            many_addresses: false,
        };
        let client = |line| {
            parse("server.1", line, reading)
                .expect("it is in order")
                .client
        };
        assert_eq!(client("a:1:2;2181"), Some(([127, 0, 0, 1], 2181).into()));
        assert_eq!(
            client("a:1:2;0.0.0.0:2181"),
            Some(([0, 0, 0, 0], 2181).into())
        );
    }

    #[test]
    fn a_server_line_has_a_role_and_an_address_for_clients() {
        check("server.1=localhost:2888:3888", Ok((1, true, None)));
        check(
            "server.1=localhost:2888:3888;2181",
            Ok((1, true, Some("0.0.0.0:2181"))),
        );
        check(
            "server.2=a:1:2:observer;127.0.0.1:9",
            Ok((2, false, Some("127.0.0.1:9"))),
        );
        check(
            "server.3=[::1]:1:2:PARTICIPANT;[::1]:9",
            Ok((3, true, Some("[::1]:9"))),
        );
        check("server.4=a:1:2|b:1:2", Ok((4, true, None)));
    }

    #[test]
    fn a_member_is_local_if_one_of_its_hosts_is_this_machine() {
        // 203.0.113.0/24 is for documentation.
        for (hosts, is_local) in [
            ("127.0.0.1:1:2", true),
            ("localhost:1:2", true),
            ("203.0.113.1:1:2", false),
            ("no such host:1:2", false),
            ("203.0.113.1:1:2|127.0.0.1:1:2", true),
        ] {
            let member = parse("server.1", hosts, READING).expect("it is in order");
            assert_eq!(member.is_local(), is_local, "{hosts}");
        }
    }

    #[test]
    fn a_broken_server_line_is_refused() {
        check("server.x=a:1:2", Err("\"x\" is not the number of a server"));
        check(
            "server.1=a:1",
            Err("\"a:1\" is not host:port:port[:type][;[host:]port]"),
        );
        check(
            "server.1=a:1:1",
            Err("the two ports of a server must differ"),
        );
        check("server.1=a:b:2", Err("\"b\" is not a port"));
        check("server.1=a:1:2;x", Err("\"x\" is not a port"));
        check(
            "server.1=a:1:2:leader",
            Err("\"leader\" is neither participant nor observer"),
        );
    }
}
