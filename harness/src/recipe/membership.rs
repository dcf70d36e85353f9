//! Group membership by ephemerals.

use std::pin::pin;
use std::time::Duration;

use zookeeper_client::AddWatchMode;

use super::{EPHEMERAL, PERSISTENT, since_3_6, since_3_9, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "membership",
        "Group membership",
        "A member is an ephemeral under the group; a client that needs the group watches its children.",
    )
    .scenario(1, "members are notified of each client that joins or leaves", usual(), join_and_leave)
    .scenario(2, "two clients that join before any reader looks are one event", usual(), two_at_once)
    .scenario(3, "the counters of a group show how often it changed", usual(), counts)
    .scenario(4, "two clients cannot join under one name", usual(), one_name)
    .scenario(5, "a member that falls silent leaves when its timeout is over", usual(), a_silent_member)
    .scenario(6, "a member knows its own znodes in every group", since_3_6(), own_znodes)
    .scenario(7, "a group that is not empty cannot be dissolved", usual(), dissolved)
    .scenario(8, "a persistent watch gets an event for every change", since_3_9(), every_change)
    .scenario(9, "members stay members through a restart of the server", restarting(), a_restart)
}

fn restarting() -> crate::script::Headers {
    crate::script::Headers {
        restart: true,
        ..usual()
    }
}

async fn group<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/group", b"").await
}

async fn join(stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
    let path = format!("/group/{}", user.name());
    stage.note(user, "joins", user.create(&path, b"", &EPHEMERAL).await)?;
    Ok(())
}

async fn join_and_leave(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = group(stage, ["a", "b", "c"]).await?;
    join(stage, &a).await?;
    for user in [&b, &c] {
        let listed = a.list_and_watch_children("/group").await;
        let (_, change) = stage.note(&a, "lists", listed)?;
        join(stage, user).await?;
        stage.notified(&a, change).await?;
    }
    let listed = a.list_and_watch_children("/group").await;
    let (_, change) = stage.note(&a, "lists", listed)?;
    stage.close_session(b).await?;
    stage.notified(&a, change).await?;
    stage.note(&a, "lists", a.list_children("/group").await)?;
    Ok(())
}

async fn two_at_once(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, watcher] = group(stage, ["a", "b", "watcher"]).await?;
    let (_, change) = watcher.list_and_watch_children("/group").await?;
    join(stage, &a).await?;
    join(stage, &b).await?;
    stage.notified(&watcher, change).await?;
    let listed = watcher.list_and_watch_children("/group").await;
    let (_, change) = stage.note(&watcher, "lists", listed)?;
    stage
        .note_if_notified(&watcher, &mut pin!(change.changed()))
        .await
}

async fn counts(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, watcher] = group(stage, ["a", "b", "watcher"]).await?;
    stage.note(&watcher, "counts", watcher.check_stat("/group").await)?;
    join(stage, &a).await?;
    join(stage, &b).await?;
    stage.note(&watcher, "counts", watcher.check_stat("/group").await)?;
    stage.close_session(a).await?;
    stage.note(&watcher, "counts", watcher.check_stat("/group").await)?;
    b.set_data("/group/b", b"busy", None).await?;
    stage.note(&watcher, "counts", watcher.check_stat("/group").await)?;
    Ok(())
}

async fn one_name(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = group(stage, ["a", "b"]).await?;
    join(stage, &a).await?;
    let _ = stage.note(
        &b,
        "joins as a",
        b.create("/group/a", b"", &EPHEMERAL).await,
    );
    let child = b.create("/group/a/child", b"", &PERSISTENT).await;
    let _ = stage.note(&b, "makes a child of a", child);
    stage.close_session(a).await?;
    stage.note(
        &b,
        "joins as a",
        b.create("/group/a", b"", &EPHEMERAL).await,
    )?;
    Ok(())
}

async fn a_silent_member(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a] = group(stage, ["a"]).await?;
    join(stage, &a).await?;
    stage
        .steps("b: connect timeout=2000\nb: create /group/b null ephemeral")
        .await?;
    let (_, change) = a.list_and_watch_children("/group").await?;
    stage.steps("b: silent").await?;
    stage.pass(Duration::from_millis(2500)).await?;
    stage.notified(&a, change).await?;
    stage.note(&a, "lists", a.get_children("/group").await)?;
    Ok(())
}

async fn own_znodes(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = group(stage, ["a", "b"]).await?;
    a.create("/other", b"", &PERSISTENT).await?;
    join(stage, &a).await?;
    join(stage, &b).await?;
    a.create("/other/a", b"", &EPHEMERAL).await?;
    for prefix in ["/", "/group", "/nowhere"] {
        let own = a.list_ephemerals(prefix).await;
        stage.note(&a, format_args!("owns under {prefix}"), own)?;
    }
    stage.note(
        &a,
        "counts the group",
        a.count_descendants_number("/group").await,
    )?;
    Ok(())
}

async fn dissolved(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = group(stage, ["a", "b"]).await?;
    join(stage, &a).await?;
    let _ = stage.note(&b, "dissolves the group", b.delete("/group", None).await);
    let (_, _, end) = b.get_and_watch_children("/group").await?;
    stage.close_session(a).await?;
    stage.notified(&b, end).await?;
    let (_, end) = b.check_and_watch_stat("/group").await?;
    stage.note(&b, "dissolves the group", b.delete("/group", Some(0)).await)?;
    stage.notified(&b, end).await?;
    Ok(())
}

async fn every_change(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, watcher] = group(stage, ["a", "b", "watcher"]).await?;
    let mut children = watcher.watch("/group", AddWatchMode::Persistent).await?;
    let mut each = watcher
        .watch("/group", AddWatchMode::PersistentRecursive)
        .await?;
    join(stage, &a).await?;
    join(stage, &b).await?;
    stage.close_session(a).await?;
    stage.expire_session(&b).await?;
    for _ in 0..4 {
        stage.next_event(&watcher, &mut each).await?;
    }
    // The group itself gets events of its children by the watch that is not recursive.
    for _ in 0..4 {
        stage.next_event(&watcher, &mut children).await?;
    }
    Ok(())
}

async fn a_restart(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = group(stage, ["a", "b"]).await?;
    join(stage, &a).await?;
    join(stage, &b).await?;
    let (_, change) = b.list_and_watch_children("/group").await?;
    stage.restart_server(&[&a, &b]).await?;
    stage.note(&b, "lists", b.get_children("/group").await)?;
    stage.close_session(a).await?;
    stage.notified(&b, change).await?;
    stage.note(&b, "lists", b.get_children("/group").await)?;
    Ok(())
}
