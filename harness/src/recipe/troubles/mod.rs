//! Common problems of users: failures of recipes that look right, and remedies.

mod leaders;
mod lost_replies;
mod misunderstandings;
mod watches;

use super::{since_3_6, usual};
use crate::script::Headers;
use crate::suite::Chapter;

// Longer than 60 lines: a list of cases.
pub(super) fn chapter() -> Chapter {
    let chapter = Chapter::new(
        "troubles",
        "Users' real troubles",
        "Failures of recipes that look right: at a lost connection, a lost reply, an expired session. \
         Each failure has a \
         remedy. Raw clients do what no proper client does at a chosen moment.",
    )
    .scenario(
        1,
        "a leader that takes a suspension for harmless leads beside the next one",
        usual(),
        leaders::two_leaders,
    )
    .scenario(2, "a storage that remembers the highest token refuses the leader that slept", usual(), leaders::fenced)
    .scenario(
        3,
        "a restarted leader that trusts its name leads with the old session's znode until it is gone",
        usual(),
        leaders::a_restarted_leader_trusts_its_name,
    )
    .scenario(
        4,
        "a restarted leader that compares the owner replaces its old znode",
        usual(),
        leaders::a_restarted_leader_compares_the_owner,
    )
    .scenario(
        5,
        "no candidate leads when the election znode is not created again after an expiry",
        usual(),
        leaders::no_candidate_after_an_expiry,
    )
    .scenario(
        6,
        "a client whose session is over needs a new one",
        usual(),
        leaders::an_ended_session_needs_a_new_client,
    )
    .scenario(7, "a session that two processes use ends for both", usual(), leaders::one_session_for_two)
    .scenario(8, "names sorted as a whole elect the wrong one", usual(), leaders::sorted_as_a_whole);
    let chapter = chapter
        .scenario(
            11,
            "a create repeated after a lost reply leaves a znode that the client does not know",
            usual(),
            lost_replies::create_without_id,
        )
        .scenario(
            12,
            "a create with an id in its name finds what it made before the reply was lost",
            usual(),
            lost_replies::create_with_id,
        )
        .scenario(
            13,
            "a create repeated with an id after it was lost on the way is made once",
            usual(),
            lost_replies::create_with_id_lost_on_the_way,
        )
        .scenario(
            14,
            "a znode that exists is one's own if its owner is one's session",
            usual(),
            lost_replies::own_by_owner,
        )
        .scenario(
            15,
            "a znode that exists is another's if its owner is another session",
            usual(),
            lost_replies::not_own_by_owner,
        )
        .scenario(
            16,
            "a set repeated after a lost reply is refused though it was done",
            usual(),
            lost_replies::set_twice,
        )
        .scenario(
            17,
            "a step counted without a version counts twice after a lost reply",
            usual(),
            lost_replies::counted_twice,
        )
        .scenario(
            18,
            "a delete repeated after a lost reply cannot tell who deleted",
            usual(),
            lost_replies::deleted_by_whom,
        )
        .scenario(
            19,
            "a transaction whose reply was lost was done as a whole",
            usual(),
            lost_replies::transaction,
        );
    let chapter = chapter
        .scenario(
            21,
            "a cache on a watch that stays misses what happened while it was away",
            since_3_6(),
            watches::missed,
        )
        .scenario(
            22,
            "a cache that reads everything again after a reconnection is right",
            since_3_6(),
            watches::read_again,
        )
        .scenario(
            23,
            "a one-shot watch fires for missed changes when it is set again",
            usual(),
            watches::one_shot_fires,
        )
        .scenario(
            24,
            "a znode that was replaced while a client was away looks unchanged to a watch of its creation",
            usual(),
            watches::replaced,
        )
        .scenario(
            25,
            "a cache is notified that it was disconnected and may be stale",
            restarting(since_3_6()),
            watches::notified_of_the_gap,
        )
        .scenario(
            26,
            "a client that waits for a lock gets it through a restart of the server",
            restarting(since_3_6()),
            watches::lock_through_a_restart,
        )
        .scenario(27, "a released lock that all watch wakes all", usual(), watches::herd)
        .scenario(28, "a released lock wakes one if each watches the one before", usual(), watches::no_herd);
    chapter
        .scenario(
            31,
            "a znode made anew has the old one's version",
            usual(),
            misunderstandings::versions_begin_anew,
        )
        .scenario(
            32,
            "a folder is gone between the moment it was made and the moment it is used",
            usual(),
            misunderstandings::folder_is_gone,
        )
        .scenario(
            33,
            "a root that does not exist is noticed at the first write",
            usual(),
            misunderstandings::no_such_root,
        )
        .scenario(
            34,
            "a longer timeout than the server allows is cut without a word",
            usual(),
            misunderstandings::timeout_is_cut,
        )
        .scenario(
            35,
            "deleting what is not empty from the top leaves a race from the bottom",
            usual(),
            misunderstandings::recursive_delete,
        )
}

fn restarting(headers: Headers) -> Headers {
    Headers {
        restart: true,
        ..headers
    }
}
