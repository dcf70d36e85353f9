//! Recipes of applications, each in a correct form and in one with a well-known mistake.
//!
//! A recipe ends when it can only wait for an event, and returns what the application believes then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::user::{EPHEMERAL, Outcome, SEQUENTIAL, Trouble, User};
use crate::client::{Event, TIMEOUT};

/// Leader election: the candidate with the lowest number leads, and each watches the one before.
pub(super) mod election {
    use super::*;

    /// Joins the election, and returns whether the candidate leads.
    pub(in super::super) type Recipe = fn(&mut User) -> bool;

    pub(in super::super) fn watch_and_check(me: &mut User) -> bool {
        let own = stand(me);
        loop {
            match before(me, &own) {
                None => return true,
                Some(other) if me.is_there(&other).unwrap() => return false,
                // The other candidate was deleted after the read of the children, and no event will come: read again.
                Some(_) => {}
            }
        }
    }

    /// Watches the one before, and does not check whether it still exists.
    pub(in super::super) fn watch_without_check(me: &mut User) -> bool {
        let own = stand(me);
        let Some(other) = before(me, &own) else {
            return true;
        };
        me.is_there(&other).unwrap();
        false
    }

    fn stand(me: &mut User) -> String {
        let name = "/election/candidate-";
        me.create(name, b"", EPHEMERAL | SEQUENTIAL).unwrap()
    }

    fn before(me: &mut User, own: &str) -> Option<String> {
        let candidates = me.children("/election").unwrap();
        let mut paths = candidates.iter().map(|name| format!("/election/{name}"));
        paths.rfind(|path| path.as_str() < own)
    }
}

/// Leadership: the time for which a leader believes that it leads.
pub(super) mod leading {
    use super::*;

    /// Returns whether the leader still believes that it leads, given the time since its last message.
    pub(in super::super) type Recipe = fn(&User, Duration) -> bool;

    /// Steps down before its session can have expired.
    pub(in super::super) fn step_down_early(me: &User, silence: Duration) -> bool {
        silence < TIMEOUT * 2 / 3 && !me.is_disconnected()
    }

    /// Leads until the connection ends.
    pub(in super::super) fn lead_until_disconnected(me: &User, _silence: Duration) -> bool {
        !me.is_disconnected()
    }
}

/// Handover of an office to another client, and back.
pub(super) mod office {
    use super::*;

    /// Hands the office to B; `acts` is set while A acts in it.
    pub(in super::super) type Give = fn(&mut User, &AtomicBool);

    /// Takes the office back from B, and returns whether A acts in it.
    pub(in super::super) type Take = fn(&mut User) -> bool;

    pub(in super::super) fn stop_then_give(me: &mut User, acts: &AtomicBool) {
        acts.store(false, Ordering::SeqCst);
        me.set("/office", b"B").unwrap();
    }

    /// Stops when A sees that B has the office, which B may see before.
    pub(in super::super) fn give_then_stop(me: &mut User, acts: &AtomicBool) {
        me.set("/office", b"B").unwrap();
        acts.store(false, Ordering::SeqCst);
    }

    /// Waits until B has stopped acting.
    pub(in super::super) fn take_and_wait(me: &mut User) -> bool {
        me.set("/office", b"A").unwrap();
        !me.is_there("/office/acts").unwrap()
    }

    /// Assumes that B has the event, since the write has succeeded.
    pub(in super::super) fn take_and_act(me: &mut User) -> bool {
        me.set("/office", b"A").unwrap();
        true
    }
}

/// Adding an item to a queue, exactly once.
pub(super) mod queue {
    use super::*;

    pub(in super::super) type Recipe = fn(&mut User) -> Outcome<()>;

    /// The name contains an id, by which the client finds its item again.
    pub(in super::super) fn retry_with_id(me: &mut User) -> Outcome<()> {
        let id = format!("_c_{}-", me.session());
        let name = format!("/queue/{id}item-");
        while let Err(trouble) = me.create(&name, b"", SEQUENTIAL) {
            must_be(Trouble::Lost, trouble)?;
            me.reconnect()?;
            let items = me.children("/queue")?;
            if items.iter().any(|item| item.starts_with(&id)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Retries as if the first attempt had had no effect.
    pub(in super::super) fn retry_without_id(me: &mut User) -> Outcome<()> {
        while let Err(trouble) = me.create("/queue/item-", b"", SEQUENTIAL) {
            must_be(Trouble::Lost, trouble)?;
            me.reconnect()?;
        }
        Ok(())
    }

    fn must_be(expected: Trouble, trouble: Trouble) -> Outcome<()> {
        (trouble == expected).then_some(()).ok_or(trouble)
    }
}

/// Membership of a group.
pub(super) mod membership {
    use super::*;

    /// Reconnects after a lost connection, and believes from then on that it is a member.
    pub(in super::super) type Recipe = fn(&mut User);

    pub(in super::super) fn join(me: &mut User) {
        me.create("/members/A", b"", EPHEMERAL).unwrap();
    }

    /// A new session has no znodes of the old one.
    pub(in super::super) fn join_again(me: &mut User) {
        if me.reconnect() == Err(Trouble::Expired) {
            me.begins_anew();
            join(me);
        }
    }

    /// Assumes that a new connection is enough.
    pub(in super::super) fn only_reconnect(me: &mut User) {
        if me.reconnect() == Err(Trouble::Expired) {
            me.begins_anew();
        }
    }
}

/// Caching `/config`.
pub(super) mod cache {
    use super::*;

    #[derive(Clone, Copy)]
    pub(in super::super) struct Recipe {
        /// Reads the data for the first time.
        pub(in super::super) begin: fn(&mut User) -> Outcome<Vec<u8>>,
        /// Whether the client reads again after it has reconnected.
        reads_again: bool,
    }

    /// The watch fires for changes while the client is connected, and for no others.
    pub(in super::super) const READS_AGAIN: Recipe = Recipe {
        begin: watch_persistently,
        reads_again: true,
    };

    /// Assumes that a persistent watch fires for every change.
    pub(in super::super) const TRUSTS: Recipe = Recipe {
        begin: watch_persistently,
        reads_again: false,
    };

    /// A one-shot watch fires when it is set again, if it has missed a change.
    pub(in super::super) const ONE_SHOT: Recipe = Recipe {
        begin: |me| me.get_and_watch("/config"),
        reads_again: false,
    };

    fn watch_persistently(me: &mut User) -> Outcome<Vec<u8>> {
        me.watch_persistently("/config")?;
        me.get("/config")
    }

    impl Recipe {
        /// Reconnects after a lost connection.
        pub(in super::super) fn reconnect(self, me: &mut User, copy: &mut Vec<u8>) -> Outcome<()> {
            me.reconnect()?;
            if self.reads_again {
                *copy = me.get("/config")?;
            }
            while let Some(event) = me.event_so_far()? {
                assert_eq!(event, Event::Changed("/config".to_owned()));
                *copy = me.get("/config")?;
            }
            Ok(())
        }
    }

    /// Reacts to a silent server, given the time since its last message.
    pub(in super::super) type OnSilence = fn(&mut User, Duration, &mut Vec<u8>) -> Outcome<()>;

    /// Leaves a server that does not even answer pings.
    pub(in super::super) fn leave_silent_server(
        me: &mut User,
        silence: Duration,
        copy: &mut Vec<u8>,
    ) -> Outcome<()> {
        if me.is_disconnected() || silence >= TIMEOUT * 2 / 3 {
            ONE_SHOT.reconnect(me, copy)?;
        }
        Ok(())
    }

    /// Stays until the connection ends.
    pub(in super::super) fn stay_until_disconnected(
        me: &mut User,
        _silence: Duration,
        copy: &mut Vec<u8>,
    ) -> Outcome<()> {
        if me.is_disconnected() {
            ONE_SHOT.reconnect(me, copy)?;
        }
        Ok(())
    }
}

/// Waiting for a lock in a queue.
pub(super) mod lock {
    use super::*;

    /// Reaction of a waiter to the event that the one before it is gone. Returns whether it has the lock.
    pub(in super::super) type OnEvent = fn(&mut User, &str) -> bool;

    /// Joins the queue, and returns its place and whether it has the lock.
    pub(in super::super) fn queue_up(me: &mut User) -> (String, bool) {
        let own = me.create("/lock/n-", b"", EPHEMERAL | SEQUENTIAL).unwrap();
        let first = is_first(me, &own).unwrap();
        (own, first)
    }

    fn is_first(me: &mut User, own: &str) -> Outcome<bool> {
        let line = me.children("/lock")?;
        let paths: Vec<String> = line.iter().map(|name| format!("/lock/{name}")).collect();
        let place = paths.iter().position(|path| path == own);
        match place.ok_or(Trouble::Expired)?.checked_sub(1) {
            None => Ok(true),
            Some(before) if me.is_there(&paths[before])? => Ok(false),
            Some(_) => is_first(me, own),
        }
    }

    /// The event may be old: checks whether it is first in the queue now.
    pub(in super::super) fn check_again(me: &mut User, own: &str) -> bool {
        me.next_event().is_ok() && is_first(me, own).unwrap_or(false)
    }

    /// Assumes that it has the lock, since the one before is gone.
    pub(in super::super) fn assume_lock(me: &mut User, _own: &str) -> bool {
        me.next_event().is_ok()
    }
}

/// Reading data that another client has written.
pub(super) mod reading {
    use super::*;

    pub(in super::super) type Recipe = fn(&mut User) -> Outcome<Vec<u8>>;

    pub(in super::super) fn sync_and_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.sync()?;
        me.get("/config")
    }

    /// Assumes that every server has what one server has.
    pub(in super::super) fn read_without_sync(me: &mut User) -> Outcome<Vec<u8>> {
        me.get("/config")
    }

    /// Reconnects to any server that accepts it, and reports the last zxid that it has seen.
    pub(in super::super) fn reconnect_and_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.reconnect()?;
        me.get("/config")
    }

    /// Reports that it has seen no zxid, so that every server accepts it.
    pub(in super::super) fn reconnect_without_zxid(me: &mut User) -> Outcome<Vec<u8>> {
        me.last_zxid = 0;
        reconnect_and_read(me)
    }
}
