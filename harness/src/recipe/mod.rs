//! Recipes: common uses of ZooKeeper, written with the `zookeeper-client` crate as users write them, and run as
//! cases.

mod barrier;
mod configuration;
mod counter;
mod discovery;
mod election;
mod failover;
mod lock;
mod membership;
mod postgres;
mod queue;
mod rwlock;
mod semaphore;
mod troubles;
mod two_phase_commit;

use zookeeper_client::{Acls, CreateMode, CreateOptions};

use crate::script::Headers;
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const CONTAINER: CreateOptions<'static> = CreateMode::Container.with_acls(Acls::anyone_all());
const PERSISTENT_SEQUENTIAL: CreateOptions<'static> =
    CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
const EPHEMERAL_SEQUENTIAL: CreateOptions<'static> =
    CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());

/// Connects users, the first of which creates the znode that they share.
async fn users_at<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
    path: &str,
    data: &[u8],
) -> Result<[User; N], StageError> {
    let users = stage.users(names).await?;
    if let Some(first) = users.first() {
        first.create(path, data, &PERSISTENT).await?;
    }
    Ok(users)
}

/// Returns all chapters of recipes, in a reader's order.
pub(crate) fn chapters() -> Vec<Chapter> {
    vec![
        election::chapter(),
        configuration::chapter(),
        discovery::chapter(),
        membership::chapter(),
        lock::chapter(),
        rwlock::chapter(),
        semaphore::chapter(),
        barrier::chapter(),
        queue::chapter(),
        two_phase_commit::chapter(),
        counter::chapter(),
        failover::chapter(),
        postgres::chapter(),
        troubles::chapter(),
    ]
}

/// The client creates by an operation that came with 3.5.
fn usual() -> Headers {
    Headers {
        since: Some(semver::Version::new(3, 5, 0)),
        ..Headers::default()
    }
}

/// Persistent watches, and reads of many znodes in one request, came with 3.6.
fn since_3_6() -> Headers {
    Headers {
        since: Some(semver::Version::new(3, 6, 0)),
        ..Headers::default()
    }
}

/// Two kinds of persistent watches on one path came with 3.9.
fn since_3_9() -> Headers {
    Headers {
        since: Some(semver::Version::new(3, 9, 0)),
        ..Headers::default()
    }
}

/// Returns the number at the end of a sequential znode's name; names without one come last.
fn number(name: &str) -> i64 {
    name.get(name.len().saturating_sub(10)..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(i64::MAX)
}

/// Sorts names of sequential znodes by their numbers, whatever the prefix.
fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_key(|name| number(name));
    names
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn sequential_names_are_ordered_by_their_numbers_alone() {
        let names = [
            "_c_0-n-0000000002",
            "n-0000000000",
            "x",
            "_c_f-n-0000000001",
        ];
        assert_eq!(
            in_order(names.map(str::to_owned).to_vec()),
            [
                "n-0000000000",
                "_c_f-n-0000000001",
                "_c_0-n-0000000002",
                "x"
            ]
        );
    }
}
