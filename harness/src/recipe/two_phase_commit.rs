//! Two-phase commit: all participants vote, then one decision applies to all.

use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL, PERSISTENT, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "two-phase-commit",
        "Two-phase commit",
        "A transaction is a znode; its children are votes, and the client that creates the decision first makes it.",
    )
    .scenario(1, "a transaction that all agree to is committed", usual(), committed)
    .scenario(2, "one vote against it and a transaction is aborted", usual(), aborted)
    .scenario(3, "a participant that dies before it votes aborts the transaction", usual(), a_participant_dies)
    .scenario(4, "a decision outlives the coordinator that made it", usual(), the_decision_stays)
    .scenario(5, "participants whose coordinator died decide for themselves", usual(), the_coordinator_dies)
    .scenario(6, "a transaction is decided once, whichever client comes second", usual(), decided_once)
}

const SITES: [&str; 2] = ["a", "b"];

/// Begins as the coordinator: creates the transaction with its participants.
async fn begin(stage: &mut Stage<'_>, coordinator: &User) -> Result<(), StageError> {
    let mut writer = coordinator.new_multi_writer();
    writer.add_create("/tx", b"a b", &PERSISTENT)?;
    writer.add_create("/tx/coordinator", b"", &EPHEMERAL)?;
    stage.note(coordinator, "begins", writer.commit().await)?;
    Ok(())
}

async fn vote(stage: &mut Stage<'_>, user: &User, vote: &str) -> Result<(), StageError> {
    let path = format!("/tx/{}", user.name());
    let made = user.create(&path, vote.as_bytes(), &PERSISTENT).await;
    stage.note(user, format_args!("votes {vote}"), made)?;
    Ok(())
}

/// Returns the result of the votes so far.
async fn count(user: &User) -> Result<Option<&'static str>, StageError> {
    let mut votes = 0;
    for site in SITES {
        match user.get_data(&format!("/tx/{site}")).await {
            Ok((vote, _)) if vote == b"yes" => votes += 1,
            Ok(_) => return Ok(Some("abort")),
            Err(Error::NoNode) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((votes == SITES.len()).then_some("commit"))
}

/// Decides, unless there is a decision; notes the valid one.
async fn decide(stage: &mut Stage<'_>, user: &User, decision: &str) -> Result<(), StageError> {
    let made = user
        .create("/tx/decision", decision.as_bytes(), &PERSISTENT)
        .await;
    match stage.note(user, format_args!("decides to {decision}"), made) {
        Ok(_) | Err(Error::NodeExists) => {}
        Err(error) => return Err(error.into()),
    }
    learn(stage, user).await
}

async fn learn(stage: &mut Stage<'_>, user: &User) -> Result<(), StageError> {
    stage.note(
        user,
        "learns the decision",
        user.get_data("/tx/decision").await,
    )?;
    Ok(())
}

async fn wait_for_decision(user: &User) -> Result<OneshotWatcher, StageError> {
    Ok(user.check_and_watch_stat("/tx/decision").await?.1)
}

async fn voting(stage: &mut Stage<'_>, votes: [&str; 2]) -> Result<(), StageError> {
    let [coordinator, a, b] = stage.users(["coordinator", "a", "b"]).await?;
    begin(stage, &coordinator).await?;
    let mut decisions = Vec::new();
    for (user, yes_or_no) in [&a, &b].into_iter().zip(votes) {
        decisions.push((user, wait_for_decision(user).await?));
        let (_, change) = coordinator.list_and_watch_children("/tx").await?;
        vote(stage, user, yes_or_no).await?;
        stage.notified(&coordinator, change).await?;
        if let Some(decision) = count(&coordinator).await? {
            decide(stage, &coordinator, decision).await?;
            break;
        }
        stage.remark(&coordinator, "waits for more votes");
    }
    for (user, decision) in decisions {
        stage.notified(user, decision).await?;
        learn(stage, user).await?;
    }
    Ok(())
}

async fn committed(stage: &mut Stage<'_>) -> Result<(), StageError> {
    voting(stage, ["yes", "yes"]).await
}

async fn aborted(stage: &mut Stage<'_>) -> Result<(), StageError> {
    voting(stage, ["no", "yes"]).await
}

async fn a_participant_dies(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [coordinator, a, b] = stage.users(["coordinator", "a", "b"]).await?;
    begin(stage, &coordinator).await?;
    for user in [&a, &b] {
        user.create(&format!("/site-{}", user.name()), b"", &EPHEMERAL)
            .await?;
    }
    let (_, b_is_gone) = coordinator.check_and_watch_stat("/site-b").await?;
    let decision = wait_for_decision(&a).await?;
    vote(stage, &a, "yes").await?;
    stage.expire_session(&b).await?;
    stage.notified(&coordinator, b_is_gone).await?;
    decide(stage, &coordinator, "abort").await?;
    stage.notified(&a, decision).await?;
    learn(stage, &a).await
}

async fn the_decision_stays(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [coordinator, a] = stage.users(["coordinator", "a"]).await?;
    begin(stage, &coordinator).await?;
    vote(stage, &a, "yes").await?;
    // The participant is away at the time of the decision.
    stage.close_session(a).await?;
    decide(stage, &coordinator, "abort").await?;
    stage.expire_session(&coordinator).await?;
    let a = stage.user("a").await?;
    learn(stage, &a).await?;
    stage.note(&a, "looks", a.get_children("/tx").await)?;
    Ok(())
}

async fn the_coordinator_dies(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [coordinator, a, b] = stage.users(["coordinator", "a", "b"]).await?;
    begin(stage, &coordinator).await?;
    vote(stage, &a, "yes").await?;
    vote(stage, &b, "yes").await?;
    let (_, gone_for_a) = a.check_and_watch_stat("/tx/coordinator").await?;
    let (_, gone_for_b) = b.check_and_watch_stat("/tx/coordinator").await?;
    stage.expire_session(&coordinator).await?;
    stage.notified(&a, gone_for_a).await?;
    stage.notified(&b, gone_for_b).await?;
    for user in [&b, &a] {
        if let Some(decision) = count(user).await? {
            decide(stage, user, decision).await?;
        }
    }
    Ok(())
}

async fn decided_once(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [coordinator, a] = stage.users(["coordinator", "a"]).await?;
    begin(stage, &coordinator).await?;
    decide(stage, &a, "abort").await?;
    decide(stage, &coordinator, "commit").await
}
