//! Labels and addresses as clients get them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::start_error::StartError;
use crate::config::reachable;

/// Address of a client that connects over a stream without an address.
pub(super) const LOCALHOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Address of a member without a listener.
pub(super) const NO_LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Checks that a label can be printed in a line of the journal and is not one of the names that the journal uses.
pub(super) fn check_label(label: &str) -> Result<Arc<str>, StartError> {
    if label.is_empty() || label.trim() != label || label.contains(char::is_control) {
        return Err(StartError::Label(label.to_owned()));
    }
    if let "test" | "server" | "ensemble" = label {
        return Err(StartError::ReservedLabel(label.to_owned()));
    }
    Ok(label.into())
}

/// Connect string for a client on this machine that may connect to any of these addresses.
pub(super) fn connect_string<'a>(addrs: impl IntoIterator<Item = &'a SocketAddr>) -> String {
    let addrs: Vec<String> = addrs
        .into_iter()
        .map(|addr| reachable(*addr).to_string())
        .collect();
    addrs.join(",")
}
