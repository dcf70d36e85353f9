//! Requests that kill a real server, or damage its data permanently. The search never sends them.

use crate::client::{CreateKind, Request, op};

/// Whether a real server may die of this request, or retain an effect of it after the case.
#[must_use]
pub fn is_lethal(request: &Request) -> bool {
    match request {
        // The time to live is checked only for TTL modes; in other modes an invalid one is written, and the
        // transaction cannot be replayed.
        Request::Create {
            kind: CreateKind::Ttl { ttl_ms },
            path,
            data,
            flags,
            ..
        } => (*ttl_ms < 0 && !(5..=6).contains(flags)) || is_bad_quota(path, data.as_deref()),
        Request::Create { path, data, .. } => {
            path == "/zookeeper/quota/zookeeper_limits" || is_bad_quota(path, data.as_deref())
        }
        Request::SetData { path, data, .. } => {
            is_shared(path) || is_bad_quota(path, data.as_deref())
        }
        Request::SetAcl { path, .. } => is_shared(path),
        Request::Multi(requests) | Request::MultiRead(requests) => requests.iter().any(is_lethal),
        // It deletes any znode regardless of ACLs. minikeeper refuses it, so there is nothing to compare.
        Request::DeleteContainer { .. } => true,
        Request::Raw { op, body } => match *op {
            op::DELETE_CONTAINER | op::CREATE_SESSION | op::CLOSE_SESSION => true,
            op::CREATE_TTL => body.len() > 8,
            _ => false,
        },
        Request::Delete { .. }
        | Request::Exists { .. }
        | Request::GetData { .. }
        | Request::GetAcl { .. }
        | Request::GetChildren { .. }
        | Request::GetChildren2 { .. }
        | Request::Sync { .. }
        | Request::Ping
        | Request::Check { .. }
        | Request::Reconfig { .. }
        | Request::CheckWatches { .. }
        | Request::RemoveWatches { .. }
        | Request::Auth { .. }
        | Request::SetWatches { .. }
        | Request::SetWatches2 { .. }
        | Request::Sasl { .. }
        | Request::GetEphemerals { .. }
        | Request::GetAllChildrenNumber { .. }
        | Request::AddWatch { .. }
        | Request::WhoAmI
        | Request::CloseSession => false,
    }
}

/// Whether the path is a znode of the server itself, which all cases share.
fn is_shared(path: &str) -> bool {
    path.starts_with("/zookeeper") && !path.starts_with("/zookeeper/quota/")
        || path == "/zookeeper/quota/"
}

/// Whether the data is an invalid quota: limits and usage are parsed whenever a znode below changes, and the
/// server dies of invalid ones.
fn is_bad_quota(path: &str, data: Option<&[u8]>) -> bool {
    let is_quota = path.ends_with("/zookeeper_stats") || path.ends_with("/zookeeper_limits");
    path.starts_with("/zookeeper/quota/") && is_quota && !data.is_some_and(is_quota_text)
}

/// Whether the data is like `count=3,bytes=-1`.
fn is_quota_text(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    text.len() < 100
        && text.split([',', ';']).all(|pair| {
            pair.split_once('=').is_some_and(|(key, number)| {
                !key.is_empty()
                    && key.bytes().all(|byte| byte.is_ascii_alphabetic())
                    && number.parse::<i64>().is_ok()
            })
        })
}

#[cfg(test)]
mod tests {
    use super::is_lethal;
    use crate::script::{Action, Script, Step};

    fn lethal(line: &str) -> bool {
        let script: Script = format!("a: {line}").parse().expect("a step");
        match script.steps.first() {
            Some(Step::Act {
                action: Action::Ask(request),
                ..
            }) => is_lethal(request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_that_kill_a_real_server_are_lethal() {
        for line in [
            "createTTL /a null persistent ttl=-1",
            "createTTL /a null ephemeral ttl=-1",
            "create /zookeeper/quota/zookeeper_limits \"count=1,bytes=1\"",
            "setData /zookeeper/quota/a/zookeeper_stats \"x\"",
            "setData /zookeeper/quota/a/zookeeper_stats \"count=,bytes=3\"",
            "setData /zookeeper/quota/a/zookeeper_stats null",
            "create2 /zookeeper/quota/a/zookeeper_stats \"\"",
            "multi [create /b; createTTL /a null persistent ttl=-1]",
            "deleteContainer /a",
            "raw -10 00",
            "setData /zookeeper/config \"\"",
            "setACL /zookeeper",
        ] {
            assert!(lethal(line), "{line}");
        }
    }

    #[test]
    fn requests_that_are_only_refused_are_not_lethal() {
        for line in [
            "createTTL /a null ttl=-1",
            "createTTL /a null persistent ttl=5",
            "create /zookeeper",
            "delete /zookeeper/quota",
            "setData /zookeeper/quota/a/zookeeper_stats \"count=1,bytes=-3\"",
            "create /zookeeper/quota/a/zookeeper_limits \"count=1,bytes=-1;byteHardLimit=9\"",
            "raw 999 00",
        ] {
            assert!(!lethal(line), "{line}");
        }
    }
}
