//! Output of connections before and after a flush. In most of these tests, the test itself stands in for the disk.

mod crash;
mod flusher;
mod gates;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::config::ClockKind;
use crate::keeper::ConnectionId;
use crate::net::connection;
use crate::net::connection::tests::{accepted, engine_that_logs};
use crate::net::engine::Engine;
use crate::persistence::{Appender, Log, SnapshotPolicy};
use crate::protocol::{DataFormat, Zxid};

const HOUR: Duration = Duration::from_secs(3600);

pub(super) const PERSISTENT: i32 = 0;
pub(super) const EPHEMERAL: i32 = 1;

/// Server whose log is flushed only when the test does it.
pub(super) struct World {
    pub(super) engine: Arc<Engine>,
    pub(super) log: Arc<Log>,
}

/// Client over a pipe.
pub(super) struct Client {
    pub(super) id: ConnectionId,
    io: DuplexStream,
    xid: i32,
}

/// Runs a test. Time advances as soon as no task can run.
pub(super) fn run(test: impl AsyncFnOnce(World)) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts")
        .block_on(async {
            let log = Arc::<Log>::default();
            let policy = SnapshotPolicy::new(u64::MAX, 0, Zxid(0));
            let appender = Appender::new(Arc::clone(&log), DataFormat::default(), policy);
            let engine = engine_that_logs(ClockKind::System, appender);
            tokio::time::timeout(HOUR, test(World { engine, log }))
                .await
                .expect("it ends within the hour");
        });
}

/// Lets every task run until all of them wait.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

impl World {
    /// Makes everything durable that was submitted.
    pub(super) fn flush(&self) {
        self.log.set_durable(self.log.submitted());
    }

    /// Number of submitted transactions.
    pub(super) fn submitted(&self) -> u64 {
        self.log.submitted()
    }

    /// Connects a client, without a session.
    pub(super) fn client(&self) -> Client {
        let id = accepted(&self.engine);
        let (io, served) = tokio::io::duplex(1 << 20);
        tokio::spawn(connection::serve(
            Arc::clone(&self.engine),
            id,
            served,
            None,
        ));
        Client { id, io, xid: 0 }
    }

    /// Connects a client and gives it a session.
    pub(super) async fn connected(&self) -> Client {
        let mut client = self.client();
        client.ask_for_session().await;
        settle().await;
        self.flush();
        assert_eq!(client.received().await.len(), 41);
        client
    }
}

impl Client {
    pub(super) async fn ask_for_session(&mut self) {
        let mut connect = vec![0; 49];
        connect[3] = 45;
        connect[18..20].copy_from_slice(&[0x27, 0x10]);
        connect[31] = 16;
        // If the connection has ended, the test notices later.
        let _ = self.io.write_all(&connect).await;
    }

    /// Sends a request.
    pub(super) async fn send(&mut self, op: i32, body: &[&[u8]]) {
        self.xid += 1;
        let body = body.concat();
        let length = i32::try_from(body.len() + 8).expect("it is short");
        let head = [length, self.xid, op].map(i32::to_be_bytes).concat();
        let frame = [head, body].concat();
        let _ = self.io.write_all(&frame).await;
    }

    pub(super) async fn send_word(&mut self, word: &str) {
        let sent = self.io.write_all(word.as_bytes()).await;
        sent.expect("it is read");
    }

    pub(super) async fn create(&mut self, path: &str, flags: i32) {
        const OPEN: &[u8] = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";
        let flags = flags.to_be_bytes();
        self.send(1, &[&text(path), &text(""), OPEN, &flags]).await;
    }

    pub(super) async fn close(&mut self) {
        self.send(-11, &[]).await;
    }

    pub(super) async fn set(&mut self, path: &str, data: &[u8]) {
        let length = i32::try_from(data.len()).expect("it is short");
        let any = (-1_i32).to_be_bytes();
        self.send(5, &[&text(path), &length.to_be_bytes(), data, &any])
            .await;
    }

    pub(super) async fn delete(&mut self, path: &str) {
        let any = (-1_i32).to_be_bytes();
        self.send(2, &[&text(path), &any]).await;
    }

    /// Asks to resume a session.
    pub(super) async fn resume(&mut self, session: i64, password: &[u8; 16]) {
        let mut connect = vec![0; 49];
        connect[3] = 45;
        connect[18..20].copy_from_slice(&[0x27, 0x10]);
        connect[20..28].copy_from_slice(&session.to_be_bytes());
        connect[31] = 16;
        connect[32..48].copy_from_slice(password);
        // If the connection has ended, the test notices later.
        let _ = self.io.write_all(&connect).await;
    }

    /// Waits for the next frame; `None` if the connection ends first.
    pub(super) async fn reply(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.io.read_exact(&mut length).await.ok()?;
        let length = usize::try_from(i32::from_be_bytes(length)).expect("it is a length");
        let mut frame = vec![0; length];
        self.io.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }

    pub(super) async fn exists(&mut self, path: &str, watch: bool) {
        self.send(3, &[&text(path), &[u8::from(watch)]]).await;
    }

    pub(super) async fn ping(&mut self) {
        let ping = [8, -2, 11].map(i32::to_be_bytes).concat();
        self.io.write_all(&ping).await.expect("it is read");
    }

    /// Returns all bytes that have arrived by now.
    pub(super) async fn received(&mut self) -> Vec<u8> {
        settle().await;
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(Ok(read)) =
            tokio::time::timeout(Duration::ZERO, self.io.read(&mut buffer)).await
            && read > 0
        {
            received.extend_from_slice(&buffer[..read]);
        }
        received
    }

    /// Returns the number of frames that have arrived by now.
    pub(super) async fn frames(&mut self) -> usize {
        let received = self.received().await;
        let mut rest = &received[..];
        let mut frames = 0;
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::try_from(i32::from_be_bytes(*length)).expect("it is a length");
            rest = &after[length..];
            frames += 1;
        }
        frames
    }

    /// Whether the connection has ended.
    pub(super) async fn has_ended(&mut self) -> bool {
        settle().await;
        let mut buffer = [0];
        let read = self.io.read(&mut buffer);
        let read = tokio::time::timeout(Duration::ZERO, read).await;
        read.is_ok_and(|read| read.is_err() || read.is_ok_and(|read| read == 0))
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = i32::try_from(text.len()).expect("it is short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}
