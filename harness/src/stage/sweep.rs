//! What a case leaves on a server that is somebody else's is taken away again, as far as that is permitted.

use tokio::net::TcpStream;

use super::Stage;
use crate::client::{Acl, Answer, Client, ConnectRequest, Request};
use crate::patience;

/// The super user, where there is one.
const SUPER: &[u8] = b"super:test";

/// `NoAuth`.
const NO_AUTH: i32 = -102;

impl Stage<'_> {
    /// Deletes the root of the case and all below it.
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
        // Whoever may not delete something has shown all the permissions it has.
        let _ = patience::within_span(self.patience, "a root to be deleted", sweeping).await;
    }
}

/// Deletes a znode after those below it. `None` if the connection ends.
async fn delete_all(client: &mut Client<TcpStream>, root: String) -> Option<()> {
    // Each is on the list before its children, so from the end on every znode comes after those below it.
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

/// The answer to a request; if it is refused, after an attempt to open the znode whose list decides.
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
