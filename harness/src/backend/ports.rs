//! Ports for servers that cannot choose one themselves: to ZooKeeper, port 0 means no port.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// First port of a range below that of outgoing connections on all systems, so that none of those takes a port
/// between its choice and its use.
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// Returns a port of 127.0.0.1 that was free a moment ago, and that this process has not returned before.
pub(super) fn free_port() -> io::Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that start one after the other begin far from each other in the range.
    let begin = std::process::id().wrapping_mul(197) % COUNT;
    for _ in 0..COUNT {
        let place = (begin + GIVEN.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let Ok(port) = u16::try_from(FIRST + place) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no port is free"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::free_port;

    #[test]
    fn no_port_is_returned_twice() {
        let ports: HashSet<u16> = (0..50)
            .map(|_| free_port().expect("the system allows it"))
            .collect();
        assert_eq!(ports.len(), 50);
    }
}
