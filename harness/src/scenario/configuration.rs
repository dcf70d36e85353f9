//! A configuration that lives as long as its owner: published, watched, changed, withdrawn.

use super::{ScenarioError, Stage};
use crate::client::{Acl, Request};

const TIMEOUT_MS: i32 = 10_000;

pub(super) async fn play(stage: &mut Stage) -> Result<(), ScenarioError> {
    let database = || "/config/database".to_owned();

    stage.heading("the owner publishes");
    let mut owner = stage.enter("owner", TIMEOUT_MS).await?;
    owner
        .ask(Request::Create {
            path: "/config".to_owned(),
            data: None,
            acl: Acl::open(),
            flags: 0,
        })
        .await?;
    owner
        .ask(Request::Create2 {
            path: database(),
            data: Some(b"db_host=localhost;db_port=5432".to_vec()),
            acl: Acl::open(),
            flags: 1,
        })
        .await?;

    stage.heading("another client reads and watches");
    let mut watcher = stage.enter("watcher", TIMEOUT_MS).await?;
    let read = || Request::GetData {
        path: database(),
        watch: true,
    };
    watcher.ask(read()).await?;

    stage.heading("a third changes the value");
    let mut writer = stage.enter("writer", TIMEOUT_MS).await?;
    writer
        .ask(Request::SetData {
            path: database(),
            data: Some(b"db_host=localhost;db_port=5433".to_vec()),
            version: 0,
        })
        .await?;
    watcher.hear().await?;
    watcher.ask(read()).await?;

    stage.heading("the owner leaves");
    owner.leave().await?;
    watcher.hear().await?;
    watcher.ask(read()).await?;
    let children = Request::GetChildren2 {
        path: "/config".to_owned(),
        watch: false,
    };
    watcher.ask(children).await?;
    writer.leave().await?;
    watcher.leave().await
}
