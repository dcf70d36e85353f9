//! The digest of the tree, which a real server writes after each transaction.

use super::*;
use crate::protocol::{Acl, AuthId, Restore as _, open_acl};

fn check_digests(records: &[(i64, i64, TxnRecord<'static>, Option<u64>)]) {
    let rules = Rules {
        digest: true,
        ..Rules::default()
    };
    let mut restored = Restored::new(&rules);
    for (zxid, (session, time, record, digest)) in (1..).zip(records) {
        let txn = Txn {
            session: SessionId(0x0100_0185_55fb_0000 + session),
            cxid: Xid(1),
            zxid: Zxid(zxid),
            time: Timestamp(1_795_291_585_187 + time),
            record: record.clone(),
        };
        let after = restored.replay(&txn);
        if let Some(digest) = digest {
            assert_eq!(after, Some(*digest), "after {txn:?}");
        }
    }
}

fn created(
    path: &'static str,
    data: Option<&'static str>,
    parent_cversion: i32,
) -> TxnRecord<'static> {
    let data = data.map(|data| Cow::Borrowed(data.as_bytes()));
    TxnRecord::Create(CreateTxn {
        path: path.into(),
        data,
        acl: open_acl(),
        kind: CreatedKind::Persistent,
        parent_cversion,
    })
}

fn ephemeral_created(
    path: &'static str,
    data: &'static str,
    parent_cversion: i32,
) -> TxnRecord<'static> {
    TxnRecord::Create(CreateTxn {
        path: path.into(),
        data: Some(data.as_bytes().into()),
        acl: open_acl(),
        kind: CreatedKind::Ephemeral,
        parent_cversion,
    })
}

fn data_set(path: &'static str, data: &'static str, version: i32) -> TxnRecord<'static> {
    TxnRecord::SetData {
        path: path.into(),
        data: Some(data.as_bytes().into()),
        version,
    }
}

fn closed(path: &'static str) -> TxnRecord<'static> {
    TxnRecord::CloseSession {
        paths: vec![path.into()],
    }
}

/// From the log of ZooKeeper 3.9.5: session and time relative to the first transaction, and the digest after the
/// transaction. A refusal has no digest there.
// Longer than 60 lines: the whole log of a real server.
#[test]
fn the_digest_after_each_transaction_is_that_of_a_real_server() {
    let begun = TxnRecord::CreateSession { timeout_ms: 30_000 };
    let deleted = TxnRecord::Delete {
        path: "/a/s0000000001".into(),
    };
    let container = TxnRecord::Create(CreateTxn {
        path: "/c".into(),
        data: None,
        acl: open_acl(),
        kind: CreatedKind::Container,
        parent_cversion: 2,
    });
    let with_ttl = TxnRecord::Create(CreateTxn {
        path: "/t".into(),
        data: Some(b"data".into()),
        acl: open_acl(),
        parent_cversion: 3,
        kind: CreatedKind::Ttl { ms: 3_600_000 },
    });
    let acl_set = TxnRecord::SetAcl {
        path: "/a/b".into(),
        acl: [
            (Permissions::ALL, AuthId::new("world", "anyone")),
            (Permissions::READ, AuthId::new("digest", "user:hash=")),
        ]
        .map(|(permissions, id)| Acl { permissions, id })
        .into(),
        version: 1,
    };
    let limits = "count=10,bytes=-1=;byteHardLimit=-1;countHardLimit=-1";
    let refused = TxnRecord::Error {
        code: ErrorCode::NodeExists,
    };
    check_digests(&[
        (0, 0, begun.clone(), Some(0x51c6_d660)),
        (0, 10, created("/a", Some("first"), 1), Some(0x558c_898c)),
        (0, 18, created("/a/b", Some("second"), 1), Some(0xf2b0_e71c)),
        (0, 21, data_set("/a/b", "third", 1), Some(0xc29c_231a)),
        (0, 24, data_set("/a/b", "fourth", 2), Some(0xd9b0_f230)),
        (
            0,
            26,
            created("/a/s0000000001", Some(""), 2),
            Some(0xab08_ba30),
        ),
        (
            0,
            28,
            created("/a/s0000000002", Some("x"), 3),
            Some(0xfaba_3b23),
        ),
        (0, 32, deleted, Some(0x1_421e_c262)),
        (0, 34, container, Some(0x1_a420_d1f5)),
        (0, 38, with_ttl, Some(0x2_fc87_3006)),
        (0, 41, created("/a/é", Some("ü"), 4), Some(0x3_71d5_af6a)),
        (0, 44, acl_set, Some(0x3_7aca_9ba9)),
        (0, 47, data_set("/", "root", 1), Some(0x3_4f53_5d2c)),
        (
            0,
            63,
            created("/zookeeper/quota/a", None, 1),
            Some(0x3_4f53_5d2c),
        ),
        (
            0,
            69,
            created("/zookeeper/quota/a/zookeeper_limits", Some(limits), 1),
            Some(0x3_4f53_5d2c),
        ),
        (
            0,
            71,
            created(
                "/zookeeper/quota/a/zookeeper_stats",
                Some("count=0,bytes=0"),
                2,
            ),
            Some(0x3_4f53_5d2c),
        ),
        (
            0,
            76,
            created("/zookeeperX", Some("y"), 4),
            Some(0x3_a5d1_4d7c),
        ),
        (
            0,
            78,
            ephemeral_created("/e", "gone", 5),
            Some(0x4_962a_62a2),
        ),
        (0, 80, closed("/e"), Some(0x3_a2d7_7e16)),
        (1, 1501, begun, Some(0x3_a2d7_7e16)),
        (1, 1507, created("/last", Some("z"), 6), Some(0x4_5686_4e9a)),
        (
            1,
            1510,
            ephemeral_created("/e2", "stays", 7),
            Some(0x5_8949_0154),
        ),
        (
            1,
            1512,
            created("/a/n0000000004", Some(""), 5),
            Some(0x6_5d45_498b),
        ),
        (1, 1515, refused, None),
        (1, 31_904, closed("/e2"), Some(0x5_931f_b88d)),
    ]);
}

/// Collects the digests of committed transactions.
#[derive(Default)]
struct Digests(Vec<Option<u64>>);

impl Outputs for Digests {
    fn emit(&mut self, output: Output<'_>) {
        if let Output::Committed { digest, .. } = output {
            self.0.push(digest);
        }
    }
}

fn digests_of(world: &mut World, request: &Request<'_>) -> Vec<Option<u64>> {
    let mut digests = Digests::default();
    let input = Input::Request {
        connection: ConnectionId(1),
        xid: Xid(7),
        request,
    };
    world.keeper.step(world.now, input, &mut digests);
    digests.0
}

fn deletion(path: &str) -> DeleteRequest<'_> {
    DeleteRequest {
        path: Some(path.into()),
        version: -1,
    }
}

#[test]
fn a_transaction_has_the_maintained_digest_and_a_refusal_never_has() {
    let mut world = World::with(|rules| rules.digest = true).joined_by(1);
    world.given(1, [create("/a"), create("/b")]);
    let before = world.keeper.tree().digest();
    let failed = Request::Multi(vec![
        MultiOp::Delete(deletion("/a")),
        MultiOp::Delete(deletion("/none")),
    ]);
    assert_eq!(digests_of(&mut world, &failed), [before]);
    let refused = Request::Delete(deletion("/none"));
    assert_eq!(digests_of(&mut world, &refused), [None]);
    let deleted = Request::Delete(deletion("/a"));
    let after = digests_of(&mut world, &deleted);
    assert_eq!(after, [world.keeper.tree().digest()]);
    assert_ne!(after, [before]);

    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    let deleted = Request::Delete(deletion("/a"));
    assert_eq!(digests_of(&mut world, &deleted), [None]);
}
