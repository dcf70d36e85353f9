//! Read-write locks: readers share, writers do not, and no client overtakes another.

use std::fmt;
use std::pin::pin;

use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL_SEQUENTIAL, in_order, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "rwlock",
        "Read-write locks",
        "A reader waits for the writer before it, a writer for any client before it.",
    )
    .scenario(1, "readers read together", usual(), readers_share)
    .scenario(
        2,
        "a writer waits for the reader right before it",
        usual(),
        a_writer_waits,
    )
    .scenario(
        3,
        "a reader waits for the writer before it, not for other readers",
        usual(),
        a_reader_waits,
    )
    .scenario(
        4,
        "readers behind one writer are let in together",
        usual(),
        readers_behind_a_writer,
    )
    .scenario(
        5,
        "a reader does not overtake a writer that waits",
        usual(),
        no_overtaking,
    )
    .scenario(
        6,
        "a writer becomes a reader without letting another writer in between",
        usual(),
        downgrade,
    )
    .scenario(
        7,
        "a writer gets the lock when the reader before it expires",
        usual(),
        an_expired_reader,
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Access {
    fn prefix(self) -> &'static str {
        match self {
            Self::Read => "read-",
            Self::Write => "write-",
        }
    }

    /// Returns the last client of the line before that prevents this access.
    fn waits_for(self, before: &[String]) -> Option<&String> {
        before
            .iter()
            .rfind(|name| self == Self::Write || name.starts_with(Self::Write.prefix()))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// A place in the line.
struct Place {
    access: Access,
    znode: String,
    /// Watch on the client that prevents the access; `None` if the lock is held.
    before: Option<OneshotWatcher>,
}

impl Place {
    async fn take(stage: &mut Stage<'_>, user: &User, access: Access) -> Result<Self, StageError> {
        let prefix = access.prefix();
        let made = user
            .create(&format!("/lock/{prefix}"), b"", &EPHEMERAL_SEQUENTIAL)
            .await;
        let (_, number) = stage.note(user, format_args!("wants to {access}"), made)?;
        let mut place = Self {
            access,
            znode: format!("{prefix}{number}"),
            before: None,
        };
        place.look(stage, user).await?;
        Ok(place)
    }

    async fn look(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        loop {
            let mut line = in_order(user.list_children("/lock").await?);
            line.truncate(line.iter().take_while(|name| **name != self.znode).count());
            let Some(blocker) = self.access.waits_for(&line) else {
                stage.remark(user, format_args!("may {}", self.access));
                return Ok(());
            };
            match user.get_and_watch_data(&format!("/lock/{blocker}")).await {
                Ok((_, _, watcher)) => {
                    stage.remark(user, format_args!("waits for {blocker}"));
                    self.before = Some(watcher);
                    return Ok(());
                }
                Err(Error::NoNode) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn wait(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        if let Some(before) = self.before.take() {
            stage.notified(user, before).await?;
            self.look(stage, user).await?;
        }
        Ok(())
    }

    async fn leave(self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        let deleted = user.delete(&format!("/lock/{}", self.znode), None).await;
        stage.note(user, format_args!("is done with {}", self.znode), deleted)?;
        Ok(())
    }
}

async fn users<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/lock", b"").await
}

async fn readers_share(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = users(stage, ["a", "b", "c"]).await?;
    for user in &users {
        Place::take(stage, user, Access::Read).await?;
    }
    Ok(())
}

async fn a_writer_waits(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = users(stage, ["a", "b", "c"]).await?;
    let first = Place::take(stage, &a, Access::Read).await?;
    let second = Place::take(stage, &b, Access::Read).await?;
    let mut writer = Place::take(stage, &c, Access::Write).await?;
    // The last reader leaves first: the writer still has to wait for the other.
    second.leave(stage, &b).await?;
    writer.wait(stage, &c).await?;
    first.leave(stage, &a).await?;
    writer.wait(stage, &c).await
}

async fn a_reader_waits(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = users(stage, ["a", "b", "c"]).await?;
    let writer = Place::take(stage, &a, Access::Write).await?;
    let mut first = Place::take(stage, &b, Access::Read).await?;
    let mut second = Place::take(stage, &c, Access::Read).await?;
    writer.leave(stage, &a).await?;
    second.wait(stage, &c).await?;
    first.wait(stage, &b).await
}

async fn readers_behind_a_writer(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, d] = users(stage, ["a", "b", "c", "d"]).await?;
    let writer = Place::take(stage, &a, Access::Write).await?;
    let mut readers = Vec::new();
    for user in [&b, &c] {
        readers.push((user, Place::take(stage, user, Access::Read).await?));
    }
    let mut last = Place::take(stage, &d, Access::Write).await?;
    writer.leave(stage, &a).await?;
    for (user, reader) in &mut readers {
        reader.wait(stage, user).await?;
    }
    for (user, reader) in readers.into_iter().rev() {
        reader.leave(stage, user).await?;
    }
    last.wait(stage, &d).await?;
    last.wait(stage, &d).await
}

async fn no_overtaking(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = users(stage, ["a", "b", "c"]).await?;
    let first = Place::take(stage, &a, Access::Read).await?;
    let mut writer = Place::take(stage, &b, Access::Write).await?;
    let mut late = Place::take(stage, &c, Access::Read).await?;
    first.leave(stage, &a).await?;
    writer.wait(stage, &b).await?;
    if let Some(before) = late.before.take() {
        let mut waiting = pin!(before.changed());
        stage.note_if_notified(&c, &mut waiting).await?;
        writer.leave(stage, &b).await?;
        stage.notified_by(&c, waiting).await?;
    }
    late.look(stage, &c).await
}

async fn downgrade(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = users(stage, ["a", "b"]).await?;
    let writer = Place::take(stage, &a, Access::Write).await?;
    // Its own write lock does not prevent it: no other client can have changed the data that it reads.
    let made = a.create("/lock/read-", b"", &EPHEMERAL_SEQUENTIAL).await;
    let (_, number) = stage.note(&a, "wants to read too", made)?;
    let reader = Place {
        access: Access::Read,
        znode: format!("read-{number}"),
        before: None,
    };
    let mut other = Place::take(stage, &b, Access::Write).await?;
    writer.leave(stage, &a).await?;
    if let Some(before) = other.before.take() {
        let mut waiting = pin!(before.changed());
        stage.note_if_notified(&b, &mut waiting).await?;
        reader.leave(stage, &a).await?;
        stage.notified_by(&b, waiting).await?;
    }
    other.look(stage, &b).await
}

async fn an_expired_reader(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = users(stage, ["a", "b"]).await?;
    Place::take(stage, &a, Access::Read).await?;
    let mut writer = Place::take(stage, &b, Access::Write).await?;
    stage.expire_session(&a).await?;
    writer.wait(stage, &b).await
}

#[cfg(test)]
mod tests {
    use super::Access;

    #[track_caller]
    fn check(access: Access, before: &[&str], expected: Option<&str>) {
        let before: Vec<String> = before.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(access.waits_for(&before).map(String::as_str), expected);
    }

    #[test]
    fn a_reader_waits_for_the_last_writer_before_it() {
        check(Access::Read, &[], None);
        check(Access::Read, &["read-0000000000"], None);
        let line = ["write-0000000000", "write-0000000001", "read-0000000002"];
        check(Access::Read, &line, Some("write-0000000001"));
    }

    #[test]
    fn a_writer_waits_for_the_last_before_it() {
        check(Access::Write, &[], None);
        let line = ["write-0000000000", "read-0000000001"];
        check(Access::Write, &line, Some("read-0000000001"));
    }
}
