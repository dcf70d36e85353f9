//! Removal of everything that a case created on a server that the harness does not own, as far as its
//! permissions allow.

use tokio::net::TcpStream;

use super::Stage;
use crate::client::{Acl, Answer, Client, ConnectRequest, Request};
use crate::patience;

/// Credentials of the super user, where the server has one.
const SUPER: &[u8] = b"super:test";

/// Error code of `NoAuth`.
const NO_AUTH: i32 = -102;

impl Stage<'_> {
    /// Deletes the root of the case and everything below it.
    pub(super) async fn sweep(&self) {
        let root = self.chroot.as_str();
        if self.backend.run_id().is_none() || root.is_empty() {
            return;
        }
        let sweeping = async {
            let mut client = self.open().await.ok()?;
            client.connect(&ConnectRequest::new(10_000)).await.ok()?;
            let super_user = Request::Auth {
                scheme: "digest".to_owned(),
                auth: SUPER.to_vec(),
            };
            for auth in self.identities.iter().chain([&super_user]) {
                client.call(auth).await.ok()?;
            }
            for path in [root.to_owned(), format!("/zookeeper/quota{root}")] {
                delete_all(&mut client, path).await?;
            }
            client.call(&Request::CloseSession).await.ok()
        };
        // A failure is ignored: a client that may not delete a znode has no further permission to try.
        let _ =
            patience::within_span(self.patience, "the deletion of the case's root", sweeping).await;
    }
}

/// Deletes a znode and its descendants, descendants first. Returns `None` if the connection ends.
async fn delete_all(client: &mut Client<TcpStream>, root: String) -> Option<()> {
    // The list has each znode before its children, so in reverse order every znode comes after its descendants.
    let mut all = vec![root];
    let mut at = 0;
    while let Some(path) = all.get(at).cloned() {
        let list = Request::GetChildren {
            path: path.clone(),
            watch: false,
        };
        if let Some(Answer::Children(names)) = permitted(client, &path, &list).await? {
            all.extend(names.iter().map(|name| format!("{path}/{name}")));
        }
        at += 1;
    }
    for path in all.into_iter().rev() {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let parent = if parent.is_empty() { "/" } else { parent }.to_owned();
        permitted(client, &parent, &Request::Delete { path, version: -1 }).await?;
    }
    Some(())
}

/// Sends a request and returns its answer. After `NoAuth`, opens the ACL that decides and retries.
async fn permitted(
    client: &mut Client<TcpStream>,
    path: &str,
    request: &Request,
) -> Option<Option<Answer>> {
    let reply = client.call(request).await.ok()?;
    if reply.header.err != NO_AUTH || path == "/" {
        return Some(reply.answer);
    }
    let open = Request::SetAcl {
        path: path.to_owned(),
        acl: Acl::open(),
        version: -1,
    };
    client.call(&open).await.ok()?;
    Some(client.call(request).await.ok()?.answer)
}
