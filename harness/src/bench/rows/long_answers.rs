//! Time that a well-behaved client waits while others ask for long answers.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::SETTINGS;
use crate::backend::{BackendError, BackendKind, BackendSource};
use crate::bench::OPEN_FILES;
use crate::bench::child::ChildServer;
use crate::bench::load::{Protocol, open};
use crate::bench::report::Row;
use crate::bench::system::resident_mb;
use crate::client::{Acl, CreateKind, Request, read_frame};

const SLOW_READERS: usize = 900;
const REQUESTS: i32 = 20;
const DATA: usize = 1_000_000;
/// Time for which the answers stay unread.
const UNREAD_FOR: Duration = Duration::from_secs(5);

const LISTERS: usize = 50;
const CHILDREN: usize = 1_000_000;

const WATCHERS: usize = 1_000;
const PATHS: usize = 12_000;

/// Number of requests in flight while a row is set up.
const BATCH: usize = 1_000;

/// Row: 900 clients that read nothing of 20 answers of 1 MB each.
pub(in crate::bench) fn slow_readers() -> io::Result<Row> {
    let mut row = Row::new(
        "slow-readers",
        "longest wait of a client while 900 others read nothing of 20 x 1 MB each",
    );
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let ours = ChildServer::this_program(&["serve-ours"])?;
    let before = resident_mb(ours.pid());
    let (wait, most) = while_unread(&ours.address, Some(ours.pid()))?;
    let longest = row.value("embedded", "ms", vec![wait]);
    row.at_most(longest, 50.0, "ms");
    if let (Some(before), Some(most)) = (before, most) {
        let most = row.value("embedded, memory", "MB", vec![most]);
        row.at_most(most, 200.0, "MB");
        // The server answers a request after it has seen the ends of all these connections.
        drop(open(&ours.address, Protocol::ZooKeeper)?);
        if let Some(after) = resident_mb(ours.pid()) {
            let grown = row.value("embedded, additional memory", "MB", vec![after - before]);
            // The znode itself remains.
            row.at_most(grown, 10.0, "MB more than before");
        }
    }
    match BackendKind::newest_zookeeper().start(&SETTINGS) {
        Ok(real) => {
            match while_unread(&real.connect_string(), None) {
                Ok((wait, _)) => {
                    row.value(real.name(), "ms", vec![wait]);
                }
                // The server's sessions may expire while it writes all these answers.
                Err(error) => row.notes.push(format!("{}: {error}", real.name())),
            }
        }
        Err(BackendError::Missing(missing)) => row.missing.push(missing.to_string()),
        Err(error) => return Err(io::Error::other(error)),
    }
    Ok(row)
}

/// Row: 50 clients that list 1,000,000 children.
pub(in crate::bench) fn long_list() -> io::Result<Row> {
    let mut row = Row::new(
        "long-list",
        "longest wait of a client while 50 others list 1,000,000 children each",
    );
    let ours = ChildServer::this_program(&["serve-ours"])?;
    let mut writer = open(&ours.address, Protocol::ZooKeeper)?;
    call(&mut writer, &create("/parent", 0))?;
    let children: Vec<Request> = (0..CHILDREN)
        .map(|child| create(&format!("/parent/{child:08}"), 0))
        .collect();
    call_all(&mut writer, &children)?;
    let list = Request::GetChildren {
        path: "/parent".to_owned(),
        watch: false,
    };
    let probe = LatencyProbe::start(&ours.address)?;
    let listers = (0..LISTERS)
        .map(|_| {
            let mut stream = open(&ours.address, Protocol::ZooKeeper)?;
            let list = list.clone();
            Ok(thread::spawn(move || call(&mut stream, &list)))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let start = Instant::now();
    for lister in listers {
        lister.join().expect("a lister does not panic")?;
    }
    let all = start.elapsed().as_secs_f64();
    let longest = row.value("embedded", "ms", vec![probe.stop()?]);
    row.at_most(longest, 100.0, "ms");
    row.value("embedded, until all lists have arrived", "s", vec![all]);
    Ok(row)
}

/// Row: `wchp` with 12,000,000 watches.
pub(in crate::bench) fn long_word() -> io::Result<Row> {
    let mut row = Row::new(
        "long-word",
        "longest wait of a client while wchp lists 12,000,000 watches",
    );
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let ours = ChildServer::this_program(&["serve-ours"])?;
    let watch = Request::SetWatches {
        relative_zxid: i64::MAX,
        data: Vec::new(),
        exist: (0..PATHS).map(|path| format!("/{path:06}")).collect(),
        child: Vec::new(),
    };
    let watchers = (0..WATCHERS)
        .map(|_| {
            let mut stream = open(&ours.address, Protocol::ZooKeeper)?;
            call(&mut stream, &watch)?;
            Ok(stream)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let probe = LatencyProbe::start(&ours.address)?;
    let start = Instant::now();
    let mut asking = TcpStream::connect(&ours.address)?;
    asking.write_all(b"wchp")?;
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = asking.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        length += read;
    }
    let all = start.elapsed().as_secs_f64();
    if length < WATCHERS * PATHS * "\t0x1\n".len() {
        return Err(io::Error::other("wchp does not list every watch"));
    }
    let longest = row.value("embedded", "ms", vec![probe.stop()?]);
    row.at_most(longest, 100.0, "ms");
    row.value("embedded, until the list has arrived", "s", vec![all]);
    drop(watchers);
    Ok(row)
}

/// Longest wait in milliseconds while the answers of all slow readers stay unread, and the most memory in MB.
fn while_unread(address: &str, pid: Option<u32>) -> io::Result<(f64, Option<f64>)> {
    let mut writer = open(address, Protocol::ZooKeeper)?;
    call(&mut writer, &create("/large", DATA))?;
    let get = Request::GetData {
        path: "/large".to_owned(),
        watch: false,
    };
    let requests: Vec<u8> = (1..=REQUESTS).flat_map(|xid| get.encode(xid).0).collect();
    let probe = LatencyProbe::start(address)?;
    let mut readers = (0..SLOW_READERS)
        .map(|_| open(address, Protocol::ZooKeeper))
        .collect::<io::Result<Vec<_>>>()?;
    for reader in &mut readers {
        reader.write_all(&requests)?;
    }
    let until = Instant::now() + UNREAD_FOR;
    let mut most = None;
    while Instant::now() < until {
        let resident = pid.and_then(resident_mb);
        most = most.into_iter().chain(resident).reduce(f64::max);
        call(&mut writer, &Request::Ping)?;
        thread::yield_now();
    }
    Ok((probe.stop()?, most))
}

/// Client that sends a request as soon as the last one is answered.
struct LatencyProbe {
    has_ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<io::Result<Duration>>,
}

impl LatencyProbe {
    fn start(address: &str) -> io::Result<Self> {
        let mut stream = open(address, Protocol::ZooKeeper)?;
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&has_ended);
        let thread = thread::spawn(move || {
            let request = Request::Exists {
                path: "/".to_owned(),
                watch: false,
            };
            let mut longest = Duration::ZERO;
            while !ends.load(Ordering::Relaxed) {
                let start = Instant::now();
                call(&mut stream, &request)?;
                longest = longest.max(start.elapsed());
            }
            Ok(longest)
        });
        Ok(Self { has_ended, thread })
    }

    /// Ends the client. Returns its longest wait, in milliseconds.
    fn stop(self) -> io::Result<f64> {
        self.has_ended.store(true, Ordering::Relaxed);
        let longest = self.thread.join().expect("the probe does not panic")?;
        Ok(longest.as_secs_f64() * 1e3)
    }
}

fn create(path: &str, length: usize) -> Request {
    Request::Create {
        kind: CreateKind::Create,
        path: path.to_owned(),
        data: Some(vec![b'x'; length]),
        acl: Acl::open(),
        flags: 0,
    }
}

fn call(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    stream.write_all(&request.encode(1).0)?;
    read_frame(stream).map(drop)
}

fn call_all(stream: &mut TcpStream, requests: &[Request]) -> io::Result<()> {
    for batch in requests.chunks(BATCH) {
        let bytes: Vec<u8> = batch
            .iter()
            .flat_map(|request| request.encode(1).0)
            .collect();
        stream.write_all(&bytes)?;
        for _ in batch {
            read_frame(stream)?;
        }
    }
    Ok(())
}
