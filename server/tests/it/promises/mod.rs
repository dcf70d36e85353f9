//! Random faults, holds, cut links and steps of the clock. The server must keep its promises to its clients under all
//! of them, judged only by the bytes that the clients receive.
//!
//! Clients and server share one thread and take turns, so a drawn sequence runs the same way each time.

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "all of it is parts of one test"
)]

mod received;
mod world;

use minikeeper::{ErrorCode, Fault, Matcher, Op, fault::Direction, hold::Release};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use self::world::World;
use crate::client::{EPHEMERAL, PERSISTENT};

/// Number of clients.
const CLIENTS: usize = 3;

const LABELS: [&str; CLIENTS] = ["A", "B", "C"];

const PATHS: [&str; 4] = ["/a", "/a/x", "/b", "/b/y"];

/// Request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Create(&'static str, i32),
    Set(&'static str),
    Delete(&'static str),
    Exists(&'static str, bool),
    Get(&'static str, bool),
    Children(&'static str, bool),
    Ping,
}

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    Asks(usize, Vec<Ask>),
    /// A write of the test itself.
    Writes(Ask),
    Hold(Matcher),
    Release(Index, Which),
    DropHold(Index),
    /// A fault, on the messages of this client that match.
    Fault(usize, Matcher, Fault),
    Cut(usize, Direction),
    Heal(Index),
    Advance(u64),
    Expire(usize),
    Leaves(usize),
}

/// Messages of a hold that are released.
#[derive(Clone, Debug)]
enum Which {
    As(Release),
    One(Index),
    Of(usize),
}

fn client() -> impl Strategy<Value = usize> {
    0..CLIENTS
}

fn path() -> impl Strategy<Value = &'static str> {
    select(&PATHS[..])
}

fn write() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => path().prop_map(|path| Ask::Create(path, PERSISTENT)),
        1 => path().prop_map(|path| Ask::Create(path, EPHEMERAL)),
        4 => path().prop_map(Ask::Set),
        2 => path().prop_map(Ask::Delete),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let watch = any::<bool>;
    prop_oneof![
        6 => write(),
        3 => (path(), watch()).prop_map(|(path, watch)| Ask::Get(path, watch)),
        2 => (path(), watch()).prop_map(|(path, watch)| Ask::Exists(path, watch)),
        2 => (path(), watch()).prop_map(|(path, watch)| Ask::Children(path, watch)),
        1 => Just(Ask::Ping),
    ]
}

/// Matcher of a hold.
fn held() -> impl Strategy<Value = Matcher> {
    let kind = prop_oneof![
        4 => Just(Matcher::watch_event()),
        3 => Just(Matcher::reply(Op::Any)),
        1 => Just(Matcher::reply(Op::Write)),
        2 => Just(Matcher::request(Op::Any)),
        1 => Just(Matcher::any()),
    ];
    let label = prop::option::of(select(&LABELS[..]));
    let about = prop::option::of(select(&["/a", "/b", "/*", "/a/**"][..]));
    (kind, label, about).prop_map(|(mut on, label, about)| {
        if let Some(about) = about {
            on = on.path(about);
        }
        // The messages of the observer are never held.
        on.label(label.unwrap_or("A"))
    })
}

/// Faults that break no promise by themselves: messages stay unchanged, or the connection ends.
fn fault() -> impl Strategy<Value = (Matcher, Fault)> {
    let by = std::time::Duration::from_millis(300);
    let every = by / 30;
    let at_once = std::time::Duration::ZERO;
    let create = ErrorCode::NoAuth;
    select(vec![
        (Matcher::request(Op::Any), Fault::DelayRequest { by }),
        (Matcher::request(Op::Any), Fault::DelayReply { by }),
        (Matcher::reply(Op::Any), Fault::DelayReply { by }),
        (Matcher::watch_event(), Fault::DelayReply { by }),
        (Matcher::reply(Op::Any), Fault::Split { bytes: 5, every }),
        (
            Matcher::watch_event(),
            Fault::Split {
                bytes: 3,
                every: at_once,
            },
        ),
        (Matcher::request(Op::Create), Fault::Error { code: create }),
        (Matcher::request(Op::SetData), Fault::LoseRequest),
        (Matcher::request(Op::SetData), Fault::LoseReply),
        (Matcher::request(Op::Write), Fault::ApplyThenDrop),
        (Matcher::request(Op::Any), Fault::DropBefore),
        (Matcher::request(Op::Any), Fault::ReplyThenDrop),
        (Matcher::request(Op::Any), Fault::Expire),
    ])
}

fn direction() -> impl Strategy<Value = Direction> {
    select(&[Direction::Both, Direction::ToClient, Direction::ToServer][..])
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        3 => Just(Which::As(Release::First { count: 1 })),
        1 => Just(Which::As(Release::First { count: 3 })),
        1 => Just(Which::As(Release::All)),
        3 => any::<Index>().prop_map(Which::One),
        1 => client().prop_map(Which::Of),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let asks = prop::collection::vec(ask(), 1..5);
    prop_oneof![
        20 => (client(), asks).prop_map(|(client, asks)| Step::Asks(client, asks)),
        3 => write().prop_map(Step::Writes),
        4 => held().prop_map(Step::Hold),
        6 => (any::<Index>(), which()).prop_map(|(hold, which)| Step::Release(hold, which)),
        2 => any::<Index>().prop_map(Step::DropHold),
        3 => (client(), fault()).prop_map(|(client, (on, fault))| Step::Fault(client, on, fault)),
        2 => (client(), direction()).prop_map(|(client, way)| Step::Cut(client, way)),
        2 => any::<Index>().prop_map(Step::Heal),
        4 => select(&[10, 100, 500, 60_000][..]).prop_map(Step::Advance),
        1 => client().prop_map(Step::Expire),
        1 => client().prop_map(Step::Leaves),
    ]
}

proptest! {
    #[test]
    fn the_promises_of_the_server_hold_under_random_faults(steps in prop::collection::vec(step(), 1..60)) {
        World::play(&steps)?;
    }
}
