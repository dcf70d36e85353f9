//! The two servers of a lane: quick ones are started anew for every sequence, the others are kept, and every sequence has
//! a root of its own on them.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::backend::{Backend, BackendSource, BorrowedServer, Settings};
use crate::client::{Acl, Client, ClientError, ConnectRequest, Request};
use crate::patience;
use crate::stage::{Chroot, StageError};

/// Where sequences play on one side.
#[derive(Debug)]
pub(super) struct Host<'s> {
    source: &'s dyn BackendSource,
    settings: Settings,
    kept: Option<Kept>,
    roots: u64,
}

#[derive(Debug)]
struct Kept {
    backend: Box<dyn Backend>,
    /// Makes the roots.
    maker: Option<Client<TcpStream>>,
}

impl<'s> Host<'s> {
    pub(super) fn new(source: &'s dyn BackendSource, settings: Settings) -> Self {
        Self {
            source,
            settings,
            kept: None,
            roots: 0,
        }
    }

    pub(super) fn starts_quickly(&self) -> bool {
        self.source.starts_quickly()
    }

    /// A server for one sequence, and its root there.
    pub(super) async fn room(&mut self) -> Result<(Box<dyn Backend>, Chroot), StageError> {
        if self.source.starts_quickly() {
            let backend = self.source.start(&self.settings)?;
            let chroot = Chroot::new("/s".to_owned());
            let mut maker = enter(&backend.connect_string()).await?;
            make(&mut maker, &chroot).await?;
            // Its end is noted by the server some time later, and a session more or less shows nowhere.
            let closed = maker.call(&Request::CloseSession).await;
            closed.map_err(failed)?;
            return Ok((backend, chroot));
        }
        if self.kept.is_none() {
            let backend = self.source.start(&self.settings)?;
            self.kept = Some(Kept {
                backend,
                maker: None,
            });
        }
        let Some(kept) = &mut self.kept else {
            return Err(StageError::Senseless("no server".to_owned()));
        };
        self.roots += 1;
        let chroot = Chroot::new(format!("/s{}", self.roots));
        let guest = BorrowedServer::of(kept.backend.as_ref());
        let made = match &mut kept.maker {
            Some(maker) => make(maker, &chroot).await.is_ok(),
            None => false,
        };
        if !made {
            let mut maker = enter(&guest.connect_string()).await?;
            make(&mut maker, &chroot).await?;
            kept.maker = Some(maker);
        }
        Ok((Box::new(guest), chroot))
    }

    /// Whether the server still answers. One that does not is started anew for the next sequence.
    pub(super) async fn is_alive(&mut self) -> bool {
        let Some(kept) = &mut self.kept else {
            return true;
        };
        // A session that was left behind would expire in the midst of a later sequence.
        let alive = match &mut kept.maker {
            Some(maker) => {
                let pinging = maker.call(&Request::Ping);
                let span = Duration::from_secs(5);
                let answer = patience::within_span(span, "the answer to a ping", pinging).await;
                matches!(answer, Ok(Ok(_)))
            }
            None => false,
        };
        if !alive {
            self.kept = None;
        }
        alive
    }
}

fn failed(error: ClientError) -> StageError {
    StageError::Client {
        who: "the maker of the root".to_owned(),
        error,
    }
}

async fn enter(address: &str) -> Result<Client<TcpStream>, StageError> {
    let span = Duration::from_secs(5);
    let opening = async {
        let mut client = Client::open(address).await?;
        client.connect(&ConnectRequest::new(10_000)).await?;
        Ok(client)
    };
    let opened = patience::within_span(span, "a session for the maker of roots", opening).await?;
    opened.map_err(failed)
}

async fn make(maker: &mut Client<TcpStream>, chroot: &Chroot) -> Result<(), StageError> {
    let paths = [
        chroot.as_str().to_owned(),
        format!("/zookeeper/quota{}", chroot.as_str()),
    ];
    for path in paths {
        let create = Request::Create {
            path: path.clone(),
            data: None,
            acl: Acl::open(),
            flags: 0,
        };
        let reply = maker.call(&create).await.map_err(failed)?;
        if reply.header.err != 0 {
            let err = reply.header.err;
            return Err(StageError::Senseless(format!(
                "{path} cannot be made: {err}"
            )));
        }
    }
    Ok(())
}
