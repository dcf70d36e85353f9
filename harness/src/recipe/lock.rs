//! Locks: the crate's own, alone and together with those of other clients' recipes.

use tokio::task::JoinHandle;
use zookeeper_client::{
    Acls, AddWatchMode, Error, EventType, LockClient, LockOptions, LockPrefix, OwnedLockClient,
    PersistentWatcher,
};

use super::{
    CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, PERSISTENT, in_order, number, since_3_6, usual,
};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

// Longer than 60 lines: a list of cases.
pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "lock",
        "Locks",
        "Ephemeral sequential znodes: the lowest holds the lock, the others wait in line.",
    )
    .scenario(
        1,
        "a lock passes on in the order in which it was asked for",
        since_3_6(),
        in_line,
    )
    .scenario(
        2,
        "a lock passes on when its holder's session is over",
        since_3_6(),
        the_holder_expires,
    )
    .scenario(
        3,
        "a client that stops waiting leaves nothing behind",
        since_3_6(),
        gives_up,
    )
    .scenario(
        4,
        "locks of three kinds share one line by their numbers",
        since_3_6(),
        three_kinds,
    )
    .scenario(
        5,
        "a lock makes the folder it needs",
        since_3_6(),
        makes_its_folder,
    )
    .scenario(
        6,
        "what is written under a lock that was lost is refused",
        usual(),
        lost_lock,
    )
    .scenario(
        7,
        "a client that does not want to wait tries",
        usual(),
        tries,
    )
    .scenario(
        8,
        "a holder that is asked to give its lock back does so",
        since_3_6(),
        revoked,
    )
    .scenario(
        9,
        "two locks at once are taken both or none",
        usual(),
        two_at_once,
    )
    .scenario(
        10,
        "every client can see the holder",
        since_3_6(),
        visible_holder,
    )
    .scenario(
        11,
        "a lock is held through a restart of the server",
        restarting(),
        a_restart,
    )
}

fn restarting() -> crate::script::Headers {
    crate::script::Headers {
        restart: true,
        ..usual()
    }
}

/// A requested lock.
type Waiting = JoinHandle<Result<OwnedLockClient, Error>>;

fn ask(user: &User) -> Waiting {
    let user = user.clone();
    tokio::spawn(async move {
        let prefix = LockPrefix::new_shared("/lock/n-")?;
        let data = user.name().as_bytes();
        let lock = user.lock(prefix, data, Acls::anyone_all()).await?;
        Ok(lock.into_owned())
    })
}

/// Waits until the lock is granted.
async fn have(
    stage: &mut Stage<'_>,
    user: &User,
    waiting: Waiting,
) -> Result<OwnedLockClient, StageError> {
    let what = format!("{} to have the lock", user.name());
    let lock = stage.within(&what, waiting).await?;
    let lock = lock.map_err(|error| StageError::Senseless(error.to_string()))??;
    stage.remark(
        user,
        format_args!("has the lock by number {}", number(lock.lock_path())),
    );
    Ok(lock)
}

/// Creates the folder of the lock, and watches it by an observer.
async fn folder(stage: &mut Stage<'_>, observer: &User) -> Result<PersistentWatcher, StageError> {
    stage.note(
        observer,
        "makes /lock",
        observer.create("/lock", b"", &PERSISTENT).await,
    )?;
    let watching = observer
        .watch("/lock", AddWatchMode::PersistentRecursive)
        .await;
    Ok(stage.note(observer, "watches /lock", watching)?)
}

async fn in_line(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, observer] = stage.users(["a", "b", "c", "observer"]).await?;
    let mut line = folder(stage, &observer).await?;
    let mut waiting = Vec::new();
    for user in [&a, &b, &c] {
        waiting.push(ask(user));
        stage.next_event(&observer, &mut line).await?;
    }
    for (user, waiting) in [&a, &b, &c].into_iter().zip(waiting) {
        let lock = have(stage, user, waiting).await?;
        drop(lock);
        stage.next_event(&observer, &mut line).await?;
    }
    Ok(())
}

async fn the_holder_expires(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, observer] = stage.users(["a", "b", "observer"]).await?;
    let mut line = folder(stage, &observer).await?;
    let held = have(stage, &a, ask(&a)).await?;
    let waiting = ask(&b);
    for _ in 0..2 {
        stage.next_event(&observer, &mut line).await?;
    }
    stage.expire_session(&a).await?;
    have(stage, &b, waiting).await?;
    let late = held.create("/done", b"", &PERSISTENT).await;
    let _ = stage.note(&a, "writes under its lock", late);
    Ok(())
}

async fn gives_up(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, observer] = stage.users(["a", "b", "c", "observer"]).await?;
    let mut line = folder(stage, &observer).await?;
    let held = have(stage, &a, ask(&a)).await?;
    let second = ask(&b);
    for _ in 0..2 {
        stage.next_event(&observer, &mut line).await?;
    }
    let third = ask(&c);
    stage.next_event(&observer, &mut line).await?;
    second.abort();
    stage.remark(&b, "gives up");
    stage.next_event(&observer, &mut line).await?;
    stage.note(&observer, "sees", observer.list_children("/lock").await)?;
    drop(held);
    stage.next_event(&observer, &mut line).await?;
    have(stage, &c, third).await?;
    Ok(())
}

/// Notes an event, without the random part of the name.
async fn waits_for_predecessor(
    stage: &mut Stage<'_>,
    user: &User,
    line: &mut PersistentWatcher,
) -> Result<(), StageError> {
    let event = stage.within("an event of the line", line.changed()).await?;
    let kind = if event.event_type == EventType::NodeCreated {
        "comes"
    } else {
        "goes"
    };
    stage.remark(
        user,
        format_args!("sees that number {} {kind}", number(&event.path)),
    );
    Ok(())
}

async fn three_kinds(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, observer] = stage.users(["a", "b", "c", "observer"]).await?;
    let mut line = folder(stage, &observer).await?;
    // kazoo's lock znodes end in `__lock__` and a number, Curator's in a name and a number: each client counts every
    // znode with `lock` in its name as a place in the line.
    let kazoo = LockPrefix::new_custom("/lock/5d3c__lock__".to_owned(), "lock")?;
    let first = stage
        .within("the first lock", a.lock(kazoo, b"a", Acls::anyone_all()))
        .await??;
    stage.remark(&a, format_args!("has {}", first.lock_path()));
    let curators = tokio::spawn({
        let b = b.clone();
        async move {
            let prefix = LockPrefix::new_curator("/lock", "lock")?;
            Ok(b.lock(prefix, b"b", Acls::anyone_all()).await?.into_owned())
        }
    });
    for _ in 0..2 {
        waits_for_predecessor(stage, &observer, &mut line).await?;
    }
    let custom = tokio::spawn({
        let c = c.clone();
        async move {
            let prefix = LockPrefix::new_custom("/lock/0-lock-".to_owned(), "lock")?;
            Ok(c.lock(prefix, b"c", Acls::anyone_all()).await?.into_owned())
        }
    });
    waits_for_predecessor(stage, &observer, &mut line).await?;
    drop(first);
    let second = have(stage, &b, curators).await?;
    drop(second);
    have(stage, &c, custom).await?;
    for _ in 0..2 {
        waits_for_predecessor(stage, &observer, &mut line).await?;
    }
    Ok(())
}

async fn makes_its_folder(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    let prefix = || LockPrefix::new_shared("/app/locks/daily/n-");
    let refused = a.lock(prefix()?, b"", Acls::anyone_all()).await.map(drop);
    let _ = stage.note(&a, "locks", refused);
    let options = LockOptions::new(Acls::anyone_all()).with_ancestor_options(CONTAINER)?;
    let lock = stage
        .within("the lock", a.lock(prefix()?, b"", options))
        .await??;
    stage.remark(&a, format_args!("has {}", lock.lock_path()));
    stage.note(
        &b,
        "looks at /app/locks",
        b.get_children("/app/locks").await,
    )?;
    stage.note(
        &b,
        "looks at /app/locks/daily",
        b.get_children("/app/locks/daily").await,
    )?;
    Ok(())
}

async fn lost_lock(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, admin] = stage.users(["a", "admin"]).await?;
    admin.create("/lock", b"", &PERSISTENT).await?;
    admin.create("/data", b"", &PERSISTENT).await?;
    let lock = have(stage, &a, ask(&a)).await?;
    stage.note(&a, "writes", lock.set_data("/data", b"1", None).await)?;
    stage.note(
        &a,
        "creates",
        lock.create("/data/x", b"", &PERSISTENT).await,
    )?;
    let mut writer = lock.new_check_writer();
    writer.add_set_data("/data", b"2", Some(1))?;
    writer.add_delete("/data/x", None)?;
    stage.note(&a, "writes both", writer.commit().await)?;
    stage.note(
        &admin,
        "breaks the lock",
        admin.delete(lock.lock_path(), None).await,
    )?;
    let _ = stage.note(&a, "writes", lock.set_data("/data", b"3", None).await);
    let _ = stage.note(
        &a,
        "creates",
        lock.create("/data/y", b"", &PERSISTENT).await,
    );
    let _ = stage.note(&a, "deletes", lock.delete("/data", None).await);
    stage.note(&admin, "reads", admin.get_data("/data").await)?;
    Ok(())
}

/// Takes a lock that is one znode, if it is free.
async fn try_lock(stage: &mut Stage<'_>, user: &User) -> Result<bool, StageError> {
    let made = user
        .create("/lock", user.name().as_bytes(), &EPHEMERAL)
        .await;
    match stage.note(user, "tries", made) {
        Ok(_) => Ok(true),
        Err(Error::NodeExists) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn tries(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    try_lock(stage, &a).await?;
    try_lock(stage, &b).await?;
    stage.note(&a, "unlocks", a.delete("/lock", None).await)?;
    try_lock(stage, &b).await?;
    stage.close_session(b).await?;
    try_lock(stage, &a).await?;
    Ok(())
}

async fn revoked(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    let mut line = folder(stage, &b).await?;
    let lock = have(stage, &a, ask(&a)).await?;
    stage.next_event(&b, &mut line).await?;
    let (_, _, asked) = a.get_and_watch_data(lock.lock_path()).await?;
    let revoke = b.set_data(lock.lock_path(), b"__REVOKE__", None).await;
    stage.note(&b, "asks for the lock back", revoke)?;
    stage.notified(&a, asked).await?;
    stage.note(&a, "reads", a.get_data(lock.lock_path()).await)?;
    drop(lock);
    for _ in 0..2 {
        stage.next_event(&b, &mut line).await?;
    }
    have(stage, &b, ask(&b)).await?;
    Ok(())
}

/// Takes both locks or none, in one transaction.
async fn both(stage: &mut Stage<'_>, user: &User) -> Result<bool, StageError> {
    let mut writer = user.new_multi_writer();
    writer.add_create("/left", user.name().as_bytes(), &EPHEMERAL)?;
    writer.add_create("/right", user.name().as_bytes(), &EPHEMERAL)?;
    Ok(stage
        .note(user, "takes both", writer.commit().await)
        .is_ok())
}

async fn two_at_once(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    b.create("/right", b"b", &EPHEMERAL).await?;
    both(stage, &a).await?;
    stage.note(&a, "looks at /left", a.check_stat("/left").await)?;
    b.delete("/right", None).await?;
    both(stage, &a).await?;
    both(stage, &b).await?;
    Ok(())
}

async fn visible_holder(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, observer] = stage.users(["a", "b", "observer"]).await?;
    let mut line = folder(stage, &observer).await?;
    let lock = have(stage, &a, ask(&a)).await?;
    let waiting = ask(&b);
    for _ in 0..2 {
        stage.next_event(&observer, &mut line).await?;
    }
    for name in in_order(observer.list_children("/lock").await?) {
        let read = observer.get_data(&format!("/lock/{name}")).await;
        stage.note(&observer, format_args!("reads {name}"), read)?;
    }
    drop(lock);
    have(stage, &b, waiting).await?;
    Ok(())
}

async fn a_restart(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create("/lock", b"", &PERSISTENT).await?;
    let lock: LockClient<'_> = a
        .lock(
            LockPrefix::new_shared("/lock/n-")?,
            b"a",
            Acls::anyone_all(),
        )
        .await?;
    // b waits without the lock client, so that its watch is visible.
    let path = "/lock/n-";
    let made = b.create(path, b"b", &EPHEMERAL_SEQUENTIAL).await;
    stage.note(&b, "asks for the lock", made)?;
    let (_, _, before) = b.get_and_watch_data(lock.lock_path()).await?;
    stage.restart_server(&[&a, &b]).await?;
    stage.note(&a, "writes", lock.create("/data", b"", &PERSISTENT).await)?;
    drop(lock);
    stage.notified(&b, before).await?;
    stage.note(&b, "sees", b.list_children("/lock").await)?;
    Ok(())
}
