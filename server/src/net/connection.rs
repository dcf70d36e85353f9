//! One connection: frames in, messages out.
//!
//! One future reads, passes frames to the engine and writes. All frames of one read are processed in one turn and
//! answered by one write. A client that does not read its replies is not read either, so it does not slow down other
//! clients.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::engine::Engine;
use super::facts::Gathering;
use super::link::Link;
use super::marks::Marks;
use super::outgoing::{LARGEST_BUFFER, LEAST_SHARE, Outgoing, SLICES};
use super::receive::Phase;
use super::turns::{Turns, give_way};
use crate::keeper::{CloseReason, ConnectionId};
use crate::wire::FourLetterWord;

/// Largest number of bytes of one read.
const READ_SIZE: usize = 256 << 10;

/// Number of bytes that are read from a client that does not read its replies.
const READ_AHEAD: usize = 16 << 10;

/// Number of reads after which other connections have their turn.
const READS_PER_TURN: usize = 8;

/// Number of bytes that a connection writes before others have their turn.
const SHORT_TURN: usize = 64 << 10;

/// Number of bytes for a long turn that no other connection waits for.
const LONG_TURN: usize = 256 << 10;

/// Time that a client has to read its last replies before the connection closes without them.
const LINGER: Duration = Duration::from_secs(10);

thread_local! {
    /// Buffer for one read, shared by all connections of a thread: its bytes are used or copied before the next read.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Connection that is being served.
struct Connection<IO> {
    engine: Arc<Engine>,
    id: ConnectionId,
    io: IO,
    phase: Phase,
    /// Facts that a four-letter word waits for.
    gathering: Gathering,
    /// Received bytes that are not processed yet: an incomplete frame, or more than there is room to answer.
    received: BytesMut,
    /// Whether `received` may hold a whole frame.
    may_have_frame: bool,
    /// Whether the client has closed its sending side.
    client_has_ended: bool,
    paused: Paused,
    /// Link to the client, which a test may cut.
    link: Arc<Link>,
    /// Number of bytes in `sending` that were sent before the link was cut, and therefore arrive.
    under_way: usize,
    /// Bytes to be written next.
    sending: Outgoing,
    /// Number of unread bytes up to which the connection is read, and of bytes that it may write in one turn.
    share: usize,
    /// Long turns of the server's thread that serves the connection.
    turns: Option<Arc<Turns>>,
    long_turn: LongTurn,
    /// Parts of `sending` that wait for the log.
    marks: Marks,
    ending: Option<Ending>,
    /// Timer for a client that does not read its last replies.
    linger: Option<Pin<Box<Sleep>>>,
}

/// Reason why received frames are not processed, although there is room for their replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paused {
    No,
    /// The turn is over, and other connections come first.
    ForOthers,
    /// A fault or a hold of the test delays the next frame.
    ByTest,
    /// The facts for a four-letter word are not gathered yet.
    ForFacts,
}

/// Way in which a connection that is to end is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// After the client has read the remaining bytes, or after a while.
    WhenSent,
    /// Without the bytes that the socket does not accept at once.
    Now,
}

/// Serves one connection until it ends, or until the future is dropped, even before it first ran. `turns` are the
/// long turns of the thread that polls the future, if that thread belongs to the server.
pub(super) fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
    engine: Arc<Engine>,
    id: ConnectionId,
    io: IO,
    turns: Option<Arc<Turns>>,
) -> impl Future<Output = ()> {
    let link = engine.link(id);
    let mut connection = Connection {
        link,
        under_way: 0,
        engine,
        id,
        io,
        phase: Phase::Fresh,
        gathering: Gathering::default(),
        received: BytesMut::new(),
        may_have_frame: false,
        client_has_ended: false,
        paused: Paused::No,
        sending: Outgoing::default(),
        // The first request determines the number of other connections.
        share: LEAST_SHARE,
        turns,
        long_turn: LongTurn::None,
        marks: Marks::default(),
        ending: None,
        linger: None,
    };
    std::future::poll_fn(move |context| connection.poll(context))
}

impl<IO> Drop for Connection<IO> {
    fn drop(&mut self) {
        if let Some(turns) = &self.turns {
            turns.end(self.id);
        }
        if !std::thread::panicking() || self.engine.is_sound() {
            self.engine.disconnect(self.id);
        }
    }
}

impl Ending {
    fn of(reason: CloseReason) -> Self {
        if reason.delivers_pending() {
            Self::WhenSent
        } else {
            Self::Now
        }
    }
}

/// Reason why bytes are still to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    No,
    /// The socket accepts no more, or the link is cut.
    BySocket,
    /// The bytes show transactions that are not durable yet.
    ByLog,
    /// The turn is over, and other connections come first.
    ByTurn,
}

/// A long turn of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LongTurn {
    None,
    Waiting,
    Granted,
}

/// Remaining share of a turn.
struct Turn {
    /// Number of bytes that the connection may still write.
    bytes: usize,
    /// Whether the connection may make a part of an answer that takes long.
    makes_part: bool,
}

impl Turn {
    fn of(bytes: usize) -> Self {
        Self {
            bytes,
            makes_part: true,
        }
    }
}

/// Result of one step of the future.
enum Step {
    /// There is more to do.
    Again,
    /// The socket has nothing more for now.
    Wait,
    /// The connection has ended.
    End,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    // Longer than 60 lines: the order of its steps is the behaviour of a connection.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut reads = 0;
        let Poll::Ready(mut turn) = self.begin_turn(context) else {
            return Poll::Pending;
        };
        if self.paused == Paused::ByTest {
            // The test may have released the next frame.
            self.resume();
        }
        loop {
            if self.engine.is_broken() {
                // Bytes that show lost transactions are never sent.
                return Poll::Ready(());
            }
            let Ok(blocked) = self.write(&mut turn, context) else {
                return Poll::Ready(());
            };
            if blocked == Blocked::ByTurn {
                return self.wait_for_turn(context);
            }
            if let Some(ending) = self.ending {
                return self.close(ending, blocked, context);
            }
            if self.paused == Paused::ForOthers {
                self.paused = Paused::No;
                return give_way(context);
            }
            // The link comes first, so that it wakes this task whatever else it waits for.
            let cut = self.link.blocks_to_server(context);
            let waits = self.paused == Paused::ByTest || self.gathering.is_pending(context);
            let step = if cut || waits {
                Step::Wait
            } else if self.is_full() {
                self.read_ahead(context)
            } else if self.may_have_frame {
                self.process_received(context)
            } else if self.client_has_ended {
                self.leave()
            } else if reads == READS_PER_TURN {
                return give_way(context);
            } else {
                reads += 1;
                self.read(context)
            };
            match step {
                Step::Again => {}
                Step::End => return Poll::Ready(()),
                Step::Wait => {
                    let before = self.sending.len();
                    let progress = self.engine.poll_outbox(self.id, context, &mut self.sending);
                    self.ending = progress.closing.map(Ending::of);
                    let resumes = self.paused == Paused::ByTest && !progress.stalled;
                    if resumes {
                        self.resume();
                    }
                    if self.sending.len() == before && self.ending.is_none() && !resumes {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Continues with the frames that a test delayed.
    fn resume(&mut self) {
        self.paused = Paused::No;
        self.may_have_frame = true;
    }

    /// Begins a turn: a short one, or a long one once it is granted and the sockets have been polled.
    fn begin_turn(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let mut bytes = self.share.min(SHORT_TURN);
        if let Some(turns) = &self.turns {
            match self.long_turn {
                LongTurn::None => {}
                LongTurn::Waiting => {
                    return self.wait_for_turn(context).map(|()| Turn::of(bytes));
                }
                LongTurn::Granted => {
                    if !turns.are_wanted() {
                        bytes = LONG_TURN;
                    }
                    turns.end(self.id);
                    self.long_turn = LongTurn::None;
                }
            }
        }
        Poll::Ready(Turn::of(bytes))
    }

    /// Waits until the other connections have had their turn.
    fn wait_for_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(turns) = &self.turns {
            if turns.poll(self.id, context).is_pending() {
                self.long_turn = LongTurn::Waiting;
                return Poll::Pending;
            }
            self.long_turn = LongTurn::Granted;
        }
        give_way(context)
    }

    /// Writes the pending bytes. Returns the reason if some remain, and an error if the socket failed.
    fn write(&mut self, turn: &mut Turn, context: &mut Context<'_>) -> Result<Blocked, ()> {
        while !self.sending.is_empty() {
            let mut most = usize::MAX;
            if !self.marks.is_empty() {
                most = self.marks.open(most, self.engine.log.as_deref(), context);
                if most == 0 {
                    return Ok(Blocked::ByLog);
                }
            }
            if self.link.blocks_to_client(context) {
                most = most.min(self.under_way);
                if most == 0 {
                    return Ok(Blocked::BySocket);
                }
            }
            if self.sending.is_unencoded() {
                if !std::mem::take(&mut turn.makes_part) {
                    return Ok(Blocked::ByTurn);
                }
                let made = self.sending.make_part();
                if let Some(length) = made.frame {
                    self.engine.count_sent(length);
                }
                if made.is_live && self.engine.log.is_some() {
                    // All earlier bytes have been written, so the mark is that of the part.
                    self.marks.note(0, self.engine.unflushed());
                }
                continue;
            }
            if turn.bytes == 0 {
                return Ok(Blocked::ByTurn);
            }
            match self.write_some(most.min(turn.bytes), context) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(()),
                Poll::Ready(Ok(written)) => {
                    turn.bytes = turn.bytes.saturating_sub(written);
                    self.under_way = self.under_way.saturating_sub(written);
                    self.marks.sent(written);
                    self.sending.advance(written);
                    if !self.sending.is_empty() {
                        self.linger = None;
                    }
                }
                Poll::Pending => return Ok(Blocked::BySocket),
            }
        }
        self.sending.shrink();
        Ok(Blocked::No)
    }

    /// Writes at most `most` bytes to the socket.
    fn write_some(&mut self, most: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.sending.slices(most, &mut slices);
        let io = Pin::new(&mut self.io);
        match slices.get(..count) {
            Some([only]) => io.poll_write(context, only),
            several => io.poll_write_vectored(context, several.unwrap_or_default()),
        }
    }

    fn close(&mut self, ending: Ending, blocked: Blocked, context: &mut Context<'_>) -> Poll<()> {
        if self.link.blocks_to_client(context) {
            // The client does not see the end before the link is healed. For the server, the connection has ended.
            self.engine.disconnect(self.id);
            return Poll::Pending;
        }
        if blocked == Blocked::ByLog {
            // The last replies wait for the log, and so does the end of the connection.
            return Poll::Pending;
        }
        // Outside of a tokio runtime there is no timer.
        let has_timer = || tokio::runtime::Handle::try_current().is_ok();
        if blocked == Blocked::BySocket && ending == Ending::WhenSent && has_timer() {
            // A real server closes idle connections too: NIOServerCnxnFactory.ConnectionExpirerThread.
            let linger = self
                .linger
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
            if linger.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        // The connection ends, so errors have no effect.
        Pin::new(&mut self.io).poll_shutdown(context).map(|_| ())
    }

    /// Ends the connection of a client that has closed it or sent a malformed frame. Earlier requests are still
    /// answered.
    fn leave(&mut self) -> Step {
        self.engine.disconnect(self.id);
        self.ending = Some(Ending::WhenSent);
        Step::Again
    }

    /// Reads a little although earlier replies are unread. The bytes are not processed, but they keep the session
    /// alive: a client that reads slowly and sends pings does not lose its session. A real server reads on too
    /// (`NIOServerCnxn.doIO`).
    fn read_ahead(&mut self, context: &mut Context<'_>) -> Step {
        let room = READ_AHEAD.saturating_sub(self.received.len());
        if self.client_has_ended || room == 0 {
            return Step::Wait;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Pending => Step::Wait,
                Poll::Ready(Err(_)) => Step::End,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.client_has_ended = true;
                    Step::Again
                }
                Poll::Ready(Ok(())) => {
                    self.received.extend_from_slice(buffer.filled());
                    self.may_have_frame = true;
                    self.engine.note_alive(self.id);
                    Step::Again
                }
            }
        })
    }

    fn read(&mut self, context: &mut Context<'_>) -> Step {
        SCRATCH.with_borrow_mut(|scratch| {
            let most = scratch.len().min(self.share);
            let mut buffer = ReadBuf::new(scratch.get_mut(..most).unwrap_or_default());
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Pending => return Step::Wait,
                Poll::Ready(Err(_)) => return Step::End,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return self.leave(),
                Poll::Ready(Ok(())) => {}
            }
            if self.received.is_empty() {
                let bytes = buffer.filled();
                let Some(used) = self.process(bytes, context) else {
                    return self.leave();
                };
                self.received
                    .extend_from_slice(bytes.get(used..).unwrap_or_default());
                self.may_have_frame = self.is_interrupted();
                Step::Again
            } else {
                self.received.extend_from_slice(buffer.filled());
                self.may_have_frame = true;
                Step::Again
            }
        })
    }

    fn process_received(&mut self, context: &Context<'_>) -> Step {
        let received = std::mem::take(&mut self.received);
        let processed = self.process(&received, context);
        self.received = received;
        let Some(used) = processed else {
            return self.leave();
        };
        if used == self.received.len() && self.received.capacity() > LARGEST_BUFFER {
            self.received = BytesMut::new();
        } else {
            let _ = self.received.split_to(used);
        }
        self.may_have_frame = self.is_interrupted();
        Step::Again
    }

    /// Whether processing stopped for lack of room, time or facts, and not for lack of bytes.
    fn is_interrupted(&mut self) -> bool {
        if self.paused == Paused::ForFacts {
            self.paused = Paused::No;
            return true;
        }
        self.paused == Paused::ForOthers || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.sending.is_full(self.share)
    }

    /// Passes bytes to the engine. Returns the number of bytes that it used, or `None` if a frame is malformed.
    fn process(&mut self, bytes: &[u8], context: &Context<'_>) -> Option<usize> {
        if self.phase == Phase::Fresh
            && let Some(word) = FourLetterWord::parse(bytes)
        {
            self.gathering.begin(&self.engine, word);
            if self.gathering.is_pending(context) {
                // The facts may arrive before the task is polled again.
                self.paused = Paused::ForFacts;
                return Some(0);
            }
        }
        match self.engine.receive(
            self.id,
            &mut self.phase,
            bytes,
            &mut self.sending,
            &mut self.marks,
            &self.gathering,
        ) {
            Ok(processed) => {
                self.ending = processed.closing.map(Ending::of);
                self.paused = if processed.stalled {
                    Paused::ByTest
                } else if processed.yielding {
                    Paused::ForOthers
                } else {
                    Paused::No
                };
                self.under_way = processed.under_way.unwrap_or(self.under_way);
                self.share = processed.share;
                Some(processed.used)
            }
            Err(reason) => {
                tracing::debug!(connection = self.id.0, %reason, "closing");
                None
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::config::{ClockKind, Config, Rules};
    use crate::control::ListenerId;
    use crate::keeper::Keeper;
    use crate::net::engine::AcceptDecision;
    use crate::net::facts::Gathering;
    use crate::net::{Clock, Limits};
    use crate::persistence::Appender;
    use crate::protocol::{
        AclList, CreateOperation, CreateRequest, Request, SetDataRequest, Timestamp,
    };

    const HOUR: Duration = Duration::from_secs(3600);

    /// A server without sockets, for whom an hour is nothing.
    pub(in crate::net) fn engine() -> Arc<Engine> {
        engine_with(|_| {})
    }

    fn engine_with(tell: impl FnOnce(&mut Limits)) -> Arc<Engine> {
        engine_of(ClockKind::System, tell)
    }

    pub(in crate::net) fn engine_of(
        clock: ClockKind,
        tell: impl FnOnce(&mut Limits),
    ) -> Arc<Engine> {
        engine_and(clock, tell, None)
    }

    /// One that gives what it commits to a log.
    pub(in crate::net) fn engine_that_logs(clock: ClockKind, appender: Appender) -> Arc<Engine> {
        engine_and(clock, |_| {}, Some(appender))
    }

    /// One whose clock stands still.
    pub(in crate::net) fn engine_begun(
        started: Timestamp,
        appender: Option<Appender>,
        begin: impl FnOnce(Timestamp) -> Keeper,
    ) -> Arc<Engine> {
        let clock = Clock::start(ClockKind::Manual, Some(started), None, HOUR);
        let clock = clock.expect("it needs no runtime");
        let keeper = begin(clock.now());
        Arc::new(Engine::new(
            keeper,
            clock,
            Arc::new(config()),
            limits(),
            2181,
            appender,
        ))
    }

    fn engine_and(
        clock: ClockKind,
        tell: impl FnOnce(&mut Limits),
        appender: Option<Appender>,
    ) -> Arc<Engine> {
        let clock = Clock::start(clock, None, None, HOUR).expect("it needs no runtime");
        let mut limits = limits();
        tell(&mut limits);
        let keeper = Keeper::new(Rules::default(), clock.now());
        Arc::new(Engine::new(
            keeper,
            clock,
            Arc::new(config()),
            limits,
            2181,
            appender,
        ))
    }

    fn config() -> Config {
        Config {
            tick_time: HOUR,
            ..Config::default()
        }
    }

    fn limits() -> Limits {
        Limits {
            slice: HOUR,
            ..Limits::of(&config())
        }
    }

    pub(in crate::net) fn accepted(engine: &Engine) -> ConnectionId {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        match engine.accept(address, &ListenerId::default()) {
            AcceptDecision::Serve(id) => id,
            AcceptDecision::Close | AcceptDecision::Reset => panic!("there is no limit"),
        }
    }

    /// Time passes as soon as nothing else can happen.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime starts")
            .block_on(async { tokio::time::timeout(HOUR, future).await })
            .expect("it ends within the hour")
    }

    #[test]
    fn a_connection_that_never_ran_leaves_nothing() {
        let engine = engine();
        let id = accepted(&engine);
        let (io, _client) = tokio::io::duplex(64);
        drop(serve(Arc::clone(&engine), id, io, None));
        assert!(!engine.has_outbox(id));
        assert!(engine.with_keeper(|keeper| keeper.connection(id).is_none()));
    }

    #[test]
    fn a_client_that_never_reads_its_last_reply_is_closed() {
        for words in [&b"mntr"[..], &CONNECT_AND_NONSENSE] {
            let engine = engine();
            let id = accepted(&engine);
            let (io, mut client) = tokio::io::duplex(16);
            block_on(async {
                // The buffer is too small for the whole of it to leave before it is read.
                tokio::spawn(async move {
                    client.write_all(words).await.expect("it is read");
                    // Open still, and silent.
                    std::future::pending::<()>().await;
                });
                serve(Arc::clone(&engine), id, io, None).await;
            });
            assert!(!engine.has_outbox(id));
        }
    }

    #[test]
    fn requests_before_a_half_close_are_answered_in_order() {
        const PING: [u8; 12] = [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];
        let engine = engine();
        let id = accepted(&engine);
        let (io, mut client) = tokio::io::duplex(64);
        let connect = CONNECT_AND_WATCH.split_at(49).0;
        let answers = block_on(async {
            let connection = tokio::spawn(serve(Arc::clone(&engine), id, io, None));
            let asked = [connect, &PING.repeat(10)].concat();
            client.write_all(&asked).await.expect("it is read");
            client.shutdown().await.expect("it is open");
            tokio::task::yield_now().await;
            // The end was read, and most of the answers still wait.
            assert!(!engine.has_outbox(id));
            let mut answers = Vec::new();
            let read = client.read_to_end(&mut answers).await;
            read.expect("nothing goes wrong");
            connection.await.expect("it does not panic");
            answers
        });
        assert_eq!(answers.len(), 41 + 10 * 20);
    }

    #[test]
    fn bytes_taken_from_the_outbox_count_as_unread_until_they_are_sent() {
        let engine = engine();
        let path = format!("/{}", "p".repeat(1 << 20));
        let create = CreateRequest {
            operation: CreateOperation::Create,
            path: Some(path.as_str().into()),
            data: None,
            acl: Some(AclList::Open),
            flags: 0,
            ttl_ms: -1,
        };
        engine.ask(&Request::Create(create), |answer| {
            answer.map(|_| ()).expect("it is not there");
        });
        let id = accepted(&engine);
        let (io, mut client) = tokio::io::duplex(64);
        block_on(async {
            let connection = tokio::spawn(serve(Arc::clone(&engine), id, io, None));
            client
                .write_all(&CONNECT_AND_WATCH)
                .await
                .expect("it is read");
            // The answer to the first, and a part of that to the second.
            client.read_exact(&mut [0; 42]).await.expect("it is sent");
            for _ in 0..2 {
                // Neither half is too much.
                for _ in 0..35 {
                    let set_data = SetDataRequest {
                        path: Some(path.as_str().into()),
                        data: None,
                        version: -1,
                    };
                    engine.ask(&Request::SetData(set_data), |_| ());
                }
                tokio::task::yield_now().await;
            }
            connection.await.expect("it does not panic");
        });
        assert!(!engine.has_outbox(id));
    }

    #[test]
    fn pings_behind_unread_answers_keep_the_session_alive() {
        const GET: [u8; 21] = *b"\0\0\0\x11\0\0\0\x01\0\0\0\x04\0\0\0\x04/big\0";
        let engine = engine_of(ClockKind::Manual, |_| {});
        let create = CreateRequest {
            operation: CreateOperation::Create,
            path: Some("/big".into()),
            data: Some(&[b'x'; 1_000_000]),
            acl: Some(AclList::Open),
            flags: 0,
            ttl_ms: -1,
        };
        engine.ask(&Request::Create(create), |answer| {
            answer.map(|_| ()).expect("it is not there");
        });
        let id = accepted(&engine);
        let deadline = || {
            engine.with_keeper(|keeper| {
                let session = keeper.connection(id).and_then(|it| it.session());
                session
                    .and_then(|id| keeper.sessions().get(id))
                    .map(|it| it.deadline)
            })
        };
        let (io, mut client) = tokio::io::duplex(64);
        block_on(async {
            let _connection = tokio::spawn(serve(Arc::clone(&engine), id, io, None));
            let asked = [&CONNECT_AND_WATCH[..49], &GET, &GET].concat();
            client.write_all(&asked).await.expect("it is read");
            settle().await;
            let before = deadline();
            assert!(before.is_some());
            engine.advance(engine.clock().now() + Duration::from_secs(2), true);
            assert_eq!(deadline(), before);
            client.write_all(&PING).await.expect("it is read");
            settle().await;
            assert!(deadline() > before, "the ping was heard");
            // Once the answers are read, the ping is answered behind them.
            let mut answers = vec![0; 41 + 2 * (4 + 16 + 4 + 1_000_000 + 68) + 20];
            client
                .read_exact(&mut answers)
                .await
                .expect("all of it is sent");
            assert_eq!(answers[answers.len() - 16..][..4], [0xff, 0xff, 0xff, 0xfe]);
        });
    }

    #[test]
    fn requests_that_were_read_ahead_are_answered_after_the_client_has_ended_its_half() {
        let engine = engine();
        let id = accepted(&engine);
        let (io, mut client) = tokio::io::duplex(64);
        let asked = [&CONNECT_AND_WATCH[..49], &PING.repeat(1000)].concat();
        let answers = block_on(async {
            let connection = tokio::spawn(serve(Arc::clone(&engine), id, io, None));
            client.write_all(&asked).await.expect("it is read");
            client.shutdown().await.expect("it is open");
            settle().await;
            let mut answers = Vec::new();
            let read = client.read_to_end(&mut answers).await;
            read.expect("nothing goes wrong");
            connection.await.expect("it does not panic");
            answers
        });
        assert_eq!(answers.len(), 41 + 1000 * 20);
    }

    /// Everything happens that can.
    async fn settle() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[test]
    fn a_turn_that_takes_long_gives_way_and_goes_on() {
        let engine = engine_with(|limits| limits.slice = Duration::ZERO);
        let id = accepted(&engine);
        let mut phase = Phase::Fresh;
        let mut answers = Outgoing::default();
        let [connect, ping, multi] = [&CONNECT_AND_WATCH[..49], &PING, &EMPTY_MULTI];
        let mut used = |frames: &[&[u8]]| {
            let processed = engine
                .receive(
                    id,
                    &mut phase,
                    &frames.concat(),
                    &mut answers,
                    &mut Marks::default(),
                    &Gathering::default(),
                )
                .expect("it makes sense");
            (processed.used, processed.yielding)
        };
        assert_eq!(used(&[connect, ping, ping]), (49 + 24, false));
        assert_eq!(used(&[ping, multi, ping]), (12 + 21, true), "it may have");
        let [half, all] = [[ping; 8], [ping; 8]].map(|pings| pings.concat());
        assert_eq!(used(&[&half, &all, &half]), (8 * 12, true));

        let id = accepted(&engine);
        let (io, mut client) = tokio::io::duplex(4096);
        let frames = [connect, &[ping; 40].concat()].concat();
        block_on(async {
            let _connection = tokio::spawn(serve(Arc::clone(&engine), id, io, None));
            client.write_all(&frames).await.expect("it is read");
            let mut answers = vec![0; 41 + 40 * 20];
            client
                .read_exact(&mut answers)
                .await
                .expect("all of it is answered in the end");
        });
    }

    const PING: [u8; 12] = [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];

    const EMPTY_MULTI: [u8; 21] = {
        let mut bytes = [0xff; 21];
        [bytes[0], bytes[1], bytes[2], bytes[3]] = 17_u32.to_be_bytes();
        [bytes[8], bytes[9], bytes[10], bytes[11]] = 14_u32.to_be_bytes();
        bytes[16] = 1;
        bytes
    };

    /// Frames that ask for a session, and then for an unknown operation.
    const CONNECT_AND_NONSENSE: [u8; 61] = {
        let mut bytes = [0; 61];
        bytes[3] = 45;
        bytes[31] = 16;
        bytes[52] = 8;
        bytes[60] = 99;
        bytes
    };

    /// A session is asked for, then a watch on everything.
    const CONNECT_AND_WATCH: [u8; 70] = {
        let mut bytes = [0; 70];
        bytes[3] = 45;
        bytes[31] = 16;
        bytes[52] = 17;
        bytes[60] = 106;
        bytes[64] = 1;
        bytes[65] = b'/';
        bytes[69] = 1;
        bytes
    };
}
