//! Address of a listener as its clients use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns the address by which a client on this machine reaches a listener: an unspecified IP address becomes the
/// loopback address.
///
/// ```
/// use std::net::SocketAddr;
///
/// let listener = SocketAddr::from(([0, 0, 0, 0], 2181));
/// assert_eq!(minikeeper::config::reachable(listener), SocketAddr::from(([127, 0, 0, 1], 2181)));
/// ```
#[must_use]
pub fn reachable(mut listener: SocketAddr) -> SocketAddr {
    if listener.ip().is_unspecified() {
        listener.set_ip(match listener.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listener
}
