//! One connection: frames in, messages out.
//!
//! One future reads, feeds the engine and writes. Whatever one read brings is fed in one go and answered in one write.
//! A client that leaves its answers unread is not read any further, so it costs nobody but itself.

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

/// How much one read brings at most.
const READ_SIZE: usize = 256 << 10;

/// The bytes that are read of a client that does not read its answers.
const READ_AHEAD: usize = 16 << 10;

/// After so many reads in one go it is the turn of the other connections.
const READS_IN_ONE_GO: usize = 8;

/// Number of bytes that a connection writes before others have their turn.
const SHORT_TURN: usize = 64 << 10;

/// Number of bytes for a long turn that no other connection waits for.
const LONG_TURN: usize = 256 << 10;

/// How long a client that is owed its last answers may leave them unread before it is closed without them.
const LINGER: Duration = Duration::from_secs(10);

thread_local! {
    /// Shared by all connections of a thread: what a read brings is used up, or copied, before the next one.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// A connection that is being served.
struct Connection<IO> {
    engine: Arc<Engine>,
    id: ConnectionId,
    io: IO,
    phase: Phase,
    /// Facts that a four-letter word waits for.
    gathering: Gathering,
    /// Whether the last word was not answered because its facts were missing.
    lacks_facts: bool,
    /// Received and not yet taken in: a frame that is not whole, or more than there is room to answer.
    received: BytesMut,
    /// Whether `received` may hold a whole frame.
    unfed: bool,
    /// Whether the client has ended its sending side, and what it sent before is still to be taken in.
    has_ended: bool,
    /// Whether others are to have their turn before the rest of what was received.
    yielding: bool,
    /// Whether a test keeps what was received from being taken in.
    stalled: bool,
    /// What a test may have cut.
    link: Arc<Link>,
    /// How much of what is to be written was sent before the link was cut, and so arrives.
    under_way: usize,
    /// To be written next.
    sending: Outgoing,
    /// Number of unread bytes up to which the connection is read, and of bytes that it may write in one turn.
    share: usize,
    /// Long turns of the server's thread that serves the connection.
    turns: Option<Arc<Turns>>,
    long_turn: LongTurn,
    /// How much of it may not leave before the log is flushed.
    marks: Marks,
    ending: Option<Ending>,
    /// How long the socket has still to take something of what is owed.
    linger: Option<Pin<Box<Sleep>>>,
}

/// How a connection is to be closed, once that is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is owed what waits, and gets it if it reads.
    WhenSent,
    /// It has no claim on what the socket does not take at once.
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
        stalled: false,
        engine,
        id,
        io,
        phase: Phase::Fresh,
        gathering: Gathering::default(),
        lacks_facts: false,
        received: BytesMut::new(),
        unfed: false,
        has_ended: false,
        yielding: false,
        sending: Outgoing::default(),
        // Until the first request says how many others there are.
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
        if reason.is_owed_what_waits() {
            Self::WhenSent
        } else {
            Self::Now
        }
    }
}

/// Why what is to be written has not all left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    No,
    /// The socket would not take it, or the link is cut.
    BySocket,
    /// It shows what is not flushed yet.
    ByLog,
    /// The connection has had its turn, and the others come first.
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

/// What a step of the future came to.
enum Step {
    /// There is more to do.
    Again,
    /// The socket has nothing more for now.
    Wait,
    /// The connection has ended.
    End,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut reads = 0;
        let Poll::Ready(mut turn) = self.begin_turn(context) else {
            return Poll::Pending;
        };
        // Whoever woke this may have let it go.
        self.unfed |= std::mem::take(&mut self.stalled);
        loop {
            if self.engine.is_broken() {
                // Nothing that was not flushed is ever said.
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
            if std::mem::take(&mut self.yielding) {
                return give_way(context);
            }
            // The link is asked first, and so knows whom to wake, whatever else keeps it.
            let cut = self.link.keeps_from_server(context);
            let waits = self.stalled || self.gathering.is_pending(context);
            let step = if cut || waits {
                Step::Wait
            } else if self.is_full() {
                self.read_ahead(context)
            } else if self.unfed {
                self.feed_received(context)
            } else if self.has_ended {
                self.leave()
            } else if reads == READS_IN_ONE_GO {
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
                    let left = self.engine.poll_outbox(self.id, context, &mut self.sending);
                    self.ending = left.closing.map(Ending::of);
                    let goes_on = self.stalled && !left.stalled;
                    if goes_on {
                        (self.stalled, self.unfed) = (false, true);
                    }
                    if self.sending.len() == before && self.ending.is_none() && !goes_on {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Begins a turn: a short one, or a long one once it is granted and the sockets have been looked at.
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

    /// Writes what there is; says why not all of it.
    fn write(&mut self, turn: &mut Turn, context: &mut Context<'_>) -> Result<Blocked, ()> {
        while !self.sending.is_empty() {
            let mut most = usize::MAX;
            if !self.marks.is_empty() {
                most = self.marks.open(most, self.engine.log.as_deref(), context);
                if most == 0 {
                    return Ok(Blocked::ByLog);
                }
            }
            if self.link.keeps_from_client(context) {
                most = most.min(self.under_way);
                if most == 0 {
                    return Ok(Blocked::BySocket);
                }
            }
            if self.sending.is_unmade() {
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

    /// Hands at most `most` bytes to the socket.
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
        if self.link.keeps_from_client(context) {
            // The client does not learn of it before the link is whole again. The server has done with it.
            self.engine.disconnect(self.id);
            return Poll::Pending;
        }
        if blocked == Blocked::ByLog {
            // What it is owed waits for the disk, and so does its end.
            return Poll::Pending;
        }
        // Outside of a tokio runtime there is nobody who could tell when to give up.
        let has_timer = || tokio::runtime::Handle::try_current().is_ok();
        if blocked == Blocked::BySocket && ending == Ending::WhenSent && has_timer() {
            // A real server closes who moves nothing for a while too: NIOServerCnxnFactory.ConnectionExpirerThread.
            let linger = self
                .linger
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
            if linger.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        // Errors do not matter any more.
        Pin::new(&mut self.io).poll_shutdown(context).map(|_| ())
    }

    /// Takes leave of a client that says nothing more, or nothing that makes sense. What it asked before is answered.
    fn leave(&mut self) -> Step {
        self.engine.disconnect(self.id);
        self.ending = Some(Ending::WhenSent);
        Step::Again
    }

    /// Reads a little although earlier answers are unread: nothing is taken in, but the client is heard. A client that reads
    /// slowly and sends pings keeps its session, as it does on a real server, which reads on (`NIOServerCnxn.doIO`).
    fn read_ahead(&mut self, context: &mut Context<'_>) -> Step {
        let room = READ_AHEAD.saturating_sub(self.received.len());
        if self.has_ended || room == 0 {
            return Step::Wait;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Pending => Step::Wait,
                Poll::Ready(Err(_)) => Step::End,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.has_ended = true;
                    Step::Again
                }
                Poll::Ready(Ok(())) => {
                    self.received.extend_from_slice(buffer.filled());
                    self.unfed = true;
                    self.engine.heard(self.id);
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
                let Some(used) = self.feed(bytes, context) else {
                    return self.leave();
                };
                self.received
                    .extend_from_slice(bytes.get(used..).unwrap_or_default());
                self.unfed = self.is_interrupted();
                Step::Again
            } else {
                self.received.extend_from_slice(buffer.filled());
                self.unfed = true;
                Step::Again
            }
        })
    }

    fn feed_received(&mut self, context: &Context<'_>) -> Step {
        let received = std::mem::take(&mut self.received);
        let fed = self.feed(&received, context);
        self.received = received;
        let Some(used) = fed else {
            return self.leave();
        };
        if used == self.received.len() && self.received.capacity() > LARGEST_BUFFER {
            self.received = BytesMut::new();
        } else {
            let _ = self.received.split_to(used);
        }
        self.unfed = self.is_interrupted();
        Step::Again
    }

    /// Whether feeding stopped because room, time or facts ran out, and not bytes.
    fn is_interrupted(&mut self) -> bool {
        self.yielding || self.is_full() || std::mem::take(&mut self.lacks_facts)
    }

    fn is_full(&self) -> bool {
        self.sending.is_full(self.share)
    }

    /// Gives bytes to the engine; says how many it used, or nothing if they make no sense.
    fn feed(&mut self, bytes: &[u8], context: &Context<'_>) -> Option<usize> {
        if self.phase == Phase::Fresh
            && let Some(word) = FourLetterWord::parse(bytes)
        {
            self.gathering.begin(&self.engine, word);
            if self.gathering.is_pending(context) {
                // The facts may arrive before the task is polled again.
                self.lacks_facts = true;
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
            Ok(fed) => {
                self.ending = fed.closing.map(Ending::of);
                self.yielding = fed.yielding;
                self.stalled = fed.stalled;
                self.under_way = fed.under_way.unwrap_or(self.under_way);
                self.share = fed.share;
                Some(fed.used)
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
    use std::borrow::Cow;
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::control::{JournalMode, ListenerId};
    use crate::keeper::{Keeper, Rules};
    use crate::net::engine::Welcome;
    use crate::net::facts::Gathering;
    use crate::net::{Clock, ClockKind, FourLetterWords, Limits};
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
        Arc::new(Engine::new(keeper, clock, limits(), appender))
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
        Arc::new(Engine::new(keeper, clock, limits, appender))
    }

    fn limits() -> Limits {
        Limits {
            max_frame: 0xf_ffff,
            slice: HOUR,
            four_letter_words: FourLetterWords::All,
            port: 2181,
            listen_backlog: 1,
            data_dir: String::new(),
            data_log_dir: String::new(),
            tick_time: HOUR,
            min_session_timeout: HOUR,
            max_session_timeout: HOUR,
            max_client_connections: 0,
            journal: JournalMode::DEFAULT,
        }
    }

    pub(in crate::net) fn accepted(engine: &Engine) -> ConnectionId {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        match engine.accept(address, &ListenerId::default()) {
            Welcome::Serve(id) => id,
            Welcome::Close | Welcome::Reset => panic!("there is no limit"),
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
        assert!(engine.look(|keeper| keeper.connection(id).is_none()));
    }

    #[test]
    fn who_never_reads_its_last_answer_is_closed_without_it() {
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
    fn what_was_asked_before_the_client_ended_its_half_is_answered() {
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
    fn what_was_taken_out_of_the_outbox_and_has_not_left_counts_as_unread() {
        let engine = engine();
        let path = format!("/{}", "p".repeat(1 << 20));
        let create = CreateRequest {
            operation: CreateOperation::Create,
            path: Some(Cow::Borrowed(&path)),
            data: None,
            acl: Some(AclList::Open),
            flags: 0,
            ttl_ms: -1,
        };
        engine.ask(Request::Create(create), |answer| {
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
                        path: Some(Cow::Borrowed(&path)),
                        data: None,
                        version: -1,
                    };
                    engine.ask(Request::SetData(set_data), |_| ());
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
            path: Some(Cow::Borrowed("/big")),
            data: Some(&[b'x'; 1_000_000]),
            acl: Some(AclList::Open),
            flags: 0,
            ttl_ms: -1,
        };
        engine.ask(Request::Create(create), |answer| {
            answer.map(|_| ()).expect("it is not there");
        });
        let id = accepted(&engine);
        let deadline = || {
            engine.look(|keeper| {
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
            let fed = engine
                .receive(
                    id,
                    &mut phase,
                    &frames.concat(),
                    &mut answers,
                    &mut Marks::default(),
                    &Gathering::default(),
                )
                .expect("it makes sense");
            (fed.used, fed.yielding)
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

    /// A session is asked for, then an operation that nobody knows.
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
