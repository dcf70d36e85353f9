//! Examples of request bodies. The tests of the API send each of them.

/// The example of an operation, by its id. An operation without an entry has the empty body `{}`.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    (
        "create_server",
        r#"{"clock": "manual", "labels": ["worker"], "seed": {"/config": "v1"}}"#,
    ),
    (
        "add_budget",
        r#"{"budget": "total", "matcher": {"kind": "request", "op": "write"}, "at_most": 10}"#,
    ),
    (
        "add_chaos",
        r#"{"seed": 7, "rules": [{"name": "slow", "probability": 0.1, "then": {"fault": "delay_reply", "by_ms": 5}}]}"#,
    ),
    (
        "check_claim",
        r#"{"claim": {"claim": "at_most", "matcher": {"kind": "watch_event"}, "count": 3}}"#,
    ),
    ("advance_clock", r#"{"by_ms": 30000}"#),
    ("disconnect", r#"{"matcher": {"label": "worker"}}"#),
    ("apply_action", r#"{"action": "stop", "member": 2}"#),
    ("elect", r#"{"leader": 1}"#),
    ("export", r#"{"path": "copy", "data_format": "3.4"}"#),
    (
        "add_fault",
        r#"{"name": "lost", "on": {"op": "create", "path": "/jobs/*"}, "then": {"fault": "apply_then_drop"}}"#,
    ),
    (
        "add_hold",
        r#"{"name": "events", "on": {"kind": "watch_event", "label": "worker"}}"#,
    ),
    ("release", r#"{"release": "all"}"#),
    ("set_journal_mode", r#"{"mode": "off"}"#),
    ("add_label", r#"{"label": "boss"}"#),
    ("cut_link", r#"{"label": "worker", "direction": "both"}"#),
    ("check_matcher", r#"{"kind": "reply", "op": "getData"}"#),
    ("release_transactions", r#"{"transactions": 1}"#),
    ("reap", r#"{"containers": true, "ttl": true}"#),
    (
        "create_znode",
        r#"{"path": "/leader", "data": "me", "mode": "ephemeral"}"#,
    ),
    ("delete_znode", r#"{"path": "/config", "recursive": true}"#),
    (
        "diff_tree",
        r#"{"/config": "v2", "/raw": {"base64": "/wA="}}"#,
    ),
    (
        "seed_tree",
        r#"{"/config": "v2", "/raw": {"base64": "/wA="}}"#,
    ),
    ("set_data", r#"{"path": "/config", "data": "v2"}"#),
    (
        "wait",
        r#"{"matcher": {"kind": "wrote", "path": "/config"}, "since": 0, "within_ms": 1000}"#,
    ),
    ("open_snapshot", r#"{"open": "folder"}"#),
    ("diff_snapshot", r#"{"other": "p1"}"#),
    ("write_snapshot", r#"{"path": "copy"}"#),
];
