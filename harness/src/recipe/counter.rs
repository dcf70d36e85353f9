//! Shared counters.

use zookeeper_client::{Client, Error, Stat};

use super::{PERSISTENT, PERSISTENT_SEQUENTIAL, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "counter",
        "Shared counters",
        "A number in a znode, written over the version that was read; and ZooKeeper's own counters.",
    )
    .scenario(1, "no step is lost when several count at once", usual(), at_once)
    .scenario(2, "a client that counts from an old value must read again", usual(), read_again)
    .scenario(3, "a client that watches the counter sees it grow", usual(), watched)
    .scenario(4, "a range of numbers belongs to the client that took it", usual(), ranges)
    .scenario(5, "a znode's version counts without being read", usual(), versions)
    .scenario(6, "sequential znodes give numbers to all clients", usual(), sequence)
    .scenario(7, "two counters move together or not at all", usual(), two_counters)
}

const PATH: &str = "/counter";

fn value(data: &[u8]) -> i64 {
    std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Adds to the counter, whatever other clients do.
async fn add(client: &Client, by: i64) -> Result<(i64, Stat), Error> {
    loop {
        let (data, stat) = client.get_data(PATH).await?;
        let sum = value(&data) + by;
        match client
            .set_data(PATH, sum.to_string().as_bytes(), Some(stat.version))
            .await
        {
            Ok(stat) => return Ok((sum, stat)),
            Err(Error::BadVersion) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn counter<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, PATH, b"0").await
}

async fn at_once(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = counter(stage, ["a", "b", "c"]).await?;
    let ten = async |client: &Client| {
        for _ in 0..10 {
            add(client, 1).await?;
        }
        Ok::<(), Error>(())
    };
    tokio::try_join!(ten(&a), ten(&b), ten(&c))?;
    // Every step is one version, so no write replaced another.
    stage.note(&a, "reads", a.get_data(PATH).await)?;
    Ok(())
}

async fn read_again(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = counter(stage, ["a", "b"]).await?;
    let (_, read) = stage.note(&a, "reads", a.get_data(PATH).await)?;
    stage.note(&b, "adds 5", add(&b, 5).await)?;
    let _ = stage.note(
        &a,
        "writes 1",
        a.set_data(PATH, b"1", Some(read.version)).await,
    );
    stage.note(&a, "adds 1", add(&a, 1).await)?;
    Ok(())
}

async fn watched(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, watcher] = counter(stage, ["a", "watcher"]).await?;
    for _ in 0..3 {
        let read = watcher.get_and_watch_data(PATH).await;
        let (_, _, change) = stage.note(&watcher, "reads", read)?;
        stage.note(&a, "adds 1", add(&a, 1).await)?;
        stage.notified(&watcher, change).await?;
    }
    Ok(())
}

async fn ranges(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = counter(stage, ["a", "b"]).await?;
    for user in [&a, &b, &a] {
        let (end, _) = add(user, 100).await?;
        stage.remark(user, format_args!("owns {} to {}", end - 100, end - 1));
    }
    Ok(())
}

async fn versions(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = counter(stage, ["a", "b"]).await?;
    for user in [&a, &b, &b, &a] {
        let stat = user.set_data(PATH, b"", None).await?;
        stage.remark(user, format_args!("counts {}", stat.version));
    }
    Ok(())
}

async fn sequence(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = counter(stage, ["a", "b"]).await?;
    for user in [&a, &b, &a] {
        let made = user
            .create("/counter/n-", b"", &PERSISTENT_SEQUENTIAL)
            .await;
        let (_, number) = stage.note(user, "takes a number", made)?;
        // The znode is not needed any more: the parent goes on counting.
        user.delete(&format!("/counter/n-{number}"), None).await?;
    }
    stage.note(&b, "looks", b.get_children(PATH).await)?;
    Ok(())
}

async fn two_counters(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = counter(stage, ["a", "b"]).await?;
    a.create("/other", b"10", &PERSISTENT).await?;
    let mut moves = a.new_multi_writer();
    moves.add_set_data(PATH, b"3", Some(0))?;
    moves.add_set_data("/other", b"7", Some(0))?;
    stage.note(&a, "moves 3", moves.commit().await)?;
    let mut late = b.new_multi_writer();
    late.add_set_data(PATH, b"5", Some(1))?;
    late.add_set_data("/other", b"5", Some(0))?;
    let _ = stage.note(
        &b,
        "moves 5, having read /other too early",
        late.commit().await,
    );
    for path in [PATH, "/other"] {
        stage.note(&b, format_args!("reads {path}"), b.get_data(path).await)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_counter_that_is_no_number_counts_from_nothing() {
        assert_eq!(value(b"-7"), -7);
        assert_eq!(value(b""), 0);
        assert_eq!(value(b"\xff"), 0);
    }
}
