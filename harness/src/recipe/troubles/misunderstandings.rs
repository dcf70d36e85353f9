//! Guarantees that ZooKeeper does not give.

use zookeeper_client::{Client, Error};

use super::super::PERSISTENT;
use crate::stage::{Stage, StageError};

pub(super) async fn versions_begin_anew(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/x", b"old", &PERSISTENT).await?;
    let (_, read) = stage.note(&a, "reads", a.get_data("/x").await)?;
    b.delete("/x", None).await?;
    b.create("/x", b"another's", &PERSISTENT).await?;
    stage.remark(&b, "replaces the znode");
    // Not refused: the new znode has version 0 as well. The zxid that created it differs.
    let set = a.set_data("/x", b"over it", Some(read.version)).await;
    let now = stage.note(&a, "sets what it read", set)?;
    stage.remark(
        &a,
        format_args!("the znode it read: {}", now.czxid == read.czxid),
    );
    Ok(())
}

pub(super) async fn folder_is_gone(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.mkdir("/locks/daily", &PERSISTENT).await?;
    // Another client removes empty folders, as the server itself does with containers.
    b.delete("/locks/daily", None).await?;
    b.delete("/locks", None).await?;
    let made = a.create("/locks/daily/x", b"", &PERSISTENT).await;
    if stage.note(&a, "creates", made) == Err(Error::NoNode) {
        stage.note(
            &a,
            "makes the folder again",
            a.mkdir("/locks/daily", &PERSISTENT).await,
        )?;
        let made = a.create("/locks/daily/x", b"", &PERSISTENT).await;
        stage.note(&a, "creates", made)?;
    }
    Ok(())
}

pub(super) async fn no_such_root(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let a = stage.user("a").await?;
    let root = format!("{}/nowhere", stage.chroot().as_str());
    let lost = Client::clone(&a)
        .chroot(root)
        .map_err(|_| StageError::Senseless("a root that is no path".to_owned()))?;
    stage.note(&a, "below it, looks for /x", lost.check_stat("/x").await)?;
    stage.note(&a, "below it, looks for /", lost.check_stat("/").await)?;
    let made = lost.create("/x", b"", &PERSISTENT).await;
    let _ = stage.note(&a, "below it, creates /x", made);
    let made = lost.mkdir("/x/y", &PERSISTENT).await;
    let _ = stage.note(&a, "below it, makes /x/y", made);
    stage.note(
        &a,
        "makes the root",
        a.create("/nowhere", b"", &PERSISTENT).await,
    )?;
    stage.note(
        &a,
        "below it, makes /x/y",
        lost.mkdir("/x/y", &PERSISTENT).await,
    )?;
    Ok(())
}

pub(super) async fn timeout_is_cut(stage: &mut Stage<'_>) -> Result<(), StageError> {
    // A client that asks for a minute and relies on it has ten seconds here.
    stage
        .steps("a: connect timeout=60000\nb: connect timeout=1")
        .await
}

pub(super) async fn recursive_delete(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.mkdir("/tree/branch/leaf", &PERSISTENT).await?;
    let _ = stage.note(&a, "deletes /tree", a.delete("/tree", None).await);
    for path in ["/tree/branch/leaf", "/tree/branch"] {
        stage.note(
            &a,
            format_args!("deletes {path}"),
            a.delete(path, None).await,
        )?;
    }
    // Another client uses the tree meanwhile.
    b.create("/tree/twig", b"", &PERSISTENT).await?;
    let _ = stage.note(&a, "deletes /tree", a.delete("/tree", None).await);
    // All or nothing: an unlisted child prevents the deletion of the rest.
    let mut all = a.new_multi_writer();
    all.add_delete("/tree/twig", None)?;
    all.add_delete("/tree", None)?;
    stage.note(&a, "deletes all it sees", all.commit().await)?;
    Ok(())
}
