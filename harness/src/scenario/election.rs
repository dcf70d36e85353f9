//! Leader election as ZooKeeper's recipes have it: ephemeral sequential znodes, each candidate watching the one before.

use super::{Actor, ScenarioError, Stage};
use crate::client::{Acl, Answer, ConnectRequest, Request};

/// Of those who stay: the most that twenty ticks allow.
const LONG_MS: i32 = 10_000;
/// Of a leader that is to expire: long enough for a busy machine to bring all candidates in line meanwhile.
const SHORT_MS: i32 = 2_000;

/// How the leader's session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The leader closes it.
    Close,
    /// The leader falls silent until the server expires it.
    Expiry,
}

pub(super) async fn play(stage: &mut Stage, ending: Ending) -> Result<(), ScenarioError> {
    stage.heading("three candidates stand in line");
    let mut asker = stage.enter("asker", LONG_MS).await?;
    asker
        .ask(Request::Create {
            path: "/election".to_owned(),
            data: None,
            acl: Acl::open(),
            flags: 0,
        })
        .await?;
    let timeout = match ending {
        Ending::Close => LONG_MS,
        Ending::Expiry => SHORT_MS,
    };
    // Who is to expire comes last in time but first in line, so that nobody waits for its short timeout.
    let mut second = stage.enter("second", LONG_MS).await?;
    let mut third = stage.enter("third", LONG_MS).await?;
    let mut first = stage.enter("first", timeout).await?;
    stand(&mut first, "first").await?;
    let second_place = stand(&mut second, "second").await?;
    stand(&mut third, "third").await?;
    who_leads(&mut asker).await?;

    stage.heading("the leader's session ends");
    let returning = match ending {
        Ending::Close => {
            first.leave().await?;
            ConnectRequest::new(LONG_MS)
        }
        Ending::Expiry => {
            let session = first.see_the_end().await?;
            ConnectRequest {
                session_id: session.session_id,
                password: session.password,
                ..ConnectRequest::new(LONG_MS)
            }
        }
    };

    stage.heading("exactly the next one is woken and leads");
    second.hear().await?;
    look(&mut second, &second_place).await?;
    // Whatever the third was told would come before this reply.
    let unmoved = Request::Sync {
        path: "/election".to_owned(),
    };
    third.ask(unmoved).await?;
    who_leads(&mut asker).await?;

    stage.heading("the first comes back and is last in line");
    let mut first = stage.come("first", &returning).await?;
    if first.session().session_id == 0 {
        first.see_the_end().await?;
        first = stage.enter("first", LONG_MS).await?;
    }
    stand(&mut first, "first").await?;
    who_leads(&mut asker).await?;
    for actor in [first, second, third, asker] {
        actor.leave().await?;
    }
    Ok(())
}

/// Takes the last place in line, and says which it is.
async fn stand(candidate: &mut Actor, name: &str) -> Result<String, ScenarioError> {
    let create = Request::Create {
        path: "/election/candidate-".to_owned(),
        data: Some(name.as_bytes().to_vec()),
        acl: Acl::open(),
        flags: 3,
    };
    let place = candidate.ask_for(create, path).await?;
    look(candidate, &place).await?;
    Ok(place)
}

/// Leads, or watches the one before.
async fn look(candidate: &mut Actor, place: &str) -> Result<(), ScenarioError> {
    let line = line(candidate).await?;
    let before = line
        .iter()
        .map(|name| format!("/election/{name}"))
        .take_while(|path| path != place)
        .last();
    match before {
        None => candidate.remark("leads"),
        Some(path) => {
            candidate.remark(&format!("is behind {path}"));
            candidate.ask(Request::Exists { path, watch: true }).await?;
        }
    }
    Ok(())
}

/// Someone who is no candidate finds the leader's name.
async fn who_leads(asker: &mut Actor) -> Result<(), ScenarioError> {
    let Some(lowest) = line(asker).await?.into_iter().next() else {
        asker.remark("nobody leads");
        return Ok(());
    };
    let path = format!("/election/{lowest}");
    let name = asker
        .ask_for(Request::GetData { path, watch: false }, data)
        .await?;
    asker.remark(&format!("{} leads", name.escape_ascii()));
    Ok(())
}

/// The candidates, the lowest number first.
async fn line(actor: &mut Actor) -> Result<Vec<String>, ScenarioError> {
    let children = Request::GetChildren {
        path: "/election".to_owned(),
        watch: false,
    };
    let mut line = actor.ask_for(children, names).await?;
    line.sort_unstable();
    Ok(line)
}

fn names(answer: Answer) -> Option<Vec<String>> {
    if let Answer::Children(names) = answer {
        Some(names)
    } else {
        None
    }
}

fn path(answer: Answer) -> Option<String> {
    if let Answer::Path(path) = answer {
        path
    } else {
        None
    }
}

fn data(answer: Answer) -> Option<Vec<u8>> {
    if let Answer::Data(data, _) = answer {
        data
    } else {
        None
    }
}
