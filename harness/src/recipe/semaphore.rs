//! Semaphores: as many holders as there are leases.

use zookeeper_client::OneshotWatcher;

use super::{EPHEMERAL_SEQUENTIAL, in_order, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "semaphore",
        "Semaphores",
        "The first clients of the line hold a lease; the data of the folder is the number of leases.",
    )
    .scenario(1, "as many as there are leases get in and the next waits", usual(), the_next_waits)
    .scenario(2, "a client that returns a lease lets in the first that waits", usual(), a_lease_returns)
    .scenario(3, "a lease whose holder expires is free again", usual(), a_holder_expires)
    .scenario(4, "more leases let in more at once", usual(), more_leases)
    .scenario(5, "fewer leases take no lease away", usual(), fewer_leases)
    .scenario(6, "a client that stops waiting does not block the others", usual(), gives_up)
}

/// A place in the line for a lease.
struct Place {
    znode: String,
    /// Fires when the line or the number of leases changes; `None` with a lease.
    changes: Option<(OneshotWatcher, OneshotWatcher)>,
}

impl Place {
    async fn take(stage: &mut Stage<'_>, user: &User) -> Result<Self, StageError> {
        let made = user
            .create("/leases/n-", user.name().as_bytes(), &EPHEMERAL_SEQUENTIAL)
            .await;
        let (_, number) = stage.note(user, "asks for a lease", made)?;
        let mut place = Self {
            znode: format!("n-{number}"),
            changes: None,
        };
        place.look(stage, user).await?;
        Ok(place)
    }

    async fn look(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        let (data, _, leases) = user.get_and_watch_data("/leases").await?;
        let (line, changes) = user.list_and_watch_children("/leases").await?;
        let before = in_order(line)
            .iter()
            .take_while(|name| **name != self.znode)
            .count();
        if before < count(&data) {
            stage.remark(user, "has a lease");
            self.changes = None;
        } else {
            stage.remark(user, format_args!("waits, {before} before it"));
            self.changes = Some((leases, changes));
        }
        Ok(())
    }

    /// Waits for a change of the line, and checks it again.
    async fn wait(&mut self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        if let Some((_, line)) = self.changes.take() {
            stage.notified(user, line).await?;
            self.look(stage, user).await?;
        }
        Ok(())
    }

    /// Waits for another number of leases, and checks the line again.
    async fn wait_for_leases(
        &mut self,
        stage: &mut Stage<'_>,
        user: &User,
    ) -> Result<(), StageError> {
        if let Some((leases, _)) = self.changes.take() {
            stage.notified(user, leases).await?;
            self.look(stage, user).await?;
        }
        Ok(())
    }

    async fn leave(self, stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
        let deleted = user.delete(&format!("/leases/{}", self.znode), None).await;
        stage.note(user, "goes", deleted)?;
        Ok(())
    }
}

/// Parses the number of leases; zero if the data is no number.
fn count(data: &[u8]) -> usize {
    std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

async fn users<const N: usize>(
    stage: &mut Stage<'_>,
    leases: &str,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    super::users_at(stage, names, "/leases", leases.as_bytes()).await
}

async fn the_next_waits(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = users(stage, "2", ["a", "b", "c"]).await?;
    for user in &users {
        Place::take(stage, user).await?;
    }
    Ok(())
}

async fn a_lease_returns(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, d] = users(stage, "2", ["a", "b", "c", "d"]).await?;
    Place::take(stage, &a).await?;
    let second = Place::take(stage, &b).await?;
    let mut third = Place::take(stage, &c).await?;
    let mut fourth = Place::take(stage, &d).await?;
    // A waiting client is notified of each new one, since the line has changed.
    third.wait(stage, &c).await?;
    second.leave(stage, &b).await?;
    third.wait(stage, &c).await?;
    fourth.wait(stage, &d).await
}

async fn a_holder_expires(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = users(stage, "1", ["a", "b"]).await?;
    Place::take(stage, &a).await?;
    let mut second = Place::take(stage, &b).await?;
    stage.expire_session(&a).await?;
    second.wait(stage, &b).await
}

async fn more_leases(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, admin] = users(stage, "1", ["a", "b", "c", "admin"]).await?;
    Place::take(stage, &a).await?;
    let mut second = Place::take(stage, &b).await?;
    let mut third = Place::take(stage, &c).await?;
    stage.note(
        &admin,
        "sets 3 leases",
        admin.set_data("/leases", b"3", Some(0)).await,
    )?;
    second.wait_for_leases(stage, &b).await?;
    third.wait_for_leases(stage, &c).await
}

async fn fewer_leases(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c, admin] = users(stage, "2", ["a", "b", "c", "admin"]).await?;
    let first = Place::take(stage, &a).await?;
    let second = Place::take(stage, &b).await?;
    stage.note(
        &admin,
        "sets 1 lease",
        admin.set_data("/leases", b"1", None).await,
    )?;
    let mut third = Place::take(stage, &c).await?;
    first.leave(stage, &a).await?;
    third.wait(stage, &c).await?;
    second.leave(stage, &b).await?;
    third.wait(stage, &c).await
}

async fn gives_up(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b, c] = users(stage, "1", ["a", "b", "c"]).await?;
    let first = Place::take(stage, &a).await?;
    let second = Place::take(stage, &b).await?;
    let mut third = Place::take(stage, &c).await?;
    second.leave(stage, &b).await?;
    third.wait(stage, &c).await?;
    first.leave(stage, &a).await?;
    third.wait(stage, &c).await
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn data_without_a_number_is_no_lease() {
        assert_eq!(count(b"3\n"), 3);
        for data in [&b""[..], b"many", b"-1", b"\xff"] {
            assert_eq!(count(data), 0);
        }
    }
}
