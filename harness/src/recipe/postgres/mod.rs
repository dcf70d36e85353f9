//! PostgreSQL's configuration, rendered from a znode and again after each change.

mod render;
mod text;

use serde_json::{Value, json};
use zookeeper_client::{Error, OneshotWatcher};

use super::{EPHEMERAL, PERSISTENT, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;
use crate::transcribe::Transcribe;
use crate::transcript::Line;
use render::{Files, Primary, Settings};

pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "postgres",
        "PostgreSQL's configuration from a znode",
        "An agent of each server reads the cluster's configuration as JSON, writes postgresql.conf and \
         pg_hba.conf, \
         and does so again when the znode, or the primary, changes.",
    )
    .scenario(1, "the configuration is rendered from the znode", usual(), rendered)
    .scenario(2, "a changed znode is rendered anew", usual(), rendered_anew)
    .scenario(3, "every odd text reaches the file quoted", usual(), odd_texts)
    .scenario(4, "a znode that is no JSON leaves the files as they were", usual(), no_json)
    .scenario(5, "what cannot be written leaves the files as they were", usual(), unwritable)
    .scenario(6, "a change that needs a restart says so", usual(), pending_restart)
    .scenario(7, "a standby follows the new primary after a failover", usual(), a_new_primary)
    .scenario(8, "a standby that is promoted is no standby any more", usual(), promoted)
    .scenario(9, "an agent waits for the first configuration", usual(), no_configuration_yet)
}

const CONFIG: &str = "/service/main/config";
const LEADER: &str = "/service/main/leader";

/// Writer of the files of one server.
struct Agent {
    settings: Settings,
    files: Files,
}

impl Transcribe for Files {
    fn note(&self, line: &mut Line) {
        if self.standby {
            line.text(" standby.signal,");
        }
        line.text(format!(
            " {} | {}",
            self.conf.join("; "),
            self.hba.join("; ")
        ));
    }
}

impl Agent {
    fn new() -> Self {
        Self {
            settings: Settings::default(),
            files: Files::default(),
        }
    }

    /// Reads the znode and renders it; the watch is on the znode.
    async fn render(
        &mut self,
        stage: &mut Stage<'_>,
        user: &User,
    ) -> Result<OneshotWatcher, StageError> {
        let (data, stat, changes) = user.get_and_watch_data(CONFIG).await?;
        stage.note(user, "reads the configuration", stat);
        let settings: Settings = match serde_json::from_slice(&data) {
            Ok(settings) => settings,
            Err(_) => {
                stage.remark(user, "keeps its files: the configuration is no JSON");
                return Ok(changes);
            }
        };
        let primary = primary(user).await?;
        match settings.render(primary.as_ref()) {
            Ok(files) => {
                let restart = settings.pending_restart(&self.settings);
                stage.note(user, "writes", &files);
                if self.settings != Settings::default() && !restart.is_empty() {
                    stage.note(user, "needs a restart for", restart);
                }
                self.files = files;
                self.settings = settings;
            }
            Err(error) => stage.remark(user, format_args!("keeps its files: {error}")),
        }
        Ok(changes)
    }
}

/// Returns the primary that this server follows; `None` if it is the leader itself, or if there is none.
async fn primary(user: &User) -> Result<Option<Primary>, StageError> {
    let leader = match user.get_data(LEADER).await {
        Ok((name, _)) => String::from_utf8_lossy(&name).into_owned(),
        Err(Error::NoNode) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if leader == user.name() {
        return Ok(None);
    }
    let (data, _) = user
        .get_data(&format!("/service/main/members/{leader}"))
        .await?;
    let member: Value = serde_json::from_slice(&data).unwrap_or_default();
    let text = |key: &str| {
        member
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let port = member.get("port").and_then(Value::as_u64);
    Ok(Some(Primary {
        host: text("host"),
        port: port.and_then(|port| port.try_into().ok()).unwrap_or(5432),
        password: text("password"),
        application_name: user.name().to_owned(),
    }))
}

fn configuration(parameters: &Value, rules: &Value) -> Vec<u8> {
    let config = json!({
        "ttl": 30,
        "postgresql": { "parameters": parameters, "pg_hba": rules },
    });
    config.to_string().into_bytes()
}

/// Connects users, and creates an initial configuration.
async fn users<const N: usize>(
    stage: &mut Stage<'_>,
    names: [&str; N],
) -> Result<[User; N], StageError> {
    let users = stage.users(names).await?;
    if let Some(user) = users.first() {
        user.mkdir("/service/main/members", &PERSISTENT).await?;
        let first = configuration(
            &json!({ "max_connections": 100, "work_mem": "4MB", "hot_standby": true }),
            &json!([
                "local all all peer",
                "host all all 10.0.0.0/8 scram-sha-256"
            ]),
        );
        user.create(CONFIG, &first, &PERSISTENT).await?;
    }
    Ok(users)
}

async fn lead(stage: &mut Stage<'_>, user: &User, password: &str) -> Result<(), StageError> {
    let name = user.name();
    let member = json!({ "host": format!("{name}.db"), "port": 5432, "password": password });
    let path = format!("/service/main/members/{name}");
    user.create(&path, member.to_string().as_bytes(), &EPHEMERAL)
        .await?;
    stage.note(
        user,
        "leads",
        user.create(LEADER, name.as_bytes(), &EPHEMERAL).await,
    )?;
    Ok(())
}

/// Sets the configuration, waits until the agent is notified, and renders it.
async fn change(
    stage: &mut Stage<'_>,
    admin: &User,
    user: &User,
    agent: &mut Agent,
    config: &[u8],
) -> Result<(), StageError> {
    let changes = agent.render(stage, user).await?;
    stage.note(
        admin,
        "sets the configuration",
        admin.set_data(CONFIG, config, None).await,
    )?;
    stage.notified(user, changes).await?;
    agent.render(stage, user).await?;
    Ok(())
}

async fn rendered(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0] = users(stage, ["pg0"]).await?;
    Agent::new().render(stage, &pg0).await?;
    Ok(())
}

async fn rendered_anew(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = users(stage, ["pg0", "admin"]).await?;
    let config = configuration(
        &json!({ "work_mem": "64MB", "log_line_prefix": "%m [%p] " }),
        &json!(["local all all peer"]),
    );
    change(stage, &admin, &pg0, &mut Agent::new(), &config).await
}

async fn odd_texts(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = users(stage, ["pg0", "admin"]).await?;
    let config = configuration(
        &json!({
            "archive_command": "test ! -f '/wal/%f' && cp %p '/wal/%f'",
            "search_path": "\"$user\", public",
            "log_directory": "C:\\logs",
            "cluster_name": "größe # eins\nzwei",
            "pg_stat_statements.track": "all",
        }),
        &json!([
            { "type": "host", "database": "my db", "user": "all", "address": "::1/128", "method": "md5" },
            "# a comment",
        ]),
    );
    change(stage, &admin, &pg0, &mut Agent::new(), &config).await
}

async fn no_json(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = users(stage, ["pg0", "admin"]).await?;
    let mut agent = Agent::new();
    for broken in [&b"{"[..], b"", b"\xff\x00"] {
        change(stage, &admin, &pg0, &mut agent, broken).await?;
    }
    stage.note(&pg0, "still has", &agent.files);
    Ok(())
}

async fn unwritable(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = users(stage, ["pg0", "admin"]).await?;
    let mut agent = Agent::new();
    for (parameters, rules) in [
        (json!({ "work_mem; drop": 1 }), json!([])),
        (json!({ "work_mem": "1\u{0}" }), json!([])),
        (json!({ "work_mem": [1] }), json!([])),
        (
            json!({}),
            json!(["local all all peer\nhost all all 0.0.0.0/0 trust"]),
        ),
    ] {
        let config = configuration(&parameters, &rules);
        change(stage, &admin, &pg0, &mut agent, &config).await?;
    }
    stage.note(&pg0, "still has", &agent.files);
    Ok(())
}

async fn pending_restart(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = users(stage, ["pg0", "admin"]).await?;
    let config = configuration(
        &json!({ "max_connections": 200, "work_mem": "8MB", "wal_level": "logical" }),
        &json!([]),
    );
    change(stage, &admin, &pg0, &mut Agent::new(), &config).await
}

async fn a_new_primary(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1, pg2] = users(stage, ["pg0", "pg1", "pg2"]).await?;
    lead(stage, &pg0, "secret").await?;
    let mut agent = Agent::new();
    agent.render(stage, &pg2).await?;
    let (_, gone) = pg2.check_and_watch_stat(LEADER).await?;
    stage.expire_session(&pg0).await?;
    stage.notified(&pg2, gone).await?;
    let (_, come) = pg2.check_and_watch_stat(LEADER).await?;
    lead(stage, &pg1, "it's a \\ secret").await?;
    stage.notified(&pg2, come).await?;
    agent.render(stage, &pg2).await?;
    Ok(())
}

async fn promoted(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, pg1] = users(stage, ["pg0", "pg1"]).await?;
    lead(stage, &pg0, "secret").await?;
    let mut agent = Agent::new();
    agent.render(stage, &pg1).await?;
    let (_, gone) = pg1.check_and_watch_stat(LEADER).await?;
    stage.close_session(pg0).await?;
    stage.notified(&pg1, gone).await?;
    lead(stage, &pg1, "secret").await?;
    agent.render(stage, &pg1).await?;
    Ok(())
}

async fn no_configuration_yet(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [pg0, admin] = stage.users(["pg0", "admin"]).await?;
    admin.mkdir("/service/main", &PERSISTENT).await?;
    let (there, made) = pg0.check_and_watch_stat(CONFIG).await?;
    stage.note(&pg0, "looks for the configuration", there);
    let config = configuration(&json!({ "work_mem": "4MB" }), &json!([]));
    stage.note(
        &admin,
        "creates it",
        admin.create(CONFIG, &config, &PERSISTENT).await,
    )?;
    stage.notified(&pg0, made).await?;
    Agent::new().render(stage, &pg0).await?;
    Ok(())
}
