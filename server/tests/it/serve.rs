//! Connections on the runtime of the test, over any stream.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use minikeeper::{Server, ServerBuilder, SessionId, StartError};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::runtime;

use crate::client::{
    self, Client, DEADLINE, EPHEMERAL, Event, Fields, Granted, PERSISTENT, Reply, TIMEOUT, op,
    refuses,
};

/// Client on any stream, with a session.
struct StreamClient<IO> {
    io: IO,
    granted: Granted,
    xid: i32,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> StreamClient<IO> {
    async fn connect(io: IO) -> Self {
        Self::with(io, TIMEOUT, None)
            .await
            .expect("the session is granted")
    }

    async fn with(mut io: IO, timeout: Duration, granted: Option<&Granted>) -> Option<Self> {
        let request = client::connect_request(timeout, granted);
        io.write_all(&request).await.expect("the server reads");
        let granted = client::grant(&frame(&mut io).await)?;
        Some(Self {
            io,
            granted,
            xid: 0,
        })
    }

    async fn ask(&mut self, op: i32, body: &[u8]) -> Reply {
        self.xid += 1;
        let request = client::request(self.xid, op, body);
        self.io.write_all(&request).await.expect("the server reads");
        let reply = client::message(&frame(&mut self.io).await).expect_err("no event");
        assert_eq!((reply.xid, reply.error), (self.xid, 0));
        reply
    }

    async fn create(&mut self, path: &str, flags: i32) {
        self.ask(op::CREATE, &client::create(path, b"", flags))
            .await;
    }

    async fn watch(&mut self, path: &str) {
        self.ask(op::GET_DATA, &client::read(path, true)).await;
    }

    async fn event(&mut self) -> Event {
        client::message(&frame(&mut self.io).await).expect("an event")
    }

    async fn ends(mut self) {
        assert_eq!(self.io.read(&mut [0]).await.expect("an end"), 0);
    }
}

async fn frame(io: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let frame = async {
        let mut length = [0; 4];
        io.read_exact(&mut length).await.expect("a frame arrives");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        io.read_exact(&mut frame)
            .await
            .expect("the frame is complete");
        frame
    };
    in_time(frame).await
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await;
    result.expect("the future is ready in time")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(future)
}

fn block_on_many<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(future)
}

fn quiet() -> ServerBuilder {
    Server::builder().without_listener()
}

fn start() -> Server {
    quiet().start().expect("a server starts")
}

/// Serves a client on the runtime.
fn open(server: &Server) -> DuplexStream {
    let (client, io) = duplex(1 << 12);
    tokio::spawn(server.serve(io));
    client
}

async fn two_clients_of(server: &Server) {
    let mut one = StreamClient::connect(open(server)).await;
    let mut other = StreamClient::connect(open(server)).await;
    one.create("/leader", EPHEMERAL).await;
    other.watch("/leader").await;
    one.ask(op::CLOSE_SESSION, &[]).await;
    one.ends().await;
    assert_eq!(other.event().await, Event::Deleted("/leader".to_owned()));
}

#[test]
fn clients_are_served_over_pipes_without_a_thread_or_a_port() {
    block_on(async { two_clients_of(&start()).await });
    block_on_many(async { two_clients_of(&start()).await });
}

#[test]
fn clients_are_served_over_pipes_and_sockets_at_once() {
    let server = Server::start().expect("a server starts");
    let mut connected = Client::connect(server.addr());
    connected.create("/config", b"", PERSISTENT);
    connected.data("/config", true);
    block_on(async {
        let mut client = StreamClient::connect(open(&server)).await;
        client.watch("/config").await;
        connected.set("/config", b"1");
        assert_eq!(client.event().await, Event::Changed("/config".to_owned()));
        assert_eq!(server.connections().len(), 2);
    });
    assert_eq!(connected.event(), Event::Changed("/config".to_owned()));
    // The runtime of the client has ended, and its connection with it.
    assert_eq!(server.connections().len(), 1);
}

#[test]
fn any_executor_can_serve_on_a_server_with_a_thread() {
    let server = Server::start().expect("a server starts");
    let (client, io) = duplex(64);
    let serving = std::thread::spawn({
        let served = server.serve(io);
        move || pollster::block_on(served)
    });
    pollster::block_on(async move {
        let mut client = client;
        client.write_all(b"ruok").await.expect("the server reads");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert_eq!(answer, "imok");
    });
    serving.join().expect("no panic");

    // The server does not wait for a client that does not read its last reply.
    let (mut client, io) = duplex(16);
    let served = server.serve(io);
    pollster::block_on(client.write_all(b"mntr")).expect("there is room");
    pollster::block_on(served);
    assert_eq!(server.connections(), []);
}

#[cfg(unix)]
#[test]
fn clients_are_served_over_unix_sockets() {
    block_on_many(async {
        let server = start();
        let (one, io) = tokio::net::UnixStream::pair().expect("there are sockets");
        tokio::spawn(server.serve(io));
        let (other, io) = tokio::net::UnixStream::pair().expect("there are sockets");
        tokio::spawn(server.serve(io));
        let mut one = StreamClient::connect(one).await;
        one.create("/a", PERSISTENT).await;
        StreamClient::connect(other).await.watch("/a").await;
    });
}

/// Stream that cannot leave its thread.
struct Local(
    DuplexStream,
    #[expect(dead_code, reason = "it is only held")] Rc<()>,
);

impl AsyncRead for Local {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Local {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[test]
fn a_stream_that_cannot_leave_its_thread_is_served_and_dropped_there() {
    let server = start();
    let held = Rc::new(());
    let local = tokio::task::LocalSet::new();
    block_on(local.run_until(async {
        let (client, io) = duplex(1 << 12);
        let serving = tokio::task::spawn_local(server.serve(Local(io, Rc::clone(&held))));
        let mut client = StreamClient::connect(client).await;
        client.create("/a", PERSISTENT).await;
        drop(client);
        in_time(serving).await.expect("it ends with its client");
    }));
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(server.connections(), []);
    assert_eq!(server.sessions().len(), 1, "no client has closed it");
}

#[test]
fn dropping_the_serving_future_disconnects() {
    let server = start();
    block_on(async {
        let (client, io) = duplex(1 << 12);
        let serving = tokio::spawn(server.serve(io));
        let client = StreamClient::connect(client).await;
        serving.abort();
        assert!(serving.await.expect_err("it was aborted").is_cancelled());
        assert!(!server.sessions()[0].connected);
        client.ends().await;
    });
    let (mut client, io) = duplex(64);
    let never_polled = server.serve(io);
    assert_eq!(server.connections().len(), 1);
    drop(never_polled);
    assert_eq!(server.connections(), []);
    let read = block_on(client.read(&mut [0]));
    assert_eq!(read.expect("an end"), 0);
}

#[test]
fn a_stop_ends_served_streams_and_their_sessions_can_be_resumed() {
    for server in [start(), Server::start().expect("a server starts")] {
        block_on(async {
            let (client, io) = duplex(1 << 12);
            let serving = tokio::spawn(server.serve(io));
            let mut client = StreamClient::connect(client).await;
            client.create("/mine", EPHEMERAL).await;
            server.stop();
            // No future has been polled yet.
            assert_eq!((server.is_running(), server.connections()), (false, vec![]));
            let granted = client.granted.clone();
            let write = client::request(2, op::CREATE, &client::create("/late", b"", 0));
            let _ = client.io.write_all(&write).await;
            in_time(serving).await.expect("it ends");
            client.ends().await;
            assert_eq!(server.znode("/late"), None, "the request was not read");

            // A client that connects while the server is stopped is disconnected at once.
            let (mut refused, io) = duplex(64);
            in_time(server.serve(io)).await;
            assert_eq!(refused.read(&mut [0]).await.expect("an end"), 0);

            server.start_again().expect("the server starts");
            let resumed = StreamClient::with(open(&server), TIMEOUT, Some(&granted)).await;
            let resumed = resumed.expect("the session exists");
            assert_eq!(server.sessions()[0].ephemerals, ["/mine"]);
            server.restart().expect("the server starts");
            resumed.ends().await;
        });
    }
}

#[test]
fn dropping_the_server_ends_served_streams_and_the_timer() {
    block_on_many(async {
        let server = start();
        let (client, io) = duplex(1 << 12);
        let serving = tokio::spawn(server.serve(io));
        let time = tokio::spawn(server.drive_timer());
        let client = StreamClient::connect(client).await;
        drop(server);
        client.ends().await;
        in_time(serving).await.expect("it ends");
        in_time(time).await.expect("it ends");
    });
}

#[test]
fn a_served_stream_has_the_given_label_and_address() {
    let server = start();
    let peer: SocketAddr = "192.168.0.7:1234".parse().expect("an address");
    let serve = |label, peer: Option<SocketAddr>| {
        let (_, io) = duplex(64);
        match peer {
            Some(peer) => Box::pin(
                server
                    .serve_from(peer, label, io)
                    .expect("the label is valid"),
            ),
            None => Box::pin(
                server
                    .serve_from(([127, 0, 0, 1], 0).into(), label, io)
                    .expect("the label is valid"),
            ),
        }
    };
    let _one = serve(Some("one"), Some(peer));
    let _two = serve(None, None);
    let (_, io) = duplex(64);
    let _three = server
        .serve_labelled("three", io)
        .expect("the label is valid");
    let views = server.connections();
    let seen: Vec<_> = views
        .iter()
        .map(|view| (view.number, view.label.as_deref(), view.peer.to_string()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Some("one"), "192.168.0.7:1234".to_owned()),
            (2, None, "127.0.0.1:0".to_owned()),
            (3, Some("three"), "127.0.0.1:0".to_owned()),
        ]
    );
    let (_, io) = duplex(64);
    let refused = server
        .serve_labelled("", io)
        .err()
        .expect("the label is invalid");
    assert!(matches!(refused, StartError::Label(_)));
    assert_eq!(server.connections().len(), 3);
}

#[test]
fn the_connection_limit_counts_served_streams() {
    let server = quiet()
        .max_client_connections(1)
        .start()
        .expect("a server starts");
    block_on(async {
        let _one = StreamClient::connect(open(&server)).await;
        let (mut refused, io) = duplex(64);
        in_time(server.serve(io)).await;
        assert_eq!(refused.read(&mut [0]).await.expect("an end"), 0);
        let (client, io) = duplex(64);
        let elsewhere = ([192, 168, 0, 7], 1).into();
        tokio::spawn(
            server
                .serve_from(elsewhere, None, io)
                .expect("no label is given"),
        );
        StreamClient::connect(client).await;
    });
}

#[test]
fn a_server_without_a_listener_works_and_has_no_addresses() {
    let server = start();
    assert!(server.is_running());
    assert_eq!(server.addr().port(), 0);
    assert!(refuses(server.addr()));
    let none = server
        .labelled("worker")
        .expect_err("the server has no port");
    assert!(matches!(none, StartError::NoListener));
    assert!(none.to_string().contains("serve_labelled"));
    server.create("/a", b"1").expect("the znode does not exist");
    server.restart().expect("the server starts");
    assert_eq!(server.data("/a").as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_manual_clock_advances_while_streams_are_served() {
    let server = quiet().manual_clock().start().expect("a server starts");
    block_on(async {
        let mut client = StreamClient::connect(open(&server)).await;
        client.create("/a", EPHEMERAL).await;
        let session: SessionId = client.granted.session;
        server.mute(session);
        let effects = server.advance(TIMEOUT * 2);
        assert_eq!(effects.expired, [session]);
        client.ends().await;
    });
}

#[test]
fn no_thread_is_started_without_a_listener() {
    if !cfg!(target_os = "linux")
        || !crate::alone::is_alone("serve::no_thread_is_started_without_a_listener")
    {
        return;
    }
    let threads = || {
        std::fs::read_dir("/proc/self/task")
            .expect("Linux has it")
            .count()
    };
    let before = threads();
    let server = start();
    block_on(two_clients_of(&server));
    assert_eq!(threads(), before);
    let _listening = Server::start().expect("a server starts");
    assert_eq!(threads(), before + 1);
}

#[test]
fn the_last_request_of_a_client_is_answered_before_the_end() {
    let server = start();
    block_on(async {
        let (mut client, io) = duplex(1 << 12);
        tokio::spawn(server.serve(io));
        let connect = client::connect_request(TIMEOUT, None);
        let create = client::request(1, op::CREATE, &client::create("/a", b"", 0));
        client
            .write_all(&[connect, create].concat())
            .await
            .expect("the server reads");
        client.shutdown().await.expect("the stream is open");
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).await.expect("an end");
        let frames = client::frames(&answers);
        assert_eq!(frames.len(), 2);
        let mut fields = Fields(frames[1]);
        assert_eq!(fields.int(), 1);
    });
}

/// Time of the runtime, which advances as soon as all tasks are idle.
#[cfg(feature = "tokio-clock")]
mod tokio_clock {
    use minikeeper::{Matcher, config::ClockKind, protocol::Timestamp};
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::data_dir::Folder;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Timestamp = Timestamp(1_000_000_000_000);

    fn start() -> Server {
        let server = quiet().tokio_clock().start_time(START).start();
        server.expect("a server starts")
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_expires_in_no_real_time() {
        let server = start();
        let mut watcher = StreamClient::connect(open(&server)).await;
        let (client, io) = duplex(1 << 12);
        let serving = tokio::spawn(server.serve(io));
        let leader = StreamClient::with(client, 10 * SECOND, None).await;
        let mut leader = leader.expect("the session is granted");
        leader.create("/leader", EPHEMERAL).await;
        watcher.watch("/leader").await;
        // As if the machine of the client had failed: nothing closes the session.
        serving.abort();
        let begun = tokio::time::Instant::now();
        assert_eq!(watcher.event().await, Event::Deleted("/leader".to_owned()));
        // The session expires at the end of the tick in which its timeout ends.
        assert!((10 * SECOND..=12 * SECOND).contains(&begun.elapsed()));
        assert_eq!(server.now().since(START), begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_session_of_a_pinging_client_survives_and_a_silent_one_expires() {
        let server = start();
        let mut pings = StreamClient::with(open(&server), 10 * SECOND, None)
            .await
            .expect("the session is granted");
        let silent = StreamClient::with(open(&server), 10 * SECOND, None)
            .await
            .expect("the session is granted");
        for _ in 0..10 {
            sleep(3 * SECOND).await;
            pings.ask(op::EXISTS, &client::read("/", false)).await;
        }
        let alive: Vec<SessionId> = server.sessions().iter().map(|view| view.id).collect();
        assert_eq!(alive, [pings.granted.session]);
        silent.ends().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_the_disk_takes_no_time_of_the_runtime() {
        let folder = Folder::new();
        let server = quiet().tokio_clock().data_dir(&folder.0).start();
        let server = server.expect("a server starts");
        let begun = tokio::time::Instant::now();
        // A timer would show that time has passed.
        let mut client = StreamClient::connect(open(&server)).await;
        for path in ["/a", "/b", "/c"] {
            client.create(path, PERSISTENT).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let before = server.snapshot();
        drop((client, server));
        let server = Server::open_copy(&folder.0).expect("the folder can be read");
        assert_eq!(server.snapshot(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_runs_the_timer_for_all() {
        let server = start();
        // The first connection runs the timer, and leaves it to the others.
        let first = StreamClient::connect(open(&server)).await;
        let mut watcher = StreamClient::connect(open(&server)).await;
        watcher.create("/a", PERSISTENT).await;
        drop(first);
        for _ in 0..2 {
            let client = StreamClient::with(open(&server), 10 * SECOND, None).await;
            let mut client = client.expect("the session is granted");
            client.create("/a/b", EPHEMERAL).await;
            watcher.watch("/a/b").await;
            drop(client);
            assert_eq!(watcher.event().await, Event::Deleted("/a/b".to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn drive_timer_expires_sessions_without_connections() {
        let server = start();
        drop(StreamClient::connect(open(&server)).await);
        sleep(3600 * SECOND).await;
        assert_eq!(server.sessions().len(), 1, "no timer runs");
        tokio::spawn(server.drive_timer());
        sleep(SECOND).await;
        assert_eq!(server.sessions(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_paused_time_and_can_be_read_from_any_thread() {
        let server = start();
        let elsewhere = || {
            let server = server.clone();
            let now = std::thread::spawn(move || server.now());
            now.join().expect("no panic")
        };
        assert_eq!((server.now(), elsewhere()), (START, START));
        advance(90 * SECOND).await;
        assert_eq!(
            (server.now(), elsewhere()),
            (START + 90 * SECOND, START + 90 * SECOND)
        );
        server.create("/a", b"").expect("the znode does not exist");
        let stat = server.znode("/a").expect("the znode exists").stat;
        assert_eq!(stat.ctime, server.now());
    }

    #[tokio::test(start_paused = true)]
    async fn two_runs_have_the_same_session_ids_and_times() {
        let run = async || {
            let server = start();
            let mut client = StreamClient::connect(open(&server)).await;
            sleep(SECOND).await;
            client.create("/a", EPHEMERAL).await;
            (client.granted, server.znode("/a"), server.sessions())
        };
        let first = run().await;
        sleep(SECOND).await;
        assert_eq!(run().await, first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_times_out_takes_no_real_time() {
        let server = start();
        tokio::spawn(server.drive_timer());
        let begun = tokio::time::Instant::now();
        let (long, short) = tokio::join!(
            server
                .wait_for(Matcher::watch_event())
                .within(3600 * SECOND),
            async {
                sleep(1800 * SECOND).await;
                server.wait_for(Matcher::watch_event()).within(SECOND).await
            }
        );
        assert!(long.is_err() && short.is_err());
        assert_eq!(begun.elapsed(), 3600 * SECOND);
    }

    #[test]
    fn a_runtime_is_needed_and_no_listener() {
        let nowhere = quiet().tokio_clock().start();
        assert!(matches!(nowhere, Err(StartError::NoRuntime)));
        let listening = block_on(async { Server::builder().clock(ClockKind::Tokio).start() });
        let refused = listening
            .expect_err("the server has a thread of its own")
            .to_string();
        assert!(refused.contains("without_listener"), "{refused}");
    }
}
