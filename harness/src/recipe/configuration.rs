//! Configuration: a znode that many clients read and few write.

use zookeeper_client::{Acl, Acls, AddWatchMode, AuthId, Client, CreateMode, Error, Permission};

use super::{EPHEMERAL, PERSISTENT, PERSISTENT_SEQUENTIAL, in_order, since_3_6, usual};
use crate::stage::{Stage, StageError, User};
use crate::suite::Chapter;

// Longer than 60 lines: a list of cases.
pub(super) fn chapter() -> Chapter {
    Chapter::new(
        "configuration",
        "Configuration",
        "Settings in znodes: readers watch them, and writers name the version that they replace.",
    )
    .scenario(
        1,
        "a reader is notified of a change and reads the new value",
        usual(),
        a_reader_is_notified,
    )
    .scenario(
        2,
        "of two writers who read the same version one must read again",
        usual(),
        two_writers,
    )
    .scenario(
        3,
        "settings that belong together change together",
        since_3_6(),
        together,
    )
    .scenario(
        4,
        "a reader waits for settings that are not there yet",
        usual(),
        not_there_yet,
    )
    .scenario(
        5,
        "many changes before the reader looks are one event and the last value",
        usual(),
        many_changes,
    )
    .scenario(
        6,
        "a reader gets the events of deleted and restored settings",
        usual(),
        deleted_and_back,
    )
    .scenario(
        7,
        "an application sees its own settings alone",
        usual(),
        a_root_of_its_own,
    )
    .scenario(
        8,
        "only a client that knows the password may change the settings",
        usual(),
        a_password,
    )
    .scenario(
        9,
        "an earlier state of the settings is restored from their history",
        usual(),
        history,
    )
    .scenario(
        10,
        "settings of a process are deleted with its session",
        usual(),
        settings_of_a_process,
    )
}

const PATH: &str = "/config";

async fn a_reader_is_notified(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [writer, reader] = stage.users(["writer", "reader"]).await?;
    writer.create(PATH, b"port=5432", &PERSISTENT).await?;
    for value in ["port=5433", "port=5434"] {
        let read = reader.get_and_watch_data(PATH).await;
        let (_, _, change) = stage.note(&reader, "reads", read)?;
        stage.note(
            &writer,
            "sets",
            writer.set_data(PATH, value.as_bytes(), None).await,
        )?;
        stage.notified(&reader, change).await?;
    }
    stage.note(&reader, "reads", reader.get_data(PATH).await)?;
    Ok(())
}

/// Reads, changes and writes until no other client wrote in between.
async fn append(
    stage: &mut Stage<'_>,
    user: &User,
    read: (Vec<u8>, i32),
    text: &str,
) -> Result<(), StageError> {
    let (mut data, mut version) = read;
    loop {
        data.extend_from_slice(text.as_bytes());
        let set = user.set_data(PATH, &data, Some(version)).await;
        match stage.note(user, format_args!("writes over version {version}"), set) {
            Ok(_) => return Ok(()),
            Err(Error::BadVersion) => {}
            Err(error) => return Err(error.into()),
        }
        let (now, stat) = stage.note(user, "reads again", user.get_data(PATH).await)?;
        (data, version) = (now, stat.version);
    }
}

async fn two_writers(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [a, b] = stage.users(["a", "b"]).await?;
    a.create(PATH, b"", &PERSISTENT).await?;
    let (read_by_a, a_stat) = a.get_data(PATH).await?;
    let (read_by_b, b_stat) = b.get_data(PATH).await?;
    append(stage, &a, (read_by_a, a_stat.version), "a").await?;
    append(stage, &b, (read_by_b, b_stat.version), "b").await?;
    stage.note(&a, "reads", a.get_data(PATH).await)?;
    Ok(())
}

async fn together(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [writer, reader] = stage.users(["writer", "reader"]).await?;
    writer.mkdir("/config/db", &PERSISTENT).await?;
    for (path, data) in [("/config/db/host", "one"), ("/config/db/port", "1")] {
        writer.create(path, data.as_bytes(), &PERSISTENT).await?;
    }
    let mut changes = reader
        .watch(PATH, AddWatchMode::PersistentRecursive)
        .await?;
    let mut both = writer.new_multi_writer();
    both.add_set_data("/config/db/host", b"two", Some(0))?;
    both.add_set_data("/config/db/port", b"2", Some(0))?;
    both.add_create("/config/db/user", b"postgres", &PERSISTENT)?;
    stage.note(&writer, "sets all", both.commit().await)?;
    for _ in 0..3 {
        stage.next_event(&reader, &mut changes).await?;
    }
    let mut late = writer.new_multi_writer();
    late.add_set_data("/config/db/host", b"three", None)?;
    late.add_set_data("/config/db/port", b"3", Some(0))?;
    let _ = stage.note(
        &writer,
        "sets all, having missed a change",
        late.commit().await,
    );
    let mut all = reader.new_multi_reader();
    for name in ["host", "port", "user"] {
        all.add_get_data(&format!("/config/db/{name}"))?;
    }
    stage.note(&reader, "reads all", all.commit().await)?;
    Ok(())
}

async fn not_there_yet(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [writer, reader] = stage.users(["writer", "reader"]).await?;
    let _ = stage.note(&reader, "reads", reader.get_data(PATH).await);
    let asked = reader.check_and_watch_stat(PATH).await;
    let (_, made) = stage.note(&reader, "asks whether it exists", asked)?;
    stage.note(
        &writer,
        "creates",
        writer.create(PATH, b"x", &PERSISTENT).await,
    )?;
    stage.notified(&reader, made).await?;
    stage.note(&reader, "reads", reader.get_data(PATH).await)?;
    Ok(())
}

async fn many_changes(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [writer, reader] = stage.users(["writer", "reader"]).await?;
    writer.create(PATH, b"0", &PERSISTENT).await?;
    let (_, _, change) = reader.get_and_watch_data(PATH).await?;
    for value in 1..=20 {
        writer
            .set_data(PATH, value.to_string().as_bytes(), None)
            .await?;
    }
    stage.notified(&reader, change).await?;
    stage.note(&reader, "reads", reader.get_data(PATH).await)?;
    Ok(())
}

async fn deleted_and_back(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [writer, reader] = stage.users(["writer", "reader"]).await?;
    writer.create(PATH, b"old", &PERSISTENT).await?;
    let (_, _, change) = reader.get_and_watch_data(PATH).await?;
    stage.note(&writer, "deletes", writer.delete(PATH, Some(0)).await)?;
    stage.notified(&reader, change).await?;
    let (_, back) = stage.note(&reader, "asks", reader.check_and_watch_stat(PATH).await)?;
    stage.note(
        &writer,
        "creates",
        writer.create(PATH, b"new", &PERSISTENT).await,
    )?;
    stage.notified(&reader, back).await?;
    // Versions of a new znode start from zero, so a client that remembers only the version takes it for the old one.
    stage.note(&reader, "reads", reader.get_data(PATH).await)?;
    Ok(())
}

async fn a_root_of_its_own(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let admin = stage.user("admin").await?;
    admin.mkdir("/apps/shop", &PERSISTENT).await?;
    admin.create("/apps/secret", b"", &PERSISTENT).await?;
    let root = format!("{}/apps/shop", stage.chroot().as_str());
    let app = Client::clone(&admin)
        .chroot(root)
        .map_err(|_| StageError::Senseless("a root that is no path".to_owned()))?;
    stage.note(
        &admin,
        "as the app, creates /colour",
        app.create("/colour", b"red", &PERSISTENT).await,
    )?;
    stage.note(&admin, "as the app, lists /", app.list_children("/").await)?;
    let secret = app.check_stat("/apps/secret").await;
    stage.note(&admin, "as the app, looks for /apps/secret", secret)?;
    let (_, _, change) = app.get_and_watch_data("/colour").await?;
    admin.set_data("/apps/shop/colour", b"blue", None).await?;
    stage.notified(&admin, change).await?;
    Ok(())
}

async fn a_password(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let connector = Client::connector().with_auth("digest", b"admin:secret");
    let admin = stage.user_by("admin", connector).await?;
    let reader = stage.user("reader").await?;
    let acl = [
        Acl::new(Permission::ALL, AuthId::authed()),
        Acl::new(Permission::READ, AuthId::anyone()),
    ];
    let guarded = CreateMode::Persistent.with_acls(Acls::new(&acl));
    stage.note(&admin, "creates", admin.create(PATH, b"1", &guarded).await)?;
    stage.note(&reader, "reads", reader.get_data(PATH).await)?;
    let _ = stage.note(&reader, "sets", reader.set_data(PATH, b"2", None).await);
    stage.note(&admin, "sets", admin.set_data(PATH, b"3", None).await)?;
    reader.auth("digest", b"admin:wrong").await?;
    let _ = stage.note(
        &reader,
        "sets, with a wrong password",
        reader.set_data(PATH, b"4", None).await,
    );
    reader.auth("digest", b"admin:secret").await?;
    stage.note(
        &reader,
        "sets, with the password",
        reader.set_data(PATH, b"5", None).await,
    )?;
    Ok(())
}

async fn history(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let admin = stage.user("admin").await?;
    admin.create(PATH, b"", &PERSISTENT).await?;
    for value in ["one", "two", "broken"] {
        let mut writer = admin.new_multi_writer();
        writer.add_set_data(PATH, value.as_bytes(), None)?;
        writer.add_create("/config/v-", value.as_bytes(), &PERSISTENT_SEQUENTIAL)?;
        stage.note(&admin, format_args!("sets {value}"), writer.commit().await)?;
    }
    let versions = in_order(admin.list_children(PATH).await?);
    if let [.., good, _] = &versions[..] {
        let (data, _) = admin.get_data(&format!("{PATH}/{good}")).await?;
        stage.note(
            &admin,
            format_args!("restores {good}"),
            admin.set_data(PATH, &data, None).await,
        )?;
    }
    stage.note(&admin, "reads", admin.get_data(PATH).await)?;
    Ok(())
}

async fn settings_of_a_process(stage: &mut Stage<'_>) -> Result<(), StageError> {
    let [process, reader] = stage.users(["process", "reader"]).await?;
    process.create(PATH, b"", &PERSISTENT).await?;
    stage.note(
        &process,
        "creates",
        process.create("/config/p", b"up", &EPHEMERAL).await,
    )?;
    let (_, _, change) = reader.get_and_watch_data("/config/p").await?;
    stage.close_session(process).await?;
    stage.notified(&reader, change).await?;
    stage.note(&reader, "lists", reader.get_children(PATH).await)?;
    Ok(())
}
