//! `minikeeper snapshot verify`: checks every file.

use std::io::{self, Write};
use std::path::Path;

use minikeeper::{
    Snapshot,
    folder::{FileKind, FileName, Log, StorageError},
    inspect::ZnodeView,
    protocol::{Acl, Zxid},
};

use super::files;
use super::flags::Verify;
use super::progress::Progress;
use super::source::{self, Source};
use super::walk::Walk;
use super::{Failure, Found, words};

pub(super) fn run(flags: &Verify, out: &mut dyn Write) -> Result<Found, Failure> {
    let path = &flags.file_or_dir;
    let mut report = Report {
        out,
        found: Found::Nothing,
        newest_log: None,
    };
    if !path.is_dir() {
        let folder = path
            .parent()
            .map(|folder| match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            });
        let files = folder.and_then(|folder| files::of(folder).ok());
        let newest = files.as_deref().and_then(files::newest_log);
        report.newest_log = newest.map(|log| log.name.zxid);
        report.file(path)?;
        return Ok(report.found);
    }
    let mut files = Vec::new();
    for folder in std::iter::once(path).chain(&flags.data_log_dir) {
        let list = files::of(folder);
        files.extend(
            list.map_err(|error| Failure::Source(format!("{}: {error}", folder.display())))?,
        );
    }
    report.newest_log = files::newest_log(&files).map(|log| log.name.zxid);
    // Snapshots come first, and each kind is sorted by zxid.
    files.sort_by_key(|file| (file.name.kind, file.name.zxid));
    for file in &files {
        report.file(&file.path)?;
    }
    let source = Source::new(path, flags.data_log_dir.as_deref(), flags.tolerance);
    if files.is_empty() {
        // A folder without files cannot be damaged.
        source.open()?;
    }
    report.whole(path, source.open())?;
    Ok(report.found)
}

struct Report<'o> {
    out: &'o mut dyn Write,
    found: Found,
    /// Zxid of the newest log, which is the only one whose end can be torn.
    newest_log: Option<Zxid>,
}

impl Report<'_> {
    /// Writes the line of a file.
    fn file(&mut self, path: &Path) -> io::Result<()> {
        let named = FileName::of(path);
        let checked = {
            let _progress = Progress::of(format!("reading {}", path.display()));
            match named {
                Some(name) if path.is_dir() => {
                    let what = match name.kind {
                        FileKind::Snapshot => "a snapshot; a server ignores it",
                        FileKind::Log => "a log",
                    };
                    Err(format!(
                        "{}: a folder with the name of {what}",
                        path.display()
                    ))
                }
                Some(FileName {
                    kind: FileKind::Log,
                    zxid,
                    ..
                }) => {
                    let is_newest = self.newest_log.is_none_or(|newest| zxid >= newest);
                    log(path, is_newest).map_err(|error| error.to_string())
                }
                // A copy under another name has no newer log in its folder.
                None if source::is_log(path) => log(path, true).map_err(|error| error.to_string()),
                // The error describes files of other kinds.
                Some(_) | None => Snapshot::open(path)
                    .map_err(|error| error.to_string())
                    .and_then(|snapshot| sound(path, &snapshot)),
            }
        };
        match checked {
            Ok(what) => writeln!(self.out, "{}: ok: {what}", path.display()),
            Err(reason) => self.bad(&reason),
        }
    }

    /// Writes the line of the folder.
    fn whole(&mut self, path: &Path, opened: Result<Snapshot, Failure>) -> io::Result<()> {
        let checked = opened
            .map_err(|failure| format!("{}: cannot be loaded: {failure}", path.display()))
            .and_then(|snapshot| sound(path, &snapshot));
        match checked {
            Ok(what) => {
                let logs = match self.newest_log {
                    Some(_) => "",
                    None => "; there are no logs",
                };
                let path = path.display();
                writeln!(self.out, "{path}: ok: a server loads {what}{logs}")
            }
            Err(reason) => self.bad(&reason),
        }
    }

    fn bad(&mut self, line: &str) -> io::Result<()> {
        self.found = Found::Something;
        writeln!(self.out, "{line}")
    }
}

/// Describes the content, or the reason why it is wrong although it is readable.
fn sound(path: &Path, snapshot: &Snapshot) -> Result<String, String> {
    let Some(origin) = snapshot.origin() else {
        return Ok(state(snapshot));
    };
    let path = path.display();
    if let Some(zxid) = origin.repeated {
        return Err(format!(
            "{path}: {zxid} comes again after later transactions: two servers wrote here at once"
        ));
    }
    match origin.digest_mismatch {
        None => Ok(state(snapshot)),
        Some(zxid) => Err(format!(
            "{path}: the tree has another digest than the files say, from {zxid} on"
        )),
    }
}

fn state(snapshot: &Snapshot) -> String {
    let znodes = Walk::of(snapshot).count() as u64;
    let unlisted = |znode: &ZnodeView| znode.acl.iter().any(Acl::is_unlisted);
    let unlisted = Walk::of(snapshot).filter(unlisted).count() as u64;
    let unlisted = match unlisted {
        0 => String::new(),
        _ => format!(
            "; {} with an ACL that is not listed",
            words::count(unlisted, "znode")
        ),
    };
    format!(
        "zxid {}, {}, {}{unlisted}",
        snapshot.zxid(),
        words::count(znodes, "znode"),
        words::count(snapshot.sessions().len() as u64, "session")
    )
}

fn log(path: &Path, is_newest: bool) -> Result<String, StorageError> {
    let mut count = 0_u64;
    let (mut first, mut last) = (None, None);
    let mut log = Log::open(path)?;
    for transaction in &mut log {
        let zxid = transaction?.zxid;
        count += 1;
        first.get_or_insert(zxid);
        last = Some(zxid);
    }
    let mut what = words::count(count, "transaction");
    match (first, last) {
        (Some(first), Some(last)) if first == last => what += &format!(", {first}"),
        (Some(first), Some(last)) => what += &format!(", {first} to {last}"),
        _ => {}
    }
    match log.torn() {
        Some(torn) if !is_newest => return Err(torn.clone()),
        Some(StorageError::Damaged { offset, reason, .. }) => {
            what +=
                &format!("; torn by a crash at offset {offset}, ignored from there on: {reason}");
        }
        _ => {}
    }
    Ok(what)
}
