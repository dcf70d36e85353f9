//! Server lines of a configuration: the role of each member, and its address for clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Parts of a `server.N` line that concern a standalone server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: i64,
    pub(crate) votes: bool,
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
    let mut votes = None;
    for server in servers.split('|') {
        let parts = split_host(server)?;
        let (first, second, kind) = match parts.as_slice() {
            [_, first, second] => (first, second, None),
            [_, first, second, kind] => (first, second, Some(kind)),
            _ => return Err(shape()),
        };
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

    fn check(line: &str, expected: Result<(i64, bool, Option<&str>), &str>) {
        let (name, value) = line.split_once('=').expect("a test line has a value");
        let expected = expected
            .map(|(id, votes, client)| Member {
                id,
                votes,
                client: client.map(|c| c.parse().expect("a test address is one")),
            })
            .map_err(String::from);
        let reading = Reading {
            host: Ipv4Addr::UNSPECIFIED,
            many_addresses: true,
        };
        assert_eq!(parse(name, value, reading), expected, "{line}");
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
