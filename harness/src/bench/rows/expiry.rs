//! Duration of a test in which a session expires.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::{ROUNDS, SETTINGS};
use crate::backend::{Backend, BackendError, BackendKind, BackendSource, Embedded, Settings};
use crate::bench::report::Row;
use crate::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request, read_frame};

const TIMEOUT_MS: i32 = 30_000;
/// Timeout of the watcher's session, which outlives the other.
const LONGER_MS: i32 = 40_000;
const PATH: &str = "/leader";

/// Time after which the session has expired. A real server checks its sessions once a tick.
const UNTIL_EXPIRED: Duration = Duration::from_secs(32);

pub(in crate::bench) fn expiry() -> io::Result<Row> {
    let mut row = Row::new(
        "expiry",
        "a test in which a session of 30 s expires: a watcher is notified, its client is refused",
    );
    let times = (0..201).map(|_| {
        let start = Instant::now();
        let settings = Settings {
            manual_time: true,
            ..SETTINGS
        };
        let server = Embedded::start(&settings).map_err(io::Error::other)?;
        a_session_expires(&server)?;
        drop(server);
        Ok(start.elapsed().as_secs_f64() * 1e3)
    });
    let times = times.collect::<io::Result<_>>()?;
    let median = row.value("embedded, from start to drop", "ms", times);
    row.at_most(median, 5.0, "ms");
    match BackendKind::newest_zookeeper().start(&SETTINGS) {
        Ok(real) => {
            let times = (0..ROUNDS.div_ceil(2)).map(|_| {
                let start = Instant::now();
                a_session_expires(&*real)?;
                Ok(start.elapsed().as_secs_f64() * 1e3)
            });
            let times = times.collect::<io::Result<_>>()?;
            row.value(format!("{}, already running", real.name()), "ms", times);
        }
        Err(BackendError::Missing(missing)) => row.missing.push(missing.to_string()),
        Err(error) => return Err(io::Error::other(error)),
    }
    Ok(row)
}

/// Runs the test on a server. It takes real time if the clock of the server cannot be advanced.
fn a_session_expires(server: &dyn Backend) -> io::Result<()> {
    let address = server.connect_string();
    let mut owner = BlockingClient::connect(&address, &ConnectRequest::new(TIMEOUT_MS))?;
    owner.call(&Request::Create {
        kind: CreateKind::Create,
        path: PATH.to_owned(),
        data: None,
        acl: Acl::open(),
        flags: 1,
    })?;
    let mut watcher = BlockingClient::connect(&address, &ConnectRequest::new(LONGER_MS))?;
    watcher.call(&Request::Exists {
        path: PATH.to_owned(),
        watch: true,
    })?;
    let session = owner.session().clone();
    expect(session.timeout_ms == TIMEOUT_MS, "a session of 30 s")?;
    // The owner sends nothing from here on.
    server.mute(session.session_id);
    server.advance_clock(UNTIL_EXPIRED);
    let event = read_frame(&mut watcher.into_stream())?;
    expect(event.get(4..8) == Some(&[0xff; 4]), "an event")?;
    let mut rest = Vec::new();
    owner.into_stream().read_to_end(&mut rest)?;
    expect(rest.is_empty(), "the end of the connection")?;
    let again = ConnectRequest {
        session_id: session.session_id,
        password: session.password,
        ..ConnectRequest::new(TIMEOUT_MS)
    };
    let refused = BlockingClient::connect(&address, &again)?;
    expect(refused.session().timeout_ms == 0, "a refusal")
}

fn expect(is_so: bool, what: &str) -> io::Result<()> {
    is_so
        .then_some(())
        .ok_or_else(|| io::Error::other(format!("expected {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_expires_when_the_clock_is_advanced() {
        let settings = Settings {
            manual_time: true,
            ..SETTINGS
        };
        let server = Embedded::start(&settings).expect("a server starts");
        a_session_expires(&server).expect("the test passes on an embedded server");
    }
}
