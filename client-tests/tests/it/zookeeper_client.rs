//! The `zookeeper-client` crate, each test on a current-thread runtime of its own.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::slice;
use std::time::Duration;

use libtest_mimic::Trial;
use tokio::runtime::{Builder, Runtime};
use zookeeper_client::{
    Acl, Acls, AddWatchMode, AuthId, AuthUser, CheckWriteError, Client, Connector, CreateMode,
    CreateOptions, EnsembleUpdate, Error, EventType, LockOptions, LockPrefix, MultiReadResult,
    MultiWriteError, MultiWriteResult, OneshotWatcher, Permission, PersistentWatcher, SessionInfo,
    SessionState, Stat, WatchedEvent,
};

use crate::outcome::{Outcome, outcome};
use crate::server::{Kind, TestServer};
use crate::transcript;

/// Maximum duration of a test.
const DEADLINE: Duration = Duration::from_secs(30);

const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const CONTAINER: CreateOptions<'static> = CreateMode::Container.with_acls(Acls::anyone_all());
const PERSISTENT_SEQUENTIAL: CreateOptions<'static> =
    CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
const EPHEMERAL_SEQUENTIAL: CreateOptions<'static> =
    CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());

macro_rules! cases {
    ($($name:ident,)*) => {
        vec![$(trial(stringify!($name), |run| Box::pin($name(run)))),*]
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        a_znode_is_created_read_changed_and_deleted,
        create_gives_back_a_stat_unless_the_server_is_old,
        sequential_znodes_count_the_creates_of_their_parent,
        an_ephemeral_goes_with_its_session,
        a_container_goes_after_its_last_child,
        a_ttl_znode_goes_when_its_time_is_over,
        directories_are_made,
        refused_requests_return_their_error_codes,
        children_come_with_and_without_stat,
        descendants_are_counted,
        ephemerals_are_listed_by_prefix,
        sync_answers_for_any_path,
        the_configuration_is_empty_and_reconfig_is_refused,
        a_thousand_requests_in_flight_are_all_answered,
        a_chroot_is_the_clients_root,
        paths_in_any_script,
        a_one_shot_watch_fires_once,
        a_watch_on_a_missing_znode_fires_when_the_znode_is_created,
        a_dropped_watcher_leaves_no_watch,
        a_persistent_watch_stays,
        a_recursive_watch_sees_the_whole_subtree,
        one_shot_and_persistent_watches_stand_side_by_side,
        the_expiry_of_an_owner_fires_a_watch,
        the_timeout_is_negotiated,
        a_session_outlives_a_restart_of_the_server,
        watches_outlive_a_restart_of_the_server,
        a_returning_client_gets_the_events_that_it_missed,
        a_detached_session_is_resumed,
        a_second_connection_ends_a_session,
        the_server_expires_a_session,
        a_session_that_is_over_cannot_be_resumed,
        a_read_only_client_gets_a_full_session,
        acls_are_read_and_set,
        a_digest_lets_its_owner_in,
        a_reader_sees_no_digests,
        the_super_user_may_do_all,
        bad_acls_are_refused,
        an_unknown_scheme_fails_the_client,
        a_client_authenticates_anew_after_a_restart,
        a_client_knows_its_identities,
        a_multi_takes_effect_with_one_zxid,
        a_failed_multi_changes_nothing_and_names_the_culprit,
        every_kind_of_create_in_a_multi,
        a_check_guards_a_multi,
        each_read_of_a_multi_read_has_its_own_result,
        a_multi_under_a_chroot,
        locks_pass_from_one_to_the_next,
        a_lock_passes_on_when_its_owner_expires,
        a_lock_guards_writes,
        configuration,
        election,
    ]
}

pub(crate) type Case = for<'a> fn(&'a Run<'a>) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

fn trial(name: &str, case: Case) -> Trial {
    Trial::ignorable_test(format!("zookeeper_client::{name}"), move || {
        check(Kind::under_test(), case)
    })
}

/// Runs a test; its printed lines must be those of a real ZooKeeper.
pub(crate) fn check(kind: Kind, case: Case) -> Outcome {
    outcome(transcript::same(kind, |server| {
        let run = Run {
            server,
            said: RefCell::default(),
        };
        runtime()
            .block_on(async { tokio::time::timeout(DEADLINE, case(&run)).await })
            .map_err(|_| format!("not done within {DEADLINE:?}"))?;
        Ok(run.said.into_inner())
    }))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Server of a test.
pub(crate) struct Run<'a> {
    server: &'a TestServer,
    said: RefCell<Vec<String>>,
}

impl Run<'_> {
    async fn client(&self) -> Client {
        self.connect(Client::connector()).await
    }

    async fn connect(&self, connector: Connector) -> Client {
        connector
            .with_session_timeout(Duration::from_secs(20))
            .connect(&self.server.connect_string())
            .await
            .unwrap()
    }

    /// Restarts the server, and waits until the client is connected again.
    async fn restart(&self, client: &Client) {
        let mut states = client.state_watcher();
        self.server.stop().unwrap();
        assert_eq!(states.changed().await, SessionState::Disconnected);
        self.server.start_again().unwrap();
        assert_eq!(states.changed().await, SessionState::SyncConnected);
    }

    fn expire(&self, client: &Client) {
        self.server
            .expire(client.session_id().0, || {
                // The first client lives on this thread, so it cannot resume the session meanwhile.
                let session = client.session().clone();
                let address = self.server.connect_string();
                std::thread::spawn(move || runtime().block_on(close_session(session, &address)))
                    .join()
                    .map_err(|_| "the session could not be closed".to_owned())
            })
            .unwrap();
    }

    /// Prints a line that must be the same on a real server.
    fn say(&self, line: impl Into<String>) {
        self.said.borrow_mut().push(line.into());
    }
}

async fn close_session(session: SessionInfo, address: &str) {
    let second = Client::connector()
        .with_session(session)
        .connect(address)
        .await
        .unwrap();
    let mut states = second.state_watcher();
    drop(second);
    while states.changed().await != SessionState::Closed {}
}

fn text(event: &WatchedEvent) -> String {
    if event.event_type == EventType::Session {
        event.session_state.to_string()
    } else {
        format!("{} {}", event.event_type, event.path)
    }
}

async fn once(watcher: OneshotWatcher) -> String {
    text(&watcher.changed().await)
}

async fn expect(watcher: &mut PersistentWatcher, expected: &[&str]) {
    for one in expected {
        assert_eq!(text(&watcher.changed().await), *one);
    }
}

fn counts(stat: &Stat) -> String {
    format!(
        "v{} c{} a{}{} length {} children {}",
        stat.version,
        stat.cversion,
        stat.aversion,
        if stat.ephemeral_owner == 0 {
            ""
        } else {
            " ephemeral"
        },
        stat.data_length,
        stat.num_children
    )
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

// Znodes

async fn a_znode_is_created_read_changed_and_deleted(run: &Run<'_>) {
    let zk = run.client().await;
    let (created, _) = zk.create("/a", b"one", &PERSISTENT).await.unwrap();
    let (data, stat) = zk.get_data("/a").await.unwrap();
    assert_eq!((&data[..], stat), (&b"one"[..], created));
    assert_eq!(counts(&stat), "v0 c0 a0 length 3 children 0");
    assert_eq!((stat.mzxid, stat.pzxid), (stat.czxid, stat.czxid));
    assert_eq!(stat.ctime, stat.mtime);
    let changed = zk.set_data("/a", b"three", Some(0)).await.unwrap();
    assert_eq!(counts(&changed), "v1 c0 a0 length 5 children 0");
    assert_eq!(changed.mzxid, stat.czxid + 1);
    assert_eq!(zk.check_stat("/a").await.unwrap(), Some(changed));
    zk.delete("/a", Some(1)).await.unwrap();
    assert_eq!(zk.check_stat("/a").await.unwrap(), None);
}

async fn create_gives_back_a_stat_unless_the_server_is_old(run: &Run<'_>) {
    let zk = run.client().await;
    let (stat, _) = zk.create("/new", b"x", &EPHEMERAL).await.unwrap();
    assert_eq!(stat.ephemeral_owner, zk.session_id().0);
    // To a 3.4 server, the client sends the old create, whose answer is the path alone.
    let old = run
        .connect(Client::connector().with_server_version(3, 4, 14))
        .await;
    let (stat, _) = old.create("/old", b"x", &PERSISTENT).await.unwrap();
    assert!(stat.is_invalid());
    assert!(zk.check_stat("/old").await.unwrap().is_some());
}

async fn sequential_znodes_count_the_creates_of_their_parent(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/q", b"", &PERSISTENT).await.unwrap();
    let mut numbers = Vec::new();
    for (path, options) in [
        ("/q/a-", &PERSISTENT_SEQUENTIAL),
        ("/q/b-", &EPHEMERAL_SEQUENTIAL),
        ("/q/", &PERSISTENT_SEQUENTIAL),
    ] {
        let (_, sequence) = zk.create(path, b"", options).await.unwrap();
        numbers.push(sequence.to_string());
    }
    assert_eq!(numbers, ["0000000000", "0000000001", "0000000002"]);
    zk.create("/q/plain", b"", &PERSISTENT).await.unwrap();
    zk.delete("/q/plain", None).await.unwrap();
    let (_, sequence) = zk
        .create("/q/a-", b"", &PERSISTENT_SEQUENTIAL)
        .await
        .unwrap();
    assert_eq!(sequence.into_i64(), 4);
    assert_eq!(
        sorted(zk.list_children("/q").await.unwrap()),
        ["0000000002", "a-0000000000", "a-0000000004", "b-0000000001"]
    );
}

async fn an_ephemeral_goes_with_its_session(run: &Run<'_>) {
    let owner = run.client().await;
    let other = run.client().await;
    owner.create("/e", b"", &EPHEMERAL).await.unwrap();
    assert_eq!(
        other.create("/e/child", b"", &PERSISTENT).await,
        Err(Error::NoChildrenForEphemerals)
    );
    let (stat, watcher) = other.check_and_watch_stat("/e").await.unwrap();
    assert_eq!(stat.unwrap().ephemeral_owner, owner.session_id().0);
    drop(owner);
    assert_eq!(once(watcher).await, "NodeDeleted /e");
}

async fn a_container_goes_after_its_last_child(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/c", b"", &CONTAINER).await.unwrap();
    zk.create("/unused", b"", &CONTAINER).await.unwrap();
    let (stat, watcher) = zk.check_and_watch_stat("/c").await.unwrap();
    assert_eq!(stat.unwrap().ephemeral_owner, 0);
    zk.create("/c/child", b"", &PERSISTENT).await.unwrap();
    zk.delete("/c/child", None).await.unwrap();
    assert_eq!(once(watcher).await, "NodeDeleted /c");
    assert!(zk.check_stat("/unused").await.unwrap().is_some());
}

async fn a_ttl_znode_goes_when_its_time_is_over(run: &Run<'_>) {
    let zk = run.client().await;
    let short = PERSISTENT.with_ttl(Duration::from_millis(1));
    let long = PERSISTENT_SEQUENTIAL.with_ttl(Duration::from_secs(1000));
    let mut watcher = zk.watch("/short", AddWatchMode::Persistent).await.unwrap();
    zk.create("/short", b"", &short).await.unwrap();
    let (stat, sequence) = zk.create("/long-", b"", &long).await.unwrap();
    assert_eq!((stat.ephemeral_owner, sequence.into_i64()), (0, 1));
    expect(&mut watcher, &["NodeCreated /short", "NodeDeleted /short"]).await;
    assert_eq!(zk.check_stat("/long-0000000001").await.unwrap(), Some(stat));
}

async fn directories_are_made(run: &Run<'_>) {
    let zk = run.client().await;
    zk.mkdir("/a/b/c", &PERSISTENT).await.unwrap();
    zk.mkdir("/a/b/d", &CONTAINER).await.unwrap();
    zk.mkdir("/a/b/d", &CONTAINER).await.unwrap();
    assert_eq!(sorted(zk.list_children("/a/b").await.unwrap()), ["c", "d"]);
}

async fn refused_requests_return_their_error_codes(run: &Run<'_>) {
    let zk = run.client().await;
    zk.mkdir("/a/b", &PERSISTENT).await.unwrap();
    assert_eq!(
        zk.create("/a", b"", &PERSISTENT).await,
        Err(Error::NodeExists)
    );
    assert_eq!(
        zk.create("/x/y", b"", &PERSISTENT).await,
        Err(Error::NoNode)
    );
    assert_eq!(zk.get_data("/x").await, Err(Error::NoNode));
    assert_eq!(zk.set_data("/x", b"", None).await, Err(Error::NoNode));
    assert_eq!(zk.list_children("/x").await, Err(Error::NoNode));
    assert_eq!(zk.get_children("/x").await, Err(Error::NoNode));
    assert_eq!(zk.get_acl("/x").await, Err(Error::NoNode));
    let acl = [Acl::new(Permission::ALL, AuthId::anyone())];
    assert_eq!(zk.set_acl("/x", &acl, None).await, Err(Error::NoNode));
    assert_eq!(zk.count_descendants_number("/x").await, Err(Error::NoNode));
    assert_eq!(zk.delete("/x", None).await, Err(Error::NoNode));
    assert_eq!(
        zk.set_data("/a", b"", Some(7)).await,
        Err(Error::BadVersion)
    );
    assert_eq!(
        zk.set_acl("/a", &acl, Some(7)).await,
        Err(Error::BadVersion)
    );
    assert_eq!(zk.delete("/a", Some(7)).await, Err(Error::BadVersion));
    assert_eq!(zk.delete("/a", Some(0)).await, Err(Error::NotEmpty));
    assert_eq!(
        zk.delete("/zookeeper", None).await,
        Err(Error::BadArguments(&"server error"))
    );
    let stat = zk.check_stat("/a").await.unwrap().unwrap();
    assert_eq!(counts(&stat), "v0 c1 a0 length 0 children 1");
}

async fn children_come_with_and_without_stat(run: &Run<'_>) {
    let zk = run.client().await;
    assert_eq!(zk.list_children("/").await.unwrap(), ["zookeeper"]);
    zk.create("/a", b"x", &PERSISTENT).await.unwrap();
    for number in 0..20 {
        zk.create(&format!("/a/ä{number}"), b"", &PERSISTENT)
            .await
            .unwrap();
    }
    let (children, stat) = zk.get_children("/a").await.unwrap();
    assert!(children.contains(&"ä7".to_owned()));
    assert_eq!(counts(&stat), "v0 c20 a0 length 1 children 20");
    assert_eq!(
        sorted(zk.list_children("/a").await.unwrap()),
        sorted(children)
    );
}

async fn descendants_are_counted(run: &Run<'_>) {
    let zk = run.client().await;
    zk.mkdir("/a/b/c", &PERSISTENT).await.unwrap();
    zk.create("/ab", b"", &PERSISTENT).await.unwrap();
    let mut numbers = Vec::new();
    for path in ["/", "/a", "/a/b/c"] {
        numbers.push(zk.count_descendants_number(path).await.unwrap());
    }
    assert_eq!(numbers, [7, 2, 0]);
}

async fn ephemerals_are_listed_by_prefix(run: &Run<'_>) {
    let zk = run.client().await;
    let other = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    for path in ["/a/one", "/a/once", "/b"] {
        zk.create(path, b"", &EPHEMERAL).await.unwrap();
    }
    other.create("/a/on", b"", &EPHEMERAL).await.unwrap();
    let all = sorted(zk.list_ephemerals("/").await.unwrap());
    assert_eq!(all, ["/a/once", "/a/one", "/b"]);
    let some = sorted(zk.list_ephemerals("/a/on").await.unwrap());
    assert_eq!(some, ["/a/once", "/a/one"]);
    assert!(zk.list_ephemerals("/x").await.unwrap().is_empty());
}

async fn sync_answers_for_any_path(run: &Run<'_>) {
    let zk = run.client().await;
    zk.sync("/").await.unwrap();
    zk.sync("/not/there").await.unwrap();
}

async fn the_configuration_is_empty_and_reconfig_is_refused(run: &Run<'_>) {
    let zk = run.client().await;
    let (data, stat) = zk.get_config().await.unwrap();
    assert_eq!((data.len(), stat.aversion), (0, -1));
    let (again, same, _watcher) = zk.get_and_watch_config().await.unwrap();
    assert_eq!((again, same), (data, stat));
    let update = EnsembleUpdate::New {
        ensemble: ["server.2=127.0.0.1:1:2;3"].into_iter(),
    };
    assert_eq!(
        zk.update_ensemble(update, None).await,
        Err(Error::ReconfigDisabled)
    );
}

async fn a_thousand_requests_in_flight_are_all_answered(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/n", b"", &PERSISTENT).await.unwrap();
    let answers: Vec<_> = (0..1000)
        .map(|_| zk.create("/n/", &[0; 100], &PERSISTENT_SEQUENTIAL))
        .collect();
    for (number, answer) in answers.into_iter().enumerate() {
        let (_, sequence) = answer.await.unwrap();
        assert_eq!(usize::try_from(sequence.into_i64()), Ok(number));
    }
    let stat = zk.check_stat("/n").await.unwrap().unwrap();
    assert_eq!(stat.num_children, 1000);
}

async fn a_chroot_is_the_clients_root(run: &Run<'_>) {
    let plain = run.client().await;
    plain.create("/app", b"", &PERSISTENT).await.unwrap();
    let address = format!("{}/app", run.server.connect_string());
    let zk = Client::connect(&address).await.unwrap();
    assert_eq!(zk.path(), "/app");
    let (_, watcher) = zk.check_and_watch_stat("/a").await.unwrap();
    zk.create("/a", b"x", &PERSISTENT).await.unwrap();
    assert_eq!(once(watcher).await, "NodeCreated /a");
    let (_, sequence) = zk
        .create("/a/s-", b"", &EPHEMERAL_SEQUENTIAL)
        .await
        .unwrap();
    assert_eq!(sequence.into_i64(), 0);
    assert_eq!(zk.list_ephemerals("/").await.unwrap(), ["/a/s-0000000000"]);
    assert_eq!(plain.get_data("/app/a").await.unwrap().0, b"x");
    assert_eq!(zk.get_data("/app").await, Err(Error::NoNode));
    let inner = plain.clone().chroot("/app/a").unwrap();
    assert_eq!(inner.list_children("/").await.unwrap(), ["s-0000000000"]);
    let nowhere = plain.clone().chroot("/nowhere").unwrap();
    assert_eq!(
        nowhere.create("/a", b"", &PERSISTENT).await,
        Err(Error::NoNode)
    );
}

async fn paths_in_any_script(run: &Run<'_>) {
    let zk = run.client().await;
    for path in ["/zürich", "/東京", "/a b", "/..."] {
        zk.create(path, path.as_bytes(), &PERSISTENT).await.unwrap();
        assert_eq!(zk.get_data(path).await.unwrap().0, path.as_bytes());
    }
}

// Watches

async fn a_one_shot_watch_fires_once(run: &Run<'_>) {
    let zk = run.client().await;
    let other = run.client().await;
    other.create("/a", b"", &PERSISTENT).await.unwrap();
    let (_, _, data) = zk.get_and_watch_data("/a").await.unwrap();
    let (_, children) = zk.list_and_watch_children("/a").await.unwrap();
    let (_, _, children_and_stat) = zk.get_and_watch_children("/a").await.unwrap();
    let set = other.set_data("/a", b"1", None).await.unwrap();
    let event = data.changed().await;
    assert_eq!(text(&event), "NodeDataChanged /a");
    assert_eq!(event.zxid, set.mzxid);
    other.create("/a/b", b"", &PERSISTENT).await.unwrap();
    assert_eq!(once(children).await, "NodeChildrenChanged /a");
    assert_eq!(once(children_and_stat).await, "NodeChildrenChanged /a");
    let (_, stat) = zk.check_and_watch_stat("/a/b").await.unwrap();
    let (_, children) = zk.list_and_watch_children("/a/b").await.unwrap();
    other.delete("/a/b", None).await.unwrap();
    assert_eq!(once(stat).await, "NodeDeleted /a/b");
    assert_eq!(once(children).await, "NodeDeleted /a/b");
}

async fn a_watch_on_a_missing_znode_fires_when_the_znode_is_created(run: &Run<'_>) {
    let zk = run.client().await;
    let (stat, watcher) = zk.check_and_watch_stat("/a").await.unwrap();
    assert_eq!(stat, None);
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    assert_eq!(once(watcher).await, "NodeCreated /a");
    assert_eq!(
        zk.get_and_watch_data("/x").await.map(drop),
        Err(Error::NoNode)
    );
    assert_eq!(
        zk.list_and_watch_children("/x").await.map(drop),
        Err(Error::NoNode)
    );
}

/// Dropping a watcher makes the client send removeWatches.
async fn a_dropped_watcher_leaves_no_watch(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let (_, _, data) = zk.get_and_watch_data("/a").await.unwrap();
    let (_, children) = zk.list_and_watch_children("/a").await.unwrap();
    let persistent = zk.watch("/a", AddWatchMode::Persistent).await.unwrap();
    let mut recursive = zk
        .watch("/a", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    drop((data, children, persistent));
    zk.create("/a/b", b"", &PERSISTENT).await.unwrap();
    expect(&mut recursive, &["NodeCreated /a/b"]).await;
    drop(recursive);
    // The server accepted every removeWatches request: the session is still alive.
    zk.sync("/").await.unwrap();
    assert_eq!(zk.state(), SessionState::SyncConnected);
}

async fn a_persistent_watch_stays(run: &Run<'_>) {
    let zk = run.client().await;
    let other = run.client().await;
    let mut watcher = zk.watch("/a", AddWatchMode::Persistent).await.unwrap();
    for _ in 0..2 {
        other.mkdir("/a/b/c", &PERSISTENT).await.unwrap();
        other.set_data("/a", b"x", None).await.unwrap();
        for path in ["/a/b/c", "/a/b", "/a"] {
            other.delete(path, None).await.unwrap();
        }
        expect(
            &mut watcher,
            &[
                "NodeCreated /a",
                "NodeChildrenChanged /a",
                "NodeDataChanged /a",
                "NodeChildrenChanged /a",
                "NodeDeleted /a",
            ],
        )
        .await;
    }
}

async fn a_recursive_watch_sees_the_whole_subtree(run: &Run<'_>) {
    let zk = run.client().await;
    let other = run.client().await;
    let mode = AddWatchMode::PersistentRecursive;
    let mut watcher = zk.watch("/a", mode).await.unwrap();
    other.create("/ab", b"", &PERSISTENT).await.unwrap();
    other.mkdir("/a/b", &PERSISTENT).await.unwrap();
    let (stat, _) = other.create("/a/b/c", b"", &EPHEMERAL).await.unwrap();
    other.set_data("/a/b", b"x", None).await.unwrap();
    expect(&mut watcher, &["NodeCreated /a", "NodeCreated /a/b"]).await;
    let event = watcher.changed().await;
    assert_eq!(text(&event), "NodeCreated /a/b/c");
    assert_eq!(event.zxid, stat.czxid);
    expect(&mut watcher, &["NodeDataChanged /a/b"]).await;
    run.expire(&other);
    expect(&mut watcher, &["NodeDeleted /a/b/c"]).await;
}

async fn one_shot_and_persistent_watches_stand_side_by_side(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let mut persistent = zk.watch("/a", AddWatchMode::Persistent).await.unwrap();
    let (_, _, data) = zk.get_and_watch_data("/a").await.unwrap();
    zk.set_data("/a", b"1", None).await.unwrap();
    zk.set_data("/a", b"2", None).await.unwrap();
    assert_eq!(once(data).await, "NodeDataChanged /a");
    expect(
        &mut persistent,
        &["NodeDataChanged /a", "NodeDataChanged /a"],
    )
    .await;
}

async fn the_expiry_of_an_owner_fires_a_watch(run: &Run<'_>) {
    let owner = run.client().await;
    let zk = run.client().await;
    owner.create("/e", b"", &EPHEMERAL).await.unwrap();
    let (_, watcher) = zk.check_and_watch_stat("/e").await.unwrap();
    run.expire(&owner);
    assert_eq!(once(watcher).await, "NodeDeleted /e");
}

// Sessions

async fn the_timeout_is_negotiated(run: &Run<'_>) {
    for (asked, granted) in [(1, 4), (20, 20), (1000, 40)] {
        let zk = Client::connector()
            .with_session_timeout(Duration::from_secs(asked))
            .connect(&run.server.connect_string())
            .await
            .unwrap();
        assert_eq!(zk.session_timeout(), Duration::from_secs(granted));
    }
}

async fn a_session_outlives_a_restart_of_the_server(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/e", b"x", &EPHEMERAL).await.unwrap();
    run.restart(&zk).await;
    let (data, stat) = zk.get_data("/e").await.unwrap();
    assert_eq!(data, b"x");
    assert_eq!(stat.ephemeral_owner, zk.session_id().0);
}

/// Covers one-shot watches only: 0.11.2 sends setWatches, which cannot contain persistent watches, instead of
/// setWatches2.
async fn watches_outlive_a_restart_of_the_server(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let (_, _, data) = zk.get_and_watch_data("/a").await.unwrap();
    let (_, children) = zk.list_and_watch_children("/a").await.unwrap();
    let (_, exist) = zk.check_and_watch_stat("/b").await.unwrap();
    run.restart(&zk).await;
    zk.set_data("/a", b"x", None).await.unwrap();
    assert_eq!(once(data).await, "NodeDataChanged /a");
    zk.create("/a/c", b"", &PERSISTENT).await.unwrap();
    assert_eq!(once(children).await, "NodeChildrenChanged /a");
    zk.create("/b", b"", &PERSISTENT).await.unwrap();
    assert_eq!(once(exist).await, "NodeCreated /b");
}

async fn a_returning_client_gets_the_events_that_it_missed(run: &Run<'_>) {
    let zk = run.client().await;
    let owner = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    owner.create("/a/e", b"", &EPHEMERAL).await.unwrap();
    let (_, gone) = zk.check_and_watch_stat("/a/e").await.unwrap();
    let (_, children) = zk.list_and_watch_children("/a").await.unwrap();
    let mut states = zk.state_watcher();
    run.server.stop().unwrap();
    assert_eq!(states.changed().await, SessionState::Disconnected);
    run.server.start_again().unwrap();
    run.expire(&owner);
    assert_eq!(once(gone).await, "NodeDeleted /a/e");
    assert_eq!(once(children).await, "NodeChildrenChanged /a");
}

async fn a_detached_session_is_resumed(run: &Run<'_>) {
    let other = run.client().await;
    let first = run.connect(Client::connector().with_detached()).await;
    first.create("/e", b"", &EPHEMERAL).await.unwrap();
    let id = first.session_id();
    let session = first.into_session();
    let second = run.connect(Client::connector().with_session(session)).await;
    assert_eq!(second.session_id(), id);
    let (stat, watcher) = other.check_and_watch_stat("/e").await.unwrap();
    assert_eq!(stat.unwrap().ephemeral_owner, id.0);
    second.delete("/e", None).await.unwrap();
    assert_eq!(once(watcher).await, "NodeDeleted /e");
}

/// The first client is on a thread of its own that is blocked meanwhile, so that it does not resume its session at
/// once.
async fn a_second_connection_ends_a_session(run: &Run<'_>) {
    let other = run.client().await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (go, gone) = std::sync::mpsc::channel();
    let address = run.server.connect_string();
    let first = std::thread::spawn(move || {
        let runtime = runtime();
        let first = runtime.block_on(async {
            let first = Client::connect(&address).await.unwrap();
            first.create("/e", b"", &EPHEMERAL).await.unwrap();
            first
        });
        sender.send(first.session().clone()).unwrap();
        gone.recv().unwrap();
        runtime.block_on(async {
            let mut states = first.state_watcher();
            while states.changed().await != SessionState::Expired {}
            assert_eq!(first.check_stat("/").await, Err(Error::SessionExpired));
        });
    });
    let session = receiver.await.unwrap();
    let (_, watcher) = other.check_and_watch_stat("/e").await.unwrap();
    let second = run
        .connect(Client::connector().with_session(session.clone()))
        .await;
    assert_eq!(second.session_id(), session.id());
    drop(second);
    assert_eq!(once(watcher).await, "NodeDeleted /e");
    go.send(()).unwrap();
    first.join().unwrap();
}

async fn the_server_expires_a_session(run: &Run<'_>) {
    let zk = run.client().await;
    let other = run.client().await;
    zk.create("/e", b"", &EPHEMERAL).await.unwrap();
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let (_, _, watcher) = zk.get_and_watch_data("/a").await.unwrap();
    run.expire(&zk);
    assert_eq!(once(watcher).await, "Expired");
    assert_eq!(zk.state(), SessionState::Expired);
    assert_eq!(zk.check_stat("/").await, Err(Error::SessionExpired));
    assert_eq!(other.check_stat("/e").await.unwrap(), None);
    assert!(other.check_stat("/a").await.unwrap().is_some());
}

async fn a_session_that_is_over_cannot_be_resumed(run: &Run<'_>) {
    let zk = run.client().await;
    let session = zk.session().clone();
    let mut states = zk.state_watcher();
    run.expire(&zk);
    while states.changed().await != SessionState::Expired {}
    let resumed = Client::connector()
        .with_session(session)
        .connect(&run.server.connect_string())
        .await;
    assert_eq!(resumed.map(drop), Err(Error::SessionExpired));
}

async fn a_read_only_client_gets_a_full_session(run: &Run<'_>) {
    let zk = run.connect(Client::connector().with_readonly(true)).await;
    assert!(!zk.session().is_readonly());
    assert_eq!(zk.state(), SessionState::SyncConnected);
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
}

// Access

async fn acls_are_read_and_set(run: &Run<'_>) {
    let zk = run.client().await;
    let (created, _) = zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let (acl, stat) = zk.get_acl("/a").await.unwrap();
    assert_eq!(acl, [Acl::new(Permission::ALL, AuthId::anyone())]);
    assert_eq!(stat, created);
    let wanted = [
        Acl::new(Permission::READ | Permission::ADMIN, AuthId::anyone()),
        Acl::new(Permission::WRITE, AuthId::new("ip", "127.0.0.1/8")),
    ];
    let changed = zk.set_acl("/a", &wanted, Some(0)).await.unwrap();
    assert_eq!(counts(&changed), "v0 c0 a1 length 0 children 0");
    assert_eq!(changed.mzxid, created.mzxid);
    assert_eq!(zk.get_acl("/a").await.unwrap().0, wanted);
    zk.set_data("/a", b"", None).await.unwrap();
    assert_eq!(
        zk.create("/a/b", b"", &PERSISTENT).await,
        Err(Error::NoAuth)
    );
}

async fn a_digest_lets_its_owner_in(run: &Run<'_>) {
    let owner = run
        .connect(Client::connector().with_auth("digest", b"alice:secret"))
        .await;
    let other = run.client().await;
    let mine = CreateMode::Persistent.with_acls(Acls::creator_all());
    owner.create("/a", b"x", &mine).await.unwrap();
    let id = AuthId::new("digest", "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=");
    assert_eq!(
        owner.get_acl("/a").await.unwrap().0,
        [Acl::new(Permission::ALL, id)]
    );
    assert_eq!(other.get_data("/a").await, Err(Error::NoAuth));
    assert_eq!(other.check_stat("/a").await, Err(Error::NoAuth));
    assert_eq!(other.list_children("/a").await, Err(Error::NoAuth));
    assert_eq!(other.set_data("/a", b"", None).await, Err(Error::NoAuth));
    assert_eq!(other.get_acl("/a").await, Err(Error::NoAuth));
    other.auth("digest", b"alice:wrong").await.unwrap();
    assert_eq!(other.get_data("/a").await, Err(Error::NoAuth));
    other.auth("digest", b"alice:secret").await.unwrap();
    assert_eq!(other.get_data("/a").await.unwrap().0, b"x");
}

async fn a_reader_sees_no_digests(run: &Run<'_>) {
    let zk = run.client().await;
    let digest = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";
    let acl = [
        Acl::new(Permission::READ, AuthId::anyone()),
        Acl::new(Permission::ALL, AuthId::new("digest", digest)),
    ];
    let options = CreateMode::Persistent.with_acls(Acls::new(&acl));
    zk.create("/a", b"", &options).await.unwrap();
    assert_eq!(zk.get_acl("/a").await.unwrap().0[1].id(), "alice:x");
    zk.auth("digest", b"alice:secret").await.unwrap();
    assert_eq!(zk.get_acl("/a").await.unwrap().0[1].id(), digest);
}

async fn the_super_user_may_do_all(run: &Run<'_>) {
    let owner = run
        .connect(Client::connector().with_auth("digest", b"alice:secret"))
        .await;
    let mine = CreateMode::Persistent.with_acls(Acls::creator_all());
    owner.create("/a", b"x", &mine).await.unwrap();
    let admin = run.client().await;
    assert_eq!(admin.get_data("/a").await, Err(Error::NoAuth));
    admin.auth("digest", b"super:test").await.unwrap();
    admin.set_data("/a", b"", None).await.unwrap();
    let readable = [Acl::new(Permission::READ, AuthId::anyone())];
    admin.set_acl("/a", &readable, None).await.unwrap();
    admin.delete("/a", None).await.unwrap();
}

async fn bad_acls_are_refused(run: &Run<'_>) {
    let zk = run.client().await;
    for acl in [
        Acl::new(Permission::ALL, AuthId::authed()),
        Acl::new(Permission::ALL, AuthId::new("unknown", "x")),
        Acl::new(Permission::ALL, AuthId::new("ip", "not an address")),
    ] {
        let acl = [acl];
        let options = CreateMode::Persistent.with_acls(Acls::new(&acl));
        let answer = zk.create("/a", b"", &options).await;
        assert_eq!(answer, Err(Error::InvalidAcl));
    }
}

async fn an_unknown_scheme_fails_the_client(run: &Run<'_>) {
    let zk = run.client().await;
    assert_eq!(zk.auth("unknown", b"x").await, Err(Error::AuthFailed));
    assert_eq!(zk.state(), SessionState::AuthFailed);
    assert_eq!(zk.check_stat("/").await, Err(Error::AuthFailed));
}

async fn a_client_authenticates_anew_after_a_restart(run: &Run<'_>) {
    let zk = run.client().await;
    zk.auth("digest", b"alice:secret").await.unwrap();
    let mine = CreateMode::Persistent.with_acls(Acls::creator_all());
    zk.create("/a", b"x", &mine).await.unwrap();
    run.restart(&zk).await;
    assert_eq!(zk.get_data("/a").await.unwrap().0, b"x");
}

async fn a_client_knows_its_identities(run: &Run<'_>) {
    let zk = run.client().await;
    let ip = AuthUser::new("ip", "127.0.0.1");
    assert_eq!(zk.list_auth_users().await.unwrap(), *slice::from_ref(&ip));
    zk.auth("digest", b"alice:secret").await.unwrap();
    let users = zk.list_auth_users().await.unwrap();
    assert_eq!(users.len(), 2);
    assert!(users.contains(&ip) && users.contains(&AuthUser::new("digest", "alice")));
}

// Several operations as one

async fn a_multi_takes_effect_with_one_zxid(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/old", b"", &PERSISTENT).await.unwrap();
    let mut writer = zk.new_multi_writer();
    writer.add_check_version("/old", 0).unwrap();
    writer.add_create("/a", b"1", &PERSISTENT).unwrap();
    writer
        .add_create("/a/s-", b"", &EPHEMERAL_SEQUENTIAL)
        .unwrap();
    writer.add_set_data("/a", b"22", Some(0)).unwrap();
    writer.add_delete("/old", Some(0)).unwrap();
    let results = writer.commit().await.unwrap();
    let [
        MultiWriteResult::Check,
        MultiWriteResult::Create {
            path: a,
            stat: a_stat,
        },
        MultiWriteResult::Create {
            path: s,
            stat: s_stat,
        },
        MultiWriteResult::SetData { stat: set },
        MultiWriteResult::Delete,
    ] = &results[..]
    else {
        panic!("{results:?}");
    };
    assert_eq!((&a[..], &s[..]), ("/a", "/a/s-0000000000"));
    assert_eq!(counts(set), "v1 c1 a0 length 2 children 1");
    assert_eq!((a_stat.czxid, s_stat.czxid), (set.mzxid, set.mzxid));
    assert_eq!(zk.check_stat("/a").await.unwrap(), Some(*set));
    assert_eq!(zk.check_stat("/old").await.unwrap(), None);
    assert_eq!(writer.commit().await, Ok(Vec::new()));
}

async fn a_failed_multi_changes_nothing_and_names_the_culprit(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/a", b"", &PERSISTENT).await.unwrap();
    let (_, watcher) = zk.check_and_watch_stat("/new").await.unwrap();
    let mut writer = zk.new_multi_writer();
    writer.add_create("/new", b"", &PERSISTENT).unwrap();
    writer.add_set_data("/a", b"x", None).unwrap();
    writer.add_check_version("/a", 7).unwrap();
    writer.add_delete("/a", None).unwrap();
    assert_eq!(
        writer.commit().await,
        Err(MultiWriteError::OperationFailed {
            index: 2,
            source: Error::BadVersion
        })
    );
    let stat = zk.check_stat("/a").await.unwrap().unwrap();
    assert_eq!(counts(&stat), "v0 c0 a0 length 0 children 0");
    // The first event of the watcher is the create that succeeds.
    let (created, _) = zk.create("/new", b"", &PERSISTENT).await.unwrap();
    assert_eq!(watcher.changed().await.zxid, created.czxid);
}

async fn every_kind_of_create_in_a_multi(run: &Run<'_>) {
    let zk = run.client().await;
    let ttl = PERSISTENT.with_ttl(Duration::from_secs(1000));
    let ttl_sequential = PERSISTENT_SEQUENTIAL.with_ttl(Duration::from_secs(1000));
    let mut writer = zk.new_multi_writer();
    for (path, options) in [
        ("/persistent", &PERSISTENT),
        ("/container", &CONTAINER),
        ("/ttl", &ttl),
        ("/ttl-", &ttl_sequential),
        ("/ephemeral", &EPHEMERAL),
    ] {
        writer.add_create(path, b"", options).unwrap();
    }
    let mut paths = Vec::new();
    for result in writer.commit().await.unwrap() {
        let MultiWriteResult::Create { path, stat } = result else {
            panic!("{result:?}");
        };
        assert_eq!(zk.check_stat(&path).await.unwrap(), Some(stat));
        paths.push(path);
    }
    assert_eq!(paths[3], "/ttl-0000000003");
}

async fn a_check_guards_a_multi(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/guard", b"", &PERSISTENT).await.unwrap();
    let mut writer = zk.new_check_writer("/guard", Some(0)).unwrap();
    writer.add_create("/a", b"", &PERSISTENT).unwrap();
    assert_eq!(writer.commit().await.unwrap().len(), 1);
    zk.set_data("/guard", b"", None).await.unwrap();
    let mut writer = zk.new_check_writer("/guard", Some(0)).unwrap();
    writer.add_delete("/a", None).unwrap();
    assert_eq!(
        writer.commit().await,
        Err(CheckWriteError::CheckFailed {
            source: Error::BadVersion
        })
    );
    assert!(zk.check_stat("/a").await.unwrap().is_some());
}

async fn each_read_of_a_multi_read_has_its_own_result(run: &Run<'_>) {
    let zk = run.client().await;
    zk.mkdir("/a/b", &PERSISTENT).await.unwrap();
    zk.set_data("/a", b"x", None).await.unwrap();
    let mut reader = zk.new_multi_reader();
    reader.add_get_data("/a").unwrap();
    reader.add_get_data("/x").unwrap();
    reader.add_get_children("/a").unwrap();
    let results = reader.commit().await.unwrap();
    let [
        MultiReadResult::Data { data, stat },
        MultiReadResult::Error { err },
        MultiReadResult::Children { children },
    ] = &results[..]
    else {
        panic!("{results:?}");
    };
    assert_eq!((&data[..], err), (&b"x"[..], &Error::NoNode));
    assert_eq!(zk.check_stat("/a").await.unwrap(), Some(*stat));
    assert_eq!(children, &["b"]);
}

async fn a_multi_under_a_chroot(run: &Run<'_>) {
    let plain = run.client().await;
    plain.create("/app", b"", &PERSISTENT).await.unwrap();
    let zk = plain.clone().chroot("/app").unwrap();
    let mut writer = zk.new_multi_writer();
    writer.add_create("/a", b"x", &PERSISTENT).unwrap();
    let results = writer.commit().await.unwrap();
    let MultiWriteResult::Create { path, .. } = &results[0] else {
        panic!("{results:?}");
    };
    assert_eq!(path, "/a");
    assert_eq!(plain.get_data("/app/a").await.unwrap().0, b"x");
}

// Locks

async fn locks_pass_from_one_to_the_next(run: &Run<'_>) {
    let one = run.client().await;
    let two = run.client().await;
    let options = || {
        LockOptions::new(Acls::anyone_all())
            .with_ancestor_options(CONTAINER)
            .unwrap()
    };
    let prefixes = || {
        [
            LockPrefix::new_curator("/curator", "lock-").unwrap(),
            LockPrefix::new_shared("/shared/n-").unwrap(),
            LockPrefix::new_custom("/custom/x-1-".to_owned(), "x-").unwrap(),
        ]
    };
    for (first, second) in prefixes().into_iter().zip(prefixes()) {
        let held = one.lock(first, b"one", options()).await.unwrap();
        let path = held.lock_path().to_owned();
        let (folder, _) = path.rsplit_once('/').unwrap();
        let mut watcher = one
            .watch(folder, AddWatchMode::PersistentRecursive)
            .await
            .unwrap();
        let waiting = two.lock(second, b"two", options());
        let release = async {
            let event = watcher.changed().await;
            assert_eq!(event.event_type, EventType::NodeCreated);
            drop(held);
            assert_eq!(
                text(&watcher.changed().await),
                format!("NodeDeleted {path}")
            );
        };
        let (taken, ()) = tokio::join!(waiting, release);
        assert_ne!(taken.unwrap().lock_path(), path);
    }
}

async fn a_lock_passes_on_when_its_owner_expires(run: &Run<'_>) {
    let one = run.client().await;
    let two = run.client().await;
    one.create("/lock", b"", &PERSISTENT).await.unwrap();
    let prefix = || LockPrefix::new_shared("/lock/n-").unwrap();
    let held = one.lock(prefix(), b"", Acls::anyone_all()).await.unwrap();
    let mut watcher = two
        .watch("/lock", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    let expire = async {
        expect(&mut watcher, &["NodeCreated /lock/n-0000000001"]).await;
        run.expire(&one);
    };
    let (taken, ()) = tokio::join!(two.lock(prefix(), b"", Acls::anyone_all()), expire);
    assert_eq!(taken.unwrap().lock_path(), "/lock/n-0000000001");
    drop(held);
}

async fn a_lock_guards_writes(run: &Run<'_>) {
    let zk = run.client().await;
    zk.create("/lock", b"", &PERSISTENT).await.unwrap();
    let prefix = LockPrefix::new_shared("/lock/n-").unwrap();
    let lock = zk.lock(prefix, b"", Acls::anyone_all()).await.unwrap();
    lock.create("/a", b"1", &PERSISTENT).await.unwrap();
    lock.set_data("/a", b"2", None).await.unwrap();
    zk.delete(lock.lock_path(), None).await.unwrap();
    assert_eq!(
        lock.set_data("/a", b"3", None).await,
        Err(Error::RuntimeInconsistent)
    );
    assert_eq!(zk.get_data("/a").await.unwrap().0, b"2");
}

// Common uses of ZooKeeper, whose lines must be those of a real server

pub(crate) async fn configuration(run: &Run<'_>) {
    let owner = run.client().await;
    let reader = run.client().await;
    let writer = run.client().await;
    owner.create("/config", b"", &PERSISTENT).await.unwrap();
    let path = "/config/database";
    let (stat, _) = owner
        .create(path, b"db_host=localhost;db_port=5432", &EPHEMERAL)
        .await
        .unwrap();
    run.say(format!("created {}", counts(&stat)));
    let (data, stat, watcher) = reader.get_and_watch_data(path).await.unwrap();
    run.say(format!("reads {data:?} {}", counts(&stat)));
    let stat = writer
        .set_data(path, b"db_host=localhost;db_port=5433", Some(0))
        .await
        .unwrap();
    run.say(format!("sets {}", counts(&stat)));
    run.say(format!("got {}", once(watcher).await));
    let (data, stat, watcher) = reader.get_and_watch_data(path).await.unwrap();
    run.say(format!(
        "reads {data:?} {} zxid {}",
        counts(&stat),
        stat.mzxid
    ));
    drop(owner);
    let event = watcher.changed().await;
    run.say(format!("got {} zxid {}", text(&event), event.zxid));
    run.say(format!("{:?}", reader.check_stat(path).await.unwrap()));
    let (children, stat) = reader.get_children("/config").await.unwrap();
    run.say(format!("children {children:?} {}", counts(&stat)));
}

/// A candidate of the election: a client, and a watch on the candidate before.
struct Candidate {
    name: &'static str,
    client: Client,
    before: Option<OneshotWatcher>,
}

pub(crate) async fn election(run: &Run<'_>) {
    let asker = run.client().await;
    asker.create("/election", b"", &PERSISTENT).await.unwrap();
    let mut line = Vec::new();
    for name in ["a", "b", "c"] {
        line.push(stand(run, name).await);
    }
    leader(run, &asker).await;
    for end in ["close", "expiry"] {
        let leaves = line.remove(0);
        let name = leaves.name;
        if end == "close" {
            drop(leaves);
        } else {
            run.expire(&leaves.client);
        }
        let next = &mut line[0];
        let event = once(next.before.take().unwrap()).await;
        run.say(format!("{name} leaves by {end}, {} got {event}", next.name));
        leader(run, &asker).await;
        if end == "close" {
            line.push(stand(run, name).await);
        }
    }
}

async fn stand(run: &Run<'_>, name: &'static str) -> Candidate {
    let client = run.client().await;
    let (_, sequence) = client
        .create("/election/n-", name.as_bytes(), &EPHEMERAL_SEQUENTIAL)
        .await
        .unwrap();
    let candidates = sorted(client.list_children("/election").await.unwrap());
    let mine = format!("n-{sequence}");
    let place = candidates.iter().position(|other| *other == mine).unwrap();
    let before = if place == 0 {
        run.say(format!("{name} stands as {mine} and leads"));
        None
    } else {
        let before = &candidates[place - 1];
        run.say(format!("{name} stands as {mine} and watches {before}"));
        let path = format!("/election/{before}");
        Some(client.check_and_watch_stat(&path).await.unwrap().1)
    };
    Candidate {
        name,
        client,
        before,
    }
}

async fn leader(run: &Run<'_>, asker: &Client) {
    let candidates = sorted(asker.list_children("/election").await.unwrap());
    let path = format!("/election/{}", candidates[0]);
    let (data, _) = asker.get_data(&path).await.unwrap();
    run.say(format!("leader {}", String::from_utf8_lossy(&data)));
}
