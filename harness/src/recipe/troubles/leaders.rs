//! Leaders that must not lead, and elections without a leader.

use zookeeper_client::{Acls, Error, LockPrefix};

use super::super::{EPHEMERAL, EPHEMERAL_SEQUENTIAL, PERSISTENT, in_order};
use crate::stage::{Stage, StageError, User};

/// A storage outside ZooKeeper that leaders write to.
#[derive(Default)]
struct Storage {
    /// Highest token of a write.
    highest: i64,
    written: Vec<String>,
}

impl Storage {
    /// Accepts every write.
    fn write(&mut self, who: &str) {
        self.written.push(who.to_owned());
    }

    /// Accepts a write if no write had a higher token.
    fn write_fenced(&mut self, who: &str, token: i64) -> bool {
        let fresh = token >= self.highest;
        if fresh {
            self.highest = token;
            self.write(who);
        }
        fresh
    }
}

pub(super) async fn two_leaders(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let mut storage = Storage::default();
    let b = stage.user("b").await?;
    stage
        .steps("a: connect timeout=2000\na: create /leader \"a\" ephemeral")
        .await?;
    storage.write("a");
    let (_, gone) = b.check_and_watch_stat("/leader").await?;
    stage.steps("a: cut").await?;
    stage
        .notes()
        .remark("a", "takes it for a suspension, and goes on leading");
    storage.write("a");
    stage.steps("pass 2500ms").await?;
    stage.notified(&b, gone).await?;
    let made = b.create("/leader", b"b", &EPHEMERAL).await;
    stage.note(&b, "leads", made)?;
    storage.write("b");
    storage.write("a");
    let order = storage.written.join(", then ");
    stage
        .notes()
        .remark("storage", &format!("was written to by {order}"));
    // Only now does the client learn that its session is over, and with it its lead.
    stage.steps("a: resume a timeout=2000").await
}

/// Takes the lock. Its token is the zxid that created its znode, and no later holder has a lower one.
async fn token(stage: &mut Stage<'_>, user: &User) -> Result<i64, StageError> {
    let prefix = LockPrefix::new_shared("/lock/n-")?;
    let locking = user.lock(prefix, b"", Acls::anyone_all());
    let lock = stage.within("a lock", locking).await??;
    let stat = user.check_stat(lock.lock_path()).await;
    let stat = stage.note(user, "holds the lock", stat)?;
    // The lock is held until the session ends.
    std::mem::forget(lock);
    Ok(stat.map_or(0, |stat| stat.czxid))
}

pub(super) async fn fenced(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let mut storage = Storage::default();
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/lock", b"", &PERSISTENT).await?;
    let old = token(stage, &a).await?;
    let taken = storage.write_fenced("a", old);
    stage.remark(&a, format_args!("writes; taken: {taken}"));
    // The client pauses, as in a long garbage collection, and its session expires meanwhile.
    stage.expire_session(&a).await?;
    let new = token(stage, &b).await?;
    let taken = storage.write_fenced("b", new);
    stage.remark(&b, format_args!("writes; taken: {taken}"));
    let taken = storage.write_fenced("a", old);
    stage.remark(&a, format_args!("writes what it had begun; taken: {taken}"));
    Ok(())
}

/// Restarts the leader's process; its old session still exists.
async fn restarted(stage: &mut Stage<'_>) -> Result<User, StageError> {
    stage
        .steps("old: connect timeout=2000\nold: create /leader \"a\" ephemeral\nold: cut")
        .await?;
    stage.user("a").await
}

pub(super) async fn a_restarted_leader_trusts_its_name(
    stage: &mut Stage<'_>,
) -> Result<(), StageError> {
    let a = restarted(stage).await?;
    let made = a.create("/leader", b"a", &EPHEMERAL).await;
    if stage.note(&a, "creates /leader", made) == Err(Error::NodeExists) {
        let (name, _, gone) = a.get_and_watch_data("/leader").await?;
        if name == b"a" {
            stage.remark(&a, "reads its own name, and leads");
        }
        stage.steps("pass 2500ms").await?;
        stage.notified(&a, gone).await?;
    }
    stage.note(&a, "looks for /leader", a.check_stat("/leader").await)?;
    stage.remark(&a, "still thinks that it leads");
    Ok(())
}

pub(super) async fn a_restarted_leader_compares_the_owner(
    stage: &mut Stage<'_>,
) -> Result<(), StageError> {
    let a = restarted(stage).await?;
    let made = a.create("/leader", b"a", &EPHEMERAL).await;
    if stage.note(&a, "creates /leader", made) == Err(Error::NodeExists) {
        let (name, stat) = stage.note(&a, "reads /leader", a.get_data("/leader").await)?;
        if name == b"a" && stat.ephemeral_owner != a.session_id().0 {
            stage.remark(&a, "sees that an older session of its own made it");
            let mut writer = a.new_multi_writer();
            writer.add_delete("/leader", Some(stat.version))?;
            writer.add_create("/leader", b"a", &EPHEMERAL)?;
            stage.note(&a, "replaces it", writer.commit().await)?;
        }
    }
    // The end of the old session deletes nothing.
    stage
        .steps("end: resume old timeout=2000\nend: closeSession")
        .await?;
    stage.note(&a, "looks for /leader", a.check_stat("/leader").await)?;
    Ok(())
}

async fn stand(stage: &mut Stage<'_>, user: &User) -> Result<String, StageError> {
    let made = user
        .create("/election/n-", b"", &EPHEMERAL_SEQUENTIAL)
        .await;
    let (_, number) = stage.note(user, "stands", made)?;
    Ok(format!("n-{number}"))
}

pub(super) async fn no_candidate_after_an_expiry(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let a = stage.user("a").await?;
    a.create("/election", b"", &PERSISTENT).await?;
    let own = stand(stage, &a).await?;
    stage.expire_session(&a).await?;
    // The client connects again, and the program continues as if it had the old session.
    let a = stage.user("a").await?;
    let line = in_order(a.list_children("/election").await?);
    stage.note(&a, "looks who stands", line.clone());
    if !line.contains(&own) {
        stage.remark(&a, "does not stand any more, and no candidate leads");
        stand(stage, &a).await?;
        stage.note(&a, "looks who stands", a.list_children("/election").await)?;
    }
    Ok(())
}

pub(super) async fn an_ended_session_needs_a_new_client(
    stage: &mut Stage<'_>,
) -> Result<(), StageError> {
    let a = stage.user("a").await?;
    stage.note(&a, "creates", a.create("/a", b"", &EPHEMERAL).await)?;
    stage.expire_session(&a).await?;
    let _ = stage.note(&a, "reads", a.get_data("/a").await);
    let _ = stage.note(&a, "creates", a.create("/a", b"", &EPHEMERAL).await);
    stage.note(&a, "is", a.state());
    let again = stage.user("a").await?;
    stage.note(&again, "creates", again.create("/a", b"", &EPHEMERAL).await)?;
    Ok(())
}

pub(super) async fn one_session_for_two(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let watcher = stage.user("watcher").await?;
    // Such as a process that was copied together with its session and password.
    stage
        .steps("a: create /a null ephemeral\nb: resume a\nb: create /b null ephemeral")
        .await?;
    let (_, gone) = watcher.check_and_watch_stat("/a").await?;
    stage.steps("b: closeSession").await?;
    stage.notified(&watcher, gone).await?;
    stage.note(&watcher, "lists", watcher.list_children("/").await)?;
    stage.steps("a: resume a").await
}

pub(super) async fn sorted_as_a_whole(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/election", b"", &PERSISTENT).await?;
    // Each client puts an id of its own before the name, to find its znode again after a lost reply.
    for (user, id) in [(&a, "f00d"), (&b, "0042")] {
        let path = format!("/election/_c_{id}-n-");
        let made = user
            .create(&path, user.name().as_bytes(), &EPHEMERAL_SEQUENTIAL)
            .await;
        stage.note(user, "stands", made)?;
    }
    let mut names = b.list_children("/election").await?;
    names.sort();
    if let Some(first) = names.first() {
        stage.remark(
            &b,
            format_args!("sorts the names and takes {first} for the leader"),
        );
    }
    if let Some(first) = in_order(names).first() {
        stage.remark(
            &a,
            format_args!("sorts the numbers and takes {first} for the leader"),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Storage;

    #[test]
    fn a_fenced_storage_takes_nothing_from_an_older_token() {
        let mut storage = Storage::default();
        for (token, taken) in [(5, true), (5, true), (9, true), (5, false), (9, true)] {
            assert_eq!(storage.write_fenced("a", token), taken, "{token}");
        }
        assert_eq!(storage.written.len(), 4);
    }
}
