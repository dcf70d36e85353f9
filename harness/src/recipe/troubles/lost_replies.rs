//! Requests that were executed although the client got no reply: it connects again with its session, and has to find
//! out.

use zookeeper_client::OneshotWatcher;

use super::super::{EPHEMERAL, PERSISTENT, in_order};
use crate::stage::{Stage, StageError, User};

/// Connects a raw client `a`, and an observer.
async fn begin(stage: &mut Stage<'_>) -> Result<User, StageError> {
    let observer = stage.user("observer").await?;
    observer.create("/q", b"", &PERSISTENT).await?;
    stage.steps("a: connect").await?;
    Ok(observer)
}

/// Loses the reply of a request. Returns after the observer was notified of its effect.
async fn lose(
    stage: &mut Stage<'_>,
    observer: &User,
    done: OneshotWatcher,
    request: &str,
) -> Result<(), StageError> {
    stage.lose_reply(request).await?;
    stage.notified(observer, done).await?;
    stage.steps("a: resume a").await
}

pub(super) async fn create_without_id(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, done) = observer.list_and_watch_children("/q").await?;
    let create = "a: create2 /q/n- null ephemeral-sequential";
    lose(stage, &observer, done, create).await?;
    stage.steps(create).await?;
    let line = in_order(observer.list_children("/q").await?);
    // Both belong to one live session: the first is in the line for as long as the second, and longer.
    for name in line {
        let stat = observer.check_stat(&format!("/q/{name}")).await;
        stage.note(&observer, format_args!("sees {name}"), stat)?;
    }
    Ok(())
}

pub(super) async fn create_with_id(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, done) = observer.list_and_watch_children("/q").await?;
    let create = "a: create2 /q/_c_5eed-n- null ephemeral-sequential";
    lose(stage, &observer, done, create).await?;
    stage.steps("a: getChildren /q").await?;
    let names = observer.list_children("/q").await?;
    match names.iter().find(|name| name.starts_with("_c_5eed-")) {
        Some(name) => stage
            .notes()
            .remark("a", &format!("finds {name}, and need not create it again")),
        None => stage.steps(create).await?,
    }
    stage.note(&observer, "sees", observer.get_children("/q").await)?;
    Ok(())
}

pub(super) async fn create_with_id_lost_on_the_way(
    stage: &mut Stage<'_>,
) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    // Here the request itself is lost.
    stage
        .steps("a: cut\na: resume a\na: getChildren /q")
        .await?;
    let names = observer.list_children("/q").await?;
    if !names.iter().any(|name| name.starts_with("_c_5eed-")) {
        stage
            .steps("a: create2 /q/_c_5eed-n- null ephemeral-sequential")
            .await?;
    }
    stage.note(&observer, "sees", observer.get_children("/q").await)?;
    Ok(())
}

/// Notes the owner of an ephemeral by the session of the last reply; the transcript distinguishes the sessions of raw
/// clients.
async fn owner(stage: &mut Stage<'_>, observer: &User, path: &str) -> Result<(), StageError> {
    let stat = observer.check_stat(path).await;
    stage.note(observer, format_args!("sees {path}"), stat)?;
    Ok(())
}

pub(super) async fn own_by_owner(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, done) = observer.check_and_watch_stat("/q/broker").await?;
    let create = "a: create2 /q/broker \"a\" ephemeral";
    lose(stage, &observer, done, create).await?;
    // Refused, since the znode exists; but its owner is the requesting session.
    stage.steps(create).await?;
    stage.steps("a: getData /q/broker").await?;
    owner(stage, &observer, "/q/broker").await
}

pub(super) async fn not_own_by_owner(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    stage.note(&b, "registers", b.create("/broker", b"1", &EPHEMERAL).await)?;
    for user in [&b, &a] {
        let made = user.create("/broker", b"1", &EPHEMERAL).await;
        let _ = stage.note(user, "registers", made);
        let (_, stat) = stage.note(user, "reads", user.get_data("/broker").await)?;
        let own = stat.ephemeral_owner == user.session_id().0;
        stage.remark(
            user,
            if own {
                "is registered"
            } else {
                "finds another with its number"
            },
        );
    }
    Ok(())
}

pub(super) async fn set_twice(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, _, done) = observer.get_and_watch_data("/q").await?;
    let set = "a: setData /q \"mine\" v=0";
    lose(stage, &observer, done, set).await?;
    // Refused, since the version is the client's own. Only the data shows it.
    stage.steps(set).await?;
    stage.steps("a: getData /q").await
}

pub(super) async fn counted_twice(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, _, done) = observer.get_and_watch_data("/q").await?;
    // The version of the znode is the counter.
    let count = "a: setData /q null";
    lose(stage, &observer, done, count).await?;
    stage.steps(count).await?;
    stage.note(&observer, "counts", observer.check_stat("/q").await)?;
    Ok(())
}

pub(super) async fn deleted_by_whom(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    observer.create("/q/item", b"", &PERSISTENT).await?;
    let (_, done) = observer.check_and_watch_stat("/q/item").await?;
    let delete = "a: delete /q/item v=0";
    lose(stage, &observer, done, delete).await?;
    stage.steps(delete).await?;
    // A claim znode of its own would have shown the client its success.
    observer.create("/q/next", b"", &PERSISTENT).await?;
    let (_, done) = observer.check_and_watch_stat("/q/next").await?;
    let take = "a: multi [delete /q/next v=0; create /q/taken-by-a null]";
    lose(stage, &observer, done, take).await?;
    stage.steps("a: exists /q/taken-by-a").await
}

pub(super) async fn transaction(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let observer = begin(stage).await?;
    let (_, done) = observer.check_and_watch_stat("/q/one").await?;
    let both = "a: multi [create /q/one null; create /q/two null; setData /q \"both\" v=0]";
    lose(stage, &observer, done, both).await?;
    stage.steps(both).await?;
    stage.note(&observer, "sees", observer.get_children("/q").await)?;
    Ok(())
}
