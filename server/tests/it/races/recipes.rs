//! What applications do with ZooKeeper, each in a form that is right and in one with a mistake that is well known.
//!
//! A recipe ends when there is nothing left to do but to wait for an event, and says what it believes by then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::user::{EPHEMERAL, Outcome, SEQUENTIAL, Trouble, User};
use crate::client::{Event, TIMEOUT};

/// Electing a leader: whoever has the lowest number leads, and each watches the one before.
pub(super) mod election {
    use super::*;

    /// Stands for election; says whether it leads.
    pub(in super::super) type Recipe = fn(&mut User) -> bool;

    pub(in super::super) fn right(me: &mut User) -> bool {
        let own = stand(me);
        loop {
            match before(me, &own) {
                None => return true,
                Some(other) if me.is_there(&other).unwrap() => return false,
                // It went since the children were read, and nobody will tell: look again.
                Some(_) => {}
            }
        }
    }

    /// Watches the one before, and does not look whether it is still there.
    pub(in super::super) fn deaf(me: &mut User) -> bool {
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

/// Leading: until when does a leader believe that it leads?
pub(super) mod leading {
    use super::*;

    /// Given for how long it has heard nothing; says whether it leads still.
    pub(in super::super) type Recipe = fn(&User, Duration) -> bool;

    /// Steps down before the server can have given it up.
    pub(in super::super) fn cautious(me: &User, silence: Duration) -> bool {
        silence < TIMEOUT * 2 / 3 && !me.sees_the_end()
    }

    /// Leads until it is told that it does not.
    pub(in super::super) fn stubborn(me: &User, _silence: Duration) -> bool {
        !me.sees_the_end()
    }
}

/// Handing an office over to somebody else, and taking it back.
pub(super) mod office {
    use super::*;

    /// Gives the office to B; `acts` says whether it acts in it meanwhile.
    pub(in super::super) type Give = fn(&mut User, &AtomicBool);

    /// Takes the office back from B; says whether it acts in it.
    pub(in super::super) type Take = fn(&mut User) -> bool;

    pub(in super::super) fn stop_then_give(me: &mut User, acts: &AtomicBool) {
        acts.store(false, Ordering::SeqCst);
        me.set("/office", b"B").unwrap();
    }

    /// Stops when it knows that B has the office, which B may know before.
    pub(in super::super) fn give_then_stop(me: &mut User, acts: &AtomicBool) {
        me.set("/office", b"B").unwrap();
        acts.store(false, Ordering::SeqCst);
    }

    /// Waits until B has laid it down.
    pub(in super::super) fn take_and_wait(me: &mut User) -> bool {
        me.set("/office", b"A").unwrap();
        !me.is_there("/office/acts").unwrap()
    }

    /// Believes that B has been told because the write was done.
    pub(in super::super) fn take_and_act(me: &mut User) -> bool {
        me.set("/office", b"A").unwrap();
        true
    }
}

/// Putting something into a queue, exactly once.
pub(super) mod queue {
    use super::*;

    pub(in super::super) type Recipe = fn(&mut User) -> Outcome<()>;

    /// The name bears an id of its own, by which it is found again.
    pub(in super::super) fn guarded(me: &mut User) -> Outcome<()> {
        let id = format!("_c_{}-", me.session());
        let name = format!("/queue/{id}item-");
        while let Err(trouble) = me.create(&name, b"", SEQUENTIAL) {
            must_be(Trouble::Lost, trouble)?;
            me.comes_back()?;
            let items = me.children("/queue")?;
            if items.iter().any(|item| item.starts_with(&id)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tries again as if the first try had come to nothing.
    pub(in super::super) fn unguarded(me: &mut User) -> Outcome<()> {
        while let Err(trouble) = me.create("/queue/item-", b"", SEQUENTIAL) {
            must_be(Trouble::Lost, trouble)?;
            me.comes_back()?;
        }
        Ok(())
    }

    fn must_be(expected: Trouble, trouble: Trouble) -> Outcome<()> {
        (trouble == expected).then_some(()).ok_or(trouble)
    }
}

/// Being a member of a group.
pub(super) mod membership {
    use super::*;

    /// Comes back after its connection was lost; from then on it believes that it is a member.
    pub(in super::super) type Recipe = fn(&mut User);

    pub(in super::super) fn join(me: &mut User) {
        me.create("/members/A", b"", EPHEMERAL).unwrap();
    }

    /// A session that is new has none of what the old one had.
    pub(in super::super) fn join_again(me: &mut User) {
        if me.comes_back() == Err(Trouble::Expired) {
            me.begins_anew();
            join(me);
        }
    }

    /// Connected again is good enough for it.
    pub(in super::super) fn just_go_on(me: &mut User) {
        if me.comes_back() == Err(Trouble::Expired) {
            me.begins_anew();
        }
    }
}

/// Keeping a copy of `/config`.
pub(super) mod cache {
    use super::*;

    #[derive(Clone, Copy)]
    pub(in super::super) struct Recipe {
        /// Reads it for the first time.
        pub(in super::super) begin: fn(&mut User) -> Outcome<Vec<u8>>,
        /// Whether it reads again after it has come back.
        reads_again: bool,
    }

    /// Its watch tells of what changes while it is connected, and of nothing else.
    pub(in super::super) const READS_AGAIN: Recipe = Recipe {
        begin: watch_persistently,
        reads_again: true,
    };

    /// Believes that a persistent watch tells of every change.
    pub(in super::super) const TRUSTS: Recipe = Recipe {
        begin: watch_persistently,
        reads_again: false,
    };

    /// A watch that fires once fires when it is set again, if it has missed something.
    pub(in super::super) const ONE_SHOT: Recipe = Recipe {
        begin: |me| me.get_and_watch("/config"),
        reads_again: false,
    };

    fn watch_persistently(me: &mut User) -> Outcome<Vec<u8>> {
        me.watch_persistently("/config")?;
        me.get("/config")
    }

    impl Recipe {
        /// Comes back after its connection was lost.
        pub(in super::super) fn come_back(self, me: &mut User, copy: &mut Vec<u8>) -> Outcome<()> {
            me.comes_back()?;
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

    /// Given for how long it has heard nothing, does what it does then.
    pub(in super::super) type Tend = fn(&mut User, Duration, &mut Vec<u8>) -> Outcome<()>;

    /// Leaves a server that says nothing, not even to its pings.
    pub(in super::super) fn impatient(
        me: &mut User,
        silence: Duration,
        copy: &mut Vec<u8>,
    ) -> Outcome<()> {
        if me.sees_the_end() || silence >= TIMEOUT * 2 / 3 {
            ONE_SHOT.come_back(me, copy)?;
        }
        Ok(())
    }

    /// Stays as long as the connection does not end.
    pub(in super::super) fn patient(
        me: &mut User,
        _silence: Duration,
        copy: &mut Vec<u8>,
    ) -> Outcome<()> {
        if me.sees_the_end() {
            ONE_SHOT.come_back(me, copy)?;
        }
        Ok(())
    }
}

/// Taking a lock in turn.
pub(super) mod lock {
    use super::*;

    /// What a waiter does with the news that the one before it is gone; says whether it has the lock.
    pub(in super::super) type Told = fn(&mut User, &str) -> bool;

    /// Stands in the line; gives its place and whether it has the lock.
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

    /// The news may be old: it looks whether it is first in the line now.
    pub(in super::super) fn look_again(me: &mut User, own: &str) -> bool {
        me.next_event().is_ok() && is_first(me, own).unwrap_or(false)
    }

    /// The one before is gone, so it must be its turn.
    pub(in super::super) fn believe(me: &mut User, _own: &str) -> bool {
        me.next_event().is_ok()
    }
}

/// Reading what somebody else says to have written.
pub(super) mod reading {
    use super::*;

    pub(in super::super) type Recipe = fn(&mut User) -> Outcome<Vec<u8>>;

    pub(in super::super) fn sync_and_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.sync()?;
        me.get("/config")
    }

    /// Believes that every server has what one server has.
    pub(in super::super) fn just_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.get("/config")
    }

    /// Comes back to whichever server takes it, and says what it has seen.
    pub(in super::super) fn come_back_and_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.comes_back()?;
        me.get("/config")
    }

    /// Says that it has seen nothing, so that every server takes it.
    pub(in super::super) fn forget_and_read(me: &mut User) -> Outcome<Vec<u8>> {
        me.last_zxid = 0;
        come_back_and_read(me)
    }
}
