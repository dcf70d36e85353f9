//! Every event can be read again from its storage form and from JSON.

use super::*;
use crate::control::{Fault, HeldMessage, ListenerId};
use crate::keeper::{CloseReason, ConnectionId};

/// Maximum number of bytes of data that the tests record.
const CAP: usize = 4;

fn check(event: &Event<'_>) -> Entry {
    check_of(SessionId(0x100), event)
}

fn check_of(session: SessionId, event: &Event<'_>) -> Entry {
    let listener_id = ListenerId {
        label: Some(Arc::from("wörker")),
        member: MemberId(3),
    };
    let client = Client::new(ConnectionId(7), session, &listener_id);
    let mut bytes = Vec::new();
    encode(&mut bytes, Timestamp(1_250), &client, event, CAP);
    let entry = decode(&bytes, 17, Timestamp(1_000)).expect("the entry can be read");
    assert_eq!(entry.event, capped(event));
    let estimated = estimate(&client, event, CAP);
    assert!(bytes.len() <= estimated || bytes[0] == RARE, "{event:?}");
    let json = serde_json::to_string(&entry).unwrap();
    let again: Entry =
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(again, entry);
    let Entry {
        number,
        time,
        elapsed_ms,
        connection,
        label,
        member,
        ..
    } = &entry;
    assert_eq!((*number, *time, *elapsed_ms), (17, Timestamp(1_250), 250));
    assert_eq!((*connection, *member), (Some(7), MemberId(3)));
    assert_eq!(label.as_deref(), Some("wörker"));
    for end in 0..bytes.len() {
        let _ = decode(&bytes[..end], 17, Timestamp(0));
    }
    entry
}

/// The event with the data that is recorded of it.
fn capped<'e>(event: &'e Event<'_>) -> Event<'e> {
    let mut event = event.clone();
    if let Event::Request {
        data: Some(data), ..
    }
    | Event::Reply {
        data: Some(data), ..
    }
    | Event::Wrote {
        data: Some(data), ..
    } = &mut event
    {
        let begin = data.begin.get(..CAP).unwrap_or(&data.begin).to_vec();
        data.begin = Cow::Owned(begin);
    }
    event
}

fn parts(with_results: bool) -> Vec<MultiPart<'static>> {
    let part = |operation, path: Option<&'static str>| MultiPart {
        operation,
        path: path.map(Cow::Borrowed),
        ..MultiPart::default()
    };
    let mut parts = vec![
        part(Some(Operation::Check), Some("/a")),
        MultiPart {
            ephemeral: true,
            sequential: true,
            ..part(Some(Operation::CreateTtl), Some(""))
        },
        part(None, None),
        part(Some(Operation::Create2), Some("/ü/b")),
    ];
    if with_results {
        parts[1].created = Some(Cow::Borrowed("/a0000000001"));
        parts[2].error = Some(ErrorCode::NoNode);
    }
    parts
}

#[test]
fn a_request_and_its_reply_can_be_read_again() {
    let paths: Paths<'_> = ["/a", "", "/ü/b"].into_iter().collect();
    let operation = Some(Operation::Multi);
    for data in [None, Some(&b""[..]), Some(b"abc\xff"), Some(b"abcdef")] {
        let data = data.map(Data::of);
        check(&Event::Request {
            xid: -9,
            operation,
            paths: paths.borrow(),
            watch: true,
            ephemeral: false,
            sequential: true,
            data: data.clone(),
            parts: parts(false),
        });
        for (error, created, children) in [
            (None, Some("/a0000000001"), Some(0)),
            (Some(ErrorCode::NodeExists), None, None),
        ] {
            check(&Event::Reply {
                xid: -9,
                operation,
                paths: paths.borrow(),
                watch: false,
                ephemeral: true,
                sequential: false,
                zxid: Zxid(1 << 40),
                error,
                created: created.map(Cow::Borrowed),
                data: data.clone(),
                children,
                parts: parts(error.is_none()),
            });
        }
        check(&Event::Wrote {
            operation: Operation::SetData,
            paths: ["/a"].into_iter().collect(),
            data: data.clone(),
            zxid: Zxid(7),
            error: None,
        });
    }
}

#[test]
fn every_operation_can_be_read_again() {
    for operation in Operation::ALL {
        check(&Event::Request {
            xid: 1,
            operation: Some(operation),
            paths: Paths::default(),
            watch: false,
            ephemeral: false,
            sequential: false,
            data: None,
            parts: vec![MultiPart {
                operation: Some(operation),
                ..MultiPart::default()
            }],
        });
    }
}

#[test]
fn other_events_can_be_read_again() {
    check(&Event::WatchEvent {
        event_type: EventType::NodeChildrenChanged,
        path: "/ü".into(),
        zxid: Zxid(5),
    });
    let ended = Event::SessionExpired {
        zxid: Zxid(9),
        deleted: ["/a"].into_iter().collect(),
    };
    let ended = check_of(SessionId(0x200), &ended);
    assert_eq!(ended.session, Some(SessionId(0x200)));
    check(&Event::Closing {
        reason: CloseReason::TakenOver,
    });
    check(&Event::Fault {
        name: "a \"name\"".into(),
        then: Cow::Owned(Fault::DropBefore),
    });
    check(&Event::Held {
        item: 3,
        message: Cow::Owned(HeldMessage::Reply {
            operation: None,
            paths: vec!["/ü".to_owned()],
            zxid: Zxid(7),
        }),
    });
    check(&Event::Released {
        item: 3,
        message: Cow::Owned(HeldMessage::Connected),
    });
    check(&Event::Clock {
        from: Timestamp(1),
        to: Timestamp(i64::MAX),
    });
}
