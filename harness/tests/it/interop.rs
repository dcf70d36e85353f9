//! Exchange of a data folder between real servers of every version and minikeeper. The seed is fixed unless
//! `MINIKEEPER_INTEROP_SEED` gives another; `minikeeper-harness interop` runs longer exchanges.

use libtest_mimic::{Completion, Failed, Trial};
use minikeeper_harness::backend::{BackendError, Compression};
use minikeeper_harness::interop::{Interop, InteropError, VERSIONS};

use super::backends::ignored;

const SEED: u64 = 20_246;

pub(super) fn trials() -> Vec<Trial> {
    // Every server id once, with extended types and without; 3.4 knows no other than 1.
    let identities = [
        (1, true),
        (0, true),
        (127, false),
        (128, true),
        (254, false),
        (255, false),
    ];
    let plain = VERSIONS
        .into_iter()
        .zip(identities)
        .map(|(version, identity)| (version, Compression::None, identity));
    let compressed = [
        (Compression::Gzip, (254, true)),
        (Compression::Snappy, (1, false)),
    ];
    let compressed = compressed.map(|(how, identity)| ("3.9.5", how, identity));
    plain
        .chain(compressed)
        .map(|(version, compression, identity)| {
            let how = match compression {
                Compression::None => "",
                Compression::Gzip => ", snapshots in gzip",
                Compression::Snappy => ", snapshots in snappy",
            };
            Trial::ignorable_test(
                format!("zookeeper:{version} and minikeeper read each other's folder{how}"),
                move || play(version, compression, identity),
            )
        })
        .collect()
}

fn play(
    version: &str,
    compression: Compression,
    (server_id, extended_types): (u8, bool),
) -> Result<Completion, Failed> {
    let seed = match std::env::var("MINIKEEPER_INTEROP_SEED") {
        Ok(text) => text.parse()?,
        Err(_) => SEED,
    };
    let interop = Interop {
        version: version.to_owned(),
        seed,
        ops: 700,
        rounds: if compression == Compression::None {
            2
        } else {
            1
        },
        compression,
        control: false,
        program: env!("CARGO_BIN_EXE_minikeeper-harness").into(),
        server_id: Some(server_id),
        extended_types: Some(extended_types),
        filler_znodes: 3000,
    };
    match interop.run(&mut |_| {}) {
        Ok(report) if report.znodes < 100 || report.sessions < 10 => {
            Err(format!("seed {seed}: the folder has too little state: {report:?}").into())
        }
        Ok(_) => Ok(Completion::Completed),
        Err(InteropError::Backend(BackendError::Missing(missing))) => ignored(&missing),
        Err(error) => Err(format!("seed {seed}: {error}").into()),
    }
}
