//! Leader election: the candidate with the lowest number leads, and each watches the one before it.

use std::pin::pin;

use zookeeper_client::{Acls, Error, LockPrefix, OneshotWatcher};

use super::{EPHEMERAL, EPHEMERAL_SEQUENTIAL, PERSISTENT, in_order, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "election",
        "Leader election",
        "Candidates make ephemeral sequential znodes. The lowest number leads; every other candidate watches the one \
         before it, so that one departure wakes one candidate.",
    )
    .scenario(1, "the first candidate leads and each other watches the one before it", usual(), the_first_leads)
    .scenario(2, "when the leader resigns only the next in line is notified", usual(), only_the_next_hears)
    .scenario(3, "when the leader's session expires the next in line leads", usual(), an_expired_leader_is_followed)
    .scenario(4, "a follower of a candidate that gave up watches the one before that", usual(), a_candidate_gives_up)
    .scenario(5, "a candidate that resigns and stands again is last in line", usual(), a_returning_candidate_is_last)
    .scenario(6, "of all who create the one leader znode the first leads", usual(), one_znode_for_the_leader)
    .scenario(
        7,
        "a leader that wrote its epoch cannot be overruled by the one before",
        usual(),
        epochs_fence_the_old_leader,
    )
    .scenario(8, "a leader by lock writes as long as its lock is there", usual(), a_lock_guards_the_leader)
    .scenario(9, "every client can read who leads and who stands", usual(), candidates_are_listed)
}

/// A candidate of the election.
struct Candidate {
    /// Name of the candidate's znode.
    znode: String,
    /// Watch on the candidate before; a leader has none.
    before: Option<OneshotWatcher>,
}

impl Candidate {
    async fn stand(stage: &mut Stage<'_>, user: &User) -> Result<Self, StageError> {
        let data = user.name().as_bytes();
        let made = user
            .create("/election/n-", data, &EPHEMERAL_SEQUENTIAL)
            .await;
        let (_, number) = stage.note(user, "stands", made)?;
        let mut candidate = Self {
            znode: format!("n-{number}"),
            before: None,
        };
        candidate.look(stage, user).await?;
        Ok(candidate)
    }

    /// Finds the candidate's place in the line.
    async fn look(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        loop {
            let line = in_order(user.list_children("/election").await?);
            let before = line.iter().take_while(|name| **name != self.znode).last();
            let Some(before) = before else {
                self.before = None;
                stage.remark(user, "leads");
                return Ok(());
            };
            let path = format!("/election/{before}");
            match user.get_and_watch_data(&path).await {
                Ok((_, _, watcher)) => {
                    self.before = Some(watcher);
                    stage.remark(user, format_args!("watches {before}"));
                    return Ok(());
                }
                // The znode was deleted meanwhile: another candidate is before this one, or none.
                Err(Error::NoNode) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until the candidate before is gone, and finds the place again.
    async fn wait(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        if let Some(before) = self.before.take() {
            stage.notified(user, before).await?;
        }
        self.look(stage, user).await
    }

    async fn resign(self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        let path = format!("/election/{}", self.znode);
        stage.note(user, "resigns", user.delete(&path, None).await)?;
        Ok(())
    }
}

/// Connects users, and creates the znode of their election.
async fn election<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/election", b"").await
}

async fn the_first_leads(stage: &mut Stage<'_>) -> Result<(), StageError> {
    for user in &election(stage, ["a", "b", "c"]).await? {
        Candidate::stand(stage, user).await?;
    }
    Ok(())
}

async fn only_the_next_hears(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = &election(stage, ["a", "b", "c"]).await?;
    let first = Candidate::stand(stage, a).await?;
    let mut second = Candidate::stand(stage, b).await?;
    let mut third = Candidate::stand(stage, c).await?;
    first.resign(stage, a).await?;
    second.wait(stage, b).await?;
    if let Some(before) = third.before.take() {
        stage
            .note_if_notified(c, &mut pin!(before.changed()))
            .await?;
    }
    third.look(stage, c).await
}

async fn an_expired_leader_is_followed(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = &election(stage, ["a", "b"]).await?;
    Candidate::stand(stage, a).await?;
    let mut second = Candidate::stand(stage, b).await?;
    stage.expire_session(a).await?;
    second.wait(stage, b).await?;
    let standing = b.get_children("/election").await;
    stage.note(b, "who stands", standing)?;
    Ok(())
}

async fn a_candidate_gives_up(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = election(stage, ["a", "b", "c"]).await?;
    Candidate::stand(stage, &a).await?;
    Candidate::stand(stage, &b).await?;
    let mut third = Candidate::stand(stage, &c).await?;
    stage.close_session(b).await?;
    third.wait(stage, &c).await
}

async fn a_returning_candidate_is_last(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = &election(stage, ["a", "b"]).await?;
    let first = Candidate::stand(stage, a).await?;
    let mut second = Candidate::stand(stage, b).await?;
    first.resign(stage, a).await?;
    let mut again = Candidate::stand(stage, a).await?;
    second.wait(stage, b).await?;
    second.resign(stage, b).await?;
    again.wait(stage, a).await
}

/// Creates `/leader`, or watches the existing one.
async fn run(stage: &mut Stage<'_>, user: &User) -> Result<Option<OneshotWatcher>, StageError> {
    loop {
        let data = user.name().as_bytes();
        let made = user.create("/leader", data, &EPHEMERAL).await;
        match stage.note(user, "creates /leader", made) {
            Ok(_) => return Ok(None),
            Err(Error::NodeExists) => {}
            Err(error) => return Err(error.into()),
        }
        match user.get_and_watch_data("/leader").await {
            Ok((data, stat, watcher)) => {
                stage.note(user, "follows", (data, stat));
                return Ok(Some(watcher));
            }
            Err(Error::NoNode) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn one_znode_for_the_leader(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = stage.users(["a", "b", "c"]).await?;
    run(stage, &a).await?;
    let second = run(stage, &b).await?;
    let third = run(stage, &c).await?;
    stage.close_session(a).await?;
    // Both are notified, and both run: the first that creates the znode leads.
    for (user, watcher) in [(&c, third), (&b, second)] {
        if let Some(watcher) = watcher {
            stage.notified(user, watcher).await?;
        }
        run(stage, user).await?;
    }
    Ok(())
}

/// Takes the lead and increments the epoch, all or nothing. The version of `/epoch` checks later writes.
async fn begin_epoch(stage: &mut Stage<'_>, user: &User) -> Result<i32, StageError> {
    let (_, stat) = user.get_data("/epoch").await?;
    let mut writer = user.new_multi_writer();
    writer.add_create("/leader", user.name().as_bytes(), &EPHEMERAL)?;
    writer.add_set_data("/epoch", user.name().as_bytes(), Some(stat.version))?;
    stage.note(user, "begins an epoch", writer.commit().await)?;
    Ok(stat.version + 1)
}

async fn epochs_fence_the_old_leader(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/epoch", b"", &PERSISTENT).await?;
    a.create("/topic", b"", &PERSISTENT).await?;
    let old = begin_epoch(stage, &a).await?;
    // The lead is taken away from `a`, which does not know it yet.
    b.delete("/leader", None).await?;
    let new = begin_epoch(stage, &b).await?;
    for (user, epoch) in [(&a, old), (&b, new)] {
        let mut writer = user.new_check_writer("/epoch", Some(epoch))?;
        writer.add_set_data("/topic", user.name().as_bytes(), None)?;
        let written = writer.commit().await;
        let _ = stage.note(user, format_args!("writes in epoch {epoch}"), written);
    }
    stage.note(&b, "reads /topic", b.get_data("/topic").await)?;
    Ok(())
}

async fn a_lock_guards_the_leader(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = &election(stage, ["a", "b"]).await?;
    b.create("/work", b"", &PERSISTENT).await?;
    let prefix = LockPrefix::new_shared("/election/n-")?;
    let lead = a.lock(prefix, b"a", Acls::anyone_all()).await?;
    stage.remark(a, format_args!("leads by {}", lead.lock_path()));
    stage.note(a, "works", lead.set_data("/work", b"1", None).await)?;
    b.delete(lead.lock_path(), None).await?;
    stage.remark(b, "takes the lead away");
    let worked = lead.set_data("/work", b"2", None).await;
    let _ = stage.note(a, "works", worked);
    stage.note(b, "reads /work", b.get_data("/work").await)?;
    Ok(())
}

async fn candidates_are_listed(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = election(stage, ["a", "b", "c"]).await?;
    for user in &users {
        Candidate::stand(stage, user).await?;
    }
    let asker = stage.user("asker").await?;
    for name in in_order(asker.list_children("/election").await?) {
        let read = asker.get_data(&format!("/election/{name}")).await;
        stage.note(&asker, format_args!("reads {name}"), read)?;
    }
    Ok(())
}
