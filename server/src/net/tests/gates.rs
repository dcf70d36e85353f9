//! Output that shows a write waits until the write is durable.

use super::{EPHEMERAL, PERSISTENT, run, settle};
use crate::control::{Direction, Matcher};
use crate::keeper::Input;
use crate::protocol::SessionId;
use crate::store::StorageError;

fn disk_full() -> StorageError {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    StorageError::io("log.1".as_ref(), full)
}

#[test]
fn a_reply_is_not_sent_before_the_flush() {
    run(async |world| {
        let mut client = world.connected().await;
        client.create("/a", PERSISTENT).await;
        assert_eq!(client.frames().await, 0);
        assert_eq!(world.submitted(), 2);
        world.flush();
        assert_eq!(client.frames().await, 1);
    });
}

#[test]
fn a_connect_response_is_not_sent_before_the_session_is_flushed() {
    run(async |world| {
        let mut client = world.client();
        client.ask_for_session().await;
        assert_eq!(client.received().await, b"");
        world.flush();
        assert_eq!(client.received().await.len(), 41);
    });
}

#[test]
fn a_connection_reads_while_its_output_waits() {
    run(async |world| {
        let mut client = world.connected().await;
        for path in ["/a", "/b", "/c"] {
            client.create(path, PERSISTENT).await;
            settle().await;
        }
        assert_eq!(world.submitted(), 4, "all requests were read");
        assert_eq!(client.frames().await, 0);
        world.flush();
        assert_eq!(client.frames().await, 3);
    });
}

#[test]
fn a_flushed_reply_is_sent_although_later_ones_are_not_flushed() {
    run(async |world| {
        let mut client = world.connected().await;
        client.create("/a", PERSISTENT).await;
        settle().await;
        let first = world.submitted();
        client.create("/b", PERSISTENT).await;
        settle().await;
        world.log.set_durable(first);
        assert_eq!(client.frames().await, 1);
        world.flush();
        assert_eq!(client.frames().await, 1);
    });
}

#[test]
fn a_read_on_another_connection_waits_for_the_write() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut reader = world.connected().await;
        writer.create("/a", PERSISTENT).await;
        settle().await;
        reader.exists("/a", false).await;
        assert_eq!(reader.frames().await, 0);
        world.flush();
        assert_eq!(reader.frames().await, 1);
    });
}

#[test]
fn a_long_reply_waits_for_the_write() {
    const GET_CHILDREN: i32 = 8;
    const GET_CHILDREN_2: i32 = 12;
    const MULTI_READ: i32 = 22;
    const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    const PARENT: &[u8] = b"\0\0\0\x02/p";
    const LIST: &[u8] = b"\0\0\0\x08\0\xff\xff\xff\xff\0\0\0\x02/p\0";
    const END: &[u8] = b"\xff\xff\xff\xff\x01\xff\xff\xff\xff";
    run(async |world| {
        let mut writer = world.connected().await;
        let mut reader = world.connected().await;
        writer.create("/p", PERSISTENT).await;
        for child in 0..2_001 {
            writer.create(&format!("/p/{child}"), PERSISTENT).await;
        }
        settle().await;
        world.flush();
        settle().await;
        for (op, body) in [
            (GET_CHILDREN, [PARENT, b"\0"].concat()),
            (GET_CHILDREN_2, [PARENT, b"\0"].concat()),
            (MULTI_READ, [LIST, END].concat()),
            (GET_ALL_CHILDREN_NUMBER, PARENT.to_vec()),
        ] {
            writer.create(&format!("/p/new-{op}"), PERSISTENT).await;
            settle().await;
            reader.send(op, &[&body]).await;
            assert_eq!(reader.frames().await, 0, "operation {op}");
            world.flush();
            assert_eq!(reader.frames().await, 1, "operation {op}");
        }
    });
}

#[test]
fn a_read_does_not_wait_if_everything_is_flushed() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut reader = world.connected().await;
        writer.create("/a", PERSISTENT).await;
        settle().await;
        world.flush();
        reader.exists("/a", false).await;
        assert_eq!(reader.frames().await, 1);
        // A reply that is older than a write does not wait for it.
        reader.ping().await;
        assert_eq!(reader.frames().await, 1);
        writer.create("/b", PERSISTENT).await;
        settle().await;
        assert_eq!(reader.frames().await, 0);
    });
}

#[test]
fn a_watch_event_waits_for_its_write() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut watcher = world.connected().await;
        watcher.exists("/a", true).await;
        assert_eq!(watcher.frames().await, 1);
        writer.create("/a", PERSISTENT).await;
        assert_eq!(watcher.frames().await, 0);
        world.flush();
        assert_eq!(watcher.frames().await, 1, "the client sent nothing");
    });
}

#[test]
fn a_watch_event_and_a_reply_keep_their_order() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut watcher = world.connected().await;
        watcher.exists("/a", true).await;
        assert_eq!(watcher.frames().await, 1);
        writer.create("/a", PERSISTENT).await;
        settle().await;
        watcher.exists("/a", false).await;
        assert_eq!(watcher.received().await, b"");
        world.flush();
        let received = watcher.received().await;
        assert_eq!(received[4..8], [0xff; 4], "the event comes first");
        assert!(received.len() > 60, "and then the reply");
    });
}

#[test]
fn the_answer_to_a_four_letter_word_waits_too() {
    run(async |world| {
        let mut writer = world.connected().await;
        writer.create("/a", PERSISTENT).await;
        settle().await;
        let mut asking = world.client();
        asking.send_word("srvr").await;
        assert_eq!(asking.received().await, b"");
        world.flush();
        let answer = String::from_utf8(asking.received().await).expect("it is text");
        assert!(answer.contains("Zxid: 0x2"), "{answer}");
        assert!(asking.has_ended().await);
    });
}

#[test]
fn a_connection_is_closed_after_the_end_of_its_session_is_flushed() {
    run(async |world| {
        let mut client = world.connected().await;
        client.create("/mine", EPHEMERAL).await;
        settle().await;
        world.flush();
        assert_eq!(client.frames().await, 1);
        client.close().await;
        assert!(!client.has_ended().await);
        world.flush();
        assert_eq!(client.frames().await, 1);
        assert!(client.has_ended().await);
    });
}

#[test]
fn requests_before_the_client_shut_down_its_half_are_answered_after_the_flush() {
    use tokio::io::AsyncWriteExt;
    run(async |world| {
        let mut client = world.connected().await;
        client.create("/a", PERSISTENT).await;
        client.io.shutdown().await.expect("it is open");
        assert_eq!(client.frames().await, 0);
        world.flush();
        assert_eq!(client.frames().await, 1);
        assert!(client.has_ended().await);
    });
}

#[test]
fn a_held_event_is_sent_when_it_is_released_and_flushed() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut watcher = world.connected().await;
        watcher.exists("/a", true).await;
        watcher.exists("/b", true).await;
        assert_eq!(watcher.frames().await, 2);
        let hold = world
            .engine
            .hold(Matcher::of(crate::control::EventKind::WatchEvent))
            .expect("it can be held");
        writer.create("/a", PERSISTENT).await;
        settle().await;
        world.flush();
        assert_eq!(watcher.frames().await, 0, "it is held");
        writer.create("/b", PERSISTENT).await;
        settle().await;
        world.engine.end_hold(hold);
        assert_eq!(watcher.frames().await, 0, "the second write is not flushed");
        world.flush();
        assert_eq!(watcher.frames().await, 2);
    });
}

#[test]
fn a_reply_on_a_cut_link_waits_for_the_link_and_the_flush() {
    run(async |world| {
        let mut client = world.connected().await;
        client.create("/a", PERSISTENT).await;
        settle().await;
        let cut = world.engine.cut(Matcher::any(), Direction::ToClient);
        let cut = cut.expect("every connection can be cut");
        world.flush();
        assert_eq!(client.frames().await, 0, "the link is cut");
        client.create("/b", PERSISTENT).await;
        settle().await;
        world.engine.heal(cut);
        assert_eq!(client.frames().await, 1, "the second write is not flushed");
        world.flush();
        assert_eq!(client.frames().await, 1);
    });
}

#[test]
fn a_refused_write_closes_all_connections_and_is_never_shown() {
    run(async |world| {
        let mut writer = world.connected().await;
        let mut watcher = world.connected().await;
        let mut idle = world.connected().await;
        watcher.exists("/a", true).await;
        assert_eq!(watcher.frames().await, 1);
        writer.create("/a", PERSISTENT).await;
        settle().await;
        world.log.fail(disk_full());
        world.engine.close_all();
        for client in [&mut writer, &mut watcher, &mut idle] {
            assert_eq!(client.received().await, b"");
            assert!(client.has_ended().await);
            assert!(!world.engine.has_outbox(client.id));
        }
        assert!(world.log.failure().is_some());
        assert!(!world.engine.flush());
    });
}

#[test]
fn a_thread_that_waits_for_the_flush_continues_after_it() {
    run(async |world| {
        assert!(world.engine.flush(), "there is nothing to flush");
        world.engine.apply(Input::ExpireSession(SessionId(1)));
        assert!(world.engine.flush());
        let mut client = world.connected().await;
        client.create("/a", PERSISTENT).await;
        settle().await;
        let engine = std::sync::Arc::clone(&world.engine);
        let waiting = std::thread::spawn(move || engine.flush());
        world.flush();
        assert!(waiting.join().expect("it does not panic"));
    });
}
