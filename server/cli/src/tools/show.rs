//! `minikeeper snapshot show`: lists znodes and sessions.

use std::io::{self, Write};

use minikeeper::{
    Snapshot,
    inspect::{SessionView, ZnodeView},
};
use tracing::warn;

use super::filter::PathFilter;
use super::flags::{Format, Show};
use super::progress::Progress;
use super::value::{Document, Notation, Value};
use super::walk::Walk;
use super::{Failure, Found, words};

pub(super) fn run(flags: &Show, out: &mut dyn Write) -> Result<Found, Failure> {
    let snapshot = flags.source.open()?;
    match flags.format {
        Format::Text => text(flags, &snapshot, out)?,
        Format::Json => document(flags, &snapshot, out, Notation::Json)?,
        Format::Yaml => document(flags, &snapshot, out, Notation::Yaml)?,
    }
    if !Walk::of(&snapshot).any(|znode| is_meant(flags, &znode)) {
        warn!("no znode matches the filters");
    }
    Ok(Found::Nothing)
}

/// Returns the znodes that match the filters.
fn znodes<'a>(flags: &'a Show, snapshot: &'a Snapshot) -> impl Iterator<Item = ZnodeView> + 'a {
    let progress = Progress::of("znodes");
    Walk::of(snapshot)
        .zip(1..)
        .filter_map(move |(znode, number)| {
            progress.count("znodes", number);
            is_meant(flags, &znode).then_some(znode)
        })
}

/// Returns the sessions; with filters, those with an ephemeral that matches.
fn sessions(flags: &Show, snapshot: &Snapshot) -> impl Iterator<Item = SessionView> {
    let all = snapshot.sessions().into_iter();
    all.filter(|session| {
        flags.path.is_empty()
            || session
                .ephemerals
                .iter()
                .any(|path| PathFilter::any(&flags.path, path))
    })
}

fn is_meant(flags: &Show, znode: &ZnodeView) -> bool {
    PathFilter::any(&flags.path, &znode.path)
}

fn document(
    flags: &Show,
    snapshot: &Snapshot,
    out: &mut dyn Write,
    notation: Notation,
) -> io::Result<()> {
    let mut document = Document::begin(out, notation)?;
    document.field("zxid", &Value::text(&snapshot.zxid()))?;
    document.list(
        "sessions",
        sessions(flags, snapshot).map(|session| words::session(&session)),
    )?;
    document.list(
        "znodes",
        znodes(flags, snapshot).map(|znode| words::znode(&znode, flags.data)),
    )?;
    document.end()
}

fn text(flags: &Show, snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "zxid {}", snapshot.zxid())?;
    for session in sessions(flags, snapshot) {
        writeln!(
            out,
            "session {}  timeout {} ms  {}",
            session.id,
            session.timeout.as_millis(),
            words::count(session.ephemerals.len() as u64, "ephemeral")
        )?;
    }
    for znode in znodes(flags, snapshot) {
        let stat = &znode.stat;
        let data = flags.data.line(znode.data.as_deref());
        let data = data.map(|data| format!(" {data}")).unwrap_or_default();
        writeln!(out, "{}{data}", znode.path)?;
        writeln!(
            out,
            "  czxid {}  ctime {}  mzxid {}  mtime {}  pzxid {}",
            stat.czxid,
            words::time(stat.ctime),
            stat.mzxid,
            words::time(stat.mtime),
            stat.pzxid
        )?;
        writeln!(
            out,
            "  version {}  cversion {}  aversion {}  dataLength {}  numChildren {}",
            stat.version, stat.cversion, stat.aversion, stat.data_length, stat.num_children
        )?;
        let owner = words::owner(&znode);
        let owner = owner.map(|owner| format!("  {owner}")).unwrap_or_default();
        writeln!(out, "  acl {}{owner}", words::acl(&znode.acl))?;
    }
    Ok(())
}
