//! `minikeeper log show`: lists transactions.

use std::io::Write;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use minikeeper::{
    folder::{Change, FileKind, Log, Transaction},
    protocol::{Timestamp, Zxid},
    state::ZnodeKind,
};
use tracing::warn;

use super::bytes::Data;
use super::files;
use super::filter::PathFilter;
use super::flags::{LogFormat, LogShow};
use super::progress::Progress;
use super::source;
use super::value::{self, Value};
use super::{Failure, Found, words};

pub(super) fn run(flags: &LogShow, out: &mut dyn Write) -> Result<Found, Failure> {
    let path = &flags.file_or_dir;
    let broken =
        |error: minikeeper::folder::StorageError| source::unreadable(path, FileKind::Log, &error);
    let progress = Progress::of(format!("reading {}", path.display()));
    let mut log = Log::open(path).map_err(broken)?;
    let (mut read, mut shown) = (0_u64, 0_u64);
    let mut damage = None;
    for (transaction, number) in (&mut log).zip(1..) {
        progress.count("transactions", number);
        // The transactions before damage are shown, and the later logs too.
        let transaction = match transaction {
            Ok(transaction) => transaction,
            Err(error) => {
                if let Some(before) = damage.replace(error) {
                    warn!("{before}");
                }
                continue;
            }
        };
        read += 1;
        if !is_meant(flags, &transaction) {
            continue;
        }
        shown += 1;
        match flags.format {
            LogFormat::Text => writeln!(out, "{}", line(&transaction, flags.data))?,
            LogFormat::Json => {
                writeln!(out, "{}", value::json(&fields(&transaction, flags.data)))?;
            }
        }
    }
    if let Some(damage) = damage {
        return Err(broken(damage));
    }
    if let Some(torn) = log.torn() {
        warn!("{torn}: torn by a crash; a server ignores it");
    }
    if read > 0 && shown == 0 {
        warn!(
            "none of the {read} transactions in {} matches the filters",
            path.display()
        );
    }
    if read == 0 {
        let is_without =
            path.is_dir() && files::of(path).is_ok_and(|files| files::newest_log(&files).is_none());
        match is_without {
            true => warn!(
                "no transaction logs in {}; if the server has a dataLogDir, name that folder",
                path.display()
            ),
            false => warn!("no transactions in {}", path.display()),
        }
    }
    Ok(Found::Nothing)
}

fn is_meant(flags: &LogShow, transaction: &Transaction) -> bool {
    let not_before = |from: Moment| match from {
        Moment::Zxid(zxid) => transaction.zxid >= zxid,
        Moment::Time(time) => transaction.time >= time,
    };
    let not_after = |to: Moment| match to {
        Moment::Zxid(zxid) => transaction.zxid <= zxid,
        Moment::Time(time) => transaction.time <= time,
    };
    flags.from.is_none_or(not_before)
        && flags.to.is_none_or(not_after)
        && (flags.session.is_empty() || flags.session.contains(&transaction.session))
        && (flags.path.is_empty()
            || transaction
                .paths()
                .iter()
                .any(|path| PathFilter::any(&flags.path, path)))
}

fn line(transaction: &Transaction, data: Data) -> String {
    format!(
        "{} {} session {} cxid {} {}",
        transaction.zxid,
        words::time(transaction.time),
        transaction.session,
        transaction.cxid,
        change_line(&transaction.change, data)
    )
}

fn fields(transaction: &Transaction, data: Data) -> Value {
    let mut fields = vec![
        ("zxid", Value::text(&transaction.zxid)),
        ("time", Value::text(&words::time(transaction.time))),
        ("session", Value::text(&transaction.session)),
        ("cxid", Value::Number(transaction.cxid.into())),
    ];
    fields.extend(change_fields(&transaction.change, data));
    if let Some(digest) = transaction.digest {
        fields.push(("digest", Value::text(&format!("{digest:#x}"))));
    }
    fields.push(("file", Value::text(&transaction.file.display())));
    fields.push(("offset", Value::count(transaction.offset)));
    Value::Fields(fields)
}

/// Name of a change, its path, and its other fields.
struct Parts<'a> {
    name: &'static str,
    path: Option<&'a str>,
    /// Data of the change, if its type has data; null counts as data.
    data: Option<Option<&'a [u8]>>,
    acl: Option<&'a [minikeeper::protocol::Acl]>,
    rest: Vec<(&'static str, i64)>,
    ephemeral: bool,
    /// Error of a refused request.
    error: Option<String>,
    deleted: Option<&'a [String]>,
    changes: Option<&'a [Change]>,
}

impl<'a> Parts<'a> {
    // Longer than 60 lines: one arm for each type of change.
    fn of(change: &'a Change) -> Self {
        let mut parts = Parts {
            name: change.name(),
            path: None,
            data: None,
            acl: None,
            rest: Vec::new(),
            ephemeral: false,
            error: None,
            deleted: None,
            changes: None,
        };
        let bytes = |data: &'a Option<minikeeper::journal::Data<'static>>| {
            Some(data.as_ref().map(|data| &*data.begin))
        };
        match change {
            Change::CreateSession { timeout_ms } => {
                parts.rest.push(("timeout_ms", (*timeout_ms).into()));
            }
            Change::CloseSession { deleted } => {
                parts.deleted = Some(deleted);
            }
            Change::Error { error } => {
                parts.rest.push(("error", error.number().into()));
                parts.error = Some(error.name().to_owned());
            }
            Change::Create {
                kind,
                path,
                data,
                acl,
                parent_cversion,
            } => {
                parts.path = Some(path);
                parts.data = bytes(data);
                parts.acl = Some(acl);
                if let ZnodeKind::Ttl(ttl) = kind {
                    let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
                    parts.rest.push(("ttl_ms", ttl_ms));
                }
                parts
                    .rest
                    .push(("parent_cversion", (*parent_cversion).into()));
                parts.ephemeral = *kind == ZnodeKind::Ephemeral;
            }
            Change::Delete { path } => {
                parts.path = Some(path);
            }
            Change::DeleteContainer { path } => {
                parts.path = Some(path);
            }
            Change::SetData {
                path,
                data,
                version,
            } => {
                parts.path = Some(path);
                parts.data = bytes(data);
                parts.rest.push(("version", (*version).into()));
            }
            Change::SetAcl {
                path,
                acl,
                aversion,
            } => {
                parts.path = Some(path);
                parts.acl = Some(acl);
                parts.rest.push(("aversion", (*aversion).into()));
            }
            Change::Check { path, version } => {
                parts.path = Some(path);
                parts.rest.push(("version", (*version).into()));
            }
            Change::Multi { changes } => {
                parts.changes = Some(changes);
            }
            _ => {}
        }
        parts
    }
}

fn change_line(change: &Change, data: Data) -> String {
    let parts = Parts::of(change);
    let mut line = vec![String::from(parts.name)];
    line.extend(parts.path.map(String::from));
    if let Some(bytes) = parts.data {
        line.extend(data.line(bytes));
        let length = bytes.map_or(0, <[u8]>::len) as u64;
        line.push(words::count(length, "byte"));
    }
    if parts.ephemeral {
        line.push("ephemeral".to_owned());
    }
    for (name, number) in parts.rest {
        line.push(match name {
            "timeout_ms" => format!("timeout {number} ms"),
            "ttl_ms" => format!("ttl {number} ms"),
            "parent_cversion" => format!("parentCVersion {number}"),
            "error" => number.to_string(),
            _ => format!("{name} {number}"),
        });
    }
    let acl = parts.acl.map(words::acl);
    // The open ACL of most znodes is not shown.
    let acl = acl.filter(|acl| acl != words::OPEN);
    line.extend(acl.map(|acl| format!("acl {acl}")));
    line.extend(parts.error);
    if let Some(deleted) = parts.deleted.filter(|deleted| !deleted.is_empty()) {
        line.push(format!("deletes {}", deleted.join(" ")));
    }
    if let Some(changes) = parts.changes {
        let changes: Vec<String> = changes
            .iter()
            .map(|change| change_line(change, data))
            .collect();
        line.push(format!("[{}]", changes.join("; ")));
    }
    line.join(" ")
}

fn change_fields(change: &Change, data: Data) -> Vec<(&'static str, Value)> {
    let parts = Parts::of(change);
    let mut fields = vec![("type", Value::text(parts.name))];
    fields.extend(parts.path.map(|path| ("path", Value::text(path))));
    if let Some(bytes) = parts.data {
        fields.extend(data.field(bytes));
        let length = bytes.map_or(0, <[u8]>::len);
        fields.push(("data_length", Value::count(length)));
    }
    if parts.ephemeral {
        fields.push(("ephemeral", Value::Bool(true)));
    }
    let rest = parts.rest.into_iter();
    fields.extend(rest.map(|(name, number)| (name, Value::Number(number))));
    if let Some(acl) = parts.acl {
        let entries = acl.iter().map(Value::text).collect();
        fields.push(("acl", Value::List(entries)));
    }
    fields.extend(parts.error.map(|name| ("error_name", Value::Text(name))));
    if let Some(deleted) = parts.deleted {
        let deleted = deleted.iter().map(Value::text).collect();
        fields.push(("deleted", Value::List(deleted)));
    }
    if let Some(changes) = parts.changes {
        let changes = changes
            .iter()
            .map(|change| Value::Fields(change_fields(change, data)));
        fields.push(("changes", Value::List(changes.collect())));
    }
    fields
}

/// Place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Zxid(Zxid),
    Time(Timestamp),
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a zxid in hexadecimal (1f or 0x1f), \
                                or a time in UTC (2026-01-31T12:00:00Z or 2026-01-31)";
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // The parser of numbers accepts a sign.
        if digits.chars().all(|c| c.is_ascii_hexdigit()) {
            let zxid = i64::from_str_radix(digits, 16).map_err(|_| EXPECTED)?;
            return Ok(Self::Zxid(Zxid(zxid)));
        }
        let whole = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            _ => String::from(text),
        };
        humantime::parse_rfc3339_weak(&whole)
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|time| i64::try_from(time.as_millis()).ok())
            .map(|ms| Self::Time(Timestamp(ms)))
            .ok_or(EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_log_is_a_zxid_or_a_time() {
        assert_eq!("0x1f".parse(), Ok(Moment::Zxid(Zxid(31))));
        assert_eq!("1f".parse(), Ok(Moment::Zxid(Zxid(31))));
        assert_eq!("14".parse(), Ok(Moment::Zxid(Zxid(20))));
        let noon = Moment::Time(Timestamp(1_769_860_800_000));
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00",
            "2026-01-31T12:00:00.000Z",
        ] {
            assert_eq!(text.parse(), Ok(noon), "{text}");
        }
        let midnight = Moment::Time(Timestamp(1_769_817_600_000));
        assert_eq!("2026-01-31".parse(), Ok(midnight));
        for bad in [
            "",
            "-1",
            "+1",
            "0x",
            "noon",
            "2026-13-01",
            "ffffffffffffffff",
        ] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
