//! The two servers of a lane. Servers that start quickly are started for every sequence; the others are reused,
//! with a root for every sequence.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::backend::{Backend, BackendSource, BorrowedServer, Settings};
use crate::client::{Acl, Client, ClientError, ConnectRequest, CreateKind, Request};
use crate::patience;
use crate::stage::{Chroot, StageError};

/// The server of one side.
#[derive(Debug)]
pub(super) struct Host<'s> {
    source: &'s dyn BackendSource,
    settings: Settings,
    reused: Option<ReusedServer>,
    roots: u64,
}

#[derive(Debug)]
struct ReusedServer {
    backend: Box<dyn Backend>,
    /// The client that creates the roots.
    maker: Option<Client<TcpStream>>,
}

impl<'s> Host<'s> {
    pub(super) fn new(source: &'s dyn BackendSource, settings: Settings) -> Self {
        Self {
            source,
            settings,
            reused: None,
            roots: 0,
        }
    }

    pub(super) fn starts_quickly(&self) -> bool {
        self.source.starts_quickly()
    }

    /// Returns a server for one sequence, and its root on the server.
    pub(super) async fn server(&mut self) -> Result<(Box<dyn Backend>, Chroot), StageError> {
        if self.source.starts_quickly() {
            let backend = self.source.start(&self.settings)?;
            let chroot = Chroot::new("/s".to_owned());
            let mut maker = enter(&backend.connect_string()).await?;
            make(&mut maker, &chroot).await?;
            // The server notices the end of the connection later; one session more or less has no effect.
            let closed = maker.call(&Request::CloseSession).await;
            closed.map_err(failed)?;
            return Ok((backend, chroot));
        }
        if self.reused.is_none() {
            let backend = self.source.start(&self.settings)?;
            self.reused = Some(ReusedServer {
                backend,
                maker: None,
            });
        }
        let Some(reused) = &mut self.reused else {
            return Err(StageError::Senseless("the server did not start".to_owned()));
        };
        self.roots += 1;
        let chroot = Chroot::new(format!("/s{}", self.roots));
        let guest = BorrowedServer::of(reused.backend.as_ref());
        let made = match &mut reused.maker {
            Some(maker) => make(maker, &chroot).await.is_ok(),
            None => false,
        };
        if !made {
            let mut maker = enter(&guest.connect_string()).await?;
            make(&mut maker, &chroot).await?;
            reused.maker = Some(maker);
        }
        Ok((Box::new(guest), chroot))
    }

    /// Whether the server still answers. A server that does not is started again for the next sequence.
    pub(super) async fn is_alive(&mut self) -> bool {
        let Some(reused) = &mut self.reused else {
            return true;
        };
        // An abandoned session would expire during a later sequence.
        let alive = match &mut reused.maker {
            Some(maker) => {
                let pinging = maker.call(&Request::Ping);
                let span = Duration::from_secs(5);
                let answer = patience::within_span(span, "the answer to a ping", pinging).await;
                matches!(answer, Ok(Ok(_)))
            }
            None => false,
        };
        if !alive {
            self.reused = None;
        }
        alive
    }
}

fn failed(error: ClientError) -> StageError {
    StageError::Client {
        who: "the client that creates the root".to_owned(),
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
    let opened = patience::within_span(
        span,
        "a session for the client that creates the roots",
        opening,
    )
    .await?;
    opened.map_err(failed)
}

async fn make(maker: &mut Client<TcpStream>, chroot: &Chroot) -> Result<(), StageError> {
    let paths = [
        chroot.as_str().to_owned(),
        format!("/zookeeper/quota{}", chroot.as_str()),
    ];
    for path in paths {
        let create = Request::Create {
            kind: CreateKind::Create,
            path: path.clone(),
            data: None,
            acl: Acl::open(),
            flags: 0,
        };
        let reply = maker.call(&create).await.map_err(failed)?;
        if reply.header.err != 0 {
            let err = reply.header.err;
            return Err(StageError::Senseless(format!(
                "{path} cannot be created: {err}"
            )));
        }
    }
    Ok(())
}
