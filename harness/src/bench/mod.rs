//! Benchmarks of speed and size. minikeeper, a real ZooKeeper and a bare echo server run under the same client code
//! in alternating rounds, so that a disturbance of the machine affects all of them.

mod child;
mod load;
mod record;
mod report;
mod rows;
mod system;

pub use child::{serve_bare_events, serve_echo};
pub use record::{Comparison, Record};
pub use report::{Report, Row, Target, Value};
pub use rows::{serve_folder, serve_ours, thousand_servers};

use std::io;

/// Number of sockets of the widest row, with room for other files.
const OPEN_FILES: u64 = 16_000;

/// A row of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// In-process start to first session.
    Start,
    /// Binary exec to first session.
    Exec,
    /// 1,000 servers in one process.
    Thousand,
    /// A test in which a session of 30 s expires.
    Expiry,
    /// getData, 1 connection, 1 in flight.
    #[value(name = "get-1x1")]
    Get1x1,
    /// getData, 4 connections, 64 in flight.
    #[value(name = "get-4x64")]
    Get4x64,
    /// setData, 4 connections, 64 in flight.
    #[value(name = "set-4x64")]
    Set4x64,
    /// create, 4 connections, 64 in flight.
    #[value(name = "create-4x64")]
    Create4x64,
    /// getData, 4 connections, 64 in flight, with the journal on.
    #[value(name = "journal-get")]
    JournalGet,
    /// setData, 4 connections, 64 in flight, with the journal on.
    #[value(name = "journal-set")]
    JournalSet,
    /// setData, 4 connections, 64 in flight, with a folder that the operating system flushes.
    DiskSet,
    /// setData, 4 connections, 64 in flight, each durable before it is answered.
    DiskSync,
    /// setData, 1 connection, 1 in flight, each durable before it is answered.
    #[value(name = "disk-sync-1x1")]
    DiskSync1x1,
    /// One change, notified to 10,000 watchers on 10,000 connections.
    FanOut,
    /// Longest wait of a client while 900 others do not read.
    SlowReaders,
    /// Longest wait of a client while 50 others list 1,000,000 children.
    LongList,
    /// Longest wait of a client while `wchp` lists 12,000,000 watches.
    LongWord,
    /// Resident memory with 1,000,000 znodes.
    Million,
    /// Snapshot of 1,000,000 znodes.
    Snapshot,
    /// Time to open a folder of 1,000,000 znodes, and resident memory after it.
    OpenMillion,
    /// Longest wait of a client while snapshots of 1,000,000 znodes are written.
    SnapshotPause,
    /// Resident memory of the idle binary.
    Idle,
    /// Creation and deletion of a server over HTTP, and the memory after 10,000 of them.
    Control,
    /// The journal, followed over HTTP.
    Stream,
    /// Instructions per request, counted by valgrind; only on request.
    Instructions,
    /// Number of crates compiled for the library, and duration of a clean build; only on request.
    Build,
}

impl Measure {
    /// Rows that run by default: all that need no clean build.
    pub const USUAL: &[Self] = &[
        Self::Start,
        Self::Exec,
        Self::Thousand,
        Self::Expiry,
        Self::Get1x1,
        Self::Get4x64,
        Self::Set4x64,
        Self::Create4x64,
        Self::JournalGet,
        Self::JournalSet,
        Self::DiskSet,
        Self::DiskSync,
        Self::DiskSync1x1,
        Self::FanOut,
        Self::SlowReaders,
        Self::LongList,
        Self::LongWord,
        Self::Million,
        Self::Snapshot,
        Self::OpenMillion,
        Self::SnapshotPause,
        Self::Idle,
        Self::Control,
        Self::Stream,
    ];

    /// Measures this row.
    ///
    /// # Errors
    ///
    /// If a server does not run, or refuses a request.
    pub fn run(self) -> io::Result<Row> {
        match self {
            Self::Start => rows::start(),
            Self::Exec => rows::exec(),
            Self::Thousand => rows::thousand(),
            Self::Expiry => rows::expiry(),
            Self::Get1x1 => rows::throughput(&rows::GET_1X1),
            Self::Get4x64 => rows::throughput(&rows::GET_4X64),
            Self::Set4x64 => rows::throughput(&rows::SET_4X64),
            Self::Create4x64 => rows::throughput(&rows::CREATE_4X64),
            Self::JournalGet => rows::journal(&rows::JOURNAL_GET),
            Self::JournalSet => rows::journal(&rows::JOURNAL_SET),
            Self::DiskSet => rows::on_disk(&rows::DISK_SET),
            Self::DiskSync => rows::on_disk(&rows::DISK_SYNC),
            Self::DiskSync1x1 => rows::on_disk(&rows::DISK_SYNC_1X1),
            Self::FanOut => rows::fan_out(),
            Self::SlowReaders => rows::slow_readers(),
            Self::LongList => rows::long_list(),
            Self::LongWord => rows::long_word(),
            Self::Million => rows::million(),
            Self::Snapshot => rows::snapshot(),
            Self::OpenMillion => rows::open_million(),
            Self::SnapshotPause => rows::snapshot_pause(),
            Self::Idle => rows::idle(),
            Self::Control => rows::control(),
            Self::Stream => rows::stream(),
            Self::Instructions => rows::instructions(),
            Self::Build => rows::build(),
        }
    }
}
