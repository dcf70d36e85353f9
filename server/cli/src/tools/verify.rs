//! `minikeeper snapshot verify`: whether every file is what it should be.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use minikeeper::{Log, Snapshot, StorageError};

use super::flags::Verify;
use super::progress::Progress;
use super::source::Source;
use super::walk::Walk;
use super::{Failure, Found, words};

pub(super) fn run(flags: &Verify, out: &mut dyn Write) -> Result<Found, Failure> {
    let path = &flags.file_or_dir;
    let mut report = Report {
        out,
        found: Found::Nothing,
    };
    if !path.is_dir() {
        report.file(path)?;
        return Ok(report.found);
    }
    let mut files = Vec::new();
    for folder in std::iter::once(path).chain(&flags.data_log_dir) {
        let list = files_of(folder);
        files.extend(
            list.map_err(|error| Failure::Source(format!("{}: {error}", folder.display())))?,
        );
    }
    // Snapshots first, each kind by its zxid.
    files.sort_by_key(|file| (file.kind == Kind::Log, file.zxid));
    for file in &files {
        report.file(&file.path)?;
    }
    let source = Source::new(path, flags.data_log_dir.as_deref(), flags.how);
    report.whole(path, source.open())?;
    Ok(report.found)
}

/// A file of a data folder, by its name.
struct File {
    path: PathBuf,
    kind: Kind,
    zxid: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Snapshot,
    Log,
}

impl File {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (kind, rest) = match name.split_once('.')? {
            ("snapshot", rest) => (Kind::Snapshot, rest),
            ("log", rest) => (Kind::Log, rest),
            _ => return None,
        };
        let digits = rest.split('.').next().unwrap_or_default();
        let zxid = u64::from_str_radix(digits, 16).ok()?;
        Some(Self { path, kind, zxid })
    }
}

/// The snapshots and logs of a data folder, or of the `version-2` in it.
fn files_of(folder: &Path) -> io::Result<Vec<File>> {
    let inner = folder.join("version-2");
    let folder = if inner.is_dir() { &inner } else { folder };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.extend(File::of(entry?.path()));
    }
    Ok(files)
}

struct Report<'o> {
    out: &'o mut dyn Write,
    found: Found,
}

impl Report<'_> {
    /// A line on a file.
    fn file(&mut self, path: &Path) -> io::Result<()> {
        let kind = File::of(path.to_path_buf()).map(|file| file.kind);
        let checked = {
            let _progress = Progress::of(format!("reading {}", path.display()));
            match kind {
                Some(Kind::Log) => log(path).map_err(|error| error.to_string()),
                // Whatever it is called: what is none is said to be none.
                Some(Kind::Snapshot) | None => Snapshot::open(path)
                    .map_err(|error| error.to_string())
                    .and_then(|snapshot| sound(path, &snapshot)),
            }
        };
        match checked {
            Ok(what) => writeln!(self.out, "{}: ok: {what}", path.display()),
            Err(reason) => self.bad(&reason),
        }
    }

    /// A line on the whole folder.
    fn whole(&mut self, path: &Path, opened: Result<Snapshot, Failure>) -> io::Result<()> {
        let checked = opened
            .map_err(|failure| format!("{}: no server loads it: {failure}", path.display()))
            .and_then(|snapshot| sound(path, &snapshot));
        match checked {
            Ok(what) => writeln!(self.out, "{}: ok: a server loads {what}", path.display()),
            Err(reason) => self.bad(&reason),
        }
    }

    fn bad(&mut self, line: &str) -> io::Result<()> {
        self.found = Found::Something;
        writeln!(self.out, "{line}")
    }
}

/// What is in it, or that its digest is wrong.
fn sound(path: &Path, snapshot: &Snapshot) -> Result<String, String> {
    match snapshot.origin().and_then(|origin| origin.digest_mismatch) {
        None => Ok(state(snapshot)),
        Some(zxid) => Err(format!(
            "{}: the tree has another digest than the files say, from {zxid} on",
            path.display()
        )),
    }
}

fn state(snapshot: &Snapshot) -> String {
    let znodes = Walk::of(snapshot).count() as u64;
    format!(
        "zxid {}, {}, {}",
        snapshot.zxid(),
        words::count(znodes, "znode"),
        words::count(snapshot.sessions().len() as u64, "session")
    )
}

fn log(path: &Path) -> Result<String, StorageError> {
    let mut count = 0_u64;
    let (mut first, mut last) = (None, None);
    for transaction in Log::open(path)? {
        let zxid = transaction?.zxid;
        count += 1;
        first.get_or_insert(zxid);
        last = Some(zxid);
    }
    Ok(match (first, last) {
        (Some(first), Some(last)) => {
            format!("{}, {first} to {last}", words::count(count, "transaction"))
        }
        _ => words::count(count, "transaction"),
    })
}
