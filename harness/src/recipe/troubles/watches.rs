//! Watches over a lost connection, and watches of too many clients.

use std::pin::pin;

use zookeeper_client::{Acls, AddWatchMode, LockPrefix};

use super::super::{EPHEMERAL, EPHEMERAL_SEQUENTIAL, PERSISTENT, in_order};
use crate::stage::{Stage, StageError};

pub(super) async fn missed(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let b = stage.user("b").await?;
    b.create("/cache", b"", &PERSISTENT).await?;
    b.create("/cache/old", b"1", &PERSISTENT).await?;
    stage
        .steps("a: addWatch /cache recursive\na: getData /cache/old\na: cut")
        .await?;
    b.set_data("/cache/old", b"2", None).await?;
    b.create("/cache/new", b"", &PERSISTENT).await?;
    stage.remark(&b, "changed /cache/old and made /cache/new");
    // Clients send the last zxid that they saw, and all watches. These two kinds deliver no missed event.
    stage
        .steps("a: resume a\na: setWatches2 since=seen recursive=[/cache]")
        .await?;
    stage.note(
        &b,
        "changes /cache/new",
        b.set_data("/cache/new", b"", None).await,
    )?;
    // Only the next change is delivered.
    stage.steps("a: exists /cache").await
}

pub(super) async fn read_again(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let b = stage.user("b").await?;
    b.create("/cache", b"", &PERSISTENT).await?;
    b.create("/cache/old", b"1", &PERSISTENT).await?;
    stage
        .steps("a: addWatch /cache recursive\na: getData /cache/old\na: cut")
        .await?;
    b.delete("/cache/old", None).await?;
    b.create("/cache/new", b"2", &PERSISTENT).await?;
    // First the watch, then the reading: a change in between is noticed.
    stage
        .steps(
            "a: resume a\na: setWatches2 since=seen recursive=[/cache]\n\
             a: getChildren2 /cache\na: getData /cache/new",
        )
        .await
}

pub(super) async fn one_shot_fires(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let b = stage.user("b").await?;
    b.create("/cache", b"", &PERSISTENT).await?;
    b.create("/cache/gone", b"", &PERSISTENT).await?;
    stage
        .steps(
            "a: getData /cache watch\na: getChildren /cache watch\n\
             a: exists /cache/gone watch\na: exists /later watch\na: cut",
        )
        .await?;
    b.set_data("/cache", b"x", None).await?;
    b.delete("/cache/gone", None).await?;
    b.create("/later", b"", &PERSISTENT).await?;
    stage
        .steps("a: resume a\na: setWatches since=seen data=[/cache, /cache/gone] exist=[/later] child=[/cache]")
        .await
}

pub(super) async fn replaced(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let b = stage.user("b").await?;
    // `a` waits for /job, which is created and deleted while `a` is away.
    stage.steps("a: exists /job watch\na: cut").await?;
    b.create("/job", b"", &PERSISTENT).await?;
    b.delete("/job", None).await?;
    stage
        .steps("a: resume a\na: setWatches since=seen exist=[/job]")
        .await?;
    stage.note(
        &b,
        "makes /job again",
        b.create("/job", b"", &PERSISTENT).await,
    )?;
    stage.steps("a: getData /job").await
}

pub(super) async fn notified_of_the_gap(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    b.create("/cache", b"", &PERSISTENT).await?;
    let mut changes = a.watch("/cache", AddWatchMode::PersistentRecursive).await?;
    stage.restart_server(&[&a, &b]).await?;
    // The event of a persistent watch shows that it may have missed something, so everything is read again.
    for _ in 0..2 {
        stage.next_event(&a, &mut changes).await?;
    }
    // A user cannot know whether the client library has set the watch again (zookeeper-client 0.11 has not), so it is
    // set before the reading.
    let mut changes = a.watch("/cache", AddWatchMode::PersistentRecursive).await?;
    stage.note(&a, "reads again", a.get_children("/cache").await)?;
    stage.note(&b, "creates", b.create("/cache/x", b"", &PERSISTENT).await)?;
    stage.next_event(&a, &mut changes).await?;
    Ok(())
}

pub(super) async fn lock_through_a_restart(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/lock", b"", &PERSISTENT).await?;
    let mut line = a.watch("/lock", AddWatchMode::PersistentRecursive).await?;
    let held = a
        .lock(LockPrefix::new_shared("/lock/n-")?, b"", Acls::anyone_all())
        .await?;
    let waiting = tokio::spawn({
        let b = b.clone();
        async move {
            let prefix = LockPrefix::new_shared("/lock/n-")?;
            let lock = b.lock(prefix, b"", Acls::anyone_all()).await?;
            Ok::<_, zookeeper_client::Error>(lock.lock_path().to_owned())
        }
    });
    for _ in 0..2 {
        stage.next_event(&a, &mut line).await?;
    }
    // b has its answer, reads the line and sets its watch. (A client that loses its connection before that may leave
    // a znode that it does not find again: zookeeper-client 0.11 does, see `Client::find_lock`.)
    stage.send_requests(&b, 6).await?;
    stage.restart_server(&[&a, &b]).await?;
    drop(held);
    let had = stage.within("the lock", waiting).await?;
    let had = had.map_err(|error| StageError::Senseless(error.to_string()))??;
    stage.remark(&b, format_args!("has {had}"));
    Ok(())
}

pub(super) async fn herd(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [holder, a, b, c] = stage.users(["holder", "a", "b", "c"]).await?;
    holder.create("/lock", b"", &EPHEMERAL).await?;
    let mut waiting = Vec::new();
    for user in [&a, &b, &c] {
        waiting.push((user, user.check_and_watch_stat("/lock").await?.1));
    }
    stage.note(&holder, "releases", holder.delete("/lock", None).await)?;
    for (user, watcher) in waiting {
        stage.notified(user, watcher).await?;
    }
    for user in [&a, &b, &c] {
        let made = user.create("/lock", b"", &EPHEMERAL).await;
        let _ = stage.note(user, "runs for the lock", made);
    }
    Ok(())
}

pub(super) async fn no_herd(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [holder, a, b, c] = stage.users(["holder", "a", "b", "c"]).await?;
    holder.create("/lock", b"", &PERSISTENT).await?;
    let mut waiting = Vec::new();
    for user in [&holder, &a, &b, &c] {
        user.create("/lock/n-", b"", &EPHEMERAL_SEQUENTIAL).await?;
        let line = in_order(user.list_children("/lock").await?);
        if let [.., before, _] = &line[..] {
            let path = format!("/lock/{before}");
            waiting.push((user, user.check_and_watch_stat(&path).await?.1));
        }
    }
    let released = holder.delete("/lock/n-0000000000", None).await;
    stage.note(&holder, "releases", released)?;
    let mut waiting = waiting.into_iter();
    if let Some((user, watcher)) = waiting.next() {
        stage.notified(user, watcher).await?;
    }
    for (user, watcher) in waiting {
        stage
            .note_if_notified(user, &mut pin!(watcher.changed()))
            .await?;
    }
    Ok(())
}
