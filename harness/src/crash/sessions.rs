//! A client whose sessions come and go: one that was granted is there after a crash, one that was closed is not.

use super::round::Watch;
use super::{Failure, LONGEST};
use crate::client::{Acl, Client, ClientError, ConnectRequest, ConnectResponse, Request};
use crate::dice::Dice;

/// So many are open at most.
const MOST: usize = 6;

/// How far a session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Open,
    /// Its end was asked for, and nobody answered.
    Closing,
    Closed,
}

/// A session and its ephemeral znode.
#[derive(Clone, Debug)]
struct Guest {
    session: ConnectResponse,
    path: String,
    /// Whether the making of the znode was answered.
    made: bool,
    standing: Standing,
}

/// All of them, over the rounds of a folder.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    guests: Vec<Guest>,
    next: u64,
}

impl Sessions {
    /// Opens sessions and closes some, until the server is gone.
    pub(super) async fn come_and_go(
        &mut self,
        address: &str,
        watch: &Watch,
        mut dice: Dice,
    ) -> Result<(), Failure> {
        loop {
            let outcome = if self.open() > MOST || self.open() > 0 && dice.percent(40) {
                self.close(address, watch, &mut dice).await
            } else {
                self.begin(address, watch).await
            };
            match outcome {
                Ok(()) => {}
                Err(ClientError::Closed | ClientError::CutShort(_) | ClientError::Io(_)) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn open(&self) -> usize {
        let is_open = |guest: &&Guest| guest.standing == Standing::Open;
        self.guests.iter().filter(is_open).count()
    }

    async fn begin(&mut self, address: &str, watch: &Watch) -> Result<(), ClientError> {
        let timeout_ms = i32::try_from(LONGEST.as_millis()).unwrap_or(i32::MAX);
        let mut client = Client::open(address).await?;
        let session = client.connect(&ConnectRequest::new(timeout_ms)).await?;
        let path = format!("/guest-{}", self.next);
        self.next += 1;
        let at = self.guests.len();
        self.guests.push(Guest {
            session,
            path: path.clone(),
            made: false,
            standing: Standing::Open,
        });
        let create = Request::Create {
            path,
            data: None,
            acl: Acl::open(),
            flags: 1,
        };
        let reply = client.call(&create).await?;
        watch.saw_zxid(reply.header.zxid);
        if let Some(guest) = self.guests.get_mut(at) {
            guest.made = true;
        }
        Ok(())
    }

    async fn close(
        &mut self,
        address: &str,
        watch: &Watch,
        dice: &mut Dice,
    ) -> Result<(), ClientError> {
        let mut open: Vec<&mut Guest> = self
            .guests
            .iter_mut()
            .filter(|guest| guest.standing == Standing::Open)
            .collect();
        let at = dice.number(0..open.len());
        let Some(guest) = open.get_mut(at) else {
            return Ok(());
        };
        let mut client = Client::open(address).await?;
        client.connect(&resumed(&guest.session)).await?;
        guest.standing = Standing::Closing;
        let reply = client.call(&Request::CloseSession).await?;
        watch.saw_zxid(reply.header.zxid);
        guest.standing = Standing::Closed;
        Ok(())
    }

    /// Holds what a restarted server has against what was answered. Gives how many sessions went on.
    pub(super) async fn recover(&mut self, address: &str) -> Result<u64, Failure> {
        let mut kept = Vec::new();
        for guest in self.guests.drain(..) {
            let mut client = Client::open(address).await?;
            let granted = client.connect(&resumed(&guest.session)).await?;
            let lives = granted.session_id == guest.session.session_id;
            let right = match guest.standing {
                Standing::Open => lives,
                Standing::Closing => true,
                Standing::Closed => !lives,
            };
            if !right {
                return Err(Failure::Broken(format!(
                    "a session that is {:?} was asked for: {granted:?}",
                    guest.standing
                )));
            }
            let mut looker = Client::open(address).await?;
            looker.connect(&ConnectRequest::new(10_000)).await?;
            let reply = looker
                .call(&Request::Exists {
                    path: guest.path.clone(),
                    watch: false,
                })
                .await?;
            looker.call(&Request::CloseSession).await?;
            let there = reply.header.err == 0;
            if there && !lives || lives && guest.made && !there {
                return Err(Failure::Broken(format!(
                    "{guest:?}: its session lives: {lives}, its znode is there: {there}"
                )));
            }
            if lives {
                kept.push(Guest {
                    made: there,
                    standing: Standing::Open,
                    ..guest
                });
            }
        }
        self.guests = kept;
        Ok(u64::try_from(self.guests.len()).unwrap_or(u64::MAX))
    }
}

fn resumed(session: &ConnectResponse) -> ConnectRequest {
    ConnectRequest {
        session_id: session.session_id,
        password: session.password.clone(),
        ..ConnectRequest::new(session.timeout_ms)
    }
}
