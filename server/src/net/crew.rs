//! Who serves the connections: the server's own thread, and others beside it where there are thousands.
//!
//! One thread is enough for any test. But to tell ten thousand watchers of one change is ten thousand writes, and those are
//! worth sharing.

use std::cell::OnceCell;
use std::future;
use std::io;
use std::panic;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection;
use super::engine::Engine;
use super::turns::Turns;
use crate::keeper::ConnectionId;

/// From this many connections a thread on, another one is worth its while.
const SHARE: usize = 1000;

/// The threads of a server, and the connections of the one that accepts.
pub(super) struct Crew {
    engine: Arc<Engine>,
    own: JoinSet<()>,
    /// Long turns of these connections.
    turns: Arc<Turns>,
    others: Vec<Hand>,
    /// How many threads there may be, once somebody wanted to know: to find out reads files.
    most: OnceCell<usize>,
    /// From how many connections each on another one starts.
    share: usize,
}

/// A thread that serves connections which it is handed.
struct Hand {
    connections: mpsc::UnboundedSender<Handed>,
    /// Held by each of its connections, and here.
    serving: Arc<()>,
    thread: JoinHandle<()>,
}

/// A connection on its way to another thread.
struct Handed {
    id: ConnectionId,
    socket: std::net::TcpStream,
    /// Held as long as it is served.
    serving: Arc<()>,
}

impl Crew {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            own: JoinSet::new(),
            turns: Arc::default(),
            others: Vec::new(),
            most: OnceCell::new(),
            share: SHARE,
        }
    }

    /// Serves one more connection.
    pub(super) fn serve(&mut self, id: ConnectionId, socket: TcpStream) {
        if let Some(hand) = self.hand() {
            // It cannot be moved, or the other thread has ended, which is noticed elsewhere.
            if !socket.into_std().is_ok_and(|socket| hand.take(id, socket)) {
                self.engine.disconnect(id);
            }
        } else {
            self.own.spawn(connection::serve(
                Arc::clone(&self.engine),
                id,
                socket,
                Some(Arc::clone(&self.turns)),
            ));
        }
    }

    fn most(&self) -> usize {
        let find_out = || thread::available_parallelism().map_or(1, usize::from);
        *self.most.get_or_init(find_out)
    }

    /// The thread that has the least to do, if that is another one.
    fn hand(&mut self) -> Option<&Hand> {
        let own = self.own.len();
        let least = self
            .others
            .iter()
            .map(Hand::serving)
            .min()
            .unwrap_or(usize::MAX);
        if own.min(least) >= self.share && self.others.len() + 1 < self.most() {
            match Hand::start(Arc::clone(&self.engine), self.others.len() + 2) {
                Ok(hand) => self.others.push(hand),
                Err(error) => tracing::warn!(%error, "cannot start another thread"),
            }
        }
        let hand = self.others.iter().min_by_key(|hand| hand.serving())?;
        (own >= self.share && hand.serving() < own).then_some(hand)
    }

    /// Ends every connection, as if the process had ended, and waits until they are gone.
    ///
    /// # Panics
    ///
    /// If one of them has.
    pub(super) async fn end(mut self) {
        self.own.abort_all();
        future::poll_fn(|context| {
            self.poll_ended(context);
            if self.own.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Forgets connections that have ended.
    ///
    /// # Panics
    ///
    /// If one of them has.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) {
        poll_ended(&mut self.own, context);
        if let Some(ended) = self
            .others
            .iter()
            .position(|hand| hand.thread.is_finished())
        {
            self.others.swap_remove(ended).join();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for hand in self.others.drain(..) {
            hand.join();
        }
    }
}

impl Hand {
    fn start(engine: Arc<Engine>, number: usize) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (connections, handed) = mpsc::unbounded_channel();
        let serving = Arc::new(());
        let thread = thread::Builder::new()
            .name(format!("minikeeper-{number}"))
            .spawn(move || runtime.block_on(serve_handed(&engine, handed)))?;
        Ok(Self {
            connections,
            serving,
            thread,
        })
    }

    /// Hands a connection over; says whether it was taken.
    fn take(&self, id: ConnectionId, socket: std::net::TcpStream) -> bool {
        let serving = Arc::clone(&self.serving);
        self.connections
            .send(Handed {
                id,
                socket,
                serving,
            })
            .is_ok()
    }

    /// How many connections it serves, or is about to.
    fn serving(&self) -> usize {
        Arc::strong_count(&self.serving) - 1
    }

    /// Ends it, and passes on what it panicked with, if it did.
    fn join(self) {
        drop(self.connections);
        if let Err(panic) = self.thread.join()
            && !thread::panicking()
        {
            panic::resume_unwind(panic);
        }
    }
}

/// Serves what is handed over until nobody hands over any more.
async fn serve_handed(engine: &Arc<Engine>, mut handed: mpsc::UnboundedReceiver<Handed>) {
    let mut connections = JoinSet::new();
    let turns = Arc::default();
    loop {
        let next = future::poll_fn(|context| {
            poll_ended(&mut connections, context);
            handed.poll_recv(context)
        });
        let Some(Handed {
            id,
            socket,
            serving,
        }) = next.await
        else {
            return;
        };
        match TcpStream::from_std(socket) {
            Ok(socket) => {
                let serve =
                    connection::serve(Arc::clone(engine), id, socket, Some(Arc::clone(&turns)));
                connections.spawn(async move {
                    serve.await;
                    drop(serving);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot serve a connection");
                engine.disconnect(id);
            }
        }
    }
}

fn poll_ended(connections: &mut JoinSet<()>, context: &mut Context<'_>) {
    while let Poll::Ready(Some(ended)) = connections.poll_join_next(context) {
        if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
            panic::resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Duration;

    use super::*;
    use crate::control::ListenerId;
    use crate::net::connection::tests::engine;
    use crate::net::engine::Welcome;

    /// Connects so many clients to a crew of two threads at most, and gives what each thread serves.
    fn share(
        clients: usize,
        share: usize,
    ) -> (
        Vec<std::net::TcpStream>,
        (usize, Vec<usize>),
        Crew,
        runtime::Runtime,
    ) {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let engine = engine();
        let mut crew = Crew::new(Arc::clone(&engine));
        (crew.most, crew.share) = (OnceCell::from(2), share);
        let mut streams = Vec::new();
        let context = runtime.enter();
        for _ in 0..clients {
            let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            streams.push(stream);
            let (socket, peer) = listener.accept().unwrap();
            socket.set_nonblocking(true).unwrap();
            let Welcome::Serve(id) = engine.accept(peer, &ListenerId::default()) else {
                panic!("there is no limit");
            };
            crew.serve(id, TcpStream::from_std(socket).unwrap());
        }
        drop(context);
        let others = crew.others.iter().map(Hand::serving).collect();
        (streams, (crew.own.len(), others), crew, runtime)
    }

    fn ask(mut stream: &std::net::TcpStream) -> String {
        stream.write_all(b"ruok").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn few_connections_have_one_thread() {
        let (_streams, served, _crew, _runtime) = share(3, 3);
        assert_eq!(served, (3, vec![]));
    }

    #[test]
    fn many_connections_share_the_threads_there_may_be() {
        let (streams, (own, others), crew, runtime) = share(6, 2);
        assert_eq!(own + others.iter().sum::<usize>(), 6);
        assert_eq!(others.len(), 1, "no more threads than there may be");
        runtime.spawn_blocking(move || {
            for stream in &streams {
                assert_eq!(ask(stream), "imok");
            }
        });
        // The clients of the crew's own thread are served while this waits for it.
        let mut crew = crew;
        runtime.block_on(future::poll_fn(|context| {
            crew.poll_ended(context);
            if crew.own.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }

    #[test]
    fn what_was_handed_over_is_closed_with_the_crew() {
        let (streams, _, crew, runtime) = share(4, 1);
        drop(crew);
        drop(runtime);
        for mut stream in streams {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
    }
}
