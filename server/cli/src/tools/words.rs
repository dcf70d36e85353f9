//! Formats of znodes, sessions and times that all tools share.

use std::time::{Duration, UNIX_EPOCH};

use minikeeper::{
    inspect::{SessionView, ZnodeView},
    protocol::{Acl, Timestamp},
};

use super::bytes::Data;
use super::value::Value;

/// Formats a time in UTC as `2026-01-31T12:00:00.000Z`; milliseconds since 1970 if it is out of range.
pub(crate) fn time(time: Timestamp) -> String {
    const LAST: u64 = 253_402_300_799_999;
    match u64::try_from(time.0) {
        Ok(ms) if ms <= LAST => {
            let moment = UNIX_EPOCH + Duration::from_millis(ms);
            humantime::format_rfc3339_millis(moment).to_string()
        }
        _ => time.0.to_string(),
    }
}

/// ACL with all permissions for everyone, which most znodes have.
pub(crate) const OPEN: &str = "world:anyone:cdrwa";

/// Formats an ACL: its entries, separated by commas.
pub(crate) fn acl(acl: &[Acl]) -> String {
    let entries: Vec<String> = acl.iter().map(Acl::to_string).collect();
    entries.join(",")
}

/// Formats the owner of a znode; `None` if it is persistent.
pub(crate) fn owner(znode: &ZnodeView) -> Option<String> {
    match (znode.owner(), znode.container, znode.ttl) {
        (Some(session), _, _) => Some(format!("ephemeral of session {session}")),
        (None, true, _) => Some("container".to_owned()),
        (None, false, Some(ttl)) => Some(format!("ttl {} ms", ttl.as_millis())),
        (None, false, None) => None,
    }
}

/// Returns all fields of a znode for programs.
pub(crate) fn znode(znode: &ZnodeView, data: Data) -> Value {
    let mut fields = vec![("path", Value::text(&znode.path))];
    fields.extend(data.field(znode.data.as_deref()));
    let entries = znode.acl.iter().map(Value::text).collect();
    fields.push(("acl", Value::List(entries)));
    if let Some(session) = znode.owner() {
        fields.push(("ephemeral_owner", Value::text(&session)));
    }
    if znode.container {
        fields.push(("container", Value::Bool(true)));
    }
    if let Some(ttl) = znode.ttl {
        fields.push(("ttl_ms", Value::count(ttl.as_millis())));
    }
    let stat = &znode.stat;
    let number = |number: i32| Value::Number(number.into());
    fields.push((
        "stat",
        Value::Fields(vec![
            ("czxid", Value::text(&stat.czxid)),
            ("mzxid", Value::text(&stat.mzxid)),
            ("pzxid", Value::text(&stat.pzxid)),
            ("ctime", Value::text(&time(stat.ctime))),
            ("mtime", Value::text(&time(stat.mtime))),
            ("version", number(stat.version)),
            ("cversion", number(stat.cversion)),
            ("aversion", number(stat.aversion)),
            ("data_length", number(stat.data_length)),
            ("num_children", number(stat.num_children)),
        ]),
    ));
    Value::Fields(fields)
}

/// Returns all fields of a session for programs.
pub(crate) fn session(session: &SessionView) -> Value {
    let ephemerals = session.ephemerals.iter().map(Value::text).collect();
    Value::Fields(vec![
        ("id", Value::text(&session.id)),
        ("timeout_ms", Value::count(session.timeout.as_millis())),
        ("ephemerals", Value::List(ephemerals)),
    ])
}

/// Formats a count: `1 znode`, `2 znodes`.
pub(crate) fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_of_range_is_a_number() {
        assert_eq!(time(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            time(Timestamp(1_700_000_000_123)),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(time(Timestamp(-1)), "-1");
        assert_eq!(time(Timestamp(i64::MAX)), i64::MAX.to_string());
    }
}
