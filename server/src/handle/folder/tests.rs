//! A server on a disk that refuses.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::{Compression, DataFormat, Server, StorageError, persistence};
use crate::handle::{Config, StartError};
use crate::protocol::ErrorCode;
use crate::store::Disk;
use crate::store::tests::{Fault, FaultyDisk};

fn start(disk: &FaultyDisk) -> Result<Server, StartError> {
    start_at(disk, "/data")
}

fn start_at(disk: &FaultyDisk, data_dir: &str) -> Result<Server, StartError> {
    let mut config = Config::default();
    config.storage.data_dir = Some(data_dir.into());
    Server::launch_on(Arc::new(disk.clone()), config, None, None)
}

/// Connects, and waits until that was noticed.
fn connected(server: &Server) -> TcpStream {
    let mut socket = TcpStream::connect(server.addr()).expect("it listens");
    let deadline = Some(Duration::from_secs(60));
    socket.set_read_timeout(deadline).expect("it is not zero");
    let mut connect = [0; 49];
    connect[3] = 45;
    connect[31] = 16;
    socket.write_all(&connect).expect("it is open");
    socket.read_exact(&mut [0; 41]).expect("it is answered");
    socket
}

#[test]
fn a_server_whose_disk_is_full_acknowledges_nothing_says_why_and_stops() {
    let disk = FaultyDisk::default();
    let server = start(&disk).expect("it starts");
    server.create("/before", b"").expect("there is room");
    let mut client = connected(&server);
    assert!(server.failure().is_none() && server.is_running());

    disk.plan(disk.calls(), Fault::FromThenOn(ErrorKind::StorageFull));
    let refused = server.create("/after", b"");
    assert_eq!(refused.unwrap_err(), ErrorCode::SystemError);
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    let failure = server.wait_for_failure().blocking();
    assert!(matches!(failure, StorageError::Io { .. }), "{failure}");
    assert!(
        failure.to_string().contains("/data/version-2/"),
        "{failure}"
    );
    assert_eq!(failure.to_string().lines().count(), 1);
    assert!(server.failure().is_some() && !server.is_running());
    let again = server.start_again();
    assert!(matches!(again, Err(StartError::Storage(_))));
    assert!(server.restart().is_err());
    assert!(TcpStream::connect(server.addr()).is_err());
    drop(server);

    // With room again, it is as it was acknowledged.
    let disk = disk.after_power_loss(crate::store::tests::Survival::Nothing);
    let server = start(&disk).expect("it starts");
    assert!(server.znode("/before").is_some() && server.znode("/after").is_none());
}

#[test]
fn a_disk_that_refuses_while_a_server_starts_is_why_it_does_not() {
    let disk = FaultyDisk::default();
    let server = start(&disk).expect("it starts");
    server.stop();
    disk.plan(disk.calls(), Fault::FromThenOn(ErrorKind::StorageFull));
    assert!(server.create("/after", b"").is_err());
    // What a snapshot that is written at once may do meanwhile.
    let begun = server.begin(&mut server.ports());
    let error = begun.expect_err("nothing can be written");
    assert!(matches!(error, StartError::Storage(_)), "{error}");
    assert!(!server.is_running());
}

#[test]
fn a_snapshot_that_the_disk_refuses_stops_the_server_too() {
    let disk = FaultyDisk::default();
    let mut config = Config::default();
    config.storage.data_dir = Some("/data".into());
    config.storage.snap_count = 2;
    config.storage.pre_alloc_size = 0;
    let server = Server::launch_on(Arc::new(disk.clone()), config, None, None);
    let server = server.expect("it starts");
    server.create("/1", b"").expect("it is written");
    // The write of the second and its flush go well, and then comes the snapshot.
    disk.plan(disk.calls() + 2, Fault::FromThenOn(ErrorKind::Other));
    for number in 2..100 {
        if server.create(&format!("/{number}"), b"").is_err() {
            break;
        }
    }
    let _failure = server.wait_for_failure().blocking();
    assert!(!server.is_running());
}

#[test]
fn a_folder_in_which_nothing_can_be_written_is_refused_at_the_start() {
    let disk = FaultyDisk::default();
    disk.plan(0, Fault::FromThenOn(ErrorKind::ReadOnlyFilesystem));
    let error = start(&disk).expect_err("nothing can be written");
    assert!(matches!(error, StartError::Storage(_)), "{error}");
}

#[test]
fn a_flush_that_takes_long_keeps_a_write_of_the_test_waiting() {
    let disk = FaultyDisk::default();
    let server = start(&disk).expect("it starts");
    server.create("/first", b"").expect("it is written");
    disk.hold_syncs();
    let writing = {
        let server = server.clone();
        std::thread::spawn(move || server.create("/slow", b""))
    };
    disk.wait_for_held_sync();
    assert!(!writing.is_finished());
    // The write is visible, but not acknowledged yet.
    assert!(server.znode("/slow").is_some());
    disk.release_syncs();
    let written = writing.join().expect("it does not panic");
    written.expect("it is written");
}

#[test]
fn a_write_of_one_of_many_threads_is_durable_when_it_returns() {
    const THREADS: usize = 8;
    const WRITES: usize = 100;
    for force_sync in [true, false] {
        let disk = FaultyDisk::default();
        let mut config = Config::default();
        config.storage.data_dir = Some("/data".into());
        config.storage.force_sync = force_sync;
        config.storage.pre_alloc_size = 4096;
        config.storage.snap_count = 100;
        let server = Server::launch_on(Arc::new(disk.clone()), config, None, None);
        let server = server.expect("it starts");
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let server = &server;
                scope.spawn(move || {
                    for write in 0..WRITES {
                        let created = server.create(&format!("/{thread}-{write}"), b"");
                        created.expect("it is written");
                    }
                });
            }
        });
        let before = server.snapshot();
        if force_sync {
            // All writes were durable before the server stopped.
            let found = disk.after_power_loss(crate::store::tests::Survival::Nothing);
            assert_eq!(start(&found).expect("it starts").snapshot(), before);
        }
        drop(server);
        assert_eq!(start(&disk).expect("it starts").snapshot(), before);
    }
}

#[test]
fn a_folder_that_could_not_be_exported_can_be_when_there_is_room() {
    let server = Server::start().expect("a server starts");
    server.create("/config", b"v1").expect("it is created");
    let export = |disk: &FaultyDisk| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let (format, none) = (DataFormat::default(), Compression::None);
        persistence::write(
            disk,
            "/export".as_ref(),
            format,
            none,
            &server.snapshot().state(),
        )
    };
    let disk = FaultyDisk::default();
    export(&disk).expect("there is room");
    assert!(matches!(export(&disk), Err(StorageError::NotEmpty { .. })));
    let mut refused = 0;
    for call in 0..disk.calls() {
        let disk = FaultyDisk::default();
        disk.plan(call, Fault::Once(ErrorKind::StorageFull));
        if let Err(error) = export(&disk) {
            assert!(matches!(error, StorageError::Io { .. }), "{error}");
            refused += 1;
            // If the disk fails after the rename and before the sync, the folder already has its name.
            let again = export(&disk);
            let is_there = matches!(again, Err(StorageError::NotEmpty { .. }));
            assert!(again.is_ok() || is_there && start_at(&disk, "/export").is_ok());
        }
    }
    assert!(refused > 3);
}

#[test]
fn a_disk_that_is_slow_to_list_a_folder_delays_only_the_client_that_asks_for_its_size() {
    let disk = FaultyDisk::default();
    let server = start(&disk).expect("it starts");
    server.create("/a", b"").expect("it is written");
    for word in ["dirs", "conf"] {
        let mut asking = TcpStream::connect(server.addr()).expect("it listens");
        let deadline = Some(Duration::from_secs(60));
        asking.set_read_timeout(deadline).expect("it is not zero");
        disk.hold_lists();
        asking.write_all(word.as_bytes()).expect("it is open");
        disk.wait_for_held_list();
        // Meanwhile other clients connect, are answered and write, and so does the test.
        let _client = connected(&server);
        server.set("/a", word.as_bytes()).expect("it is written");
        disk.release_lists();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).expect("it is answered");
        let size: u64 = disk.all().values().map(|bytes| bytes.len() as u64).sum();
        assert!(
            answer.contains(&size.to_string()),
            "{word}: {size}: {answer}"
        );
    }
}
