//! A failover of a PostgreSQL cluster, in the key layout that Patroni uses with ZooKeeper: under `/service/SCOPE/`
//! the keys `initialize`, `config`, `leader`, `members/NAME`, `status`, `failover`, `history` and `sync`. The keys of
//! the leader and the members are ephemeral. The values are JSON, except for the leader's and the initialize key.

use serde_json::{Value, json};
use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL, PERSISTENT, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

// Longer than 60 lines: it is a list of recipes.
pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "failover",
        "A database cluster's failover",
        "The leader key belongs to the primary's session. The member that creates it is \
         primary; members that see it go run for it.",
    )
    .scenario(
        1,
        "one of those who start at once bootstraps the cluster",
        usual(),
        bootstrap,
    )
    .scenario(
        2,
        "a bootstrap that failed is given up and another member tries",
        usual(),
        failed_bootstrap,
    )
    .scenario(
        3,
        "followers find the leader and watch its key",
        usual(),
        followers,
    )
    .scenario(
        4,
        "a switchover hands the leader key to the member that was asked for",
        usual(),
        switchover,
    )
    .scenario(
        5,
        "when the primary dies one of the followers leads and one follows it",
        usual(),
        dead_primary,
    )
    .scenario(
        6,
        "the old primary comes back as a follower",
        usual(),
        old_primary_is_back,
    )
    .scenario(
        7,
        "a leader with a new session makes its keys anew",
        usual(),
        a_new_session,
    )
    .scenario(
        8,
        "a changed configuration reaches every member",
        usual(),
        new_configuration,
    )
    .scenario(
        9,
        "the synchronous standby is changed only by the client that read the key last",
        usual(),
        sync_key,
    )
    .scenario(
        10,
        "a condition on version 0 that is written as none is no condition",
        usual(),
        version_or_minus_one,
    )
    .scenario(
        11,
        "a cluster that is removed leaves nothing behind",
        usual(),
        removed,
    )
    .scenario(
        12,
        "from the bootstrap over a switchover and a dead primary to its return",
        usual(),
        the_whole_story,
    )
}

/// Identifier of a cluster in PostgreSQL.
const SYSTEM_IDENTIFIER: &str = "7412345678901234567";

fn key(name: &str) -> String {
    format!("/service/main/{name}")
}

fn member_key(user: &User) -> String {
    key(&format!("members/{}", user.name()))
}

/// Creates a key with the folders it needs.
async fn make(
    stage: &mut Stage<'_>,
    user: &User,
    name: &str,
    value: &str,
    ephemeral: bool,
) -> Result<bool, StageError> {
    let path = key(name);
    let options = if ephemeral { &EPHEMERAL } else { &PERSISTENT };
    loop {
        let made = user.create(&path, value.as_bytes(), options).await;
        match stage.note(user, format_args!("creates {name}"), made) {
            Ok(_) => return Ok(true),
            Err(Error::NodeExists) => return Ok(false),
            Err(Error::NoNode) => {
                let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                user.mkdir(folder, &PERSISTENT).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sets a key, or creates it if there is none.
async fn put(
    stage: &mut Stage<'_>,
    user: &User,
    name: &str,
    value: &Value,
) -> Result<(), StageError> {
    let text = value.to_string();
    let set = user.set_data(&key(name), text.as_bytes(), None).await;
    match stage.note(user, format_args!("sets {name}"), set) {
        Ok(_) => Ok(()),
        Err(Error::NoNode) => make(stage, user, name, &text, false).await.map(|_| ()),
        Err(error) => Err(error.into()),
    }
}

/// Description of a member.
fn portrait(user: &User, role: &str, timeline: u32) -> Value {
    let name = user.name();
    json!({
        "conn_url": format!("postgres://{name}:5432/postgres"),
        "api_url": format!("http://{name}:8008/patroni"),
        "state": "running",
        "role": role,
        "timeline": timeline,
    })
}

/// Updates the member's key; deletes and creates it if it belongs to an older session.
async fn touch_member(
    stage: &mut Stage<'_>,
    user: &User,
    role: &str,
    timeline: u32,
) -> Result<(), StageError> {
    let path = member_key(user);
    if let Some(stat) = user.check_stat(&path).await?
        && stat.ephemeral_owner != user.session_id().0
    {
        stage.note(
            user,
            "deletes its old member key",
            user.delete(&path, None).await,
        )?;
    }
    let value = portrait(user, role, timeline).to_string();
    let name = format!("members/{}", user.name());
    if !make(stage, user, &name, &value, true).await? {
        let set = user.set_data(&path, value.as_bytes(), None).await;
        stage.note(user, format_args!("sets {name}"), set)?;
    }
    Ok(())
}

/// State of the cluster that a member reads in one round.
struct Round {
    /// Name and session of the leader.
    leader: Option<(String, i64)>,
    /// Fires when the leader key is created, changed or deleted.
    leader_changes: OneshotWatcher,
    failover: Option<Value>,
}

/// Reads the cluster, key by key, as a member does in each round of its loop.
async fn look(stage: &mut Stage<'_>, user: &User) -> Result<Round, StageError> {
    let mut keys = user.list_children("/service/main").await?;
    keys.sort();
    stage.note(user, "finds", keys.clone());
    let mut failover = None;
    for name in [
        "initialize",
        "config",
        "history",
        "sync",
        "status",
        "failover",
    ] {
        if keys.iter().any(|key| key == name) {
            let (data, _) = stage.note(
                user,
                format_args!("reads {name}"),
                user.get_data(&key(name)).await,
            )?;
            if name == "failover" {
                failover = serde_json::from_slice(&data).ok();
            }
        }
    }
    if keys.iter().any(|key| key == "members") {
        let mut members = user.list_children(&key("members")).await?;
        members.sort();
        for member in members {
            let read = user.get_data(&key(&format!("members/{member}"))).await;
            stage.note(user, format_args!("reads member {member}"), read)?;
        }
    }
    let (there, leader_changes) = user.check_and_watch_stat(&key("leader")).await?;
    let leader = match there {
        None => None,
        Some(_) => {
            let (name, stat) =
                stage.note(user, "reads leader", user.get_data(&key("leader")).await)?;
            Some((
                String::from_utf8_lossy(&name).into_owned(),
                stat.ephemeral_owner,
            ))
        }
    };
    if leader.is_none() {
        stage.remark(user, "sees no leader");
    }
    Ok(Round {
        leader,
        leader_changes,
        failover,
    })
}

/// Returns the candidate of a switchover.
fn candidate(failover: Option<&Value>) -> Option<&str> {
    failover?.get("member")?.as_str()
}

/// Returns whether this member may lead: the candidate of a switchover, or any member without a candidate.
fn may_lead(user: &User, failover: Option<&Value>) -> bool {
    candidate(failover).is_none_or(|name| name == user.name())
}

/// Runs for leader; the winner writes the status.
async fn run(stage: &mut Stage<'_>, user: &User, timeline: u32) -> Result<bool, StageError> {
    let won = make(stage, user, "leader", user.name(), true).await?;
    if won {
        touch_member(stage, user, "primary", timeline).await?;
        put(
            stage,
            user,
            "status",
            &json!({ "optime": 67_108_960_i64 * i64::from(timeline) }),
        )
        .await?;
        if timeline > 1 {
            let mut lines = match user.get_data(&key("history")).await {
                Ok((data, _)) => serde_json::from_slice(&data).unwrap_or_default(),
                Err(Error::NoNode) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            let why = "no recovery target specified";
            lines.push(json!([timeline - 1, 67_108_960, why, user.name()]));
            put(stage, user, "history", &Value::Array(lines)).await?;
        }
    }
    Ok(won)
}

/// Creates the cluster as its first member.
async fn initialize(stage: &mut Stage<'_>, user: &User) -> Result<bool, StageError> {
    if !make(stage, user, "initialize", "", false).await? {
        return Ok(false);
    }
    let set = user
        .set_data(&key("initialize"), SYSTEM_IDENTIFIER.as_bytes(), None)
        .await;
    stage.note(user, "writes the system identifier", set)?;
    let config = json!({
        "ttl": 30,
        "loop_wait": 10,
        "maximum_lag_on_failover": 1_048_576,
        "postgresql": { "parameters": { "max_connections": 100 } },
    });
    put(stage, user, "config", &config).await?;
    run(stage, user, 1).await
}

/// Creates a cluster of three with `pg0` as its primary, as if it had existed for long.
async fn cluster(stage: &mut Stage<'_>) -> Result<[User; 3], StageError> {
    let users = stage.users(["pg0", "pg1", "pg2"]).await?;
    let [pg0, ..] = &users;
    pg0.mkdir(&key("members"), &PERSISTENT).await?;
    let config = json!({ "ttl": 30, "postgresql": { "parameters": { "max_connections": 100 } } });
    let mut writer = pg0.new_multi_writer();
    for (name, value, options) in [
        ("initialize", SYSTEM_IDENTIFIER, &PERSISTENT),
        ("config", &config.to_string(), &PERSISTENT),
        ("leader", "pg0", &EPHEMERAL),
        ("status", r#"{"optime":67108960}"#, &PERSISTENT),
    ] {
        writer.add_create(&key(name), value.as_bytes(), options)?;
    }
    writer.commit().await?;
    for (user, role) in users.iter().zip(["primary", "replica", "replica"]) {
        let value = portrait(user, role, 1).to_string();
        user.create(&member_key(user), value.as_bytes(), &EPHEMERAL)
            .await?;
    }
    Ok(users)
}

async fn bootstrap(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = stage.users(["pg0", "pg1", "pg2"]).await?;
    for user in &users {
        if !initialize(stage, user).await? {
            touch_member(stage, user, "uninitialized", 0).await?;
            look(stage, user).await?;
        }
    }
    Ok(())
}

async fn failed_bootstrap(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1] = stage.users(["pg0", "pg1"]).await?;
    make(stage, &pg0, "initialize", "", false).await?;
    initialize(stage, &pg1).await?;
    let (_, given_up) = pg1.check_and_watch_stat(&key("initialize")).await?;
    // It deletes the key only if no other member changed it.
    let (_, stat) = pg0.get_data(&key("initialize")).await?;
    let deleted = pg0.delete(&key("initialize"), Some(stat.version)).await;
    stage.note(&pg0, "gives up", deleted)?;
    stage.notified(&pg1, given_up).await?;
    initialize(stage, &pg1).await?;
    Ok(())
}

async fn followers(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [_pg0, pg1, pg2] = cluster(stage).await?;
    for user in [&pg1, &pg2] {
        let round = look(stage, user).await?;
        if let Some((leader, _)) = round.leader {
            stage.remark(user, format_args!("follows {leader}"));
        }
    }
    Ok(())
}

/// Reacts to the deletion of the leader key as a follower.
async fn leader_is_gone(
    stage: &mut Stage<'_>,
    user: &User,
    changes: OneshotWatcher,
    timeline: u32,
) -> Result<(), StageError> {
    stage.notified(user, changes).await?;
    let round = look(stage, user).await?;
    let won = if round.leader.is_some() {
        false
    } else if may_lead(user, round.failover.as_ref()) {
        run(stage, user, timeline).await?
    } else {
        stage.remark(user, "leaves it to the one that was asked for");
        return Ok(());
    };
    if won && candidate(round.failover.as_ref()).is_some() {
        put(stage, user, "failover", &json!({})).await?;
    }
    if !won {
        touch_member(stage, user, "replica", timeline).await?;
    }
    Ok(())
}

/// Switches over from one member to another; the third does not run. The old primary is a member again at the end.
async fn switch(
    stage: &mut Stage<'_>,
    users: [User; 3],
    timeline: u32,
) -> Result<[User; 3], StageError> {
    let [primary, candidate, other] = users;
    let first = look(stage, &candidate).await?;
    let second = look(stage, &other).await?;
    let request = json!({ "leader": primary.name(), "member": candidate.name() });
    put(stage, &other, "failover", &request).await?;
    let round = look(stage, &primary).await?;
    if round
        .leader
        .is_some_and(|(_, owner)| owner == primary.session_id().0)
    {
        stage.remark(&primary, "steps down");
    }
    // The old primary gives up its leader key with its session, and returns with a new one.
    let name = primary.name().to_owned();
    stage.close_session(primary).await?;
    leader_is_gone(stage, &other, second.leader_changes, timeline).await?;
    leader_is_gone(stage, &candidate, first.leader_changes, timeline).await?;
    let back = stage.user(&name).await?;
    look(stage, &back).await?;
    touch_member(stage, &back, "replica", timeline).await?;
    Ok([candidate, back, other])
}

async fn switchover(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = cluster(stage).await?;
    switch(stage, users, 2).await?;
    Ok(())
}

/// Ends the primary's session; the first of the others leads.
async fn die(
    stage: &mut Stage<'_>,
    primary: &User,
    others: [&User; 2],
    timeline: u32,
) -> Result<(), StageError> {
    let mut rounds = Vec::new();
    for user in others {
        rounds.push((user, look(stage, user).await?.leader_changes));
    }
    stage.expire_session(primary).await?;
    for (user, changes) in rounds {
        leader_is_gone(stage, user, changes, timeline).await?;
    }
    Ok(())
}

async fn dead_primary(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, pg2] = cluster(stage).await?;
    die(stage, &pg0, [&pg1, &pg2], 2).await
}

async fn old_primary_is_back(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, pg2] = cluster(stage).await?;
    die(stage, &pg0, [&pg1, &pg2], 2).await?;
    // The old primary's session is over, and so is its lead, whatever it believes.
    let late = pg0.set_data(&key("status"), b"{}", None).await;
    let _ = stage.note(&pg0, "writes status", late);
    let again = stage.user("pg0").await?;
    let round = look(stage, &again).await?;
    if let Some((leader, _)) = round.leader {
        stage.remark(&again, format_args!("follows {leader}"));
    }
    touch_member(stage, &again, "replica", 2).await?;
    run(stage, &again, 3).await?;
    Ok(())
}

async fn a_new_session(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, _pg2] = cluster(stage).await?;
    let (_, changes) = pg1.check_and_watch_stat(&key("leader")).await?;
    // The process was restarted at once: its old session, and with it its keys, still exist.
    let again = stage.user("pg0").await?;
    let round = look(stage, &again).await?;
    if let Some((name, owner)) = round.leader
        && name == again.name()
        && owner != again.session_id().0
    {
        stage.remark(
            &again,
            "finds its leader key with a session that is not its own",
        );
        let deleted = again.delete(&key("leader"), None).await;
        stage.note(&again, "deletes leader", deleted)?;
        make(stage, &again, "leader", "pg0", true).await?;
        touch_member(stage, &again, "primary", 1).await?;
    }
    stage.notified(&pg1, changes).await?;
    stage.expire_session(&pg0).await?;
    look(stage, &pg1).await?;
    Ok(())
}

async fn new_configuration(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let users = cluster(stage).await?;
    let admin = stage.user("admin").await?;
    let mut changes = Vec::new();
    for user in &users {
        changes.push(user.get_and_watch_data(&key("config")).await?.2);
    }
    let (data, stat) = admin.get_data(&key("config")).await?;
    let mut config: Value = serde_json::from_slice(&data).unwrap_or_default();
    if let Some(parameters) = config.pointer_mut("/postgresql/parameters") {
        *parameters = json!({ "max_connections": 200, "work_mem": "16MB" });
    }
    let set = admin
        .set_data(
            &key("config"),
            config.to_string().as_bytes(),
            Some(stat.version),
        )
        .await;
    stage.note(&admin, "patches config", set)?;
    let late = admin
        .set_data(&key("config"), b"{}", Some(stat.version))
        .await;
    let _ = stage.note(&admin, "patches what it read before", late);
    for (user, change) in users.iter().zip(changes) {
        stage.notified(user, change).await?;
        stage.note(user, "reads config", user.get_data(&key("config")).await)?;
    }
    Ok(())
}

async fn sync_key(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, _pg2] = cluster(stage).await?;
    let standby = |name: &str| json!({ "leader": "pg0", "sync_standby": name, "quorum": 0 });
    put(stage, &pg0, "sync", &standby("pg1")).await?;
    put(stage, &pg0, "sync", &standby("pg2")).await?;
    let (_, read) = stage.note(&pg0, "reads sync", pg0.get_data(&key("sync")).await)?;
    let text = standby("pg1").to_string();
    let first = pg0
        .set_data(&key("sync"), text.as_bytes(), Some(read.version))
        .await;
    stage.note(&pg0, "sets sync", first)?;
    // Another that read the same version sees that it was overtaken.
    let second = pg1.set_data(&key("sync"), b"{}", Some(read.version)).await;
    let _ = stage.note(&pg1, "sets sync", second);
    stage.note(&pg1, "reads sync", pg1.get_data(&key("sync")).await)?;
    Ok(())
}

async fn version_or_minus_one(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, _pg2] = cluster(stage).await?;
    make(stage, &pg0, "sync", "{}", false).await?;
    let (_, read) = pg0.get_data(&key("sync")).await?;
    pg1.set_data(&key("sync"), b"overtaken", None).await?;
    // Where 0 counts as false, `version or -1` turns it into a set without a version.
    let falsy = Some(read.version).filter(|&version| version != 0);
    let unguarded = pg0.set_data(&key("sync"), b"blind", falsy).await;
    stage.note(&pg0, "sets sync", unguarded)?;
    let guarded = pg0
        .set_data(&key("sync"), b"guarded", Some(read.version))
        .await;
    let _ = stage.note(&pg0, "sets sync over version 0", guarded);
    Ok(())
}

async fn removed(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, _pg1, _pg2] = cluster(stage).await?;
    let _ = stage.note(
        &pg0,
        "deletes the cluster at once",
        pg0.delete("/service/main", None).await,
    );
    for folder in [key("members"), "/service/main".to_owned()] {
        let mut names = pg0.list_children(&folder).await?;
        names.sort();
        for name in names {
            let deleted = pg0.delete(&format!("{folder}/{name}"), None).await;
            stage.note(&pg0, format_args!("deletes {name}"), deleted)?;
        }
    }
    stage.note(
        &pg0,
        "deletes the cluster",
        pg0.delete("/service/main", None).await,
    )?;
    stage.note(&pg0, "looks", pg0.get_children("/service").await)?;
    Ok(())
}

async fn the_whole_story(stage: &mut Stage<'_>) -> Result<(), StageError> {
    stage.notes().heading("bootstrap");
    let users = cluster(stage).await?;
    stage.notes().heading("switchover from pg0 to pg1");
    let [pg1, pg0, pg2] = switch(stage, users, 2).await?;
    stage.notes().heading("pg1 dies");
    die(stage, &pg1, [&pg0, &pg2], 3).await?;
    stage.notes().heading("pg1 is back");
    let back = stage.user("pg1").await?;
    look(stage, &back).await?;
    touch_member(stage, &back, "replica", 3).await?;
    look(stage, &pg2).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::candidate;

    #[track_caller]
    fn check(failover: &Value, expected: Option<&str>) {
        assert_eq!(candidate(Some(failover)), expected);
    }

    #[test]
    fn a_failover_key_names_a_candidate_or_leaves_it_open() {
        check(&json!({ "leader": "a", "member": "b" }), Some("b"));
        check(&json!({ "leader": "a" }), None);
        check(&json!({}), None);
        check(&json!([]), None);
        assert_eq!(candidate(None), None);
    }
}
