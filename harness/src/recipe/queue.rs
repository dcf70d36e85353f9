//! Queues: items as sequential znodes, each taken by the client that deletes it.

use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL, PERSISTENT, PERSISTENT_SEQUENTIAL, in_order, number, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "queue",
        "Queues and priority queues",
        "Producers create sequential znodes; a consumer takes the lowest by deleting it.",
    )
    .scenario(
        1,
        "items come out in the order in which they went in",
        usual(),
        first_in_first_out,
    )
    .scenario(
        2,
        "of two consumers who take the same item one gets it and the other takes the next",
        usual(),
        two_consumers,
    )
    .scenario(3, "a consumer waits at an empty queue", usual(), empty)
    .scenario(
        4,
        "items put together stay together and in order",
        usual(),
        together,
    )
    .scenario(
        5,
        "a more urgent item comes out first and equals in order",
        usual(),
        priorities,
    )
    .scenario(
        6,
        "an item whose worker dies is there for another",
        usual(),
        a_worker_dies,
    )
    .scenario(
        7,
        "a worker that lost its claim cannot finish the item",
        usual(),
        a_lost_claim,
    )
    .scenario(
        8,
        "a full queue accepts no item from any client",
        usual(),
        full,
    )
    .scenario(
        9,
        "the numbers of a queue go on when it has been empty",
        usual(),
        numbers_go_on,
    )
}

async fn queue<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/queue", b"").await
}

async fn put(stage: &mut Stage<'_>, user: &User, item: &str) -> Result<(), StageError> {
    let made = user
        .create("/queue/i-", item.as_bytes(), &PERSISTENT_SEQUENTIAL)
        .await;
    stage.note(user, format_args!("puts {item}"), made)?;
    Ok(())
}

/// Takes the first of these items that still exists.
async fn take_of(
    stage: &mut Stage<'_>,
    user: &User,
    items: Vec<String>,
) -> Result<Option<String>, StageError> {
    for name in items {
        let path = format!("/queue/{name}");
        let read = user.get_data(&path).await;
        let (data, stat) = match stage.note(user, format_args!("reads {name}"), read) {
            Ok(read) => read,
            Err(Error::NoNode) => continue,
            Err(error) => return Err(error.into()),
        };
        let deleted = user.delete(&path, Some(stat.version)).await;
        match stage.note(user, format_args!("takes {name}"), deleted) {
            Ok(()) => return Ok(Some(String::from_utf8_lossy(&data).into_owned())),
            Err(Error::NoNode) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

async fn take(stage: &mut Stage<'_>, user: &User) -> Result<Option<String>, StageError> {
    let items = in_order(user.list_children("/queue").await?);
    take_of(stage, user, items).await
}

async fn first_in_first_out(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [producer, other, consumer] = queue(stage, ["producer", "other", "consumer"]).await?;
    put(stage, &producer, "one").await?;
    put(stage, &other, "two").await?;
    put(stage, &producer, "three").await?;
    while let Some(item) = take(stage, &consumer).await? {
        stage.remark(&consumer, format_args!("works on {item}"));
    }
    Ok(())
}

async fn two_consumers(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = queue(stage, ["a", "b"]).await?;
    put(stage, &a, "one").await?;
    put(stage, &a, "two").await?;
    let seen_by_a = in_order(a.list_children("/queue").await?);
    let seen_by_b = in_order(b.list_children("/queue").await?);
    take_of(stage, &a, seen_by_a).await?;
    take_of(stage, &b, seen_by_b).await?;
    stage.note(&b, "looks", b.get_children("/queue").await)?;
    Ok(())
}

async fn empty(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [producer, consumer] = queue(stage, ["producer", "consumer"]).await?;
    let (items, more) = consumer.list_and_watch_children("/queue").await?;
    stage.note(&consumer, "lists", items);
    put(stage, &producer, "one").await?;
    stage.notified(&consumer, more).await?;
    take(stage, &consumer).await?;
    take(stage, &consumer).await?;
    Ok(())
}

async fn together(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = queue(stage, ["a", "b"]).await?;
    let (_, more) = b.list_and_watch_children("/queue").await?;
    let mut batch = a.new_multi_writer();
    for item in ["one", "two", "three"] {
        batch.add_create("/queue/i-", item.as_bytes(), &PERSISTENT_SEQUENTIAL)?;
    }
    stage.note(&a, "puts three", batch.commit().await)?;
    stage.notified(&b, more).await?;
    put(stage, &b, "four").await?;
    stage.note(&b, "looks", b.get_children("/queue").await)?;
    Ok(())
}

/// Sorts items by urgency, and equal ones by number. The urgency comes first in the name, two digits wide.
fn by_urgency(mut names: Vec<String>) -> Vec<String> {
    let urgency = |name: &str| name.get(..2).map(str::to_owned);
    names.sort_by_key(|name| (urgency(name), number(name)));
    names
}

async fn priorities(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [producer, consumer] = queue(stage, ["producer", "consumer"]).await?;
    for (urgency, item) in [
        (50, "later"),
        (10, "soon"),
        (50, "still later"),
        (1, "now"),
        (10, "soon too"),
    ] {
        let path = format!("/queue/{urgency:02}-");
        let made = producer
            .create(&path, item.as_bytes(), &PERSISTENT_SEQUENTIAL)
            .await;
        stage.note(&producer, format_args!("puts {item}"), made)?;
    }
    loop {
        let items = by_urgency(consumer.list_children("/queue").await?);
        let Some(item) = take_of(stage, &consumer, items).await? else {
            return Ok(());
        };
        stage.remark(&consumer, format_args!("works on {item}"));
    }
}

/// Claims the first item without a claim; the watch is on the claims.
async fn claim(
    stage: &mut Stage<'_>,
    user: &User,
) -> Result<Result<String, OneshotWatcher>, StageError> {
    let (_, change) = user.list_and_watch_children("/claims").await?;
    for name in in_order(user.list_children("/queue").await?) {
        let made = user
            .create(
                &format!("/claims/{name}"),
                user.name().as_bytes(),
                &EPHEMERAL,
            )
            .await;
        match stage.note(user, format_args!("claims {name}"), made) {
            Ok(_) => return Ok(Ok(name)),
            Err(Error::NodeExists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Err(change))
}

/// Deletes the item and the claim, both or none.
async fn finish(stage: &mut Stage<'_>, user: &User, name: &str) -> Result<bool, StageError> {
    let mut writer = user.new_multi_writer();
    writer.add_delete(&format!("/claims/{name}"), None)?;
    writer.add_delete(&format!("/queue/{name}"), None)?;
    Ok(stage
        .note(user, format_args!("finishes {name}"), writer.commit().await)
        .is_ok())
}

async fn a_worker_dies(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = queue(stage, ["a", "b"]).await?;
    a.create("/claims", b"", &PERSISTENT).await?;
    put(stage, &a, "one").await?;
    let _ = claim(stage, &a).await?;
    let waits = claim(stage, &b).await?;
    stage.expire_session(&a).await?;
    if let Err(change) = waits {
        stage.notified(&b, change).await?;
    }
    if let Ok(name) = claim(stage, &b).await? {
        finish(stage, &b, &name).await?;
    }
    stage.note(&b, "looks", b.get_children("/queue").await)?;
    Ok(())
}

async fn a_lost_claim(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = queue(stage, ["a", "b"]).await?;
    a.create("/claims", b"", &PERSISTENT).await?;
    put(stage, &a, "one").await?;
    if let Ok(name) = claim(stage, &a).await? {
        stage.note(
            &b,
            "takes the claim away",
            b.delete(&format!("/claims/{name}"), None).await,
        )?;
        finish(stage, &a, &name).await?;
    }
    if let Ok(name) = claim(stage, &b).await? {
        finish(stage, &b, &name).await?;
    }
    Ok(())
}

/// Puts an item if there is room: the version of the count shows that no other client put one meanwhile.
async fn put_if_room(
    stage: &mut Stage<'_>,
    user: &User,
    seen: (usize, i32),
) -> Result<(), StageError> {
    let (count, version) = seen;
    if count >= 2 {
        stage.remark(user, "finds the queue full");
        return Ok(());
    }
    let mut writer = user.new_multi_writer();
    writer.add_set_data("/size", (count + 1).to_string().as_bytes(), Some(version))?;
    writer.add_create("/queue/i-", user.name().as_bytes(), &PERSISTENT_SEQUENTIAL)?;
    let _ = stage.note(user, "puts", writer.commit().await);
    Ok(())
}

async fn size(user: &User) -> Result<(usize, i32), StageError> {
    let (data, stat) = user.get_data("/size").await?;
    let count = String::from_utf8_lossy(&data).parse().unwrap_or(usize::MAX);
    Ok((count, stat.version))
}

async fn full(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = queue(stage, ["a", "b"]).await?;
    a.create("/size", b"0", &PERSISTENT).await?;
    let seen = size(&a).await?;
    put_if_room(stage, &a, seen).await?;
    let (seen_by_a, seen_by_b) = (size(&a).await?, size(&b).await?);
    put_if_room(stage, &a, seen_by_a).await?;
    put_if_room(stage, &b, seen_by_b).await?;
    let seen = size(&b).await?;
    put_if_room(stage, &b, seen).await
}

async fn numbers_go_on(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a] = queue(stage, ["a"]).await?;
    for item in ["one", "two"] {
        put(stage, &a, item).await?;
        take(stage, &a).await?;
    }
    stage.note(&a, "looks", a.get_children("/queue").await)?;
    // A new queue counts from zero.
    a.delete("/queue", None).await?;
    a.create("/queue", b"", &PERSISTENT).await?;
    put(stage, &a, "three").await
}

#[cfg(test)]
mod tests {
    use super::by_urgency;

    #[test]
    fn the_more_urgent_comes_first_and_equals_by_their_numbers() {
        let names = [
            "50-0000000000",
            "10-0000000003",
            "10-0000000001",
            "01-0000000004",
        ];
        assert_eq!(
            by_urgency(names.map(str::to_owned).to_vec()),
            [
                "01-0000000004",
                "10-0000000001",
                "10-0000000003",
                "50-0000000000"
            ]
        );
    }
}
