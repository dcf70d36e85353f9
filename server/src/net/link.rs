//! The link between a client and the server, which a test can cut, one way or both.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use crate::control::{Client, Control, Direction, ListenerId};
use crate::keeper::ConnectionId;
use crate::protocol::SessionId;

/// The link of one connection. It is changed behind the engine's lock, and read wherever bytes are moved.
#[derive(Debug, Default)]
pub(super) struct Link {
    cut: AtomicU8,
    /// The connection's own task, while it waits for the link to be whole again.
    waiting: Mutex<Option<Waker>>,
}

impl Link {
    /// Cuts the link in exactly these directions. Returns whether that changes anything; the task that waits for the
    /// link is then added to `wakers`.
    pub(super) fn set(
        &self,
        cut: impl IntoIterator<Item = Direction>,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let bits = cut.into_iter().fold(0, |all, one| all | one.bits());
        if self.cut.swap(bits, Ordering::AcqRel) == bits {
            return false;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.extend(waiting.take());
        true
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire) != 0
    }

    pub(super) fn is_cut_to_client(&self) -> bool {
        self.cut.load(Ordering::Acquire) & Direction::TO_CLIENT != 0
    }

    pub(super) fn is_cut_to_server(&self) -> bool {
        self.cut.load(Ordering::Acquire) & Direction::TO_SERVER != 0
    }

    /// Whether nothing reaches the client. If so, the task is woken when that changes.
    pub(super) fn blocks_to_client(&self, context: &Context<'_>) -> bool {
        // Asked again once it is known whom to wake: it may have changed in between.
        self.is_cut_to_client() && {
            self.wait(context);
            self.is_cut_to_client()
        }
    }

    /// The same, for what the client sends.
    pub(super) fn blocks_to_server(&self, context: &Context<'_>) -> bool {
        self.is_cut_to_server() && {
            self.wait(context);
            self.is_cut_to_server()
        }
    }

    fn wait(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(context.waker().clone());
    }
}

/// Links of closed connections whose clients do not notice the end as long as the link is cut.
#[derive(Debug, Default)]
pub(super) struct HalfOpenLinks(Vec<HalfOpenLink>);

#[derive(Debug)]
struct HalfOpenLink {
    connection: ConnectionId,
    session: SessionId,
    listener_id: ListenerId,
    link: Arc<Link>,
}

impl HalfOpenLinks {
    /// Stores the link of a connection that ends, if the link is cut.
    pub(super) fn add(&mut self, client: &Client<'_>, listener_id: &ListenerId, link: &Arc<Link>) {
        if link.is_cut() {
            self.0.push(HalfOpenLink {
                connection: client.connection,
                session: client.session,
                listener_id: listener_id.clone(),
                link: Arc::clone(link),
            });
        }
    }

    /// Applies the present cuts, and drops the links that are whole again.
    pub(super) fn relink(&mut self, control: &Control, wakers: &mut Vec<Waker>) {
        self.0.retain(|departed| {
            let HalfOpenLink {
                connection,
                session,
                listener_id,
                link,
            } = departed;
            let client = Client::new(*connection, *session, listener_id);
            link.set(control.cuts.of(&client), wakers);
            departed.link.is_cut() && Arc::strong_count(&departed.link) > 1
        });
    }
}
