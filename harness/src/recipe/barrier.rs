//! Barriers: all clients wait until a condition holds.

use std::pin::pin;

use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL, PERSISTENT, in_order, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "barrier",
        "Barriers",
        "Clients wait for the deletion of a barrier's znode. A double barrier blocks all \
         clients until enough have come, and again \
         until all are done.",
    )
    .scenario(
        1,
        "a client at a barrier waits until it is lifted",
        usual(),
        lifted,
    )
    .scenario(2, "a missing barrier stops no client", usual(), not_there)
    .scenario(
        3,
        "a barrier is deleted with the session that set it",
        usual(),
        goes_with_its_session,
    )
    .scenario(
        4,
        "no client enters a double barrier before all have come",
        usual(),
        all_enter,
    )
    .scenario(
        5,
        "no client leaves a double barrier before all are done",
        usual(),
        all_leave,
    )
    .scenario(6, "a late client enters at once", usual(), late)
    .scenario(
        7,
        "a client that dies inside does not block the others",
        usual(),
        dies_inside,
    )
    .scenario(
        8,
        "a client that dies before all have come is missing",
        usual(),
        dies_before,
    )
}

/// Waits at the barrier, unless there is none.
async fn arrive(stage: &mut Stage<'_>, user: &User) -> Result<Option<OneshotWatcher>, StageError> {
    let (barrier, watcher) = user.check_and_watch_stat("/barrier").await?;
    stage.note(user, "comes to the barrier", barrier);
    Ok(barrier.map(|_| watcher))
}

async fn lifted(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, admin] = stage.users(["a", "b", "admin"]).await?;
    stage.note(
        &admin,
        "sets the barrier",
        admin.create("/barrier", b"", &PERSISTENT).await,
    )?;
    let first = arrive(stage, &a).await?;
    let second = arrive(stage, &b).await?;
    stage.note(
        &admin,
        "lifts the barrier",
        admin.delete("/barrier", None).await,
    )?;
    for (user, waiting) in [(&a, first), (&b, second)] {
        if let Some(waiting) = waiting {
            stage.notified(user, waiting).await?;
        }
    }
    Ok(())
}

async fn not_there(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let a = stage.user("a").await?;
    arrive(stage, &a).await?;
    let _ = stage.note(&a, "lifts the barrier", a.delete("/barrier", None).await);
    Ok(())
}

async fn goes_with_its_session(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, admin] = stage.users(["a", "admin"]).await?;
    stage.note(
        &admin,
        "sets the barrier",
        admin.create("/barrier", b"", &EPHEMERAL).await,
    )?;
    let waiting = arrive(stage, &a).await?;
    stage.expire_session(&admin).await?;
    if let Some(waiting) = waiting {
        stage.notified(&a, waiting).await?;
    }
    arrive(stage, &a).await?;
    Ok(())
}

/// Number of clients that must come.
const SIZE: usize = 3;

const READY: &str = "/double/ready";

/// A client at a double barrier.
struct Participant {
    /// Fires when all have come; `None` if they have.
    ready: Option<OneshotWatcher>,
}

impl Participant {
    async fn enter(stage: &mut Stage<'_>, user: &User) -> Result<Self, StageError> {
        let (ready, watcher) = user.check_and_watch_stat(READY).await?;
        let path = format!("/double/p-{}", user.name());
        let made = user.create(&path, b"", &EPHEMERAL).await;
        stage.note(user, "comes", made)?;
        if ready.is_some() {
            stage.remark(user, "enters at once");
            return Ok(Self { ready: None });
        }
        let here = parties(user).await?.len();
        stage.remark(user, format_args!("is one of {here}"));
        if here >= SIZE {
            match user.create(READY, b"", &PERSISTENT).await {
                Ok(_) | Err(Error::NodeExists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self {
            ready: Some(watcher),
        })
    }

    async fn wait(self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        if let Some(ready) = self.ready {
            stage.notified(user, ready).await?;
        }
        stage.remark(user, "enters");
        Ok(())
    }
}

/// Returns the names of the clients at the barrier, in order.
async fn parties(user: &User) -> Result<Vec<String>, StageError> {
    let mut here = in_order(user.list_children("/double").await?);
    here.retain(|name| name.starts_with("p-"));
    here.sort();
    Ok(here)
}

/// One step of leaving: deletes the client's own znode when the rule allows it, and returns a watch of the znode to
/// wait for.
async fn leave(stage: &mut Stage<'_>, user: &User) -> Result<Option<OneshotWatcher>, StageError> {
    loop {
        let here = parties(user).await?;
        let own = format!("p-{}", user.name());
        let (Some(first), Some(last)) = (here.first(), here.last()) else {
            stage.remark(user, "is out");
            return Ok(None);
        };
        let own_path = format!("/double/{own}");
        // The first waits for the last; all others leave and wait for the first.
        let waits_for = if here.len() == 1 && *first == own {
            user.delete(&own_path, None).await?;
            stage.remark(user, "is the last to go");
            return Ok(None);
        } else if *first == own {
            last
        } else {
            match user.delete(&own_path, None).await {
                Ok(()) | Err(Error::NoNode) => first,
                Err(error) => return Err(error.into()),
            }
        };
        let (there, gone) = user
            .check_and_watch_stat(&format!("/double/{waits_for}"))
            .await?;
        if there.is_some() {
            stage.remark(user, format_args!("waits for {waits_for}"));
            return Ok(Some(gone));
        }
    }
}

async fn double<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/double", b"").await
}

async fn inside(stage: &mut Stage<'_>) -> Result<[User; SIZE], StageError> {
    let users = double(stage, ["a", "b", "c"]).await?;
    let mut parties = Vec::new();
    for user in &users {
        parties.push(Participant::enter(stage, user).await?);
    }
    for (user, participant) in users.iter().zip(parties) {
        participant.wait(stage, user).await?;
    }
    Ok(users)
}

async fn all_enter(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = double(stage, ["a", "b", "c"]).await?;
    let first = Participant::enter(stage, &a).await?;
    let second = Participant::enter(stage, &b).await?;
    if let Some(ready) = first.ready {
        let mut waiting = pin!(ready.changed());
        stage.note_if_notified(&a, &mut waiting).await?;
        let third = Participant::enter(stage, &c).await?;
        stage.notified_by(&a, waiting).await?;
        third.wait(stage, &c).await?;
    }
    second.wait(stage, &b).await
}

async fn all_leave(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = inside(stage).await?;
    let b_waits = leave(stage, &b).await?;
    let a_waits = leave(stage, &a).await?;
    leave(stage, &c).await?;
    if let Some(gone) = a_waits {
        stage.notified(&a, gone).await?;
    }
    leave(stage, &a).await?;
    if let Some(gone) = b_waits {
        stage.notified(&b, gone).await?;
    }
    leave(stage, &b).await?;
    Ok(())
}

async fn late(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let _inside = inside(stage).await?;
    let d = stage.user("d").await?;
    let participant = Participant::enter(stage, &d).await?;
    participant.wait(stage, &d).await
}

async fn dies_inside(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = inside(stage).await?;
    leave(stage, &b).await?;
    let a_waits = leave(stage, &a).await?;
    stage.expire_session(&c).await?;
    if let Some(gone) = a_waits {
        stage.notified(&a, gone).await?;
    }
    leave(stage, &a).await?;
    stage.note(&b, "sees", b.list_children("/double").await)?;
    Ok(())
}

async fn dies_before(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, d] = double(stage, ["a", "b", "c", "d"]).await?;
    let first = Participant::enter(stage, &a).await?;
    Participant::enter(stage, &b).await?;
    stage.expire_session(&b).await?;
    Participant::enter(stage, &c).await?;
    // Three came, but two are here.
    stage.note(&c, "sees", c.list_children("/double").await)?;
    Participant::enter(stage, &d).await?;
    first.wait(stage, &a).await
}
