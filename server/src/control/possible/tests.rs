//! Random matchers and all possible events: a matcher is accepted if and only if some event matches.
//! `PROPTEST_CASES=5000` draws more matchers.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::request_summary::RequestSummary;
use super::super::{Client, Direction, Event, Fault, HeldMessage, ListenerId, Op, Paths};
use super::form::OPERATIONS;
use super::*;
use crate::keeper::{CloseReason, ConnectionId};
use crate::protocol::{
    AclList, AddWatchMode, CheckVersionRequest, ConnectRequest, ConnectResponse, CreateOperation,
    CreateRequest, DeleteRequest, EnsembleAction, ErrorCode, EventType, KeeperState, MemberId,
    MultiOp, MultiReadOp, MultiResult, Operation, Reply, Request, Response, SetDataRequest,
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

/// Passes every possible event, with its client, to `see`, until it returns true.
fn some_event(mut see: impl FnMut(&Client<'_>, &Event<'_>) -> bool) -> bool {
    let listener_id = |label: Option<&str>, member| ListenerId {
        label: label.map(Arc::from),
        member: MemberId(member),
    };
    let listener_ids = [
        listener_id(None, 1),
        listener_id(Some("a"), 1),
        listener_id(Some("a"), 2),
    ];
    listener_ids.iter().any(|listener_id| {
        let on = |session| Client::new(ConnectionId(1), SessionId(session), listener_id);
        some_of_session(&mut see, &on(1)) || some_of_connection(&mut see, on)
    }) || some_of_test(|event| see(&Client::NONE, event))
}

/// Events on a connection with a session, and events about a session.
fn some_of_session(
    mut see: impl FnMut(&Client<'_>, &Event<'_>) -> bool,
    client: &Client<'_>,
) -> bool {
    for request in requests() {
        let mut summary = RequestSummary::default();
        summary.set(&request);
        let mut results: Vec<Result<Response<'_>, ErrorCode>> =
            vec![Ok(Response::Empty), Err(ERROR)];
        let event = summary.request(Xid(1), None);
        if let Request::Multi(_) | Request::MultiRead(_) = request {
            let parts = event.asked().map_or(0, |asked| asked.parts.len());
            let failed = parts.saturating_sub(1);
            let part = |at| MultiResult::Error((at == failed).then_some(ERROR));
            results.push(Ok(Response::Multi((0..=failed).map(part).collect())));
        }
        if see(client, &event)
            || results.into_iter().any(|result| {
                let (xid, zxid) = (Xid(1), Zxid(1));
                see(client, &summary.reply(&Reply { xid, zxid, result }))
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
            let is_possible = path != "/" || !comes_or_goes;
            if is_possible && see(client, &Event::watch(Zxid(1), &event)) {
                return true;
            }
        }
    }
    let zxid = Zxid(1);
    let deleted = || ["/a", "/a/b"].into_iter().collect();
    let of_session = [
        Event::SessionClosed {
            zxid,
            deleted: deleted(),
        },
        Event::SessionExpired {
            zxid,
            deleted: deleted(),
        },
        Event::Muted,
        Event::Unmuted,
        committed(),
    ];
    let labels = [None, client.label];
    labels.into_iter().any(|label| {
        let absent = Client::absent(client.session, label);
        of_session.iter().any(|event| see(&absent, event))
    })
}

fn committed() -> Event<'static> {
    Event::Committed {
        zxid: Zxid(1),
        change: "multi".into(),
        paths: ["/", "/a", "/a/b"].into_iter().collect(),
    }
}

fn cut() -> Event<'static> {
    Event::Cut {
        cut: 1,
        on: Cow::Owned(Matcher::any()),
        direction: Direction::Both,
    }
}

/// Events on a connection with a session or without.
fn some_of_connection<'w>(
    mut see: impl FnMut(&Client<'_>, &Event<'_>) -> bool,
    on: impl Fn(i64) -> Client<'w>,
) -> bool {
    let accepted = Event::Accepted {
        peer: ([127, 0, 0, 1], 1).into(),
    };
    if see(&on(0), &accepted) {
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
        let connected = ConnectResponse {
            timeout_ms: 1,
            session: SessionId(session),
            password: [0; 16],
            read_only: None,
        };
        let closing = Event::Closing {
            reason: CloseReason::Test,
        };
        let fault = Event::Fault {
            name: "".into(),
            then: Cow::Owned(Fault::LoseReply),
        };
        let client = on(session);
        if see(&on(0), &Event::connect(&asks))
            || see(&client, &Event::connected(&connected, false))
            || [Event::Disconnected, closing, fault, cut()]
                .iter()
                .any(|event| see(&client, event))
        {
            return true;
        }
        let is_held = PATHS.iter().any(|path| {
            let message = HeldMessage::Request {
                operation: None,
                paths: vec![(*path).to_owned()],
            };
            let message: Cow<'_, HeldMessage> = Cow::Owned(message);
            let held = Event::Held {
                item: 1,
                message: message.clone(),
            };
            see(&client, &held) || see(&client, &Event::Released { item: 1, message })
        });
        if is_held {
            return true;
        }
    }
    false
}

/// Events on no connection and about no session.
fn some_of_test(mut see: impl FnMut(&Event<'_>) -> bool) -> bool {
    for path in PATHS {
        for operation in [
            Operation::Create2,
            Operation::Delete,
            Operation::SetData,
            Operation::SetAcl,
        ] {
            let wrote = |error| Event::Wrote {
                operation,
                paths: Paths::from_iter([path]),
                data: None,
                zxid: Zxid(1),
                error,
            };
            if see(&wrote(None)) || see(&wrote(Some(ERROR))) {
                return true;
            }
        }
    }
    let reaped = |path: &'static str| Event::Reaped {
        path: path.into(),
        zxid: Zxid(1),
    };
    [
        reaped("/a"),
        reaped("/a/b"),
        committed(),
        cut(),
        Event::Leading {
            leader: None,
            epoch: 1,
        },
        Event::Ensemble {
            action: EnsembleAction::LoseQuorum,
        },
        Event::Clock {
            from: Timestamp(0),
            to: Timestamp(1),
        },
        Event::Healed { cut: 1 },
        Event::Stopped,
        Event::Started,
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
    fn a_matcher_is_accepted_if_and_only_if_some_event_matches(matcher in matchers()) {
        let accepted = matcher.check(&known(), &EventKind::ALL);
        let matched = some_event(|client, event| matcher.matches(client, event));
        prop_assert_eq!(accepted.is_ok(), matched, "{}: {:?}", matcher, accepted);
    }

    #[test]
    fn a_near_miss_differs_in_one_condition_only(matcher in matchers()) {
        some_event(|client, event| {
            if !matcher.matches(client, event)
                && matcher.kind.is_none_or(|kind| kind == event.kind())
                && let Some(criterion) = matcher.only_miss(client, event)
            {
                assert!(without(&matcher, criterion).matches(client, event), "{criterion}");
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
fn a_refusal_names_the_matcher_the_reason_and_a_remedy() {
    for (matcher, wanted) in [
        (
            Matcher::watch_event().error(ERROR),
            "Matcher::watch_event().error(ErrorCode::NoNode) can never match: only replies and writes of the test \
             carry an error: Matcher::reply(..)",
        ),
        (
            Matcher::request(Op::GetData).ephemeral(),
            "Matcher::request(Op::GetData).ephemeral() can never match: only creates make ephemerals, and only \
             requests and replies say so: Matcher::request(Op::Create)",
        ),
        (
            Matcher::request(Op::Create).watching(),
            "Matcher::request(Op::Create).watching() can never match: only exists, getData, getChildren, addWatch \
             and setWatches set a watch, and only their requests and replies say so",
        ),
        (
            Matcher::request(Op::Ping).path("/a"),
            "Matcher::request(Op::Ping).path(\"/a\") can never match: requests name no path: leave path(..) out, or \
             match an operation or watch event that has one",
        ),
        (
            Matcher::any().label("wroker"),
            "Matcher::any().label(\"wroker\") can never match: the label \"wroker\" is not known (known labels: \
             \"a\"): add it to the server first (in Rust: labelled(\"wroker\"), serve_labelled(..), \
             or label(..) of the builder)",
        ),
        (
            Matcher::any().member(MemberId(3)),
            "Matcher::any().member(MemberId(3)) can never match: there is no member 3: members are numbered from 1 \
             to 2",
        ),
        (
            Matcher::of(EventKind::Accepted).session(SessionId(0x1a)),
            "Matcher::of(EventKind::Accepted).session(SessionId(0x1a)) can never match: accepted connections belong \
             to no session: leave session(..) out, or match what a connection does once it has a session",
        ),
        (
            Matcher::of(EventKind::Request).op(Op::Connect),
            "Matcher::of(EventKind::Request).op(Op::Connect) can never match: the first request of a connection and \
             its answer are kinds of their own: Matcher::request(Op::Connect), Matcher::reply(Op::Connect)",
        ),
    ] {
        assert_eq!(refusal(&matcher), wanted);
    }
}
