//! Service discovery: instances register as ephemerals, and consumers maintain a list of them.

use std::collections::BTreeMap;

use zookeeper_client::{AddWatchMode, Error, EventType, PersistentWatcher};

use super::{CONTAINER, EPHEMERAL, PERSISTENT, since_3_6, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "discovery",
        "Service discovery",
        "Instances of a service are ephemerals under its name with their addresses as data; \
         consumers watch the children.",
    )
    .scenario(
        1,
        "a consumer finds every instance and its address",
        usual(),
        every_instance,
    )
    .scenario(
        2,
        "an instance that stops is gone from the list",
        usual(),
        an_instance_stops,
    )
    .scenario(
        3,
        "an instance that dies is gone when its session is over",
        usual(),
        an_instance_dies,
    )
    .scenario(
        4,
        "a consumer's cache follows every change in order",
        since_3_6(),
        a_cache,
    )
    .scenario(
        5,
        "an instance changes its address without leaving",
        usual(),
        a_new_address,
    )
    .scenario(
        6,
        "an instance that restarts replaces the znode of its old session",
        usual(),
        registered_twice,
    )
    .scenario(
        7,
        "a consumer waits for the first instance of a service",
        usual(),
        the_first_instance,
    )
    .scenario(
        8,
        "all addresses are read in one request, even if an instance goes in between",
        since_3_6(),
        one_request,
    )
}

async fn register(stage: &mut Stage<'_>, user: &User, port: u16) -> Result<(), StageError> {
    let path = format!("/services/web/{}", user.name());
    let data = format!(r#"{{"name":"{}","port":{port}}}"#, user.name());
    let made = user.create(&path, data.as_bytes(), &EPHEMERAL).await;
    stage.note(user, "registers", made)?;
    Ok(())
}

async fn users<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    let users = stage.users(names).await?;
    if let Some(user) = users.first() {
        user.mkdir("/services/web", &CONTAINER).await?;
    }
    Ok(users)
}

async fn find(stage: &mut Stage<'_>, consumer: &User) -> Result<(), StageError> {
    let mut names = consumer.list_children("/services/web").await?;
    names.sort();
    for name in names {
        let read = consumer.get_data(&format!("/services/web/{name}")).await;
        stage.note(consumer, format_args!("finds {name}"), read)?;
    }
    Ok(())
}

async fn every_instance(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [one, two, consumer] = users(stage, ["one", "two", "consumer"]).await?;
    register(stage, &one, 8001).await?;
    register(stage, &two, 8002).await?;
    find(stage, &consumer).await
}

async fn an_instance_stops(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [one, two, consumer] = users(stage, ["one", "two", "consumer"]).await?;
    register(stage, &one, 8001).await?;
    register(stage, &two, 8002).await?;
    let listed = consumer.list_and_watch_children("/services/web").await;
    let (_, change) = stage.note(&consumer, "lists", listed)?;
    stage.close_session(one).await?;
    stage.notified(&consumer, change).await?;
    find(stage, &consumer).await
}

async fn an_instance_dies(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [consumer] = users(stage, ["consumer"]).await?;
    // A silent instance is dead when its timeout is over, not before.
    stage
        .steps("one: connect timeout=2000\none: create /services/web/one \"8001\" ephemeral")
        .await?;
    let (_, change) = consumer.list_and_watch_children("/services/web").await?;
    stage.steps("one: cut").await?;
    stage.note(
        &consumer,
        "still finds",
        consumer.list_children("/services/web").await,
    )?;
    stage.steps("pass 2500ms").await?;
    stage.notified(&consumer, change).await?;
    stage.note(
        &consumer,
        "finds",
        consumer.get_children("/services/web").await,
    )?;
    Ok(())
}

/// A consumer's view of the instances, updated by a persistent watch.
struct Cache {
    changes: PersistentWatcher,
    known: BTreeMap<String, Vec<u8>>,
}

impl Cache {
    async fn new(stage: &mut Stage<'_>, user: &User) -> Result<Self, StageError> {
        // First the watch, then the list: a change in between is seen, perhaps twice.
        let changes = user
            .watch("/services/web", AddWatchMode::PersistentRecursive)
            .await?;
        let mut cache = Self {
            changes,
            known: BTreeMap::new(),
        };
        for name in user.list_children("/services/web").await? {
            cache.read(user, &format!("/services/web/{name}")).await?;
        }
        cache.show(stage, user);
        Ok(cache)
    }

    async fn read(&mut self, user: &User, path: &str) -> Result<(), StageError> {
        match user.get_data(path).await {
            Ok((data, _)) => {
                self.known.insert(path.to_owned(), data);
            }
            Err(Error::NoNode) => {
                self.known.remove(path);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn follow(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        let event = stage.next_event(user, &mut self.changes).await?;
        if event.event_type == EventType::NodeDeleted {
            self.known.remove(&event.path);
        } else {
            self.read(user, &event.path).await?;
        }
        self.show(stage, user);
        Ok(())
    }

    fn show(&self, stage: &mut Stage<'_>, user: &User) {
        let known: Vec<String> = self
            .known
            .iter()
            .map(|(path, data)| format!("{path}={}", String::from_utf8_lossy(data)))
            .collect();
        stage.note(user, "knows", known);
    }
}

async fn a_cache(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [one, two, consumer] = users(stage, ["one", "two", "consumer"]).await?;
    register(stage, &one, 8001).await?;
    let mut cache = Cache::new(stage, &consumer).await?;
    register(stage, &two, 8002).await?;
    cache.follow(stage, &consumer).await?;
    one.set_data("/services/web/one", b"draining", None).await?;
    cache.follow(stage, &consumer).await?;
    stage.close_session(one).await?;
    cache.follow(stage, &consumer).await?;
    stage.expire_session(&two).await?;
    cache.follow(stage, &consumer).await
}

async fn a_new_address(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [one, consumer] = users(stage, ["one", "consumer"]).await?;
    register(stage, &one, 8001).await?;
    let (_, _, list) = consumer.get_and_watch_children("/services/web").await?;
    let (_, _, address) = consumer.get_and_watch_data("/services/web/one").await?;
    stage.note(
        &one,
        "moves",
        one.set_data("/services/web/one", b"8009", None).await,
    )?;
    stage.notified(&consumer, address).await?;
    // The list of instances has not changed.
    stage
        .note_if_notified(&consumer, &mut std::pin::pin!(list.changed()))
        .await?;
    find(stage, &consumer).await
}

async fn registered_twice(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [old, new] = users(stage, ["old", "new"]).await?;
    let path = "/services/web/one";
    stage.note(
        &old,
        "registers",
        old.create(path, b"8001", &EPHEMERAL).await,
    )?;
    let again = new.create(path, b"8002", &EPHEMERAL).await;
    if stage.note(&new, "registers", again) == Err(Error::NodeExists) {
        let (_, stat) = stage.note(&new, "reads", new.get_data(path).await)?;
        let mine = stat.ephemeral_owner == new.session_id().0;
        stage.remark(&new, format_args!("its own: {mine}"));
        let mut replace = new.new_multi_writer();
        replace.add_delete(path, Some(stat.version))?;
        replace.add_create(path, b"8002", &EPHEMERAL)?;
        stage.note(&new, "replaces it", replace.commit().await)?;
    }
    stage.expire_session(&old).await?;
    stage.note(&new, "is there", new.get_data(path).await)?;
    Ok(())
}

async fn the_first_instance(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [consumer, one] = users(stage, ["consumer", "one"]).await?;
    let listed = consumer.list_and_watch_children("/services/web").await;
    let (_, change) = stage.note(&consumer, "lists", listed)?;
    register(stage, &one, 8001).await?;
    stage.notified(&consumer, change).await?;
    find(stage, &consumer).await
}

async fn one_request(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [one, two, consumer] = users(stage, ["one", "two", "consumer"]).await?;
    register(stage, &one, 8001).await?;
    register(stage, &two, 8002).await?;
    consumer.create("/services/none", b"", &PERSISTENT).await?;
    let mut all = consumer.new_multi_reader();
    let mut names = consumer.list_children("/services/web").await?;
    names.sort();
    for name in names {
        all.add_get_data(&format!("/services/web/{name}"))?;
    }
    all.add_get_children("/services/none")?;
    stage.close_session(two).await?;
    stage.note(&consumer, "reads all", all.commit().await)?;
    Ok(())
}
