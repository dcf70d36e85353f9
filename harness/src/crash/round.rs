//! One round: the state that the last crash left is checked, then all clients send requests until the server is
//! killed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use super::model::Found;
use super::sessions::Sessions;
use super::writer::Writer;
use super::{Failure, Report, reader};
use crate::backend::Backend;
use crate::client::{Answer, Client, Request};
use crate::patience;
use crate::random::Random;

pub(super) const WRITERS: usize = 4;
const READERS: usize = 2;
/// Maximum duration of a round.
const PATIENCE: Duration = Duration::from_secs(120);

/// The clients of all rounds on a folder.
#[derive(Debug)]
pub(super) struct Clients {
    writers: Vec<Writer>,
    sessions: Sessions,
    /// Seed of the clients.
    seed: u64,
    begun: bool,
    /// Zxids and requests that all clients together saw in the last round.
    seen: Seen,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    zxid: i64,
    requests: [Option<u64>; WRITERS],
}

/// Zxids and requests that all clients together see in a round, and the server, which is killed after enough
/// acknowledged writes.
#[derive(Debug)]
pub(super) struct RoundState {
    server: Mutex<Option<Box<dyn Backend>>>,
    remaining: AtomicI64,
    acknowledged: AtomicU64,
    messages: AtomicU64,
    zxid: AtomicI64,
    /// For each writer, one more than the last of its requests that any client saw.
    requests: [AtomicU64; WRITERS],
}

impl RoundState {
    fn new(server: Box<dyn Backend>, target: usize) -> Self {
        Self {
            server: Mutex::new(Some(server)),
            remaining: AtomicI64::new(i64::try_from(target).unwrap_or(i64::MAX)),
            acknowledged: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            zxid: AtomicI64::new(0),
            requests: Default::default(),
        }
    }

    /// Records that a client saw a reply or event with this zxid.
    pub(super) fn saw_zxid(&self, zxid: i64) {
        self.zxid.fetch_max(zxid, Ordering::Relaxed);
    }

    /// Records that a client saw the effect of a writer's request.
    pub(super) fn saw_request(&self, writer: usize, number: u64) {
        if let Some(request) = self.requests.get(writer) {
            request.fetch_max(number + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn saw(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an acknowledged write; the last one kills the server.
    pub(super) fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.remaining.fetch_sub(1, Ordering::Relaxed) <= 1 {
            self.kill();
        }
    }

    fn kill(&self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropping the server kills it.
        drop(server.take());
    }

    fn seen(&self) -> Seen {
        let request = |request: &AtomicU64| request.load(Ordering::Relaxed).checked_sub(1);
        Seen {
            zxid: self.zxid.load(Ordering::Relaxed),
            requests: self.requests.each_ref().map(request),
        }
    }
}

impl Clients {
    pub(super) fn new(seed: u64, round: usize) -> Self {
        Self {
            writers: (0..WRITERS).map(Writer::new).collect(),
            sessions: Sessions::default(),
            seed: seed.wrapping_add(u64::try_from(round).unwrap_or(u64::MAX)),
            begun: false,
            seen: Seen::default(),
        }
    }

    /// Checks the state, then lets all clients send requests until so many writes are acknowledged.
    pub(super) fn play(
        &mut self,
        server: Box<dyn Backend>,
        target: usize,
        purpose: u64,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let playing = self.round(server, target, purpose, report);
        let whole = patience::within_span(PATIENCE, "the end of a round", playing);
        runtime.block_on(whole)?
    }

    async fn round(
        &mut self,
        server: Box<dyn Backend>,
        target: usize,
        purpose: u64,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let address = server.connect_string();
        let mut clients = Vec::new();
        for writer in &mut self.writers {
            clients.push(writer.connect(&address).await?);
        }
        if self.begun {
            report.resumed += u64::try_from(clients.len()).unwrap_or(u64::MAX);
            self.recover(&address, &mut clients, report).await?;
        } else {
            for (writer, client) in self.writers.iter_mut().zip(&mut clients) {
                writer.begin(client).await?;
            }
            self.begun = true;
        }
        let watch = RoundState::new(server, target);
        if target == 0 {
            watch.kill();
        }
        let random = |number: u64| Random::new(self.seed ^ purpose, number);
        let writing = self
            .writers
            .iter_mut()
            .zip(clients)
            .zip(10..)
            .map(|((writer, client), number)| writer.write(client, &watch, random(number)));
        let reading = (100..)
            .take(READERS)
            .map(|number| reader::read(&address, &watch, random(number)));
        let coming = self.sessions.open_and_close(&address, &watch, random(200));
        let (writing, reading) = (all(writing), all(reading));
        let (wrote, read, came) = tokio::join!(writing, reading, coming);
        self.seen = watch.seen();
        report.acknowledged += watch.acknowledged.load(Ordering::Relaxed);
        report.seen += watch.messages.load(Ordering::Relaxed);
        wrote.and(read).and(came)
    }

    async fn recover(
        &mut self,
        address: &str,
        clients: &mut [Client<TcpStream>],
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut last = None;
        for ((writer, client), seen) in self.writers.iter_mut().zip(clients).zip(self.seen.requests)
        {
            let (zxid, found) = look(client, &writer.model.parent).await?;
            // No client writes yet, so all see the same state.
            let last = *last.get_or_insert(zxid);
            if zxid != last || zxid < self.seen.zxid {
                return Err(Failure::Broken(format!(
                    "the last zxid is {zxid:#x}, but a client saw {:#x}",
                    self.seen.zxid.max(last)
                )));
            }
            let (through, lost) = writer.recover(&found, last, seen)?;
            report.came_through += through;
            report.lost += lost;
        }
        report.resumed += self.sessions.recover(address).await?;
        Ok(())
    }
}

/// Runs all futures concurrently, up to the first that fails.
async fn all<F>(futures: impl Iterator<Item = F>) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut outcome = Ok(());
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(Err(error)) => {
                outcome = Err(error);
                false
            }
            std::task::Poll::Ready(Ok(())) => false,
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() || outcome.is_err() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outcome
}

/// Reads the children of a parent, and the last zxid.
async fn look(client: &mut Client<TcpStream>, parent: &str) -> Result<(i64, Found), Failure> {
    let wrong = |reply| Failure::Broken(format!("{parent} cannot be read: {reply:?}"));
    let reply = client
        .call(&Request::GetChildren2 {
            path: parent.to_owned(),
            watch: false,
        })
        .await?;
    let zxid = reply.header.zxid;
    let Some(Answer::ChildrenStat(names, stat)) = reply.answer else {
        return Err(wrong(reply));
    };
    let mut children = BTreeMap::new();
    for name in names {
        let reply = client
            .call(&Request::GetData {
                path: format!("{parent}/{name}"),
                watch: false,
            })
            .await?;
        let Some(Answer::Data(data, stat)) = reply.answer else {
            return Err(wrong(reply));
        };
        children.insert(name, (data.unwrap_or_default(), stat));
    }
    Ok((
        zxid,
        Found {
            parent: stat,
            children,
        },
    ))
}
