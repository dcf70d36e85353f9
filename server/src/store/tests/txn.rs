//! Encoding of transactions, of every type and format.

use super::*;
use crate::jute::{Malformed, Writer};
use crate::protocol::{AuthId, CreateTxn, CreatedKind, ErrorCode, Permissions, open_acl};
use crate::store::txn::{DecodedTxn, TxnDigest, decode_txn};

fn records() -> Vec<TxnRecord<'static>> {
    let acl: Arc<[Acl]> = Arc::from([
        Acl {
            permissions: Permissions::READ,
            id: AuthId::new("digest", "user:hash"),
        },
        Acl {
            permissions: Permissions::ALL,
            id: AuthId::new("ip", "10.0.0.0/8"),
        },
    ]);
    let create = TxnRecord::Create(CreateTxn {
        path: "/é\u{1f600}".into(),
        data: None,
        acl: Arc::clone(&acl),
        kind: CreatedKind::Ephemeral,
        parent_cversion: 3,
    });
    let set = TxnRecord::SetData {
        path: "/a".into(),
        data: Some(b"".into()),
        version: -2,
    };
    let check = TxnRecord::Check {
        path: "/a".into(),
        version: 4,
    };
    let error = TxnRecord::Error {
        code: ErrorCode::NoNode,
    };
    vec![
        TxnRecord::CreateSession { timeout_ms: 4000 },
        TxnRecord::CloseSession {
            paths: vec!["/e".into(), "/f".into()],
        },
        error.clone(),
        create.clone(),
        TxnRecord::Create(CreateTxn {
            path: "/c".into(),
            data: Some(b"x".into()),
            acl: open_acl(),
            kind: CreatedKind::Container,
            parent_cversion: 1,
        }),
        TxnRecord::Create(CreateTxn {
            path: "/t".into(),
            data: Some(b"x".into()),
            acl: open_acl(),
            parent_cversion: 1,
            kind: CreatedKind::Ttl { ms: 5000 },
        }),
        TxnRecord::Delete { path: "/a".into() },
        TxnRecord::DeleteContainer { path: "/c".into() },
        set.clone(),
        TxnRecord::SetAcl {
            path: "/a".into(),
            acl,
            version: 2,
        },
        TxnRecord::Multi(vec![create, set, check, error]),
        TxnRecord::Multi(vec![]),
    ]
}

fn txn(record: TxnRecord<'static>) -> Txn<'static> {
    Txn {
        record,
        ..set(9, 0)
    }
}

/// Returns the payload of an entry.
fn payload(format: DataFormat, txn: &Txn<'_>, digest: Option<u64>) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_txn(format, txn, digest, &mut out);
    assert_eq!(out.last(), Some(&b'B'));
    out[12..out.len() - 1].to_vec()
}

#[test]
fn a_transaction_is_decoded_as_it_was_encoded_in_every_format() {
    let formats = ["3.4", "3.5", "3.6", "3.7", "3.8", "3.9"];
    for format in formats.map(|name| name.parse::<DataFormat>().unwrap()) {
        for record in records() {
            for digest in [None, Some(77)] {
                let txn = txn(record.clone());
                let bytes = payload(format, &txn, digest);
                let decoded = decode_txn(&bytes).unwrap();
                let has_digest =
                    format >= DataFormat::V3_6 && !matches!(record, TxnRecord::Error { .. });
                let digest = digest.filter(|_| has_digest);
                // Older releases do not write the ephemerals of a closed session.
                let is_close = matches!(record, TxnRecord::CloseSession { .. });
                let expected = match is_close && format < DataFormat::V3_6 {
                    true => self::txn(TxnRecord::CloseSession { paths: vec![] }),
                    false => txn,
                };
                assert_eq!(decoded.txn, expected, "{format}");
                assert_eq!(
                    decoded.digest.map(|digest| digest.digest),
                    digest,
                    "{format}"
                );
                assert_eq!(decoded.synced, Some(0), "{format}");
            }
        }
    }
}

/// Decodes a header of a type and the bytes after it.
fn decode(kind: i32, rest: impl FnOnce(&mut BytesMut)) -> Result<DecodedTxn<'static>, Malformed> {
    let mut out = BytesMut::new();
    out.write_long(1);
    out.write_int(2);
    out.write_long(3);
    out.write_long(4);
    out.write_int(kind);
    rest(&mut out);
    let bytes: &'static [u8] = Vec::leak(out.to_vec());
    decode_txn(bytes)
}

#[test]
fn old_layouts_are_read() {
    // A create without the parent's cversion.
    let create = decode(1, |out| {
        out.write_ustring("/a");
        out.write_buffer(None);
        out.write_int(0);
        out.write_bool(false);
    });
    let create = create.unwrap().txn.record;
    assert!(
        matches!(
            create,
            TxnRecord::Create(CreateTxn {
                parent_cversion: -1,
                kind: CreatedKind::Persistent,
                ..
            })
        ),
        "{create:?}"
    );
    let close = decode(-11, |_| {}).unwrap();
    assert_eq!(close.txn.record, TxnRecord::CloseSession { paths: vec![] });
    assert_eq!((close.digest, close.least), (None, DataFormat::V3_4));
    // A closed session with a digest and without a list, as if lists are switched off: the digest looks like the
    // beginning of an incomplete list.
    let close = decode(-11, |out| out.write_int(2)).unwrap();
    assert_eq!(close.txn.record, TxnRecord::CloseSession { paths: vec![] });
    let reconfig = decode(16, |out| {
        out.write_ustring("/zookeeper/config");
        out.write_buffer(Some(b"x"));
        out.write_int(-1);
        out.write_int(2);
        out.write_long(-5);
    });
    let reconfig = reconfig.unwrap();
    assert!(matches!(
        reconfig.txn.record,
        TxnRecord::SetData { version: -1, .. }
    ));
    let digest = TxnDigest {
        version: 2,
        digest: (-5_i64).cast_unsigned(),
    };
    assert_eq!((reconfig.digest, reconfig.synced), (Some(digest), None));
}

#[test]
fn a_type_that_no_release_writes_is_malformed() {
    for kind in [0, 3, 6, 9, 11, 17, 22, 100] {
        let what = decode(kind, |_| {}).unwrap_err().what;
        assert_eq!(what, "a known type of transaction");
    }
    let nested = decode(14, |out| {
        out.write_int(1);
        out.write_int(14);
        out.write_buffer(Some(&[0; 4]));
    });
    assert_eq!(
        nested.unwrap_err().what,
        "a transaction that a multi can have"
    );
}
