//! Random steps of a few clients on a few paths, weighted so that about half of them succeed.
//!
//! The simplest alternative of each choice is first, since shrinking moves towards it.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Union};

use crate::client::{Acl, CreateKind, Request};
use crate::script::{Action, Connect, Password, Since, Step};

/// Kind of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// All operations, without time.
    Usual,
    /// All operations, without time, on servers that enforce quotas.
    Quotas,
    /// Sessions, containers and TTL znodes that expire.
    Time,
}

/// Names of the clients; their number is the maximum.
pub(super) const CLIENTS: [&str; 4] = ["a", "b", "c", "d"];

const PATHS: [&str; 6] = ["/a", "/a/b", "/d", "/a/c", "/d/e", "/a/b/f"];
/// Znodes that most sequences create first, each with its probability.
const GROUND: [(&str, f64); 4] = [("/a", 0.95), ("/d", 0.8), ("/a/b", 0.6), ("/a/c", 0.4)];
/// Paths of requests, repeated by their frequency.
const ASKED: [&str; 12] = [
    "/a", "/d", "/a/b", "/a", "/d", "/a/b", "/a", "/a/c", "/d", "/a/c", "/d/e", "/a/b/f",
];
const NUMBERED: [&str; 4] = [
    "/a/s-0000000000",
    "/a/s-0000000002",
    "/d/s-0000000001",
    "/s-0000000003",
];
const ODD: [&str; 10] = [
    "/",
    "/a/",
    "/none/x",
    "/a//b",
    "/a/./b",
    "/zookeeper",
    "/zookeeper/config",
    "/a/\u{0}",
    "/\u{e000}",
    "/d/\u{e9}",
];
const SEQUENTIAL: [&str; 4] = ["/a/s-", "/d/s-", "/s-", "/a/"];
/// The digests of `u:p` and `v:q` in an ACL.
const DIGESTS: [&str; 2] = [
    "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=",
    "v:Mfy8apI9YguGKmh+AxUmAFSwkII=",
];

type Weighted<T> = Vec<(u32, BoxedStrategy<T>)>;

/// Draws phases of steps: one phase, or several for sequences that wait.
pub(super) fn phases(
    flavour: Flavour,
    clients: usize,
    length: usize,
) -> BoxedStrategy<Vec<Vec<Step>>> {
    let who = select(
        CLIENTS
            .iter()
            .take(clients.max(1))
            .copied()
            .collect::<Vec<_>>(),
    );
    match flavour {
        Flavour::Usual | Flavour::Quotas => {
            let ground = ground(flavour, who.clone());
            let rest = vec(act(who, any_action(flavour)), 1..=length.max(1));
            (ground, rest)
                .prop_map(|(ground, rest)| vec![[ground, rest].concat()])
                .boxed()
        }
        Flavour::Time => {
            let phase = |first: bool| {
                let who = who.clone();
                let ground = vec(
                    act(who.clone(), time_ground()),
                    if first { 0..=5 } else { 0..=1 },
                );
                let rest = vec(act(who.clone(), time_action()), 1..=(length / 3).max(1));
                let last = vec(act(who, time_end()), 0..=1);
                (ground, rest, last).prop_map(|(a, b, c)| [a, b, c].concat())
            };
            (phase(true), phase(false), vec(phase(false), 0..=1))
                .prop_map(|(first, second, more)| [vec![first, second], more].concat())
                .boxed()
        }
    }
}

fn act(
    who: impl Strategy<Value = &'static str>,
    action: BoxedStrategy<Action>,
) -> impl Strategy<Value = Step> {
    (who, action).prop_map(|(who, action)| Step::Act {
        who: who.to_owned(),
        action,
    })
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(choices: Weighted<T>) -> BoxedStrategy<T> {
    Union::new_weighted(choices).boxed()
}

fn texts(from: &'static [&'static str]) -> BoxedStrategy<String> {
    select(from).prop_map(str::to_owned).boxed()
}

fn path() -> BoxedStrategy<String> {
    one_of(vec![
        (24, texts(&ASKED)),
        (2, texts(&NUMBERED)),
        (1, texts(&ODD)),
    ])
}

/// Draws a path to create.
fn new_path() -> BoxedStrategy<String> {
    one_of(vec![
        (20, texts(&PATHS)),
        (2, texts(&NUMBERED)),
        (1, texts(&ODD)),
    ])
}

fn data() -> BoxedStrategy<Option<Vec<u8>>> {
    select(vec![
        None,
        Some(Vec::new()),
        Some(b"1".to_vec()),
        Some(b"abc".to_vec()),
        Some(vec![b'x'; 40]),
        Some(vec![0, 255]),
    ])
    .boxed()
}

fn version() -> BoxedStrategy<i32> {
    one_of(vec![
        (16, Just(-1).boxed()),
        (6, Just(0).boxed()),
        (3, Just(1).boxed()),
        (1, Just(2).boxed()),
        (1, select(vec![3, -2, i32::MIN, i32::MAX]).boxed()),
    ])
}

fn acl() -> BoxedStrategy<Vec<Acl>> {
    let [u, v] = DIGESTS;
    let all = |scheme: &str, id: &str| Acl::new(31, scheme, id);
    let world = |perms| Acl::new(perms, "world", "anyone");
    let rare = select(vec![
        vec![world(1)],
        vec![world(30)],
        vec![world(15)],
        vec![all("digest", u)],
        vec![world(1), all("digest", u)],
        vec![world(5), Acl::new(18, "digest", v)],
        vec![all("auth", "")],
        vec![world(1), all("auth", ""), all("digest", u)],
        vec![all("ip", "127.0.0.1")],
        vec![Acl::new(9, "ip", "127.0.0.0/8"), world(0)],
        vec![world(31), world(31)],
        vec![all("ip", "10.0.0.1")],
        vec![world(0)],
    ]);
    let wrong = select(vec![
        Vec::new(),
        vec![all("world", "x")],
        vec![all("digest", "u")],
        vec![all("none", "x")],
        vec![all("super", "x")],
        vec![all("ip", "1.2.3")],
        vec![world(31), all("sasl", "x")],
    ]);
    one_of(vec![
        (26, Just(Acl::open()).boxed()),
        (8, rare.boxed()),
        (1, wrong.boxed()),
    ])
}

/// Draws one of the four creating operations, with flags and a path that mostly fit together.
// Longer than 60 lines: a table of alternatives and their weights.
fn create() -> BoxedStrategy<Request> {
    let flags = one_of(vec![
        (10, Just(0).boxed()),
        (4, Just(1).boxed()),
        (4, Just(2).boxed()),
        (2, Just(3).boxed()),
        (1, select(vec![4, 5, 6, 7, -1]).boxed()),
    ]);
    let sequential = one_of(vec![(5, texts(&SEQUENTIAL)), (1, new_path())]);
    let plain = (0..2_u8, new_path(), data(), acl(), flags, sequential).prop_map(
        |(which, path, data, acl, flags, sequential)| {
            let path = if flags == 2 || flags == 3 {
                sequential
            } else {
                path
            };
            let kind = if which == 0 {
                CreateKind::Create
            } else {
                CreateKind::Create2
            };
            Request::Create {
                kind,
                path,
                data,
                acl,
                flags,
            }
        },
    );
    let container = (
        new_path(),
        data(),
        acl(),
        select(vec![4, 4, 4, 4, 0, 1, 2, 3, 5, 7]),
    )
        .prop_map(|(path, data, acl, flags)| Request::Create {
            kind: CreateKind::Container,
            path,
            data,
            acl,
            flags,
        });
    let ttl_ms = select(vec![
        1,
        5,
        1,
        100_000,
        1,
        0xFF_FFFF_FFFF,
        0,
        -1,
        0x100_0000_0000,
    ]);
    let flags = select(vec![5, 5, 5, 5, 6, 6, 6, 0, 1, 4, 7]);
    let ttl =
        (new_path(), data(), acl(), flags, ttl_ms).prop_map(|(path, data, acl, flags, ttl_ms)| {
            Request::Create {
                kind: CreateKind::Ttl { ttl_ms },
                path,
                data,
                acl,
                flags,
            }
        });
    one_of(vec![
        (14, plain.boxed()),
        (2, container.boxed()),
        (2, ttl.boxed()),
    ])
}

fn delete() -> BoxedStrategy<Request> {
    (path(), version())
        .prop_map(|(path, version)| Request::Delete { path, version })
        .boxed()
}

fn set_data() -> BoxedStrategy<Request> {
    (path(), data(), version())
        .prop_map(|(path, data, version)| Request::SetData {
            path,
            data,
            version,
        })
        .boxed()
}

fn set_acl() -> BoxedStrategy<Request> {
    (path(), acl(), version())
        .prop_map(|(path, acl, version)| Request::SetAcl { path, acl, version })
        .boxed()
}

/// Draws getData, getChildren, getChildren2 or exists, with or without a watch.
fn read() -> BoxedStrategy<Request> {
    (0..4_u8, path(), any::<bool>())
        .prop_map(|(which, path, watch)| match which {
            0 => Request::Exists { path, watch },
            1 => Request::GetData { path, watch },
            2 => Request::GetChildren2 { path, watch },
            _ => Request::GetChildren { path, watch },
        })
        .boxed()
}

fn other_read() -> BoxedStrategy<Request> {
    (0..8_u8, texts(&PATHS))
        .prop_map(|(which, path)| match which {
            0..=2 => Request::GetAcl { path },
            3 | 4 => Request::GetEphemerals { prefix: path },
            5 => Request::GetAllChildrenNumber { path },
            6 => Request::Sync { path },
            _ => Request::WhoAmI,
        })
        .boxed()
}

fn watch_request() -> BoxedStrategy<Request> {
    (
        0..10_u8,
        path(),
        select(vec![3, 1, 2, 4, 5, 9]),
        select(vec![0, 1]),
    )
        .prop_map(|(which, path, kind, mode)| match which {
            0..=4 => Request::AddWatch { path, mode },
            5 | 6 => Request::RemoveWatches { path, kind },
            7 | 8 => Request::CheckWatches { path, kind },
            _ => Request::AddWatch {
                path,
                mode: mode * 8 - 1,
            },
        })
        .boxed()
}

fn multi() -> BoxedStrategy<Request> {
    let check = (path(), version()).prop_map(|(path, version)| Request::Check { path, version });
    let part = one_of(vec![
        (8, create()),
        (3, delete()),
        (4, set_data()),
        (3, check.boxed()),
    ]);
    let odd = one_of(vec![(12, part.clone()), (1, read()), (1, set_acl())]);
    one_of(vec![
        (12, vec(part, 1..=3).prop_map(Request::Multi).boxed()),
        (1, vec(odd, 0..=4).prop_map(Request::Multi).boxed()),
    ])
}

fn multi_read() -> BoxedStrategy<Request> {
    let part = (any::<bool>(), path(), any::<bool>()).prop_map(|(data, path, watch)| {
        if data {
            Request::GetData { path, watch }
        } else {
            Request::GetChildren { path, watch }
        }
    });
    let odd = one_of(vec![(1, read()), (1, other_read()), (1, set_data())]);
    let part = one_of(vec![(40, part.boxed()), (1, odd)]);
    vec(part, 0..=4).prop_map(Request::MultiRead).boxed()
}

fn set_watches() -> BoxedStrategy<Action> {
    let since = select(vec![
        Since::Seen,
        Since::Zxid(0),
        Since::Mark("m".to_owned()),
        Since::Mark("n".to_owned()),
        Since::Zxid(i64::MAX),
        Since::Zxid(-1),
    ]);
    let paths = || vec(path(), 0..=2);
    (
        since,
        any::<bool>(),
        (paths(), paths(), paths()),
        (paths(), paths()),
    )
        .prop_map(
            |(since, second, (data, exist, child), (persistent, recursive))| {
                let relative_zxid = 0;
                let request = if second {
                    Request::SetWatches2 {
                        relative_zxid,
                        data,
                        exist,
                        child,
                        persistent,
                        recursive,
                    }
                } else {
                    Request::SetWatches {
                        relative_zxid,
                        data,
                        exist,
                        child,
                    }
                };
                Action::SetWatches(since, request)
            },
        )
        .boxed()
}

fn auth() -> BoxedStrategy<Request> {
    let known = [
        "u:p",
        "u:p",
        "v:q",
        "u:p",
        "super:test",
        "v:q",
        "u:x",
        "u",
        "",
    ];
    let auths: Vec<Request> = known
        .iter()
        .map(|auth| ("digest", *auth))
        .chain([
            ("ip", "127.0.0.1"),
            ("ip", ""),
            ("none", "x"),
            ("super", "super:test"),
        ])
        .map(|(scheme, auth)| Request::Auth {
            scheme: scheme.to_owned(),
            auth: auth.as_bytes().to_vec(),
        })
        .collect();
    select(auths).boxed()
}

/// Draws requests that an ordinary client does not send: truncated bodies, null paths, unknown operations.
fn odd_request() -> BoxedStrategy<Request> {
    let raw = |op: i32, body: &[u8]| Request::Raw {
        op,
        body: body.to_vec(),
    };
    let null = &[255, 255, 255, 255, 0][..];
    let cut = &[0, 0, 0, 9, b'/', b'a'][..];
    let mut requests = vec![
        raw(11, &[1, 2, 3]),
        raw(107, &[1]),
        raw(999, &[]),
        raw(0, &[]),
        raw(10, &[]),
        raw(-1, &[]),
        Request::Check {
            path: "/a".to_owned(),
            version: -1,
        },
        Request::Reconfig {
            joining: String::new(),
            leaving: String::new(),
            new_members: String::new(),
            config_id: -1,
        },
        Request::Sasl {
            token: Some(Vec::new()),
        },
        raw(14, &[]),
        raw(14, &[0, 0, 0, 1, 0, 255, 255, 255, 255]),
        raw(22, &[]),
        raw(100, &[]),
        raw(21, &[]),
    ];
    for op in [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 18, 19, 101, 103, 104, 105, 106,
    ] {
        requests.push(raw(op, &[]));
        requests.push(raw(op, cut));
    }
    for op in [3, 4, 6, 8, 9, 12, 103, 104] {
        requests.push(raw(op, null));
    }
    select(requests).boxed()
}

fn pipeline(quotas: bool) -> BoxedStrategy<Action> {
    let reads = one_of(vec![(6, read()), (2, other_read()), (2, watch_request())]);
    let part = if quotas {
        // A quota is checked against the tree, which does not have the effects of earlier requests of the same
        // pipeline yet. The same is true of the ACL of a setACL, so no pipeline has one.
        reads
    } else {
        one_of(vec![
            (6, create()),
            (3, delete()),
            (4, set_data()),
            (2, multi()),
            (6, reads),
        ])
    };
    vec(part, 2..=4).prop_map(Action::Pipeline).boxed()
}

fn connection(clients: &'static [&'static str]) -> BoxedStrategy<Action> {
    let resume = (
        select(clients),
        select(vec![10_000, 4000, 100, 60_000, -1]),
        one_of(vec![
            (8, Just(Password::Own).boxed()),
            (
                1,
                select(vec![
                    Password::Bytes(None),
                    Password::Bytes(Some(vec![0; 16])),
                ])
                .boxed(),
            ),
        ]),
        select(vec![Since::Seen, Since::Zxid(0), Since::Zxid(-1)]),
        select(vec![Some(false), Some(true), None]),
    )
        .prop_map(|(other, timeout_ms, password, seen, read_only)| {
            Action::Connect(Connect {
                resume: Some(other.to_owned()),
                session_id: 0,
                timeout_ms,
                password,
                read_only,
                seen,
            })
        });
    let fresh = (
        select(vec![0, 0, 77, -1]),
        select(vec![10_000, 4000, 0]),
        any::<bool>(),
    )
        .prop_map(|(session_id, timeout_ms, read_only)| {
            Action::Connect(Connect {
                session_id,
                timeout_ms,
                read_only: Some(read_only),
                ..Connect::default()
            })
        });
    one_of(vec![
        (4, Just(Action::Cut).boxed()),
        (3, Just(Action::Ask(Request::CloseSession)).boxed()),
        (5, resume.boxed()),
        (1, fresh.boxed()),
    ])
}

fn ask(request: BoxedStrategy<Request>) -> BoxedStrategy<Action> {
    request.prop_map(Action::Ask).boxed()
}

/// Draws the creation of the first znodes, so that not all later steps fail.
fn ground(
    flavour: Flavour,
    who: impl Strategy<Value = &'static str> + Clone + 'static,
) -> BoxedStrategy<Vec<Step>> {
    let base = GROUND.map(|(path, share)| {
        let create = data().prop_map(move |data| {
            Action::Ask(Request::Create {
                kind: CreateKind::Create,
                path: path.to_owned(),
                data,
                acl: Acl::open(),
                flags: 0,
            })
        });
        weighted(share, act(who.clone(), create.boxed()))
    });
    let quotas = if flavour == Flavour::Quotas {
        0..=3
    } else {
        0..=0
    };
    (base, vec(act(who, ask(quota())), quotas))
        .prop_map(|(base, quotas)| base.into_iter().flatten().chain(quotas).collect())
        .boxed()
}

/// Draws a complete quota or a change to one.
// Longer than 60 lines: a table of alternatives and their weights.
fn quota() -> BoxedStrategy<Request> {
    let limits = || {
        select(vec![
            "count=2,bytes=10",
            "count=-1,bytes=-1;byteHardLimit=40;countHardLimit=3",
            "count=3,bytes=-1;byteHardLimit=-1;countHardLimit=2",
            "count=-1,bytes=40",
            "count=-1,bytes=-1;byteHardLimit=3;countHardLimit=-1",
            "count=5,bytes=100;byteHardLimit=0;countHardLimit=1",
            "count=1,bytes=0",
        ])
    };
    let stats = || {
        select(vec![
            "count=0,bytes=0",
            "count=1,bytes=4",
            "count=-1,bytes=-1",
            "count=9,bytes=99",
        ])
    };
    let create = |path: String, data: Option<&str>| Request::Create {
        kind: CreateKind::Create,
        path,
        data: data.map(|text| text.as_bytes().to_vec()),
        acl: Acl::open(),
        flags: 0,
    };
    let whole = (texts(&PATHS), limits(), stats()).prop_map(move |(path, limits, stats)| {
        let mut parts = Vec::new();
        for (at, _) in path.match_indices('/').skip(1) {
            let before = path.get(..at).unwrap_or_default();
            parts.push(create(format!("/zookeeper/quota{before}"), None));
        }
        let node = format!("/zookeeper/quota{path}");
        parts.push(create(node.clone(), None));
        parts.push(create(format!("{node}/zookeeper_limits"), Some(limits)));
        parts.push(create(format!("{node}/zookeeper_stats"), Some(stats)));
        Request::Multi(parts)
    });
    let change = (texts(&PATHS), limits(), stats(), 0..8_u8).prop_map(
        move |(path, limits, stats, which)| {
            let node = format!("/zookeeper/quota{path}");
            let (limits_path, stats_path) = (
                format!("{node}/zookeeper_limits"),
                format!("{node}/zookeeper_stats"),
            );
            let set = |path, text: &str| Request::SetData {
                path,
                data: Some(text.as_bytes().to_vec()),
                version: -1,
            };
            let get = |path| Request::GetData { path, watch: false };
            match which {
                0 | 1 => get(stats_path),
                2 => get(limits_path),
                3 => set(limits_path, limits),
                4 => set(stats_path, stats),
                5 => Request::Delete {
                    path: limits_path,
                    version: -1,
                },
                6 => create(limits_path, Some(limits)),
                _ => Request::Delete {
                    path: stats_path,
                    version: -1,
                },
            }
        },
    );
    one_of(vec![(2, whole.boxed()), (3, change.boxed())])
}

fn any_action(flavour: Flavour) -> BoxedStrategy<Action> {
    let marks = select(vec!["m", "n"]).prop_map(|name| Action::Mark(name.to_owned()));
    let quotas = flavour == Flavour::Quotas;
    one_of(vec![
        (24, ask(create())),
        (6, ask(delete())),
        (12, ask(set_data())),
        (16, ask(read())),
        (4, ask(set_acl())),
        (8, ask(other_read())),
        (7, ask(watch_request())),
        (9, ask(multi())),
        (3, ask(multi_read())),
        (4, set_watches()),
        (3, ask(auth())),
        (2, marks.boxed()),
        (5, pipeline(quotas)),
        (6, connection(&CLIENTS)),
        (2, ask(odd_request())),
        (if quotas { 12 } else { 1 }, ask(quota())),
    ])
}

/// Draws the parents of expiring znodes: containers, TTL znodes and an ordinary znode.
const WITHERING: [&str; 5] = ["/k", "/k/l", "/t", "/a", "/k/t"];
const BELOW: [&str; 5] = ["/k/e", "/k/l/e", "/a/e", "/t/e", "/e"];

/// Time to live that does not end within the current phase.
const SHORT_TTL_MS: i64 = 500;
const LONG_TTL_MS: i64 = 1_000_000;

fn time_ground() -> BoxedStrategy<Action> {
    let short = Action::Connect(Connect {
        timeout_ms: 1500,
        ..Connect::default()
    });
    one_of(vec![(2, Just(short).boxed()), (6, ask(time_create()))])
}

fn time_create() -> BoxedStrategy<Request> {
    let acl = Acl::open;
    let container = select(vec!["/k", "/k/l", "/k/l"]).prop_map(move |path| Request::Create {
        kind: CreateKind::Container,
        path: path.to_owned(),
        data: None,
        acl: acl(),
        flags: 4,
    });
    let ttl = (
        select(vec!["/t", "/k/t", "/a/t", "/k/l/t"]),
        select(vec![SHORT_TTL_MS, LONG_TTL_MS]),
        select(vec![5, 6]),
    )
        .prop_map(move |(path, ttl_ms, flags)| Request::Create {
            kind: CreateKind::Ttl { ttl_ms },
            path: path.to_owned(),
            data: None,
            acl: acl(),
            flags,
        });
    let ephemeral =
        (texts(&BELOW), select(vec![1, 1, 3, 0]), data()).prop_map(move |(path, flags, data)| {
            Request::Create {
                kind: CreateKind::Create2,
                path,
                data,
                acl: acl(),
                flags,
            }
        });
    let plain = Just(Request::Create {
        kind: CreateKind::Create,
        path: "/a".to_owned(),
        data: None,
        acl: acl(),
        flags: 0,
    });
    one_of(vec![
        (3, plain.boxed()),
        (5, container.boxed()),
        (4, ttl.boxed()),
        (7, ephemeral.boxed()),
    ])
}

fn time_path() -> BoxedStrategy<String> {
    one_of(vec![
        (3, texts(&WITHERING)),
        (2, texts(&BELOW)),
        (1, Just("/".to_owned()).boxed()),
    ])
}

fn time_action() -> BoxedStrategy<Action> {
    let read = (0..6_u8, time_path(), any::<bool>()).prop_map(|(which, path, watch)| match which {
        0 | 1 => Request::Exists { path, watch },
        2 => Request::GetData { path, watch },
        3 => Request::GetChildren2 { path, watch },
        4 => Request::GetEphemerals { prefix: path },
        _ => Request::GetAllChildrenNumber { path },
    });
    let watch =
        (time_path(), select(vec![0, 1])).prop_map(|(path, mode)| Request::AddWatch { path, mode });
    let set = (time_path(), data(), version()).prop_map(|(path, data, version)| Request::SetData {
        path,
        data,
        version,
    });
    let many = vec(time_create(), 1..=3).prop_map(Request::Multi);
    let resume = select(&CLIENTS[..]).prop_map(|other| {
        Action::Connect(Connect {
            resume: Some(other.to_owned()),
            timeout_ms: 1500,
            seen: Since::Seen,
            ..Connect::default()
        })
    });
    let lists = (
        vec(time_path(), 0..=2),
        vec(time_path(), 0..=2),
        vec(time_path(), 0..=2),
    );
    let since = select(vec![Since::Seen, Since::Mark("m".to_owned())]);
    let missed = (since, lists).prop_map(|(since, (data, exist, child))| {
        Action::SetWatches(
            since,
            Request::SetWatches {
                relative_zxid: 0,
                data,
                exist,
                child,
            },
        )
    });
    one_of(vec![
        (12, ask(time_create())),
        (9, ask(read.boxed())),
        (4, ask(watch.boxed())),
        (5, ask(set.boxed())),
        (2, ask(many.boxed())),
        (5, Just(Action::Cut).boxed()),
        (2, resume.boxed()),
        (2, missed.boxed()),
        (1, Just(Action::Mark("m".to_owned())).boxed()),
    ])
}

/// Draws a deletion that empties a container. A real server may delete the container at once, so this comes
/// last.
fn time_end() -> BoxedStrategy<Action> {
    let delete = texts(&BELOW).prop_map(|path| Request::Delete { path, version: -1 });
    one_of(vec![
        (3, ask(delete.boxed())),
        (1, Just(Action::Ask(Request::CloseSession)).boxed()),
    ])
}
