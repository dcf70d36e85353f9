//! One connection: frames in, messages out.
//!
//! One future reads, feeds the engine and writes. Whatever one read brings is fed in one go and answered in one write.
//! A client that leaves its answers unread is not read any further, so it costs nobody but itself.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::engine::{Engine, Phase};
use super::outbox::HIGH_WATER;
use crate::keeper::{CloseReason, ConnectionId};

/// How much one read brings at most.
const READ_SIZE: usize = 256 << 10;

/// Buffers larger than this are given back once they are empty.
const KEPT_CAPACITY: usize = 64 << 10;

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
    /// Received and not yet taken in: a frame that is not whole, or more than there is room to answer.
    received: BytesMut,
    /// Whether `received` may hold a whole frame.
    unfed: bool,
    /// To be written next.
    sending: BytesMut,
    closing: Option<CloseReason>,
}

/// Serves one connection until it ends.
pub(super) async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
    engine: Arc<Engine>,
    id: ConnectionId,
    io: IO,
) {
    let mut connection = Connection {
        engine,
        id,
        io,
        phase: Phase::Fresh,
        received: BytesMut::new(),
        unfed: false,
        sending: BytesMut::new(),
        closing: None,
    };
    std::future::poll_fn(|context| connection.poll(context)).await;
}

impl<IO> Drop for Connection<IO> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.engine.disconnect(self.id);
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
        loop {
            let Ok(blocked) = self.write(context) else {
                return Poll::Ready(());
            };
            if let Some(reason) = self.closing {
                return self.close(reason, blocked, context);
            }
            let step = if self.is_full() {
                Step::Wait
            } else if self.unfed {
                self.feed_received()
            } else {
                self.read(context)
            };
            match step {
                Step::Again => {}
                Step::End => return Poll::Ready(()),
                Step::Wait => {
                    let before = self.sending.len();
                    self.closing = self.engine.poll_outbox(self.id, context, &mut self.sending);
                    if self.sending.len() == before && self.closing.is_none() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Writes what there is; says whether the socket would not take it all.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, ()> {
        while !self.sending.is_empty() {
            match Pin::new(&mut self.io).poll_write(context, &self.sending) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(()),
                Poll::Ready(Ok(written)) if written == self.sending.len() => self.sending.clear(),
                Poll::Ready(Ok(written)) => self.sending.advance(written),
                Poll::Pending => return Ok(true),
            }
        }
        if self.sending.capacity() > KEPT_CAPACITY {
            self.sending = BytesMut::new();
        }
        Ok(false)
    }

    fn close(&mut self, reason: CloseReason, blocked: bool, context: &mut Context<'_>) -> Poll<()> {
        // Whoever is owed a last answer gets it; the others have no claim on what the socket would not take at once.
        let owed = match reason {
            CloseReason::SessionClosed
            | CloseReason::SessionRefused
            | CloseReason::Unimplemented
            | CloseReason::FourLetterWord
            | CloseReason::AuthFailed => true,
            CloseReason::TooManyConnections
            | CloseReason::NoSession
            | CloseReason::AheadOfServer
            | CloseReason::TakenOver
            | CloseReason::SessionExpired
            | CloseReason::DoesNotRead => false,
        };
        if blocked && owed {
            return Poll::Pending;
        }
        // Errors do not matter any more.
        Pin::new(&mut self.io).poll_shutdown(context).map(|_| ())
    }

    fn read(&mut self, context: &mut Context<'_>) -> Step {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Pending => return Step::Wait,
                Poll::Ready(Err(_)) => return Step::End,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Step::End,
                Poll::Ready(Ok(())) => {}
            }
            if self.received.is_empty() {
                let bytes = buffer.filled();
                match self.feed(bytes) {
                    Some(used) => {
                        self.received
                            .extend_from_slice(bytes.get(used..).unwrap_or_default());
                        self.unfed = self.is_full();
                        Step::Again
                    }
                    None => Step::End,
                }
            } else {
                self.received.extend_from_slice(buffer.filled());
                self.unfed = true;
                Step::Again
            }
        })
    }

    fn feed_received(&mut self) -> Step {
        let received = std::mem::take(&mut self.received);
        let fed = self.feed(&received);
        self.received = received;
        let Some(used) = fed else { return Step::End };
        if used == self.received.len() && self.received.capacity() > KEPT_CAPACITY {
            self.received = BytesMut::new();
        } else {
            let _ = self.received.split_to(used);
        }
        self.unfed = self.is_full();
        Step::Again
    }

    /// Whether feeding stopped for want of room, and not of bytes.
    fn is_full(&self) -> bool {
        self.sending.len() >= HIGH_WATER
    }

    /// Gives bytes to the engine; says how many it used, or nothing if they make no sense.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        match self
            .engine
            .receive(self.id, &mut self.phase, bytes, &mut self.sending)
        {
            Ok(fed) => {
                self.closing = fed.closing;
                Some(fed.used)
            }
            Err(reason) => {
                tracing::debug!(connection = self.id.0, %reason, "closing");
                None
            }
        }
    }
}
