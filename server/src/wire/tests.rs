//! Bytes recorded from a real ZooKeeper 3.9.5 in both directions, and bytes that no client sends.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::protocol::*;

/// Frames that a client sends on one connection to a fresh server.
const REQUESTS: &[&str] = &[
    CONNECT,
    EXISTS,
    CREATE,
    GET_DATA,
    GET_CHILDREN,
    PING,
    MULTI,
    ADD_WATCH,
    AUTH,
    SET_WATCHES,
    CLOSE_SESSION,
];
const CONNECT: &str = "0000002d 00000000 0000000000000000 00000fa0 0000000000000000 \
     00000010 00000000000000000000000000000000 00";
const EXISTS: &str = "0000000f 00000001 00000003 00000002 2f61 01";
const CREATE: &str = "00000033 00000002 00000001 00000002 2f61 00000002 6869 \
     00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000";
const GET_DATA: &str = "0000000f 00000004 00000004 00000002 2f61 00";
const GET_CHILDREN: &str = "0000000e 00000005 00000008 00000001 2f 00";
const PING: &str = "00000008 fffffffe 0000000b";
const MULTI: &str = "0000006f 00000006 0000000e 0000000d 00 ffffffff 00000002 2f61 00000000 \
     0000000f 00 ffffffff 00000005 2f612f732d ffffffff \
     00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000002 \
     00000002 00 ffffffff 00000005 2f6e6f7065 ffffffff ffffffff 01 ffffffff";
const ADD_WATCH: &str = "00000012 00000007 0000006a 00000002 2f61 00000001";
const AUTH: &str = "0000001d fffffffc 00000064 00000000 00000006 646967657374 00000003 753a70";
const SET_WATCHES: &str = "00000022 fffffff8 00000065 0000000000000000 \
     00000001 00000002 2f61 00000000 00000000";
const CLOSE_SESSION: &str = "00000008 00000008 fffffff5";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a hexadecimal digit is small"))
        .collect();
    let pairs = digits.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "half a byte in {text:?}");
    pairs
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit))
        .collect()
}

/// Returns the content of the only frame.
#[track_caller]
fn content(bytes: &[u8]) -> &[u8] {
    let (frame, rest) = split_frame(bytes, 0xf_ffff)
        .expect("the length is right")
        .expect("the frame is whole");
    assert!(rest.is_empty(), "{} bytes after the frame", rest.len());
    frame
}

#[track_caller]
fn check_request(golden: &str, xid: i32, expected: Request<'_>) {
    let bytes = hex(golden);
    assert_eq!(decode_request(content(&bytes)), Ok((Xid(xid), expected)));
}

#[track_caller]
fn check_message(message: &Message<'_>, golden: &str) {
    // Bytes that are already in the buffer stay.
    let mut out = Vec::from(b"before");
    encode_message(message, &mut out);
    let mut expected = b"before".to_vec();
    expected.extend(hex(golden));
    assert_eq!(out, expected, "{message:?}");
    content(out.split_at("before".len()).1);
}

#[track_caller]
fn check_reply(xid: i32, zxid: i64, result: Result<Response<'_>, ErrorCode>, golden: &str) {
    let reply = Reply {
        xid: Xid(xid),
        zxid: Zxid(zxid),
        result,
    };
    check_message(&Message::Reply(&reply), golden);
}

/// Checks the bytes after the header.
#[track_caller]
fn check_body(response: Response<'_>, body: &str) {
    let length = 16 + hex(body).len();
    let golden = format!("{length:08x} 00000009 0000000000000002 00000000 {body}");
    check_reply(9, 2, Ok(response), &golden);
}

fn text(text: &str) -> Text<'_> {
    Some(text.into())
}

fn anyone<'a>() -> Option<AclList<'a>> {
    Some(AclList::Open)
}

fn create<'a>(
    operation: CreateOperation,
    path: &'a str,
    data: Option<&'a [u8]>,
    flags: i32,
    ttl_ms: i64,
) -> CreateRequest<'a> {
    CreateRequest {
        operation,
        path: text(path),
        data,
        acl: anyone(),
        flags,
        ttl_ms,
    }
}

const STAT: Stat = Stat {
    czxid: Zxid(2),
    mzxid: Zxid(3),
    ctime: Timestamp(0x0000_0199_0000_0001),
    mtime: Timestamp(0x0000_0199_0000_0002),
    version: 4,
    cversion: -1,
    aversion: 6,
    ephemeral_owner: SessionId(0x0100_0026_5654_0000),
    data_length: 7,
    num_children: 8,
    pzxid: Zxid(9),
};
const STAT_HEX: &str = "0000000000000002 0000000000000003 0000019900000001 0000019900000002 \
     00000004 ffffffff 00000006 0100002656540000 00000007 00000008 0000000000000009";

mod golden_requests {
    use super::*;

    #[test]
    fn a_connect_request_may_lack_its_last_byte() {
        let mut bytes = hex(CONNECT);
        let mut expected = ConnectRequest {
            last_zxid_seen: Zxid(0),
            timeout_ms: 4000,
            session: SessionId(0),
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        assert_eq!(decode_connect(content(&bytes)), Ok(expected));

        let body = bytes.split_off(4);
        let (short, _) = body.split_at(44);
        expected.read_only = None;
        assert_eq!(decode_connect(short), Ok(expected));
        let error = DecodeError {
            what: "a buffer",
            at: 24,
        };
        assert_eq!(decode_connect(short.split_at(43).0), Err(error));
        assert_eq!(
            error.to_string(),
            "expected a buffer at byte 24 of the frame"
        );
    }

    #[test]
    fn exists_is_decoded() {
        let request = Request::Exists {
            path: text("/a"),
            watch: true,
        };
        check_request(EXISTS, 1, request);
    }

    #[test]
    fn create_is_decoded() {
        let request = create(CreateOperation::Create, "/a", Some(b"hi"), 0, -1);
        check_request(CREATE, 2, Request::Create(request));
    }

    #[test]
    fn get_data_is_decoded() {
        let request = Request::GetData {
            path: text("/a"),
            watch: false,
        };
        check_request(GET_DATA, 4, request);
    }

    #[test]
    fn get_children_is_decoded() {
        let request = Request::GetChildren {
            path: text("/"),
            watch: false,
        };
        check_request(GET_CHILDREN, 5, request);
    }

    #[test]
    fn ping_is_decoded() {
        check_request(PING, -2, Request::Ping);
    }

    #[test]
    fn multi_is_decoded() {
        let request = Request::Multi(vec![
            MultiOp::Check(CheckVersionRequest {
                path: text("/a"),
                version: 0,
            }),
            MultiOp::Create(create(CreateOperation::Create2, "/a/s-", None, 2, -1)),
            MultiOp::Delete(DeleteRequest {
                path: text("/nope"),
                version: -1,
            }),
        ]);
        check_request(MULTI, 6, request);
    }

    #[test]
    fn add_watch_is_decoded() {
        let request = Request::AddWatch {
            path: text("/a"),
            mode: AddWatchMode::PersistentRecursive,
        };
        check_request(ADD_WATCH, 7, request);
    }

    #[test]
    fn auth_is_decoded() {
        let request = Request::Auth {
            scheme: text("digest"),
            auth: text("u:p"),
        };
        check_request(AUTH, -4, request);
    }

    #[test]
    fn set_watches_is_decoded() {
        let request = Request::SetWatches(SetWatches {
            data: Some(vec![text("/a")]),
            ..SetWatches::default()
        });
        check_request(SET_WATCHES, -8, request);
    }

    #[test]
    fn close_session_is_decoded() {
        check_request(CLOSE_SESSION, 8, Request::CloseSession);
    }
}

mod requests {
    use super::*;

    /// Checks the request that a body is decoded to, after a header with xid 1 and this operation.
    #[track_caller]
    fn check(op_code: i32, body: &str, expected: Request<'_>) {
        let bytes = hex(&format!("00000001 {op_code:08x} {body}"));
        assert_eq!(decode_request(&bytes), Ok((Xid(1), expected)));
    }

    #[track_caller]
    fn check_malformed(op_code: i32, body: &str, operation: Operation) {
        check(op_code, body, Request::Malformed(operation));
    }

    /// Checks that the frame closes the connection.
    #[track_caller]
    fn check_error(frame: &str, what: &'static str, at: usize) {
        assert_eq!(decode_request(&hex(frame)), Err(DecodeError { what, at }));
    }

    const A: &str = "00000002 2f61";
    const ANYONE: &str = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";

    #[test]
    fn writes_are_decoded() {
        let create = |operation, flags, ttl_ms| {
            Request::Create(create(operation, "/a", None, flags, ttl_ms))
        };
        let body = format!("{A} ffffffff {ANYONE} 00000003");
        check(15, &body, create(CreateOperation::Create2, 3, -1));
        check(19, &body, create(CreateOperation::CreateContainer, 3, -1));
        check_malformed(21, &body, Operation::CreateTtl);
        let body = format!("{body} 0000000000000010");
        check(21, &body, create(CreateOperation::CreateTtl, 3, 16));
        let delete = DeleteRequest {
            path: text("/a"),
            version: -1,
        };
        check(2, &format!("{A} ffffffff"), Request::Delete(delete));
        let set_data = SetDataRequest {
            path: text("/a"),
            data: Some(b""),
            version: 7,
        };
        let body = format!("{A} 00000000 00000007");
        check(5, &body, Request::SetData(set_data));
        let set_acl = Request::SetAcl {
            path: text("/a"),
            acl: anyone(),
            version: 7,
        };
        check(7, &format!("{A} {ANYONE} 00000007"), set_acl);
        let set_acl = Request::SetAcl {
            path: None,
            acl: None,
            version: 7,
        };
        check(7, "ffffffff ffffffff 00000007", set_acl);
        let body = "ffffffff ffffffff ffffffff 0000000000000001";
        check(16, body, Request::Reconfig);
        check_malformed(16, "ffffffff ffffffff ffffffff", Operation::Reconfig);
    }

    #[test]
    fn reads_are_decoded() {
        let path = text("/a");
        check(6, A, Request::GetAcl { path });
        let (path, watch) = (text("/a"), true);
        check(
            12,
            &format!("{A} 02"),
            Request::GetChildren2 { path, watch },
        );
        let path = text("/a");
        check(104, A, Request::GetAllChildrenNumber { path });
        let prefix = text("/a");
        check(103, A, Request::GetEphemerals { prefix });
        check(9, "ffffffff", Request::Sync { path: None });
        check(107, "", Request::WhoAmI);
    }

    #[test]
    fn bytes_after_the_last_field_are_ignored() {
        let (path, watch) = (text("/a"), false);
        check(3, &format!("{A} 00 77"), Request::Exists { path, watch });
    }

    #[test]
    fn requests_about_watches_are_decoded() {
        for (number, watcher_type) in [
            (1, WatcherType::Children),
            (2, WatcherType::Data),
            (3, WatcherType::Any),
            (4, WatcherType::Persistent),
            (5, WatcherType::PersistentRecursive),
        ] {
            let body = format!("{A} {number:08x}");
            let path = text("/a");
            check(17, &body, Request::CheckWatches { path, watcher_type });
            let path = text("/a");
            check(18, &body, Request::RemoveWatches { path, watcher_type });
        }
        check_malformed(17, &format!("{A} 00000006"), Operation::CheckWatches);
        check_malformed(18, &format!("{A} 00000000"), Operation::RemoveWatches);
        check_malformed(106, &format!("{A} 00000002"), Operation::AddWatch);

        let lists = |count| format!("000000000000000f {}", format!("00000001 {A}").repeat(count));
        let paths = || Some(vec![text("/a")]);
        let three = || SetWatches {
            relative_zxid: Zxid(15),
            data: paths(),
            exist: paths(),
            child: paths(),
            ..SetWatches::default()
        };
        let five = SetWatches {
            persistent: paths(),
            persistent_recursive: paths(),
            ..three()
        };
        check(101, &lists(3), Request::SetWatches(three()));
        check(101, &lists(5), Request::SetWatches(three()));
        check(105, &lists(5), Request::SetWatches2(five));
        check_malformed(105, &lists(3), Operation::SetWatches2);
        let null_list = SetWatches {
            exist: None,
            ..SetWatches::default()
        };
        let body = "0000000000000000 00000000 ffffffff 00000000";
        check(101, body, Request::SetWatches(null_list));
        let null_path = SetWatches {
            data: Some(vec![text("/a"), None]),
            ..SetWatches::default()
        };
        let body = format!("0000000000000000 00000002 {A} ffffffff 00000000 00000000");
        check(101, &body, Request::SetWatches(null_path));
    }

    #[test]
    fn an_incomplete_header_closes_the_connection() {
        check_error("", "an int", 0);
        check_error("00000001 000000", "an int", 4);
    }

    #[test]
    fn a_malformed_auth_or_sasl_closes_the_connection() {
        check(102, "00000000", Request::Sasl { token: b"" });
        check_error("00000001 00000066 ffffffff", "a token", 12);
        check_error("00000001 00000066 00000001", "a buffer", 8);
        check_error("00000001 00000064 00000000 ffffffff", "a ustring", 16);
        let (scheme, auth) = (None, None);
        let body = "00000007 ffffffff ffffffff";
        check(100, body, Request::Auth { scheme, auth });
        // DigestAuthenticationProvider makes a String of the bytes and hashes that.
        let credentials = ClientText::new(b"\xed\xa0\x80:p");
        assert_eq!(credentials.decode(), "\u{fffd}:p");
        let (scheme, auth) = (text("digest"), Some(credentials));
        let body = "00000000 00000006 646967657374 00000005 eda0803a70";
        check(100, body, Request::Auth { scheme, auth });
    }

    #[test]
    fn an_operation_that_no_client_may_send_is_unknown() {
        for op_code in [0, -1, 10, 13, 20, -10, 999] {
            check(op_code, "", Request::Unknown { op_code });
        }
    }

    #[test]
    fn an_incomplete_body_is_malformed() {
        check_malformed(1, A, Operation::Create);
        check_malformed(3, "00000003 2f61", Operation::Exists);
        check_malformed(3, "fffffffe 2f61", Operation::Exists);
        check_malformed(4, "", Operation::GetData);
        check_malformed(14, "", Operation::Multi);
        check_malformed(22, "00000004 00 ffffffff", Operation::MultiRead);
        let acl = format!("{A} ffffffff 7fffffff 00000000");
        check_malformed(1, &acl, Operation::Create);
        let paths = "0000000000000000 7fffffff 00000000";
        check_malformed(101, paths, Operation::SetWatches);
    }
}

mod multis {
    use super::*;

    const A: &str = "00000002 2f61";
    const ANYONE: &str = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";
    const END: &str = "ffffffff 01 ffffffff";

    fn sub(op_code: i32, record: &str) -> String {
        format!("{op_code:08x} 00 ffffffff {record}")
    }

    #[track_caller]
    fn check(op_code: i32, subs: &[String], expected: Request<'_>) {
        let bytes = hex(&format!("00000001 {op_code:08x} {} {END}", subs.concat()));
        assert_eq!(decode_request(&bytes), Ok((Xid(1), expected)));
    }

    /// Checks the request that one create inside a multi becomes.
    #[track_caller]
    fn check_create(op_code: i32, flags: i32, expected: Option<(CreateOperation, i64)>) {
        let ttl = if op_code == 21 {
            "0000000000000010"
        } else {
            ""
        };
        let record = format!("{A} ffffffff {ANYONE} {flags:08x} {ttl}");
        let expected = match expected {
            Some((operation, ttl_ms)) => Request::Multi(vec![MultiOp::Create(create(
                operation, "/a", None, flags, ttl_ms,
            ))]),
            None => Request::Malformed(Operation::Multi),
        };
        check(14, &[sub(op_code, &record)], expected);
    }

    #[test]
    fn an_empty_multi_is_valid() {
        check(14, &[], Request::Multi(vec![]));
        check(22, &[], Request::MultiRead(vec![]));
    }

    #[test]
    fn the_flags_choose_the_kind_of_create() {
        use CreateOperation::{Create, Create2, CreateContainer, CreateTtl};
        for (op_code, operation) in [(1, Create), (15, Create2), (19, CreateContainer)] {
            for flags in 0..4 {
                check_create(op_code, flags, Some((operation, -1)));
            }
            check_create(op_code, 4, Some((CreateContainer, -1)));
            for flags in [5, 6, 7, -1] {
                check_create(op_code, flags, None);
            }
        }
        for flags in [0, 1, 2, 3, 7, -1] {
            check_create(21, flags, Some((Create, -1)));
        }
        check_create(21, 4, Some((CreateContainer, -1)));
        check_create(21, 5, Some((CreateTtl, 16)));
        check_create(21, 6, Some((CreateTtl, 16)));
    }

    #[test]
    fn a_null_acl_ends_a_multi_except_in_create_ttl() {
        let record = format!("{A} ffffffff ffffffff 00000000");
        let request = |acl| {
            Request::Multi(vec![MultiOp::Create(CreateRequest {
                acl,
                ..create(CreateOperation::Create, "/a", None, 0, -1)
            })])
        };
        check(14, &[sub(1, &record)], request(None));
        let ttl = format!("{record} 0000000000000010");
        check(
            14,
            &[sub(21, &ttl)],
            request(Some(AclList::Entries(vec![]))),
        );

        // Nothing after it is read, and its flags only have to be a mode.
        let unreadable = sub(999, "");
        check(14, &[sub(1, &record), unreadable.clone()], request(None));
        check(
            14,
            &[unreadable, sub(1, &record)],
            Request::Malformed(Operation::Multi),
        );
        let with_ttl = Request::Multi(vec![MultiOp::Create(CreateRequest {
            acl: None,
            ..create(CreateOperation::Create, "/a", None, 5, -1)
        })]);
        let record = |flags| format!("{A} ffffffff ffffffff {flags:08x}");
        check(14, &[sub(1, &record(5))], with_ttl);
        check(
            14,
            &[sub(1, &record(7))],
            Request::Malformed(Operation::Multi),
        );
        check(
            22,
            &[sub(1, &record(0))],
            Request::Malformed(Operation::MultiRead),
        );
    }

    #[test]
    fn reads_and_writes_do_not_mix() {
        let read = || sub(4, &format!("{A} 01"));
        let list = || sub(8, &format!("{A} 00"));
        let write = || sub(2, &format!("{A} ffffffff"));
        let path = || text("/a");
        let delete = DeleteRequest {
            path: path(),
            version: -1,
        };
        let data = MultiReadOp::GetData { path: path() };
        let children = MultiReadOp::GetChildren { path: path() };
        let reads = vec![data.clone(), children];
        check(22, &[read(), list()], Request::MultiRead(reads));
        check(
            14,
            &[write()],
            Request::Multi(vec![MultiOp::Delete(delete)]),
        );
        check(14, &[read()], Request::Multi(vec![MultiOp::Read(data)]));
        check(22, &[write()], Request::MultiRead(vec![MultiReadOp::Write]));
        for (op_code, operation) in [(14, Operation::Multi), (22, Operation::MultiRead)] {
            check(op_code, &[read(), write()], Request::Malformed(operation));
            check(op_code, &[write(), read()], Request::Malformed(operation));
        }
    }

    #[test]
    fn a_multi_may_have_set_data_but_not_set_acl() {
        let record = format!("{A} 00000001 78 00000003");
        let set_data = SetDataRequest {
            path: text("/a"),
            data: Some(b"x"),
            version: 3,
        };
        check(
            14,
            &[sub(5, &record)],
            Request::Multi(vec![MultiOp::SetData(set_data)]),
        );
        for op_code in [3, 7, 12, 14, 999] {
            check(
                14,
                &[sub(op_code, &record)],
                Request::Malformed(Operation::Multi),
            );
        }
    }
}

mod golden_replies {
    use super::*;

    #[test]
    fn the_reply_to_connect_may_lack_its_last_byte() {
        let mut response = ConnectResponse {
            timeout_ms: 4000,
            session: SessionId(0x0100_0026_5654_0000),
            password: hex("4e49e634c37b6670dcaf98c844d17413")
                .try_into()
                .expect("a password has 16 bytes"),
            read_only: Some(false),
        };
        let fields = "00000000 00000fa0 0100002656540000 \
             00000010 4e49e634c37b6670dcaf98c844d17413";
        check_message(
            &Message::Connected(response.clone()),
            &format!("00000025 {fields} 00"),
        );
        response.read_only = None;
        check_message(&Message::Connected(response), &format!("00000024 {fields}"));
    }

    #[test]
    fn an_error_is_a_header() {
        check_reply(
            1,
            1,
            Err(ErrorCode::NoNode),
            "00000010 00000001 0000000000000001 ffffff9b",
        );
        check_reply(
            3,
            3,
            Err(ErrorCode::NodeExists),
            "00000010 00000003 0000000000000003 ffffff92",
        );
    }

    #[test]
    fn an_event_has_xid_minus_one() {
        let event = |event_type| WatchedEvent {
            event_type,
            state: KeeperState::SyncConnected,
            path: "/a",
        };
        check_message(
            &Message::Event {
                zxid: Zxid(2),
                event: event(EventType::NodeCreated),
            },
            "0000001e ffffffff 0000000000000002 00000000 00000001 00000003 00000002 2f61",
        );
        check_message(
            &Message::Event {
                zxid: Zxid(-1),
                event: event(EventType::NodeDataChanged),
            },
            "0000001e ffffffff ffffffffffffffff 00000000 00000003 00000003 00000002 2f61",
        );
    }

    #[test]
    fn the_reply_to_create_is_encoded() {
        check_reply(
            2,
            2,
            Ok(Response::Path(Some("/a".into()))),
            "00000016 00000002 0000000000000002 00000000 00000002 2f61",
        );
    }

    #[test]
    fn the_reply_to_get_data_is_encoded() {
        check_reply(
            4,
            3,
            Ok(Response::Data(Some(&std::sync::Arc::from(*b"hi")), STAT)),
            &format!("0000005a 00000004 0000000000000003 00000000 00000002 6869 {STAT_HEX}"),
        );
    }

    #[test]
    fn the_reply_to_get_children_is_encoded() {
        check_reply(
            5,
            3,
            Ok(Response::Children(vec!["a", "zookeeper"].into())),
            "00000026 00000005 0000000000000003 00000000 00000002 00000001 61 \
             00000009 7a6f6f6b6565706572",
        );
    }

    #[test]
    fn the_reply_to_ping_is_encoded() {
        check_reply(
            -2,
            3,
            Ok(Response::Empty),
            "00000010 fffffffe 0000000000000003 00000000",
        );
    }

    #[test]
    fn a_failed_multi_has_one_error_for_each_operation() {
        check_reply(
            6,
            4,
            Ok(Response::Multi(vec![
                MultiResult::Error(None),
                MultiResult::Error(None),
                MultiResult::Error(Some(ErrorCode::NoNode)),
            ])),
            "00000040 00000006 0000000000000004 00000000 \
             ffffffff 00 00000000 00000000 ffffffff 00 00000000 00000000 \
             ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff",
        );
    }

    #[test]
    fn the_reply_to_add_watch_is_encoded() {
        check_reply(
            7,
            4,
            Ok(Response::WatchAdded),
            "00000014 00000007 0000000000000004 00000000 00000000",
        );
    }
}

mod replies {
    use super::*;

    #[test]
    fn paths_and_stats_are_encoded() {
        check_body(Response::Path(None), "ffffffff");
        check_body(
            Response::PathAndStat("/a".into(), STAT),
            &format!("00000002 2f61 {STAT_HEX}"),
        );
        check_body(Response::Stat(STAT), STAT_HEX);
    }

    #[test]
    fn null_data_and_empty_data_differ() {
        check_body(Response::Data(None, STAT), &format!("ffffffff {STAT_HEX}"));
        check_body(
            Response::Data(Some(&std::sync::Arc::from(*b"")), STAT),
            &format!("00000000 {STAT_HEX}"),
        );
    }

    #[test]
    fn an_acl_is_encoded_entry_by_entry() {
        let acl = [Acl {
            permissions: Permissions::ALL,
            id: AuthId::new("ip", "\u{1f600}"),
        }];
        check_body(
            Response::Acl(Cow::Borrowed(&acl), STAT),
            &format!("00000001 0000001f 00000002 6970 00000006 eda0bdedb880 {STAT_HEX}"),
        );
    }

    #[test]
    fn lists_are_encoded_with_their_counts() {
        check_body(Response::Children(vec![].into()), "00000000");
        check_body(
            Response::ChildrenAndStat(vec!["é"].into(), STAT),
            &format!("00000001 00000002 c3a9 {STAT_HEX}"),
        );
        check_body(Response::Paths(vec!["/a"]), "00000001 00000002 2f61");
        check_body(
            Response::WhoAmI(vec![ClientInfo {
                scheme: "ip",
                user: "",
            }]),
            "00000001 00000002 6970 00000000",
        );
    }

    #[test]
    fn numbers_and_a_null_token_are_ints() {
        check_body(Response::Number(258), "00000102");
        check_body(Response::NoToken, "ffffffff");
    }

    #[test]
    fn every_result_of_a_multi_has_a_header() {
        check_body(Response::Multi(vec![]), "ffffffff 01 ffffffff");
        check_body(
            Response::Multi(vec![
                MultiResult::Create("/a".into()),
                MultiResult::Create2("/a".into(), STAT),
                MultiResult::Delete,
                MultiResult::SetData(STAT),
                MultiResult::Check,
                MultiResult::Data(Some(&std::sync::Arc::from(*b"x")), STAT),
                MultiResult::Children(vec!["a"].into()),
                MultiResult::Error(Some(ErrorCode::RuntimeInconsistency)),
            ]),
            &format!(
                "00000001 00 00000000 00000002 2f61 \
                 0000000f 00 00000000 00000002 2f61 {STAT_HEX} \
                 00000002 00 00000000 \
                 00000005 00 00000000 {STAT_HEX} \
                 0000000d 00 00000000 \
                 00000004 00 00000000 00000001 78 {STAT_HEX} \
                 00000008 00 00000000 00000001 00000001 61 \
                 ffffffff 00 fffffffe fffffffe \
                 ffffffff 01 ffffffff"
            ),
        );
    }

    #[test]
    fn a_multi_read_that_broke_off_has_an_error_and_a_body() {
        check_reply(
            9,
            2,
            Ok(Response::MultiReadBrokenOff(vec![MultiResult::Children(
                vec![].into(),
            )])),
            "00000026 00000009 0000000000000002 fffffffb \
             00000008 00 00000000 00000000 ffffffff 01 ffffffff",
        );
    }
}

/// Strategy for frames of a client with some bytes changed, removed or inserted.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..8);
    (prop::sample::select(REQUESTS), edits).prop_map(|(frame, edits)| {
        let mut bytes = hex(frame).split_off(4);
        for (index, byte, edit) in edits {
            let at = index.index(bytes.len() + 1);
            match (edit, bytes.get_mut(at)) {
                (0, Some(old)) => *old = byte,
                (1, Some(old)) => *old ^= 1 << (byte % 8),
                (2, Some(_)) => drop(bytes.remove(at)),
                (_, _) => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_or_none(bytes: Vec<u8>, max_frame in 0..300_usize) {
        if let Ok(Some((frame, rest))) = split_frame(&bytes, max_frame) {
            prop_assert!(frame.len() <= max_frame);
            prop_assert_eq!(4 + frame.len() + rest.len(), bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_a_request_or_an_error(bytes: Vec<u8>) {
        let _ = decode_connect(&bytes);
        let _ = decode_request(&bytes);
    }

    #[test]
    fn a_damaged_request_is_a_request_or_an_error(bytes in mutated()) {
        let _ = decode_connect(&bytes);
        let _ = decode_request(&bytes);
    }

    #[test]
    fn any_body_of_any_operation_is_a_request(op_code in -12..110_i32, body: Vec<u8>) {
        let mut bytes = hex(&format!("00000001 {op_code:08x}"));
        bytes.extend(body);
        if let Err(DecodeError { at, .. }) = decode_request(&bytes) {
            prop_assert!(matches!(op_code, 100 | 102));
            prop_assert!(at <= bytes.len());
        }
    }
}
