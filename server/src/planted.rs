//! Deliberate mistakes, one at a time, which prove that whoever judges this server can see.
//!
//! They exist only in a build with `--cfg minikeeper_planted`, and even there none is in force until one is chosen. In any
//! other build `planted!` leaves nothing but the right code behind.

/// `planted!("name", wrong, right)` is `right`, and `planted!("name", { wrong })` is nothing, but for a build with
/// `--cfg minikeeper_planted` in which this mistake was chosen.
#[cfg(not(minikeeper_planted))]
macro_rules! planted {
    ($name:literal, $wrong:expr, $right:expr) => {
        $right
    };
    ($name:literal, $wrong:block) => {};
}

#[cfg(minikeeper_planted)]
macro_rules! planted {
    ($name:literal, $wrong:expr, $right:expr) => {
        if const { $crate::planted::number($name) } == $crate::planted::chosen() {
            $wrong
        } else {
            $right
        }
    };
    ($name:literal, $wrong:block) => {
        if const { $crate::planted::number($name) } == $crate::planted::chosen() {
            $wrong
        }
    };
}

#[cfg(minikeeper_planted)]
mod chosen {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Every mistake, by name, and what is wrong with it.
    pub const MISTAKES: &[(&str, &str)] = &[
        (
            "create-leaves-pzxid",
            "a create does not move the parent's pzxid",
        ),
        (
            "delete-leaves-pzxid",
            "a delete does not move the parent's pzxid",
        ),
        ("set-data-moves-pzxid", "setData moves pzxid"),
        ("set-data-keeps-mzxid", "setData does not move mzxid"),
        ("set-data-keeps-mtime", "setData does not move mtime"),
        ("set-acl-bumps-version", "setACL raises version too"),
        ("null-data-is-empty", "null data is kept as empty data"),
        (
            "failed-multi-counts-creates",
            "a failed multi advances the sequence",
        ),
        (
            "failed-multi-moves-pzxid",
            "a failed multi moves the parent's pzxid",
        ),
        (
            "multi-half-applies",
            "a failed multi leaves what came before the failure",
        ),
        ("failed-multi-fires", "a failed multi fires its watches"),
        (
            "refused-write-takes-no-zxid",
            "a refused write takes no zxid",
        ),
        ("cversion-counts-creates", "cversion does not count deletes"),
        (
            "container-shows-owner",
            "a container's owner shows as a negative number",
        ),
        ("data-length-of-null", "null data has the length -1"),
        (
            "not-empty-before-bad-version",
            "delete: NOTEMPTY wins over BADVERSION",
        ),
        (
            "no-node-before-invalid-acl",
            "create: NONODE wins over INVALIDACL",
        ),
        ("sequence-starts-at-one", "the first sequence number is 1"),
        (
            "sequence-counts-children",
            "the sequence number is the number of children",
        ),
        (
            "any-negative-version",
            "every negative version is any version",
        ),
        (
            "check-ignores-version",
            "check in a multi takes any version",
        ),
        (
            "delete-asks-own-acl",
            "delete asks the znode's ACL, not its parent's",
        ),
        (
            "multi-tries-all",
            "a failed multi answers 0 for what comes after the failure",
        ),
        (
            "ephemerals-have-children",
            "an ephemeral znode may have children",
        ),
        ("set-data-asks-read", "setData asks for READ, not for WRITE"),
        (
            "reply-before-events",
            "a write is answered before it fires watches",
        ),
        ("event-without-zxid", "events bear no zxid"),
        ("read-without-zxid", "replies to reads bear no zxid"),
        (
            "everybody-hears",
            "events go to those who may not read the znode",
        ),
        ("one-shot-stays", "a one-shot watch fires again and again"),
        (
            "recursive-hears-children-only",
            "a recursive watch does not reach below the children",
        ),
        (
            "deleted-told-twice",
            "who watches data and children hears NodeDeleted twice",
        ),
        (
            "deleted-child-unheard",
            "a delete fires no watch on the parent's children",
        ),
        (
            "persistent-forgets-children",
            "a persistent watch does not hear of children",
        ),
        (
            "exists-waits-for-nothing",
            "exists on a missing znode sets no watch",
        ),
        ("get-data-waits", "getData on a missing znode sets a watch"),
        (
            "set-watches-takes-equal",
            "setWatches tells of what the client has seen",
        ),
        (
            "hashes-shown",
            "getACL shows the hashes to those without ADMIN",
        ),
        ("ephemerals-anywhere", "getEphemerals ignores the prefix"),
        ("removed-watch-stays", "removeWatches removes nothing"),
        ("any-password", "a session is resumed with any password"),
        (
            "takeover-leaves-the-old",
            "a session that is taken over keeps its old connection too",
        ),
        (
            "timeout-not-clamped",
            "a client gets whatever timeout it asks for",
        ),
        ("expires-late", "a session lives four times its timeout"),
        (
            "an-ephemeral-stays",
            "the end of a session leaves one of its ephemerals",
        ),
        (
            "expired-stays-connected",
            "an expired session's connection stays open",
        ),
        ("quota-forgets-deletes", "a delete is not counted by quotas"),
        (
            "quota-one-too-few",
            "an enforced quota refuses what just fits",
        ),
        ("ttl-from-birth", "a time to live counts from the creation"),
        (
            "unused-container-goes",
            "a container that never had a child is removed",
        ),
        (
            "add-watch-without-body",
            "the reply to addWatch has no body",
        ),
    ];

    /// None of them.
    const NONE: usize = usize::MAX;

    static CHOSEN: AtomicUsize = AtomicUsize::new(NONE);

    /// From now on every server in this process makes this mistake, or none.
    ///
    /// # Panics
    /// If there is no such mistake.
    pub fn choose(name: Option<&str>) {
        let number = name.map_or(NONE, |name| {
            MISTAKES
                .iter()
                .position(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("no mistake is called `{name}`"))
        });
        CHOSEN.store(number, Ordering::SeqCst);
    }

    pub(crate) fn chosen() -> usize {
        CHOSEN.load(Ordering::Relaxed)
    }

    /// The place in the list. A name that is not in it does not compile.
    #[expect(clippy::indexing_slicing, reason = "read by the compiler alone")]
    pub(crate) const fn number(name: &str) -> usize {
        let mut at = 0;
        while at < MISTAKES.len() {
            if same(MISTAKES[at].0.as_bytes(), name.as_bytes()) {
                return at;
            }
            at += 1;
        }
        panic!("a mistake that is not in the list")
    }

    #[expect(clippy::indexing_slicing, reason = "read by the compiler alone")]
    const fn same(a: &[u8], b: &[u8]) -> bool {
        if a.len() != b.len() {
            return false;
        }
        let mut at = 0;
        while at < a.len() {
            if a[at] != b[at] {
                return false;
            }
            at += 1;
        }
        true
    }
}

#[cfg(minikeeper_planted)]
pub use chosen::{MISTAKES, choose};
#[cfg(minikeeper_planted)]
pub(crate) use chosen::{chosen, number};
