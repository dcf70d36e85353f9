//! `minikeeper health`: checks a server like `zkServer.sh status`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Sends `srvr`, which every server answers independent of its whitelist, and waits for the whole answer.
///
/// # Errors
///
/// Describes why the server is not healthy.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline on someone else's server is real time"
)]
pub(crate) fn check(address: SocketAddr, timeout: Duration) -> Result<(), String> {
    let deadline = Instant::now() + timeout;
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut socket = TcpStream::connect_timeout(&address, timeout).map_err(failed)?;
    socket.set_write_timeout(Some(timeout)).map_err(failed)?;
    socket.write_all(b"srvr").map_err(failed)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(format!(
                "{address}: no answer within {} ms",
                timeout.as_millis()
            ));
        }
        socket.set_read_timeout(Some(remaining)).map_err(failed)?;
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            // The loop checks the deadline.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    judge(&String::from_utf8_lossy(&answer)).map_err(|reason| format!("{address}: {reason}"))
}

fn judge(answer: &str) -> Result<(), String> {
    // ZooKeeper before 3.5 may exclude `srvr` from its whitelist; such a server is alive.
    if answer.contains("Mode: ") || answer.contains("not in the whitelist") {
        return Ok(());
    }
    match answer.lines().next() {
        None => Err("closed without an answer".to_owned()),
        Some(line) => Err(String::from(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_shows_whether_a_server_serves() {
        assert_eq!(
            judge("Zookeeper version: 3.9.5\nMode: standalone\n"),
            Ok(())
        );
        assert_eq!(
            judge("srvr is not executed because it is not in the whitelist.\n"),
            Ok(())
        );
        let starting = "This ZooKeeper instance is not currently serving requests";
        assert_eq!(judge(starting), Err(String::from(starting)));
        assert_eq!(judge(""), Err("closed without an answer".to_owned()));
    }

    #[test]
    fn a_silent_server_is_not_healthy() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = silent.local_addr().expect("it is bound");
        let answer = check(address, Duration::from_millis(50));
        assert_eq!(answer, Err(format!("{address}: no answer within 50 ms")));
    }
}
