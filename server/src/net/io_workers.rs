//! I/O workers: threads that serve connections, besides the server's own thread.
//!
//! One thread is enough for most tests. One change that notifies ten thousand watchers takes ten thousand writes, and
//! these are worth sharing.

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

/// Number of connections per thread from which on another thread is started.
const SHARE: usize = 1000;

/// I/O workers of a server, and the connections of the thread that accepts.
pub(super) struct IoWorkers {
    engine: Arc<Engine>,
    own: JoinSet<()>,
    /// Long turns of these connections.
    turns: Arc<Turns>,
    others: Vec<Worker>,
    /// Maximum number of threads. It is determined on first use, because that reads files.
    most: OnceCell<usize>,
    /// Number of connections per thread from which on another thread is started.
    share: usize,
}

/// Thread that serves connections of others.
struct Worker {
    connections: mpsc::UnboundedSender<AssignedConnection>,
    /// Shared with each of its connections, which so counts them.
    serving: Arc<()>,
    thread: JoinHandle<()>,
}

/// Connection on its way to a worker.
struct AssignedConnection {
    id: ConnectionId,
    socket: std::net::TcpStream,
    /// Dropped when the connection ends.
    serving: Arc<()>,
}

impl IoWorkers {
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

    /// Serves a connection, on the thread with the fewest connections.
    pub(super) fn serve(&mut self, id: ConnectionId, socket: TcpStream) {
        if let Some(worker) = self.worker() {
            // The socket cannot be moved, or the worker has ended, which `poll_ended` notices.
            if !socket
                .into_std()
                .is_ok_and(|socket| worker.take(id, socket))
            {
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

    /// Returns the worker for the next connection; `None` if this thread has the fewest connections.
    fn worker(&mut self) -> Option<&Worker> {
        let own = self.own.len();
        let least = self
            .others
            .iter()
            .map(Worker::serving)
            .min()
            .unwrap_or(usize::MAX);
        if own.min(least) >= self.share && self.others.len() + 1 < self.most() {
            match Worker::start(Arc::clone(&self.engine), self.others.len() + 2) {
                Ok(worker) => self.others.push(worker),
                Err(error) => tracing::warn!(%error, "cannot start another thread"),
            }
        }
        let worker = self.others.iter().min_by_key(|worker| worker.serving())?;
        (own >= self.share && worker.serving() < own).then_some(worker)
    }

    /// Ends every connection, as if the process had ended, and waits until they are gone.
    ///
    /// # Panics
    ///
    /// If the task of a connection has panicked.
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

    /// Removes connections that have ended.
    ///
    /// # Panics
    ///
    /// If the task of a connection has panicked.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) {
        poll_ended(&mut self.own, context);
        if let Some(ended) = self
            .others
            .iter()
            .position(|worker| worker.thread.is_finished())
        {
            self.others.swap_remove(ended).join();
        }
    }
}

impl Drop for IoWorkers {
    fn drop(&mut self) {
        for worker in self.others.drain(..) {
            worker.join();
        }
    }
}

impl Worker {
    fn start(engine: Arc<Engine>, number: usize) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (connections, assigned) = mpsc::unbounded_channel();
        let serving = Arc::new(());
        let thread = thread::Builder::new()
            .name(format!("minikeeper-{number}"))
            .spawn(move || runtime.block_on(serve_assigned(&engine, assigned)))?;
        Ok(Self {
            connections,
            serving,
            thread,
        })
    }

    /// Passes a connection to the worker. Returns whether the worker takes it.
    fn take(&self, id: ConnectionId, socket: std::net::TcpStream) -> bool {
        let serving = Arc::clone(&self.serving);
        self.connections
            .send(AssignedConnection {
                id,
                socket,
                serving,
            })
            .is_ok()
    }

    /// Number of connections that the worker serves or is about to serve.
    fn serving(&self) -> usize {
        Arc::strong_count(&self.serving) - 1
    }

    /// Ends the worker, and resumes its panic if it panicked.
    fn join(self) {
        drop(self.connections);
        if let Err(panic) = self.thread.join()
            && !thread::panicking()
        {
            panic::resume_unwind(panic);
        }
    }
}

/// Serves connections until the sender is dropped.
async fn serve_assigned(
    engine: &Arc<Engine>,
    mut assigned: mpsc::UnboundedReceiver<AssignedConnection>,
) {
    let mut connections = JoinSet::new();
    let turns = Arc::default();
    loop {
        let next = future::poll_fn(|context| {
            poll_ended(&mut connections, context);
            assigned.poll_recv(context)
        });
        let Some(AssignedConnection {
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
    use crate::net::engine::AcceptDecision;

    /// Connects so many clients to a server of two threads at most, and returns the number that each thread serves.
    fn share(
        clients: usize,
        share: usize,
    ) -> (
        Vec<std::net::TcpStream>,
        (usize, Vec<usize>),
        IoWorkers,
        runtime::Runtime,
    ) {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let engine = engine();
        let mut workers = IoWorkers::new(Arc::clone(&engine));
        (workers.most, workers.share) = (OnceCell::from(2), share);
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
            let AcceptDecision::Serve(id) = engine.accept(peer, &ListenerId::default()) else {
                panic!("there is no limit");
            };
            workers.serve(id, TcpStream::from_std(socket).unwrap());
        }
        drop(context);
        let others = workers.others.iter().map(Worker::serving).collect();
        (streams, (workers.own.len(), others), workers, runtime)
    }

    fn ask(mut stream: &std::net::TcpStream) -> String {
        stream.write_all(b"ruok").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn few_connections_have_one_thread() {
        let (_streams, served, _workers, _runtime) = share(3, 3);
        assert_eq!(served, (3, vec![]));
    }

    #[test]
    fn many_connections_share_the_threads_there_may_be() {
        let (streams, (own, others), workers, runtime) = share(6, 2);
        assert_eq!(own + others.iter().sum::<usize>(), 6);
        assert_eq!(others.len(), 1, "no more threads than there may be");
        runtime.spawn_blocking(move || {
            for stream in &streams {
                assert_eq!(ask(stream), "imok");
            }
        });
        // The clients of the own thread are served while this waits for it.
        let mut workers = workers;
        runtime.block_on(future::poll_fn(|context| {
            workers.poll_ended(context);
            if workers.own.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }

    #[test]
    fn queued_connections_are_closed_with_the_workers() {
        let (streams, _, workers, runtime) = share(4, 1);
        drop(workers);
        drop(runtime);
        for mut stream in streams {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
    }
}
