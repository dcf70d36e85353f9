//! Matchers against all messages there are: accepted if and only if some message matches. `PROPTEST_CASES=5000` draws
//! more.

use std::sync::Arc;

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::hold::HeldMessage;
use super::super::sight::{Asked, Sight, Who};
use super::super::state::{connect_sight, sight_of};
use super::super::{Direction, Fault, ListenerId, Op};
use super::form::OPERATIONS;
use super::*;
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    AclList, AddWatchMode, CheckVersionRequest, ConnectRequest, ConnectResponse, CreateOperation,
    CreateRequest, DeleteRequest, EnsembleAction, ErrorCode, EventType, KeeperState, MemberId,
    Message, MultiOp, MultiReadOp, MultiResult, Reply, Request, Response, SetDataRequest,
    SetWatches, Timestamp, WatchedEvent, WatcherType, Xid, Zxid,
};

const PATHS: [&str; 3] = ["/", "/a", "/a/b"];
const ERROR: ErrorCode = ErrorCode::NoNode;

fn known() -> Known {
    let mut known = Known::new(2, 1);
    known.without_transactions = false;
    known.name(&Arc::from("a"));
    known
}

fn creates() -> Vec<CreateRequest<'static>> {
    let operations = [
        CreateOperation::Create,
        CreateOperation::Create2,
        CreateOperation::CreateContainer,
        CreateOperation::CreateTtl,
    ];
    let mut creates = Vec::new();
    for operation in operations {
        for path in PATHS {
            creates.extend((0..4).map(|flags| CreateRequest {
                operation,
                path: Some(path.into()),
                data: None,
                acl: Some(AclList::Open),
                flags,
                ttl_ms: -1,
            }));
        }
    }
    creates
}

/// Multis of one operation, and of several that must not be mixed up.
fn multis() -> Vec<Request<'static>> {
    let create = |operation, path: &'static str, flags| {
        MultiOp::Create(CreateRequest {
            operation,
            path: Some(path.into()),
            data: None,
            acl: Some(AclList::Open),
            flags,
            ttl_ms: -1,
        })
    };
    let mut multis = vec![Request::Multi(Vec::new()), Request::MultiRead(Vec::new())];
    multis.extend(
        creates()
            .into_iter()
            .map(|it| Request::Multi(vec![MultiOp::Create(it)])),
    );
    for path in PATHS {
        let path = || Some(path.into());
        let delete = MultiOp::Delete(DeleteRequest {
            path: path(),
            version: -1,
        });
        let set = MultiOp::SetData(SetDataRequest {
            path: path(),
            data: None,
            version: -1,
        });
        let check = MultiOp::Check(CheckVersionRequest {
            path: path(),
            version: -1,
        });
        let data = || MultiReadOp::GetData { path: path() };
        let children = || MultiReadOp::GetChildren { path: path() };
        let reads = [MultiOp::Read(data()), MultiOp::Read(children())];
        let operations = [delete, set, check].into_iter().chain(reads);
        multis.extend(operations.map(|it| Request::Multi(vec![it])));
        multis.push(Request::MultiRead(vec![data()]));
        multis.push(Request::MultiRead(vec![children(), data()]));
    }
    multis.push(Request::Multi(vec![
        MultiOp::Check(CheckVersionRequest {
            path: None,
            version: 0,
        }),
        create(CreateOperation::Create, "/a", 0),
        create(CreateOperation::Create2, "/a/b", 3),
    ]));
    multis.push(Request::MultiRead(vec![
        MultiReadOp::Write,
        MultiReadOp::GetData {
            path: Some("/a".into()),
        },
    ]));
    multis
}

/// Every request there is, by form.
fn requests() -> Vec<Request<'static>> {
    let mut requests = multis();
    requests.extend(creates().into_iter().map(Request::Create));
    for path in PATHS {
        let path = || Some(path.into());
        for watch in [false, true] {
            requests.extend([
                Request::Exists {
                    path: path(),
                    watch,
                },
                Request::GetData {
                    path: path(),
                    watch,
                },
                Request::GetChildren {
                    path: path(),
                    watch,
                },
                Request::GetChildren2 {
                    path: path(),
                    watch,
                },
            ]);
        }
        let watches = || SetWatches {
            data: Some(vec![path()]),
            ..SetWatches::default()
        };
        let watcher_type = WatcherType::Any;
        requests.extend([
            Request::Delete(DeleteRequest {
                path: path(),
                version: -1,
            }),
            Request::SetData(SetDataRequest {
                path: path(),
                data: None,
                version: -1,
            }),
            Request::SetAcl {
                path: path(),
                acl: None,
                version: -1,
            },
            Request::GetAcl { path: path() },
            Request::GetAllChildrenNumber { path: path() },
            Request::GetEphemerals { prefix: path() },
            Request::Sync { path: path() },
            Request::SetWatches(watches()),
            Request::SetWatches2(watches()),
            Request::AddWatch {
                path: path(),
                mode: AddWatchMode::Persistent,
            },
            Request::CheckWatches {
                path: path(),
                watcher_type,
            },
            Request::RemoveWatches {
                path: path(),
                watcher_type,
            },
        ]);
    }
    requests.extend([
        Request::Reconfig,
        Request::Ping,
        Request::WhoAmI,
        Request::Auth {
            scheme: None,
            auth: None,
        },
        Request::Sasl { token: b"" },
        Request::CloseSession,
        Request::Unknown { op_code: 999 },
    ]);
    requests.extend(OPERATIONS.map(Request::Malformed));
    requests
}

/// Shows everything that can pass, and on whose connection, to `see`, until it says that it has seen enough.
fn some_message(mut see: impl FnMut(Option<&Who<'_>>, &Sight<'_>) -> bool) -> bool {
    let listener_id = |label: Option<&str>, member| ListenerId {
        label: label.map(Arc::from),
        member: MemberId(member),
    };
    let listener_ids = [
        listener_id(None, 1),
        listener_id(Some("a"), 1),
        listener_id(Some("a"), 2),
    ];
    let on = |listener_id, session| Who {
        connection: ConnectionId(1),
        session: SessionId(session),
        listener_id,
    };
    for listener_id in &listener_ids {
        let with_session = on(listener_id, 1);
        let absent = Who {
            connection: ConnectionId::HANDLE,
            ..with_session
        };
        if some_of_session(|who, sight| see(who, sight), &with_session, &absent)
            || some_of_connection(
                |who, sight| see(who, sight),
                |session| on(listener_id, session),
            )
        {
            return true;
        }
    }
    some_of_nobody(|sight| see(None, sight))
}

/// Messages on a connection with a session, and entries about a session.
fn some_of_session(
    mut see: impl FnMut(Option<&Who<'_>>, &Sight<'_>) -> bool,
    who: &Who<'_>,
    absent: &Who<'_>,
) -> bool {
    for request in requests() {
        let mut asked = Asked::default();
        asked.note(&request);
        let mut results: Vec<Result<Response<'_>, ErrorCode>> =
            vec![Ok(Response::Empty), Err(ERROR)];
        if let Request::Multi(_) | Request::MultiRead(_) = request {
            let failed = asked.parts().len().saturating_sub(1);
            let part = |at| MultiResult::Error((at == failed).then_some(ERROR));
            results.push(Ok(Response::Multi((0..=failed).map(part).collect())));
        }
        let seen = Sight::Request {
            xid: Xid(1),
            asked: &asked,
            data: None,
        };
        if see(Some(who), &seen)
            || results.into_iter().any(|result| {
                let (xid, zxid) = (Xid(1), Zxid(1));
                let message = Message::Reply(Reply { xid, zxid, result });
                see(Some(who), &sight_of(&message, &asked, false))
            })
        {
            return true;
        }
    }
    for event_type in [
        EventType::NodeCreated,
        EventType::NodeDeleted,
        EventType::NodeDataChanged,
        EventType::NodeChildrenChanged,
    ] {
        let comes_or_goes = matches!(event_type, EventType::NodeCreated | EventType::NodeDeleted);
        for path in PATHS {
            let event = WatchedEvent {
                event_type,
                state: KeeperState::SyncConnected,
                path,
            };
            let message = Message::Event {
                zxid: Zxid(1),
                event,
            };
            let asked = Asked::default();
            let is_possible = path != "/" || !comes_or_goes;
            if is_possible && see(Some(who), &sight_of(&message, &asked, false)) {
                return true;
            }
        }
    }
    [false, true].into_iter().any(|flag| {
        let ended = Sight::SessionEnded {
            session: SessionId(1),
            zxid: Zxid(1),
            deleted: &["/a".into(), "/a/b".into()],
            expired: flag,
        };
        let muted = Sight::Muted {
            session: SessionId(1),
            muted: flag,
        };
        let committed = Sight::Committed {
            session: SessionId(1),
            zxid: Zxid(1),
            change: "multi",
            paths: &["/", "/a", "/a/b"],
        };
        let of_session = [&ended, &committed];
        let seen = of_session
            .iter()
            .any(|sight| see(Some(absent), sight) || see(None, sight));
        seen || see(Some(absent), &muted)
    })
}

/// Messages on a connection with a session or without.
fn some_of_connection<'w>(
    mut see: impl FnMut(Option<&Who<'_>>, &Sight<'_>) -> bool,
    on: impl Fn(i64) -> Who<'w>,
) -> bool {
    let accepted = Sight::Accepted {
        peer: ([127, 0, 0, 1], 1).into(),
    };
    if see(Some(&on(0)), &accepted) {
        return true;
    }
    for session in [0, 1] {
        let asks = ConnectRequest {
            last_zxid_seen: Zxid(0),
            timeout_ms: 1,
            session: SessionId(session),
            password: None,
            read_only: None,
        };
        let connected = Message::Connected(ConnectResponse {
            timeout_ms: 1,
            session: SessionId(session),
            password: [0; 16],
            read_only: None,
        });
        let asked = Asked::default();
        let fault = Fault::LoseReply;
        let cut = Sight::Cut {
            cut: 1,
            whose: &Matcher::any(),
            direction: Direction::Both,
        };
        let closing = Sight::Closing {
            reason: CloseReason::Test,
        };
        let named = Sight::Fault {
            name: "",
            fault: &fault,
        };
        let who = on(session);
        if see(Some(&on(0)), &connect_sight(&asks))
            || see(Some(&who), &sight_of(&connected, &asked, false))
            || [Sight::Disconnected, closing, named, cut]
                .iter()
                .any(|sight| see(Some(&who), sight))
        {
            return true;
        }
        let held = PATHS.iter().any(|path| {
            let message = &HeldMessage::Request {
                operation: None,
                paths: vec![(*path).to_owned()],
            };
            see(Some(&who), &Sight::Held { item: 1, message })
                || see(Some(&who), &Sight::Released { item: 1, message })
        });
        if held {
            return true;
        }
    }
    false
}

/// Entries on no connection and about no session.
fn some_of_nobody(mut see: impl FnMut(&Sight<'_>) -> bool) -> bool {
    for path in PATHS {
        let path = || Some(path.into());
        let writes = [
            Request::Create(CreateRequest {
                operation: CreateOperation::Create2,
                path: path(),
                data: None,
                acl: Some(AclList::Open),
                flags: 0,
                ttl_ms: -1,
            }),
            Request::Delete(DeleteRequest {
                path: path(),
                version: -1,
            }),
            Request::SetData(SetDataRequest {
                path: path(),
                data: None,
                version: -1,
            }),
            Request::SetAcl {
                path: path(),
                acl: None,
                version: -1,
            },
        ];
        for write in writes {
            let mut asked = Asked::default();
            asked.note(&write);
            let wrote = |error| Sight::Wrote {
                zxid: Zxid(1),
                asked: &asked,
                data: None,
                error,
            };
            if see(&wrote(None)) || see(&wrote(Some(ERROR))) {
                return true;
            }
        }
    }
    let reaped = Sight::Reaped {
        path: "/a",
        zxid: Zxid(1),
    };
    let reaped_below = Sight::Reaped {
        path: "/a/b",
        zxid: Zxid(1),
    };
    let committed = Sight::Committed {
        session: SessionId::NONE,
        zxid: Zxid(1),
        change: "multi",
        paths: &["/", "/a", "/a/b"],
    };
    let cut = Sight::Cut {
        cut: 1,
        whose: &Matcher::any(),
        direction: Direction::Both,
    };
    let leading = Sight::Leading {
        leader: None,
        epoch: 1,
    };
    let ensemble = Sight::Ensemble {
        action: EnsembleAction::LoseQuorum,
    };
    let clock = Sight::Clock {
        from: Timestamp(0),
        to: Timestamp(1),
    };
    let healed = Sight::Healed { cut: 1 };
    [
        reaped,
        reaped_below,
        committed,
        cut,
        leading,
        ensemble,
        clock,
        healed,
        Sight::Stopped,
        Sight::Started,
    ]
    .iter()
    .any(see)
}

const OPS: [Op; 28] = [
    Op::Any,
    Op::Write,
    Op::Read,
    Op::Connect,
    Op::Create,
    Op::Delete,
    Op::SetData,
    Op::SetAcl,
    Op::Check,
    Op::Multi,
    Op::MultiRead,
    Op::Reconfig,
    Op::Exists,
    Op::GetData,
    Op::GetAcl,
    Op::GetChildren,
    Op::GetAllChildrenNumber,
    Op::GetEphemerals,
    Op::Sync,
    Op::Ping,
    Op::SetWatches,
    Op::AddWatch,
    Op::CheckWatches,
    Op::RemoveWatches,
    Op::WhoAmI,
    Op::Auth,
    Op::Sasl,
    Op::CloseSession,
];

fn matchers() -> impl Strategy<Value = Matcher> {
    let kinds = weighted(0.7, select(EventKind::ALL.to_vec()));
    // Half of them of the kinds that have most conditions.
    let kinds = prop_oneof![
        kinds,
        select(vec![
            Some(EventKind::Request),
            Some(EventKind::Reply),
            Some(EventKind::WatchEvent)
        ])
    ];
    let pattern = select(vec!["/", "/a", "/a/*", "/**", "/?"]);
    let flag = || weighted(0.15, any::<bool>());
    let event_type = select(vec![
        EventType::NodeCreated,
        EventType::NodeDeleted,
        EventType::NodeDataChanged,
        EventType::NodeChildrenChanged,
    ]);
    (
        kinds,
        weighted(0.4, select(OPS.to_vec())),
        weighted(0.3, pattern),
        weighted(0.15, event_type),
        weighted(0.15, Just(ERROR)),
        weighted(0.15, select(vec!["a", "a", "b"])),
        weighted(0.15, 0..=1_i64),
        weighted(0.1, 0..=3_u8),
        weighted(0.1, 0..=1_u64),
        (flag(), flag(), flag()),
    )
        .prop_map(|drawn| {
            let (kind, op, path, event_type, error, label, session, member, connection, flags) =
                drawn;
            let (watching, ephemeral, sequential) = flags;
            Matcher {
                kind,
                op,
                path: path.map(|path| path.parse().expect("it is a pattern")),
                event_type,
                error,
                label: label.map(str::to_owned),
                session: session.map(SessionId),
                member: member.map(MemberId),
                connection,
                watching,
                ephemeral,
                sequential,
            }
        })
}

proptest! {
    #[test]
    fn a_matcher_is_accepted_if_and_only_if_some_message_matches(matcher in matchers()) {
        let accepted = matcher.check(&known(), &EventKind::ALL);
        let matched = some_message(|who, sight| matcher.matches_any(who, sight));
        prop_assert_eq!(accepted.is_ok(), matched, "{}: {:?}", matcher, accepted);
    }

    #[test]
    fn what_came_near_differs_in_one_condition_alone(matcher in matchers()) {
        some_message(|who, sight| {
            if let Some(who) = who
                && !matcher.matches(who, sight)
                && matcher.kind.is_none_or(|kind| kind == sight.kind())
                && let Some(criterion) = matcher.only_miss(who, sight)
            {
                assert!(without(&matcher, criterion).matches(who, sight), "{criterion}");
            }
            false
        });
    }
}

/// The matcher, without one of its conditions.
fn without(matcher: &Matcher, criterion: Criterion) -> Matcher {
    let mut matcher = matcher.clone();
    match criterion {
        Criterion::Connection => matcher.connection = None,
        Criterion::Session => matcher.session = None,
        Criterion::Member => matcher.member = None,
        Criterion::Label => matcher.label = None,
        Criterion::Op => matcher.op = None,
        Criterion::Path => matcher.path = None,
        Criterion::EventType => matcher.event_type = None,
        Criterion::Error => matcher.error = None,
        Criterion::Watching => matcher.watching = None,
        Criterion::Ephemeral => matcher.ephemeral = None,
        Criterion::Sequential => matcher.sequential = None,
    }
    matcher
}

/// Message of the refusal of a matcher.
fn refusal(matcher: &Matcher) -> String {
    matcher
        .check(&known(), &EventKind::ALL)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_refusal_says_what_why_and_what_to_do() {
    for (matcher, wanted) in [
        (
            Matcher::watch_event().error(ERROR),
            "Matcher::watch_event().error(ErrorCode::NoNode) can never match: only replies and writes of the test carry an error: \
             Matcher::reply(..)",
        ),
        (
            Matcher::request(Op::GetData).ephemeral(),
            "Matcher::request(Op::GetData).ephemeral() can never match: only creates make ephemerals, and only requests and \
             replies tell: Matcher::request(Op::Create)",
        ),
        (
            Matcher::request(Op::Create).watching(),
            "Matcher::request(Op::Create).watching() can never match: only exists, getData, getChildren, addWatch and \
             setWatches set a watch, and only their requests and replies tell",
        ),
        (
            Matcher::request(Op::Ping).path("/a"),
            "Matcher::request(Op::Ping).path(\"/a\") can never match: requests name no path: leave path(..) out, or match \
             an operation or event that has one",
        ),
        (
            Matcher::any().label("wroker"),
            "Matcher::any().label(\"wroker\") can never match: the label \"wroker\" is not known (known are \"a\"): name the \
             label first with labelled(\"wroker\"), serve_labelled(..) or the builder's label(..)",
        ),
        (
            Matcher::any().member(MemberId(3)),
            "Matcher::any().member(MemberId(3)) can never match: there is no member 3: members are numbered from 1 to 2",
        ),
        (
            Matcher::of(EventKind::Accepted).session(SessionId(0x1a)),
            "Matcher::of(EventKind::Accepted).session(SessionId(0x1a)) can never match: accepted connections belong to no \
             session: leave session(..) out, or match what a connection does once it has a session",
        ),
        (
            Matcher::of(EventKind::Request).op(Op::Connect),
            "Matcher::of(EventKind::Request).op(Op::Connect) can never match: the first request of a connection and its answer \
             are kinds of their own: Matcher::request(Op::Connect), Matcher::reply(Op::Connect)",
        ),
    ] {
        assert_eq!(refusal(&matcher), wanted);
    }
}
