//! `minikeeper health`: asks a server as `zkServer.sh status` does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Sends `srvr`, which every server answers whatever its whitelist says, and waits for the whole answer.
///
/// # Errors
///
/// Says in words why the server does not count as healthy.
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
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!(
                "{address}: no answer within {} ms",
                timeout.as_millis()
            ));
        }
        socket.set_read_timeout(Some(left)).map_err(failed)?;
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            // The deadline is looked at once more above.
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
    // A ZooKeeper of before 3.5 may have no `srvr` in its whitelist; it lives all the same.
    if answer.contains("Mode: ") || answer.contains("not in the whitelist") {
        return Ok(());
    }
    match answer.lines().next() {
        None => Err(String::from("closed without an answer")),
        Some(line) => Err(String::from(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_whether_a_server_serves() {
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
        assert_eq!(judge(""), Err(String::from("closed without an answer")));
    }

    #[test]
    fn a_server_that_says_nothing_is_not_healthy() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = silent.local_addr().expect("it is bound");
        let answer = check(address, Duration::from_millis(50));
        assert_eq!(answer, Err(format!("{address}: no answer within 50 ms")));
    }
}
