//! `minikeeper snapshot summary`: counts, in total and by subtree.

use std::io::{self, Write};

use minikeeper::{
    Snapshot,
    folder::Compression,
    inspect::{SessionView, ZnodeView},
};

use super::flags::{Format, Summary};
use super::progress::Progress;
use super::value::{Document, Notation, Value};
use super::walk::Walk;
use super::{Failure, Found, words};

pub(super) fn run(flags: &Summary, out: &mut dyn Write) -> Result<Found, Failure> {
    let snapshot = flags.source.open()?;
    let totals = Totals::of(&snapshot, flags);
    let sessions = snapshot.sessions();
    match flags.format {
        Format::Text => text(&totals, &sessions, &snapshot, out)?,
        Format::Json => document(&totals, &sessions, &snapshot, out, Notation::Json)?,
        Format::Yaml => document(&totals, &sessions, &snapshot, out, Notation::Yaml)?,
    }
    Ok(Found::Nothing)
}

#[derive(Debug, Default)]
struct Totals {
    znodes: u64,
    bytes: u64,
    ephemerals: u64,
    containers: u64,
    with_ttl: u64,
    /// Znode with the most data, and znode with the most children.
    largest: (String, u64),
    widest: (String, u64),
    /// Listed subtrees, largest first.
    subtrees: Vec<Subtree>,
}

/// Znode with its subtree.
#[derive(Debug)]
struct Subtree {
    path: String,
    znodes: u64,
    bytes: u64,
}

impl Totals {
    fn of(snapshot: &Snapshot, flags: &Summary) -> Self {
        let progress = Progress::of("znodes");
        let mut totals = Self::default();
        // Subtrees that contain the current znode.
        let mut open: Vec<Subtree> = Vec::new();
        for znode in Walk::of(snapshot) {
            totals.add(&znode);
            progress.count("znodes", totals.znodes);
            let depth = depth(&znode.path);
            while open.len() > depth {
                totals.subtrees.extend(open.pop());
            }
            // Below the deepest listed level, the innermost subtree is the one of that level.
            if depth <= flags.depth {
                open.push(Subtree {
                    path: znode.path.clone(),
                    znodes: 0,
                    bytes: 0,
                });
            }
            for subtree in &mut open {
                subtree.znodes += 1;
                subtree.bytes += length(&znode);
            }
        }
        totals.subtrees.append(&mut open);
        let by_size = |subtree: &Subtree| std::cmp::Reverse((subtree.bytes, subtree.znodes));
        totals.subtrees.sort_by(|one, other| {
            by_size(one)
                .cmp(&by_size(other))
                .then_with(|| one.path.cmp(&other.path))
        });
        totals.subtrees.truncate(flags.top);
        totals
    }

    fn add(&mut self, znode: &ZnodeView) {
        self.znodes += 1;
        self.bytes += length(znode);
        self.ephemerals += u64::from(znode.owner().is_some());
        self.containers += u64::from(znode.container);
        self.with_ttl += u64::from(znode.ttl.is_some());
        let children = znode.children.len() as u64;
        for (most, size) in [
            (&mut self.largest, length(znode)),
            (&mut self.widest, children),
        ] {
            if size > most.1 {
                *most = (znode.path.clone(), size);
            }
        }
    }
}

fn length(znode: &ZnodeView) -> u64 {
    znode.data.as_ref().map_or(0, |data| data.len() as u64)
}

/// Returns the level of a path; 0 for the root.
fn depth(path: &str) -> usize {
    match path {
        "/" => 0,
        _ => path.matches('/').count(),
    }
}

// Longer than 60 lines: one statement for each line of the output.
fn text(
    totals: &Totals,
    sessions: &[SessionView],
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12} {value}");
    line("zxid", snapshot.zxid().to_string())?;
    if let Some(origin) = snapshot.origin() {
        let compressed = match origin.compression {
            Compression::None => String::new(),
            method @ (Compression::Gzip | Compression::Snappy) => {
                format!(", compressed by {method}")
            }
        };
        if let Some(file) = &origin.snapshot {
            line("snapshot", format!("{}{compressed}", file.display()))?;
        }
        for file in &origin.logs {
            line("log", file.display().to_string())?;
        }
        line("replayed", words::count(origin.replayed, "transaction"))?;
        if let Some(format) = origin.format {
            line("format", format.to_string())?;
        }
        if let Some(digest) = origin.digest {
            line("digest", format!("{digest:#x}"))?;
        }
    }
    line("znodes", totals.znodes.to_string())?;
    line("bytes", totals.bytes.to_string())?;
    line("ephemerals", totals.ephemerals.to_string())?;
    line("containers", totals.containers.to_string())?;
    line("with TTL", totals.with_ttl.to_string())?;
    let (path, bytes) = &totals.largest;
    if *bytes > 0 {
        line(
            "largest",
            format!("{path}, {}", words::count(*bytes, "byte")),
        )?;
    }
    let (path, children) = &totals.widest;
    line("widest", format!("{path}, {children} children"))?;
    line("sessions", sessions.len().to_string())?;
    for session in sessions {
        writeln!(
            out,
            "  {}  timeout {} ms  {}",
            session.id,
            session.timeout.as_millis(),
            words::count(session.ephemerals.len() as u64, "ephemeral")
        )?;
    }
    writeln!(out, "\n{:>12} {:>10}  subtree", "bytes", "znodes")?;
    for subtree in &totals.subtrees {
        let Subtree {
            path,
            znodes,
            bytes,
        } = subtree;
        writeln!(out, "{bytes:>12} {znodes:>10}  {path}")?;
    }
    Ok(())
}

// Longer than 60 lines: one statement for each field of the output.
fn document(
    totals: &Totals,
    sessions: &[SessionView],
    snapshot: &Snapshot,
    out: &mut dyn Write,
    notation: Notation,
) -> io::Result<()> {
    let mut document = Document::begin(out, notation)?;
    document.field("zxid", &Value::text(&snapshot.zxid()))?;
    if let Some(origin) = snapshot.origin() {
        let or_null = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        let file = origin
            .snapshot
            .as_ref()
            .map(|file| file.display().to_string());
        let logs = origin.logs.iter().map(|file| Value::text(&file.display()));
        document.field("snapshot", &or_null(file))?;
        document.field("compression", &Value::text(&origin.compression))?;
        document.field("logs", &Value::List(logs.collect()))?;
        document.field("replayed", &Value::count(origin.replayed))?;
        document.field(
            "format",
            &or_null(origin.format.map(|format| format.to_string())),
        )?;
        document.field(
            "digest",
            &or_null(origin.digest.map(|digest| format!("{digest:#x}"))),
        )?;
    }
    for (name, count) in [
        ("znodes", totals.znodes),
        ("bytes", totals.bytes),
        ("ephemerals", totals.ephemerals),
        ("containers", totals.containers),
        ("with_ttl", totals.with_ttl),
    ] {
        document.field(name, &Value::count(count))?;
    }
    let most = |name, (path, count): &(String, u64)| {
        Value::Fields(vec![
            ("path", Value::text(path)),
            (name, Value::count(*count)),
        ])
    };
    document.field("largest", &most("bytes", &totals.largest))?;
    document.field("widest", &most("children", &totals.widest))?;
    let sessions = sessions.iter().map(|session| {
        Value::Fields(vec![
            ("id", Value::text(&session.id)),
            ("timeout_ms", Value::count(session.timeout.as_millis())),
            ("ephemerals", Value::count(session.ephemerals.len())),
        ])
    });
    document.list("sessions", sessions)?;
    let subtrees = totals.subtrees.iter().map(|subtree| {
        Value::Fields(vec![
            ("path", Value::text(&subtree.path)),
            ("znodes", Value::count(subtree.znodes)),
            ("bytes", Value::count(subtree.bytes)),
        ])
    });
    document.list("subtrees", subtrees)?;
    document.end()
}
