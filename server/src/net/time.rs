//! Passing of time: ticks when they are due, and changes of a manual clock.

use super::engine::Engine;
use crate::control::Effects;
use crate::keeper::{Input, Keeper};
use crate::protocol::Timestamp;

impl Engine {
    /// Moves a manual clock forward to `to`, stopping at every deadline on the way if the server `runs`.
    pub(crate) fn advance(&self, to: Timestamp, runs: bool) -> Effects {
        let mut effects = Effects::default();
        loop {
            let due = self.lock().next_deadline().filter(|due| runs && *due <= to);
            self.turn_clock(due.unwrap_or(to));
            if due.is_none() {
                self.control(|control| {
                    control.clock_turned(self.clock.now());
                    control.changed();
                });
                self.recheck_stuck_clients();
                return effects;
            }
            self.apply_with_effects(Input::Tick, &mut effects);
        }
    }

    /// Carries out ticks when they are due, forever. On a manual clock, warns of clients that wait for a clock that
    /// stands still.
    pub(super) async fn drive_timer(&self) {
        let mut warned = None;
        while self.clock.is_manual() {
            let silent = self.with_keeper(Keeper::next_silent);
            let Some((session, due)) = silent.filter(|silent| warned != Some(*silent)) else {
                self.alarm.notified().await;
                continue;
            };
            let rung = self.alarm.notified();
            let remaining = due.since(self.clock.now());
            if tokio::time::timeout(remaining, rung).await.is_err() {
                warned = Some((session, due));
                tracing::warn!(
                    %session,
                    "the session was silent for its whole timeout, and does not expire: the clock is manual and stands \
                     still until Server::advance moves it"
                );
            }
        }
        loop {
            let due = {
                let mut state = self.lock();
                state.armed = state.next_deadline();
                state.armed
            };
            let Some(due) = due else {
                self.alarm.notified().await;
                continue;
            };
            let rung = self.alarm.notified();
            if tokio::time::timeout(due.since(self.clock.now()), rung)
                .await
                .is_err()
            {
                self.apply(Input::Tick);
            }
        }
    }

    /// Moves a manual clock. The journal records it before the effects.
    fn turn_clock(&self, to: Timestamp) {
        self.control(|control| {
            control.journal.turned.get_or_insert(self.clock.now());
            self.clock.set(to);
        });
    }

    /// Checks again, on a manual clock, whether a client waits for a clock that stands still.
    pub(super) fn recheck_stuck_clients(&self) {
        if self.clock.is_manual() {
            self.alarm.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;
    use crate::config::ClockKind;
    use crate::net::connection::tests::{accepted, engine_of};
    use crate::protocol::{ConnectRequest, SessionId};

    /// Counts warnings.
    struct Warnings(&'static AtomicUsize);

    impl Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// Lets real time pass, as far as the engine can tell, and counts the warnings meanwhile.
    fn warnings_in(engine: &Engine, span: Duration) -> usize {
        static WARNINGS: AtomicUsize = AtomicUsize::new(0);
        WARNINGS.store(0, Ordering::SeqCst);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime starts");
        tracing::subscriber::with_default(Warnings(&WARNINGS), || {
            runtime.block_on(async {
                let _ended = tokio::time::timeout(span, engine.drive_timer()).await;
            });
        });
        WARNINGS.load(Ordering::SeqCst)
    }

    #[test]
    fn a_session_that_waits_for_a_manual_clock_is_warned_of_once() {
        const TIMEOUT: Duration = Duration::from_secs(10);
        let engine = engine_of(ClockKind::Manual, |_| {});
        let connection = accepted(&engine);
        engine.apply(Input::Connect {
            connection,
            request: &ConnectRequest {
                last_zxid_seen: crate::protocol::Zxid(0),
                timeout_ms: 10_000,
                session: SessionId::NONE,
                password: None,
                read_only: None,
            },
        });
        assert_eq!(
            warnings_in(&engine, TIMEOUT * 10),
            0,
            "its connection is up"
        );
        engine.disconnect(connection);
        assert_eq!(warnings_in(&engine, TIMEOUT / 2), 0, "it may come back");
        assert_eq!(warnings_in(&engine, TIMEOUT * 10), 1);
        let now = engine.clock().now();
        assert_eq!(engine.advance(now + TIMEOUT * 2, true).expired.len(), 1);
        assert_eq!(warnings_in(&engine, TIMEOUT * 10), 0, "no session waits");
    }
}
