//! Writes of new ACLs while snapshots are taken. A real server lists the ACLs of a snapshot before its znodes while
//! writes go on, so a znode that is created or given another ACL meanwhile refers to an ACL that the snapshot does
//! not list.

use semver::Version;

use super::InteropError;
use super::sequences::LONGEST_MS;
use crate::client::{Acl, BlockingClient, ConnectRequest, CreateKind, Request};
use crate::patience::PATIENCE;
use crate::random::Random;

/// Parent of all znodes of these writes.
const ROOT: &str = "/acl_writes";
/// Number of parents of each kind, so that a snapshot reaches some of them early and others late.
const PARENTS: usize = 16;
/// Number of requests that are sent at once.
const BATCH: usize = 100;

/// Creates the filler znodes, which make a snapshot take longer.
pub(super) fn create_filler(address: &str, znodes: usize) -> Result<(), InteropError> {
    let mut client = connect(address)?;
    let mut paths = vec![ROOT.to_owned()];
    paths.extend((0..PARENTS).flat_map(|n| [parent("old", n), parent("new", n)]));
    paths.extend((0..znodes).map(old));
    let requests: Vec<Request> = paths
        .into_iter()
        .map(|path| create(path, Acl::open()))
        .collect();
    for batch in requests.chunks(BATCH) {
        client.call_all(batch)?;
    }
    client.call(&Request::CloseSession)?;
    Ok(())
}

/// Returns whether a real server of this version can read its own znodes after these writes. Up to 3.7, the replayed
/// create does not supply the ACL of a znode that exists (`DataTree.createNode`).
pub(super) fn reads_back(version: &Version) -> bool {
    *version >= Version::new(3, 8, 0)
}

/// Creates so many znodes, each with an ACL of its own. With `also_set`, every third request gives another ACL to a
/// filler znode. No other request concerns these znodes, since a real server does not start where a transaction needs
/// an ACL before the log supplies it. A real server must not set their ACLs a second time either: a replayed setACL
/// drops the number in the snapshot, which may belong to another znode by then
/// (`ReferenceCountedACLCache.removeUsage`), and that znode answers -5 from then on.
pub(super) fn write_acls(
    address: &str,
    life: usize,
    requests: usize,
    also_set: Option<usize>,
    random: &mut Random,
) -> Result<(), InteropError> {
    let mut client = connect(address)?;
    let mut sent = 0;
    while sent < requests {
        let batch: Vec<Request> = (sent..requests.min(sent + BATCH))
            .map(|number| {
                let acl = own_acl(life, number);
                if let Some(filler_znodes) =
                    also_set.filter(|filler_znodes| number % 3 == 2 && *filler_znodes > 0)
                {
                    return Request::SetAcl {
                        path: old(random.number(0..filler_znodes)),
                        acl,
                        version: -1,
                    };
                }
                let place = parent("new", random.number(0..PARENTS));
                create(format!("{place}/{life}-{number}"), acl)
            })
            .collect();
        sent += batch.len();
        client.call_all(&batch)?;
    }
    client.call(&Request::CloseSession)?;
    Ok(())
}

fn connect(address: &str) -> Result<BlockingClient, InteropError> {
    let request = ConnectRequest::new(LONGEST_MS);
    Ok(BlockingClient::connect_within(PATIENCE, address, &request)?)
}

fn parent(kind: &str, number: usize) -> String {
    format!("{ROOT}/{kind}-{number}")
}

fn old(number: usize) -> String {
    format!("{}/{number}", parent("old", number % PARENTS))
}

fn create(path: String, acl: Vec<Acl>) -> Request {
    Request::Create {
        kind: CreateKind::Create,
        path,
        data: None,
        acl,
        flags: 0,
    }
}

/// ACL that no other znode has and that lets every client do everything.
fn own_acl(life: usize, number: usize) -> Vec<Acl> {
    let id = format!("u{life}-{number}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    vec![Acl::new(31, "world", "anyone"), Acl::new(1, "digest", &id)]
}
